//! Members that come back: within their grace, and after another process has taken their room up (S4, S5).

use hither_protocol::message::control::Seen;

use super::*;
use crate::session::SessionId;

/// A member of the session with this number.
fn member_of(session: u128, name: &str) -> NewMember {
    NewMember { session: Some(SessionId(session)), ..new_member(name) }
}

fn joined(stage: &mut Stage, slot: Slot) -> hither_protocol::message::control::Joined {
    match stage.told(slot).into_iter().next() {
        Some(ToClient::Joined(joined)) => joined,
        other => panic!("{other:?}"),
    }
}

#[test]
fn s4_a_lost_member_is_taken_back_and_the_others_see_neither_leave_nor_join() {
    let mut stage = Stage::at_20_hz();
    let ann = stage.join("ann");
    let ben = stage.join_with(member_of(2, "ben")).unwrap();
    stage.tick();
    stage.lose(ben);
    stage.tick();
    stage.client_events(ann);
    stage.diffs(ann);
    stage.pass(4_900);
    assert_eq!(stage.join_with(member_of(2, "ben")), Ok(ben));
    let told = joined(&mut stage, ben);
    assert!(told.resumed && told.generation == Generation(0));
    assert_eq!(stage.known(ben), [0, 1], "its roster comes anew");
    stage.tick();
    let diffs = stage.diffs(ann);
    let [diff] = &diffs[..] else { panic!("{diffs:?}") };
    assert_eq!(diff.statuses, [(ben, Status::Active)]);
    assert!(diff.joins.is_empty() && diff.leaves.is_empty() && diff.presence.is_empty());
    stage.pass(20_000);
    assert_eq!(stage.known(ann), [0, 1], "the grace that it had ends nothing");
    stage.lose(ben);
    stage.pass(4_999);
    assert_eq!(stage.known(ann), [0, 1], "and the next one is whole");
    stage.pass(1);
    assert_eq!(stage.known(ann), [0]);
}

#[test]
fn s4_lost_and_back_within_a_tick_is_no_news_of_a_leave() {
    let mut stage = Stage::at_20_hz();
    let ann = stage.join("ann");
    let ben = stage.join_with(member_of(2, "ben")).unwrap();
    stage.tick();
    stage.diffs(ann);
    stage.lose(ben);
    stage.join_with(member_of(2, "ben")).unwrap();
    stage.tick();
    let diffs = stage.diffs(ann);
    assert_eq!(diffs.len(), 1);
    assert_eq!(diffs[0].statuses, [(ben, Status::Active)]);
}

#[test]
fn s4_the_presence_is_that_of_the_join_and_the_status_that_of_the_session() {
    let mut stage = Stage::at_20_hz();
    let ann = stage.join("ann");
    let ben = stage.join_with(NewMember { presence: padded(5), ..member_of(2, "ben") }).unwrap();
    stage.tick();
    stage.lose(ben);
    let presence = Map::from([("zoom".into(), 2.into())]);
    let back = NewMember { presence: presence.clone(), ..member_of(2, "ben") };
    stage.join_with(NewMember { status: Status::Away, ..back }).unwrap();
    stage.client_events(ann);
    stage.tick();
    let member = stage.view(ann).member(ben).unwrap();
    assert_eq!((member.status, &member.presence), (Status::Away, &presence));
    let events = stage.client_events(ann);
    assert!(matches!(&events[..], [ClientEvent::MemberChanged { .. }]), "{events:?}");
}

#[test]
fn s4_another_session_or_one_whose_grace_is_over_is_new() {
    let mut stage = Stage::at_20_hz();
    let ann = stage.join("ann");
    let ben = stage.join_with(member_of(2, "ben")).unwrap();
    stage.lose(ben);
    let eve = stage.join_with(member_of(3, "ben")).unwrap();
    assert_ne!(eve, ben);
    assert!(!joined(&mut stage, eve).resumed);
    let nobody = stage.join("nobody");
    assert_ne!(nobody, ben, "who has no session is never taken back");
    stage.pass(5_000);
    let late = stage.join_with(member_of(2, "ben")).unwrap();
    assert!(!joined(&mut stage, late).resumed);
    stage.tick();
    assert!(!stage.known(ann).contains(&ben.0) && stage.known(ann).contains(&late.0));
    // One that is there is not lost: the server ends its connection first (S3).
    let twice = stage.join_with(member_of(2, "ben")).unwrap();
    assert_ne!(twice, late);
}

#[test]
fn s4_its_place_is_kept_and_its_samples_are_numbered_anew() {
    let mut stage = Stage::at_20_hz();
    let ann = stage.join("ann");
    let ben = stage.join_with(member_of(2, "ben")).unwrap();
    for x in 1..=9 {
        stage.move_to(ben, x);
        stage.tick();
        stage.ack_all();
    }
    stage.lose(ben);
    stage.tick();
    stage.join_with(member_of(2, "ben")).unwrap();
    stage.tick();
    stage.ack_all();
    assert_eq!(stage.view(ann).position(ben), Some(Position::xy(9, 0)), "it never went away");
    stage.move_to(ben, 10);
    stage.tick();
    stage.ack_all();
    assert_eq!(stage.view(ann).position(ben), Some(Position::xy(10, 0)));
    assert_eq!(stage.room.take_counters().samples_stale, 0);
    stage.move_to(ann, 4);
    stage.tick();
    stage.ack_all();
    assert_eq!(stage.view(ben).position(ann), Some(Position::xy(4, 0)), "and it sees again");
}

#[test]
fn s4_the_events_after_the_last_seen_come_with_it() {
    let mut stage = Stage::at_20_hz();
    let ann = stage.join("ann");
    let ben = stage.join_with(member_of(2, "ben")).unwrap();
    stage.tick();
    let wave = |name: &str| SendEvent {
        room: HANDLE,
        name: name.into(),
        data: hither_protocol::message::Value::Nil,
        to: vec![],
    };
    stage.room.handle_event(stage.now, ann, wave("seen")).unwrap();
    stage.tick();
    stage.lose(ben);
    stage.room.handle_event(stage.now, ann, wave("missed")).unwrap();
    stage.tick();
    let seen = Some(Seen { epoch: EPOCH, number: 1 });
    stage.join_with(NewMember { seen, ..member_of(2, "ben") }).unwrap();
    let told = joined(&mut stage, ben);
    assert_eq!(told.events.iter().map(|event| event.name.as_str()).collect::<Vec<_>>(), ["missed"]);
    assert!(!told.events_lost);
}

#[test]
fn s4_a_member_that_has_left_is_not_taken_back() {
    let mut stage = Stage::at_20_hz();
    let ben = stage.join_with(member_of(2, "ben")).unwrap();
    stage.leave(ben);
    let again = stage.join_with(member_of(2, "ben")).unwrap();
    assert_ne!(again, ben);
    assert!(!joined(&mut stage, again).resumed);
}

#[test]
fn s5_another_process_takes_the_members_up_and_their_grace_begins_with_it() {
    let mut before = Stage::at_20_hz();
    before.join("a bot, which nobody brings back");
    let presence = padded(5);
    let ben = NewMember { presence: presence.clone(), ..member_of(2, "ben") };
    let ben = before.join_with(ben).unwrap();
    let cat = before.join_with(member_of(3, "cat")).unwrap();
    before.leave(cat);
    before.pass(1_000);
    let cat = before.join_with(member_of(3, "cat")).unwrap();
    assert_eq!(cat, Slot(2));
    let dan = before.join_with(member_of(4, "dan")).unwrap();
    before.leave(dan);
    let saved = before.room.save();

    let mut stage = Stage::at_20_hz();
    stage.pass(60_000);
    stage.room.handle_restored(stage.now, saved);
    assert_eq!(stage.room.len(), 2);
    let ann = stage.join("ann");
    assert_eq!(ann, Slot(4), "free slots rest as long as somebody may come back to others");
    let seen = |slot| stage.view(ann).member(slot).unwrap();
    assert_eq!((seen(ben).status, &seen(ben).presence), (Status::Lost, &presence));
    assert_eq!(seen(cat).generation, Generation(1));
    stage.pass(9_000);
    assert_eq!(stage.join_with(NewMember { presence, ..member_of(2, "ben") }), Ok(ben));
    assert!(joined(&mut stage, ben).resumed);
    stage.pass(1_000);
    assert_eq!(stage.known(ann), [1, 4], "who did not come is gone");
    let eve = stage.join("eve");
    assert_eq!((eve, joined(&mut stage, eve).generation), (Slot(0), Generation(1)));
    let fay = stage.join("fay");
    assert_eq!((fay, joined(&mut stage, fay).generation), (Slot(3), Generation(1)), "not dan's");
}
