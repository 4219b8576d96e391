//! Where somebody rests: what is sent again to whom, and when (M11).

use super::*;

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
    for (round_trip, expected) in [(4, 16), (40, 44), (120, 124)] {
        let mut stage = Stage::with_members(2);
        stage.acked_moves(60, round_trip);
        let first = stage.first_repeat();
        assert!((expected - 1..=expected + 1).contains(&first), "{first} for {round_trip}");
    }
}

#[test]
fn m11_the_round_trip_is_a_mean_and_its_deviation_is_waited_for() {
    let mut stage = Stage::with_members(2);
    stage.acked_moves(60, 120);
    stage.acked_moves(40, 40);
    let first = stage.first_repeat();
    assert!((43..=47).contains(&first), "it has come down: {first}");
    let mut stage = Stage::with_members(2);
    stage.acked_moves(60, 40);
    stage.acked_moves(1, 120);
    let first = stage.first_repeat();
    assert!(
        (50..=58).contains(&first),
        "an ack that may be of the repeat moves it little: {first}"
    );
    stage.acked_moves(20, 40);
    let first = stage.first_repeat();
    assert!((43..=50).contains(&first), "for a while: {first}");
}

#[test]
fn m11_where_much_is_lost_the_first_repeat_does_not_wait_for_the_ack() {
    let mut stage = Stage::with_members(2);
    stage.acked_moves(60, 120);
    let frames_lost = [true, false, false, true, false];
    for (at, is_lost) in frames_lost.into_iter().cycle().take(20).enumerate() {
        stage.move_to(Slot(0), at as i32);
        stage.tick();
        stage.pass(120);
        if is_lost {
            stage.datagrams(Slot(1));
        }
        stage.ack(Slot(1));
    }
    let first = stage.first_repeat();
    assert!((15..=17).contains(&first), "{first}");
    stage.ack_all();
    stage.acked_moves(60, 120);
    let first = stage.first_repeat();
    assert!((119..=160).contains(&first), "nothing was lost of late: {first}");
}

#[test]
fn m11_a_viewer_that_does_not_answer_is_repeated_to_ever_more_seldom() {
    let mut stage = Stage::with_members(2);
    // Who was never heard of may not know yet that it has joined.
    for (was_heard, fast) in [(false, 58..=60), (true, 18..=20)] {
        stage.move_to(Slot(0), 5 + i32::from(was_heard));
        let times = stage.sends_within(Slot(1), 3_000);
        let pauses: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let count = pauses.iter().filter(|pause| **pause <= 17).count();
        assert!(fast.contains(&count), "{fast:?} frames: {pauses:?}");
        assert!(pauses[count + 1..].iter().all(|pause| *pause == 250), "{pauses:?}");
        // Not in time: it stays what it is.
        stage.move_to(Slot(0), 7 + i32::from(was_heard));
        let slow = stage.sends_within(Slot(1), 2_000);
        assert!(slow.len() < 20, "still silent: {slow:?}");
        stage.move_to(Slot(0), 9 + i32::from(was_heard));
        stage.tick();
        stage.pass(300);
        stage.ack_all();
    }
}

#[test]
fn m11_a_viewer_that_moves_is_there() {
    let mut stage = Stage::with_members(2);
    stage.move_to(Slot(0), 5);
    stage.sends_within(Slot(1), 1_000);
    stage.move_to(Slot(1), 1);
    let times = stage.sends_within(Slot(1), 300);
    assert!(times.len() > 15, "as to one that answers: {times:?}");
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
