//! A member as a receiver of frames: what it has acked, what it was sent, how long its round trip takes, and how often
//! it is worth while to send it something.

use std::collections::VecDeque;
use std::time::Duration;

use hither_protocol::motion::WINDOW;
use hither_protocol::motion::frame::PartHeader;
use hither_protocol::{Tick, Timestamp};

use super::patience::Losses;
use super::round_trip::RoundTrip;
use super::sight::Sight;

/// How often a viewer that has not acked is sent the same again.
pub(super) const REPEAT_EVERY: Duration = Duration::from_millis(16);
/// After so long without any ack, and so many frames, a viewer is taken to be gone for now, and gets everything at the
/// slower pace. Where half of all frames and acks are lost, chance takes 20 in a row once in a million.
const SILENT_AFTER: Duration = Duration::from_millis(300);
const SILENT_AFTER_FRAMES: u32 = 20;
/// After so long if it was never heard of: what tells it that it has joined may be lost, and sent again, several times.
const SILENT_AFTER_FIRST: Duration = Duration::from_secs(1);
const SILENT_EVERY: Duration = Duration::from_millis(250);
/// The slowest pace of a viewer whose path is congested, in ticks.
const PACE_MAX: u32 = 8;
/// Of how many frames that left between ticks it is known when; more are not under way, as they are sent more seldom.
const DELAYED_MAX: usize = 4;
/// How many ticks, behind the lag, a reference is looked for: momentum of longer ago says nothing.
const REFERENCES: u32 = 8;

/// One viewer of a room's motion.
#[derive(Debug)]
pub(super) struct Viewer {
    /// Its user does not look, so it gets no motion.
    pub(super) away: bool,
    /// What it sees, if it does not see everybody.
    pub(super) sight: Option<Box<Sight>>,
    parts: Vec<PartState>,
    /// The parts whose last frame is not acked, bit i for part i.
    unacked: u128,
    round_trip: RoundTrip,
    /// The last frames that left between ticks, and when; the others left with their tick.
    delayed: VecDeque<(Tick, Timestamp)>,
    /// When it was last sent a frame.
    sent_at: Timestamp,
    /// Whether it was ever heard of.
    is_heard: bool,
    /// When it was last heard of, by an ack, or began to be waited for.
    waiting_since: Timestamp,
    /// The last tick that it was sent again.
    repeated: Option<Tick>,
    /// When an ack is missed, and the last tick of which one was.
    answer_due: Timestamp,
    late: Option<Tick>,
    losses: Losses,
    /// How many frames it was sent since it was last heard of.
    unanswered: u32,
    /// Whether it lacks a frame that was put off.
    put_off: bool,
}

/// One part of a room as the viewer has it.
#[derive(Clone, Copy, Debug, Default)]
struct PartState {
    /// The first tick that was sent: an ack of one before is of an earlier membership of the same client.
    first: Option<Tick>,
    acked: Option<Tick>,
    /// Bit i: the tick i before the acked one is acked, too.
    held: u64,
    sent: Option<Tick>,
    /// Bit i: the tick i before the last sent one was sent, too.
    sent_before: u64,
}

impl Viewer {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            away: false,
            sight: None,
            parts: Vec::new(),
            unacked: 0,
            round_trip: RoundTrip::default(),
            delayed: VecDeque::new(),
            sent_at: now,
            is_heard: false,
            waiting_since: now,
            repeated: None,
            answer_due: now,
            late: None,
            losses: Losses::default(),
            unanswered: 0,
            put_off: false,
        }
    }

    /// It looks away, or back. Nothing is sent meanwhile, so what it holds stays good as long as a baseline may be old.
    pub(super) fn set_away(&mut self, now: Timestamp, away: bool) {
        self.away = away;
        self.wait(now);
        self.put_off = false;
    }

    /// It sees everybody from now on: what it holds of its own is of no use, and its next frames are against nothing.
    pub(super) fn see_all(&mut self, now: Timestamp) {
        self.sight = None;
        self.parts.clear();
        self.unacked = 0;
        self.wait(now);
    }

    /// Whether it was sent a frame since it began.
    pub(super) fn was_sent_any(&self) -> bool {
        !self.parts.is_empty()
    }

    /// Whether it was sent a frame of this tick: then it holds for good what that says.
    pub(super) fn was_sent(&self, tick: Tick) -> bool {
        self.parts.iter().any(|state| state.sent >= Some(tick))
    }

    /// The newest tick that it has acked of a part: what it lacks is what changed after it.
    pub(super) fn acked(&self, part: usize) -> Option<Tick> {
        self.parts.get(part)?.acked
    }

    /// What a part may be coded against: the acked tick as long as the viewer holds it for sure (M5), and one at least
    /// `lag` before it. Nothing before `horizon` will do, since its points are forgotten.
    pub(super) fn header(&self, part: usize, lag: u32, horizon: Tick) -> PartHeader {
        let index = part as u16;
        let state = self.parts.get(part).copied().unwrap_or_default();
        let usable = |tick: &Tick| {
            let age = state.sent.and_then(|sent| sent.since(*tick));
            *tick >= horizon && age.is_some_and(|age| age <= WINDOW)
        };
        let baseline = state.acked.filter(usable);
        let before = state.held >> lag & ((1 << REFERENCES) - 1);
        let reference = baseline.filter(|_| before != 0).and_then(|baseline| {
            baseline.0.checked_sub(lag + before.trailing_zeros()).map(Tick).filter(usable)
        });
        PartHeader { index, baseline, reference }
    }

    /// Before this tick no frame to come has a baseline or a reference in a part; `None` if it was sent nothing of it.
    pub(super) fn oldest(&self, part: usize, lag: u32) -> Option<Tick> {
        let state = self.parts.get(part)?;
        let window = state.sent?.0.saturating_sub(WINDOW);
        // Acks that come late, or of later ticks, may make any of these a reference.
        let before = |acked: Tick| acked.0.saturating_sub(lag + REFERENCES - 1);
        Some(Tick(window.max(state.acked.map_or(0, before))))
    }

    /// A part of the frame of `tick` is on its way.
    pub(super) fn handle_sent(&mut self, now: Timestamp, part: usize, tick: Tick) {
        if part >= self.parts.len() {
            self.parts.resize(part + 1, PartState::default());
        }
        let state = &mut self.parts[part];
        if state.sent == Some(tick) {
            self.repeated = Some(tick);
        }
        state.handle_sent(tick);
        if self.unacked == 0 {
            self.wait(now);
        }
        // All parts of a frame are sent at one time.
        if self.sent_at != now {
            self.unanswered += 1;
            self.sent_at = now;
            self.losses.handle_sent(tick);
        }
        self.unacked |= 1 << part;
    }

    /// The frame of `tick` leaves only now: its ack is waited for from here on.
    pub(super) fn handle_delayed(&mut self, now: Timestamp, tick: Tick) {
        if self.delayed.len() == DELAYED_MAX {
            self.delayed.pop_front();
        }
        self.delayed.push_back((tick, now));
    }

    /// Its member moves: it is there, though its acks may be lost, or not be owed before it knows that it has joined.
    pub(super) fn handle_sign_of_life(&mut self) {
        self.is_heard = true;
        self.unanswered = 0;
    }

    /// It lacks nothing of a part any more, acked or not.
    pub(super) fn handle_obsolete(&mut self, part: usize) {
        self.unacked &= !(1 << part);
    }

    /// It lacks nothing at all.
    pub(super) fn handle_all_obsolete(&mut self) {
        self.unacked = 0;
    }

    /// It has decoded these parts of the frame of `tick`, which began at `tick_at`. True if that is news.
    pub(super) fn handle_ack(
        &mut self,
        now: Timestamp,
        tick: Tick,
        parts: u128,
        tick_at: Option<Timestamp>,
    ) -> bool {
        let (mut known, mut is_news) = (true, false);
        // How long it was silent says nothing of its path.
        let was_silent = self.is_silent();
        let mut rest = parts;
        while rest != 0 {
            let part = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            let was_sent = |state: &&mut PartState| state.was_sent(tick);
            let Some(state) = self.parts.get_mut(part).filter(was_sent) else {
                known = false;
                continue;
            };
            is_news |= state.acked < Some(tick);
            state.handle_ack(tick);
            if state.acked == state.sent {
                self.unacked &= !(1 << part);
            }
        }
        if is_news {
            self.losses.handle_ack(tick);
        }
        if known {
            self.is_heard = true;
            self.wait(now);
            let delayed = self.delayed.iter().find(|(delayed, _)| *delayed == tick);
            let sent_at = delayed.map(|(_, sent_at)| *sent_at).or(tick_at);
            if let Some(sent_at) = sent_at.filter(|_| is_news && !was_silent) {
                self.round_trip.handle_sample(now.since(sent_at), self.repeated == Some(tick));
            }
        }
        is_news
    }

    /// Whether the last frame of a part is not acked.
    pub(super) fn is_waited_for(&self, part: usize) -> bool {
        self.unacked >> part & 1 == 1
    }

    /// Notes if its ack is missed, `tick` being the last; true for the first time.
    pub(super) fn note_late(&mut self, now: Timestamp, tick: Tick) -> bool {
        let is_late = self.unacked != 0 && now >= self.answer_due && self.late != Some(tick);
        self.late = if is_late { Some(tick) } else { self.late };
        is_late
    }

    /// The parts whose last frames are not acked.
    pub(super) fn unacked(&self) -> impl Iterator<Item = usize> {
        (0..self.parts.len()).filter(|part| self.is_waited_for(*part))
    }

    /// When it is to be sent a stop again that it was first sent at `stopped_at` (M11): once the ack is missed, or at
    /// once where much is lost, unless that is by too many packets. `pause` is what lies between two repeats.
    pub(super) fn repeat_at(
        &mut self,
        stopped_at: Timestamp,
        pause: Duration,
        tick_period: Duration,
    ) -> Timestamp {
        self.answer_due = stopped_at + self.round_trip.patience();
        let is_free = || self.round_trip.queue(tick_period).is_none();
        let is_hasty = self.losses.are_many() && pause == REPEAT_EVERY && is_free();
        let first = if is_hasty { stopped_at } else { self.answer_due };
        let pause = if self.is_silent() { SILENT_EVERY } else { pause };
        first.max(self.sent_at + pause)
    }

    /// When a tick is of use to it: at once, unless its path is congested or it is silent (M14).
    pub(super) fn next_at(&self, tick_period: Duration) -> Timestamp {
        if self.is_silent() {
            return self.sent_at + SILENT_EVERY;
        }
        let Some(queue) = self.round_trip.queue(tick_period) else { return self.sent_at };
        // Half of the queue is let go before the next is sent; a tick is never a little too early.
        let pause = (queue / 2).min(tick_period * PACE_MAX);
        self.sent_at + pause.saturating_sub(tick_period / 2)
    }

    /// A frame waits until [`Self::next_at`], or none does.
    pub(super) fn set_put_off(&mut self, put_off: bool) {
        self.put_off = put_off;
    }

    /// Whether it waits for a frame.
    pub(super) fn is_put_off(&self) -> bool {
        self.put_off
    }

    /// Its answer is waited for from now on.
    fn wait(&mut self, now: Timestamp) {
        (self.waiting_since, self.unanswered) = (now, 0);
    }

    fn is_silent(&self) -> bool {
        let after = if self.is_heard { SILENT_AFTER } else { SILENT_AFTER_FIRST };
        self.unacked != 0
            && self.unanswered >= SILENT_AFTER_FRAMES
            && self.sent_at.since(self.waiting_since) > after
    }
}

impl PartState {
    fn handle_sent(&mut self, tick: Tick) {
        let ahead = self.sent.and_then(|sent| tick.since(sent)).unwrap_or(0);
        self.sent_before = self.sent_before.checked_shl(ahead).unwrap_or(0) | 1;
        self.first.get_or_insert(tick);
        self.sent = Some(tick);
    }

    /// Whether a tick was sent, as far as is known: what is longer ago is taken to have been.
    fn was_sent(&self, tick: Tick) -> bool {
        let age = self.sent.and_then(|sent| sent.since(tick));
        let is_known = |age| age >= u64::BITS || self.sent_before >> age & 1 == 1;
        age.is_some_and(is_known) && self.first <= Some(tick)
    }

    fn handle_ack(&mut self, tick: Tick) {
        let Some(acked) = self.acked else {
            (self.acked, self.held) = (Some(tick), 1);
            return;
        };
        match tick.since(acked) {
            Some(ahead) => {
                self.held = self.held.checked_shl(ahead).unwrap_or(0) | 1;
                self.acked = Some(tick);
            }
            None => self.held |= 1u64.checked_shl(acked.0 - tick.0).unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m14_the_ack_of_a_frame_that_was_put_off_is_waited_for_from_when_it_left() {
        let at = Timestamp::from_millis;
        let mut viewer = Viewer::new(at(0));
        let ticks = 1..60;
        for tick in ticks.clone().map(Tick) {
            let tick_at = u64::from(tick.0) * 50;
            viewer.handle_delayed(at(tick_at + 40), tick);
            viewer.handle_sent(at(tick_at + 40), 0, tick);
            assert!(viewer.handle_ack(at(tick_at + 60), tick, 1, Some(at(tick_at))));
        }
        let end = at(u64::from(ticks.end) * 50);
        viewer.handle_sent(end, 0, Tick(ticks.end));
        let patience = viewer.repeat_at(end, REPEAT_EVERY, Duration::from_millis(50)).since(end);
        assert!((20..30).contains(&patience.as_millis()), "{patience:?}");
    }
}
