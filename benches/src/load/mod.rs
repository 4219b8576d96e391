//! One run of the load generator: everybody joins, mice move on schedule, windows are measured, the
//! grace passes. It stands apart from the transports, of which it knows `Member` and nothing
//! else.

mod aside;
mod baseline_ws;
pub mod edits;
mod entrance;
mod hands;
mod hither;
pub mod idle;
mod inbox;
mod meter;
mod own_server;
mod plan;
pub mod storm;
mod target;

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::task::{JoinSet, unconstrained, yield_now};
use tokio::time::{sleep_until, timeout};

use crate::ages::Ages;
use crate::layout::Layout;
use crate::report::Report;
use crate::schedule::{Look, Schedule};
use aside::Way;
use entrance::{Entrance, Member};
use hands::{Hand, Hands, part_of};
use inbox::World;
use meter::Meter;
pub use plan::Plan;

/// How long all members together may take to join.
const JOIN_DEADLINE: Duration = Duration::from_secs(120);

/// Runs `plan` to its end on the current thread's local runtime. Errors: a plan that makes no sense
/// or traces that do not parse (the caller's), and members that could not all join within two minutes.
/// A member that loses its connection later does not end the run: it is named on stderr, and what
/// it misses is missing in the coverage.
pub async fn run(plan: &Plan) -> Result<Report> {
    let layout = Layout::from(&plan.mix());
    plan.check(&layout)?;
    let movers = layout.members() - plan.stalled;
    let hands = Hands::open(plan)?;
    let ages = Ages::new(&layout, plan.stalled, usize::from(plan.windows));
    let world = World::new(&layout, ages.with_viewports(plan.viewport.is_some()));
    let way = Way::open(plan)?;
    let entrance = Entrance::open(&way.target, layout.members(), plan.stalled)?;
    let entrance = entrance.with_motion(plan.reliable);
    let joins = entrance.join_all(&layout, |index| plan.room(index), &world);
    let joined = timeout(JOIN_DEADLINE, joins).await;
    let mut members = joined.context("not all members joined within two minutes")??;
    if let Some(share) = plan.viewport {
        let space = hands.space();
        for (seed, member) in (plan.seed..).zip(&mut members) {
            member.look(part_of(&space, share, seed));
        }
    }
    way.begin_loss();
    let start_us = world.now_us();
    let schedule = Schedule::new(movers, plan.hz, start_us, plan.seed);
    let hands = (0..movers).map(|member| hands.of_member(member)).collect();
    let mut crowd = Crowd { members, hands, last: vec![None; movers], schedule, world, start_us };

    let mut tasks = JoinSet::new(); // ends them with the run
    tasks.spawn_local(crowd.world.clone().run_booking());
    tasks.spawn_local(crowd.world.clone().run_turns());

    let mut end_us = start_us + micros(plan.warmup);
    // Unconstrained: tokio's budget of 128 operations a poll would refuse what more members send at
    // the same time.
    unconstrained(crowd.drive_until(end_us)).await;
    let mut stall = Some(Stall::of(plan, end_us));
    let mut meter = Meter::new(plan, &crowd.members, &crowd.world)?;
    crowd.world.take_lateness_p99_us(); // that of the warm-up
    for window in 0..plan.windows {
        crowd.world.set_window(Some(window));
        end_us += micros(plan.window);
        if let Some(Stall { start_us, duration }) = stall.take_if(|stall| stall.start_us < end_us) {
            unconstrained(crowd.drive_until(start_us)).await;
            crowd.world.set_wake(start_us + micros(duration));
            entrance.stall(duration);
        }
        unconstrained(crowd.drive_until(end_us)).await;
        meter.close_window(&crowd.members, &crowd.world)?;
    }
    crowd.world.set_window(None);
    // Nobody moves in the grace: the last moves must arrive without newer ones that would cover
    // them.
    sleep_until(crowd.world.at(end_us + micros(plan.grace))).await;
    let report = crowd.world.with_ages(|ages| meter.into_report(&layout, ages));
    drop(crowd.members);
    entrance.wait_idle().await;
    report
}

/// When members stop reading, and for how long.
struct Stall {
    start_us: u64,
    duration: Duration,
}

impl Stall {
    /// In the middle of the windows, which begin at `windows_us`.
    fn of(plan: &Plan, windows_us: u64) -> Self {
        let duration = if plan.stalled > 0 { plan.stall } else { Duration::ZERO };
        let start_us = windows_us + micros(plan.measured().saturating_sub(duration) / 2);
        Self { start_us, duration }
    }
}

/// All members, the mice of those that move, and when each of these looks at its own.
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
