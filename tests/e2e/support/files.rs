//! What an operator puts into files for a server: its certificate, as PEM.

use std::fs;
use std::path::Path;

use hither_certs::Certificate;

/// The text of a PEM file.
fn pem(label: &str, der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = format!("-----BEGIN {label}-----\n");
    for chunk in der.chunks(3) {
        let word = chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
        let word = word << (8 * (3 - chunk.len()));
        let digit = |at| {
            if at > chunk.len() { b'=' } else { DIGITS[(word >> (18 - 6 * at)) as usize & 63] }
        };
        text.extend((0..4).map(|at| char::from(digit(at))));
    }
    text + &format!("\n-----END {label}-----\n")
}

/// Puts a certificate and its key, `cert.pem` and `key.pem`, where a server finds them, one after the other.
pub(crate) fn put_certificate(dir: &Path, certificate: &Certificate) {
    fs::write(dir.join("cert.pem"), pem("CERTIFICATE", &certificate.chain()[0])).unwrap();
    fs::write(dir.join("key.pem"), pem("PRIVATE KEY", certificate.key().secret_der())).unwrap();
}
