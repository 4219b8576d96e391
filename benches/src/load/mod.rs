//! One run of the load generator: everybody joins, mice move on schedule, windows are measured, the
//! grace passes. It stands apart from the transports, of which it knows `Member` and nothing
//! else.

mod baseline_ws;
mod hither;
mod inbox;
mod meter;
mod plan;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::task::{JoinSet, unconstrained, yield_now};
use tokio::time::{sleep_until, timeout};

use crate::mouse::Mouse;
use crate::report::Report;
use crate::schedule::{Look, Schedule};
use crate::traces::{Trace, Traces};
use inbox::{Inbox, World};
use meter::Meter;
pub use plan::{Plan, Transport};

/// Runs `plan` to its end on the current thread's local runtime. Errors: a plan that makes no sense
/// or traces that do not parse (the caller's), and members that could not all join within a minute.
/// A member that loses its connection later does not end the run: it is named on stderr, and what
/// it misses is missing in the coverage.
pub async fn run(plan: &Plan) -> Result<Report> {
    let hands = hands(plan)?;
    let world = World::new(plan.rooms, plan.members, usize::from(plan.windows));
    let entrance = Entrance::new(plan)?;
    let members = timeout(JOIN_DEADLINE, join_all(plan, &entrance, &world))
        .await
        .context("not all members joined within a minute")??;
    let start_us = world.now_us();
    let schedule = Schedule::new(members.len(), plan.hz, start_us, plan.seed);
    let last = vec![None; members.len()];
    let mut crowd = Crowd { members, hands, last, schedule, world, start_us };

    let mut tasks = JoinSet::new(); // ends them with the run
    tasks.spawn_local(crowd.world.clone().run_booking());
    tasks.spawn_local(crowd.world.clone().run_turns());

    let mut end_us = start_us + micros(plan.warmup);
    // Unconstrained: tokio's budget of 128 operations a poll would refuse what more members send at
    // the same time.
    unconstrained(crowd.drive_until(end_us)).await;
    let mut meter = Meter::new(plan, &crowd.members)?;
    crowd.world.take_lateness_p99_us(); // that of the warm-up
    for window in 0..plan.windows {
        crowd.world.set_window(Some(window));
        end_us += micros(plan.window);
        unconstrained(crowd.drive_until(end_us)).await;
        meter.close_window(&crowd.members, crowd.world.take_lateness_p99_us())?;
    }
    crowd.world.set_window(None);
    // Nobody moves in the grace: the last moves must arrive without newer ones that would cover
    // them.
    sleep_until(crowd.world.at(end_us + micros(plan.grace))).await;
    let report = crowd.world.with_ages(|ages| meter.into_report(ages));
    drop(crowd.members);
    entrance.wait_idle().await;
    report
}

/// One member as its transport sees it. Receiving runs in the transport's own task and goes to the
/// member's [`Inbox`].
trait Member {
    /// Sends where the mouse now is; `t_ms` is the time of the look since the run's start. Never
    /// waits: when nothing can be sent now, a newer position replaces this one or it is dropped.
    fn send(&mut self, position: (i32, i32), t_ms: u64);

    /// What has come down to it since it joined.
    fn received(&self) -> Received;
}

/// Counts since a member joined.
#[derive(Debug, Clone, Copy, Default)]
struct Received {
    /// Datagrams, or messages, of motion.
    datagrams: u64,
    /// Bytes on the wire with the headers of IP and UDP or TCP.
    bytes: u64,
}

/// How long all members together may take to join.
const JOIN_DEADLINE: Duration = Duration::from_secs(60);

/// How many join at the same time: servers bound the handshakes pending for one address.
const JOINING_MAX: usize = 16;

async fn join_all(plan: &Plan, entrance: &Entrance, world: &World) -> Result<Vec<Box<dyn Member>>> {
    let joins = (0..plan.rooms * plan.members).map(|index| async move {
        let joined = entrance.join(plan, index, world.inbox(index)).await;
        joined.with_context(|| format!("member {index}"))
    });
    stream::iter(joins).buffered(JOINING_MAX).try_collect().await
}

/// How members come in, and what they share.
enum Entrance {
    Hither(hither::Network),
    Baseline,
}

impl Entrance {
    fn new(plan: &Plan) -> Result<Self> {
        match plan.transport {
            Transport::BaselineWs => Ok(Self::Baseline),
            _ => Ok(Self::Hither(hither::Network::bind(plan)?)),
        }
    }

    /// Connects member `index` and joins its room; returns once it is in and knows its slot.
    async fn join(&self, plan: &Plan, index: usize, inbox: Inbox) -> Result<Box<dyn Member>> {
        let room = plan.room(index / plan.members);
        match self {
            Self::Hither(network) => Ok(Box::new(network.join(index, &room, inbox).await?)),
            Self::Baseline => Ok(Box::new(baseline_ws::join(plan, &room, inbox).await?)),
        }
    }

    /// Waits until the server knows that everybody has left, so that a run leaves nothing to the next.
    async fn wait_idle(&self) {
        if let Self::Hither(network) = self {
            network.wait_idle().await;
        }
    }
}

/// What moves a member's mouse.
enum Hand {
    Seeded(Box<Mouse>),
    Recorded(Arc<Trace>),
}

impl Hand {
    fn sample_at(&mut self, t_ms: u64) -> (i32, i32) {
        match self {
            Self::Seeded(mouse) => mouse.sample_at(t_ms),
            Self::Recorded(trace) => trace.sample_at(t_ms),
        }
    }
}

fn hands(plan: &Plan) -> Result<Vec<Hand>> {
    let all = 0..plan.rooms * plan.members;
    let Some(folder) = &plan.traces else {
        let mouse = |index: usize| Mouse::new(plan.seed.wrapping_add(index as u64));
        return Ok(all.map(|index| Hand::Seeded(Box::new(mouse(index)))).collect());
    };
    let traces = Traces::load(folder)?;
    Ok(all.map(|index| Hand::Recorded(traces.of_member(index))).collect())
}

/// All members, their mice and when each looks at its own.
struct Crowd {
    members: Vec<Box<dyn Member>>,
    hands: Vec<Hand>,
    /// The position that each sent last.
    last: Vec<Option<(i32, i32)>>,
    schedule: Schedule,
    world: World,
    start_us: u64,
}

impl Crowd {
    /// Does every look due before `end_us`, none before its time, and returns at `end_us`.
    async fn drive_until(&mut self, end_us: u64) {
        while let Some(due_us) =
            self.schedule.peek().map(|look| look.due_us).filter(|&due| due < end_us)
        {
            sleep_until(self.world.at(due_us)).await;
            // A sleep that is over at once lets nobody else run, and a late driver must not starve
            // the receiving tasks.
            yield_now().await;
            let now_us = self.world.now_us();
            while let Some(look) = self.schedule.poll_before(end_us.min(now_us + 1)) {
                self.look(look, now_us);
            }
        }
        sleep_until(self.world.at(end_us)).await;
    }

    fn look(&mut self, look: Look, now_us: u64) {
        let Look { due_us, member } = look;
        self.world.record_late_look(now_us - due_us);
        let t_ms = (due_us - self.start_us) / 1000;
        let position = self.hands[member].sample_at(t_ms);
        if self.last[member].replace(position) != Some(position) {
            self.world.handle_move(member, due_us, position);
            self.members[member].send(position, t_ms);
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
