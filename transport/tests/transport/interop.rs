//! WebTransport against another implementation, at both ends: what we write is what they read.

use std::net::{Ipv4Addr, SocketAddr};

use crate::common::{datagram, listen, mint, next_request, read_all, url, within};
use hither_transport::{ClientEndpoint, ClientTls, Link, Transport};
use wtransport::tls::{Certificate, CertificateChain, PrivateKey, Sha256Digest};
use wtransport::{ClientConfig, Endpoint, Identity, ServerConfig};

/// Sends back one datagram and one stream.
async fn echo(link: Link) {
    let received = link.recv_datagram().await.unwrap();
    link.send_datagram(datagram(&received)).unwrap();
    let (mut send, mut recv) = link.accept_stream().await.unwrap();
    send.write_all(&read_all(&mut recv).await).await.unwrap();
    send.finish();
    link.closed().await;
}

#[tokio::test]
async fn their_client_reaches_our_server() {
    let certificate = mint();
    let listener = listen(&certificate);
    let url = format!("{}/hither/1", url(&listener));
    let serve = async {
        let request = next_request(&listener).await;
        assert_eq!(request.transport(), Transport::WebTransport);
        assert_eq!(request.path(), "/hither/1");
        echo(request.accept().await.unwrap()).await;
    };
    let config = ClientConfig::builder()
        .with_bind_default()
        .with_server_certificate_hashes([Sha256Digest::new(certificate.sha256())])
        .build();
    let connect = async {
        let connection = Endpoint::client(config).unwrap().connect(&url).await.unwrap();
        connection.send_datagram(b"ping").unwrap();
        assert_eq!(&*connection.receive_datagram().await.unwrap(), b"ping");
        let (mut send, mut recv) = connection.open_bi().await.unwrap().await.unwrap();
        send.write_all(b"hello").await.unwrap();
        send.finish().await.unwrap();
        let mut echoed = [0; 5];
        recv.read_exact(&mut echoed).await.unwrap();
        assert_eq!(&echoed, b"hello");
        connection.close(0u32.into(), b"");
    };
    within(async { tokio::join!(serve, connect) }).await;
}

#[tokio::test]
async fn our_client_reaches_their_server() {
    let certificate = mint();
    let chain = Certificate::from_der(certificate.chain()[0].to_vec()).unwrap();
    let key = PrivateKey::from_der_pkcs8(certificate.key().secret_der().to_vec());
    let config = ServerConfig::builder()
        .with_bind_address(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .with_identity(Identity::new(CertificateChain::single(chain), key))
        .build();
    let server = Endpoint::server(config).unwrap();
    let url = format!("https://{}", server.local_addr().unwrap());
    let serve = async {
        let request = server.accept().await.await.unwrap();
        assert_eq!(request.path(), "/hither/1");
        assert_eq!(request.origin(), Some("https://a.example"));
        let connection = request.accept().await.unwrap();
        connection.send_datagram(b"ping").unwrap();
        assert_eq!(&*connection.receive_datagram().await.unwrap(), b"ping");
        let (mut send, mut recv) = connection.open_bi().await.unwrap().await.unwrap();
        send.write_all(b"hello").await.unwrap();
        send.finish().await.unwrap();
        let mut echoed = [0; 5];
        recv.read_exact(&mut echoed).await.unwrap();
        assert_eq!(&echoed, b"hello");
        connection.close(0u32.into(), b"");
    };
    let endpoint = ClientEndpoint::bind(ClientTls::Hash(certificate.sha256())).unwrap();
    let connect = async {
        echo(
            endpoint
                .connect_as_page(&url, Transport::WebTransport, "https://a.example")
                .await
                .unwrap(),
        )
        .await;
    };
    within(async { tokio::join!(serve, connect) }).await;
}
