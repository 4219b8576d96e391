//! The end: SIGTERM to the binary, with clients of every kind connected.

use std::time::{Duration, Instant};

use hither_client::{Reaction, Transport};
use hither_protocol::message::control::ToClient;
use hither_transport::ConnectError;

use crate::support::{ALL, Process, enter, find, soon};

// proves C1
#[tokio::test]
async fn sigterm_says_bye_to_everyone_refuses_newcomers_and_ends_with_0() {
    let mut server = Process::start();
    let mut clients = Vec::new();
    for on in ALL {
        for _ in 0..3 {
            let client = server.client(on).await;
            let room = enter(&client, "default:a").await;
            clients.push((client, room));
        }
    }
    // One that ignores its bye, and one that never said a word.
    let mut stubborn = server.welcomed(Transport::Quic).await;
    let mute = server.link(Transport::WebTransport).await;

    let asked = Instant::now();
    server.terminate();
    let (status, body) = find("the server drains", async || {
        server.ops("/readyz").await.filter(|(status, _)| *status != 200)
    })
    .await;
    assert_eq!((status, &*body), (503, "draining\n"));
    for on in ALL {
        let refused = soon(server.endpoint.connect(&server.url(), on)).await.unwrap_err();
        assert!(
            matches!(refused, ConnectError::Refused | ConnectError::Rejected(503)),
            "{refused}"
        );
    }
    for (client, _room) in &clients {
        let closed = soon(client.closed()).await;
        assert_eq!((closed.code, closed.reaction), (Some(4200), Reaction::Retry), "{closed}");
        assert!(closed.retry_after.is_some_and(|pause| pause <= Duration::from_secs(2)));
    }
    let bye = stubborn.pick(|message| match message {
        ToClient::Bye(bye) => Some(bye),
        _ => None,
    });
    assert_eq!(bye.await.code, 4200);
    drop(mute);

    let ended = server.ended().await;
    let took = asked.elapsed();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(took < Duration::from_secs(2), "it took {took:?}");
    assert_eq!(ended.stdout, "", "the ready line is all of stdout");
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
}

// proves C1
#[tokio::test]
async fn the_ops_plane_drains_the_server_for_whoever_runs_it_and_for_no_page() {
    let mut server = Process::start();
    let ada = server.client(Transport::Quic).await;
    for origin in ["http://127.0.0.1:8080", "https://evil.example", "null"] {
        assert_eq!(server.ask_to_drain(Some(origin)).await, 403, "{origin}");
    }
    assert_eq!(server.ops("/drain").await.map(|(status, _)| status), Some(405), "not by a GET");
    assert_eq!(server.ops("/readyz").await.map(|(status, _)| status), Some(200));
    assert_eq!(server.ask_to_drain(None).await, 202);
    assert_eq!(soon(ada.closed()).await.code, Some(4200));
    assert_eq!(server.ended().await.status.code(), Some(0));
}
