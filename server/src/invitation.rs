//! How a phone comes in: an address with the join secret, as a QR code for its camera. Apart from the ready line, which
//! is for programs.

use std::net::SocketAddr;

use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

use crate::auth::JoinSecret;

/// The address behind which the server's page is let in.
fn address(http: SocketAddr, secret: &JoinSecret) -> String {
    format!("http://{http}/#join={}", secret.reveal())
}

/// Shows people on stderr how to come in.
pub(crate) fn show(http: SocketAddr, secret: &JoinSecret) {
    let address = address(http, secret);
    // It fits any code; without one the address is still there to be typed.
    if let Ok(code) = QrCode::new(&address) {
        eprintln!("{}", code.render::<Dense1x2>().build());
    }
    eprintln!("{address}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_behind_the_hash_so_that_no_request_has_it() {
        let secret = JoinSecret::random();
        let address = address("192.0.2.7:8080".parse().unwrap(), &secret);
        assert_eq!(address, format!("http://192.0.2.7:8080/#join={}", secret.reveal()));
    }
}
