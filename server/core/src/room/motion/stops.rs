//! When the slots of a part moved last, in order: what tells in O(log n) whether a viewer lacks anything. It stands
//! apart so that the common viewer is answered without looking at a slot.

use hither_protocol::{Slot, Tick};

use super::mover::Mover;

/// The slots of a part that are somewhere, by the tick of their last move.
#[derive(Debug, Default)]
pub(super) struct Stops {
    stops: Vec<(Tick, Slot)>,
    /// What was asked last and what came of it: viewers mostly have acked the same.
    last: Option<(Option<Tick>, usize)>,
}

impl Stops {
    /// Notes anew where the slots from `first` on stopped.
    pub(super) fn set(&mut self, first: usize, movers: &[Mover]) {
        self.stops.clear();
        self.last = None;
        for (offset, mover) in movers.iter().enumerate() {
            if let Some(latest) = mover.track.latest().filter(|latest| latest.place.is_some()) {
                self.stops.push((latest.tick, Slot((first + offset) as u16)));
            }
        }
        self.stops.sort_unstable();
    }

    /// The first stop after the tick that `viewer` has acked, of somebody else; it lacks what moved from then on.
    pub(super) fn after(&mut self, acked: Option<Tick>, viewer: Slot) -> Option<Tick> {
        let from = match self.last {
            Some((asked, from)) if asked == acked => from,
            _ => {
                let from = self.stops.partition_point(|(tick, _)| Some(*tick) <= acked);
                self.last = Some((acked, from));
                from
            }
        };
        let (tick, slot) = *self.stops.get(from)?;
        if slot != viewer {
            return Some(tick);
        }
        self.stops.get(from + 1).map(|(tick, _)| *tick)
    }
}
