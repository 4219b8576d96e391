//! Who gets in and who does not, over real sockets, and what a client that misbehaves leaves.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::common::{datagram, listen, mint, next_request, tls, url, within};
use bytes::Bytes;
use hither_certs::Certificate;
use hither_transport::{
    ClientEndpoint, ClientTls, Closed, ConnectError, HandshakeError, Link, Listener, ReadError,
    Reject, Transport,
};
use quinn::VarInt;
use wtransport::proto::frame::Frame;
use wtransport::proto::session::SessionRequest;

const BOTH: [Transport; 2] = [Transport::Quic, Transport::WebTransport];

fn client(certificate: &Certificate) -> ClientEndpoint {
    ClientEndpoint::bind(ClientTls::Hash(certificate.sha256())).unwrap()
}

/// Lets everybody in, for as long as the future is polled.
async fn let_all_in(listener: &Listener) {
    let mut links = Vec::new();
    while let Some(incoming) = listener.accept().await {
        if let Ok(request) = incoming.handshake().await {
            links.push(request.accept().await);
        }
    }
}

/// Connects while the server lets everybody in.
async fn try_connect(
    listener: &Listener,
    endpoint: &ClientEndpoint,
    transport: Transport,
) -> Result<Link, ConnectError> {
    let url = url(listener);
    within(async {
        tokio::select! {
            () = let_all_in(listener) => panic!("the listener was closed"),
            result = endpoint.connect(&url, transport) => result,
        }
    })
    .await
}

#[tokio::test]
async fn another_certificate_than_the_pinned_is_refused() {
    let listener = listen(&mint());
    let endpoint = client(&mint());
    for transport in BOTH {
        let error = try_connect(&listener, &endpoint, transport).await.unwrap_err();
        assert!(matches!(error, ConnectError::Tls(_)), "{error}");
    }
}

#[tokio::test]
async fn a_certificate_that_no_root_vouches_for_is_refused() {
    let listener = listen(&mint());
    let endpoint = ClientEndpoint::bind(ClientTls::Roots).unwrap();
    for transport in BOTH {
        let error = try_connect(&listener, &endpoint, transport).await.unwrap_err();
        assert!(matches!(error, ConnectError::Tls(_)), "{error}");
    }
}

#[tokio::test]
async fn another_alpn_or_none_is_refused() {
    let certificate = mint();
    let listener = listen(&certificate);
    for alpn in [&[&b"hither/2"[..]][..], &[]] {
        let (served, connected) = within(async {
            tokio::join!(
                async { listener.accept().await.unwrap().handshake().await },
                foreign(&listener, &certificate, alpn, |_| {}),
            )
        })
        .await;
        assert!(connected.is_err());
        assert!(matches!(served.err(), Some(HandshakeError::Closed(_))));
    }
}

#[tokio::test]
async fn a_swapped_certificate_counts_for_new_connections_only() {
    let (old, new) = (mint(), mint());
    let listener = listen(&old);
    for transport in BOTH {
        listener.set_tls(tls(&old));
        let (before, after) = (client(&old), client(&new));
        let url = url(&listener);
        let (server, link) = within(async {
            tokio::join!(async { next_request(&listener).await.accept().await.unwrap() }, async {
                before.connect(&url, transport).await.unwrap()
            },)
        })
        .await;

        listener.set_tls(tls(&new));
        try_connect(&listener, &after, transport).await.unwrap();
        let error = try_connect(&listener, &before, transport).await.unwrap_err();
        assert!(matches!(error, ConnectError::Tls(_)), "{error}");
        link.send_datagram(datagram(b"still here")).unwrap();
        assert_eq!(within(server.recv_datagram()).await.unwrap(), b"still here"[..]);
    }
}

#[tokio::test]
async fn a_request_shows_origin_path_and_address() {
    let certificate = mint();
    let listener = listen(&certificate);
    let endpoint = client(&certificate);
    let page = format!("{}/other?x=1", url(&listener));
    for (url, origin, transport, path) in [
        (url(&listener), None, Transport::Quic, "/hither/1"),
        (url(&listener), None, Transport::WebTransport, "/hither/1"),
        (page, Some("https://a.example"), Transport::WebTransport, "/other?x=1"),
    ] {
        let connect = async {
            match origin {
                Some(origin) => {
                    endpoint.connect_as_page(&url, Transport::WebTransport, origin).await
                }
                None => endpoint.connect(&url, transport).await,
            }
        };
        let serve = async {
            let request = next_request(&listener).await;
            assert_eq!(request.transport(), transport);
            assert_eq!(request.origin(), origin);
            assert_eq!(request.path(), path);
            assert_eq!(request.remote_address().ip(), Ipv4Addr::LOCALHOST);
            request.accept().await.unwrap()
        };
        let (link, _server) = within(async { tokio::join!(connect, serve) }).await;
        assert_eq!(link.unwrap().transport(), transport);
    }
}

#[tokio::test]
async fn a_rejected_client_is_told_why() {
    let certificate = mint();
    let listener = listen(&certificate);
    let endpoint = client(&certificate);
    let url = url(&listener);
    for (reject, status, code) in [
        (Reject::Forbidden, 403, 4_003),
        (Reject::NotFound, 404, 4_002),
        (Reject::TooManyRequests, 429, 4_201),
    ] {
        let serve = async { next_request(&listener).await.reject(reject).await };
        let connect = endpoint.connect(&url, Transport::WebTransport);
        let ((), result) = within(async { tokio::join!(serve, connect) }).await;
        assert!(matches!(result, Err(ConnectError::Rejected(told)) if told == status));

        let serve = async { next_request(&listener).await.reject(reject).await };
        let connect = async { endpoint.connect(&url, Transport::Quic).await.unwrap() };
        let ((), link) = within(async { tokio::join!(serve, connect) }).await;
        let closed = within(link.closed()).await;
        assert!(matches!(closed, Closed::Peer { code: told, .. } if told == code), "{closed}");
    }
    within(listener.wait_idle()).await;
}

#[tokio::test]
async fn a_refused_client_knows_to_come_back() {
    let certificate = mint();
    let listener = listen(&certificate);
    let endpoint = client(&certificate);
    let url = url(&listener);
    for transport in BOTH {
        let serve = async { listener.accept().await.unwrap().refuse() };
        let connect = endpoint.connect(&url, transport);
        let ((), result) = within(async { tokio::join!(serve, connect) }).await;
        assert!(matches!(result, Err(ConnectError::Refused)));
    }
}

#[tokio::test]
async fn a_retried_client_comes_back_validated() {
    let certificate = mint();
    let listener = listen(&certificate);
    let endpoint = client(&certificate);
    let url = url(&listener);
    let serve = async {
        let first = listener.accept().await.unwrap();
        assert!(!first.is_validated());
        first.retry();
        let second = listener.accept().await.unwrap();
        assert!(second.is_validated());
        second.handshake().await.unwrap().accept().await.unwrap()
    };
    let connect = endpoint.connect(&url, Transport::Quic);
    let (_server, link) = within(async { tokio::join!(serve, connect) }).await;
    link.unwrap();
}

#[tokio::test]
async fn what_cannot_be_connected_to_is_the_callers_fault() {
    let endpoint = client(&mint());
    for url in ["http://localhost", "localhost:4433", "https://", "data:x"] {
        let error = endpoint.connect(url, Transport::Quic).await.unwrap_err();
        assert!(matches!(error, ConnectError::Url(_)), "{url}: {error}");
    }
    let error = endpoint.connect("https://localhost", Transport::Memory).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unsupported(Transport::Memory)));
}

#[tokio::test]
async fn a_silent_server_times_out() {
    let silent = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("https://{}", silent.local_addr().unwrap());
    let error = within(client(&mint()).connect(&url, Transport::Quic)).await.unwrap_err();
    assert!(matches!(error, ConnectError::Closed(Closed::TimedOut)), "{error}");
}

#[tokio::test]
async fn a_clients_connection_ids_are_short() {
    let server = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("https://{}", server.local_addr().unwrap());
    let endpoint = client(&mint());
    let mut initial = [0; 1_500];
    tokio::select! {
        _ = endpoint.connect(&url, Transport::Quic) => unreachable!("nobody answers"),
        received = within(server.recv(&mut initial)) => assert!(received.unwrap() >= 1_200),
    }
    // RFC 9000, 17.2: one byte, four of the version, then the length of each id before it.
    let [_, _, _, _, _, of_server, rest @ ..] = initial;
    assert_eq!(rest[usize::from(of_server)], 3);
}

#[tokio::test]
async fn datagrams_sent_before_the_server_lets_in_are_kept() {
    let certificate = mint();
    let listener = listen(&certificate);
    let endpoint = client(&certificate);
    let url = url(&listener);
    let serve = async { next_request(&listener).await };
    let connect = endpoint.connect(&url, Transport::Quic);
    let (request, link) = within(async { tokio::join!(serve, connect) }).await;
    let link = link.unwrap();
    link.send_datagram(datagram(b"early")).unwrap();
    let (mut send, _recv) = link.open_stream().await.unwrap();
    send.write_all(b"x").await.unwrap();

    let server = request.accept().await.unwrap();
    within(server.accept_stream()).await.unwrap();
    assert_eq!(within(server.recv_datagram()).await.unwrap(), b"early"[..]);
}

/// A client of quinn alone, which can misbehave.
async fn foreign(
    listener: &Listener,
    certificate: &Certificate,
    alpn: &[&[u8]],
    configure: impl FnOnce(&mut quinn::TransportConfig),
) -> Result<(quinn::Endpoint, quinn::Connection), quinn::ConnectionError> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.chain().remove(0)).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut crypto = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    crypto.alpn_protocols = alpn.iter().map(|alpn| alpn.to_vec()).collect();
    let crypto = quinn::crypto::rustls::QuicClientConfig::try_from(crypto).unwrap();
    let mut config = quinn::ClientConfig::new(Arc::new(crypto));
    let mut transport = quinn::TransportConfig::default();
    configure(&mut transport);
    config.transport_config(Arc::new(transport));
    let endpoint = quinn::Endpoint::client(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let connecting = endpoint.connect_with(config, listener.local_addr(), "localhost").unwrap();
    connecting.await.map(|connection| (endpoint, connection))
}

/// What a client that never sends CONNECT does instead.
#[derive(Clone, Copy, Debug)]
enum Instead {
    Nothing,
    AllowNoUniStreams,
    SettingsOnly,
    HalfAFrameOnEveryStream,
    HalfATypeOnEveryStream,
}

impl Instead {
    /// What it writes to every unidirectional and every bidirectional stream that it may open.
    fn bytes(self) -> (&'static [u8], &'static [u8]) {
        match self {
            Self::Nothing | Self::AllowNoUniStreams => (&[], &[]),
            Self::SettingsOnly => (&[0x00, 0x04, 0x00], &[]),
            Self::HalfAFrameOnEveryStream => (&[0x00, 0x04, 0x09], &[0x01, 0x09]),
            Self::HalfATypeOnEveryStream => (&[0x40], &[0x40]),
        }
    }

    async fn run(self, listener: &Listener, certificate: &Certificate) -> Stuck {
        let connected = foreign(listener, certificate, &[b"h3"], |transport| {
            transport.keep_alive_interval(Some(Duration::from_millis(200)));
            if matches!(self, Self::AllowNoUniStreams) {
                transport.max_concurrent_uni_streams(0u32.into());
            }
        });
        let (endpoint, connection) = connected.await.unwrap();
        let mut stuck = Stuck { _endpoint: endpoint, connection, _send: vec![], _recv: vec![] };
        let (uni, bi) = self.bytes();
        for _ in 0..if uni.is_empty() { 0 } else { 8 } {
            let mut send = stuck.connection.open_uni().await.unwrap();
            send.write_all(uni).await.unwrap();
            stuck._send.push(send);
        }
        for _ in 0..if bi.is_empty() { 0 } else { 28 } {
            let (mut send, recv) = stuck.connection.open_bi().await.unwrap();
            send.write_all(bi).await.unwrap();
            stuck._send.push(send);
            stuck._recv.push(recv);
        }
        // Time for the server to take all of it; with less the test is only weaker.
        tokio::time::sleep(Duration::from_millis(100)).await;
        stuck
    }
}

/// A client that stopped halfway, and still holds all it opened.
struct Stuck {
    _endpoint: quinn::Endpoint,
    connection: quinn::Connection,
    _send: Vec<quinn::SendStream>,
    _recv: Vec<quinn::RecvStream>,
}

#[tokio::test]
async fn a_client_without_connect_is_closed_when_the_handshake_is_dropped() {
    let certificate = mint();
    for instead in [
        Instead::Nothing,
        Instead::AllowNoUniStreams,
        Instead::SettingsOnly,
        Instead::HalfAFrameOnEveryStream,
        Instead::HalfATypeOnEveryStream,
    ] {
        let listener = listen(&certificate);
        let handshake = async { listener.accept().await.unwrap().handshake().await.err() };
        let stuck = within(async {
            tokio::select! {
                error = handshake => panic!("{instead:?} came to an end: {error:?}"),
                stuck = instead.run(&listener, &certificate) => stuck,
            }
        });
        let stuck = stuck.await; // and the handshake is dropped
        let closed = within(stuck.connection.closed()).await;
        assert!(matches!(closed, quinn::ConnectionError::ApplicationClosed(_)), "{closed}");
        within(listener.wait_idle()).await;
        assert_eq!(listener.open_connections(), 0);
    }
}

#[tokio::test]
async fn a_client_that_speaks_no_webtransport_is_closed() {
    let certificate = mint();
    let settings = &[0x00, 0x04, 0x00][..];
    let get = wtransport::proto::headers::Headers::from_iter([(":method", "GET"), (":path", "/")]);
    let mut get_bytes = Vec::new();
    get.generate_frame().write(&mut get_bytes).unwrap();
    for (what, uni, bi) in [
        ("no settings", &[0x00, 0x21, 0x00, 0x01, 0x00][..], &connect_frame()[..]),
        ("settings too long", &[0x00, 0x04, 0xbf, 0xff, 0xff, 0xff], &connect_frame()),
        ("not CONNECT", settings, &get_bytes),
        ("data first", settings, &[0x00, 0x01, 0x00]),
        ("no QPACK", settings, &[0x01, 0x04, 0xff, 0xff, 0xff, 0xff]),
        ("an integer without end", settings, &[&[0x01, 0x20][..], &[0xff; 0x20]].concat()),
        ("headers too long", settings, &[0x01, 0x80, 0x00, 0x40, 0x01]),
    ] {
        let listener = listen(&certificate);
        within(async {
            let (served, client) = tokio::join!(
                async { listener.accept().await.unwrap().handshake().await.err() },
                async {
                    let connected = foreign(&listener, &certificate, &[b"h3"], |_| {}).await;
                    let (endpoint, connection) = connected.unwrap();
                    let mut control = connection.open_uni().await.unwrap();
                    control.write_all(uni).await.unwrap();
                    let (mut send, recv) = connection.open_bi().await.unwrap();
                    send.write_all(bi).await.unwrap();
                    connection.closed().await;
                    (endpoint, control, send, recv)
                }
            );
            assert!(matches!(served, Some(HandshakeError::Http3(_))), "{what}: {served:?}");
            drop(client);
            listener.wait_idle().await;
        })
        .await;
    }
}

/// A session opened byte by byte, as a browser would.
struct Page {
    _endpoint: quinn::Endpoint,
    connection: quinn::Connection,
    connect: (quinn::SendStream, quinn::RecvStream),
    _control: quinn::SendStream,
}

fn connect_frame() -> Vec<u8> {
    let request = SessionRequest::new("https://localhost/hither/1").unwrap();
    let mut bytes = Vec::new();
    request.headers().generate_frame().write(&mut bytes).unwrap();
    bytes
}

async fn open_page(listener: &Listener, certificate: &Certificate) -> (Link, Page) {
    let page = async {
        let connected = foreign(listener, certificate, &[b"h3"], |_| {}).await;
        let (endpoint, connection) = connected.unwrap();
        for grease in [&[0x21, 7, 7][..], &[0x02], &[0x03]] {
            let mut uni = connection.open_uni().await.unwrap();
            uni.write_all(grease).await.unwrap();
        }
        let mut control = connection.open_uni().await.unwrap();
        control.write_all(&[0x00, 0x21, 0x01, 0x09, 0x04, 0x00]).await.unwrap();
        let mut connect = connection.open_bi().await.unwrap();
        connect.0.write_all(&connect_frame()).await.unwrap();
        let mut first = [0];
        connect.1.read_exact(&mut first).await.unwrap(); // HEADERS: the answer
        Page { _endpoint: endpoint, connection, connect, _control: control }
    };
    let serve = async { next_request(listener).await.accept().await.unwrap() };
    within(async { tokio::join!(serve, page) }).await
}

#[tokio::test]
async fn a_page_that_closes_its_session_says_so_to_the_server() {
    let certificate = mint();
    let listener = listen(&certificate);
    let capsule = [0x68, 0x43, 7, 0, 0, 0x0f, 0xa0, b'b', b'y', b'e'];
    let mut whole = Vec::new();
    Frame::new_data(capsule.as_slice().into()).write(&mut whole).unwrap();
    let mut in_two = Vec::new();
    for half in capsule.chunks(5) {
        Frame::new_data(half.into()).write(&mut in_two).unwrap();
    }
    let told = Closed::Peer { code: 4_000, reason: "bye".into() };
    let silent = Closed::Peer { code: 0, reason: String::new() };
    for (bytes, expected) in [(whole, &told), (in_two, &told), (Vec::new(), &silent)] {
        let (link, mut page) = open_page(&listener, &certificate).await;
        page.connect.0.write_all(&bytes).await.unwrap();
        page.connect.0.finish().unwrap();
        assert_eq!(&within(link.closed()).await, expected);
        assert_eq!(within(link.recv_datagram()).await.as_ref(), Err(expected));
        within(page.connection.closed()).await;
    }
    let (link, mut page) = open_page(&listener, &certificate).await;
    page.connect.0.reset(VarInt::from_u32(1)).unwrap();
    assert!(matches!(within(link.closed()).await, Closed::Broken(_)));
}

#[tokio::test]
async fn what_belongs_to_another_session_is_left_out() {
    let certificate = mint();
    let listener = listen(&certificate);
    let (link, page) = open_page(&listener, &certificate).await;
    for bytes in [&b"\x01other"[..], b"", b"\x40\x00longer", b"\x00ours"] {
        page.connection.send_datagram(Bytes::copy_from_slice(bytes)).unwrap();
    }
    assert_eq!(within(link.recv_datagram()).await.unwrap(), b"ours"[..]);

    for preface in [&[0x40, 0x41, 0x04][..], &[0x01, 0x00], &[0x40, 0x54]] {
        let (mut send, _recv) = page.connection.open_bi().await.unwrap();
        send.write_all(preface).await.unwrap();
        let _ = send.finish();
        let (_back, mut foreign) = within(link.accept_stream()).await.unwrap();
        assert_eq!(within(foreign.read_chunk(9)).await, Err(ReadError::Foreign));
    }
    let (mut send, _recv) = page.connection.open_bi().await.unwrap();
    for byte in [0x40, 0x41, 0x00, b'x'] {
        send.write_all(&[byte]).await.unwrap();
    }
    let (_back, mut ours) = within(link.accept_stream()).await.unwrap();
    assert_eq!(within(ours.read_chunk(9)).await.unwrap().unwrap(), b"x"[..]);
}
