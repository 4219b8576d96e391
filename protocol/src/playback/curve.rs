//! Where one member is to be seen at each moment: a curve through its last points.
//!
//! Between points it is a cubic Hermite spline whose tangent at a point is the slope of the way to it, so that a new
//! point changes nothing of the way to the one before, which is being shown. Where a way begins, its tangent is limited
//! to the monotone region of Fritsch and Carlson ("Monotone Piecewise Cubic Interpolation", SIAM J. Numer. Anal. 17,
//! 1980): the curve leaves the range of its two neighbours on no axis. Behind the newest point it runs on for a moment
//! if the next one is late, and comes back. A late point that changes what is shown does so within a tick.

use super::Space;
use super::clock::{Clock, NEVER};
use crate::limits::AXES_MAX;

/// Points that are kept: of the most that the clock lies behind, and those beside them.
const KNOTS: usize = 8;
/// A longer gap between two points, in ticks, is rest and no lost frame.
const LOST_MAX: f64 = 3.0;
/// Who rests for so long, in milliseconds, is not drawn to where it is next, but shown there.
const ABSENT_MS: f64 = 1000.0;
/// How long before its time a member leaves for where it is just shown, in ticks.
const AT_ONCE: f64 = 1.0 / 1024.0;
/// How long a curve runs on behind its newest point until it is back there, in ticks.
const RUN: f64 = 2.0;
/// How long what is shown takes to become what a new point says, in ticks.
const BLEND: f64 = 1.0;

/// The steepest tangent with which a monotone way begins, as a multiple of its slope.
const STEEPEST: f64 = 3.0;

type Values = [f64; AXES_MAX];

/// A member's last points, in the order of their ticks.
#[derive(Debug)]
pub(super) struct Curve {
    /// The low byte of the member's generation.
    pub(super) generation: u8,
    knots: [Knot; KNOTS],
    count: usize,
    /// Whether it runs on behind the newest point.
    runs: bool,
    /// What was shown when the newest point came, less what the curve says since then.
    error: Values,
    changed: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Knot {
    tick: f64,
    values: Values,
}

impl Curve {
    pub(super) fn new(generation: u8, tick: f64, values: Values) -> Self {
        let mut curve = Self {
            generation,
            knots: [Knot::default(); KNOTS],
            count: 0,
            runs: false,
            error: [0.0; AXES_MAX],
            changed: NEVER,
        };
        curve.put(tick, values);
        curve
    }

    /// Takes a point of the clock's last frame; nothing if it has a newer one.
    pub(super) fn handle_point(
        &mut self,
        clock: &mut Clock,
        space: &Space,
        tick: f64,
        values: Values,
    ) {
        let newest = *self.newest();
        let gap = tick - newest.tick;
        if gap <= 0.0 {
            return;
        }
        let shown = self.sample(clock, clock.shown());
        // A frame without it, or a time that no loss explains, says that it was at rest until the tick before.
        let rested = clock.newest_before() > newest.tick || gap > LOST_MAX;
        let way = |axis: usize| space.way(axis, newest.values[axis], values[axis]);
        let ways: Values = std::array::from_fn(way);
        let values: Values = std::array::from_fn(|axis| newest.values[axis] + ways[axis]);
        let is_far = ways.iter().zip(space.snaps).any(|(way, snap)| way.abs() > snap);
        let snaps = is_far || gap > clock.ticks_in(ABSENT_MS);
        let leaves = tick - if snaps { AT_ONCE } else { 1.0 };
        if (rested || snaps) && leaves > newest.tick {
            self.put(leaves, newest.values);
        }
        self.put(tick, values);
        let has_moved = newest.values != values;
        self.runs = has_moved && !snaps && clock.is_crowded();
        self.changed = if snaps { NEVER } else { clock.shown() };
        // What is shown becomes the curve, from where it was.
        let now = self.curve(clock, clock.shown());
        self.error = std::array::from_fn(|axis| shown[axis] - now[axis]);
        if has_moved {
            clock.handle_move();
        }
    }

    /// Where it is to be seen at a tick time.
    pub(super) fn sample(&self, clock: &Clock, time: f64) -> Values {
        let mut values = self.curve(clock, time);
        let left = 1.0 - (time - self.changed) / BLEND;
        if left > 0.0 {
            let part = left * left * (3.0 - 2.0 * left);
            values.iter_mut().zip(self.error).for_each(|(value, error)| *value += error * part);
        }
        values
    }

    fn curve(&self, clock: &Clock, time: f64) -> Values {
        let next = self.knots().partition_point(|knot| knot.tick <= time);
        match next {
            0 => self.knots[0].values,
            _ if next < self.count => {
                std::array::from_fn(|axis| self.between_knots(next - 1, axis, time))
            }
            _ => self.behind_newest(clock, time),
        }
    }

    fn between_knots(&self, index: usize, axis: usize, time: f64) -> f64 {
        let [from, to] = [&self.knots[index], &self.knots[index + 1]];
        let length = to.tick - from.tick;
        let part = (time - from.tick) / length;
        let way = to.values[axis] - from.values[axis];
        let before = if index > 0 { self.slope(index - 1, axis) * length } else { 0.0 };
        let leaving = if way > 0.0 {
            before.clamp(0.0, STEEPEST * way)
        } else {
            before.clamp(STEEPEST * way, 0.0)
        };
        from.values[axis] + part * (leaving + part * (way - leaving) * (2.0 - part))
    }

    fn behind_newest(&self, clock: &Clock, time: f64) -> Values {
        let newest = self.newest();
        let late = time - newest.tick;
        if !self.runs || late >= RUN || !clock.was_overrun(newest.tick) {
            return newest.values;
        }
        let rest = 1.0 - late / RUN;
        let reach = late * rest * rest;
        std::array::from_fn(|axis| newest.values[axis] + self.slope(self.count - 2, axis) * reach)
    }

    /// The slope from a knot to the next, in steps a tick.
    fn slope(&self, index: usize, axis: usize) -> f64 {
        let [from, to] = [&self.knots[index], &self.knots[index + 1]];
        (to.values[axis] - from.values[axis]) / (to.tick - from.tick)
    }

    fn knots(&self) -> &[Knot] {
        &self.knots[..self.count]
    }

    /// There is one from the beginning.
    fn newest(&self) -> &Knot {
        &self.knots[self.count - 1]
    }

    fn put(&mut self, tick: f64, values: Values) {
        if self.count == KNOTS {
            self.knots.rotate_left(1);
            self.count -= 1;
        }
        self.knots[self.count] = Knot { tick, values };
        self.count += 1;
    }
}
