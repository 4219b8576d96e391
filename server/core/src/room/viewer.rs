//! A member as a receiver of frames: what it has acked, what it was sent, and how long its round trip takes.

use std::time::Duration;

use hither_protocol::motion::WINDOW;
use hither_protocol::{Tick, Timestamp};

/// How often a viewer that has not acked is sent the same again.
const REPEAT_EVERY: Duration = Duration::from_millis(16);
/// After so long without any ack a viewer is taken to be gone for now, and gets repeats at the slower pace.
const SILENT_AFTER: Duration = Duration::from_millis(300);
const REPEAT_SILENT_EVERY: Duration = Duration::from_millis(250);
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
    /// When it was last sent a frame.
    sent_at: Timestamp,
    /// When it was last heard of, by an ack, or began to be waited for.
    waiting_since: Timestamp,
}

/// One part of a room as the viewer has it.
#[derive(Clone, Copy, Debug, Default)]
struct PartState {
    /// The first tick that was sent: an ack of one before is of an earlier membership of the same client.
    first: Option<Tick>,
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
            sent_at: now,
            waiting_since: now,
        }
    }

    /// The newest tick that it has acked of a part: what it lacks is what changed after it.
    pub(super) fn acked(&self, part: usize) -> Option<Tick> {
        self.parts.get(part)?.acked
    }

    /// The tick that a part may be coded against: the acked one, as long as the viewer holds it for sure (M5).
    pub(super) fn baseline(&self, part: usize) -> Option<Tick> {
        let PartState { acked, sent, .. } = *self.parts.get(part)?;
        let (acked, sent) = (acked?, sent?);
        sent.since(acked).is_some_and(|age| age <= WINDOW).then_some(acked)
    }

    /// A part of the frame of `tick` is on its way.
    pub(super) fn handle_sent(&mut self, now: Timestamp, part: usize, tick: Tick) {
        if part >= self.parts.len() {
            self.parts.resize(part + 1, PartState::default());
        }
        let state = &mut self.parts[part];
        state.first.get_or_insert(tick);
        state.sent = Some(tick);
        if self.unacked == 0 {
            self.waiting_since = now;
        }
        self.sent_at = now;
        self.unacked |= 1 << part;
    }

    /// It lacks nothing of a part any more, acked or not.
    pub(super) fn handle_obsolete(&mut self, part: usize) {
        self.unacked &= !(1 << part);
    }

    /// It has decoded these parts of the frame of `tick`, which was first sent `round_trip` ago.
    pub(super) fn handle_ack(
        &mut self,
        now: Timestamp,
        tick: Tick,
        parts: u128,
        round_trip: Option<Duration>,
    ) {
        let (mut known, mut is_news) = (true, false);
        let mut rest = parts;
        while rest != 0 {
            let part = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            let was_sent = |state: &&mut PartState| {
                state.first.is_some_and(|first| first <= tick) && state.sent >= Some(tick)
            };
            let Some(state) = self.parts.get_mut(part).filter(was_sent) else {
                known = false;
                continue;
            };
            is_news |= state.acked < Some(tick);
            state.acked = state.acked.max(Some(tick));
            if state.acked == state.sent {
                self.unacked &= !(1 << part);
            }
        }
        if known {
            self.waiting_since = now;
            if let Some(sample) = round_trip.filter(|_| is_news) {
                // The ack of a repeat is taken for one of the first: such a sample is too long, never too short.
                self.round_trip = sample.min((self.round_trip * 7 + sample) / 8);
            }
        }
    }

    /// The parts whose last frames are not acked.
    pub(super) fn unacked(&self) -> impl Iterator<Item = usize> {
        let parts = self.unacked;
        (0..self.parts.len()).filter(move |part| parts >> part & 1 == 1)
    }

    /// When it is to be sent a stop again that it was first sent at `stopped_at` (M11).
    pub(super) fn repeat_at(&self, stopped_at: Timestamp) -> Timestamp {
        let is_silent = self.sent_at.since(self.waiting_since) > SILENT_AFTER;
        let pause = if is_silent { REPEAT_SILENT_EVERY } else { REPEAT_EVERY };
        (stopped_at + self.round_trip + self.round_trip / 4).max(self.sent_at + pause)
    }
}
