//! The clock of a process, for either end: the state machines are handed their time, and this is where it comes from.

use std::time::SystemTime;

use hither_protocol::Timestamp;
use tokio::time::Instant;

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
        // A wall clock before 1970 leaves 0, which is as good: only differences matter then.
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), started_at: Timestamp::default() + unix }
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
}
