//! Viewports: who comes into sight and goes out of it, what that costs, and that nothing of it is ever lost (M13).

use hither_protocol::message::control::AxisFormat;

use super::*;

/// 1,000 steps wide: whoever comes within 100 of it comes into sight, beyond 250 it goes.
pub(super) const WIDE: Viewport = Viewport { left: 0, top: -1_000, right: 1_000, bottom: 1_000 };

impl Stage {
    /// A stage whose slot 0 looks at [`WIDE`], and the others stand at these places on the first axis.
    fn looking(places: &[i32]) -> Self {
        let mut stage = Self::at_20_hz();
        for number in 0..=places.len() {
            stage.join(&number.to_string());
        }
        stage.tick();
        stage.look(WIDE);
        for (slot, x) in (1..).zip(places) {
            stage.move_to(Slot(slot), *x);
        }
        stage.tick();
        stage.ack_all();
        stage.told(Slot(0));
        stage
    }

    /// Slot 0 looks at a rectangle.
    pub(super) fn look(&mut self, viewport: Viewport) {
        self.room.handle_viewport(Slot(0), Some(viewport), None);
    }

    /// The slots that slot 0 sees, its own left out.
    pub(super) fn in_sight(&self) -> Vec<u16> {
        let view = self.view(Slot(0));
        let seen = view.members().filter(|member| view.position(member.slot).is_some());
        seen.map(|member| member.slot.0).filter(|slot| *slot != 0).collect()
    }

    /// Somebody goes somewhere, and slot 0 learns of it if it is to.
    fn go(&mut self, slot: u16, x: i32) {
        self.move_to(Slot(slot), x);
        self.tick();
        self.ack_all();
    }
}

#[test]
fn m13_who_is_in_the_viewport_is_seen_and_nobody_else() {
    let mut stage = Stage::looking(&[500, -5_000, 0, 1_000, 5_000]);
    assert_eq!(stage.in_sight(), [1, 3, 4]);
    assert_eq!(stage.view(Slot(0)).position(Slot(1)), Some(Position::xy(500, 0)));
    stage.go(1, 510);
    assert_eq!(stage.view(Slot(0)).position(Slot(1)), Some(Position::xy(510, 0)));
    assert_eq!(
        stage.view(Slot(1)).position(Slot(2)),
        Some(Position::xy(-5_000, 0)),
        "others see all"
    );
}

#[test]
fn m13_one_comes_into_sight_near_and_goes_out_of_it_far() {
    let mut stage = Stage::looking(&[1_101]);
    let seen: Vec<bool> = [1_100, 1_250, 1_251, 1_101, 1_100, 1_101]
        .into_iter()
        .map(|x| {
            stage.go(1, x);
            stage.in_sight() == [1]
        })
        .collect();
    assert_eq!(seen, [true, true, false, false, true, true]);
}

/// An angle of 360 steps: the rectangle goes over the seam, and so do its margins of 4 and 10.
#[test]
fn m13_on_an_axis_that_wraps_a_viewport_goes_over_the_seam() {
    let degrees = AxisFormat { min: 0, max: 359, wraps: true, ..AxisFormat::default() };
    let mut stage = Stage::new(RoomPolicy {
        motion: MotionFormat { axes: vec![degrees, AxisFormat::default()], ..at_hz(20) },
        ..RoomPolicy::default()
    });
    for number in 0..3 {
        stage.join(&number.to_string());
    }
    stage.tick();
    stage.look(Viewport { left: 340, right: 20, ..WIDE });
    let seen: Vec<bool> = [180, 24, 30, 31, 25, 335, 336, 0, 330, 329]
        .into_iter()
        .map(|x| {
            stage.go(1, x);
            stage.in_sight() == [1]
        })
        .collect();
    assert_eq!(seen, [false, true, true, false, false, false, true, true, true, false]);
    // Between the same ends the other way round lies the other side.
    stage.look(Viewport { left: 100, right: 260, ..WIDE });
    stage.go(2, 0);
    stage.go(1, 180);
    assert_eq!(stage.in_sight(), [1]);
}

#[test]
fn m13_going_out_of_sight_is_not_leaving() {
    let mut stage = Stage::looking(&[500, 600]);
    stage.go(1, 9_000);
    assert_eq!(stage.in_sight(), [2]);
    assert_eq!(stage.known(Slot(0)), [0, 1, 2], "still a member");
    assert!(stage.told(Slot(0)).is_empty(), "and no news of the control lane");
    stage.leave(Slot(2));
    stage.tick();
    stage.ack_all();
    assert_eq!(stage.diffs(Slot(0))[0].leaves, [Slot(2)]);
    assert_eq!((stage.known(Slot(0)), stage.in_sight()), (vec![0, 1], vec![]));
    stage.pass(100);
    assert_eq!(stage.room.poll_timeout(), None, "nothing more to say");
}

#[test]
fn m13_what_happens_out_of_sight_costs_nothing_and_neither_do_idle_members_in_sight() {
    let mut stage = Stage::looking(&[500, 600, 9_000]);
    for x in 1..20 {
        stage.move_to(Slot(3), 9_000 + x);
        stage.tick();
        assert!(stage.datagrams(Slot(0)).is_empty());
        stage.ack_all();
    }
    stage.pass(100);
    assert_eq!(stage.room.poll_timeout(), None);
    stage.move_to(Slot(1), 501);
    stage.tick();
    let bytes: usize = stage.datagrams(Slot(0)).iter().map(Bytes::len).sum();
    assert!(bytes < 20, "one entry: {bytes}");
}

#[test]
fn m13_who_is_followed_is_seen_wherever_it_is() {
    let mut stage = Stage::looking(&[9_000, 9_000]);
    stage.room.handle_viewport(Slot(0), Some(WIDE), Some(Slot(2)));
    stage.tick();
    stage.ack_all();
    assert_eq!(stage.in_sight(), [2]);
    stage.go(2, 50_000);
    assert_eq!(stage.view(Slot(0)).position(Slot(2)), Some(Position::xy(50_000, 0)));
    stage.look(WIDE);
    stage.tick();
    stage.ack_all();
    assert!(stage.in_sight().is_empty());
    stage.room.handle_viewport(Slot(0), Some(WIDE), Some(Slot(77)));
    stage.tick();
    assert!(stage.in_sight().is_empty(), "nobody is followed");
}

#[test]
fn m13_a_viewport_takes_effect_while_everybody_rests() {
    let mut stage = Stage::looking(&[500, 3_000]);
    let at = |left: i32| Viewport { left, right: left + 1_000, ..WIDE };
    let mut seen = Vec::new();
    for left in [2_500, 0, 700, 0] {
        stage.pass(100);
        assert_eq!(stage.room.poll_timeout(), None, "all is quiet");
        stage.look(at(left));
        stage.pass(100);
        stage.ack_all();
        seen.push(stage.in_sight());
    }
    assert_eq!(
        seen,
        [vec![2], vec![1], vec![1], vec![1]],
        "the margins hold for a move of the viewport"
    );
    stage.room.handle_viewport(Slot(0), None, None);
    stage.pass(100);
    stage.ack_all();
    assert_eq!(stage.in_sight(), [1, 2], "all of the room again");
    stage.look(at(2_500));
    stage.pass(100);
    stage.ack_all();
    stage.pass(100);
    assert_eq!(stage.in_sight(), [2]);
    assert_eq!(stage.room.poll_timeout(), None);
}

#[test]
fn m13_a_viewport_that_is_set_before_the_first_frame_holds_from_the_beginning() {
    let mut stage = Stage::looking(&[500, 3_000]);
    let late = stage.join("late");
    stage.room.handle_viewport(late, Some(WIDE), None);
    stage.tick();
    stage.ack_all();
    assert_eq!(stage.view(late).position(Slot(1)), Some(Position::xy(500, 0)));
    assert_eq!(stage.view(late).position(Slot(2)), None);
}

#[test]
fn m13_who_comes_and_goes_is_said_again_until_it_is_acked() {
    let mut stage = Stage::looking(&[500, 5_000]);
    for (slot, x) in [(1, 5_000), (2, 500)] {
        stage.move_to(Slot(slot), x);
        stage.tick();
        stage.datagrams(Slot(0));
    }
    stage.pass(100);
    assert!(!stage.datagrams(Slot(0)).is_empty(), "repeated");
    stage.pass(100);
    stage.ack_all();
    assert_eq!(stage.in_sight(), [2]);
    stage.pass(100);
    assert_eq!(stage.room.poll_timeout(), None);
}

#[test]
fn m13_who_went_out_of_sight_before_any_ack_is_taken_back_all_the_same() {
    let mut stage = Stage::at_20_hz();
    for name in ["viewer", "mover"] {
        stage.join(name);
    }
    stage.look(WIDE);
    stage.move_to(Slot(1), 500);
    stage.tick();
    let late = stage.datagrams(Slot(0));
    stage.move_to(Slot(1), 5_000);
    stage.tick();
    stage.datagrams(Slot(0));
    let now = stage.now;
    for ack in stage.seats.get_mut(&Slot(0)).unwrap().decode(now, &late) {
        stage.room.handle_ack(now, Slot(0), &ack);
    }
    stage.pass(500);
    stage.ack_all();
    assert!(stage.in_sight().is_empty());
}

#[test]
fn m13_who_went_out_of_sight_of_a_viewer_without_acks_for_long_is_taken_back_all_the_same() {
    let mut stage = Stage::looking(&[500, 5_000]);
    stage.move_to(Slot(1), 5_000);
    stage.tick();
    for x in 0..100 {
        // Others move far away, and nothing gets through.
        stage.move_to(Slot(2), 6_000 + x);
        stage.pass(50);
        stage.datagrams(Slot(0));
    }
    assert_eq!(stage.in_sight(), [1], "it can't know");
    stage.pass(300);
    stage.ack_all();
    assert!(stage.in_sight().is_empty());
}

#[test]
fn m13_a_repeat_says_what_its_tick_said_whatever_was_asked_meanwhile() {
    let elsewhere = Viewport { left: 4_500, right: 5_500, ..WIDE };
    for (viewport, seen) in [(Some(elsewhere), vec![2]), (None, vec![1, 2])] {
        let mut stage = Stage::looking(&[500, 5_000]);
        // Acks come at once, so that repeats come before the next tick.
        (0..40).for_each(|x| stage.go(1, 500 + x));
        stage.move_to(Slot(1), 600);
        stage.tick();
        let (tick, first) = (stage.room.tick, stage.datagrams(Slot(0)));
        stage.room.handle_viewport(Slot(0), viewport, None);
        stage.pass(45);
        let repeats = stage.datagrams(Slot(0));
        assert_eq!(stage.room.tick, tick);
        assert!(!repeats.is_empty() && repeats.iter().all(|repeat| *repeat == first[0]));
        let now = stage.now;
        for ack in stage.seats.get_mut(&Slot(0)).unwrap().decode(now, &first) {
            stage.room.handle_ack(now, Slot(0), &ack);
        }
        stage.pass(100);
        stage.ack_all();
        assert_eq!(stage.in_sight(), seen);
    }
}

#[test]
fn m13_who_looks_away_and_back_sees_what_is_in_sight_then() {
    let mut stage = Stage::looking(&[500, 5_000]);
    stage.room.handle_status(stage.now, Slot(0), Status::Away);
    for (slot, x) in [(1, 5_000), (2, 700), (2, 710)] {
        stage.go(slot, x);
    }
    assert_eq!(stage.in_sight(), [1], "nothing comes to who is away");
    stage.room.handle_status(stage.now, Slot(0), Status::Active);
    stage.pass(100);
    stage.ack_all();
    assert_eq!(stage.in_sight(), [2]);
    stage.move_to(Slot(2), 720);
    stage.tick();
    stage.room.handle_status(stage.now, Slot(0), Status::Away);
    stage.datagrams(Slot(0));
    (1..=2).for_each(|slot| drop(stage.ack(Slot(slot))));
    stage.pass(1_000);
    assert_eq!(stage.room.poll_timeout(), None, "nobody waits for its acks");
    stage.room.handle_status(stage.now, Slot(0), Status::Active);
    stage.pass(100);
    stage.ack_all();
    assert_eq!(stage.view(Slot(0)).position(Slot(2)), Some(Position::xy(720, 0)));
}

#[test]
fn m13_who_sets_a_viewport_while_away_is_told_what_it_missed_before() {
    let mut stage = Stage::at_20_hz();
    for name in ["viewer", "mover"] {
        stage.join(name);
    }
    stage.go(1, 100);
    stage.room.handle_status(stage.now, Slot(0), Status::Away);
    stage.go(1, 200);
    stage.look(WIDE);
    stage.pass(100);
    stage.room.handle_status(stage.now, Slot(0), Status::Active);
    stage.pass(100);
    stage.ack_all();
    assert_eq!(stage.view(Slot(0)).position(Slot(1)), Some(Position::xy(200, 0)));
}

#[test]
fn m13_a_slot_that_is_somebody_elses_when_it_comes_back_into_sight_is_theirs() {
    let mut stage = Stage::looking(&[500]);
    stage.go(1, 9_000);
    stage.leave(Slot(1));
    stage.tick();
    stage.pass(60_000);
    let next = stage.join("next");
    assert_eq!(next, Slot(1), "the slot is given again");
    stage.tick();
    assert!(stage.in_sight().is_empty(), "who is new has not been anywhere");
    stage.go(1, 400);
    assert_eq!(stage.view(Slot(0)).position(next), Some(Position::xy(400, 0)));
    stage.leave(next);
    stage.pass(60_000);
    stage.ack_all();
    assert_eq!(stage.join("another"), Slot(1));
    stage.go(1, 300);
    assert_eq!(stage.view(Slot(0)).position(Slot(1)), Some(Position::xy(300, 0)));
}

#[test]
fn m13_after_a_long_pause_motion_goes_on() {
    let mut stage = Stage::looking(&[500, 600]);
    stage.pass(600_000);
    for (slot, x) in [(1, 510), (2, 610), (1, 520), (2, 9_000), (2, 600)] {
        stage.go(slot, x);
        stage.pass(3_000);
    }
    assert_eq!(stage.view(Slot(0)).position(Slot(1)), Some(Position::xy(520, 0)));
    assert_eq!(stage.view(Slot(0)).position(Slot(2)), Some(Position::xy(600, 0)));
}

#[test]
fn m13_a_viewport_that_is_cleared_and_set_at_once_leaves_nobody_behind() {
    let mut stage = Stage::looking(&[500; 80]);
    assert_eq!(stage.in_sight().len(), 80);
    stage.room.handle_viewport(Slot(0), None, None);
    stage.look(Viewport { left: 7_000, right: 8_000, ..WIDE });
    stage.pass(200);
    stage.ack_all();
    assert!(stage.in_sight().is_empty(), "{:?}", stage.in_sight());
}

#[test]
fn m13_momentum_is_of_ticks_that_both_ends_still_know() {
    for tick_hz in [20, 60, 250] {
        let mut stage = Stage::new(RoomPolicy { motion: at_hz(tick_hz), ..RoomPolicy::default() });
        for name in ["viewer", "one", "other"] {
            stage.join(name);
        }
        stage.look(WIDE);
        for step in 0..200 {
            // One moves on and on, one comes into sight and goes out of it, and acks come now and then.
            let in_sight = step / 3 % 2 == 0;
            let places =
                [100 + step % 7 * 90 + step, if in_sight { 900 - step } else { 5_000 + step }];
            (1..).zip(places).for_each(|(slot, x)| stage.move_to(Slot(slot), x));
            stage.tick();
            let datagrams = stage.datagrams(Slot(0));
            let now = stage.now;
            let acks = stage.seats.get_mut(&Slot(0)).unwrap().decode(now, &datagrams);
            for ack in acks.iter().filter(|_| step % 5 < 3) {
                stage.room.handle_ack(now, Slot(0), ack);
            }
            let seen = [1, 2].map(|slot| stage.view(Slot(0)).position(Slot(slot)));
            let expected = [Some(places[0]), in_sight.then_some(places[1])];
            assert_eq!(seen, expected.map(|x| x.map(|x| Position::xy(x, 0))), "{tick_hz}, {step}");
        }
        let counters = stage.seats[&Slot(0)].client.counters();
        assert_eq!((counters.datagrams_unusable, counters.frames_unusable), (0, 0));
    }
}

#[test]
fn m5_a_baseline_is_not_older_than_what_is_kept_when_acks_are_missing() {
    for missing in 28..=36 {
        let mut stage = Stage::looking(&[500, 501]);
        for x in 0..missing {
            stage.move_to(Slot(1), 600 + x);
            stage.move_to(Slot(2), 600 - x);
            // It is there, so it is sent every tick.
            stage.move_to(Slot(0), x);
            stage.pass(50);
            stage.datagrams(Slot(0));
        }
        stage.move_to(Slot(1), 900);
        stage.tick();
        stage.ack(Slot(0));
        let seen = [1, 2].map(|slot| stage.view(Slot(0)).position(Slot(slot)));
        let expected = [900, 601 - missing].map(|x| Some(Position::xy(x, 0)));
        assert_eq!(seen, expected, "after {missing} frames");
    }
}
