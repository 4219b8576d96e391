//! What happened in each window: CPU, bytes, counts, and whether the generator itself was the
//! limit. It stands apart so that the rule for that, and the arithmetic of every figure, are in one
//! place.
//!
//! The generator was the limit when, in any window, it used more than 85 % of its one core, or did
//! one look in a hundred more than 5 ms late, or when from the first window to the end of the grace
//! a UDP socket other than the server's dropped a datagram for want of buffer.

use std::time::Duration;

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use tokio::time::Instant;

use super::inbox::World;
use super::{Member, Plan, Received};
use crate::ages::WindowAges;
use crate::process;
use crate::report::{AgeMs, Report, Window};

const OWN_CPU_PCT_MAX: f64 = 85.0;
const LATE_P99_US_MAX: u64 = 5_000;

/// The measures of a run in progress.
pub(super) struct Meter<'a> {
    plan: &'a Plan,
    last: Snapshot,
    windows: Vec<Window>,
    lateness_us: Histogram<u64>,
    udp_drops_before: u64,
    /// Why the generator was the limit, one line a reason.
    limits: Vec<String>,
}

/// All counters at one moment.
#[derive(Clone, Copy)]
struct Snapshot {
    at: Instant,
    server_cpu: Duration,
    own_cpu: Duration,
    updates: u64,
    received: Received,
}

impl<'a> Meter<'a> {
    /// Starts the first window now. Fails when the server's process is not there.
    pub(super) fn new(plan: &'a Plan, members: &[Box<dyn Member>], world: &World) -> Result<Self> {
        Ok(Self {
            plan,
            last: Snapshot::take(plan, members, world)?,
            windows: Vec::new(),
            lateness_us: Histogram::new(3)?,
            udp_drops_before: process::udp_drops(plan.port())?,
            limits: Vec::new(),
        })
    }

    /// A look was done `late_us` after its time.
    pub(super) fn record_lateness(&mut self, late_us: u64) {
        self.lateness_us.saturating_record(late_us);
    }

    /// Ends the current window now and starts the next.
    pub(super) fn close_window(
        &mut self,
        members: &[Box<dyn Member>],
        world: &World,
    ) -> Result<()> {
        let now = Snapshot::take(self.plan, members, world)?;
        let window = now.since(&self.last);
        let late_us = self.lateness_us.value_at_quantile(0.99);
        let number = self.windows.len();
        if window.loadgen_cpu_pct > OWN_CPU_PCT_MAX {
            let pct = window.loadgen_cpu_pct;
            self.limits.push(format!("window {number}: {pct} % of its core used"));
        }
        if late_us > LATE_P99_US_MAX {
            self.limits.push(format!("window {number}: one look in 100 was {late_us} us late"));
        }
        self.lateness_us.reset();
        self.windows.push(window);
        self.last = now;
        Ok(())
    }

    /// Ends the run: adds to the windows what their moves came to, and says on stderr what the
    /// report has no field for.
    pub(super) fn into_report(mut self, world: &World) -> Result<Report> {
        let plan = self.plan;
        let drops = process::udp_drops(plan.port())?.saturating_sub(self.udp_drops_before);
        if drops > 0 {
            self.limits.push(format!("{drops} datagrams dropped for want of receive buffer"));
        }
        for limit in &self.limits {
            eprintln!("hither-load: the generator was the limit: {limit}");
        }
        world.with_ages(|ages| {
            for (window, ages) in self.windows.iter_mut().zip(ages.windows()) {
                add_ages(window, ages, plan.members);
            }
            if ages.unknown() > 0 {
                eprintln!("hither-load: {} positions shown that nobody sent", ages.unknown());
            }
        });
        let rss_peak = plan.server_pid.map(process::rss_peak_kb).transpose();
        Ok(Report {
            mode: "run",
            transport: plan.transport.name(),
            rooms: plan.rooms,
            members: plan.members,
            hz: plan.hz,
            server_rss_peak_kb: rss_peak.context("the server's memory")?.unwrap_or(0),
            generator_limited: !self.limits.is_empty(),
            windows: self.windows,
        })
    }
}

impl Snapshot {
    fn take(plan: &Plan, members: &[Box<dyn Member>], world: &World) -> Result<Self> {
        let server_cpu = plan.server_pid.map(|pid| process::cpu_time(Some(pid))).transpose();
        let received = members.iter().fold(Received::default(), |sum, member| {
            let Received { datagrams, bytes } = member.received();
            Received { datagrams: sum.datagrams + datagrams, bytes: sum.bytes + bytes }
        });
        Ok(Self {
            at: Instant::now(),
            server_cpu: server_cpu.context("the server's CPU time")?.unwrap_or_default(),
            own_cpu: process::cpu_time(None)?,
            updates: world.with_ages(|ages| ages.updates()),
            received,
        })
    }

    fn since(&self, start: &Self) -> Window {
        let seconds = (self.at - start.at).as_secs_f64();
        let server_us = (self.server_cpu - start.server_cpu).as_secs_f64() * 1e6;
        let own_us = (self.own_cpu - start.own_cpu).as_secs_f64() * 1e6;
        let updates = self.updates - start.updates;
        let datagrams = self.received.datagrams - start.received.datagrams;
        let bytes = self.received.bytes - start.received.bytes;
        Window {
            seconds: rounded(seconds),
            updates,
            datagrams,
            server_cpu_pct: rounded(server_us / seconds / 1e4),
            cpu_us_per_update: per(server_us, updates),
            cpu_us_per_datagram: per(server_us, datagrams),
            loadgen_cpu_pct: rounded(own_us / seconds / 1e4),
            down_bytes_per_update: per(bytes as f64, updates),
            ..Window::default()
        }
    }
}

fn add_ages(window: &mut Window, ages: &WindowAges, members_per_room: usize) {
    window.moves = ages.moves;
    window.expected = ages.moves * (members_per_room as u64 - 1);
    window.covered_pct = match window.expected {
        0 => 100.0,
        expected => (ages.covered as f64 * 1e6 / expected as f64).floor() / 1e4,
    };
    let ms = |us: u64| us as f64 / 1000.0;
    let at = |quantile| ms(ages.ages_us.value_at_quantile(quantile));
    let max = ms(ages.ages_us.max());
    window.age_ms = AgeMs { p50: at(0.5), p99: at(0.99), p999: at(0.999), max };
}

/// `total` per `count` to three decimals, 0 for nothing.
fn per(total: f64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { rounded(total / count as f64) }
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
