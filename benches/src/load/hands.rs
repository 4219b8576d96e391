//! What moves the members' mice, and where: a seed, or people who were recorded. Apart from the run, which only asks
//! where a mouse is.

use std::sync::Arc;

use anyhow::Result;
use hither_client::Viewport;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::Plan;
use crate::mouse::{Mouse, SCREEN};
use crate::traces::{Trace, Traces};

/// Where all hands of a run come from.
pub(super) enum Hands {
    Seeded(u64),
    Recorded(Traces),
}

/// What moves a member's mouse.
pub(super) enum Hand {
    Seeded(Box<Mouse>),
    Recorded(Arc<Trace>),
}

impl Hands {
    /// Those that the plan asks for. Errors are the caller's: traces that do not parse.
    pub(super) fn open(plan: &Plan) -> Result<Self> {
        match &plan.traces {
            Some(folder) => Ok(Self::Recorded(Traces::load(folder)?)),
            None => Ok(Self::Seeded(plan.seed)),
        }
    }

    /// That of a member.
    pub(super) fn of_member(&self, member: usize) -> Hand {
        match self {
            Self::Seeded(seed) => {
                Hand::Seeded(Box::new(Mouse::new(seed.wrapping_add(member as u64))))
            }
            Self::Recorded(traces) => Hand::Recorded(traces.of_member(member)),
        }
    }

    /// The rectangle in which all of them move.
    pub(super) fn space(&self) -> Viewport {
        match self {
            Self::Seeded(_) => {
                Viewport { left: 0, top: 0, right: SCREEN.0 - 1, bottom: SCREEN.1 - 1 }
            }
            Self::Recorded(traces) => {
                let ((left, top), (right, bottom)) = traces.bounds();
                Viewport { left, top, right, bottom }
            }
        }
    }
}

impl Hand {
    /// Where it is after `t_ms`, which must not fall from call to call.
    pub(super) fn sample_at(&mut self, t_ms: u64) -> (i32, i32) {
        match self {
            Self::Seeded(mouse) => mouse.sample_at(t_ms),
            Self::Recorded(trace) => trace.sample_at(t_ms),
        }
    }
}

/// A rectangle of the same shape anywhere in `space`, with `share` of its area; the seed decides where.
pub(super) fn part_of(space: &Viewport, share: f64, seed: u64) -> Viewport {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut side = |low: i32, high: i32| {
        let length = (f64::from(high - low) * share.sqrt()).round() as i32;
        let from = rng.random_range(low..=high - length);
        (from, from + length)
    };
    let ((left, right), (top, bottom)) =
        (side(space.left, space.right), side(space.top, space.bottom));
    Viewport { left, top, right, bottom }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_lies_in_the_space_and_has_its_share() {
        let space = Viewport { left: -100, top: 50, right: 1_900, bottom: 1_050 };
        for (seed, share) in (0..100).flat_map(|seed| [(seed, 0.01), (seed, 0.25), (seed, 1.0)]) {
            let part = part_of(&space, share, seed);
            assert!(space.left <= part.left && part.right <= space.right, "{part:?}");
            assert!(space.top <= part.top && part.bottom <= space.bottom, "{part:?}");
            let area = f64::from(part.right - part.left) * f64::from(part.bottom - part.top);
            assert!((area / 2_000_000.0 - share).abs() < 0.001, "{part:?}");
        }
        assert_ne!(part_of(&space, 0.25, 1), part_of(&space, 0.25, 2));
        assert_eq!(part_of(&space, 0.25, 1), part_of(&space, 0.25, 1));
    }
}
