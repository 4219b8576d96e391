//! The shortest walk through everything, and the proof that it can fail.

use anyhow::{Context, Result, ensure};
use hither_client::{Client, Map, Op, OpKind, Position, Transport};

use crate::support::{Host, Target, enter, event, field, on_all, slot, soon, until};

/// Two members meet, wave, move and write.
async fn walk(server: &Target, on: Transport) -> Result<()> {
    let connect = || async { soon(server.builder(on).connect()).await };
    let (ada, bob) = (connect().await?, connect().await?);
    let room = |client: Client| async move { soon(client.enter("default:walk", Map::new())).await };
    let (here, there) = (room(ada.clone()).await?, room(bob.clone()).await?);
    ensure!(there.others().len() == 1, "the roster is whole");
    here.broadcast("wave", 1)?;
    let waved = event(&there, |event| match event {
        hither_client::Event::Broadcast { name, .. } => Some(name),
        _ => None,
    });
    ensure!(waved.await == "wave");
    here.set_motion(Position::xy(12, 34));
    let moved = soon(there.next_motion()).await.context("the room is over")?;
    ensure!(moved == (slot(&here), Some(Position::xy(12, 34))));
    let put = Op::new(OpKind::Put, "a", field("x", 1));
    ensure!(soon(there.submit(vec![put])).await?.sequence == 1);
    ada.close().await;
    bob.close().await;
    Ok(())
}

#[tokio::test]
async fn h1_the_walk_works_on_a_server_and_on_nothing_else() {
    on_all(async |on| {
        let mut server = Host::start().await;
        walk(&server, on).await.unwrap();
        let target = server.clone();
        server.stop().await;
        let failed = walk(&target, on).await.unwrap_err();
        assert!(failed.to_string().contains("not reached"), "{failed:#}");
    })
    .await;
}

#[tokio::test]
async fn h1_all_transports_meet_in_one_room() {
    let server = Host::start().await;
    let native = server.client(Transport::Quic).await;
    let page = server.client(Transport::WebTransport).await;
    let blocked = server.client(Transport::WebSocket).await;
    let third = enter(&blocked, "default:both").await;
    let (here, there) = (enter(&native, "default:both").await, enter(&page, "default:both").await);
    here.set_motion(Position::xy(1, 2));
    there.set_motion(Position::xy(3, 4));
    until("each sees the other", || {
        here.position(slot(&there)) == Some(Position::xy(3, 4))
            && there.position(slot(&here)) == Some(Position::xy(1, 2))
            && third.position(slot(&here)) == Some(Position::xy(1, 2))
            && third.position(slot(&there)) == Some(Position::xy(3, 4))
    })
    .await;
    server.metric_until("hither_connections{transport=\"quic\"}", |open| open == 1).await;
    server.metric_until("hither_connections{transport=\"webtransport\"}", |open| open == 1).await;
    server.metric_until("hither_connections{transport=\"websocket\"}", |open| open == 1).await;
    server.metric_until("hither_members", |members| members == 3).await;
    assert_eq!(server.metric("hither_rooms").await, 1);
    native.close().await;
    page.close().await;
    blocked.close().await;
    let [quic, websocket] =
        ["quic", "websocket"].map(|on| format!("hither_connections{{transport=\"{on}\"}}"));
    for gauge in ["hither_members", "hither_rooms", &quic, &websocket] {
        server.metric_until(gauge, |left| left == 0).await;
    }
}
