//! The clock of a process, for either end: the state machines are handed their time, and this is where it comes from.

use std::time::{Duration, SystemTime};

use hither_protocol::Timestamp;
use tokio::time::Instant;

/// By how much the wall clock is ahead when that is taken for a sleep of the machine: by more than it is set commonly.
const SLEEP_MIN: Duration = Duration::from_secs(60);

/// Monotonic microseconds since the Unix epoch: the wall clock once, the monotonic clock from then on, so that times
/// never fall. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
    started_at: Timestamp,
}

impl Clock {
    /// Reads the wall clock; later changes of it are not followed.
    pub fn start() -> Self {
        Self::start_at(wall_time())
    }

    /// Shows `started_at` now, whatever the wall clock says.
    pub fn start_at(started_at: Timestamp) -> Self {
        Self { started: Instant::now(), started_at }
    }

    /// Follows the wall clock if it is a minute ahead or more: in a machine's sleep the monotonic clock stands still.
    pub fn catch_up(&mut self) {
        self.catch_up_with(wall_time());
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.started_at + self.started.elapsed()
    }

    /// What this clock shows at `instant`; where it began, if that was before.
    pub fn time_of(&self, instant: std::time::Instant) -> Timestamp {
        self.started_at + Instant::from_std(instant).saturating_duration_since(self.started)
    }

    /// The runtime's instant at which this clock shows `time`.
    pub fn instant(&self, time: Timestamp) -> Instant {
        self.started + time.since(self.started_at)
    }

    fn catch_up_with(&mut self, wall_time: Timestamp) {
        let ahead = wall_time.since(self.now());
        if ahead >= SLEEP_MIN {
            self.started_at = self.started_at + ahead;
        }
    }
}

/// A wall clock before 1970 gives 0, which is as good: only differences matter then.
fn wall_time() -> Timestamp {
    let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::default() + unix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_counts_and_a_wall_clock_that_is_set_by_a_little_or_back_does_not() {
        let mut clock = Clock::start();
        let before = clock.now();
        for ahead in [Duration::ZERO, Duration::from_secs(59)] {
            clock.catch_up_with(before + ahead);
        }
        clock.catch_up_with(before - Duration::from_secs(3600));
        assert!(clock.now().since(before) < Duration::from_secs(30));
        let after = before + Duration::from_secs(30 * 3600);
        clock.catch_up_with(after);
        let now = clock.now();
        assert!(now >= after && now.since(after) < Duration::from_secs(30));
        assert!(clock.instant(now) <= Instant::now(), "timers go on from there");
    }
}
