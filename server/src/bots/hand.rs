//! The hand of a bot: it moves as people move a mouse, from target to target with rests between. Apart from the bot, as
//! it is a function of a seed and the time.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// The side of the square that the demo page shows, in steps from 0.
pub(super) const SPACE: i32 = 2_000;
/// How near to its border a hand goes.
const MARGIN: f64 = 40.0;
/// A rest takes 0 to this many times as long as the movement before it, so that two hands of five move at a time.
const REST_MAX: f64 = 3.0;

type Point = (f64, f64);

/// One hand. Times are seconds from its beginning.
#[derive(Debug)]
pub(super) struct Hand {
    rng: StdRng,
    from: Point,
    to: Point,
    started_at: f64,
    moving_for: f64,
    /// When the next movement begins.
    rests_until: f64,
}

impl Hand {
    /// A hand at rest somewhere, about to move. The seed decides all that it does.
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let at = anywhere(&mut rng);
        let rests_until = rng.random_range(0.0..2.0);
        Self { rng, from: at, to: at, started_at: 0.0, moving_for: 1.0, rests_until }
    }

    /// Where it is, within the space. Times must not fall from call to call: a movement that is over is forgotten.
    pub(super) fn position_at(&mut self, time: f64) -> (i32, i32) {
        while time >= self.rests_until {
            self.set_out();
        }
        let s = ((time - self.started_at) / self.moving_for).clamp(0.0, 1.0);
        // Minimum jerk: how people's hands go between two points.
        let done = s * s * s * (10.0 - 15.0 * s + 6.0 * s * s);
        let along = |from: f64, to: f64| (from + done * (to - from)).round() as i32;
        (along(self.from.0, self.to.0), along(self.from.1, self.to.1))
    }

    fn set_out(&mut self) {
        self.from = self.to;
        self.to = self.next_target();
        let distance = (self.to.0 - self.from.0).hypot(self.to.1 - self.from.1);
        self.started_at = self.rests_until;
        // After Fitts' law: twice as far takes one unit longer, not twice as long.
        self.moving_for = 0.2 + 0.2 * (1.0 + distance / 40.0).log2();
        let rest = self.moving_for * self.rng.random_range(0.0..REST_MAX);
        self.rests_until = self.started_at + self.moving_for + rest;
    }

    /// Mostly a place nearby, now and then any.
    fn next_target(&mut self) -> Point {
        if self.rng.random_bool(0.2) {
            return anywhere(&mut self.rng);
        }
        let rng = &mut self.rng;
        let near = |at: f64, by: f64| (at + by).clamp(MARGIN, f64::from(SPACE) - MARGIN);
        let (x, y) = (rng.random_range(-400.0..400.0), rng.random_range(-400.0..400.0));
        (near(self.from.0, x), near(self.from.1, y))
    }
}

fn anywhere(rng: &mut StdRng) -> Point {
    let range = MARGIN..f64::from(SPACE) - MARGIN;
    (rng.random_range(range.clone()), rng.random_range(range))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(seed: u64) -> Vec<(i32, i32)> {
        let mut hand = Hand::new(seed);
        (0..60 * 120).map(|look| hand.position_at(f64::from(look) / 60.0)).collect()
    }

    #[test]
    fn the_seed_decides() {
        assert_eq!(walk(7), walk(7));
        assert_ne!(walk(7), walk(8));
    }

    #[test]
    fn it_stays_within_the_space_and_jumps_nowhere() {
        for seed in 0..20 {
            let walk = walk(seed);
            assert!(walk.iter().all(|(x, y)| (0..SPACE).contains(x) && (0..SPACE).contains(y)));
            let steps = walk
                .windows(2)
                .map(|pair| (pair[0].0 - pair[1].0).abs().max((pair[0].1 - pair[1].1).abs()));
            assert!(steps.max() < Some(100));
        }
    }

    #[test]
    fn two_hands_of_five_move_at_a_time() {
        let (mut moved, mut looks) = (0, 0);
        for seed in 0..50 {
            let walk = walk(seed);
            moved += walk.windows(2).filter(|pair| pair[0] != pair[1]).count();
            looks += walk.len();
        }
        let part = moved as f64 / looks as f64;
        assert!((0.33..0.43).contains(&part), "{part} of the hands move");
    }
}
