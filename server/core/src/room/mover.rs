//! One slot's motion: what came since the tick, and where it was before. Between the samples and the frames, so that
//! neither has to know the other.

use hither_protocol::motion::{Point, Position, Track};
use hither_protocol::{Generation, Tick};

/// A slot's motion.
#[derive(Debug, Default)]
pub(super) struct Mover {
    pub(super) generation: Option<Generation>,
    /// The number of its newest sample.
    pub(super) number: Option<u32>,
    /// Its newest position, until the tick.
    pub(super) pending: Option<Position>,
    /// Where it was, tick by tick.
    pub(super) track: Track,
}

impl Mover {
    /// Where it is, as of the last tick.
    pub(super) fn latest(&self) -> Option<&Point> {
        self.track.latest()
    }

    /// Where it was at a tick.
    pub(super) fn at(&self, tick: Tick) -> Option<&Point> {
        self.track.at(tick)
    }
}
