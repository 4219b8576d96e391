//! Presence and status (P1 to P4).

use super::*;
use hither_protocol::message::Value;

fn fields(fields: &[(&str, Value)]) -> Map {
    fields.iter().map(|(name, value)| ((*name).into(), value.clone())).collect()
}

#[test]
fn p1_a_patch_replaces_fields_and_nil_removes_them() {
    let mut stage = Stage::at_20_hz();
    let ann = stage.join("ann");
    let presence = fields(&[("color", "red".into()), ("tool", "pen".into())]);
    let ben = stage.join_with(NewMember { presence, ..new_member("ben") }).unwrap();
    stage.tick();
    let patch = fields(&[("color", Value::Nil), ("zoom", 2.into())]);
    stage.room.handle_presence(ben, patch).unwrap();
    stage.tick();
    let expected = fields(&[("tool", "pen".into()), ("zoom", 2.into())]);
    assert_eq!(stage.view(ann).member(ben).unwrap().presence, expected);
    let cat = stage.join("cat");
    assert_eq!(stage.view(cat).member(ben).unwrap().presence, expected);
}

#[test]
fn p2_patches_of_one_tick_are_merged_and_the_newest_wins() {
    let mut stage = Stage::at_20_hz();
    let ann = stage.join("ann");
    let ben = stage.join("ben");
    stage.tick();
    stage.told(ann);
    for patch in [
        fields(&[("x", 1.into()), ("y", 1.into())]),
        fields(&[("x", Value::Nil)]),
        fields(&[("z", 3.into()), ("y", 2.into())]),
    ] {
        stage.room.handle_presence(ben, patch).unwrap();
    }
    assert!(stage.told(ann).is_empty(), "nothing before the tick");
    stage.tick();
    let diffs = stage.diffs(ann);
    let merged = fields(&[("x", Value::Nil), ("y", 2.into()), ("z", 3.into())]);
    assert_eq!(diffs[0].presence, [(ben, merged)]);
    assert_eq!(
        stage.view(ann).member(ben).unwrap().presence,
        fields(&[("y", 2.into()), ("z", 3.into())])
    );
}

#[test]
fn p3_a_presence_over_its_size_is_refused_and_nothing_changes() {
    let policy = RoomPolicy { motion: at_hz(20), presence_bytes_max: 100, ..RoomPolicy::default() };
    let mut stage = Stage::new(policy);
    let too_large = NewMember { presence: padded(100), ..new_member("big") };
    assert_eq!(stage.join_with(too_large), Err(Refusal::TooLarge));
    assert!(stage.room.is_empty());
    let ann = stage.join("ann");
    let ben = stage.join_with(NewMember { presence: padded(50), ..new_member("ben") }).unwrap();
    stage.tick();
    stage.told(ann);
    let second = fields(&[("more", "y".repeat(50).into())]);
    assert_eq!(stage.room.handle_presence(ben, second.clone()), Err(Refusal::TooLarge));
    stage.pass(100);
    assert!(stage.diffs(ann).is_empty());
    let swap = second.into_iter().chain([("padding".into(), Value::Nil)]).collect();
    assert_eq!(stage.room.handle_presence(ben, swap), Ok(()), "the whole counts, after the patch");
}

#[test]
fn p3_patches_beyond_what_a_tick_carries_of_one_member_wait_for_the_next() {
    let policy = RoomPolicy { motion: at_hz(20), presence_bytes_max: 100, ..RoomPolicy::default() };
    let mut stage = Stage::new(policy);
    let ann = stage.join("ann");
    stage.tick();
    let taken = (0..20).take_while(|_| stage.room.handle_presence(ann, padded(80)).is_ok());
    assert_eq!(taken.count(), 4);
    assert_eq!(stage.room.handle_presence(ann, padded(80)), Err(Refusal::RateLimited));
    stage.tick();
    assert_eq!(stage.room.handle_presence(ann, padded(80)), Ok(()));
}

#[test]
fn p2_more_presence_than_a_tick_carries_goes_out_in_the_next_ones() {
    let mut stage = Stage::at_20_hz();
    for number in 0..60 {
        stage.join(&number.to_string());
    }
    stage.tick();
    for slot in stage.slots() {
        stage.told(slot);
        stage.room.handle_presence(slot, padded(4_000)).unwrap();
    }
    stage.tick();
    let first = stage.diffs(Slot(0));
    let in_first: usize = first.iter().map(|diff| diff.presence.len()).sum();
    assert!(first.len() > 1, "several messages");
    assert!((20..60).contains(&in_first), "{in_first} of 60 fit");
    stage.tick();
    let in_second: usize = stage.diffs(Slot(0)).iter().map(|diff| diff.presence.len()).sum();
    assert_eq!(in_first + in_second, 60);
    assert_eq!(stage.room.poll_timeout(), None);
}

#[test]
fn p4_who_is_away_gets_no_motion_and_all_of_it_when_back() {
    let mut stage = Stage::at_20_hz();
    let ann = stage.join("ann");
    let ben = stage.join("ben");
    stage.tick();
    stage.room.handle_status(stage.now, ann, Status::Away);
    stage.move_to(ben, 5);
    stage.tick();
    assert_eq!(stage.view(ben).member(ann).unwrap().status, Status::Away);
    stage.move_to(ben, 6);
    stage.pass(1_000);
    assert!(stage.datagrams(ann).is_empty());
    assert_eq!(stage.room.poll_timeout(), None, "nor does anybody wait for its acks");
    stage.room.handle_status(stage.now, ann, Status::Active);
    stage.tick();
    assert_eq!(stage.view(ben).member(ann).unwrap().status, Status::Active);
    stage.ack(ann);
    assert_eq!(stage.view(ann).position(ben), Some(Position::xy(6, 0)));
}

#[test]
fn p4_a_member_can_join_away_and_cannot_call_itself_lost() {
    let mut stage = Stage::at_20_hz();
    let member = NewMember { status: Status::Away, ..new_member("ann") };
    let ann = stage.join_with(member).unwrap();
    let ben = stage.join("ben");
    stage.tick();
    assert_eq!(stage.view(ben).member(ann).unwrap().status, Status::Away);
    stage.move_to(ben, 1);
    stage.tick();
    assert!(stage.datagrams(ann).is_empty());
    stage.room.handle_status(stage.now, ben, Status::Lost);
    stage.tick();
    assert_eq!(stage.view(ann).member(ben).unwrap().status, Status::Away);
}

#[test]
fn p4_a_status_that_changes_within_the_tick_of_the_join_reaches_its_own_member_too() {
    let mut stage = Stage::at_20_hz();
    let ann = stage.join("ann");
    stage.room.handle_status(stage.now, ann, Status::Away);
    stage.tick();
    assert_eq!(stage.view(ann).member(ann).unwrap().status, Status::Away);
}
