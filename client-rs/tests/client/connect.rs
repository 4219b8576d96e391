//! Connecting and closing, from both ends, and what is said about it.

use std::time::Duration;

use hither_client::{Client, CloseCode, ConnectError, ConnectOptions, Reaction};
use hither_protocol::message::control::{Bye, ToClient, ToServer};
use hither_transport::{Closed as LinkClosed, Link, memory};
use tokio::time::Instant;

use crate::server::{Server, connected, soon};

fn builder() -> ConnectOptions {
    Client::builder("memory")
}

fn peer_code(closed: LinkClosed) -> u64 {
    match closed {
        LinkClosed::Peer { code, .. } => code,
        other => panic!("not closed by the peer: {other}"),
    }
}

// proves H2, H5
#[tokio::test(start_paused = true)]
async fn the_hello_comes_first_and_the_welcome_names_the_user() {
    let (here, there) = memory::pair();
    let server = async {
        let (server, hello) = Server::accept(there).await;
        assert_eq!((hello.version, hello.token.as_deref()), (1, Some("secret")));
        drop(server);
    };
    let (refused, ()) = tokio::join!(builder().token("secret").connect_over(here), server);
    assert!(matches!(refused, Err(ConnectError::Refused(_))));

    let (client, _server) = connected().await;
    assert_eq!((client.user().id.as_str(), client.user().name.as_deref()), ("u1", Some("Ada")));
}

async fn refused_by(script: impl AsyncFnOnce(Server)) -> hither_client::Closed {
    let (here, there) = memory::pair();
    let server = async { script(Server::accept(there).await.0).await };
    let (refused, ()) = tokio::join!(builder().connect_over(here), server);
    match refused {
        Err(ConnectError::Refused(closed)) => closed,
        other => panic!("not refused: {other:?}"),
    }
}

// proves C1, C2
#[tokio::test(start_paused = true)]
async fn a_refusal_tells_code_and_reaction_with_a_bye_or_without() {
    let closed = refused_by(async |mut server| {
        server.send(ToClient::Bye(Bye::new(CloseCode::TokenInvalid, "no token"))).await;
        server.link.close(CloseCode::TokenInvalid.number(), "");
    });
    let closed = closed.await;
    assert_eq!((closed.code, closed.reaction), (Some(4100), Reaction::NewToken));
    assert_eq!(closed.reason, "no token");

    let closed = refused_by(async |server| server.link.close(4201, "full")).await;
    assert_eq!((closed.code, closed.reaction), (Some(4201), Reaction::Retry));
}

#[tokio::test(start_paused = true)]
async fn a_server_without_a_welcome_is_given_up_at_the_deadline() {
    let (here, there) = memory::pair();
    let begin = Instant::now();
    let result = builder().deadline(Duration::from_secs(2)).connect_over(here).await;
    assert!(matches!(result, Err(ConnectError::TimedOut(_))), "{result:?}");
    assert_eq!(begin.elapsed().as_secs(), 2);
    assert_eq!(peer_code(soon(there.closed()).await), 4000);
}

#[tokio::test]
async fn a_url_that_leads_nowhere_is_the_callers_fault() {
    let result = Client::builder("http://127.0.0.1:1").cert_sha256([0; 32]).connect().await;
    let Err(ConnectError::Unreachable(hither_transport::ConnectError::Url(_))) = result else {
        panic!("{result:?}");
    };
}

// proves C1
#[tokio::test(start_paused = true)]
async fn closing_says_bye_and_leaves_the_close_to_the_server() {
    let (client, mut server) = connected().await;
    let closing = tokio::spawn(client.close());
    assert!(matches!(server.next().await, ToServer::Bye(bye) if bye.code == 4000));
    server.link.close(CloseCode::Done.number(), "goodbye");
    let closed = soon(closing).await.unwrap();
    assert_eq!((closed.code, closed.reason.as_str()), (Some(4000), "goodbye"));
    assert_eq!(closed.reaction, Reaction::Stop);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_close_is_closed_after_a_second() {
    let (client, server) = connected().await;
    let begin = Instant::now();
    let closed = soon(client.close()).await;
    assert_eq!(begin.elapsed().as_secs(), 1);
    assert_eq!(closed.code, Some(4000));
    assert_eq!(peer_code(soon(server.link.closed()).await), 4000);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_clone_closes() {
    let (client, mut server) = connected().await;
    let clone = client.clone();
    drop(client);
    clone.set_status(hither_client::Status::Away).unwrap();
    assert!(matches!(server.next().await, ToServer::Status(_)));
    drop(clone);
    assert!(matches!(server.next().await, ToServer::Bye(_)));
}

// proves C1
#[tokio::test(start_paused = true)]
async fn a_bye_tells_more_than_the_close_that_follows_it() {
    let (client, mut server) = connected().await;
    let bye = Bye { retry_after_ms: Some(700), ..Bye::new(CloseCode::GoingAway, "restart") };
    server.send(ToClient::Bye(bye)).await;
    server.link.close(CloseCode::GoingAway.number(), "");
    let closed = soon(client.closed()).await;
    assert_eq!((closed.code, closed.reaction), (Some(4200), Reaction::Retry));
    assert_eq!(closed.retry_after, Some(Duration::from_millis(700)));
    assert_eq!(closed.reason, "restart");
    let refused = client.set_status(hither_client::Status::Away);
    assert_eq!(refused, Err(hither_client::SendError::Closed));
    assert!(client.enter("default:lobby", Default::default()).await.is_err());
}

// proves C1
#[tokio::test(start_paused = true)]
async fn a_client_that_gets_a_bye_closes_at_once() {
    let (client, mut server) = connected().await;
    let begin = Instant::now();
    server.send(ToClient::Bye(Bye::new(CloseCode::TokenExpired, "expired"))).await;
    assert_eq!(peer_code(soon(server.link.closed()).await), 4101);
    assert_eq!(soon(client.closed()).await.code, Some(4101));
    assert_eq!(begin.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_control_lane_that_just_ends_is_followed_by_a_close() {
    let (client, mut server) = connected().await;
    server.control.send.finish();
    let closed = soon(client.closed()).await;
    assert_eq!((closed.code, closed.reaction), (None, Reaction::Retry));
    soon(server.link.closed()).await;
}

async fn closes_as_malformed(bytes: &[u8]) {
    let (client, mut server) = connected().await;
    server.control.send.write_all(bytes).await.unwrap();
    let closed = soon(client.closed()).await;
    assert_eq!((closed.code, closed.reaction), (Some(4001), Reaction::Stop), "{bytes:?}");
    assert_eq!(peer_code(soon(server.link.closed()).await), 4001);
}

// proves F1, F4
#[tokio::test(start_paused = true)]
async fn a_server_that_breaks_the_protocol_is_closed() {
    closes_as_malformed(&[0xff, 0xff, 0xff]).await;
    closes_as_malformed(&[2, 0xc1, 0xc1]).await;
    closes_as_malformed(&[3, 0x92, 1, 0x80]).await;
}

#[tokio::test(start_paused = true)]
async fn datagrams_of_garbage_harm_nobody() {
    let (client, mut server) = connected().await;
    for datagram in [&b"\0"[..], b"\0\x01", b"\0\xff\xff\xff"] {
        server.link.send_datagram(datagram.to_vec().into()).unwrap();
    }
    client.set_status(hither_client::Status::Away).unwrap();
    assert!(matches!(server.next().await, ToServer::Status(_)));
    assert!(link_is_open(&server.link).await);
}

async fn link_is_open(link: &Link) -> bool {
    tokio::time::timeout(Duration::from_secs(3), link.closed()).await.is_err()
}
