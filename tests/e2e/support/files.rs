//! What an operator puts into files for a server: its certificate, as PEM.

use std::fs;
use std::path::Path;

use hither_certs::Certificate;

/// Puts a certificate and its key, `cert.pem` and `key.pem`, where a server finds them, one after the other.
pub(crate) fn put_certificate(dir: &Path, certificate: &Certificate) {
    fs::write(dir.join("cert.pem"), certificate.cert_pem()).unwrap();
    fs::write(dir.join("key.pem"), certificate.key_pem()).unwrap();
}
