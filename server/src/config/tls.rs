//! Where the certificate comes from.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Where the certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsConfig {
    /// The server mints its own and renews it while it runs. Clients pin its hash; a browser takes
    /// it for 14 days at most.
    Mint,
    /// PEM files, as a public authority hands them out; read again within a second after they
    /// have changed, for connections from then on.
    Files {
        /// The chain of certificates, the server's own first.
        cert: PathBuf,
        /// The private key of the first certificate.
        key: PathBuf,
    },
}

/// The table `[tls]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TlsFile {
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    mint: bool,
}

impl TlsFile {
    /// `None` unless it names exactly one whole source.
    pub(super) fn resolve(self, base: &Path) -> Option<TlsConfig> {
        match (self.cert, self.key, self.mint) {
            (Some(cert), Some(key), false) => {
                Some(TlsConfig::Files { cert: base.join(cert), key: base.join(key) })
            }
            (None, None, true) => Some(TlsConfig::Mint),
            _ => None,
        }
    }
}
