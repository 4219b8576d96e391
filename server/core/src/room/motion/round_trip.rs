//! How long a viewer's acks take, and what that says of its path. Apart from the viewer, which only asks.

use std::time::Duration;

use super::viewer::REPEAT_EVERY;

/// How much later than usual an ack may come at least, before it is missed.
const SPARE_LEAST: Duration = Duration::from_millis(4);
/// What a round trip is taken for before the first ack.
const FIRST: Duration = Duration::from_millis(50);
/// A round trip may be so much longer than the shortest, and two ticks, before its path is taken to be congested.
const QUEUE_SPARED: Duration = Duration::from_millis(50);

/// From a frame to its ack, which a client holds back until its next datagram.
#[derive(Debug)]
pub(super) struct RoundTrip {
    mean: Duration,
    /// How far off it the samples are.
    off: Duration,
    /// The shortest of late: what the path takes without a queue.
    least: Option<Duration>,
}

impl Default for RoundTrip {
    fn default() -> Self {
        Self { mean: FIRST, off: FIRST / 16, least: None }
    }
}

impl RoundTrip {
    /// Mean and deviation as RFC 6298 has them. The ack of a tick that was sent again says nothing of the deviation: it
    /// may be that of the repeat, or have been hurried by it. A hurried one says nothing at all, or else acks that come
    /// as ever would seem late.
    pub(super) fn handle_sample(&mut self, sample: Duration, was_repeated: bool) {
        if was_repeated && sample < self.mean {
            return;
        }
        if !was_repeated {
            self.off = (self.off * 3 + sample.abs_diff(self.mean)) / 4;
        }
        self.mean = (self.mean * 7 + sample) / 8;
        // A path that has become longer for good is no queue: the least follows, in some hundred acks.
        let follow = |least: Duration| sample.min((least * 127 + sample) / 128);
        self.least = Some(self.least.map_or(sample, follow));
    }

    /// After how long an ack is missed.
    pub(super) fn patience(&self) -> Duration {
        // However the samples vary, it is not waited for much longer than usual.
        let spare_max = self.mean / 4 + REPEAT_EVERY;
        self.mean + (self.off * 4).clamp(SPARE_LEAST, spare_max)
    }

    /// How much of it is spent in queues, if that is enough to say that the path is congested.
    pub(super) fn queue(&self, tick_period: Duration) -> Option<Duration> {
        let queue = self.mean.saturating_sub(self.least?);
        (queue > QUEUE_SPARED + tick_period * 2).then_some(queue)
    }
}
