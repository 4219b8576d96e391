//! The clock of a connection. The session is handed its time; this is the one place that reads it from the machine.

use std::time::SystemTime;

use hither_protocol::Timestamp;
use tokio::time::Instant;

/// Monotonic microseconds since the Unix epoch: the wall clock once, the monotonic clock from then on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: Instant,
    started_at: Timestamp,
}

impl Clock {
    pub(crate) fn start() -> Self {
        // A wall clock before 1970 leaves 0, which is as good: only differences matter here.
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), started_at: Timestamp::default() + unix }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.started_at + self.started.elapsed()
    }

    /// When the clock shows `time`.
    pub(crate) fn instant(&self, time: Timestamp) -> Instant {
        self.started + time.since(self.started_at)
    }
}
