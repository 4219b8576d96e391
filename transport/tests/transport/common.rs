//! What the tests of this crate share: a server and a client on loopback, and a deadline.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use hither_certs::Certificate;
use hither_transport::websocket::{self, Socket};
use hither_transport::{
    ClientEndpoint, ClientTls, Link, Listener, RecvStream, Request, ServerTls, Transport,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::http;

/// Both ends of a connection, and what they live on.
pub(crate) struct Ends {
    pub(crate) server: Link,
    pub(crate) client: Link,
    _network: Option<(Listener, ClientEndpoint)>,
}

/// A connection over `transport`.
pub(crate) async fn connect(transport: Transport) -> Ends {
    if transport == Transport::Memory {
        let (server, client) = hither_transport::memory::pair();
        return Ends { server, client, _network: None };
    }
    let certificate = mint();
    let listener = listen(&certificate);
    let endpoint = ClientEndpoint::bind(ClientTls::Hash(certificate.sha256())).unwrap();
    if transport == Transport::WebSocket {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("https://{}", tcp.local_addr().unwrap());
        let (server, client) = within(async {
            tokio::join!(
                async {
                    let (stream, _) = tcp.accept().await.unwrap();
                    accept_websocket(listener.tcp_tls().accept(stream).await.unwrap()).await
                },
                async { endpoint.connect(&url, transport).await.unwrap() },
            )
        })
        .await;
        return Ends { server, client, _network: Some((listener, endpoint)) };
    }
    let url = url(&listener);
    let (server, client) = within(async {
        tokio::join!(async { next_request(&listener).await.accept().await.unwrap() }, async {
            endpoint.connect(&url, transport).await.unwrap()
        },)
    })
    .await;
    Ends { server, client, _network: Some((listener, endpoint)) }
}

/// The server's end of a WebSocket, whatever path it asks for.
pub(crate) async fn accept_websocket(mut socket: Socket) -> Link {
    let mut head = BytesMut::new();
    while !head.ends_with(b"\r\n\r\n") {
        assert_ne!(socket.read_buf(&mut head).await.unwrap(), 0, "no whole request");
    }
    let head = String::from_utf8(head.to_vec()).unwrap();
    let mut request = http::Request::builder();
    for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
        request = request.header(name, value);
    }
    let answer = websocket::answer(&request.body(()).unwrap()).expect("it asks for a WebSocket");
    let mut text = format!("HTTP/1.1 {}\r\n", answer.status());
    for (name, value) in answer.headers() {
        text += &format!("{name}: {}\r\n", value.to_str().unwrap());
    }
    socket.write_all((text + "\r\n").as_bytes()).await.unwrap();
    websocket::accept(socket, Bytes::new(), 32 * 1024).await
}

/// The next client that comes through the handshake.
pub(crate) async fn next_request(listener: &Listener) -> Request {
    listener.accept().await.unwrap().handshake().await.unwrap()
}

pub(crate) fn mint() -> Certificate {
    Certificate::mint(SystemTime::now(), &[]).unwrap()
}

pub(crate) fn tls(certificate: &Certificate) -> ServerTls {
    ServerTls::new(certificate.chain(), certificate.key()).unwrap()
}

pub(crate) fn listen(certificate: &Certificate) -> Listener {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Listener::bind(address, tls(certificate), 32 * 1024, &[7; 32]).unwrap()
}

pub(crate) fn url(listener: &Listener) -> String {
    format!("https://{}", listener.local_addr())
}

/// A datagram as the link wants it, with the reserved byte.
pub(crate) fn datagram(payload: &[u8]) -> Bytes {
    [&[hither_transport::RESERVED], payload].concat().into()
}

/// All of a stream until its end.
pub(crate) async fn read_all(stream: &mut RecvStream) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(chunk) = stream.read_chunk(16 * 1024).await.unwrap() {
        assert!(!chunk.is_empty());
        all.extend_from_slice(&chunk);
    }
    all
}

/// Fails a test that would hang.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), future).await.expect("within 10 s")
}
