//! What late acks mean: that packets are lost, and repeats help, or that nearly everybody is behind, and repeats make
//! it worse.
//!
//! At 30 % loss each way half of the frames are not acked in time. When it is nearly all of them, for many viewers one
//! after the other, it is no loss: this machine, or the one where the viewers are, has more to do than it can, and
//! every repeat is more of it. Repeats are then a quarter as many.

use std::time::Duration;

use hither_protocol::Tick;

use super::viewer::REPEAT_EVERY;

/// The share of a room's frames not acked in time above which it is no loss any more, in 1/4,096: seven eighths.
const OVERLOAD: u32 = 3_584;
/// The share of a viewer's frames passed over above which its path is taken to lose many, in 1/4,096: an eighth.
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

/// What a viewer's path loses, by the frames that it was sent: one that is passed over by the ack of a later one is
/// lost, or its ack is. One whose ack is late may not be: to repeat it then is more of what made it late.
#[derive(Debug, Default)]
pub(super) struct Losses {
    lost: Late<16>,
    /// The tick of the newest frame.
    newest: Tick,
    /// Bit i: the frame of the tick i before it is neither acked nor passed over yet.
    open: u64,
}

impl Losses {
    /// Whether the path loses so much that repeats should not wait until an ack is missed.
    pub(super) fn are_many(&self) -> bool {
        self.lost.0 > LOSSY
    }

    /// The frame of `tick` is on its way, for the first time or again.
    pub(super) fn handle_sent(&mut self, tick: Tick) {
        if let Some(ahead @ 1..) = tick.since(self.newest) {
            self.open = self.open.checked_shl(ahead).unwrap_or(0) | 1;
            self.newest = tick;
        }
    }

    /// The frame of `tick` was acked, for the first time.
    pub(super) fn handle_ack(&mut self, tick: Tick) {
        let Some(age) = self.newest.since(tick).filter(|age| *age < u64::BITS) else { return };
        let passed_over = self.open.checked_shr(age + 1).unwrap_or(0).count_ones();
        (0..passed_over).for_each(|_| self.lost.handle_late());
        if self.open >> age & 1 == 1 {
            self.lost.handle_ack();
        }
        self.open &= (1 << age) - 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of these ticks are sent one after the other, and acked if `is_acked`.
    fn pass(losses: &mut Losses, ticks: std::ops::Range<u32>, is_acked: impl Fn(u32) -> bool) {
        for tick in ticks {
            losses.handle_sent(Tick(tick));
            if is_acked(tick) {
                losses.handle_ack(Tick(tick));
            }
        }
    }

    #[test]
    fn m11_frames_that_acks_pass_over_are_lost() {
        let mut losses = Losses::default();
        pass(&mut losses, 0..40, |_| true);
        assert!(!losses.are_many());
        pass(&mut losses, 40..60, |tick| tick % 4 != 0);
        assert!(losses.are_many());
        pass(&mut losses, 60..100, |tick| tick % 20 != 0);
        assert!(!losses.are_many(), "a twentieth is not many");
        // None were sent in between, and acks of later frames come first.
        pass(&mut losses, 1_000..1_001, |_| true);
        pass(&mut losses, 2_000..2_004, |_| false);
        (2_000..2_004).for_each(|tick| losses.handle_ack(Tick(tick)));
        assert!(!losses.are_many());
    }

    #[test]
    fn m11_acks_that_are_late_are_no_loss() {
        let mut losses = Losses::default();
        for tick in 0..100 {
            // Three ticks late, and each frame sent twice.
            losses.handle_sent(Tick(tick));
            losses.handle_sent(Tick(tick));
            losses.handle_ack(Tick(tick.saturating_sub(3)));
        }
        assert!(!losses.are_many());
    }

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
