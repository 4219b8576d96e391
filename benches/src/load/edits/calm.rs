//! The seconds in which the host of this virtual machine leaves its cores to it. What a server takes shows in them
//! alone: when the host runs somebody else, all else waits for as long.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use tokio::time::{Instant, sleep_until};

use super::times::Times;
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
    /// Of the acks and moves of a window, those of the second that begins so.
    pub(super) fn of(start: Instant, acks: &Times, moves: &Times) -> Self {
        let p99 = |times: &Times| times.within(start, start + SECOND).percentile(99);
        Self { calm_ack_p99_ms: p99(acks), calm_move_p99_ms: p99(moves) }
    }
}

/// Looks on through a window of whole seconds, and returns when the calm ones of them began.
pub(super) async fn look_on((from, to): (Instant, Instant)) -> Result<Vec<Instant>> {
    let mut calm = Vec::new();
    sleep_until(from).await;
    let (mut start, mut before) = (from, process::stolen_time()?);
    while start + SECOND <= to {
        sleep_until(start + SECOND).await;
        let now = process::stolen_time()?;
        if now.saturating_sub(before) <= STOLEN_MAX {
            calm.push(start);
        }
        (start, before) = (start + SECOND, now);
    }
    Ok(calm)
}
