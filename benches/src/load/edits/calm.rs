//! The seconds in which the host of this virtual machine leaves its cores to it. What a server takes shows in them
//! alone: when the host runs somebody else, all else waits for as long.

use std::ops::Range;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use tokio::time::{Instant, sleep_until};

use super::times::{Timed, percentile, sorted};
use crate::process;

const SECOND: Duration = Duration::from_secs(1);
/// A second is calm if the host takes no more of it, from all cores together. It always takes a little.
const STOLEN_MAX: Duration = Duration::from_millis(10);

/// What was asked within a calm second.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CalmSecond {
    /// From the submit to the ack, in milliseconds: 99 of 100 took less.
    pub calm_ack_p99_ms: f64,
    /// From a cursor's move to another member's hearing of it; 0 if none move.
    pub calm_move_p99_ms: f64,
}

impl CalmSecond {
    /// Of the acks and moves of a window, those of one second.
    pub(super) fn of(second: &Range<Instant>, acks: &[Timed], moves: &[Timed]) -> Self {
        let p99 = |times: &[Timed]| {
            percentile(&sorted(times.iter().filter(|(asked, _)| second.contains(asked))), 99)
        };
        Self { calm_ack_p99_ms: p99(acks), calm_move_p99_ms: p99(moves) }
    }
}

/// Looks on through a window, and returns those of its whole seconds that were calm.
pub(super) async fn look_on((from, to): (Instant, Instant)) -> Result<Vec<Range<Instant>>> {
    let mut looks = Vec::new();
    let mut at = from;
    while at <= to {
        sleep_until(at).await;
        looks.push((at, process::stolen_time()?));
        at += SECOND;
    }
    Ok(calm(&looks))
}

/// The times between two looks at what the host has taken so far in which it took next to nothing.
fn calm(looks: &[(Instant, Duration)]) -> Vec<Range<Instant>> {
    let pairs = looks.iter().zip(looks.iter().skip(1));
    let calm = pairs.filter(|(before, after)| after.1.saturating_sub(before.1) <= STOLEN_MAX);
    calm.map(|(before, after)| before.0..after.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_calm_in_which_the_host_takes_next_to_nothing() {
        let start = Instant::now();
        let looks = [70, 80, 100, 100].map(Duration::from_millis);
        let at = |second: u32| start + SECOND * second;
        let looks: Vec<_> = (0..).map(at).zip(looks).collect();
        assert_eq!(calm(&looks), [at(0)..at(1), at(2)..at(3)]);
        assert_eq!(calm(&looks[..1]), []);
    }

    #[test]
    fn it_has_the_acks_and_the_moves_of_its_time() {
        let start = Instant::now();
        let (acks, moves) = ([(start, 3.0), (start + SECOND, 4.0)], [(start, 30.0)]);
        let of = |second: u32| {
            let from = start + SECOND * second;
            let CalmSecond { calm_ack_p99_ms, calm_move_p99_ms } =
                CalmSecond::of(&(from..from + SECOND), &acks, &moves);
            (calm_ack_p99_ms, calm_move_p99_ms)
        };
        assert_eq!((of(0), of(1)), ((3.0, 30.0), (4.0, 0.0)));
    }
}
