//! How often a room ticks that has more to do than its time allows (M14): each second, fourth or eighth tick only.

use std::time::Duration;

/// The most ticks that one tick may stand for.
const STRIDE_MAX: u32 = 8;

/// How many of its ticks a room does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    stride: u32,
}

impl Pace {
    /// How many ticks lie between one that is done and the next: 1, 2, 4 or 8.
    pub(super) fn stride(self) -> u32 {
        self.stride
    }

    /// A tick took so long. Above three quarters of the time that there is, there are half as many from now on; below a
    /// quarter, twice as many. Returns how many ticks are left out after this one.
    pub(super) fn handle_tick_took(&mut self, took: Duration, period: Duration) -> u64 {
        let time = period * self.stride;
        if took > time * 3 / 4 {
            self.stride = (self.stride * 2).min(STRIDE_MAX);
        } else if took < time / 4 {
            self.stride = (self.stride / 2).max(1);
        }
        u64::from(self.stride - 1)
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self { stride: 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m14_a_room_that_overruns_its_ticks_does_fewer_and_comes_back() {
        let period = Duration::from_millis(20);
        let mut pace = Pace::default();
        let mut strides = Vec::new();
        for took in [1, 16, 31, 61, 200, 100, 30, 9, 4, 4, 4] {
            pace.handle_tick_took(Duration::from_millis(took), period);
            strides.push(pace.stride());
        }
        assert_eq!(strides, [1, 2, 4, 8, 8, 8, 4, 2, 1, 1, 1]);
        assert_eq!(pace.handle_tick_took(period, period), 1, "one is left out after this");
    }
}
