//! Frames: shared bytes, baselines, parts, repeats, and when there are none (M4 to M12).

use super::*;
use hither_protocol::motion::Axes;
use hither_protocol::motion::frame::{self, FrameHeader, FrameReader, PartHeader};
use hither_protocol::varint::Reader;

/// What a datagram of a room of two axes begins with.
fn first_part(datagram: &Bytes) -> (FrameHeader, PartHeader) {
    let mut reader = Reader::new(&datagram[1..]);
    assert_eq!(reader.u8(), Ok(frame::KIND));
    let header = FrameHeader::read(&mut reader).unwrap();
    let part = FrameReader::new(&header, reader).next_part(&Axes::TWO);
    (header, part.unwrap().unwrap())
}

/// The baseline of a datagram's first part.
fn baseline(datagram: &Bytes) -> Option<Tick> {
    first_part(datagram).1.baseline
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
    let mut deltas = Vec::new();
    for x in 2..60 {
        stage.move_to(Slot(0), x);
        stage.tick();
        deltas.extend(stage.datagrams(Slot(1)).iter().map(|datagram| baseline(datagram).is_some()));
    }
    let keyframes = deltas.iter().skip_while(|delta| **delta).count();
    assert!(keyframes > 2 && deltas.iter().rev().take(keyframes).all(|delta| !delta), "{deltas:?}");
    stage.move_to(Slot(0), 70);
    stage.pass(250);
    stage.ack(Slot(1));
    assert_eq!(stage.view(Slot(1)).position(Slot(0)), Some(Position::xy(70, 0)));
    stage.move_to(Slot(0), 71);
    stage.tick();
    assert!(baseline(&stage.datagrams(Slot(1))[0]).is_some(), "back to deltas");
}

#[test]
fn m5_the_reference_is_an_acked_tick_before_the_baseline() {
    let mut stage = Stage::with_members(3);
    let mut parts = Vec::new();
    for x in 1..5 {
        stage.move_to(Slot(0), x);
        stage.tick();
        parts.push(first_part(&stage.ack(Slot(1))[0]).1);
    }
    let ticks = |part: &PartHeader| (part.baseline.is_some(), part.reference.is_some());
    let ticks: Vec<_> = parts.iter().map(ticks).collect();
    assert_eq!(ticks, [(false, false), (true, false), (true, true), (true, true)]);
    assert_eq!(parts[3].reference, parts[2].baseline);
    // A frame that was not acked is neither.
    stage.move_to(Slot(0), 9);
    stage.tick();
    stage.datagrams(Slot(1));
    stage.move_to(Slot(0), 10);
    stage.tick();
    let part = first_part(&stage.ack(Slot(1))[0]).1;
    assert_eq!(
        (part.baseline, part.reference),
        (parts[3].baseline.map(|tick| Tick(tick.0 + 1)), parts[3].baseline)
    );
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
    let sent = first_part(&first).0.tick;
    assert_eq!(baseline(&first), None);
    // An ack of an earlier membership of the same client, which held a tick that this one was never sent.
    let before = Tick(sent.0 - 1);
    stage.room.handle_ack(stage.now, Slot(1), &Ack { room: HANDLE, tick: before, parts: 1 });
    stage.move_to(Slot(0), 2);
    stage.tick();
    assert_eq!(baseline(stage.datagrams(Slot(1)).last().unwrap()), None);
    // Nor was it sent a tick in which only itself moved.
    stage.move_to(Slot(0), 9);
    stage.tick();
    stage.ack(Slot(1));
    stage.move_to(Slot(1), 1);
    stage.tick();
    let unsent = stage.room.tick;
    stage.room.handle_ack(stage.now, Slot(1), &Ack { room: HANDLE, tick: unsent, parts: 1 });
    stage.move_to(Slot(0), 3);
    stage.tick();
    stage.room.handle_ack(stage.now, Slot(1), &Ack { room: HANDLE, tick: unsent, parts: 1 });
    stage.move_to(Slot(0), 4);
    stage.tick();
    assert!(baseline(stage.datagrams(Slot(1)).last().unwrap()) < Some(unsent));
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

    let now = stage.now;
    let acks = stage.seats.get_mut(&viewer).unwrap().decode(now, &datagrams[..1]);
    assert_eq!(acks[0].parts & 1, 1, "{acks:?}");
    acks.iter().for_each(|ack| stage.room.handle_ack(now, viewer, ack));
    stage.move_to(Slot(0), 3);
    stage.tick();
    let frames = stage.datagrams(viewer);
    let last_tick = first_part(frames.last().unwrap()).0.tick;
    let last: Vec<Bytes> =
        frames.into_iter().filter(|frame| first_part(frame).0.tick == last_tick).collect();
    assert!(baseline(&last[0]).is_some(), "an acked part is a delta");
    assert_eq!(baseline(last.last().unwrap()), None, "each part for itself");
    let now = stage.now;
    let acks = stage.seats.get_mut(&viewer).unwrap().decode(now, &last);
    assert_eq!(acks.iter().fold(0, |parts, ack| parts | ack.parts), 0b1111);
    let position = stage.view(viewer).position(Slot(199));
    assert_eq!(position, Some(Position::xy(-(1 << 30), 1 << 29)));
}

#[test]
fn m4_only_parts_in_which_somebody_moved_are_sent() {
    let mut stage = Stage::with_members(130);
    stage.move_to(Slot(70), 1);
    stage.tick();
    let datagrams = stage.datagrams(Slot(0));
    let now = stage.now;
    let acks = stage.seats.get_mut(&Slot(0)).unwrap().decode(now, &datagrams);
    assert_eq!(acks.iter().map(|ack| ack.parts).collect::<Vec<_>>(), [0b10]);
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
    seat.client.handle_datagram(now, &late[0][1..]);
    let sent: Vec<Transmit> = std::iter::from_fn(|| seat.client.poll_transmit(now)).collect();
    assert!(matches!(sent[..], [Transmit::Control(_)]), "nothing but the leave: {sent:?}");
    assert_eq!(seat.client.poll_timeout(), None);
}

#[test]
fn what_a_client_samples_is_on_its_way_and_comes_to_rest() {
    let mut stage = Stage::with_members(2);
    let sample = |stage: &mut Stage, slot| {
        let now = stage.now;
        let client = &mut stage.seats.get_mut(&Slot(1)).unwrap().client;
        client.sample(now, HANDLE, Slot(slot)).map(|values| values[0])
    };
    assert_eq!(sample(&mut stage, 0), None, "it has not moved");
    for x in [0, 30, 60] {
        stage.move_to(Slot(0), x);
        stage.tick();
        stage.ack_all();
        // From the first answer on, more is known than the newest position.
        let expected = if x == 0 { 0.0 } else { 30.0 };
        assert_eq!(sample(&mut stage, 0), Some(expected));
    }
    stage.now = stage.now + stage.room.policy().tick_period();
    let half_way = sample(&mut stage, 0);
    assert!(half_way.is_some_and(|x| x > 30.0 && x < 60.0), "{half_way:?}");
    stage.now = stage.now + stage.room.policy().tick_period() * 3;
    assert_eq!(sample(&mut stage, 0), Some(60.0));
}
