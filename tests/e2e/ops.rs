//! The ops plane: what whoever runs the server asks of it.

use hither_client::{Position, Transport};
use hither_protocol::message::control::ToClient;

use crate::support::{Host, enter, find, slot, until};

#[tokio::test]
async fn every_family_of_metrics_is_there_and_counts() {
    let server = Host::start().await;
    let here = enter(&server.client(Transport::Quic).await, "default:a").await;
    let there = enter(&server.client(Transport::WebTransport).await, "default:a").await;
    here.set_motion(Position::xy(1, 1));
    until("a frame", || there.position(slot(&here)).is_some()).await;
    let (status, page) = server.ops("/metrics").await.unwrap();
    assert_eq!(status, 200);
    for (family, kind) in [
        ("connections", "gauge"),
        ("rooms", "gauge"),
        ("members", "gauge"),
        ("datagrams_in", "counter"),
        ("datagrams_out", "counter"),
        ("datagrams_dropped", "counter"),
        ("rejects", "counter"),
        ("events", "counter"),
        ("edits", "counter"),
        ("tick_seconds", "histogram"),
        ("frame_bytes", "histogram"),
    ] {
        let line = format!("# TYPE hither_{family} {kind}\n");
        assert!(page.contains(&line), "no {line} in\n{page}");
    }
    for sample in [
        "hither_connections{transport=\"quic\"}",
        "hither_connections{transport=\"webtransport\"}",
        "hither_rooms",
        "hither_members",
        "hither_datagrams_in_total",
        "hither_datagrams_out_total",
        "hither_tick_seconds_count",
        "hither_frame_bytes_count",
    ] {
        assert!(server.metric(sample).await > 0, "{sample}");
    }
    assert!(page.ends_with("# EOF\n"));
}

#[tokio::test]
async fn health_is_for_the_process_and_readiness_for_clients() {
    let mut server = Host::start().await;
    assert_eq!(server.ops("/healthz").await, Some((200, "ok\n".into())));
    assert_eq!(server.ops("/readyz").await, Some((200, "ready\n".into())));
    assert_eq!(server.ops("/").await.unwrap().0, 404);

    // A client that ignores its bye holds the server up for a while.
    let mut stubborn = server.welcomed(Transport::Quic).await;
    let stopping = tokio::spawn(server.stop());
    let draining = async || server.ops("/readyz").await.filter(|(status, _)| *status != 200);
    assert_eq!(find("it drains", draining).await, (503, "draining\n".into()));
    assert_eq!(server.ops("/healthz").await, Some((200, "ok\n".into())));
    stubborn.pick(|message| matches!(message, ToClient::Bye(_)).then_some(())).await;
    crate::support::soon(stopping).await.unwrap();
    assert_eq!(server.ops("/healthz").await, None, "nobody answers any more");
}
