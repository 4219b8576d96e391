//! What happened in each window: CPU, bytes, counts, and whether the generator itself was the
//! limit. It stands apart so that the rule for that, and the arithmetic of every figure, are in one
//! place.
//!
//! The generator was the limit when, in any window, it used more than 85 % of its one core, or when
//! one look in a hundred was done, or one frame in a hundred read, more than 10 ms after it could
//! have been; or when from the first window to the end of the grace a UDP socket other than the
//! server's dropped a datagram for want of buffer.

use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;

use super::Plan;
use super::entrance::{Member, Traffic};
use super::inbox::World;
use crate::ages::{Ages, WindowAges};
use crate::layout::Layout;
use crate::process::{self, Memory};
use crate::report::{AgeMs, Report, Stalled, Window};

const OWN_CPU_PCT_MAX: f64 = 85.0;
const LATE_P99_US_MAX: u64 = 10_000;

/// The measures of a run in progress.
pub(super) struct Meter<'a> {
    plan: &'a Plan,
    last: Snapshot,
    /// The windows so far, each with the server's CPU time in µs and the bytes down, which are
    /// divided by updates only at the end, when all frames are booked.
    windows: Vec<(Window, f64, u64)>,
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
    traffic: Traffic,
    shown: u64,
}

impl<'a> Meter<'a> {
    /// Starts the first window now. Fails when the server's process is not there.
    pub(super) fn new(plan: &'a Plan, members: &[Box<dyn Member>], world: &World) -> Result<Self> {
        Ok(Self {
            plan,
            last: Snapshot::take(plan, members, world)?,
            windows: Vec::new(),
            udp_drops_before: process::udp_drops(plan.target.port())?,
            limits: Vec::new(),
        })
    }

    /// Ends the current window now and starts the next.
    pub(super) fn close_window(
        &mut self,
        members: &[Box<dyn Member>],
        world: &World,
    ) -> Result<()> {
        let late_us = world.take_lateness_p99_us(); // how late the generator was once in a hundred
        let now = Snapshot::take(self.plan, members, world)?;
        let (window, server_us, bytes) = now.since(&self.last, !self.plan.reliable);
        let limits = limits(window.loadgen_cpu_pct, late_us);
        let number = self.windows.len();
        self.limits.extend(limits.map(|limit| format!("window {number}: {limit}")));
        self.windows.push((window, server_us, bytes));
        self.last = now;
        Ok(())
    }

    /// Ends the run: adds to the windows what their moves and frames came to, and says on stderr
    /// what the report has no field for.
    pub(super) fn into_report(mut self, layout: &Layout, ages: &Ages) -> Result<Report> {
        let plan = self.plan;
        let drops = process::udp_drops(plan.target.port())?.saturating_sub(self.udp_drops_before);
        if drops > 0 {
            self.limits.push(format!("{drops} datagrams dropped for want of receive buffer"));
        }
        for limit in &self.limits {
            eprintln!("hither-load: the generator was the limit: {limit}");
        }
        if ages.unknown() > 0 {
            eprintln!("hither-load: {} positions shown that nobody sent", ages.unknown());
        }
        let windows = self.windows.into_iter().zip(ages.windows());
        let windows = windows.map(|((window, server_us, bytes), ages)| Window {
            cpu_us_per_update: per(server_us, ages.updates),
            down_bytes_per_update: per(bytes as f64, ages.updates),
            ..with_ages(window, ages, plan.viewport.is_none())
        });
        Ok(Report {
            mode: "run",
            transport: plan.target.transport.name(),
            rooms: layout.rooms(),
            members: layout.largest(),
            hz: plan.hz,
            server_rss_peak_kb: plan.target.server_memory_kb(Memory::Peak)?,
            generator_limited: !self.limits.is_empty(),
            windows: windows.collect(),
            mix: plan.mix().to_string(),
            loss_pct: plan.network.loss,
            delay_ms: plan.network.delay,
            jitter_ms: plan.network.jitter,
            reliable: plan.reliable,
            stalled: stalled(plan, ages),
            viewport: plan.viewport,
        })
    }
}

impl Snapshot {
    fn take(plan: &Plan, members: &[Box<dyn Member>], world: &World) -> Result<Self> {
        Ok(Self {
            at: Instant::now(),
            server_cpu: plan.target.server_cpu_time()?,
            own_cpu: process::cpu_time(None)?,
            traffic: Traffic::of(members),
            shown: world.shown(),
        })
    }

    /// What happened since `start`, the server's CPU time in µs and the bytes that came down. Of datagrams nothing is
    /// said unless motion goes `in_datagrams`, or in messages of its own.
    fn since(&self, start: &Self, in_datagrams: bool) -> (Window, f64, u64) {
        let seconds = (self.at - start.at).as_secs_f64();
        let server_us = (self.server_cpu - start.server_cpu).as_secs_f64() * 1e6;
        let own_us = (self.own_cpu - start.own_cpu).as_secs_f64() * 1e6;
        let (now, then) = (&self.traffic, &start.traffic);
        let datagrams = now.datagrams_down - then.datagrams_down;
        let per_second = |count: u64| rounded(count as f64 / seconds);
        let of_datagrams = |figure: f64| in_datagrams.then_some(figure);
        let window = Window {
            seconds: rounded(seconds),
            datagrams: in_datagrams.then_some(datagrams),
            server_cpu_pct: rounded(server_us / seconds / 1e4),
            cpu_us_per_datagram: of_datagrams(per(server_us, datagrams)),
            loadgen_cpu_pct: rounded(own_us / seconds / 1e4),
            datagrams_down_per_s: of_datagrams(per_second(datagrams)),
            datagrams_up_per_s: of_datagrams(per_second(now.datagrams_up - then.datagrams_up)),
            packets_down_per_s: per_second(now.packets_down - then.packets_down),
            packets_up_per_s: per_second(now.packets_up - then.packets_up),
            moved_per_frame: of_datagrams(per((self.shown - start.shown) as f64, datagrams)),
            ..Window::default()
        };
        (window, server_us, now.bytes_down - then.bytes_down)
    }
}

/// The reasons for which a window with this much CPU and lateness says that the generator was the
/// limit.
fn limits(own_cpu_pct: f64, late_us: u64) -> impl Iterator<Item = String> {
    let cpu = (own_cpu_pct > OWN_CPU_PCT_MAX).then(|| format!("{own_cpu_pct} % of its core used"));
    let late = (late_us > LATE_P99_US_MAX).then(|| format!("{late_us} us late 1 time in 100"));
    cpu.into_iter().chain(late)
}

/// What those came to who were made to stall; None if nobody was.
fn stalled(plan: &Plan, ages: &Ages) -> Option<Stalled> {
    let shown: Vec<Option<u64>> = ages.first_shown_us().collect();
    let shown_ms = shown.iter().flatten().max().map(|&us| us as f64 / 1000.0);
    (plan.stalled > 0).then_some(Stalled {
        members: plan.stalled,
        seconds: plan.stall.as_secs_f64(),
        woken: shown.iter().flatten().count(),
        first_shown_age_ms: shown_ms.unwrap_or(0.0),
    })
}

/// Without `sees_all` nobody knows what should have come.
fn with_ages(window: Window, ages: &WindowAges, sees_all: bool) -> Window {
    let expected = ages.expected;
    let covered_pct = sees_all.then(|| match expected {
        0 => 100.0,
        _ => (ages.covered as f64 * 1e6 / expected as f64).floor() / 1e4,
    });
    let ms = |us: u64| us as f64 / 1000.0;
    let at = |quantile| ms(ages.ages_us.value_at_quantile(quantile));
    let max = ms(ages.ages_us.max());
    let age_ms = AgeMs { p50: at(0.5), p99: at(0.99), p999: at(0.999), max };
    Window { moves: ages.moves, updates: ages.updates, expected, covered_pct, age_ms, ..window }
}

/// `total` per `count` to three decimals, 0 for nothing.
fn per(total: f64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { rounded(total / count as f64) }
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_the_limit_by_cpu_or_by_lateness() {
        assert_eq!(limits(OWN_CPU_PCT_MAX, LATE_P99_US_MAX).count(), 0);
        assert_eq!(limits(85.1, 0).count(), 1);
        assert_eq!(limits(99.0, 10_001).count(), 2);
    }

    #[test]
    fn all_but_one_covered_is_not_all() {
        let layout = Layout::from(&crate::layout::Mix::even(1, 2));
        let mut ages = Ages::new(&layout, 0, 1);
        let window = |ages: &Ages| with_ages(Window::default(), &ages.windows()[0], true);
        assert_eq!((window(&ages).expected, window(&ages).covered_pct), (0, Some(100.0)));
        for at_us in 1..=300_000 {
            let sent = crate::ages::Move { at_us, position: (at_us as i32, 0), window: Some(0) };
            ages.handle_move(0, sent);
            if at_us < 300_000 {
                let arrival = crate::ages::Arrival { viewer: 1, at_us, window: Some(0) };
                ages.handle_frame(arrival, [(0, Some((at_us as i32, 0)))]);
            }
        }
        let window = window(&ages);
        assert_eq!((window.expected, window.updates), (300_000, 299_999));
        let covered_pct = window.covered_pct.unwrap();
        assert!(covered_pct < 100.0 && covered_pct > 99.999);
    }
}
