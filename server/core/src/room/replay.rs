//! A room's latest events: those of the coming tick, and those before it that a member who missed them can still get.

use std::collections::VecDeque;

use hither_protocol::Epoch;
use hither_protocol::message::control::{Event, Seen};
use hither_protocol::message::{Refusal, encoded_len};

/// The most bytes that are kept for replay; all of them fit into one `joined`.
const REPLAY_BYTES_MAX: usize = 48 * 1024;
/// The most bytes of events that wait for the coming ticks; beyond, senders are refused.
const PENDING_BYTES_MAX: usize = 512 * 1024;

/// Events in the order of their numbers: sent ones, then those that wait for a tick.
#[derive(Debug, Default)]
pub(super) struct Replay {
    sent: VecDeque<(usize, Event)>,
    sent_bytes: usize,
    pending: VecDeque<(usize, Event)>,
    pending_bytes: usize,
    /// The number of the last event that went out.
    last_sent: u64,
}

impl Replay {
    /// The number that the next event has to have.
    pub(super) fn next_number(&self) -> u64 {
        self.last_sent + self.pending.len() as u64 + 1
    }

    /// The number of the last event that went out in a tick.
    pub(super) fn last_flushed(&self) -> u64 {
        self.last_sent
    }

    pub(super) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Takes the next event.
    pub(super) fn push(&mut self, event: Event) -> Result<(), Refusal> {
        let bytes = encoded_len(&event);
        if self.pending_bytes + bytes > PENDING_BYTES_MAX {
            return Err(Refusal::RateLimited);
        }
        self.pending_bytes += bytes;
        self.pending.push_back((bytes, event));
        Ok(())
    }

    /// The next event to go out, if it has at most `bytes_max` bytes; and its bytes.
    pub(super) fn flush(&mut self, bytes_max: usize) -> Option<(usize, Event)> {
        let (bytes, _) = *self.pending.front().filter(|(bytes, _)| *bytes <= bytes_max)?;
        let (_, event) = self.pending.pop_front()?;
        self.pending_bytes -= bytes;
        self.last_sent = event.number;
        self.sent_bytes += bytes;
        self.sent.push_back((bytes, event.clone()));
        while self.sent_bytes > REPLAY_BYTES_MAX {
            let Some((old, _)) = self.sent.pop_front() else { break };
            self.sent_bytes -= old;
        }
        Some((bytes, event))
    }

    /// The events that went out after `seen`, and whether some of them are lost (V4).
    pub(super) fn after(&self, epoch: Epoch, seen: Option<Seen>) -> (Vec<Event>, bool) {
        let Some(seen) = seen else { return (Vec::new(), false) };
        if seen.epoch != epoch || seen.number > self.last_sent {
            return (Vec::new(), true);
        }
        let missed = self.sent.iter().filter(|(_, event)| event.number > seen.number);
        let missed: Vec<Event> = missed.map(|(_, event)| event.clone()).collect();
        if missed.len() as u64 == self.last_sent - seen.number {
            (missed, false)
        } else {
            (Vec::new(), true)
        }
    }
}
