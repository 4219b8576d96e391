//! What moves the members' mice: a seed, or people who were recorded. Apart from the run, which only asks where a mouse
//! is.

use std::sync::Arc;

use anyhow::Result;

use super::Plan;
use crate::mouse::Mouse;
use crate::traces::{Trace, Traces};

/// What moves a member's mouse.
pub(super) enum Hand {
    Seeded(Box<Mouse>),
    Recorded(Arc<Trace>),
}

impl Hand {
    /// Those of the first `members` members. Errors are the caller's: traces that do not parse.
    pub(super) fn of_members(plan: &Plan, members: usize) -> Result<Vec<Self>> {
        let Some(folder) = &plan.traces else {
            let mouse = |index: usize| Mouse::new(plan.seed.wrapping_add(index as u64));
            return Ok((0..members).map(|index| Self::Seeded(Box::new(mouse(index)))).collect());
        };
        let traces = Traces::load(folder)?;
        Ok((0..members).map(|index| Self::Recorded(traces.of_member(index))).collect())
    }

    /// Where it is after `t_ms`, which must not fall from call to call.
    pub(super) fn sample_at(&mut self, t_ms: u64) -> (i32, i32) {
        match self {
            Self::Seeded(mouse) => mouse.sample_at(t_ms),
            Self::Recorded(trace) => trace.sample_at(t_ms),
        }
    }
}
