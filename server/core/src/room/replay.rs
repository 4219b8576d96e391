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

    /// The events after `seen`, and whether some of them are lost (V4). Those that wait for a tick are among them, as
    /// many as fit: so who comes back knows which of its own have arrived (V5).
    pub(super) fn after(&self, epoch: Epoch, seen: Option<Seen>) -> (Vec<Event>, bool) {
        let Some(seen) = seen else { return (Vec::new(), false) };
        if seen.epoch != epoch || seen.number >= self.next_number() {
            return (Vec::new(), true);
        }
        let is_missed = |(_, event): &&(usize, Event)| event.number > seen.number;
        let sent = || self.sent.iter().filter(is_missed);
        if (sent().count() as u64) < self.last_sent.saturating_sub(seen.number) {
            return (Vec::new(), true);
        }
        let mut room = REPLAY_BYTES_MAX - sent().map(|(bytes, _)| bytes).sum::<usize>();
        let fits = |(bytes, _): &&(usize, Event)| {
            let fits = *bytes <= room;
            room = room.saturating_sub(*bytes);
            fits
        };
        let waiting = self.pending.iter().filter(is_missed).take_while(fits);
        (sent().chain(waiting).map(|(_, event)| event.clone()).collect(), false)
    }
}

#[cfg(test)]
mod tests {
    use hither_protocol::message::Value;
    use hither_protocol::{Generation, Slot};

    use super::*;

    const EPOCH: Epoch = Epoch(7);

    fn event(number: u64, bytes: usize) -> Event {
        let data = Value::String("x".repeat(bytes));
        let (from, generation) = (Slot(0), Generation(0));
        Event { number, from, generation, name: "e".into(), data, time_ms: 1 }
    }

    fn send(replay: &mut Replay, bytes: usize) {
        replay.push(event(replay.next_number(), bytes)).unwrap();
        replay.flush(usize::MAX).unwrap();
    }

    fn after(replay: &Replay, epoch: Epoch, number: u64) -> (Vec<u64>, bool) {
        let (events, lost) = replay.after(epoch, Some(Seen { epoch, number }));
        (events.iter().map(|event| event.number).collect(), lost)
    }

    #[test]
    fn v2_the_buffer_is_bounded_in_bytes() {
        let mut replay = Replay::default();
        for _ in 0..10 {
            send(&mut replay, 10_000);
        }
        assert_eq!(after(&replay, EPOCH, 6), (vec![7, 8, 9, 10], false));
        assert_eq!(after(&replay, EPOCH, 10), (vec![], false));
        assert!(replay.sent_bytes <= REPLAY_BYTES_MAX);
    }

    #[test]
    fn v2_events_that_wait_for_a_tick_come_too_as_many_as_fit() {
        let mut replay = Replay::default();
        send(&mut replay, 20_000);
        for _ in 0..4 {
            replay.push(event(replay.next_number(), 10_000)).unwrap();
        }
        assert_eq!(after(&replay, EPOCH, 0), (vec![1, 2, 3], false));
        assert_eq!(after(&replay, EPOCH, 1), (vec![2, 3, 4, 5], false));
        assert_eq!(after(&replay, EPOCH, 3), (vec![4, 5], false), "they came so already");
        assert_eq!(after(&replay, EPOCH, 6), (vec![], true));
    }

    #[test]
    fn v4_a_gap_is_said_and_never_guessed() {
        let mut replay = Replay::default();
        for _ in 0..10 {
            send(&mut replay, 10_000);
        }
        assert_eq!(after(&replay, EPOCH, 5), (vec![], true), "too long ago");
        assert_eq!(after(&replay, EPOCH, 11), (vec![], true), "not sent yet");
        let (events, lost) = replay.after(EPOCH, Some(Seen { epoch: Epoch(8), number: 9 }));
        assert!(events.is_empty() && lost, "another epoch");
        assert_eq!(replay.after(EPOCH, None), (vec![], false));
    }

    #[test]
    fn v2_senders_are_refused_when_too_much_waits() {
        let mut replay = Replay::default();
        let mut taken = 0;
        while replay.push(event(replay.next_number(), 16_000)).is_ok() {
            taken += 1;
        }
        assert_eq!(taken, PENDING_BYTES_MAX / 16_030);
        replay.flush(usize::MAX).unwrap();
        assert_eq!(replay.push(event(replay.next_number(), 16_000)), Ok(()));
    }
}
