//! Viewers and rooms that can't keep up: fewer frames, the newest of them, and at rest exactly right (M14).

use super::*;

impl Stage {
    /// Slot 0 and a mover.
    fn with_mover() -> Self {
        let mut stage = Self::at_20_hz();
        stage.join("viewer");
        stage.join("mover");
        stage.tick();
        stage
    }

    /// The mover moves in each tick for so many milliseconds, and slot 0 decodes and acks each datagram `late(now)`
    /// milliseconds after it was sent. Returns when slot 0 was sent what.
    fn moves_acked_late(&mut self, ms: u64, late: impl Fn(u64) -> Option<u64>) -> Vec<u64> {
        let (mut sent, mut under_way) = (Vec::new(), VecDeque::new());
        let start = self.now;
        for at in 0..ms {
            if at % 50 == 0 {
                self.move_to(Slot(1), at as i32 + 1);
            }
            self.pass(1);
            self.datagrams(Slot(1));
            for datagram in self.datagrams(Slot(0)) {
                sent.push(self.now.since(start).as_millis() as u64);
                under_way.extend(late(at).map(|late| (at + late, datagram)));
            }
            while let Some((_, datagram)) = under_way.pop_front_if(|(due, _)| *due <= at) {
                let now = self.now;
                for ack in self.seats.get_mut(&Slot(0)).unwrap().decode(now, &[datagram]) {
                    self.room.handle_ack(now, Slot(0), &ack);
                }
            }
        }
        sent
    }

    fn mover_at(&self) -> Option<i32> {
        self.view(Slot(0)).position(Slot(1)).map(|position| position.x())
    }
}

#[test]
fn m14_a_viewer_that_does_not_answer_is_sent_a_frame_in_250_ms_and_then_the_newest() {
    let mut stage = Stage::with_mover();
    let sent = stage.moves_acked_late(3_000, |_| None);
    let slow: Vec<u64> = sent.iter().copied().filter(|at| *at > 1_300).collect();
    let pauses: Vec<u64> = slow.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.iter().all(|pause| (249..=251).contains(pause)), "{sent:?}");
    assert!(stage.room.take_counters().frames_paced > 25);
    // It answers again, and is sent every tick from then on.
    let sent = stage.moves_acked_late(1_000, |_| Some(0));
    assert!(sent.len() >= 15, "{sent:?}");
    stage.pass(50);
    stage.ack(Slot(0));
    assert_eq!(stage.mover_at(), Some(951));
}

#[test]
fn m14_a_viewer_whose_acks_come_ever_later_is_sent_fewer_frames_and_the_newest_of_them() {
    let mut stage = Stage::with_mover();
    let before = stage.moves_acked_late(2_000, |_| Some(30));
    assert_eq!(stage.room.take_counters().frames_paced, 0, "nothing wrong with 30 ms");
    let queued = stage.moves_acked_late(4_000, |at| Some(30 + at / 4));
    assert!(stage.room.take_counters().frames_paced > 10);
    let late = |sent: &[u64]| sent.iter().filter(|at| **at > 2_000).count();
    assert!(before.len() >= 39 && late(&queued) < 25, "{} {queued:?}", before.len());
    // The queue is gone.
    let after = stage.moves_acked_late(2_000, |_| Some(30));
    assert!(after.iter().filter(|at| **at > 1_000).count() >= 19, "{after:?}");
    stage.pass(500);
    stage.ack(Slot(0));
    assert_eq!(stage.mover_at(), Some(1_951));
}

#[test]
fn m14_a_path_that_is_long_from_the_beginning_is_not_congested() {
    let mut stage = Stage::with_mover();
    let sent = stage.moves_acked_late(5_000, |_| Some(400));
    assert_eq!((stage.room.take_counters().frames_paced, sent.len() >= 100), (0, true), "{sent:?}");
}

#[test]
fn m14_a_silent_viewer_that_lacks_nothing_any_more_is_left_alone() {
    let mut stage = Stage::with_mover();
    stage.join("other");
    stage.moves_acked_late(1_000, |_| None);
    stage.leave(Slot(1));
    stage.pass(2_000);
    stage.ack(Slot(2));
    stage.pass(10_000);
    assert_eq!(stage.room.poll_timeout(), None);
    // When there is something again it is not taken to be silent still.
    stage.datagrams(Slot(0));
    stage.move_to(Slot(2), 5);
    stage.pass(150);
    assert!(stage.datagrams(Slot(0)).len() >= 4, "repeated at once");
}

#[test]
fn m14_an_ack_that_is_missing_of_what_was_known_anyway_makes_nobody_silent() {
    let mut stage = Stage::new(RoomPolicy { motion: at_hz(250), ..RoomPolicy::default() });
    stage.join("viewer");
    stage.join("mover");
    stage.move_to(Slot(1), 1);
    stage.tick();
    let first = stage.datagrams(Slot(0));
    // A tick for another reason says the same again, and the ack of that is lost.
    stage.room.handle_presence(Slot(1), padded(1)).unwrap();
    stage.tick();
    assert_eq!(stage.datagrams(Slot(0)).len(), 1);
    let now = stage.now;
    for ack in stage.seats.get_mut(&Slot(0)).unwrap().decode(now, &first) {
        stage.room.handle_ack(now, Slot(0), &ack);
    }
    stage.pass(10_000);
    stage.datagrams(Slot(0));
    for x in 2..50 {
        stage.move_to(Slot(1), x);
        stage.pass(4);
    }
    assert_eq!(stage.room.take_counters().frames_paced, 0, "200 ms may be its round trip");
}

#[test]
fn m14_a_room_that_overruns_its_ticks_leaves_some_out() {
    let mut stage = Stage::with_mover();
    let mut ticks = Vec::new();
    for step in 0..10 {
        stage.move_to(Slot(1), step);
        stage.tick();
        stage.ack(Slot(0));
        ticks.push(stage.room.tick.0);
        let took = if step < 5 { 45 } else { 1 };
        stage.room.handle_tick_took(Duration::from_millis(took));
    }
    let strides: Vec<u32> = ticks.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(strides, [2, 2, 2, 2, 2, 1, 1, 1, 1]);
    assert_eq!(stage.room.take_counters().ticks_skipped, 5);
    assert_eq!(stage.mover_at(), Some(9));
}
