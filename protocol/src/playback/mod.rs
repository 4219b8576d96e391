//! Playing motion: where each member is to be seen at a moment, from frames that come late, out of order or not at all.
//!
//! What a frame brings are places at ticks; a picture is drawn at any time between. [`Playback`] shows the past of a
//! tick and a half or more, as late as frames are, so that the curve through the points is mostly known when it is
//! shown. It is of the receiver alone: nothing of it is on the wire.

mod clock;
mod curve;

use std::collections::BTreeMap;

use clock::Clock;
use curve::Curve;

use crate::ids::{Generation, Slot, Tick};
use crate::limits::AXES_MAX;
use crate::message::control::MotionFormat;
use crate::motion::{Axis, Format, Place, Point};
use crate::time::Timestamp;

/// A jump of more of the application's units than this between two ticks is shown at once, and not drawn as a way.
pub const SNAP: f64 = 1000.0;

/// What a room's members look like while they move. A member that has moved takes 420 bytes.
#[derive(Debug)]
pub struct Playback {
    clock: Clock,
    space: Space,
    curves: BTreeMap<Slot, Curve>,
}

/// The axes of a room's positions.
#[derive(Debug)]
struct Space {
    axes: [Axis; AXES_MAX],
    /// How far a member jumps that is not drawn on its way, in steps.
    snaps: [f64; AXES_MAX],
}

impl Playback {
    /// Shows the motion of a room of this format.
    pub fn new(format: &MotionFormat) -> Self {
        // What a server says of its axes may be impossible; a view is of these, too.
        let Format { tick_hz, axes } = format.format();
        let step = |index: usize| format.axes.get(index).map_or(1.0, |axis| axis.step);
        let space = Space {
            axes: std::array::from_fn(|index| {
                axes.axes().get(index).copied().unwrap_or(Axis::OPEN)
            }),
            snaps: std::array::from_fn(|index| SNAP / step(index)),
        };
        Self { clock: Clock::new(tick_hz), space, curves: BTreeMap::new() }
    }

    /// A frame of this tick has come, in time's order; its points follow.
    pub fn handle_frame(&mut self, now: Timestamp, tick: Tick) {
        self.clock.handle_frame(now, tick);
    }

    /// The last frame says where a member is from its tick on. A point before the member's newest changes nothing.
    pub fn handle_point(&mut self, slot: Slot, point: Point) {
        let Some(Place { generation, position }) = point.place else { return self.forget(slot) };
        let tick = f64::from(point.tick.0);
        let values = position.axes().map(f64::from);
        let Self { clock, space, curves } = self;
        let curve = curves.get_mut(&slot);
        match curve.filter(|curve| curve.generation == generation) {
            Some(curve) => curve.handle_point(clock, space, tick, values),
            None => {
                curves.insert(slot, Curve::new(generation, tick, values));
            }
        }
    }

    /// The member of a slot is gone.
    pub fn forget(&mut self, slot: Slot) {
        self.curves.remove(&slot);
    }

    /// Where the member of this slot and generation is to be seen at `now`, in steps; axes that the room does not have
    /// are 0. `None` if no frame has said so. However often this is asked, and for whom, changes nothing.
    pub fn sample(
        &self,
        slot: Slot,
        generation: Generation,
        now: Timestamp,
    ) -> Option<[f64; AXES_MAX]> {
        let curve = self.curves.get(&slot).filter(|curve| curve.generation == generation.low())?;
        let values = curve.sample(&self.clock, self.clock.at(now));
        Some(std::array::from_fn(|axis| self.space.around(axis, values[axis])))
    }
}

impl Space {
    /// What leads from one value to another, the shorter way on an axis that wraps: curves count on beyond its ends.
    fn way(&self, axis: usize, from: f64, to: f64) -> f64 {
        let Axis { min, max, wraps } = self.axes[axis];
        let span = f64::from(max) - f64::from(min) + 1.0;
        let half = (span / 2.0).floor();
        let way = to - from;
        if wraps { way - ((way + half) / span).floor() * span } else { way }
    }

    /// A value that was counted on as one on the axis.
    fn around(&self, axis: usize, value: f64) -> f64 {
        let Axis { min, max, wraps } = self.axes[axis];
        let (min, max) = (f64::from(min), f64::from(max));
        let span = max - min + 1.0;
        if wraps { value - ((value - min) / span).floor() * span } else { value }
    }
}
