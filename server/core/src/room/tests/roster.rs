//! Joining, the roster and its diffs, leaving, being lost, and slots (R2 to R8).

use super::*;

#[test]
fn r3_joined_says_what_the_member_has_to_know() {
    let mut stage = Stage::at_20_hz();
    stage.join("ann");
    stage.tick();
    let member =
        NewMember { rights: hither_protocol::message::Rights::MOTION, ..new_member("ben") };
    let ben = stage.join_with(member).unwrap();
    let told = stage.told(ben);
    let ToClient::Joined(joined) = &told[0] else { panic!("{told:?}") };
    assert_eq!((joined.room, joined.epoch, joined.slot), (HANDLE, EPOCH, ben));
    assert_eq!((joined.generation, joined.tick), (Generation(0), stage.room.tick));
    assert_eq!(joined.rights, hither_protocol::message::Rights::MOTION);
    assert_eq!(joined.motion, at_hz(20));
    assert!(matches!(told[1], ToClient::Roster(_)), "then comes the roster");
}

#[test]
fn r2_a_full_room_refuses() {
    let mut stage = Stage::new(RoomPolicy { members_max: 2, ..RoomPolicy::default() });
    stage.join("ann");
    let ben = stage.join("ben");
    assert_eq!(stage.join_with(new_member("cat")), Err(Refusal::RoomFull));
    stage.leave(ben);
    assert_eq!(stage.join_with(new_member("cat")), Ok(Slot(2)), "another slot: that one rests");
    assert_eq!(stage.join_with(new_member("dan")), Err(Refusal::RoomFull));
}

#[test]
fn r8_a_room_whose_slots_all_rest_or_are_taken_is_full() {
    let mut stage = Stage::at_20_hz();
    for number in 0..4_096u16 {
        let joined = stage.room.handle_join(stage.now, 1, new_member("one of many"));
        assert_eq!(joined, Ok(Slot(number)));
    }
    stage.room.handle_leave(stage.now, Slot(9));
    let mut join = |now| stage.room.handle_join(now, 1, new_member("late"));
    assert_eq!(join(stage.now), Err(Refusal::RoomFull));
    assert_eq!(join(stage.now + Duration::from_secs(1)), Ok(Slot(9)));
}

#[test]
fn r4_a_roster_comes_in_pages_in_the_order_of_slots() {
    let mut stage = Stage::at_20_hz();
    for number in 0..40 {
        let member = NewMember { presence: padded(3_000), ..new_member(&number.to_string()) };
        stage.join_with(member).unwrap();
    }
    stage.tick();
    let late = stage.join("late");
    let mut pages = 1;
    assert!(!stage.view(late).is_entered(), "not before the last page");
    while stage.page(late) {
        pages += 1;
    }
    assert_eq!(pages, 3);
    assert!(stage.view(late).is_entered());
    let told = stage.told(late);
    let slots: Vec<Slot> = told
        .iter()
        .filter_map(|message| match message {
            ToClient::Roster(page) => Some(page.members.iter().map(|member| member.slot)),
            _ => None,
        })
        .flatten()
        .collect();
    assert_eq!(slots, (0..=40).map(Slot).collect::<Vec<_>>());
}

#[test]
fn r5_changes_between_the_pages_of_a_roster_are_neither_lost_nor_doubled() {
    let mut stage = Stage::at_20_hz();
    for number in 0..40 {
        let member = NewMember { presence: padded(3_000), ..new_member(&number.to_string()) };
        stage.join_with(member).unwrap();
    }
    stage.tick();
    let late = stage.join("late");
    let word = |word: &str| Map::from([("word".into(), word.into())]);
    for slot in [Slot(1), Slot(39)] {
        stage.room.handle_presence(slot, word("changed")).unwrap();
    }
    stage.leave(Slot(0));
    stage.leave(Slot(38));
    stage.tick();
    let newest = stage.join("newest");
    while stage.page(late) {}
    stage.tick();
    let known = stage.known(late);
    let expected: Vec<u16> = (1..=newest.0).filter(|slot| *slot != 38).collect();
    assert_eq!(known, expected);
    for slot in [Slot(1), Slot(39)] {
        let presence = &stage.view(late).member(slot).unwrap().presence;
        assert_eq!(presence["word"], "changed".into(), "{slot}");
    }
    while stage.page(newest) {}
    assert_eq!(stage.known(newest), expected);
}

#[test]
fn r5_a_tick_has_one_diff_whose_bytes_are_the_same_for_all() {
    let mut stage = Stage::at_20_hz();
    let ann = stage.join("ann");
    let ben = stage.join("ben");
    stage.control.clear();
    let cat = stage.join("cat");
    stage.room.handle_presence(ann, padded(3)).unwrap();
    stage.leave(ben);
    stage.tick();
    let to_all: Vec<_> = stage.control.iter().filter(|(to, _)| *to == Recipient::All).collect();
    assert_eq!(to_all.len(), 1);
    let diffs = stage.diffs(ann);
    assert_eq!(diffs.len(), 1);
    assert_eq!(diffs[0].tick, stage.room.tick);
    assert_eq!(diffs[0].joins.iter().map(|member| member.slot).collect::<Vec<_>>(), [ann, cat]);
    assert_eq!(diffs[0].leaves, [ben]);
    assert_eq!(diffs, stage.diffs(cat));
    assert_eq!(stage.known(ann), [0, 2]);
}

#[test]
fn r5_a_member_who_came_and_went_within_a_tick_is_gone_everywhere() {
    let mut stage = Stage::at_20_hz();
    let ann = stage.join("ann");
    stage.tick();
    let ben = stage.join("ben");
    let cat = stage.join("cat");
    assert!(stage.known(cat).contains(&ben.0));
    stage.leave(ben);
    stage.tick();
    assert_eq!(stage.known(ann), [ann.0, cat.0]);
    assert_eq!(stage.known(cat), [ann.0, cat.0]);
}

#[test]
fn r6_a_leave_is_answered_at_once_and_told_in_the_tick() {
    let mut stage = Stage::at_20_hz();
    let ann = stage.join("ann");
    let ben = stage.join("ben");
    stage.tick();
    stage.told(ann);
    let gone = stage.leave(ben);
    assert!(matches!(gone.control.last(), Some(ToClient::Left(left)) if left.reason.is_none()));
    assert!(stage.told(ann).is_empty());
    stage.tick();
    assert_eq!(stage.diffs(ann)[0].leaves, [ben]);
    assert!(matches!(&stage.client_events(ann)[..], [.., ClientEvent::MemberLeft { .. }]));
    stage.leave(ann);
    assert!(stage.room.is_empty());
}

#[test]
fn r7_a_lost_member_is_seen_as_lost_and_goes_when_its_grace_is_over() {
    let grace = Duration::from_secs(5);
    let mut stage = Stage::new(RoomPolicy { motion: at_hz(20), grace, ..RoomPolicy::default() });
    let ann = stage.join("ann");
    let ben = stage.join("ben");
    stage.tick();
    let heard = stage.now;
    stage.pass(2_500);
    stage.room.handle_lost(ben, heard);
    stage.seats.remove(&ben);
    stage.tick();
    assert_eq!(stage.view(ann).member(ben).unwrap().status, Status::Lost);
    assert_eq!(stage.room.len(), 2, "lost members count");
    stage.pass(2_400);
    assert_eq!(stage.known(ann), [0, 1], "5 s after the last packet, not after the loss");
    stage.pass(100);
    assert_eq!(stage.known(ann), [0]);
    assert_eq!(stage.room.poll_timeout(), None);
}

#[test]
fn r7_a_room_whose_last_member_is_lost_ends_with_its_grace() {
    let mut stage = Stage::at_20_hz();
    let ann = stage.join("ann");
    stage.lose(ann);
    assert!(!stage.room.is_empty());
    stage.pass(5_000);
    assert!(stage.room.is_empty());
}

#[test]
fn r8_a_slot_rests_a_second_and_comes_back_under_a_new_generation() {
    let mut stage = Stage::at_20_hz();
    let ann = stage.join("ann");
    let ben = stage.join("ben");
    stage.tick();
    stage.move_to(ben, 5);
    stage.tick();
    stage.ack_all();
    assert_eq!(stage.view(ann).position(ben), Some(Position::xy(5, 0)));
    stage.leave(ben);
    stage.pass(999);
    assert_ne!(stage.join("cat"), ben);
    stage.pass(1);
    let dan = stage.join("dan");
    assert_eq!(dan, ben, "the oldest free slot comes first");
    stage.tick();
    assert_eq!(stage.view(ann).member(dan).unwrap().generation, Generation(1));
    assert_eq!(stage.view(ann).position(dan), None, "not where its old member was");
    stage.move_to(dan, 6);
    stage.tick();
    stage.ack_all();
    assert_eq!(stage.view(ann).position(dan), Some(Position::xy(6, 0)));
}

#[test]
fn r8_a_frame_of_the_old_member_that_comes_late_is_not_the_new_ones() {
    let mut stage = Stage::at_20_hz();
    let ann = stage.join("ann");
    let ben = stage.join("ben");
    stage.tick();
    stage.move_to(ben, 5);
    stage.tick();
    let late = stage.datagrams(ann);
    assert_eq!(late.len(), 1);
    stage.leave(ben);
    stage.pass(1_000);
    assert_eq!(stage.join("dan"), ben);
    stage.tick();
    let now = stage.now;
    stage.seats.get_mut(&ann).unwrap().decode(now, &late);
    assert_eq!(stage.view(ann).position(ben), None);
}

#[test]
fn r6_a_room_that_is_of_no_use_says_so_to_its_members() {
    let mut stage = Stage::at_20_hz();
    let ann = stage.join("ann");
    let bytes = Room::closing(stage.room.id(), Refusal::RoomClosed);
    stage.seats.get_mut(&ann).unwrap().tell(&bytes);
    let events = stage.client_events(ann);
    assert!(matches!(
        events.last(),
        Some(ClientEvent::Left { reason: Some(Refusal::RoomClosed), .. })
    ));
}
