//! One slot's motion: what came since the tick, and where it was before. Between the samples and the frames, so that
//! neither has to know the other.

use hither_protocol::motion::{Change, Place, Point, Position, Track};
use hither_protocol::{Generation, Tick};

/// A slot's motion.
#[derive(Debug, Default)]
pub(super) struct Mover {
    /// Whose it is now, if it is anybody's.
    pub(super) generation: Option<Generation>,
    /// The number of its newest sample.
    pub(super) number: Option<u32>,
    /// Its newest position, until the tick.
    pub(super) pending: Option<Position>,
    /// Where it was, tick by tick; it outlives its member, since viewers still hold ticks in which it was there.
    pub(super) track: Track,
}

impl Mover {
    /// Somebody has the slot from now on, or somebody's new connection, whose samples are numbered anew (S4).
    pub(super) fn begin(&mut self, generation: Generation) {
        self.number = None;
        if self.generation != Some(generation) {
            (self.generation, self.pending) = (Some(generation), None);
        }
    }

    /// Nobody has it any more.
    pub(super) fn end(&mut self) {
        (self.generation, self.number, self.pending) = (None, None, None);
    }

    /// Moves what waits into the track; true if somebody is elsewhere now, or gone.
    pub(super) fn drain(&mut self, tick: Tick) -> bool {
        let latest = self.track.latest().and_then(|point| point.place);
        let place = match (self.generation, self.pending.take()) {
            (None, _) => None,
            (Some(generation), Some(position)) => {
                Some(Place { generation: generation.low(), position })
            }
            (Some(_), None) => return false,
        };
        if place != latest {
            self.track.record(Point { tick, place });
        }
        place != latest
    }

    /// Where it is, as of the last tick.
    pub(super) fn place(&self) -> Option<Place> {
        self.track.latest()?.place
    }
}

/// What there is to say of a slot that a viewer had at `base` and that has been at `now` since then; the caller knows
/// that something happened in between.
pub(super) fn change(base: Option<&Place>, now: Option<Place>) -> Option<Change> {
    match (base, now) {
        (Some(base), Some(now)) if base.generation == now.generation => {
            Some(Change::Moved(now.position))
        }
        (_, Some(now)) => Some(Change::Appeared(now)),
        (Some(_), None) => Some(Change::Vanished),
        (None, None) => None,
    }
}
