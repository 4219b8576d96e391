//! What was before: events that a namespace keeps, over the rooms' lives and the server's.

use std::fs;
use std::path::Path;

use hither_client::{
    Client, Event, EventId, HistoryError, KeptEvent, Refusal, Refused, Room, Transport, Value,
};
use hither_protocol::message::control::{AskKept, Kept, ToClient, ToServer};
use hither_server::config::Config;

use crate::support::{ALL, Host, Process, Target, enter, event, find, on_all, slot, soon};

const ROOM: &str = "default:chat";

/// A server whose default namespace keeps so many events.
fn keeping(kept_events: u64) -> impl FnOnce(&mut Config) {
    move |config| config.namespaces.get_mut("default").unwrap().kept_events = kept_events
}

/// Two members of a room: one who speaks, and one who hears it.
struct Chat {
    _clients: [Client; 2],
    room: Room,
    there: Room,
}

impl Chat {
    async fn enter(server: &Target, on: Transport, room: &str) -> Self {
        let _clients = [server.client(on).await, server.client(on).await];
        let (here, there) = (enter(&_clients[0], room).await, enter(&_clients[1], room).await);
        Self { _clients, room: here, there }
    }

    /// Says it, and returns the id under which it was heard.
    async fn say(&self, data: impl Into<Value>) -> EventId {
        self.room.broadcast("said", data).unwrap();
        let heard = |event| match event {
            Event::Broadcast { id, .. } => Some(id),
            _ => None,
        };
        event(&self.there, heard).await
    }

    async fn leave(self) {
        soon(self.room.leave()).await.unwrap();
        soon(self.there.leave()).await.unwrap();
    }
}

/// All that is kept, asked for page by page.
async fn all(room: &Room, limit: u32) -> Vec<KeptEvent> {
    let mut events: Vec<KeptEvent> = Vec::new();
    loop {
        let before = events.first().map(|event| event.id);
        let page = soon(room.event_history(before, limit)).await.unwrap();
        if page.is_empty() {
            return events;
        }
        assert!(page.len() <= limit as usize);
        events.splice(0..0, page);
    }
}

fn said(events: &[KeptEvent]) -> Vec<Value> {
    events.iter().map(|event| event.data.clone()).collect()
}

fn numbers(range: impl Iterator<Item = i64>) -> Vec<Value> {
    range.map(Value::from).collect()
}

#[tokio::test]
async fn v6_events_are_kept_under_their_ids_when_their_room_is_empty_and_opened_again() {
    on_all(async |on| {
        let server = Host::with(keeping(1_000)).await;
        let chat = Chat::enter(&server, on, ROOM).await;
        let mut ids = Vec::new();
        chat.room.send_to(vec![slot(&chat.there)], "said", 7).unwrap();
        for data in 0..3 {
            ids.push(chat.say(data).await);
        }
        Chat::enter(&server, on, "default:else").await.say(9).await;
        let sender = chat.room.member(slot(&chat.room)).unwrap().user;
        chat.leave().await;
        // The room begins anew, and what was in it is kept.
        let chat = Chat::enter(&server, on, ROOM).await;
        ids.push(chat.say(3).await);
        let room = &chat.room;
        assert_ne!(ids[0].epoch, ids[3].epoch);
        let events = all(room, 3).await;
        assert_eq!(events.iter().map(|event| event.id).collect::<Vec<_>>(), ids);
        assert_eq!(said(&events), numbers(0..4));
        assert_eq!((&events[0].user, &*events[0].name), (&sender, "said"));
        let two = soon(room.event_history(Some(ids[3]), 2)).await.unwrap();
        assert_eq!(said(&two), numbers(1..3));
        // One that a live member has seen need not be the latest.
        let before = EventId { number: ids[3].number + 5, ..ids[3] };
        assert_eq!(soon(room.event_history(Some(before), 100)).await.unwrap().len(), 4);
    })
    .await;
}

#[tokio::test]
async fn v6_a_namespace_keeps_as_many_as_it_says_and_by_default_none() {
    on_all(async |on| {
        let server = Host::with(keeping(5)).await;
        let chat = Chat::enter(&server, on, ROOM).await;
        let other = Chat::enter(&server, on, "hz30:chat").await;
        for data in 0..12 {
            chat.say(data).await;
            other.say(data).await;
        }
        assert_eq!(said(&all(&chat.there, 100).await), numbers(7..12));
        assert_eq!(all(&other.there, 100).await, []);
    })
    .await;
}

/// Has the next server in this folder keep so many.
fn keep(dir: &Path, kept_events: u64) {
    let path = dir.join("hither.toml");
    let text = fs::read_to_string(&path).unwrap();
    let text = text.split("[namespaces").next().unwrap();
    let namespace = format!("[namespaces.default]\nkept_events = {kept_events}\n");
    fs::write(path, text.to_owned() + &namespace).unwrap();
}

#[tokio::test]
async fn v6_what_was_kept_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Process::lasting(dir.path());
    server.kill();
    keep(dir.path(), 1_000);
    for (turn, on) in ALL.into_iter().enumerate() {
        server = server.again(dir.path());
        let chat = Chat::enter(&server, on, ROOM).await;
        let first = 20 * turn as i64;
        for data in first..first + 10 {
            chat.say(data).await;
        }
        // What is looked up is written, whatever ends the server.
        assert_eq!(said(&all(&chat.room, 15).await), numbers(0..first + 10));
        server.kill();
        server = server.again(dir.path());
        let chat = Chat::enter(&server, on, ROOM).await;
        for data in first + 10..first + 20 {
            chat.say(data).await;
        }
        // And what nobody has looked up is written when it is stopped.
        server.terminate();
        assert!(server.ended().await.status.success());
    }
    for (kept_events, expected) in [(25, 35..60), (0, 0..0), (1_000, 0..0)] {
        keep(dir.path(), kept_events);
        server = server.again(dir.path());
        let chat = Chat::enter(&server, ALL[0], ROOM).await;
        let kept = find("only what is to be kept", async || {
            Some(said(&all(&chat.room, 100).await))
                .filter(|kept| *kept == numbers(expected.clone()))
        });
        kept.await;
        server.terminate();
        assert!(server.ended().await.status.success());
    }
}

#[tokio::test]
async fn v6_who_asks_for_much_at_once_is_answered_at_its_own_pace() {
    on_all(async |on| {
        let server = Host::with(keeping(100)).await;
        let chat = Chat::enter(&server, on, ROOM).await;
        for _ in 0..4 {
            chat.say("x".repeat(16_000)).await;
        }
        // More bytes of answers than may wait for one client: it reads none of them before it has asked for all.
        let mut raw = server.welcomed(on).await;
        let (joined, _) = raw.join(ROOM, None).await;
        let asked = 30;
        for request in 1..=asked {
            let ask = AskKept { request, room: joined.room, before: None, limit: 100 };
            raw.say(ToServer::Kept(ask)).await;
        }
        for expected in 1..=asked {
            let kept: Kept = raw
                .pick(|message| match message {
                    ToClient::Kept(kept) => Some(kept),
                    _ => None,
                })
                .await;
            assert_eq!((kept.request, kept.refused, kept.events.len()), (expected, None, 2));
        }
    })
    .await;
}

#[tokio::test]
async fn e2_looks_over_the_rate_are_refused_with_a_time() {
    let server = Host::with(keeping(100)).await;
    let client = server.client(ALL[0]).await;
    let room = enter(&client, ROOM).await;
    let refused = async {
        loop {
            if let Err(error) = room.event_history(None, 1).await {
                return error;
            }
        }
    };
    let HistoryError::Refused(Refused { code, retry_after, .. }) = soon(refused).await else {
        panic!("not asked")
    };
    assert_eq!(code, Refusal::RateLimited);
    assert!(retry_after.is_some());
}
