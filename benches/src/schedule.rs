//! When each member looks at its mouse. It stands apart from sending, so that a look is due at a
//! time that nothing which happens can move: what a stalled server or a late generator delays is
//! then measured as age, not left out.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// An endless list of looks, in the order in which they are due: every member once a period, each
/// at its own phase.
#[derive(Debug)]
pub struct Schedule {
    hz: u64,
    start_us: u64,
    /// Phase in µs and member, by phase.
    turns: Vec<(u64, usize)>,
    round: u64,
    turn: usize,
}

/// One member's look at its mouse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// When it is due, in µs on the clock that `start_us` was given on.
    pub due_us: u64,
    /// Whose it is.
    pub member: usize,
}

impl Schedule {
    /// `members` members at `hz` looks a second (at least 1), the first round within a period from
    /// `start_us`. Phases are drawn evenly from the period by `seed`.
    pub fn new(members: usize, hz: u32, start_us: u64, seed: u64) -> Self {
        let hz = u64::from(hz.max(1));
        let mut rng = StdRng::seed_from_u64(seed);
        let mut turns: Vec<_> =
            (0..members).map(|member| (rng.random_range(0..1_000_000 / hz), member)).collect();
        turns.sort_unstable();
        Self { hz, start_us, turns, round: 0, turn: 0 }
    }

    /// The next look if it is due before `end_us`, which takes it from the list.
    pub fn poll_before(&mut self, end_us: u64) -> Option<Look> {
        let look = self.peek()?;
        if look.due_us >= end_us {
            return None;
        }
        self.turn += 1;
        if self.turn == self.turns.len() {
            (self.turn, self.round) = (0, self.round + 1);
        }
        Some(look)
    }

    /// The next look, left in the list; None only without members.
    pub fn peek(&self) -> Option<Look> {
        let &(phase_us, member) = self.turns.get(self.turn)?;
        // From the round's number each time, so that a period that is no whole number of µs does
        // not drift.
        let round_us = self.round * 1_000_000 / self.hz;
        Some(Look { due_us: self.start_us + round_us + phase_us, member })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(schedule: &mut Schedule, end_us: u64) -> Vec<Look> {
        std::iter::from_fn(|| schedule.poll_before(end_us)).collect()
    }

    #[test]
    fn every_member_looks_hz_times_a_second_at_its_own_phase() {
        let mut schedule = Schedule::new(50, 30, 7_000, 1);
        let looks = looks(&mut schedule, 7_000 + 2_000_000);
        assert_eq!(looks.len(), 50 * 30 * 2);
        assert!(looks.is_sorted_by_key(|look| look.due_us));
        let mut phases = Vec::new();
        for member in 0..50 {
            let due: Vec<_> =
                looks.iter().filter(|l| l.member == member).map(|l| l.due_us).collect();
            assert!(due.windows(2).all(|pair| (33_333..=33_334).contains(&(pair[1] - pair[0]))));
            phases.push(due[0]);
        }
        phases.sort_unstable();
        phases.dedup();
        assert!(phases.len() > 45, "phases are spread");
    }

    /// What is overdue is still handed out, each look once, with the time at which it was due.
    #[test]
    fn a_late_caller_gets_every_look_with_its_own_due_time() {
        let punctual = looks(&mut Schedule::new(3, 20, 0, 9), 1_000_000);
        let mut schedule = Schedule::new(3, 20, 0, 9);
        let mut late = looks(&mut schedule, 100_000);
        late.extend(looks(&mut schedule, 1_000_000));
        assert_eq!(late, punctual);
        assert_eq!(late.len(), 60);
    }

    #[test]
    fn a_schedule_of_nobody_is_empty() {
        assert_eq!(Schedule::new(0, 20, 0, 1).poll_before(u64::MAX), None);
    }
}
