//! What the operator decides, and where it is said: a TOML file, overridden by the environment,
//! overridden by flags. The rest of the server sees only the resolved [`Config`], so that no other
//! place reads the environment or knows a default.

mod auth;
mod bounds;
mod demo;
mod documents;
mod file;
mod limits;
mod namespace;
mod origins;
mod overrides;
mod tls;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use file::ConfigFile;

use crate::auth::JoinSecret;

pub use auth::{Algorithm, AuthConfig, TokensConfig};
pub use demo::DemoConfig;
pub use documents::DocumentsConfig;
pub use limits::LimitsConfig;
pub use namespace::NamespaceConfig;
pub use origins::Origins;
pub use overrides::{FileOverrides, Overrides};
pub use tls::TlsConfig;

/// All that a server needs to know to start. Relative paths of a config file count from the folder
/// of that file, those of flags and environment from the working directory.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The UDP address of WebTransport and raw QUIC; port 0 takes a free one. Default:
    /// 127.0.0.1:4433.
    pub listen: SocketAddr,
    /// The TCP address of the public http listener. Default: 127.0.0.1:8080.
    pub http: SocketAddr,
    /// The TCP address of the ops plane, which has no authentication: keep it from the public
    /// network. Default: 127.0.0.1:9090.
    pub ops: SocketAddr,
    /// The folder of all durable data. Default: none; then documents live in memory, as long as the
    /// process.
    pub data: Option<PathBuf>,
    /// Who may come in. Default: local clients for `hither dev`, none for `hither serve`.
    pub auth: AuthConfig,
    /// Where the certificate comes from. Default: minted for `hither dev`, none for `hither serve`.
    pub tls: TlsConfig,
    /// The origins of pages that may connect, like `https://app.example`; they replace the default,
    /// the origin of the server's own http listener.
    pub origins: Option<Vec<String>>,
    /// The demo page and its bots. Default: there for `hither dev`, not for `hither serve`.
    pub demo: Option<DemoConfig>,
    /// How long the edits of documents are kept.
    pub documents: DocumentsConfig,
    /// The bounds of the whole server.
    pub limits: LimitsConfig,
    /// The namespaces by name. A room of any other can't be joined. Default: `default`; for `hither
    /// dev` also `hz10`, `hz20`, `hz30` and `hz60`, named for their ticks, and `hz0`, which sends at once.
    pub namespaces: BTreeMap<String, NamespaceConfig>,
}

impl Config {
    /// The config of `hither dev`: complete on a fresh machine.
    #[must_use]
    pub fn dev(overrides: Overrides) -> Self {
        let mut config = Self::new(AuthConfig::LocalAnonymous, TlsConfig::Mint);
        for tick_hz in [0, 10, 20, 30, 60] {
            let namespace = NamespaceConfig { tick_hz, ..NamespaceConfig::default() };
            config.namespaces.insert(format!("hz{tick_hz}"), namespace);
        }
        config.demo = Some(DemoConfig::default());
        overrides.apply(&mut config);
        config
    }

    /// The same for the machines around this one, which reach it at `address`: whoever knows the secret may come in,
    /// and there is nothing on loopback but the ops plane.
    #[must_use]
    pub fn dev_on(address: IpAddr, secret: JoinSecret, overrides: Overrides) -> Self {
        let mut config = Self::dev(Overrides::default());
        config.listen.set_ip(address);
        config.http.set_ip(address);
        config.auth = AuthConfig::Secret(secret);
        overrides.apply(&mut config);
        config
    }

    /// The config of `hither serve`: of the file at `path`, and of what overrides it.
    ///
    /// # Errors
    /// The operator's: see [`ConfigError`].
    pub fn serve(
        path: &Path,
        overrides: Overrides,
        file_overrides: FileOverrides,
    ) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        let file: ConfigFile = toml::from_str(&text).map_err(|source| ConfigError::Wrong {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        let base = path.parent().unwrap_or(Path::new(""));
        let mut config = file.resolve(base, file_overrides)?;
        overrides.apply(&mut config);
        Ok(config)
    }

    fn new(auth: AuthConfig, tls: TlsConfig) -> Self {
        let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            listen: loopback(4433),
            http: loopback(8080),
            ops: loopback(9090),
            data: None,
            auth,
            tls,
            origins: None,
            demo: None,
            documents: DocumentsConfig::default(),
            limits: LimitsConfig::default(),
            namespaces: BTreeMap::from([("default".to_owned(), NamespaceConfig::default())]),
        }
    }
}

/// Why there is no config to start with; each the operator's to mend.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file is not there, or may not be read.
    #[error("the config {} can't be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is no TOML, or holds an unknown key or a value out of its range; the text names the
    /// line.
    #[error("the config {} is wrong", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Where, and what.
        source: Box<toml::de::Error>,
    },
    /// The file does not say who may come in, or says two ways.
    #[error(
        "the config must say who may come in: auth = \"anonymous\" for everyone, or a table [auth] \
         with mode = \"tokens\" and key_file = \"...\" (--auth-key-file goes with the latter)"
    )]
    NoAuth,
    /// The file does not say where the certificate comes from, or says two places.
    #[error(
        "the config must say where the certificate comes from: a table [tls] with either cert = \
         \"...\" and key = \"...\", or mint = true"
    )]
    NoTls,
}

#[cfg(test)]
mod tests;
