//! When a client sends its own motion: at most once a tick while it moves, again and again when it comes to rest (M10).

use std::collections::VecDeque;
use std::time::Duration;

use crate::ids::RoomHandle;
use crate::motion::upward::Sample;
use crate::motion::{Axes, Position};
use crate::time::Timestamp;

/// How often the last sample is repeated at rest.
const REPEAT_EVERY: Duration = Duration::from_millis(16);
/// How long it is repeated, unless a frame shows that it has arrived.
const REPEAT_FOR: Duration = Duration::from_millis(300);
/// How many sent positions are remembered, to know an echo of the last from one of an earlier visit to its place.
const SENT_MAX: usize = 32;

/// The outgoing motion of one member.
#[derive(Debug)]
pub(super) struct Mover {
    interval: Duration,
    number: u32,
    state: State,
    /// When the newest position was sent first; the next one keeps its interval from that, not from a repeat.
    last_new: Option<Timestamp>,
    last_sent: Option<Timestamp>,
    sent: VecDeque<Position>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// Nothing to send.
    Still,
    /// A position that was not sent yet.
    Moved { position: Position, at: Timestamp },
    /// The last sent position, repeated until `until`.
    Resting { position: Position, until: Timestamp, ambiguous: bool },
}

impl Mover {
    /// Sends at most once in `interval` while moving.
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            interval,
            number: 0,
            state: State::Still,
            last_new: None,
            last_sent: None,
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
            self.state = State::Moved { position, at: now };
        }
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
        if let State::Resting { until, .. } = self.state
            && now >= until
        {
            self.state = State::Still;
        }
    }

    /// When the next sample goes out.
    pub(super) fn due(&self) -> Option<Timestamp> {
        match self.state {
            State::Still => None,
            State::Moved { at, .. } => {
                Some(self.last_new.map_or(at, |last| at.max(last + self.interval)))
            }
            State::Resting { until, .. } => {
                self.last_sent.map(|last| until.min(last + REPEAT_EVERY))
            }
        }
    }

    /// Appends the sample that is due, if one is. A new one takes the number after `last_number`, which is the
    /// session's and not the membership's: a late sample of an earlier membership must not win over this one's.
    pub(super) fn poll_sample(
        &mut self,
        now: Timestamp,
        room: RoomHandle,
        axes: Axes,
        last_number: &mut u32,
        out: &mut Vec<u8>,
    ) {
        if self.due().is_none_or(|due| now < due) {
            return;
        }
        let position = match self.state {
            State::Still => return,
            State::Resting { until, .. } if now >= until => return self.handle_timeout(now),
            State::Resting { position, .. } => position,
            State::Moved { position, .. } => {
                *last_number += 1;
                self.number = *last_number;
                self.last_new = Some(now);
                let ambiguous = self.sent.contains(&position);
                self.state = State::Resting { position, until: now + REPEAT_FOR, ambiguous };
                self.remember(position);
                position
            }
        };
        self.last_sent = Some(now);
        Sample { room, number: self.number, position }.put(out, axes);
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
        while let Some(due) = mover.due().filter(|due| *due <= at(end)) {
            let mut out = Vec::new();
            mover.poll_sample(due, RoomHandle(1), Axes::TWO, &mut 0, &mut out);
            if !out.is_empty() {
                times.push(due.as_millis());
            }
        }
        times
    }

    #[test]
    fn m10_the_last_sample_is_repeated_for_300_ms() {
        let mut mover = Mover::new(TICK);
        mover.set(at(1000), Position::xy(1, 1));
        let times = sends(&mut mover, 5000);
        assert_eq!(times.first(), Some(&1000));
        assert_eq!(times.len(), 19);
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 16));
        assert_eq!(mover.due(), None);
    }

    #[test]
    fn m10_an_echo_ends_the_repeats() {
        let mut mover = Mover::new(TICK);
        mover.set(at(1000), Position::xy(1, 1));
        assert_eq!(sends(&mut mover, 1020), [1000, 1016]);
        mover.handle_echo(Position::xy(0, 0));
        assert!(mover.due().is_some());
        mover.handle_echo(Position::xy(1, 1));
        assert_eq!(mover.due(), None);
    }

    #[test]
    fn m10_an_echo_of_an_earlier_visit_ends_nothing() {
        let mut mover = Mover::new(TICK);
        for (ms, x) in [(1000, 1), (1100, 2), (1200, 1)] {
            mover.set(at(ms), Position::xy(x, 0));
            sends(&mut mover, ms);
        }
        mover.handle_echo(Position::xy(1, 0));
        assert!(mover.due().is_some());
    }

    #[test]
    fn m10_moves_go_out_at_most_once_a_tick_and_the_newest_wins() {
        let mut mover = Mover::new(TICK);
        mover.set(at(1000), Position::xy(1, 0));
        assert_eq!(sends(&mut mover, 1000), [1000]);
        for ms in 1001..1040 {
            mover.set(at(ms), Position::xy(ms as i32, 0));
        }
        assert_eq!(mover.due(), Some(at(1050)));
        let mut out = Vec::new();
        mover.poll_sample(at(1050), RoomHandle(1), Axes::TWO, &mut 1, &mut out);
        let mut expected = Vec::new();
        let position = Position::xy(1039, 0);
        Sample { room: RoomHandle(1), number: 2, position }.put(&mut expected, Axes::TWO);
        assert_eq!(out, expected);
    }

    #[test]
    fn m10_repeats_do_not_put_off_the_next_position() {
        let mut mover = Mover::new(TICK);
        mover.set(at(1000), Position::xy(1, 0));
        assert_eq!(sends(&mut mover, 1040), [1000, 1016, 1032]);
        mover.set(at(1041), Position::xy(2, 0));
        assert_eq!(mover.due(), Some(at(1050)));
    }

    #[test]
    fn m10_the_300_ms_begin_when_the_sample_is_sent() {
        let mut mover = Mover::new(Duration::from_millis(500));
        mover.set(at(1000), Position::xy(1, 0));
        sends(&mut mover, 1000);
        mover.set(at(1001), Position::xy(2, 0));
        let times = sends(&mut mover, 5000);
        assert_eq!((times[0], times.last()), (1500, Some(&1788)));
    }
}
