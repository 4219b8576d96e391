//! When a room ticks. Both directions of the conversion are exact, as no rate but a few divides a second in
//! microseconds.

use std::time::Duration;

use hither_protocol::{Tick, Timestamp};

const SECOND: u64 = 1_000_000;

/// The times of a room's ticks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    /// The moment of tick 0.
    start: Timestamp,
    tick_hz: u64,
}

impl Schedule {
    pub(super) fn new(start: Timestamp, tick_hz: u32) -> Self {
        Self { start, tick_hz: u64::from(tick_hz.max(1)) }
    }

    /// The last tick that has begun at `now`.
    pub(super) fn tick_at(&self, now: Timestamp) -> Tick {
        let micros = now.as_micros().saturating_sub(self.start.as_micros());
        let tick = u128::from(micros) * u128::from(self.tick_hz) / u128::from(SECOND);
        // A room that reaches the last number is worn out.
        Tick(u32::try_from(tick).unwrap_or(u32::MAX))
    }

    /// The first microsecond of a tick.
    pub(super) fn start_of(&self, tick: Tick) -> Timestamp {
        self.start + Duration::from_micros((u64::from(tick.0) * SECOND).div_ceil(self.tick_hz))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m3_ticks_and_times_agree_for_ever() {
        for hz in 1..=250 {
            let schedule = Schedule::new(Timestamp::from_millis(1_000), hz);
            for tick in [0, 1, 2, 29, 30, 59, 1_000_003, u32::MAX / 3, u32::MAX - 1].map(Tick) {
                let start = schedule.start_of(tick);
                assert_eq!(schedule.tick_at(start), tick, "{hz} Hz");
                let before = start - Duration::from_micros(1);
                assert_eq!(schedule.tick_at(before).0, tick.0.saturating_sub(1), "{hz} Hz");
            }
        }
    }
}
