//! A room's life: entering, members, presence, events, motion, leaving, several rooms at once.

use hither_client::{
    EVENTS_BYTES_MAX, EnterError, Event, Map, Member, Position, Refusal, RoomHandle, SendError,
    Slot, Status, Value,
};
use hither_protocol::Tick;
use hither_protocol::message::control::{
    self, Diff, Direct, ErrorMessage, Left, ToClient, ToServer,
};
use hither_protocol::motion::upward::{Ack, Sample, Upward};
use std::task::{Context, Waker};
use tokio::time::{Duration, Instant};

use crate::server::{OTHER, OWN, ROOM, Server, connected, entered, member, soon};

fn fields(name: &str, value: impl Into<Value>) -> Map {
    Map::from([(name.into(), value.into())])
}

fn diff(tick: u32) -> Diff {
    Diff { room: ROOM, tick: Tick(tick), ..Diff::default() }
}

fn event(number: u64, data: Value) -> control::Event {
    let generation = Default::default();
    control::Event { number, from: OTHER, generation, name: "n".into(), data, time_ms: 1 }
}

// proves R2, R3, R4
#[tokio::test(start_paused = true)]
async fn a_room_is_entered_when_its_roster_is_whole() {
    let (client, mut server) = connected().await;
    let presence = fields("color", "red");
    let (room, join) = tokio::join!(client.enter("default:lobby", presence.clone()), async {
        server.admit(ROOM).await
    });
    let room = room.unwrap();
    assert_eq!((join.room.as_str(), &join.presence), ("default:lobby", &presence));
    assert_eq!((room.handle(), room.slot()), (ROOM, Some(OWN)));
    assert_eq!(room.members(), [Member { presence, ..member(OWN) }, member(OTHER)]);
    assert_eq!(room.others(), [member(OTHER)]);
    assert_eq!(room.read(|room| room.name().to_string()).as_deref(), Some("default:lobby"));
}

// proves E1
#[tokio::test(start_paused = true)]
async fn a_refused_entry_says_why_and_a_bad_name_is_not_even_sent() {
    let (client, mut server) = connected().await;
    let script = async {
        let request = Some(server.next_join().await.request);
        let message = "no".to_owned();
        let retry_after_ms = Some(40);
        let error =
            ErrorMessage { request, room: None, code: Refusal::RoomFull, message, retry_after_ms };
        server.send(ToClient::Error(error)).await;
    };
    let (refused, ()) = tokio::join!(client.enter("default:lobby", Map::new()), script);
    let Err(EnterError::Refused(refused)) = refused else { panic!("{refused:?}") };
    assert_eq!(refused.code, Refusal::RoomFull);
    assert_eq!(refused.retry_after, Some(Duration::from_millis(40)));
    assert!(matches!(client.enter("lobby", Map::new()).await, Err(EnterError::Name(_))));
    let large = fields("a", "x".repeat(5000));
    assert!(matches!(client.enter("default:a", large).await, Err(EnterError::NotSent(_))));
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_nobody_waits_for_is_left_again() {
    let (client, mut server) = connected().await;
    let enter =
        tokio::time::timeout(Duration::from_millis(1), client.enter("default:lobby", Map::new()));
    assert!(enter.await.is_err());
    server.admit(ROOM).await;
    assert!(matches!(server.next().await, ToServer::Leave(leave) if leave.room == ROOM));
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_is_given_up_with_its_answer_under_way_is_left_again() {
    let (client, mut server) = connected().await;
    let mut enter = Box::pin(client.enter("default:lobby", Map::new()));
    let polled = enter.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending());
    server.admit(ROOM).await;
    tokio::time::sleep(Duration::from_millis(1)).await; // paused time passes when the driver has done its work
    drop(enter);
    assert!(matches!(server.next().await, ToServer::Leave(leave) if leave.room == ROOM));
}

// proves R5, P1, P4
#[tokio::test(start_paused = true)]
async fn diffs_become_events_and_the_members_are_as_they_say() {
    let (_client, room, mut server) = entered().await;
    server
        .diff(Diff {
            joins: vec![member(Slot(3))],
            presence: vec![(OTHER, fields("x", 1))],
            statuses: vec![(OTHER, Status::Away)],
            ..diff(101)
        })
        .await;
    server.diff(Diff { leaves: vec![Slot(3)], ..diff(102) }).await;
    let joined = Event::MemberJoined { room: ROOM, slot: Slot(3) };
    assert_eq!(soon(room.next_event()).await, Some(joined));
    let changed = Event::MemberChanged { room: ROOM, slot: OTHER };
    assert_eq!(soon(room.next_event()).await, Some(changed));
    let other = room.member(OTHER).unwrap();
    assert_eq!((other.presence, other.status), (fields("x", 1), Status::Away));
    let left = Event::MemberLeft { room: ROOM, member: member(Slot(3)) };
    assert_eq!(soon(room.next_event()).await, Some(left));
    assert_eq!(room.others().len(), 1);
}

// proves V1, V3
#[tokio::test(start_paused = true)]
async fn events_and_presence_go_both_ways() {
    let (_client, room, mut server) = entered().await;
    room.update_presence(fields("x", 2)).unwrap();
    assert_eq!(room.member(OWN).unwrap().presence, fields("x", 2));
    room.broadcast("wave", 5).unwrap();
    room.send_to(vec![OTHER], "nod", "you").unwrap();
    room.send_to(Vec::new(), "to nobody", 1).unwrap();
    room.broadcast("last", Value::Nil).unwrap();
    assert!(matches!(server.next().await, ToServer::Presence(p) if p.patch == fields("x", 2)));
    for (name, to) in [("wave", vec![]), ("nod", vec![OTHER]), ("last", vec![])] {
        let ToServer::Event(event) = server.next().await else { panic!("not an event") };
        assert_eq!((event.name.as_str(), event.to), (name, to));
    }

    server.diff(Diff { events: vec![event(1, 8.into())], ..diff(101) }).await;
    let direct = Direct {
        room: ROOM,
        from: OTHER,
        generation: Default::default(),
        name: "psst".into(),
        data: 9.into(),
        time_ms: 2,
    };
    server.send(ToClient::Direct(direct.clone())).await;
    let Some(Event::Broadcast { id, data, .. }) = soon(room.next_event()).await else {
        panic!("no broadcast");
    };
    assert_eq!((id.number, data), (1, 8.into()));
    assert_eq!(soon(room.next_event()).await, Some(Event::Direct(direct)));
}

// proves E2
#[tokio::test(start_paused = true)]
async fn a_refusal_is_an_event_of_its_room_or_of_every_room() {
    let (_client, room, mut server) = entered().await;
    for about in [Some(ROOM), None] {
        let error = ErrorMessage {
            request: None,
            room: about,
            code: Refusal::RateLimited,
            message: "slower".into(),
            retry_after_ms: Some(100),
        };
        server.send(ToClient::Error(error.clone())).await;
        assert_eq!(soon(room.next_event()).await, Some(Event::Refused(error)));
    }
}

#[tokio::test(start_paused = true)]
async fn an_application_that_is_too_slow_loses_the_oldest_events_and_is_told() {
    const EVENTS: u64 = 40;
    let (_client, room, mut server) = entered().await;
    let data = Value::String("x".repeat(10_000));
    for number in 1..=EVENTS {
        let events = vec![event(number, data.clone())];
        server.diff(Diff { events, ..diff(100 + number as u32) }).await;
    }
    server.diff(Diff { joins: vec![member(Slot(3))], ..diff(200) }).await;
    let there = async {
        while room.member(Slot(3)).is_none() {
            tokio::task::yield_now().await;
        }
    };
    soon(there).await;

    assert_eq!(soon(room.next_event()).await, Some(Event::EventsLost { room: ROOM }));
    let mut numbers = Vec::new();
    while let Some(Event::Broadcast { id, .. }) = soon(room.next_event()).await {
        numbers.push(id.number);
    }
    // Each counts 64 bytes, its name and its encoded data.
    let kept = EVENTS_BYTES_MAX as u64 / (64 + 1 + 10_003);
    let expected: Vec<u64> = (EVENTS - kept + 1..=EVENTS).collect();
    assert_eq!(numbers, expected);
}

// proves M7
#[tokio::test(start_paused = true)]
async fn motion_is_decoded_acked_and_told_newest_first() {
    let (_client, room, server) = entered().await;
    assert_eq!(room.position(OTHER), None);
    server.frame(ROOM, 101, &[(OTHER, Position::xy(5, 6))]);
    assert_eq!(soon(room.next_motion()).await, Some((OTHER, Some(Position::xy(5, 6)))));
    let ack = |tick| Upward::Ack(Ack { room: ROOM, tick: Tick(tick), parts: 1 });
    assert_eq!(server.next_datagram().await, [ack(101)]);

    server.frame(ROOM, 102, &[(OTHER, Position::xy(7, 8))]);
    server.frame(ROOM, 103, &[(OTHER, Position::xy(9, 9))]);
    let acks = server.next_datagram().await;
    assert_eq!(acks, [ack(102), ack(103)], "datagrams that come together are acked in order");
    assert_eq!(soon(room.next_motion()).await, Some((OTHER, Some(Position::xy(9, 9)))));
    assert_eq!(room.poll_motion(), None);
    assert_eq!(room.position(OTHER), Some(Position::xy(9, 9)));
}

// proves M6, M13
#[tokio::test(start_paused = true)]
async fn who_is_not_to_be_seen_any_more_is_told_once_and_is_still_a_member() {
    let (_client, room, mut server) = entered().await;
    server.frame(ROOM, 101, &[(OTHER, Position::xy(5, 6))]);
    assert_eq!(soon(room.next_motion()).await, Some((OTHER, Some(Position::xy(5, 6)))));
    server.frame(ROOM, 102, &[]);
    assert_eq!(soon(room.next_motion()).await, Some((OTHER, None)));
    assert_eq!((room.position(OTHER), room.member(OTHER)), (None, Some(member(OTHER))));

    // Who came and went before anybody asked, too, was never there.
    server.frame(ROOM, 103, &[(Slot(3), Position::xy(1, 1))]);
    server.frame(ROOM, 104, &[(OTHER, Position::xy(7, 8))]);
    server.diff(Diff { joins: vec![member(Slot(3))], ..diff(104) }).await;
    let joined = Event::MemberJoined { room: ROOM, slot: Slot(3) };
    assert_eq!(soon(room.next_event()).await, Some(joined));
    assert_eq!(soon(room.next_motion()).await, Some((OTHER, Some(Position::xy(7, 8)))));
    assert_eq!(room.poll_motion(), None);

    server.diff(Diff { leaves: vec![OTHER], ..diff(105) }).await;
    assert_eq!(soon(room.next_motion()).await, Some((OTHER, None)), "no frame has said so yet");
    server.frame(ROOM, 105, &[]);
    server.next_datagram().await;
    assert_eq!(room.poll_motion(), None);
}

// proves M10
#[tokio::test(start_paused = true)]
async fn a_move_goes_out_at_once_and_at_rest_again_until_it_is_shown() {
    let (_client, room, server) = entered().await;
    let begin = Instant::now();
    room.set_motion(Position::xy(1, 2));
    let sample = Sample { room: ROOM, number: 1, position: Position::xy(1, 2) };
    assert_eq!(server.next_datagram().await, [Upward::Sample(sample)]);
    assert_eq!(begin.elapsed(), Duration::ZERO);
    assert_eq!(server.next_datagram().await, [Upward::Sample(sample)]);
    let repeated = begin.elapsed();
    assert!((33..=35).contains(&repeated.as_millis()), "{repeated:?}");

    server.frame(ROOM, 101, &[(OWN, Position::xy(1, 2))]);
    let ack = Ack { room: ROOM, tick: Tick(101), parts: 1 };
    assert_eq!(server.next_datagram().await, [Upward::Ack(ack)]);
    let silence = tokio::time::timeout(Duration::from_secs(1), server.link.recv_datagram());
    assert!(silence.await.is_err(), "what was shown needs no repeats");
}

// proves M10
#[tokio::test(start_paused = true)]
async fn a_move_that_is_never_shown_is_repeated_for_three_seconds() {
    let (_client, room, server) = entered().await;
    let begin = Instant::now();
    room.set_motion(Position::xy(1, 2));
    let mut last = Duration::ZERO;
    let until_silence = async {
        while server.link.recv_datagram().await.is_ok() {
            last = begin.elapsed();
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(9), until_silence).await.is_err());
    assert!((2_500..=3_002).contains(&last.as_millis()), "{last:?}");
}

// proves R6
#[tokio::test(start_paused = true)]
async fn leaving_one_room_leaves_the_others_alone() {
    const HALL: RoomHandle = RoomHandle(8);
    let (client, lobby, mut server) = entered().await;
    let (hall, _join) = tokio::join!(client.enter("default:hall", Map::new()), server.admit(HALL));
    let hall = hall.unwrap();

    let script = async {
        assert!(matches!(server.next().await, ToServer::Leave(leave) if leave.room == ROOM));
        server.send(ToClient::Left(Left { room: ROOM, reason: None })).await;
    };
    let (left, ()) = tokio::join!(lobby.leave(), script);
    left.unwrap();
    server.diff(Diff { room: HALL, joins: vec![member(Slot(3))], ..diff(101) }).await;
    let joined = Event::MemberJoined { room: HALL, slot: Slot(3) };
    assert_eq!(soon(hall.next_event()).await, Some(joined));

    drop(hall);
    assert!(matches!(server.next().await, ToServer::Leave(leave) if leave.room == HALL));
}

#[tokio::test(start_paused = true)]
async fn a_membership_that_the_server_ends_ends_every_wait() {
    let (client, room, mut server) = entered().await;
    let reason = Some(Refusal::RoomClosed);
    server.send(ToClient::Left(Left { room: ROOM, reason })).await;
    assert_eq!(soon(room.next_motion()).await, None);
    assert_eq!(soon(room.next_event()).await, Some(Event::Left { room: ROOM, reason }));
    assert_eq!(soon(room.next_event()).await, None);
    assert_eq!(room.broadcast("n", 1), Err(SendError::NotInRoom));
    assert_eq!((room.members(), room.slot()), (Vec::new(), None));

    // The room is entered again under its old number; the first handle has nothing to do with it any more.
    let (again, _join) =
        tokio::join!(client.enter("default:lobby", Map::new()), server.admit(ROOM));
    let again = again.unwrap();
    soon(room.leave()).await.unwrap();
    server.diff(Diff { joins: vec![member(Slot(3))], ..diff(101) }).await;
    let joined = Event::MemberJoined { room: ROOM, slot: Slot(3) };
    assert_eq!(soon(again.next_event()).await, Some(joined));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_connection_ends_every_wait() {
    let (client, room, server) = entered().await;
    let waits = async { tokio::join!(room.next_event(), room.next_motion()) };
    let (waited, ()) = tokio::join!(soon(waits), async { server.link.close(4204, "bug") });
    assert_eq!(waited, (None, None));
    assert_eq!(soon(client.closed()).await.code, Some(4204));
    assert_eq!(soon(room.leave()).await.unwrap_err().code, Some(4204));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_read_is_not_written_to_without_end() {
    let (_client, room, server) = entered().await;
    let data = Value::String("x".repeat(16_000));
    let mut sent = 0;
    let refused = loop {
        match room.broadcast("n", data.clone()) {
            Ok(()) => sent += 16_000,
            Err(error) => break error,
        }
        tokio::task::yield_now().await;
        assert!(sent < 1_000_000, "nothing stops it");
    };
    assert_eq!(refused, SendError::Backlogged);

    let drain = read_events(server, sent / 16_000);
    soon(drain).await;
    room.broadcast("n", data).unwrap();
}

async fn read_events(mut server: Server, count: usize) -> Server {
    for _ in 0..count {
        assert!(matches!(server.next().await, ToServer::Event(_)));
    }
    server
}
