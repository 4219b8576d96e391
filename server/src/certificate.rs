//! What the server presents: a certificate of its own, which it renews, or one from files, which it reads again when
//! they change. Apart from the assembly, since it goes on for as long as the server runs.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use std::{fs, io};

use hither_certs::{Certificate, MintError};
use hither_transport::{Listener, ServerTls, TlsError};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::config::TlsConfig;
use crate::http::Discovery;

/// How often the files are read, to see whether they have changed. Their times tell less: a link may come to name
/// others, and a file be put in place with the time that it was made.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// When minting is tried again after it has failed.
const MINT_AGAIN: Duration = Duration::from_secs(60);

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// The operator's: a file can't be read.
    #[error("{} can't be read: {source}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The operator's: a file is no PEM, or has no certificate or key.
    #[error("the certificate or its key is no PEM: {0}")]
    Pem(#[from] pem::Error),
    /// The operator's: the certificate and its key can't be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The machine's: none could be minted.
    #[error(transparent)]
    Mint(#[from] MintError),
}

/// Where what is presented came from.
#[derive(Debug)]
pub(crate) enum Source {
    Minted(Certificate),
    Files(Files),
}

/// A chain and its key.
#[derive(Debug)]
pub(crate) struct Files {
    cert: PathBuf,
    key: PathBuf,
    /// What was read last, whether it was of use or not; `None` if nothing could be.
    seen: Option<u64>,
}

impl Source {
    /// Mints or reads what the config names.
    ///
    /// # Errors
    /// See [`CertificateError`].
    pub(crate) fn new(config: &TlsConfig) -> Result<(ServerTls, Self), CertificateError> {
        match config {
            TlsConfig::Mint => {
                let (tls, certificate) = mint()?;
                Ok((tls, Self::Minted(certificate)))
            }
            TlsConfig::Files { cert, key } => {
                let (pair, seen) = read(cert, key)?;
                let files = Files { cert: cert.clone(), key: key.clone(), seen: Some(seen) };
                Ok((pair.tls()?, Self::Files(files)))
            }
        }
    }

    /// The SHA-256 of a minted certificate, in hex, for clients to pin it.
    pub(crate) fn sha256_hex(&self) -> Option<String> {
        match self {
            Self::Minted(certificate) => Some(certificate.sha256_hex()),
            Self::Files(_) => None,
        }
    }
}

/// Presents what is newer, for as long as the server runs. Connections that are open stay as they are.
pub(crate) async fn run_renewal(
    source: Source,
    listener: Arc<Listener>,
    discovery: watch::Sender<Discovery>,
) {
    match source {
        Source::Minted(certificate) => run_minting(certificate, &listener, &discovery).await,
        Source::Files(files) => run_reading(files, &listener).await,
    }
}

/// Mints in time before the certificate ends.
async fn run_minting(
    mut certificate: Certificate,
    listener: &Listener,
    discovery: &watch::Sender<Discovery>,
) {
    loop {
        let left = certificate.renew_at().duration_since(SystemTime::now()).unwrap_or_default();
        sleep(left.max(Duration::from_secs(1))).await;
        match mint() {
            Ok((tls, new)) => {
                listener.set_tls(tls);
                discovery.send_modify(|now| now.cert_sha256 = Some(new.sha256_hex()));
                certificate = new;
            }
            Err(error) => {
                tracing::error!(%error, "no new certificate; trying again in a minute");
                sleep(MINT_AGAIN).await;
            }
        }
    }
}

async fn run_reading(mut files: Files, listener: &Listener) {
    loop {
        sleep(LOOK_EVERY).await;
        // A file system may take its time, and rooms tick meanwhile.
        let look = move || {
            let changed = files.read_if_changed();
            (files, changed)
        };
        let Ok((looked_at, changed)) = spawn_blocking(look).await else { return };
        files = looked_at;
        match changed {
            None => {}
            Some(Ok(tls)) => {
                listener.set_tls(tls);
                tracing::info!(cert = %files.cert.display(), "the certificate has changed");
            }
            Some(Err(error)) => tracing::warn!(%error, "the certificate stays as it is"),
        }
    }
}

impl Files {
    /// `None` if they are as they were. A pair that does not fit is one that is being put in place: the other half
    /// changes it again.
    fn read_if_changed(&mut self) -> Option<Result<ServerTls, CertificateError>> {
        let (read, seen) = match read(&self.cert, &self.key) {
            Ok((pair, seen)) => (Ok(pair), Some(seen)),
            Err(error) => (Err(error), None),
        };
        let is_new = std::mem::replace(&mut self.seen, seen) != seen;
        is_new.then(|| read.and_then(Pair::tls))
    }
}

/// The bytes of both files.
struct Pair {
    cert: Vec<u8>,
    key: Vec<u8>,
}

impl Pair {
    fn tls(self) -> Result<ServerTls, CertificateError> {
        let chain = CertificateDer::pem_slice_iter(&self.cert).collect::<Result<_, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(&self.key)?;
        Ok(ServerTls::new(chain, key)?)
    }
}

/// The files, and what tells whether they are the same the next time.
fn read(cert: &PathBuf, key: &PathBuf) -> Result<(Pair, u64), CertificateError> {
    let read = |path: &PathBuf| {
        fs::read(path).map_err(|source| CertificateError::Io { path: path.clone(), source })
    };
    let pair = Pair { cert: read(cert)?, key: read(key)? };
    let mut hasher = DefaultHasher::new();
    (&pair.cert, &pair.key).hash(&mut hasher);
    Ok((pair, hasher.finish()))
}

fn mint() -> Result<(ServerTls, Certificate), CertificateError> {
    let certificate = Certificate::mint(SystemTime::now(), &[])?;
    Ok((ServerTls::new(certificate.chain(), certificate.key())?, certificate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_of_no_use_is_said_once_and_what_is_the_same_is_not_looked_at_again() {
        let dir = tempfile::tempdir().unwrap();
        let [cert, key] = ["cert.pem", "key.pem"].map(|name| dir.path().join(name));
        let mut files = Files { cert: cert.clone(), key: key.clone(), seen: Some(0) };
        let mut look = |what: &str| {
            let errors = [(); 2].map(|()| files.read_if_changed().and_then(Result::err));
            let [Some(error), None] = errors else { panic!("{what}: {errors:?}") };
            error
        };
        let error = look("there is nothing");
        assert!(matches!(&error, CertificateError::Io { path, .. } if *path == cert), "{error}");
        fs::write(&cert, "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n").unwrap();
        fs::write(&key, "").unwrap();
        assert!(matches!(look("no base64"), CertificateError::Pem(_)));
        fs::write(&cert, "").unwrap();
        assert!(matches!(look("no key"), CertificateError::Pem(pem::Error::NoItemsFound)));
        fs::write(&key, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").unwrap();
        assert!(matches!(look("no certificate"), CertificateError::Tls(_)));
        fs::remove_file(&key).unwrap();
        let error = look("the key is gone");
        assert!(matches!(&error, CertificateError::Io { path, .. } if *path == key), "{error}");
    }
}
