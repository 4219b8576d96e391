//! What members cost that do nothing: they join, and stay. It stands apart from runs, which measure what moves.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;
use tokio::time::{Instant, sleep, timeout};

use super::entrance::Entrance;
use super::inbox::World;
use super::plan::{count, seconds};
use super::target::Target;
use crate::ages::Ages;
use crate::layout::{Layout, Mix};
use crate::process::Memory;

/// What an idle measurement is asked to do.
#[derive(Debug, Clone, Args)]
pub struct IdlePlan {
    #[command(flatten)]
    target: Target,
    /// Sessions, each a member of one room.
    #[arg(long, default_value_t = 1_000, value_parser = count)]
    members: usize,
    /// Members of each room; the last room may have fewer.
    #[arg(long, default_value_t = 10, value_parser = count)]
    room_size: usize,
    /// The namespace of the rooms `idle-0`, `idle-1` and so on.
    #[arg(long, default_value = "default")]
    namespace: String,
    /// Seconds from the last join until memory is read and CPU counted: handshakes leave work behind.
    #[arg(long, default_value = "3", value_parser = seconds)]
    settle: Duration,
    /// Seconds in which CPU is counted then.
    #[arg(long, default_value = "5", value_parser = seconds)]
    span: Duration,
}

/// What it came to. What needs the server's process is 0 without its pid.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IdleReport {
    /// Always `idle`.
    pub mode: &'static str,
    /// Sessions that had joined and were still there at the end.
    pub conns: usize,
    /// The server's resident memory with them less that before, in KiB per session.
    pub rss_per_conn_kb: f64,
    /// The server's user and system time, in percent of one core.
    pub idle_cpu_pct: f64,
    /// Seconds from the first connection to the last join, 16 under way at a time.
    pub join_s: f64,
}

/// How long all sessions together may take to join.
const JOIN_DEADLINE: Duration = Duration::from_secs(300);

/// Measures `plan` to its end on the current thread's local runtime. Errors: a plan that makes no sense (the caller's),
/// and sessions that could not all join within five minutes.
pub async fn run(plan: &IdlePlan) -> Result<IdleReport> {
    let IdlePlan { target, members, room_size, .. } = plan;
    let layout = Layout::from(&mix(*members, *room_size));
    let world = World::new(&layout, Ages::new(&layout, 0, 0));
    let entrance = Entrance::open(target, *members, 0)?;
    let memory_before = target.server_memory_kb(Memory::Resident)?;
    let start = Instant::now();
    let room = |index| format!("{}:idle-{index}", plan.namespace);
    let sessions = timeout(JOIN_DEADLINE, entrance.join_all(&layout, room, &world))
        .await
        .context("not all sessions joined within five minutes")??;
    let join = start.elapsed();
    sleep(plan.settle).await;
    let (since, cpu_before) = (Instant::now(), target.server_cpu_time()?);
    sleep(plan.span).await;
    let cpu = target.server_cpu_time()? - cpu_before;
    let cpu = cpu.as_secs_f64() / since.elapsed().as_secs_f64();
    let memory = target.server_memory_kb(Memory::Resident)?.saturating_sub(memory_before);
    let conns = sessions.len().saturating_sub(world.lost());
    drop(sessions);
    entrance.wait_idle().await;
    Ok(IdleReport {
        mode: "idle",
        conns,
        rss_per_conn_kb: rounded(memory as f64 / conns.max(1) as f64),
        idle_cpu_pct: rounded(cpu * 100.0),
        join_s: rounded(join.as_secs_f64()),
    })
}

fn mix(members: usize, room_size: usize) -> Mix {
    let full = Mix::even(members / room_size, room_size);
    match members % room_size {
        0 => full,
        rest if rest == members => Mix::even(1, rest),
        rest => full.and(1, rest),
    }
}

/// To two decimals.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_has_exactly_these_fields_in_this_order() {
        let report = IdleReport {
            mode: "idle",
            conns: 0,
            rss_per_conn_kb: 0.0,
            idle_cpu_pct: 0.0,
            join_s: 0.0,
        };
        let expected =
            r#"{"mode":"idle","conns":0,"rss_per_conn_kb":0.0,"idle_cpu_pct":0.0,"join_s":0.0}"#;
        assert_eq!(serde_json::to_string(&report).unwrap(), expected);
    }

    #[test]
    fn the_last_room_takes_the_rest() {
        let text = |members, room_size| mix(members, room_size).to_string();
        assert_eq!(
            (text(100, 10), text(25, 10), text(7, 10)),
            ("10x10".into(), "2x10,1x5".into(), "1x7".into())
        );
    }
}
