//! Rates: what is over them is refused with a time, but for motion, whose newest waits (E2).

use hither_protocol::limits::KEPT_EVENTS_MAX;

use super::*;

fn policy(rate: u32) -> RoomPolicy {
    let rates = Rates { motion: rate, presence: rate, events: rate, edits: rate };
    RoomPolicy { rates, ..RoomPolicy::default() }
}

fn sample(number: u32) -> Sample {
    Sample { room: ROOM, number, position: Position::xy(number as i32, 0) }
}

impl Stage {
    fn send(&mut self, number: u32) -> Vec<u32> {
        let mut bytes = Vec::new();
        sample(number).put(&mut bytes, &hither_protocol::motion::Axes::TWO);
        let (motions, read) = self.datagram(&bytes);
        assert_eq!(read, Ok(()));
        numbers(&motions)
    }
}

fn numbers(motions: &[Motion]) -> Vec<u32> {
    let number = |motion: &Motion| match motion {
        Motion::Sample { slot: Slot(3), sample } => sample.number,
        other => panic!("{other:?}"),
    };
    motions.iter().map(number).collect()
}

#[test]
fn e2_presence_and_events_over_the_rate_are_refused_until_the_time_said() {
    let presence = || ToServer::Presence(Presence { room: ROOM, patch: Map::new() });
    let event = || {
        let (name, data) = ("said".into(), Value::Nil);
        ToServer::Event(SendEvent { room: ROOM, name, data, to: Vec::new() })
    };
    let lanes: [&dyn Fn() -> ToServer; 2] = [&presence, &event];
    for message in lanes {
        let mut stage = Stage::joined(Rights::ALL, &policy(5));
        for _ in 0..10 {
            stage.say(message());
        }
        assert_eq!(stage.effects().len(), 10, "two seconds' worth at once");
        stage.say(message());
        let error = stage.refusal();
        assert_eq!((error.room, error.code), (Some(ROOM), Refusal::RateLimited));
        let retry_after_ms = error.retry_after_ms.unwrap();
        assert!((200..=201).contains(&retry_after_ms), "{retry_after_ms}");
        stage.pass(retry_after_ms);
        stage.say(message());
        assert!(!matches!(stage.effects()[..], [Effect::Refused(_), ..]));
    }
}

#[test]
fn e2_joining_again_gives_no_new_allowance() {
    let mut stage = Stage::joined(Rights::ALL, &policy(5));
    let presence = || ToServer::Presence(Presence { room: ROOM, patch: Map::new() });
    (0..10).for_each(|_| stage.say(presence()));
    stage.say(ToServer::Leave(Leave { room: ROOM }));
    stage.effects();
    stage.join("test:a", ROOM, Slot(4), &policy(5));
    stage.say(presence());
    assert_eq!(stage.refusal().code, Refusal::RateLimited);
}

#[test]
fn e2_joins_and_statuses_have_a_rate_of_their_own() {
    let mut stage = Stage::welcome(Rights::NONE);
    for request in 0..40 {
        stage.say(join(request, "test:a"));
        assert_eq!(stage.refusal().code, Refusal::Forbidden);
    }
    stage.say(join(41, "test:a"));
    let error = stage.refusal();
    assert_eq!((error.request, error.code), (Some(41), Refusal::RateLimited));
    stage.say(ToServer::Status(SetStatus { status: Status::Away }));
    let error = stage.refusal();
    assert!(error.retry_after_ms.is_some());
}

#[test]
fn e2_edits_over_the_rate_are_waited_with() {
    let mut stage = Stage::joined(Rights::ALL, &policy(5));
    let submit = |number, bytes| {
        let fields = Map::from([("x".to_owned(), Value::String("x".repeat(bytes)))]);
        let ops = vec![Op::new(OpKind::Put, "a", fields)];
        EditsToServer::Submit(Submit { number, ops })
    };
    for number in 1..=10 {
        assert_eq!(stage.say_on_edits(ROOM, &submit(number, 0)), Some(Duration::ZERO));
    }
    assert_eq!(stage.say_on_edits(ROOM, &submit(11, 0)), Some(Duration::from_millis(200)));
    let pause = stage.say_on_edits(ROOM, &submit(12, 9_000));
    assert_eq!(pause, Some(Duration::from_millis(800)), "4 KiB count as one");
    assert_eq!(stage.effects().len(), 12, "none of them is refused");
}

#[test]
fn e2_motion_over_the_rate_waits_and_the_newest_wins() {
    let mut stage = Stage::joined(Rights::ALL, &policy(10));
    for number in 1..=20 {
        assert_eq!(stage.send(number), [number]);
    }
    for number in [21, 23, 22] {
        assert!(stage.send(number).is_empty());
    }
    let due = stage.session.poll_timeout().unwrap();
    assert_eq!(due.since(stage.now), Duration::from_millis(100));
    assert!(stage.pass(99).is_empty());
    assert_eq!(numbers(&stage.pass(1)), [23], "once there is room for it");
    assert_eq!(stage.session.poll_timeout(), None);
    assert_eq!(stage.session.take_dropped(), Dropped { rate: 2, no_right: 0 });
    assert!(stage.effects().is_empty(), "motion has no answers");
}

#[test]
fn e2_a_sample_that_comes_when_there_is_room_again_takes_the_waiting_ones_place() {
    let mut stage = Stage::joined(Rights::ALL, &policy(10));
    for number in 1..=21 {
        stage.send(number);
    }
    stage.now = stage.now + Duration::from_millis(150);
    assert_eq!(stage.send(22), [22]);
    assert_eq!(stage.session.poll_timeout(), None);
    stage.pass(1_000);
    assert_eq!(stage.session.take_dropped().rate, 1);
}

#[test]
fn e2_history_counts_as_a_request_and_asks_for_no_more_than_may_be() {
    let mut stage = Stage::with_all();
    stage.effects();
    for request in 1..=3 * REQUESTS_PER_SECOND {
        let ask = AskHistory { request, before: None, limit: u32::MAX };
        stage.say_on_edits(ROOM, &EditsToServer::History(ask));
    }
    let effects = stage.effects();
    let [Effect::History { room: ROOM, ask }, ..] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(ask.limit as usize, HISTORY_EDITS_MAX);
    let looked_up = effects.iter().filter(|effect| matches!(effect, Effect::History { .. }));
    // The join was one.
    assert_eq!(looked_up.count(), 2 * REQUESTS_PER_SECOND as usize - 1);
    let Some(Effect::SendEdits(ROOM, bytes)) = effects.last() else { panic!("{effects:?}") };
    let answer = EditsToClient::decode(after_prefix(bytes)).unwrap().unwrap();
    let EditsToClient::History(history) = answer else { panic!("{answer:?}") };
    assert_eq!(history.refused, Some(Refusal::RateLimited));
    assert!(history.retry_after_ms.is_some());
}

#[test]
fn e2_looks_at_kept_events_count_as_requests_and_each_has_one_answer() {
    let mut stage = Stage::joined(Rights::JOIN, &RoomPolicy::default());
    let ask = |request, room, limit| ToServer::Kept(AskKept { request, room, before: None, limit });
    for request in 1..=3 * REQUESTS_PER_SECOND {
        stage.say(ask(request, ROOM, if request == 1 { u32::MAX } else { 0 }));
    }
    let effects = stage.effects();
    let limits = effects.iter().filter_map(|effect| match effect {
        Effect::Kept(ask) => Some(ask.limit as usize),
        _ => None,
    });
    // The join was one.
    let mut expected = vec![1; 2 * REQUESTS_PER_SECOND as usize - 1];
    expected[0] = KEPT_EVENTS_MAX;
    assert_eq!(limits.collect::<Vec<_>>(), expected);
    let Some(Effect::Send(bytes)) = effects.last() else { panic!("{effects:?}") };
    let answer = ToClient::decode(after_prefix(bytes)).unwrap().unwrap();
    let ToClient::Kept(kept) = answer else { panic!("{answer:?}") };
    assert_eq!((kept.request, kept.refused), (3 * REQUESTS_PER_SECOND, Some(Refusal::RateLimited)));
    assert!(kept.retry_after_ms.is_some());
}

#[test]
fn v6_who_is_not_in_the_room_is_told_so_in_the_answer() {
    let mut stage = Stage::with_all();
    let room = RoomHandle(99);
    stage.say(ToServer::Kept(AskKept { request: 5, room, before: None, limit: 9 }));
    let expected = Kept { request: 5, room, refused: Some(Refusal::NotFound), ..Kept::default() };
    assert_eq!(stage.answers(), [ToClient::Kept(expected)]);
}
