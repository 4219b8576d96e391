//! What a viewer was not told yet: how much it matters, and about what it costs to say. Apart from who is in sight, so
//! that what is left out when a datagram is full is decided in one place.

use hither_protocol::Slot;
use hither_protocol::motion::{Axes, Place};

use super::rectangle::Rectangle;

/// About what it costs to say that a member went, in bits.
const VANISHED_BITS: u32 = 12;
/// How far from the middle of the viewport a member is taken to be that went, in eighths of its size.
const VANISHED_DISTANCE: u64 = 6;

/// One slot of which the viewer was not told where it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct News {
    /// What matters more is greater, and said first.
    pub(super) urgency: u64,
    /// Whose it is, as a place among those whom the viewer sees.
    pub(super) index: usize,
    /// What it adds to the frame, in bits.
    pub(super) bits: u32,
    /// Whether what was said of it before is under way, so that its ack can be waited for.
    pub(super) can_wait: bool,
}

/// What somebody looks at, and whom it follows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Look {
    pub(super) rectangle: Rectangle,
    pub(super) follow: Option<Slot>,
}

impl Look {
    /// How much it matters to say where a slot is: by how many ticks nothing new was said of it, so that everybody's
    /// turn comes, by how far it is from where the viewer has it, and by how near it is to the middle of the viewport.
    pub(super) fn urgency(
        &self,
        slot: Slot,
        waiting: u32,
        has: Option<Place>,
        now: Option<Place>,
    ) -> u64 {
        if self.follow == Some(slot) {
            return u64::MAX;
        }
        let way = match (has, now) {
            (Some(has), Some(now)) => {
                let along =
                    |axis: usize| has.position.axes()[axis].abs_diff(now.position.axes()[axis]);
                along(0).max(along(1))
            }
            // It comes or goes, as much as if it went that far.
            _ => 1 << 10,
        };
        let distance = now.map_or(VANISHED_DISTANCE, |now| self.rectangle.distance(&now.position));
        let weight = u64::from(waiting + 1) * u64::from(way.max(1).ilog2() + 1);
        (weight << 16) / (2 + distance)
    }
}

/// About what it costs to say where a slot is now to a viewer that has it at `base`, in bits.
pub(super) fn bits(axes: &Axes, base: Option<Place>, now: Option<Place>) -> u32 {
    let length = |value: u32| u32::BITS - value.leading_zeros();
    let used = axes.count();
    match (base, now) {
        (_, None) => VANISHED_BITS,
        (Some(base), Some(now)) if base.generation == now.generation => {
            let (from, to) = (base.position.axes(), now.position.axes());
            let along = |(from, to): (i32, i32)| 3 + length(from.abs_diff(to));
            2 + from.into_iter().zip(to).take(used).map(along).sum::<u32>()
        }
        (_, Some(now)) => {
            let along = |value: i32| 6 + length(value.unsigned_abs());
            11 + now.position.axes().into_iter().take(used).map(along).sum::<u32>()
        }
    }
}
