//! A token bucket: so many in a second, and two seconds' worth at once.

use std::time::Duration;

use hither_protocol::Timestamp;
use hither_protocol::limits::BURST_SECONDS;

const SECOND: u64 = 1_000_000;

/// Keeps the moment at which the bucket will be full again, so that an idle bucket costs nothing (GCRA).
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    per_token: u64,
    burst: u64,
    full_at: u64,
}

impl Bucket {
    /// A full bucket of `per_second` tokens a second.
    pub fn new(per_second: u32) -> Self {
        let per_token = SECOND / u64::from(per_second.max(1));
        Self { per_token, burst: SECOND * u64::from(BURST_SECONDS), full_at: 0 }
    }

    /// Takes tokens that there may not be yet; returns how long until there are, zero if there are now.
    pub fn take_ahead(&mut self, now: Timestamp, tokens: u32) -> Duration {
        let now = now.as_micros();
        self.full_at = self.full_at.max(now) + self.per_token * u64::from(tokens);
        Duration::from_micros(self.full_at.saturating_sub(now + self.burst))
    }

    /// Takes a token.
    ///
    /// # Errors
    /// How long until there is one.
    pub fn take(&mut self, now: Timestamp) -> Result<(), Duration> {
        let now = now.as_micros();
        let full_at = self.full_at.max(now) + self.per_token;
        if full_at > now + self.burst {
            return Err(Duration::from_micros(full_at - now - self.burst));
        }
        self.full_at = full_at;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e2_two_seconds_worth_at_once_then_the_rate() {
        let mut bucket = Bucket::new(10);
        let start = Timestamp::from_millis(1_000_000);
        for _ in 0..20 {
            assert_eq!(bucket.take(start), Ok(()));
        }
        assert_eq!(bucket.take(start), Err(Duration::from_millis(100)));
        let later = start + Duration::from_millis(100);
        assert_eq!(bucket.take(later), Ok(()));
        assert!(bucket.take(later).is_err());
        let rested = later + Duration::from_secs(60);
        assert_eq!((0..100).filter(|_| bucket.take(rested).is_ok()).count(), 20);
    }

    #[test]
    fn e2_what_is_taken_ahead_is_waited_for() {
        let mut bucket = Bucket::new(10);
        let start = Timestamp::from_millis(1_000_000);
        assert_eq!(bucket.take_ahead(start, 20), Duration::ZERO);
        assert_eq!(bucket.take_ahead(start, 5), Duration::from_millis(500));
        assert_eq!(bucket.take(start), Err(Duration::from_millis(600)));
        let later = start + Duration::from_millis(500);
        assert_eq!(bucket.take_ahead(later, 1), Duration::from_millis(100));
    }
}
