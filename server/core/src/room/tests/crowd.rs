//! A viewport with more in it than a datagram holds, or than one part has: what is said first, and that all of it is
//! said in the end (M5, M13).

use super::interest::WIDE;
use super::*;

impl Stage {
    /// A stage with so many others, who all are about to come into the sight of slot 0, and see nothing themselves.
    fn crowded(others: u16) -> Self {
        let mut stage = Self::at_20_hz();
        for number in 0..=others {
            stage.join(&number.to_string());
        }
        while stage.page(Slot(0)) {}
        stage.look(WIDE);
        for slot in 1..=others {
            stage.room.handle_status(stage.now, Slot(slot), Status::Away);
        }
        stage.tick();
        for slot in 1..=others {
            stage.move_to(Slot(slot), i32::from(slot));
        }
        stage
    }

    /// Half a second, in which slot 0 comes to know what there is.
    fn settle(&mut self) {
        for _ in 0..10 {
            self.pass(50);
            self.ack(Slot(0));
        }
    }

    /// Where slot 0 sees everybody.
    fn places(&self, others: u16) -> Vec<Option<Position>> {
        (0..=others).map(|slot| self.view(Slot(0)).position(Slot(slot))).collect()
    }
}

#[test]
fn m13_more_members_than_a_datagram_holds_come_one_datagram_a_tick_and_nobody_is_left_out() {
    let mut stage = Stage::crowded(600);
    let mut ticks = 0;
    while stage.in_sight().len() < 600 {
        stage.tick();
        assert_eq!(stage.ack(Slot(0)).len(), 1, "after {ticks} ticks");
        ticks += 1;
        assert!(ticks < 10, "{} are in sight", stage.in_sight().len());
    }
    assert!(ticks > 2, "they do not fit one datagram");
}

#[test]
fn m13_of_more_moves_than_a_datagram_holds_everybodys_turn_comes() {
    let mut stage = Stage::crowded(600);
    stage.settle();
    let place = |slot: u16, step: i32| (i32::from(slot) * 7 + step * 331) % 1_000;
    let mut told = vec![0; 601];
    let mut datagrams = 0;
    for step in 0..40 {
        let before = stage.places(600);
        (1..=600).for_each(|slot| stage.move_to(Slot(slot), place(slot, step)));
        stage.tick();
        datagrams += stage.ack(Slot(0)).len();
        let news = stage.places(600).into_iter().zip(before).map(|(now, then)| now != then);
        told.iter_mut().zip(news).for_each(|(told, news)| *told += i32::from(news));
    }
    assert!(datagrams <= 43, "one a tick, but for the first of such wild ones: {datagrams}");
    assert!(told[1..].iter().all(|count| *count >= 8), "{told:?}");
    for _ in 0..5 {
        stage.pass(50);
        stage.ack(Slot(0));
    }
    for (slot, position) in stage.places(600).into_iter().enumerate().skip(1) {
        assert_eq!(position, Some(Position::xy(place(slot as u16, 39), 0)), "slot {slot} at rest");
    }
}

#[test]
fn m13_whom_it_follows_takes_no_room_while_its_ack_is_waited_for() {
    let mut stage = Stage::crowded(600);
    stage.room.handle_viewport(Slot(0), Some(WIDE), Some(Slot(1)));
    stage.settle();
    assert_eq!(stage.in_sight().len(), 600);
    stage.move_to(Slot(1), 500);
    stage.tick();
    assert_eq!(stage.datagrams(Slot(0)).len(), 1, "it is under way");
    let before = stage.places(600);
    (1..=600).for_each(|slot| stage.move_to(Slot(slot), (i32::from(slot) * 331) % 1_000));
    stage.tick();
    stage.ack(Slot(0));
    let told = stage.places(600).into_iter().zip(before).filter(|(now, then)| now != then).count();
    assert!(told > 100, "{told} of 600");
}

#[test]
fn m5_what_a_viewer_knows_of_itself_outlives_any_time_in_which_its_part_is_not_sent() {
    for ticks in [20, 40, 80] {
        let mut stage = Stage::crowded(100);
        stage.pass(500);
        stage.ack_all();
        for x in 0..=ticks {
            stage.move_to(Slot(0), x);
            stage.move_to(Slot(if x < ticks { 100 } else { 1 }), 700 + x);
            stage.tick();
            let bytes: usize = stage.ack(Slot(0)).iter().map(Bytes::len).sum();
            assert!(bytes < 40, "{bytes} bytes are more than what is new, after {x} ticks");
        }
        let seen = stage.view(Slot(0)).position(Slot(1));
        assert_eq!(seen, Some(Position::xy(700 + ticks, 0)), "after {ticks} ticks");
        let client = &stage.seats[&Slot(0)].client;
        assert_eq!(client.counters().frames_unusable, 0, "after {ticks} ticks");
    }
}
