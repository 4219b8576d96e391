//! A member as a receiver of frames: what it has acked, what it was sent, and how long its round trip takes.

use std::time::Duration;

use hither_protocol::motion::WINDOW;
use hither_protocol::{Tick, Timestamp};

/// What a round trip is taken for before the first ack.
const ROUND_TRIP_FIRST: Duration = Duration::from_millis(50);

/// One viewer of a room's motion.
#[derive(Debug)]
pub(super) struct Viewer {
    /// Its user does not look, so it gets no motion.
    pub(super) away: bool,
    parts: Vec<PartState>,
    /// The parts whose last frame is not acked, bit i for part i.
    unacked: u128,
    round_trip: Duration,
    /// When it was last heard of, by an ack, or began to be waited for.
    waiting_since: Timestamp,
}

/// One part of a room as the viewer has it.
#[derive(Clone, Copy, Debug, Default)]
struct PartState {
    acked: Option<Tick>,
    sent: Option<Tick>,
}

impl Viewer {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            away: false,
            parts: Vec::new(),
            unacked: 0,
            round_trip: ROUND_TRIP_FIRST,
            waiting_since: now,
        }
    }

    /// The newest tick that it has acked of a part: what it lacks is what changed after it.
    pub(super) fn acked(&self, part: usize) -> Option<Tick> {
        self.parts.get(part)?.acked
    }

    /// The tick that a part may be coded against: the acked one, as long as the viewer holds it for sure (M5).
    pub(super) fn baseline(&self, part: usize) -> Option<Tick> {
        let PartState { acked, sent } = *self.parts.get(part)?;
        let (acked, sent) = (acked?, sent?);
        sent.since(acked).is_some_and(|age| age <= WINDOW).then_some(acked)
    }

    /// A part of the frame of `tick` is on its way.
    pub(super) fn handle_sent(&mut self, now: Timestamp, part: usize, tick: Tick) {
        if part >= self.parts.len() {
            self.parts.resize(part + 1, PartState::default());
        }
        self.parts[part].sent = Some(tick);
        if self.unacked == 0 {
            self.waiting_since = now;
        }
        self.unacked |= 1 << part;
    }

    /// It has decoded these parts of the frame of `tick`, which was sent `round_trip` ago.
    pub(super) fn handle_ack(
        &mut self,
        now: Timestamp,
        tick: Tick,
        parts: u128,
        round_trip: Option<Duration>,
    ) -> bool {
        let mut known = true;
        let mut rest = parts;
        while rest != 0 {
            let part = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            let state = self.parts.get_mut(part).filter(|state| state.sent >= Some(tick));
            let Some(state) = state else {
                known = false;
                continue;
            };
            state.acked = state.acked.max(Some(tick));
            if state.acked == state.sent {
                self.unacked &= !(1 << part);
            }
        }
        if known {
            self.waiting_since = now;
            if let Some(sample) = round_trip {
                self.round_trip = (self.round_trip * 7 + sample) / 8;
            }
        }
        known
    }

    /// Whether its last frames are all acked.
    pub(super) fn is_settled(&self) -> bool {
        self.unacked == 0
    }

    /// After how long an ack should be here, if nothing was lost.
    pub(super) fn ack_expected_after(&self) -> Duration {
        self.round_trip + self.round_trip / 4
    }

    /// How long nothing has been heard of it, while something was on its way to it.
    pub(super) fn silence(&self, now: Timestamp) -> Duration {
        if self.is_settled() { Duration::ZERO } else { now.since(self.waiting_since) }
    }
}
