//! Whether acks are late because packets are lost, or because nearly everybody is behind: then repeats make it worse.
//!
//! At 30 % loss each way half of the frames are not acked in time. When it is nearly all of them, for many viewers one
//! after the other, it is no loss: this machine, or the one where the viewers are, has more to do than it can, and
//! every repeat is more of it. Repeats are then a quarter as many.

use std::time::Duration;

use super::viewer::REPEAT_EVERY;

/// The share of frames not acked in time above which it is no loss any more, in 1/4,096: seven eighths.
const OVERLOAD: u32 = 3_584;
/// How fast the share follows: some 64 frames count.
const FOLLOW: u32 = 64;

/// The share of late acks in a room.
#[derive(Debug, Default)]
pub(super) struct Patience {
    late: u32,
}

impl Patience {
    /// A viewer has acked something new.
    pub(super) fn handle_ack(&mut self) {
        self.late -= self.late / FOLLOW;
    }

    /// A viewer was sent a tick again; `is_first` if it was for the first time, so that one frame counts once.
    pub(super) fn handle_repeat(&mut self, is_first: bool) {
        if is_first {
            self.late += (4_096 - self.late) / FOLLOW;
        }
    }

    /// What lies between two repeats to one viewer.
    pub(super) fn pause(&self) -> Duration {
        if self.late > OVERLOAD { REPEAT_EVERY * 4 } else { REPEAT_EVERY }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m11_loss_is_repeated_at_once_and_overload_with_patience() {
        let mut patience = Patience::default();
        for frame in 0..1_000 {
            // Every second frame, and three in a row now and then: what 30 % each way looks like.
            if frame % 2 == 0 || frame % 50 < 3 {
                patience.handle_repeat(true);
            } else {
                patience.handle_ack();
            }
            patience.handle_repeat(false);
            assert_eq!(patience.pause(), REPEAT_EVERY);
        }
        (0..200).for_each(|_| patience.handle_repeat(true));
        assert_eq!(patience.pause(), REPEAT_EVERY * 4);
        (0..20).for_each(|_| patience.handle_ack());
        assert_eq!(patience.pause(), REPEAT_EVERY, "it is over soon");
    }
}
