//! Events to all and to some, their numbers and their replay (V1 to V4), and what is kept of them (V6).

use super::*;
use hither_protocol::message::Value;
use hither_protocol::message::control::Seen;

fn event(data: i64, to: &[Slot]) -> SendEvent {
    SendEvent { room: HANDLE, name: "said".into(), data: Value::Int(data), to: to.to_vec() }
}

fn large_event(bytes: usize) -> SendEvent {
    SendEvent { data: "x".repeat(bytes).into(), ..event(0, &[]) }
}

impl Stage {
    fn say(&mut self, slot: Slot, data: i64) {
        self.room.handle_event(self.now, slot, event(data, &[])).unwrap();
    }

    /// Number and data of the broadcasts that a client was told.
    fn heard(&mut self, slot: Slot) -> Vec<(u64, Value)> {
        let heard = |event| match event {
            ClientEvent::Broadcast { id, data, .. } => Some((id.number, data)),
            ClientEvent::EventsLost { .. } => panic!("a gap"),
            _ => None,
        };
        self.client_events(slot).into_iter().filter_map(heard).collect()
    }

    fn rejoin(&mut self, name: &str, seen: Seen) -> (Slot, Joined) {
        let slot = self.join_with(NewMember { seen: Some(seen), ..new_member(name) }).unwrap();
        let told = self.told(slot);
        let Some(ToClient::Joined(joined)) = told.into_iter().next() else { panic!("not joined") };
        (slot, joined)
    }
}

#[test]
fn v1_events_reach_all_others_in_one_order_numbered_from_1() {
    let mut stage = Stage::at_20_hz();
    let [ann, ben, cat] = ["ann", "ben", "cat"].map(|name| stage.join(name));
    stage.tick();
    stage.say(ann, 10);
    stage.say(ben, 11);
    assert!(stage.heard(cat).is_empty(), "not before the tick");
    stage.tick();
    stage.say(ann, 12);
    stage.tick();
    let all = [(1, Value::Int(10)), (2, Value::Int(11)), (3, Value::Int(12))];
    assert_eq!(stage.heard(cat), all);
    assert_eq!(stage.heard(ann), all[1..2], "not its own");
    assert_eq!(stage.heard(ben), [all[0].clone(), all[2].clone()]);
    assert_eq!(stage.view(ann).seen(), Seen { epoch: EPOCH, number: 3 });
}

#[test]
fn v1_an_event_over_its_size_is_refused() {
    let mut stage = Stage::new(RoomPolicy { event_bytes_max: 50, ..RoomPolicy::default() });
    let ann = stage.join("ann");
    let refused = stage.room.handle_event(stage.now, ann, large_event(50));
    assert_eq!(refused, Err(Refusal::TooLarge));
}

#[test]
fn v1_more_events_than_a_tick_carries_go_out_in_the_next_ones_in_order() {
    let mut stage = Stage::at_20_hz();
    let ann = stage.join("ann");
    let ben = stage.join("ben");
    stage.tick();
    let taken = (0..100)
        .take_while(|_| stage.room.handle_event(stage.now, ann, large_event(16_000)).is_ok())
        .count();
    assert!((20..40).contains(&taken), "half a MiB may wait: {taken}");
    let refused = stage.room.handle_event(stage.now, ann, large_event(16_000));
    assert_eq!(refused, Err(Refusal::RateLimited));
    stage.tick();
    let first = stage.heard(ben).len();
    assert!(first < taken);
    stage.pass(500);
    assert_eq!(first + stage.heard(ben).len(), taken);
    assert_eq!(stage.view(ben).seen().number, taken as u64);
    stage.say(ann, 1);
    stage.tick();
    assert_eq!(stage.heard(ben), [(taken as u64 + 1, Value::Int(1))]);
}

#[test]
fn v2_who_comes_back_gets_what_was_missed() {
    let mut stage = Stage::at_20_hz();
    let ann = stage.join("ann");
    let ben = stage.join("ben");
    stage.tick();
    stage.say(ann, 1);
    stage.tick();
    let seen = stage.view(ben).seen();
    stage.lose(ben);
    stage.say(ann, 2);
    stage.say(ann, 3);
    stage.tick();
    stage.say(ann, 4);
    let (ben, joined) = stage.rejoin("ben", seen);
    assert!(!joined.events_lost);
    assert_eq!(joined.event_last, 3);
    assert_eq!(joined.events.iter().map(|event| event.number).collect::<Vec<_>>(), [2, 3, 4]);
    stage.tick();
    let data = |number: u64| (number, Value::Int(number as i64));
    assert_eq!(stage.heard(ben), [data(2), data(3), data(4)], "each once, the waiting one too");
}

#[test]
fn v2_who_comes_for_the_first_time_gets_no_old_events() {
    let mut stage = Stage::at_20_hz();
    let ann = stage.join("ann");
    stage.say(ann, 1);
    stage.tick();
    let ben = stage.join("ben");
    stage.say(ann, 2);
    stage.tick();
    assert_eq!(stage.heard(ben), [(2, Value::Int(2))]);
}

#[test]
fn v3_an_event_to_some_reaches_them_alone_and_has_no_number() {
    let mut stage = Stage::at_20_hz();
    let [ann, ben, cat] = ["ann", "ben", "cat"].map(|name| stage.join(name));
    stage.tick();
    stage.room.handle_event(stage.now, ann, event(1, &[ben])).unwrap();
    stage.say(ann, 2);
    stage.tick();
    let directs = |events: Vec<ClientEvent>| {
        events.into_iter().filter(|event| matches!(event, ClientEvent::Direct(_))).count()
    };
    assert_eq!(directs(stage.client_events(ben)), 1);
    let of_cat = stage.client_events(cat);
    let first = EventId { epoch: EPOCH, number: 1 };
    assert!(
        of_cat
            .iter()
            .any(|event| matches!(event, ClientEvent::Broadcast { id, .. } if *id == first))
    );
    assert_eq!(directs(of_cat), 0);
}

#[test]
fn v3_who_has_left_is_sent_nothing_any_more() {
    let mut stage = Stage::at_20_hz();
    let [ann, ben, cat] = ["ann", "ben", "cat"].map(|name| stage.join(name));
    stage.tick();
    stage.room.handle_event(stage.now, ann, event(1, &[ben, cat])).unwrap();
    stage.leave(ben);
    let due = stage.room.poll_timeout().unwrap();
    stage.room.handle_timeout(due);
    let to_one = |output| match output {
        Output::Control(Recipient::One(slot), _) => Some(slot),
        _ => None,
    };
    let told: Vec<Slot> =
        std::iter::from_fn(|| stage.room.poll_output()).filter_map(to_one).collect();
    assert_eq!(told, [cat]);
}

#[test]
fn v3_an_event_to_nobody_or_twice_to_one_is_refused() {
    let mut stage = Stage::at_20_hz();
    let ann = stage.join("ann");
    let ben = stage.join("ben");
    let mut send = |to: &[Slot]| stage.room.handle_event(stage.now, ann, event(1, to));
    assert_eq!(send(&[ben, Slot(99)]), Err(Refusal::NotFound));
    assert_eq!(send(&[ben, ben]), Err(Refusal::BadRequest));
    stage.tick();
    assert!(stage.told(ben).iter().all(|message| !matches!(message, ToClient::Direct(_))));
}

#[test]
fn v3_what_one_member_gets_by_name_in_a_tick_is_bounded() {
    let mut stage = Stage::at_20_hz();
    let [ann, ben, cat] = ["ann", "ben", "cat"].map(|name| stage.join(name));
    stage.tick();
    let to = |slot| SendEvent { to: vec![slot], ..large_event(16_000) };
    let mut send = |slot| stage.room.handle_event(stage.now, ann, to(slot));
    assert_eq!([send(ben), send(ben), send(ben)], [Ok(()), Ok(()), Err(Refusal::RateLimited)]);
    assert_eq!(send(cat), Ok(()), "each receiver for itself");
    stage.tick();
    assert_eq!(stage.room.handle_event(stage.now, ann, to(ben)), Ok(()));
}

#[test]
fn v4_a_gap_is_said_when_the_events_missed_are_too_many_or_of_another_life() {
    let mut stage = Stage::at_20_hz();
    let ann = stage.join("ann");
    stage.tick();
    stage.say(ann, 1);
    stage.tick();
    let seen = stage.view(ann).seen();
    for _ in 0..5 {
        stage.room.handle_event(stage.now, ann, large_event(16_000)).unwrap();
        stage.tick();
    }
    let (_, joined) = stage.rejoin("ben", seen);
    assert!(joined.events_lost && joined.events.is_empty());
    assert_eq!(joined.event_last, 6);
    let (_, joined) = stage.rejoin("cat", Seen { number: 4, ..seen });
    assert!(!joined.events_lost);
    assert_eq!(joined.events.len(), 2);
    let (_, joined) = stage.rejoin("dan", Seen { epoch: Epoch(1), number: 6 });
    assert!(joined.events_lost, "another life of the room");
    let (_, joined) = stage.rejoin("eve", Seen { number: 7, ..seen });
    assert!(joined.events_lost, "a number that this room has not given");
}

/// A stage whose namespace keeps events.
fn keeping() -> Stage {
    Stage::new(RoomPolicy { keeps_events: true, ..RoomPolicy::default() })
}

#[test]
fn v6_an_event_is_kept_before_anybody_is_told_of_it_and_under_the_same_id() {
    let mut stage = keeping();
    let [ann, ben] = ["ann", "ben"].map(|name| stage.join(name));
    stage.tick();
    stage.say(ann, 10);
    stage.say(ann, 11);
    stage.drain();
    assert!(stage.heard(ben).is_empty(), "not before the tick");
    let kept: Vec<_> = std::mem::take(&mut stage.kept);
    let told = |event: &KeptEvent| (event.id.number, event.data.clone());
    let is_anns = |event: &KeptEvent| event.user.id == "ann" && event.name == "said";
    assert!(kept.iter().all(|event| event.id.epoch == EPOCH && is_anns(event)), "{kept:?}");
    stage.leave(ann);
    stage.tick();
    assert_eq!(stage.heard(ben), kept.iter().map(told).collect::<Vec<_>>());
    assert!(stage.kept.is_empty(), "once each");
}

#[test]
fn v6_what_is_for_some_or_is_refused_is_not_kept() {
    let mut stage = keeping();
    let [ann, ben] = ["ann", "ben"].map(|name| stage.join(name));
    stage.tick();
    stage.room.handle_event(stage.now, ann, event(1, &[ben])).unwrap();
    while stage.room.handle_event(stage.now, ann, large_event(16_000)).is_ok() {}
    stage.drain();
    let numbers: Vec<_> = stage.kept.iter().map(|event| event.id.number).collect();
    stage.pass(500);
    let told: Vec<_> = stage.heard(ben).into_iter().map(|(number, _)| number).collect();
    assert_eq!(numbers, told);
}

#[test]
fn v6_nothing_is_kept_unless_the_namespace_says_so() {
    let mut stage = Stage::at_20_hz();
    let ann = stage.join("ann");
    stage.say(ann, 1);
    stage.tick();
    assert!(stage.kept.is_empty());
}
