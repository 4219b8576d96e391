//! Events: to all, to some, again for who missed them, and the word when they can't come again.

use hither_client::{Event, Position, Room, Slot, Value};
use hither_protocol::message::control::{Seen, SendEvent, ToClient, ToServer};
use hither_protocol::{Epoch, RoomHandle};

use crate::support::{Host, Raw, enter, event, on_all, slot};

async fn broadcast(room: &Room) -> (Slot, u64, String, Value) {
    event(room, |event| match event {
        Event::Broadcast { from, id, name, data, .. } => Some((from, id.number, name, data)),
        Event::EventsLost { .. } => panic!("events are lost"),
        _ => None,
    })
    .await
}

#[tokio::test]
async fn v1_events_reach_all_in_one_order_numbered_from_1() {
    on_all(async |on| {
        let server = Host::start().await;
        let mut rooms = Vec::new();
        for _ in 0..4 {
            rooms.push(enter(&server.client(on).await, "default:a").await);
        }
        let (senders, listeners) = rooms.split_at(2);
        for number in 0..10 {
            for room in senders {
                room.broadcast("tick", number).unwrap();
            }
        }
        let mut heard = Vec::new();
        for listener in listeners {
            let mut all = Vec::new();
            for number in 1..=20 {
                let event = broadcast(listener).await;
                assert_eq!(event.1, number, "without gaps, from 1");
                all.push(event);
            }
            for sender in senders {
                let own = all.iter().filter(|(from, ..)| *from == slot(sender));
                let data: Vec<Value> = own.map(|(.., data)| data.clone()).collect();
                assert_eq!(data, (0..10).map(Value::from).collect::<Vec<_>>());
            }
            heard.push(all);
        }
        assert_eq!(heard[0], heard[1]);
    })
    .await;
}

#[tokio::test]
async fn v3_a_directed_event_reaches_those_named_and_nobody_else() {
    on_all(async |on| {
        let server = Host::start().await;
        let mut rooms = Vec::new();
        for _ in 0..4 {
            rooms.push(enter(&server.client(on).await, "default:a").await);
        }
        let [here, first, second, other] = &rooms[..] else { panic!("four rooms") };
        here.send_to(vec![slot(first), slot(second)], "psst", "you").unwrap();
        for room in [first, second] {
            let direct = event(room, |event| match event {
                Event::Direct(direct) => Some(direct),
                _ => None,
            });
            let direct = direct.await;
            let data = Value::from("you");
            assert_eq!((direct.from, &*direct.name, direct.data), (slot(here), "psst", data));
        }
        here.broadcast("all", 1).unwrap();
        let number = event(other, |event| match event {
            Event::Broadcast { id, .. } => Some(id.number),
            Event::Direct(direct) => panic!("not for this one: {direct:?}"),
            _ => None,
        });
        assert_eq!(number.await, 1, "a directed event has no number");
    })
    .await;
}

async fn send(raw: &mut Raw, room: RoomHandle, data: Value) {
    let event = SendEvent { room, name: "n".into(), data, to: Vec::new() };
    raw.say(ToServer::Event(event)).await;
}

/// Takes numbered events until the one with this number has come.
async fn hear(raw: &mut Raw, last: u64) {
    raw.pick(|message| match message {
        ToClient::Diff(diff) => diff.events.iter().any(|event| event.number == last).then_some(()),
        _ => None,
    })
    .await;
}

#[tokio::test]
async fn v2_who_comes_back_is_sent_what_it_missed() {
    on_all(async |on| {
        let server = Host::start().await;
        let (mut ada, mut bob) = (server.welcomed(on).await, server.welcomed(on).await);
        let (joined, _) = ada.join("default:a", None).await;
        let (before, _) = bob.join("default:a", None).await;
        assert_eq!((before.event_last, before.events.len()), (0, 0));
        for number in 1..=2 {
            send(&mut ada, joined.room, number.into()).await;
        }
        hear(&mut bob, 2).await;
        bob.link.close(0, "");
        for number in 3..=6 {
            send(&mut ada, joined.room, number.into()).await;
        }
        hear(&mut ada, 6).await;

        let mut back = server.welcomed(on).await;
        let seen = Seen { epoch: before.epoch, number: 2 };
        let (again, _) = back.join("default:a", Some(seen)).await;
        assert_eq!((again.epoch, again.event_last, again.events_lost), (before.epoch, 6, false));
        let missed: Vec<_> = again.events.iter().map(|e| (e.number, e.data.clone())).collect();
        let expected: Vec<_> = (3..=6).map(|number| (number as u64, number.into())).collect();
        assert_eq!(missed, expected);
        send(&mut ada, joined.room, 7.into()).await;
        hear(&mut back, 7).await;
    })
    .await;
}

#[tokio::test]
async fn v4_a_gap_in_events_is_signalled() {
    on_all(async |on| {
        let server = Host::start().await;
        let mut ada = server.welcomed(on).await;
        let (joined, _) = ada.join("default:a", None).await;
        // More than a room keeps for those who come back.
        for _ in 0..8 {
            send(&mut ada, joined.room, "x".repeat(10_000).into()).await;
        }
        hear(&mut ada, 8).await;
        for (seen, lost) in [
            (Seen { epoch: joined.epoch, number: 0 }, true),
            (Seen { epoch: Epoch(joined.epoch.0 ^ 1), number: 8 }, true),
            (Seen { epoch: joined.epoch, number: 9 }, true),
            (Seen { epoch: joined.epoch, number: 8 }, false),
            (Seen { epoch: joined.epoch, number: 7 }, false),
        ] {
            let mut back = server.welcomed(on).await;
            let (again, _) = back.join("default:a", Some(seen)).await;
            back.leave_all().await;
            assert_eq!(again.events_lost, lost, "{seen:?}");
            assert_eq!(again.events.len(), if lost { 0 } else { 8 - seen.number as usize });
        }
        // An epoch is one life of a room: once it was empty, it begins anew.
        ada.leave_all().await;
        server.metric_until("hither_members", |left| left == 0).await;
        let mut back = server.welcomed(on).await;
        let seen = Seen { epoch: joined.epoch, number: 8 };
        let (again, _) = back.join("default:a", Some(seen)).await;
        assert_ne!(again.epoch, joined.epoch);
        assert!(again.events_lost && again.event_last == 0);
    })
    .await;
}

// proves M7
#[tokio::test]
async fn events_and_motion_of_one_member_do_not_hold_each_other_up() {
    const EVENTS: i32 = 20;
    on_all(async |on| {
        let server = Host::start().await;
        let here = enter(&server.client(on).await, "default:a").await;
        let there = enter(&server.client(on).await, "default:a").await;
        for number in 0..EVENTS {
            here.broadcast("big", "x".repeat(8_000)).unwrap();
            here.set_motion(Position::xy(number, number));
        }
        let mut numbers = Vec::new();
        for _ in 0..EVENTS {
            numbers.push(broadcast(&there).await.1);
        }
        assert_eq!(numbers, (1..=EVENTS as u64).collect::<Vec<_>>());
        crate::support::until("the last position", || {
            there.position(slot(&here)) == Some(Position::xy(EVENTS - 1, EVENTS - 1))
        })
        .await;
    })
    .await;
}
