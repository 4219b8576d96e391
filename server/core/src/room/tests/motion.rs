//! Frames: shared bytes, baselines, parts, repeats, and when there are none (M4 to M12).

use super::*;
use hither_protocol::motion::frame::{self, FrameHeader, PartHeader, read_part};
use hither_protocol::motion::{Axes, Entry};
use hither_protocol::varint::Reader;

/// The parts of a datagram of a room of two axes.
fn parts(datagram: &Bytes) -> (FrameHeader, Vec<(PartHeader, Vec<Entry>)>) {
    let mut reader = Reader::new(&datagram[1..]);
    assert_eq!(reader.u8(), Ok(frame::KIND));
    let header = FrameHeader::read(&mut reader).unwrap();
    let mut parts = Vec::new();
    for _ in 0..header.parts {
        let mut entries = Vec::new();
        let part = read_part(&mut reader, Axes::TWO, header.tick, &mut entries).unwrap();
        parts.push((part, entries));
    }
    assert!(reader.is_empty());
    (header, parts)
}

/// The baseline of a datagram with one part.
fn baseline(datagram: &Bytes) -> Option<Tick> {
    let (_, parts) = parts(datagram);
    assert_eq!(parts.len(), 1);
    parts[0].0.baseline
}

impl Stage {
    /// A stage with so many members who all have seen the diff of their joins.
    fn with_members(count: usize) -> Self {
        let mut stage = Self::at_20_hz();
        for number in 0..count {
            stage.join(&number.to_string());
        }
        stage.tick();
        stage
    }

    /// The times, in milliseconds from now, at which a member is sent something that it does not ack.
    fn sends_within(&mut self, slot: Slot, ms: u64) -> Vec<u64> {
        self.datagrams(slot);
        let mut times = Vec::new();
        for ms in 1..=ms {
            self.pass(1);
            times.extend(self.datagrams(slot).iter().map(|_| ms));
        }
        times
    }
}

#[test]
fn m5_viewers_with_the_same_baseline_share_the_same_bytes() {
    let mut stage = Stage::with_members(4);
    stage.move_to(Slot(0), 5);
    stage.tick();
    let frames: Vec<Bytes> = (1..4).map(|slot| stage.datagrams(Slot(slot)).remove(0)).collect();
    assert!(frames.iter().all(|frame| frame.as_ptr() == frames[0].as_ptr()));
    let now = stage.now;
    for slot in [1, 2] {
        for ack in stage.seats.get_mut(&Slot(slot)).unwrap().decode(now, &frames[..1]) {
            stage.room.handle_ack(now, Slot(slot), &ack);
        }
    }
    stage.move_to(Slot(0), 6);
    stage.tick();
    let frames: Vec<Bytes> = (1..4).map(|slot| stage.datagrams(Slot(slot)).remove(0)).collect();
    assert_eq!(frames[0].as_ptr(), frames[1].as_ptr());
    assert!(baseline(&frames[0]).is_some());
    assert_eq!(baseline(&frames[2]), None, "what was not acked is no baseline");
    assert_ne!(frames[0].as_ptr(), frames[2].as_ptr());
}

#[test]
fn m5_the_baseline_is_the_newest_acked_tick() {
    let mut stage = Stage::with_members(2);
    let mut acked = Vec::new();
    for x in 1..5 {
        stage.move_to(Slot(0), x);
        stage.tick();
        let datagrams = stage.datagrams(Slot(1));
        let now = stage.now;
        acked.extend(stage.seats.get_mut(&Slot(1)).unwrap().decode(now, &datagrams));
    }
    stage.room.handle_ack(stage.now, Slot(1), &acked[2]);
    stage.room.handle_ack(stage.now, Slot(1), &acked[1]);
    stage.move_to(Slot(0), 9);
    stage.tick();
    let datagrams = stage.datagrams(Slot(1));
    assert_eq!(baseline(&datagrams[0]), Some(acked[2].tick));
    let now = stage.now;
    stage.seats.get_mut(&Slot(1)).unwrap().decode(now, &datagrams);
    assert_eq!(stage.view(Slot(1)).position(Slot(0)), Some(Position::xy(9, 0)));
}

#[test]
fn m5_a_viewer_that_is_silent_for_32_ticks_gets_a_keyframe() {
    let mut stage = Stage::with_members(2);
    stage.move_to(Slot(0), 1);
    stage.tick();
    stage.ack(Slot(1));
    let mut kinds = Vec::new();
    for x in 2..40 {
        stage.move_to(Slot(0), x);
        stage.tick();
        let datagrams = stage.datagrams(Slot(1));
        kinds.push(baseline(datagrams.last().unwrap()).is_some());
    }
    assert!(kinds[..33].iter().all(|delta| *delta), "{kinds:?}");
    assert!(kinds[33..].iter().all(|delta| !delta), "{kinds:?}");
    stage.move_to(Slot(0), 50);
    stage.tick();
    stage.ack(Slot(1));
    assert_eq!(stage.view(Slot(1)).position(Slot(0)), Some(Position::xy(50, 0)));
    stage.move_to(Slot(0), 51);
    stage.tick();
    assert!(baseline(&stage.datagrams(Slot(1))[0]).is_some(), "back to deltas");
}

#[test]
fn m7_acks_of_what_this_viewer_was_not_sent_mean_nothing() {
    let mut stage = Stage::with_members(2);
    for (tick, parts) in [(Tick(9_999), 1), (Tick(0), 1), (Tick(1), u128::MAX)] {
        stage.room.handle_ack(stage.now, Slot(1), &Ack { room: HANDLE, tick, parts });
    }
    stage.move_to(Slot(0), 1);
    stage.tick();
    let first = stage.datagrams(Slot(1)).remove(0);
    let sent = parts(&first).0.tick;
    assert_eq!(baseline(&first), None);
    // An ack of an earlier membership of the same client, which held a tick that this one was never sent.
    let before = Tick(sent.0 - 1);
    stage.room.handle_ack(stage.now, Slot(1), &Ack { room: HANDLE, tick: before, parts: 1 });
    stage.move_to(Slot(0), 2);
    stage.tick();
    assert_eq!(baseline(stage.datagrams(Slot(1)).last().unwrap()), None);
}

#[test]
fn m4_a_room_of_200_has_a_part_for_each_64_slots_in_several_datagrams() {
    let mut stage = Stage::with_members(201);
    let viewer = Slot(200);
    for number in 0..200 {
        let sample =
            Sample { room: HANDLE, number: 0, position: Position::xy(-(1 << 30), 1 << 29) };
        stage.room.handle_sample(Slot(number), &sample);
    }
    stage.tick();
    let datagrams = stage.datagrams(viewer);
    assert!(datagrams.len() > 1, "{}", datagrams.len());
    assert!(datagrams.iter().all(|datagram| {
        datagram.len() - 1 <= hither_protocol::limits::MOTION_DATAGRAM_BYTES_MAX
    }));
    let indices: Vec<u16> =
        datagrams.iter().flat_map(|datagram| parts(datagram).1).map(|part| part.0.index).collect();
    assert_eq!(indices, [0, 1, 2, 3]);

    let now = stage.now;
    let acks = stage.seats.get_mut(&viewer).unwrap().decode(now, &datagrams[..1]);
    acks.iter().for_each(|ack| stage.room.handle_ack(now, viewer, ack));
    stage.move_to(Slot(0), 3);
    stage.tick();
    let of_part = |datagrams: &[Bytes]| -> Vec<(u16, bool)> {
        let parts = datagrams.iter().flat_map(|datagram| parts(datagram).1);
        parts.map(|(part, _)| (part.index, part.baseline.is_some())).collect()
    };
    let frames = stage.datagrams(viewer);
    let last_tick = parts(frames.last().unwrap()).0.tick;
    let last: Vec<Bytes> =
        frames.into_iter().filter(|frame| parts(frame).0.tick == last_tick).collect();
    assert_eq!(of_part(&last)[0], (0, true), "an acked part is a delta");
    assert!(of_part(&last)[1..].iter().all(|(_, delta)| !delta), "each part for itself");
    let now = stage.now;
    stage.seats.get_mut(&viewer).unwrap().decode(now, &last);
    let position = stage.view(viewer).position(Slot(199));
    assert_eq!(position, Some(Position::xy(-(1 << 30), 1 << 29)));
}

#[test]
fn m4_only_parts_in_which_somebody_moved_are_sent() {
    let mut stage = Stage::with_members(130);
    stage.move_to(Slot(70), 1);
    stage.tick();
    let (_, parts) = parts(&stage.datagrams(Slot(0))[0]);
    assert_eq!(parts.iter().map(|part| part.0.index).collect::<Vec<_>>(), [1]);
    assert_eq!(parts[0].1.len(), 1);
}

#[test]
fn m9_the_highest_number_wins_whatever_comes_when() {
    let mut stage = Stage::with_members(2);
    for (number, x) in [(5, 50), (4, 40), (5, 51), (7, 70), (6, 60)] {
        let sample = Sample { room: HANDLE, number, position: Position::xy(x, 0) };
        stage.room.handle_sample(Slot(0), &sample);
    }
    stage.tick();
    stage.ack(Slot(1));
    assert_eq!(stage.view(Slot(1)).position(Slot(0)), Some(Position::xy(70, 0)));
    assert_eq!(stage.room.take_counters().samples_stale, 2);
    stage.pass(100);
    let again = Sample { room: HANDLE, number: 7, position: Position::xy(71, 0) };
    stage.room.handle_sample(Slot(0), &again);
    assert_eq!(stage.room.poll_timeout(), None, "a repeat is no news, and nothing stale either");
    assert_eq!(stage.room.take_counters().samples_stale, 0);
}

#[test]
fn m6_a_sample_that_moves_nothing_makes_no_frame() {
    let mut stage = Stage::with_members(2);
    stage.move_to(Slot(0), 5);
    stage.tick();
    stage.ack(Slot(1));
    stage.move_to(Slot(0), 5);
    stage.pass(500);
    assert!(stage.datagrams(Slot(1)).is_empty());
    stage
        .room
        .handle_sample(Slot(99), &Sample { room: HANDLE, number: 1, position: Position::xy(1, 1) });
    assert_eq!(stage.room.poll_timeout(), None, "nor does a sample of nobody");
}

#[test]
fn m12_who_alone_moved_gets_no_frame() {
    let mut stage = Stage::with_members(3);
    stage.move_to(Slot(0), 5);
    stage.tick();
    assert!(stage.datagrams(Slot(0)).is_empty());
    assert_eq!(stage.datagrams(Slot(1)).len(), 1);
    stage.move_to(Slot(0), 6);
    stage.move_to(Slot(1), 7);
    stage.tick();
    stage.ack(Slot(0));
    assert_eq!(stage.view(Slot(0)).position(Slot(0)), Some(Position::xy(6, 0)), "its own, too");
}

#[test]
fn m12_a_member_alone_in_its_room_costs_no_frames() {
    let mut stage = Stage::with_members(1);
    for x in 0..10 {
        stage.move_to(Slot(0), x);
        stage.tick();
    }
    assert!(stage.datagrams(Slot(0)).is_empty());
    assert_eq!(stage.room.poll_timeout(), None);
}

#[test]
fn m11_a_rest_is_repeated_every_16_ms_until_it_is_acked() {
    let mut stage = Stage::with_members(2);
    stage.move_to(Slot(0), 5);
    let times = stage.sends_within(Slot(1), 200);
    let pauses: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // The round trip is not known yet and taken for 50 ms; a quarter of it is added.
    assert!((62..=63).contains(&pauses[0]), "{times:?}");
    assert!(pauses[1..].iter().all(|pause| *pause == 16), "{times:?}");
    stage.pass(16);
    stage.ack(Slot(1));
    assert!(stage.sends_within(Slot(1), 1_000).is_empty());
    assert_eq!(stage.room.poll_timeout(), None);
    assert!(stage.room.take_counters().frames_repeated > 5);
}

#[test]
fn m11_an_ack_in_time_spares_all_repeats() {
    let mut stage = Stage::with_members(2);
    for x in 0..10 {
        stage.move_to(Slot(0), x);
        stage.tick();
        stage.ack(Slot(1));
        stage.pass(500);
    }
    assert!(stage.datagrams(Slot(1)).is_empty());
    assert_eq!(stage.room.take_counters().frames_repeated, 0);
}

impl Stage {
    /// Moves of slot 0 that slot 1 acks after a round trip in milliseconds, each after the other.
    fn acked_moves(&mut self, count: i32, round_trip: u64) {
        for _ in 0..count {
            self.move_to(Slot(0), self.now.as_micros() as i32);
            self.tick();
            self.pass(round_trip);
            self.ack(Slot(1));
            self.pass(300);
        }
    }

    /// After how many milliseconds slot 1 is sent a rest of slot 0 again.
    fn first_repeat(&mut self) -> u64 {
        self.move_to(Slot(0), -1);
        let times = self.sends_within(Slot(1), 300);
        times[1] - times[0]
    }
}

#[test]
fn m11_the_first_repeat_waits_for_the_viewers_own_round_trip() {
    for (round_trip, expected) in [(4, 16), (40, 50), (120, 150)] {
        let mut stage = Stage::with_members(2);
        stage.acked_moves(60, round_trip);
        let first = stage.first_repeat();
        assert!((expected - 1..=expected + 1).contains(&first), "{first} for {round_trip}");
    }
}

#[test]
fn m11_a_round_trip_falls_at_once_since_acks_of_repeats_make_it_too_long() {
    let mut stage = Stage::with_members(2);
    stage.acked_moves(60, 120);
    stage.acked_moves(1, 40);
    let first = stage.first_repeat();
    assert!((49..=51).contains(&first), "{first}");
    let mut stage = Stage::with_members(2);
    stage.acked_moves(60, 40);
    stage.acked_moves(1, 120);
    let first = stage.first_repeat();
    assert!((61..=64).contains(&first), "and rises by an eighth: {first}");
}

#[test]
fn m11_a_viewer_that_does_not_answer_is_repeated_to_ever_more_seldom() {
    let mut stage = Stage::with_members(2);
    stage.move_to(Slot(0), 5);
    let times = stage.sends_within(Slot(1), 3_000);
    let pauses: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let fast = pauses.iter().filter(|pause| **pause <= 17).count();
    assert!((14..=17).contains(&fast), "for 300 ms: {pauses:?}");
    assert!(pauses[fast + 1..].iter().all(|pause| *pause == 250), "{pauses:?}");
    stage.ack_all();
    let (_, slow) = (stage.move_to(Slot(0), 6), stage.sends_within(Slot(1), 2_000));
    assert!(slow.len() < 20, "still silent: {slow:?}");
}

#[test]
fn m11_a_rest_is_repeated_while_others_move() {
    let mut stage = Stage::with_members(3);
    stage.move_to(Slot(0), 5);
    stage.move_to(Slot(1), 1);
    stage.tick();
    stage.ack(Slot(2));
    stage.move_to(Slot(0), 6);
    stage.tick();
    stage.datagrams(Slot(2));
    let mut count = 0;
    for x in 0..4 {
        stage.move_to(Slot(1), 10 + x);
        count += stage.sends_within(Slot(2), 50).len();
    }
    assert!(count > 8, "more than a frame a tick: {count}");
}

#[test]
fn m11_nobody_waits_for_acks_of_members_who_are_gone() {
    let mut stage = Stage::with_members(3);
    stage.move_to(Slot(0), 5);
    stage.tick();
    stage.datagrams(Slot(1));
    stage.leave(Slot(0));
    stage.tick();
    stage.pass(300);
    assert_eq!(stage.room.poll_timeout(), None, "what the viewers lack is of no use any more");
    stage.move_to(Slot(1), 5);
    stage.tick();
    stage.lose(Slot(2));
    stage.pass(10_000);
    assert_eq!(stage.room.poll_timeout(), None, "nor for those of lost viewers");
}

#[test]
fn m10_a_viewer_who_comes_late_gets_everyones_place() {
    let mut stage = Stage::with_members(3);
    for (slot, x) in [(0, 10), (1, 20)] {
        stage.move_to(Slot(slot), x);
    }
    stage.pass(2_000);
    stage.ack_all();
    let late = stage.join("late");
    stage.tick();
    stage.ack(late);
    assert_eq!(stage.view(late).position(Slot(0)), Some(Position::xy(10, 0)));
    assert_eq!(stage.view(late).position(Slot(1)), Some(Position::xy(20, 0)));
    assert_eq!(stage.view(late).position(Slot(2)), None, "who has not moved has no place");
}

#[test]
fn m9_a_lost_member_stays_where_it_was() {
    let mut stage = Stage::with_members(2);
    stage.move_to(Slot(0), 10);
    stage.tick();
    stage.lose(Slot(0));
    let late = stage.join("late");
    stage.tick();
    stage.ack(late);
    assert_eq!(stage.view(late).position(Slot(0)), Some(Position::xy(10, 0)));
}

#[test]
fn m7_a_client_that_leaves_neither_acks_nor_moves_any_more() {
    let mut stage = Stage::with_members(2);
    stage.move_to(Slot(0), 5);
    stage.tick();
    let late = stage.datagrams(Slot(1));
    let now = stage.now;
    let seat = stage.seats.get_mut(&Slot(1)).unwrap();
    while seat.client.poll_transmit(now).is_some() {}
    seat.client.set_motion(now, HANDLE, Position::xy(1, 1));
    seat.client.leave(HANDLE);
    seat.client.set_motion(now, HANDLE, Position::xy(2, 2));
    seat.client.handle_datagram(&late[0][1..]);
    let sent: Vec<Transmit> = std::iter::from_fn(|| seat.client.poll_transmit(now)).collect();
    assert!(matches!(sent[..], [Transmit::Control(_)]), "nothing but the leave: {sent:?}");
    assert_eq!(seat.client.poll_timeout(), None);
}
