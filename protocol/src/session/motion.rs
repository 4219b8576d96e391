//! When a client sends its own motion: at most once a tick while it moves, again and again when it comes to rest (M10).

use std::collections::VecDeque;
use std::time::Duration;

use crate::ids::RoomHandle;
use crate::motion::upward::Sample;
use crate::motion::{Axes, Position};
use crate::time::Timestamp;

/// The part of an interval that a position may come early: a caller that sets one in each interval is late now and
/// then, and must not be held up for it ever after.
const EARLY: u32 = 4;
/// How often the last sample is repeated at rest.
const REPEAT_EVERY: Duration = Duration::from_millis(16);
/// When it is repeated first: once the next position would be due, if the caller still moved, but no later than this.
const REPEAT_FIRST_MAX: Duration = Duration::from_millis(50);
/// After so long without a newer position a mover is taken to rest, and does not wait for its tick.
const LULL: Duration = Duration::from_millis(33);
/// How long it is repeated so, unless a frame shows that it has arrived.
const REPEAT_FOR: Duration = Duration::from_millis(300);
/// And after that, for longer than a path may be dark before its connection is given up.
const INSIST_EVERY: Duration = Duration::from_millis(500);
const INSIST_FOR: Duration = Duration::from_secs(3);
/// How many sent positions are remembered, to know an echo of the last from one of an earlier visit to its place.
const SENT_MAX: usize = 32;

/// The outgoing motion of one member.
#[derive(Debug)]
pub(super) struct Mover {
    interval: Duration,
    number: u32,
    state: State,
    /// When the next position is due, an interval after the last, which repeats do not put off.
    next_new: Option<Timestamp>,
    next_repeat: Option<Timestamp>,
    /// When a new position was sent last.
    sent_at: Option<Timestamp>,
    sent: VecDeque<Position>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// Nothing to send.
    Still,
    /// A position that was not sent yet, set at `at`; the first that was not sent was set at `since`.
    Moved { position: Position, at: Timestamp, since: Timestamp },
    /// The last sent position, sent first at `since`.
    Resting { position: Position, since: Timestamp, ambiguous: bool },
}

impl Mover {
    /// Sends once in `interval` on average while moving.
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            interval,
            number: 0,
            state: State::Still,
            next_new: None,
            next_repeat: None,
            sent_at: None,
            sent: VecDeque::with_capacity(SENT_MAX),
        }
    }

    pub(super) fn set(&mut self, now: Timestamp, position: Position) {
        let unchanged = match self.state {
            State::Moved { position: old, .. } | State::Resting { position: old, .. } => {
                old == position
            }
            State::Still => self.sent.back() == Some(&position),
        };
        if !unchanged {
            let since = if let State::Moved { since, .. } = self.state { since } else { now };
            self.state = State::Moved { position, at: now, since };
        }
    }

    /// The newest position that was set.
    pub(super) fn position(&self) -> Option<Position> {
        match self.state {
            State::Moved { position, .. } | State::Resting { position, .. } => Some(position),
            State::Still => self.sent.back().copied(),
        }
    }

    /// Sends nothing any more of what was set before.
    pub(super) fn stop(&mut self) {
        self.state = State::Still;
    }

    /// A frame shows this member at `position`.
    pub(super) fn handle_echo(&mut self, position: Position) {
        if let State::Resting { position: last, ambiguous: false, .. } = self.state
            && last == position
        {
            self.state = State::Still;
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Timestamp) {
        if let State::Resting { since, .. } = self.state
            && now >= since + INSIST_FOR
        {
            self.state = State::Still;
        }
    }

    /// When the next sample goes out. `slot_after` gives the beat's next slot, if the room has a beat.
    pub(super) fn due(
        &self,
        slot_after: impl FnOnce(Timestamp) -> Option<Timestamp>,
    ) -> Option<Timestamp> {
        match self.state {
            State::Still => None,
            State::Moved { at, since, .. } => {
                // Slots are an interval apart; half of it tells the next from the one that was used.
                let used = self.sent_at.map_or(since, |sent| sent + self.interval / 2);
                let turn = self.next_new.map_or(at, |next| at.max(next - self.interval / EARLY));
                slot_after(since.max(used)).or_else(|| Some(turn.min(at + LULL)))
            }
            State::Resting { since, .. } => {
                self.next_repeat.map(|next| next.min(since + INSIST_FOR))
            }
        }
    }

    /// Appends the sample that is due. A new one takes the number after `last_number`, which is the
    /// session's and not the membership's: a late sample of an earlier membership must not win over this one's. Returns
    /// the new position, and whether a frame with it is the answer to this sample: it was not sent before of late.
    pub(super) fn poll_sample(
        &mut self,
        now: Timestamp,
        room: RoomHandle,
        axes: &Axes,
        last_number: &mut u32,
        out: &mut Vec<u8>,
    ) -> Option<(Position, bool)> {
        let mut pause = REPEAT_EVERY;
        let mut news = None;
        let position = match self.state {
            State::Still => return None,
            State::Resting { since, .. } if now >= since + INSIST_FOR => {
                self.state = State::Still;
                return None;
            }
            State::Resting { position, since, .. } => {
                if now + REPEAT_EVERY > since + REPEAT_FOR {
                    pause = INSIST_EVERY;
                }
                position
            }
            State::Moved { position, .. } => {
                *last_number += 1;
                self.number = *last_number;
                self.sent_at = Some(now);
                self.next_new =
                    Some(self.next_new.map_or(now, |next| next.max(now)) + self.interval);
                let ambiguous = self.sent.contains(&position);
                self.state = State::Resting { position, since: now, ambiguous };
                self.remember(position);
                news = Some((position, !ambiguous));
                pause = self.interval.clamp(REPEAT_EVERY, REPEAT_FIRST_MAX);
                position
            }
        };
        self.next_repeat = Some(now + pause);
        Sample { room, number: self.number, position }.put(out, axes);
        news
    }

    fn remember(&mut self, position: Position) {
        if self.sent.len() == SENT_MAX {
            self.sent.pop_front();
        }
        self.sent.push_back(position);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(50);

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    /// Drives the mover to `end` and returns when it sent.
    fn sends(mover: &mut Mover, end: u64) -> Vec<u64> {
        let mut times = Vec::new();
        while let Some(due) = mover.due(|_| None).filter(|due| *due <= at(end)) {
            let mut out = Vec::new();
            mover.poll_sample(due, RoomHandle(1), &Axes::TWO, &mut 0, &mut out);
            if !out.is_empty() {
                times.push(due.as_millis());
            }
        }
        times
    }

    #[test]
    fn m10_the_last_sample_is_repeated_for_300_ms_and_now_and_then_for_three_seconds() {
        let mut mover = Mover::new(TICK);
        mover.set(at(1000), Position::xy(1, 1));
        let times = sends(&mut mover, 5000);
        assert_eq!(times[..2], [1000, 1050], "first when the next would be due");
        assert!(times[1..17].windows(2).all(|pair| pair[1] - pair[0] == 16));
        assert_eq!(times[16..], [1290, 1790, 2290, 2790, 3290, 3790]);
        assert_eq!(mover.due(|_| None), None);
    }

    #[test]
    fn m10_an_echo_ends_the_repeats() {
        let mut mover = Mover::new(TICK);
        mover.set(at(1000), Position::xy(1, 1));
        assert_eq!(sends(&mut mover, 1060), [1000, 1050]);
        mover.handle_echo(Position::xy(0, 0));
        assert!(mover.due(|_| None).is_some());
        mover.handle_echo(Position::xy(1, 1));
        assert_eq!(mover.due(|_| None), None);
    }

    #[test]
    fn m10_an_echo_of_an_earlier_visit_ends_nothing() {
        let mut mover = Mover::new(TICK);
        for (ms, x) in [(1000, 1), (1100, 2), (1200, 1)] {
            mover.set(at(ms), Position::xy(x, 0));
            sends(&mut mover, ms);
        }
        mover.handle_echo(Position::xy(1, 0));
        assert!(mover.due(|_| None).is_some());
    }

    #[test]
    fn m10_a_slot_is_used_once() {
        let mut mover = Mover::new(Duration::from_millis(40));
        // The beat's slots are at 1000, 1040, and so on.
        let slots = |time: Timestamp| Some(at(time.as_micros().div_ceil(40_000) * 40));
        let mut times = Vec::new();
        for ms in 1000..1200 {
            mover.set(at(ms), Position::xy(ms as i32, 0));
            if mover.due(slots).is_some_and(|due| due <= at(ms)) {
                let mut out = Vec::new();
                mover.poll_sample(at(ms), RoomHandle(1), &Axes::TWO, &mut 0, &mut out);
                times.push(ms);
            }
        }
        assert_eq!(times, [1000, 1040, 1080, 1120, 1160]);
    }

    #[test]
    fn m10_of_what_is_set_within_a_tick_the_newest_goes_out() {
        let mut mover = Mover::new(Duration::from_millis(40));
        mover.set(at(1000), Position::xy(1, 0));
        assert_eq!(sends(&mut mover, 1000), [1000]);
        for ms in 1001..1030 {
            mover.set(at(ms), Position::xy(ms as i32, 0));
        }
        assert_eq!(mover.due(|_| None), Some(at(1030)));
        let mut out = Vec::new();
        mover.poll_sample(at(1030), RoomHandle(1), &Axes::TWO, &mut 1, &mut out);
        let mut expected = Vec::new();
        let position = Position::xy(1029, 0);
        Sample { room: RoomHandle(1), number: 2, position }.put(&mut expected, &Axes::TWO);
        assert_eq!(out, expected);
    }

    #[test]
    fn m10_positions_set_all_the_time_go_out_once_a_tick_on_average() {
        let mut mover = Mover::new(Duration::from_millis(40));
        let mut times = Vec::new();
        for ms in 1000..2000 {
            mover.set(at(ms), Position::xy(ms as i32, 0));
            times.extend(sends(&mut mover, ms));
        }
        assert_eq!(times.len(), 26, "25 ticks, and a part of one early: {times:?}");
        assert!(times.windows(2).skip(1).all(|pair| pair[1] - pair[0] == 40));
    }

    #[test]
    fn m10_a_position_that_none_follows_for_33_ms_does_not_wait_for_its_tick() {
        let mut mover = Mover::new(Duration::from_millis(200));
        mover.set(at(1000), Position::xy(1, 0));
        sends(&mut mover, 1000);
        for ms in [1010, 1030, 1050] {
            mover.set(at(ms), Position::xy(ms as i32, 0));
            assert_eq!(mover.due(|_| None), Some(at(ms + 33)));
        }
        assert_eq!(sends(&mut mover, 1100), [1083]);
    }

    #[test]
    fn m10_a_caller_who_is_late_once_is_not_held_up_for_it() {
        let mut mover = Mover::new(TICK);
        for set in [1000, 1050, 1110, 1150, 1200, 1250] {
            mover.set(at(set), Position::xy(set as i32, 0));
            assert_eq!(mover.due(|_| None), Some(at(set)));
            sends(&mut mover, set);
        }
    }

    #[test]
    fn m10_repeats_do_not_put_off_the_next_position() {
        let interval = Duration::from_millis(80);
        let mut mover = Mover::new(interval);
        mover.set(at(1000), Position::xy(1, 0));
        assert_eq!(sends(&mut mover, 1051), [1000, 1050], "a slow tick is not waited for");
        mover.set(at(1051), Position::xy(2, 0));
        assert_eq!(mover.due(|_| None), Some(at(1080) - interval / EARLY));
    }

    #[test]
    fn m10_the_300_ms_begin_when_the_sample_is_sent() {
        let mut mover = Mover::new(Duration::from_millis(500));
        mover.set(at(1000), Position::xy(1, 0));
        sends(&mut mover, 1000);
        mover.set(at(1001), Position::xy(2, 0));
        let times = sends(&mut mover, 5000);
        assert_eq!((times[0], times[16], times[17]), (1034, 1324, 1824));
    }
}
