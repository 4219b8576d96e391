//! A mouse whose every position is decided by its seed, on any machine. It stands apart from the load generator's,
//! which moves more like people, as what is counted must need nothing but core and protocol.

use hither_protocol::motion::Position;

/// Pixels of the screen that the mice share.
const SCREEN: (f64, f64) = (1_920.0, 1_080.0);

/// One mouse. It goes to a target by a minimum-jerk course (Flash and Hogan, 1985), rests, and goes on, all within 300
/// pixels around its home.
#[derive(Debug)]
pub struct Mouse {
    random: u64,
    home: (f64, f64),
    from: (f64, f64),
    to: (f64, f64),
    start: u32,
    /// Ticks that the way takes.
    moving: u32,
    /// The tick at which the rest is over.
    end: u32,
}

impl Mouse {
    /// A mouse at rest somewhere on the screen.
    pub fn new(seed: u64) -> Self {
        let home = (0.0, 0.0);
        let mut mouse =
            Self { random: seed, home, from: home, to: home, start: 0, moving: 1, end: 1 };
        mouse.home = (mouse.up_to(SCREEN.0), mouse.up_to(SCREEN.1));
        (mouse.from, mouse.to) = (mouse.home, mouse.home);
        mouse.end += mouse.up_to(40.0) as u32;
        mouse
    }

    /// Where it is at a tick. Ticks must not fall from call to call: a way that is over is forgotten.
    pub fn at(&mut self, tick: u32) -> Position {
        while tick >= self.end {
            self.turn();
        }
        let s = f64::from((tick - self.start).min(self.moving)) / f64::from(self.moving);
        let done = s * s * s * (10.0 - 15.0 * s + 6.0 * s * s);
        let along = |from: f64, to: f64| (from + done * (to - from)) as i32;
        Position::xy(along(self.from.0, self.to.0), along(self.from.1, self.to.1))
    }

    /// Chooses the next target.
    fn turn(&mut self) {
        let aside = |value: f64, by: f64, size: f64| (value + by - 300.0).clamp(0.0, size - 1.0);
        self.from = self.to;
        let (x, y) = (self.up_to(600.0), self.up_to(600.0));
        self.to = (aside(self.home.0, x, SCREEN.0), aside(self.home.1, y, SCREEN.1));
        self.start = self.end;
        self.moving = 10 + self.up_to(20.0) as u32;
        self.end = self.start + self.moving + 5 + self.up_to(40.0) as u32;
    }

    /// A number below `end`, by SplitMix64.
    fn up_to(&mut self, end: f64) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        end * (mixed >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_in_five_move_as_recorded_mice_do() {
        let mut moved = 0;
        for seed in 0..100 {
            let mut mouse = Mouse::new(seed);
            let walk: Vec<Position> = (0..1_000).map(|tick| mouse.at(tick)).collect();
            moved += walk.windows(2).filter(|pair| pair[0] != pair[1]).count();
        }
        assert!((38_000..42_000).contains(&moved), "{moved} of 100,000");
    }
}
