//! The clock of ticks: which tick is to be seen at a local time. Apart from positions, since all members of a room are
//! shown by one clock.
//!
//! The offset between local time and tick time is that of the frame that was under way for the shortest time lately (a
//! minimum filter over a window, as NTP's clock filter, RFC 5905 section 10). What is shown lies behind it by one tick,
//! so that there is a next point to move to, and by how late frames are: a high quantile of it, followed by stochastic
//! approximation (Robbins and Monro, "A Stochastic Approximation Method", 1951), quick to grow and slow to shrink.

use std::time::Duration;

use crate::ids::Tick;
use crate::time::Timestamp;

/// How long a frame counts for the offset at least, in milliseconds; at most twice that. Clocks that differ by 100
/// parts in a million are apart by 3 ms then.
const WINDOW_MS: f64 = 15_000.0;
/// What is added for lateness at least and at most, in ticks.
const LATE_MIN: f64 = 0.5;
const LATE_MAX: f64 = 4.0;
/// What a frame that is later than that adds, and one that is not takes away: at rest one frame in 20 is later.
const LATE_UP: f64 = 0.095;
const LATE_DOWN: f64 = 0.005;
/// How much faster or slower than time ticks are played, until they are where they should be.
const SLEW: f64 = 0.25;
/// Ticks that are left out at once when what is shown is so far behind. It never goes back.
const JUMP: f64 = 4.0;
/// The moving members from which on a missing frame is taken to be late: one alone has rather come to rest.
const CROWD: u32 = 2;

/// Less than any lead.
pub(super) const NEVER: f64 = -1e15;

/// Turns local time into tick time. Tick time is in ticks of the room's epoch, with fractions.
#[derive(Debug)]
pub(super) struct Clock {
    ticks_per_ms: f64,
    /// The first frame: local time is counted in ticks from there.
    start: Option<Timestamp>,
    /// The greatest lead of a frame's tick over local time in this window and in the one before.
    best: f64,
    best_before: f64,
    window_start: f64,
    late: f64,
    /// The lead of what is shown over local time: at the last frame, and what it is on its way to.
    lead: f64,
    lead_to: f64,
    last: f64,
    shown: f64,
    newest: f64,
    newest_before: f64,
    /// The ticks that were to be seen before a newer frame came, of the last 32: bit `tick % 32`.
    overrun: u32,
    moves: u32,
    moves_before: u32,
}

impl Clock {
    pub(super) fn new(tick_hz: u32) -> Self {
        Self {
            ticks_per_ms: f64::from(tick_hz) / 1000.0,
            start: None,
            best: NEVER,
            best_before: NEVER,
            window_start: 0.0,
            late: LATE_MIN,
            lead: NEVER,
            lead_to: NEVER,
            last: 0.0,
            shown: 0.0,
            newest: -1.0,
            newest_before: -1.0,
            overrun: 0,
            moves: 0,
            moves_before: 0,
        }
    }

    /// A frame has come. What comes again, or after a newer one, tells nothing new of time.
    pub(super) fn handle_frame(&mut self, now: Timestamp, tick: Tick) {
        let tick = f64::from(tick.0);
        self.start.get_or_insert(now);
        let time = self.local(now);
        if tick > self.newest {
            let lead = self.lead_at(time);
            self.measure(time, tick - time);
            self.lead = if self.lead_to - lead > JUMP { self.lead_to } else { lead };
            self.last = time;
            self.overrun &= !bit(self.newest);
            if time + self.lead > self.newest {
                self.overrun |= bit(self.newest);
            }
            self.newest_before = self.newest;
            self.newest = tick;
            self.moves_before = self.moves;
            self.moves = 0;
        }
        self.shown = time + self.lead_at(time);
    }

    /// A point of the last frame says that a member is elsewhere.
    pub(super) fn handle_move(&mut self) {
        self.moves += 1;
    }

    /// What is to be seen at a local time; what is earlier than the newest frame counts as its arrival.
    pub(super) fn at(&self, now: Timestamp) -> f64 {
        let time = self.local(now).max(self.last);
        time + self.lead_at(time)
    }

    /// What was to be seen when the last frame came.
    pub(super) fn shown(&self) -> f64 {
        self.shown
    }

    /// The newest tick before the last frame's.
    pub(super) fn newest_before(&self) -> f64 {
        self.newest_before
    }

    /// Whether so many moved in the frame before that a missing one is rather late than not sent.
    pub(super) fn is_crowded(&self) -> bool {
        self.moves_before >= CROWD
    }

    /// Whether a newer frame was missing when this one's tick was to be seen.
    pub(super) fn was_overrun(&self, tick: f64) -> bool {
        tick == self.newest || self.overrun & bit(tick) != 0
    }

    /// Ticks in so many milliseconds.
    pub(super) fn ticks_in(&self, ms: f64) -> f64 {
        ms * self.ticks_per_ms
    }

    /// Takes the lead of a new tick: by itself how late it is, with the best ones where to go.
    fn measure(&mut self, time: f64, lead: f64) {
        let window = self.ticks_in(WINDOW_MS);
        let age = time - self.window_start;
        if age >= window {
            self.best_before = if age < 2.0 * window { self.best } else { lead };
            self.best = lead;
            self.window_start = time;
        }
        self.best = self.best.max(lead);
        let best = self.best.max(self.best_before);
        let change = if best - lead > self.late { LATE_UP } else { -LATE_DOWN };
        self.late = (self.late + change).clamp(LATE_MIN, LATE_MAX);
        self.lead_to = best - 1.0 - self.late;
    }

    fn lead_at(&self, time: f64) -> f64 {
        let reach = SLEW * (time - self.last);
        self.lead + (self.lead_to - self.lead).max(-reach).min(reach)
    }

    /// Local time in ticks since the first frame.
    fn local(&self, now: Timestamp) -> f64 {
        let passed = self.start.map_or(Duration::ZERO, |start| now.since(start));
        self.ticks_in(passed.as_micros() as f64 / 1000.0)
    }
}

fn bit(tick: f64) -> u32 {
    1 << (tick as i64 & 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Tick `n` is sent at `n` times this, in microseconds.
    const PERIOD: u64 = 40_000;
    const HZ: u32 = 25;

    fn at(micros: u64) -> Timestamp {
        Timestamp::from_micros(5_000_000_000 + micros)
    }

    /// A clock that got these ticks, each after a delay in microseconds.
    fn clock(frames: impl IntoIterator<Item = (u32, u64)>) -> Clock {
        let mut clock = Clock::new(HZ);
        for (tick, delay) in frames {
            clock.handle_frame(at(u64::from(tick) * PERIOD + delay), Tick(tick));
        }
        clock
    }

    #[test]
    fn what_is_shown_is_a_tick_and_a_half_old() {
        let clock = clock((100..200).map(|tick| (tick, 3_000)));
        for (ms, tick) in [(7_963, 197.5), (7_983, 198.0), (10_003, 248.5)] {
            let shown = clock.at(at(ms * 1_000));
            assert!((shown - tick).abs() < 1e-9, "{ms} ms: {shown}");
        }
    }

    #[test]
    fn the_frame_that_was_fastest_is_the_one_that_counts() {
        let mut late = clock((0..50).map(|tick| (tick, 9_000)));
        late.handle_frame(at(50 * PERIOD + 1_000), Tick(50));
        let late = late.at(at(60 * PERIOD + 1_000));
        assert!((late - 58.5).abs() < 1e-9, "{late}");
    }

    #[test]
    fn late_frames_push_what_is_shown_back_quickly_and_let_go_slowly() {
        let behind = |clock: &Clock, tick: u64| tick as f64 - clock.at(at(tick * PERIOD));
        // One frame in eight is two ticks late, and the next one comes with it.
        let delay = |tick| match tick % 8 {
            0 => 2 * PERIOD,
            1 => PERIOD,
            _ => 0,
        };
        let mut clock = clock((0..400).map(|tick| (tick, delay(tick))));
        let pushed = behind(&clock, 400);
        assert!((2.8..3.1).contains(&pushed), "{pushed}");
        for tick in 400..700 {
            clock.handle_frame(at(u64::from(tick) * PERIOD), Tick(tick));
        }
        let after = behind(&clock, 700);
        assert!((1.5..1.6).contains(&after), "{after}");
    }

    #[test]
    fn a_clock_that_is_far_behind_jumps() {
        for (stall, behind) in [(20, 1.5), (5, 1.5), (4, 5.5)] {
            let clock = clock([(0, stall * PERIOD), (21, 0)]);
            let shown = clock.at(at(21 * PERIOD));
            assert!((shown - (21.0 - behind)).abs() < 1e-9, "{stall} ticks: {shown}");
        }
    }

    #[test]
    fn what_a_path_was_once_is_forgotten() {
        let before = (0..10).map(|tick| (tick, 0));
        let clock = clock(before.chain((10..2_000).map(|tick| (tick, 10 * PERIOD))));
        let shown = clock.at(at(2_010 * PERIOD));
        assert!((shown - 1_998.5).abs() < 1e-9, "{shown}");
    }

    proptest! {
        #[test]
        fn time_never_runs_backwards(
            frames in prop::collection::vec((0..5u32, 0..400_000u64, 0..200_000u64), 1..200),
        ) {
            let mut clock = Clock::new(HZ);
            let (mut tick, mut now) = (1_000, 0);
            let (mut asked, mut shown) = (0, f64::NEG_INFINITY);
            for (ticks, pause, early) in frames {
                tick += ticks;
                now += pause;
                clock.handle_frame(at(now), Tick(tick));
                // A picture may be of a time before the frame that came last.
                for time in [now.saturating_sub(early), now, now + pause / 3] {
                    asked = asked.max(time);
                    let before = std::mem::replace(&mut shown, clock.at(at(asked)));
                    prop_assert!(shown >= before - 1e-9, "{before}, then {shown}");
                }
                now += pause / 3;
            }
        }
    }
}
