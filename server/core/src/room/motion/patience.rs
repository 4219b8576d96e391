//! What late acks mean: that packets are lost, and repeats help, or that nearly everybody is behind, and repeats make
//! it worse.
//!
//! At 30 % loss each way half of the frames are not acked in time. When it is nearly all of them, for many viewers one
//! after the other, it is no loss: this machine, or the one where the viewers are, has more to do than it can, and
//! every repeat is more of it. Repeats are then a quarter as many.

use std::time::Duration;

use super::viewer::REPEAT_EVERY;

/// The share of a room's frames not acked in time above which it is no loss any more, in 1/4,096: seven eighths.
const OVERLOAD: u32 = 3_584;
/// The share of a viewer's frames not acked in time above which its path is taken to lose many, in 1/4,096: an eighth.
const LOSSY: u32 = 512;

/// The share of frames not acked in time, in 1/4,096, among the last `FRAMES` or so.
#[derive(Debug, Default)]
pub(super) struct Late<const FRAMES: u32>(u32);

impl<const FRAMES: u32> Late<FRAMES> {
    /// A frame was acked.
    pub(super) fn handle_ack(&mut self) {
        self.0 -= self.0 / FRAMES;
    }

    /// A frame's ack is late.
    pub(super) fn handle_late(&mut self) {
        self.0 += (4_096 - self.0) / FRAMES;
    }
}

/// Those of a room.
pub(super) type Patience = Late<64>;

impl Patience {
    /// What lies between two repeats to one viewer.
    pub(super) fn pause(&self) -> Duration {
        if self.0 > OVERLOAD { REPEAT_EVERY * 4 } else { REPEAT_EVERY }
    }
}

/// Those of a viewer.
pub(super) type Losses = Late<16>;

impl Losses {
    /// Whether the path loses so much that repeats should not wait until an ack is missed.
    pub(super) fn are_many(&self) -> bool {
        self.0 > LOSSY
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
                patience.handle_late();
            } else {
                patience.handle_ack();
            }
            assert_eq!(patience.pause(), REPEAT_EVERY);
        }
        (0..200).for_each(|_| patience.handle_late());
        assert_eq!(patience.pause(), REPEAT_EVERY * 4);
        (0..20).for_each(|_| patience.handle_ack());
        assert_eq!(patience.pause(), REPEAT_EVERY, "it is over soon");
    }
}
