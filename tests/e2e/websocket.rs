//! WebSocket where it is apart from the others: its address, its answers, and what breaks it.

use hither_client::{Client, Position, Transport};
use hither_transport::{ConnectError, IDLE_TIMEOUT};

use crate::support::{Host, enter, find, get, slot, soon, until};

fn plain(server: &Host) -> String {
    format!("ws://{}", server.http)
}

#[tokio::test]
async fn w1_a_server_for_development_takes_it_plainly_where_its_page_is() {
    let server = Host::start().await;
    let here = enter(&server.client(Transport::Quic).await, "default:a").await;
    let plain = soon(Client::builder(plain(&server)).connect()).await.unwrap();
    let there = enter(&plain, "default:a").await;
    here.set_motion(Position::xy(1, 2));
    there.set_motion(Position::xy(3, 4));
    until("each sees the other", || {
        here.position(slot(&there)) == Some(Position::xy(3, 4))
            && there.position(slot(&here)) == Some(Position::xy(1, 2))
    })
    .await;
    let (status, body) = get(server.http, "/.well-known/hither").await.unwrap();
    assert_eq!(status, 200);
    assert!(body.contains(&format!("\"ws\":\"{}\"", server.http)), "{body}");
}

#[tokio::test]
async fn w1_a_server_for_users_takes_it_in_tls_alone() {
    let server = Host::with(|config| config.demo = None).await;
    let refused = soon(server.endpoint.connect(&plain(&server), Transport::WebSocket)).await;
    assert!(matches!(refused, Err(ConnectError::Rejected(404))), "{refused:?}");
    let (_, body) = get(server.http, "/.well-known/hither").await.unwrap();
    assert!(!body.contains("\"ws\""), "{body}");
    server.welcomed(Transport::WebSocket).await;
}

#[tokio::test]
async fn w1_what_asks_for_no_websocket_is_told_so() {
    let server = Host::start().await;
    assert_eq!(get(server.http, hither_protocol::PATH).await.unwrap().0, 426);
}

#[tokio::test]
async fn w1_a_plain_websocket_is_told_when_too_many_are_pending() {
    let server = Host::with(|config| config.limits.pending_hellos_max = 1).await;
    let pending = server.raw(Transport::WebSocket).await;
    let refused = soon(server.endpoint.connect(&plain(&server), Transport::WebSocket)).await;
    assert!(matches!(refused, Err(ConnectError::Rejected(503))), "{refused:?}");
    drop(pending);
}

// proves H6
#[tokio::test]
async fn who_connects_over_tcp_and_says_nothing_has_a_place_until_it_is_given_up() {
    let server = Host::with(|config| config.limits.pending_hellos_max = 2).await;
    let silent = [
        tokio::net::TcpStream::connect(server.quic).await.unwrap(),
        tokio::net::TcpStream::connect(server.quic).await.unwrap(),
    ];
    find("their places are taken", async || {
        soon(server.endpoint.connect(&server.url(), Transport::WebSocket)).await.err()
    })
    .await;
    for stream in &silent {
        soon(stream.readable()).await.unwrap();
    }
    server.welcomed(Transport::WebSocket).await;
}

// proves H6
#[tokio::test]
async fn w1_who_says_nothing_in_the_handshake_is_given_up_and_others_come_in() {
    let server = Host::start().await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(tokio::net::TcpStream::connect(server.quic).await.unwrap());
    }
    server.welcomed(Transport::WebSocket).await;
    let mut byte = [0];
    for stream in &silent {
        soon(stream.readable()).await.unwrap();
        assert_eq!(stream.try_read(&mut byte).unwrap_or(0), 0);
    }
}

#[tokio::test]
async fn w6_a_client_that_sends_nothing_stays_as_long_as_it_answers_pings() {
    let server = Host::start().await;
    let ada = server.client(Transport::WebSocket).await;
    let here = enter(&ada, "default:a").await;
    let bob = server.client(Transport::Quic).await;
    let there = enter(&bob, "default:a").await;
    tokio::time::sleep(2 * IDLE_TIMEOUT).await;
    assert_eq!((here.others().len(), there.others().len()), (1, 1));
    assert!(ada.link().round_trip().is_some());
}
