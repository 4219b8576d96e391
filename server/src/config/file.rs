//! The config file as it is written: every key optional, none unknown.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::auth::AuthFile;
use super::namespace::named;
use super::origins::parse_origin;
use super::tls::TlsFile;
use super::{
    Config, ConfigError, DocumentsConfig, FileOverrides, LimitsConfig, NamespaceConfig, TlsConfig,
};

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ConfigFile {
    listen: Option<SocketAddr>,
    http: Option<SocketAddr>,
    ops: Option<SocketAddr>,
    data: Option<PathBuf>,
    auth: Option<AuthFile>,
    tls: TlsFile,
    #[serde(deserialize_with = "origins")]
    origins: Option<Vec<String>>,
    documents: DocumentsConfig,
    limits: LimitsConfig,
    #[serde(deserialize_with = "named")]
    namespaces: BTreeMap<String, NamespaceConfig>,
}

impl ConfigFile {
    /// `base` is the folder that the file's relative paths count from.
    pub(super) fn resolve(
        self,
        base: &Path,
        overrides: FileOverrides,
    ) -> Result<Config, ConfigError> {
        let auth = self.auth.and_then(|auth| auth.resolve(base, overrides.auth_key_file));
        let tls = match (overrides.tls_cert, overrides.tls_key) {
            (Some(cert), Some(key)) => Some(TlsConfig::Files { cert, key }),
            _ => self.tls.resolve(base),
        };
        let mut config =
            Config::new(auth.ok_or(ConfigError::NoAuth)?, tls.ok_or(ConfigError::NoTls)?);
        config.listen = self.listen.unwrap_or(config.listen);
        config.http = self.http.unwrap_or(config.http);
        config.ops = self.ops.unwrap_or(config.ops);
        config.data = self.data.map(|path| base.join(path));
        config.origins = self.origins;
        config.documents = self.documents;
        config.limits = self.limits;
        if !self.namespaces.is_empty() {
            config.namespaces = self.namespaces;
        }
        Ok(config)
    }
}

fn origins<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Vec<String>>, D::Error> {
    let origins = Vec::<String>::deserialize(input)?;
    let parsed: Result<_, String> = origins.iter().map(|origin| parse_origin(origin)).collect();
    parsed.map(Some).map_err(D::Error::custom)
}
