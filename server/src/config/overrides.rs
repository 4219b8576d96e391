//! What flags and the environment may change: what differs from one machine to the next. Policy
//! stands in the file alone.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::Config;
use super::origins::parse_origin;

/// What `hither dev` and `hither serve` share.
#[derive(Debug, Default, clap::Args)]
pub struct Overrides {
    /// UDP address of WebTransport and raw QUIC; port 0 takes a free one [default: 127.0.0.1:4433]
    #[arg(long, value_name = "ADDR", env = "HITHER_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// TCP address of the public http listener [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR", env = "HITHER_HTTP")]
    pub http: Option<SocketAddr>,
    /// TCP address of the ops plane: /healthz, /readyz, /metrics [default: 127.0.0.1:9090]
    #[arg(long, value_name = "ADDR", env = "HITHER_OPS")]
    pub ops: Option<SocketAddr>,
    /// Folder of all durable data; without it documents live in memory
    #[arg(long, value_name = "DIR", env = "HITHER_DATA")]
    pub data: Option<PathBuf>,
    /// Origin of pages that may connect, instead of the server's own; may be repeated
    #[arg(long, value_name = "ORIGIN", env = "HITHER_ORIGIN")]
    #[arg(value_delimiter = ',', value_parser = parse_origin)]
    pub origin: Vec<String>,
}

impl Overrides {
    pub(super) fn apply(self, config: &mut Config) {
        config.listen = self.listen.unwrap_or(config.listen);
        config.http = self.http.unwrap_or(config.http);
        config.ops = self.ops.unwrap_or(config.ops);
        config.data = self.data.or(config.data.take());
        if !self.origin.is_empty() {
            config.origins = Some(self.origin);
        }
    }
}

/// What `hither serve` has beside its file.
#[derive(Debug, Default, clap::Args)]
pub struct FileOverrides {
    /// Key file of tokens, in place of the config's auth.key_file
    #[arg(long, value_name = "FILE", env = "HITHER_AUTH_KEY_FILE")]
    pub auth_key_file: Option<PathBuf>,
    /// Certificate chain as PEM, in place of the config's table tls
    #[arg(long, value_name = "FILE", env = "HITHER_TLS_CERT", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Private key of the certificate as PEM
    #[arg(long, value_name = "FILE", env = "HITHER_TLS_KEY", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
}
