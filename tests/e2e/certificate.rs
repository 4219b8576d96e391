//! A certificate from files, as its operator renews it: others are put in their place while the server runs.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use hither_certs::Certificate;
use hither_server::config::TlsConfig;

use crate::support::{Host, Target, enter, find, on_all, soon, until};

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

/// Puts a certificate and its key where the server finds them, one after the other.
fn put(dir: &Path, certificate: &Certificate) {
    fs::write(dir.join("cert.pem"), pem("CERTIFICATE", &certificate.chain()[0])).unwrap();
    fs::write(dir.join("key.pem"), pem("PRIVATE KEY", certificate.key().secret_der())).unwrap();
}

#[tokio::test]
async fn a_changed_certificate_is_presented_to_newcomers_and_those_who_are_there_stay() {
    on_all(async |on| {
        let [old, new] = [(); 2].map(|()| Certificate::mint(SystemTime::now(), &[]).unwrap());
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), &old);
        let [cert, key] = ["cert.pem", "key.pem"].map(|name| dir.path().join(name));
        let tls = TlsConfig::Files { cert, key };
        let server = Host::presenting(&old.sha256_hex(), |config| config.tls = tls).await;
        let ada = server.client(on).await;
        let adas = enter(&ada, "default:a").await;

        put(dir.path(), &new);
        let renewed = Target::new(server.quic, server.http, server.ops, &new.sha256_hex());
        let ben = find("the new certificate is presented", async || {
            soon(renewed.builder(on).connect()).await.ok()
        })
        .await;
        let bens = enter(&ben, "default:a").await;
        until("they see each other", || adas.others().len() == 1 && bens.others().len() == 1).await;
        let refused = soon(server.endpoint.connect(&server.url(), on)).await;
        assert!(refused.is_err(), "the old one is presented still");
        adas.update_presence([("still".to_owned(), true.into())].into()).unwrap();
        until("who was there stays", || {
            bens.others().iter().any(|member| member.presence.contains_key("still"))
        })
        .await;
    })
    .await;
}
