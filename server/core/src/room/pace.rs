//! How often a room ticks that has more to do than its time allows (M14): each second, fourth or eighth tick only.

use std::time::Duration;

/// The most ticks that one tick may stand for.
const STRIDE_MAX: u32 = 8;

/// How a tick went.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ticked {
    /// How long after its time it began.
    pub late: Duration,
    /// How long it took, and sending what came of it.
    pub took: Duration,
}

/// How many of its ticks a room does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    stride: u32,
    /// How late its ticks begin, over the last eight or so: one that is late says nothing yet of those to come.
    late: Duration,
}

impl Pace {
    /// How many ticks lie between one that is done and the next: 1, 2, 4 or 8.
    pub(super) fn stride(self) -> u32 {
        self.stride
    }

    /// From when a tick was due until it is done: above three quarters of the time that there is, there are half as
    /// many from now on; below a quarter, twice as many. Returns how many ticks are left out after this one.
    pub(super) fn handle_ticked(&mut self, ticked: Ticked, period: Duration) -> u64 {
        let time = period * self.stride;
        self.late = (self.late * 7 + ticked.late) / 8;
        let took = self.late + ticked.took;
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
        Self { stride: 1, late: Duration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_millis(20);

    fn ticked(late: u64, took: u64) -> Ticked {
        Ticked { late: Duration::from_millis(late), took: Duration::from_millis(took) }
    }

    #[test]
    fn m14_a_room_that_overruns_its_ticks_does_fewer_and_comes_back() {
        let mut pace = Pace::default();
        let mut strides = Vec::new();
        for took in [1, 16, 31, 61, 200, 100, 30, 9, 4, 4, 4] {
            pace.handle_ticked(ticked(0, took), PERIOD);
            strides.push(pace.stride());
        }
        assert_eq!(strides, [1, 2, 4, 8, 8, 8, 4, 2, 1, 1, 1]);
        assert_eq!(pace.handle_ticked(ticked(0, 20), PERIOD), 1, "one is left out after this");
    }

    #[test]
    fn m14_a_room_whose_ticks_begin_late_again_and_again_does_fewer_and_comes_back() {
        let mut pace = Pace::default();
        let mut strides = |late, ticks: usize| {
            let mut stride = || {
                pace.handle_ticked(ticked(late, 1), PERIOD);
                pace.stride()
            };
            (0..ticks).map(|_| stride()).collect::<Vec<_>>()
        };
        assert_eq!(strides(100, 1), [1], "once says nothing");
        assert_eq!(strides(1, 20), [1; 20]);
        assert_eq!(strides(30, 20).last(), Some(&2));
        assert_eq!(strides(1, 20).last(), Some(&1));
    }
}
