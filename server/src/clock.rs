//! The one clock of the process: Unix time at the start, then monotonic, so that room times never fall.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hither_protocol::Timestamp;

/// Tells the time; cheap to copy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
    start_unix: Timestamp,
}

impl Clock {
    /// Takes the system's time once; later changes of it are not followed.
    pub(crate) fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { start: Instant::now(), start_unix: Timestamp::default() + since_epoch }
    }

    /// The time now.
    pub(crate) fn now(&self) -> Timestamp {
        self.start_unix + self.start.elapsed()
    }

    /// The runtime's instant of a time.
    pub(crate) fn instant(&self, time: Timestamp) -> tokio::time::Instant {
        (self.start + time.since(self.start_unix)).into()
    }
}
