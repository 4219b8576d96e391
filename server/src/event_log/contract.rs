//! What every log promises, as one suite that each adapter runs.

use hither_protocol::Epoch;
use hither_protocol::message::Value;
use hither_protocol::message::control::User;

use super::*;

/// `default` keeps ten events of a room, `large` what one answer has no room for; `other` none.
pub(crate) fn retentions() -> Retentions {
    let of = |name: &str, events| {
        (name.to_owned(), Retention { events, age: Duration::from_secs(60 * 60) })
    };
    [of("default", 10), of("large", 1_000), of("other", 0)].into()
}

pub(crate) fn room(name: &str) -> RoomName {
    name.parse().unwrap()
}

/// An event of now.
pub(crate) fn event(epoch: u64, number: u64) -> KeptEvent {
    let user = User { id: "ann".to_owned(), name: Some("Ann".to_owned()) };
    let time_ms = Retention { events: 0, age: Duration::ZERO }.since_ms();
    let id = EventId { epoch: Epoch(epoch), number };
    KeptEvent { id, user, name: "said".to_owned(), data: Value::Int(number as i64), time_ms }
}

/// The ids of what is found.
pub(crate) async fn numbers(
    log: &dyn EventLog,
    name: &str,
    before: Option<(u64, u64)>,
    limit: usize,
) -> Vec<(u64, u64)> {
    let before = before.map(|(epoch, number)| EventId { epoch: Epoch(epoch), number });
    let found = log.latest(&room(name), before, limit).await.unwrap();
    found.into_iter().map(|event| (event.id.epoch.0, event.id.number)).collect()
}

pub(crate) async fn run(log: &dyn EventLog) {
    what_was_given_is_found(log).await;
    before_an_event_are_those_that_came_before_it(log).await;
    the_latest_are_kept_and_none_too_old(log).await;
    an_answer_is_bounded(log).await;
}

async fn what_was_given_is_found(log: &dyn EventLog) {
    let name = "default:whole";
    let data = [("list".to_owned(), Value::Array(vec![Value::Nil, 0.5.into()]))];
    let user = User { id: "ß".to_owned(), name: None };
    let whole = KeptEvent { user, data: Value::Map(data.into()), ..event((1 << 53) - 1, 3) };
    assert_eq!(log.latest(&room(name), None, 10).await, Ok(vec![]));
    log.keep(&room(name), whole.clone());
    assert_eq!(log.latest(&room(name), None, 10).await, Ok(vec![whole]));
    assert_eq!(numbers(log, "default:else", None, 10).await, []);
}

async fn before_an_event_are_those_that_came_before_it(log: &dyn EventLog) {
    let name = "default:epochs";
    // The later epoch has the lower number, and an event is missing.
    for (epoch, number) in [(9, 1), (9, 2), (9, 4), (5, 1), (5, 2)] {
        log.keep(&room(name), event(epoch, number));
    }
    let all = [(9, 1), (9, 2), (9, 4), (5, 1), (5, 2)];
    assert_eq!(numbers(log, name, None, 10).await, all);
    assert_eq!(numbers(log, name, None, 2).await, all[3..]);
    for (before, expected) in [
        ((5, 2), &all[..4]),
        ((5, 1), &all[..3]),
        ((9, 3), &all[..2]),
        ((9, 7), &all[..3]),
        ((9, 1), &[]),
        ((5, u64::MAX >> 11), &all),
        ((7, 1), &[]),
    ] {
        assert_eq!(numbers(log, name, Some(before), 10).await, expected, "before {before:?}");
    }
    assert_eq!(numbers(log, name, Some((5, 1)), 2).await, all[1..3]);
}

async fn the_latest_are_kept_and_none_too_old(log: &dyn EventLog) {
    for number in 1..=25 {
        log.keep(&room("default:many"), event(1, number));
    }
    let latest: Vec<_> = (16..=25).map(|number| (1, number)).collect();
    assert_eq!(numbers(log, "default:many", None, 100).await, latest);
    let hours_ago = |hours: u64, number| {
        let event = event(1, number);
        KeptEvent { time_ms: event.time_ms - hours * 60 * 60 * 1_000, ..event }
    };
    for (hours, number) in [(3, 1), (2, 2), (0, 3)] {
        log.keep(&room("default:old"), hours_ago(hours, number));
    }
    assert_eq!(numbers(log, "default:old", None, 100).await, [(1, 3)]);
    log.keep(&room("default:older"), hours_ago(2, 1));
    assert_eq!(numbers(log, "default:older", None, 100).await, [], "though none came after it");
    for (hours, number) in [(0, 1), (2, 2), (0, 3)] {
        log.keep(&room("default:clock"), hours_ago(hours, number));
    }
    let young = [(1, 1), (1, 3)];
    assert_eq!(numbers(log, "default:clock", None, 100).await, young, "where a clock was set back");
    log.keep(&room("other:room"), event(1, 1));
    assert_eq!(numbers(log, "other:room", None, 100).await, []);
}

async fn an_answer_is_bounded(log: &dyn EventLog) {
    let name = "large:room";
    for (number, bytes) in [(1, 40_000), (2, 12_000), (3, 12_000), (4, 12_000)] {
        let data = Value::Binary(vec![7; bytes]);
        log.keep(&room(name), KeptEvent { data, ..event(1, number) });
    }
    assert_eq!(numbers(log, name, None, 100).await, [(1, 3), (1, 4)]);
    assert_eq!(numbers(log, name, Some((1, 3)), 100).await, [(1, 2)]);
    assert_eq!(numbers(log, name, Some((1, 2)), 100).await, [(1, 1)], "one, however large it is");
}
