//! Looking up kept events: an answer to each who asks, if only that there is none.

use std::time::Duration;

use hither_client::{EventId, HistoryError, KeptEvent, Refusal, Refused, SendError, User};
use hither_protocol::Epoch;
use hither_protocol::message::control::{AskKept, Kept, Left, ToClient, ToServer};

use crate::server::{ROOM, Server, entered, soon};

const FIRST: EventId = EventId { epoch: Epoch(2), number: 40 };

fn event() -> KeptEvent {
    let user = User { id: "gone".into(), name: Some("Ada".into()) };
    KeptEvent { id: FIRST, user, name: "said".into(), data: 1.into(), time_ms: 5 }
}

async fn asked(server: &mut Server) -> AskKept {
    match server.next().await {
        ToServer::Kept(ask) => ask,
        other => panic!("not asked for kept events: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn v6_each_look_has_its_own_answer_in_whatever_order_they_come() {
    let (_client, room, mut server) = entered().await;
    let script = async {
        let (latest, earlier) = (asked(&mut server).await, asked(&mut server).await);
        assert_eq!((latest.before, latest.limit, latest.room), (None, 100, ROOM));
        assert_eq!((earlier.before, earlier.limit), (Some(FIRST), 7));
        let none = Kept { request: earlier.request, room: ROOM, ..Kept::default() };
        server.send(ToClient::Kept(none)).await;
        let (request, events) = (latest.request, vec![event()]);
        let some = Kept { request, room: ROOM, events, ..Kept::default() };
        server.send(ToClient::Kept(some)).await;
    };
    let both = async {
        tokio::join!(biased; room.event_history(None, 100), room.event_history(Some(FIRST), 7))
    };
    let ((latest, earlier), ()) = soon(async { tokio::join!(both, script) }).await;
    assert_eq!((latest, earlier), (Ok(vec![event()]), Ok(vec![])));
}

#[tokio::test(start_paused = true)]
async fn v6_a_look_that_is_refused_or_overtaken_by_the_end_says_so() {
    let (_client, room, mut server) = entered().await;
    let script = async {
        let ask = asked(&mut server).await;
        server
            .send(ToClient::Kept(Kept {
                request: ask.request,
                room: ROOM,
                refused: Some(Refusal::RateLimited),
                retry_after_ms: Some(50),
                ..Kept::default()
            }))
            .await;
    };
    let (refused, ()) = soon(async { tokio::join!(room.event_history(None, 1), script) }).await;
    let Err(HistoryError::Refused(Refused { code, retry_after, .. })) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!((code, retry_after), (Refusal::RateLimited, Some(Duration::from_millis(50))));

    let script = async {
        asked(&mut server).await;
        server.send(ToClient::Left(Left { room: ROOM, reason: Some(Refusal::RoomClosed) })).await;
    };
    let (left, ()) = soon(async { tokio::join!(room.event_history(None, 1), script) }).await;
    assert_eq!(left, Err(HistoryError::NotAsked(SendError::Closed)));
}
