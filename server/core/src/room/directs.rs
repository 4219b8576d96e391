//! Events for members by name, on their way to the next tick; bounded for each receiver, so that nobody can fill the
//! queue of somebody else.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use hither_protocol::Slot;
use hither_protocol::message::Refusal;

use super::{Output, Recipient};

/// The most bytes of directed events that one member gets in one tick: two of the largest.
const RECEIVER_BYTES_MAX: usize = 36 * 1024;

/// What waits for the tick.
#[derive(Debug, Default)]
pub(super) struct Directs {
    pending: Vec<(Vec<Slot>, Bytes)>,
    bytes: BTreeMap<Slot, usize>,
}

impl Directs {
    /// Takes an event for members who are there.
    ///
    /// # Errors
    /// `BadRequest` if one is named twice, `RateLimited` if one of them gets enough in this tick.
    pub(super) fn push(&mut self, to: Vec<Slot>, bytes: Bytes) -> Result<(), Refusal> {
        if to.iter().collect::<BTreeSet<_>>().len() < to.len() {
            return Err(Refusal::BadRequest);
        }
        let waiting = |slot: &Slot| self.bytes.get(slot).copied().unwrap_or(0);
        if to.iter().any(|slot| waiting(slot) + bytes.len() > RECEIVER_BYTES_MAX) {
            return Err(Refusal::RateLimited);
        }
        for slot in &to {
            *self.bytes.entry(*slot).or_default() += bytes.len();
        }
        self.pending.push((to, bytes));
        Ok(())
    }

    /// A member is gone, and has heard so already: nothing of the room comes after that.
    pub(super) fn remove(&mut self, slot: Slot) {
        self.pending.iter_mut().for_each(|(to, _)| to.retain(|known| *known != slot));
    }

    /// Sends what waits, in the order in which it came. A slot is not given again within a tick, so it still means the
    /// member that was meant.
    pub(super) fn flush(&mut self, outputs: &mut VecDeque<Output>) {
        self.bytes.clear();
        for (to, bytes) in self.pending.drain(..) {
            let outputs_of =
                to.into_iter().map(|slot| Output::Control(Recipient::One(slot), bytes.clone()));
            outputs.extend(outputs_of);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v3_nobody_fills_the_queue_of_somebody_else() {
        let mut directs = Directs::default();
        let large = Bytes::from(vec![0; 16 * 1024]);
        let [a, b] = [Slot(1), Slot(2)];
        assert_eq!(directs.push(vec![a, a], large.clone()), Err(Refusal::BadRequest));
        assert_eq!(directs.push(vec![a], large.clone()), Ok(()));
        assert_eq!(directs.push(vec![a, b], large.clone()), Ok(()));
        assert_eq!(directs.push(vec![a], large.clone()), Err(Refusal::RateLimited));
        assert_eq!(directs.push(vec![b], large.clone()), Ok(()));

        let mut outputs = VecDeque::new();
        directs.flush(&mut outputs);
        let to = |output: &Output| match output {
            Output::Control(Recipient::One(slot), _) => *slot,
            other => panic!("{other:?}"),
        };
        assert_eq!(outputs.iter().map(to).collect::<Vec<_>>(), [a, a, b, b]);
        assert_eq!(directs.push(vec![a], large), Ok(()), "the next tick is another");
    }
}
