//! A certificate from files, as its operator renews it: others are put in their place while the server runs.

use std::time::SystemTime;

use hither_certs::Certificate;
use hither_server::config::TlsConfig;

use crate::support::{Host, Target, enter, find, on_all, put_certificate, soon, until};

#[tokio::test]
async fn a_changed_certificate_is_presented_to_newcomers_and_those_who_are_there_stay() {
    on_all(async |on| {
        let [old, new] = [(); 2].map(|()| Certificate::mint(SystemTime::now(), &[]).unwrap());
        let dir = tempfile::tempdir().unwrap();
        put_certificate(dir.path(), &old);
        let [cert, key] = ["cert.pem", "key.pem"].map(|name| dir.path().join(name));
        let tls = TlsConfig::Files { cert, key };
        let server = Host::presenting(&old.sha256_hex(), |config| config.tls = tls).await;
        let ada = server.client(on).await;
        let adas = enter(&ada, "default:a").await;

        put_certificate(dir.path(), &new);
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
