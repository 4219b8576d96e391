//! A crowd that comes at once and loses its server at once, or is asked to go and come back: how long each takes, and
//! what the members see of it. It stands apart from runs, since it starts, kills and stops the server itself.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use hither_certs::Certificate;
use hither_client::{
    Client, ClientEndpoint, ClientTls, Event, Map, Op, OpKind, Position, Room, Transport,
};
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::own_server::{Program, Server, in_a_folder};
use super::plan::count;
use crate::process::{self, Memory};

/// What a storm is asked to be.
#[derive(Debug, Clone, Args)]
pub struct StormPlan {
    #[command(flatten)]
    program: Program,
    /// Members, each a client of its own, half of them over raw QUIC and half over WebTransport.
    #[arg(long, default_value_t = 1_000, value_parser = count)]
    members: usize,
    /// Members of each room; the last room may have fewer.
    #[arg(long, default_value_t = 50, value_parser = count)]
    room_size: usize,
    /// How the server goes before it is started again.
    #[arg(long, value_enum, default_value_t = Loss::Kill)]
    by: Loss,
}

/// How a crowd loses its server, while all move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Loss {
    /// By SIGKILL.
    Kill,
    /// By SIGTERM, while all edit, too: it drains.
    Drain,
}

/// What came of it. Times are seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StormReport {
    /// Always `storm`.
    pub mode: &'static str,
    /// Members that joined.
    pub members: usize,
    /// From the first connection to the last roster that is whole, all asked for at once.
    pub join_s: f64,
    /// From the server's loss on.
    #[serde(flatten)]
    pub after: Return,
}

/// How a crowd came back.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Return {
    /// From the signal to the server's end.
    pub end_s: f64,
    /// Edits that were acked before the server's end or after its return.
    pub edits_acked: usize,
    /// Edits whose answer was cut off: their members know that they don't know.
    pub edits_unanswered: usize,
    /// Members that the server took back as who they were.
    pub resumed: usize,
    /// Members that came back as new ones.
    pub renewed: usize,
    /// Leaves and joins that members saw of others.
    pub flaps: usize,
    /// From the server's ready line until one member of ten had its roster again.
    pub back_p10_s: f64,
    /// Until half of them had.
    pub back_p50_s: f64,
    /// Until nine of ten had.
    pub back_p90_s: f64,
    /// Until all had.
    pub back_s: f64,
    /// How many were back in each half second since the ready line.
    pub arrivals: Vec<usize>,
    /// The server's CPU until two seconds after all were back, in seconds.
    pub server_cpu_s: f64,
    /// Its resident memory then, in MiB.
    pub server_rss_mb: f64,
}

/// How long all may take to come, or to come back.
const DEADLINE: Duration = Duration::from_secs(60);

/// Makes a storm on the current thread's local runtime.
///
/// # Errors
/// The caller's: no such program, or no `taskset` where a core is named. The server's: not all came within a minute.
pub async fn run(plan: &StormPlan) -> Result<StormReport> {
    in_a_folder(async |dir| storm(plan, dir).await).await
}

async fn storm(plan: &StormPlan, dir: &Path) -> Result<StormReport> {
    let certificate = Certificate::mint(std::time::SystemTime::now(), &[])?;
    let mut server = Server::start(&plan.program, dir, Some(&certificate), "127.0.0.1:0")?;
    let address = server.address.clone();
    let endpoint = ClientEndpoint::bind(ClientTls::Hash(certificate.sha256()))?;
    let began = Instant::now();
    let mut joining = JoinSet::new();
    for number in 0..plan.members {
        let transport = [Transport::Quic, Transport::WebTransport][number % 2];
        let options = Client::builder(format!("https://{address}")).transport(transport);
        let options = options.endpoint(endpoint.clone()).deadline(DEADLINE);
        let room = format!("default:storm-{}", number / plan.room_size);
        joining.spawn(async move {
            let client = options.connect().await?;
            let room = client.enter(&room, Map::new()).await?;
            anyhow::Ok((client, room))
        });
    }
    let mut members = Vec::new();
    while let Some(joined) = timeout(DEADLINE, joining.join_next()).await? {
        members.push(Member::new(joined??));
    }
    let join_s = began.elapsed().as_secs_f64();
    // All have seen all, and the server has written down who is there.
    sleep(Duration::from_secs(2)).await;
    members.iter().for_each(Member::forget);

    walk(&members);
    if plan.by == Loss::Drain {
        members.iter().for_each(Member::edit);
        // Some are answered by then, some on their way, and some not sent.
        sleep(Duration::from_millis(20)).await;
    }
    let signalled = Instant::now();
    server.signal(match plan.by {
        Loss::Kill => "-KILL",
        Loss::Drain => "-TERM",
    })?;
    while server.child.try_wait()?.is_none() {
        ensure!(signalled.elapsed() < DEADLINE, "the server does not stop");
        sleep(Duration::from_millis(2)).await;
    }
    let end_s = signalled.elapsed().as_secs_f64();
    let server = Server::start(&plan.program, dir, None, &address)?;
    let after = Return { end_s, ..come_back(&members, &server).await? };
    Ok(StormReport { mode: "storm", members: members.len(), join_s, after })
}

/// One client in its room.
struct Member {
    _client: Client,
    room: Rc<Room>,
    seen: Rc<RefCell<Seen>>,
}

/// What became of a member since it was last asked.
#[derive(Default)]
struct Seen {
    entered: Option<(Instant, bool)>,
    flaps: usize,
    acked: usize,
    unanswered: usize,
}

impl Member {
    fn new((client, room): (Client, Room)) -> Self {
        let (room, seen) = (Rc::new(room), Rc::<RefCell<Seen>>::default());
        let (heard, noted) = (room.clone(), seen.clone());
        tokio::task::spawn_local(async move {
            while let Some(event) = heard.next_event().await {
                let mut seen = noted.borrow_mut();
                match event {
                    Event::Entered { resumed, .. } => {
                        seen.entered = Some((Instant::now(), resumed));
                    }
                    Event::MemberLeft { .. } | Event::MemberJoined { .. } => seen.flaps += 1,
                    _ => {}
                }
            }
        });
        Self { _client: client, room, seen }
    }

    fn forget(&self) {
        *self.seen.borrow_mut() = Seen::default();
    }

    /// Submits an edit, and notes its answer.
    fn edit(&self) {
        let (room, seen) = (self.room.clone(), self.seen.clone());
        tokio::task::spawn_local(async move {
            let record = room.slot().map_or_else(String::new, |slot| slot.to_string());
            let op = Op::new(OpKind::Put, record, Map::new());
            let answer = room.submit(vec![op]).await;
            let mut seen = seen.borrow_mut();
            seen.acked += usize::from(answer.is_ok());
            seen.unanswered += usize::from(answer.is_err());
        });
    }
}

fn walk(members: &[Member]) {
    for (number, member) in members.iter().enumerate() {
        member.room.set_motion(Position::xy(number as i32, 1));
    }
}

/// Waits until all are in their rooms again.
async fn come_back(members: &[Member], server: &Server) -> Result<Return> {
    let is_back = |member: &&Member| member.seen.borrow().entered.is_some();
    while !members.iter().all(|member| is_back(&member)) {
        let back = members.iter().filter(is_back).count();
        ensure!(server.ready.elapsed() < DEADLINE, "only {back} came back within a minute");
        sleep(Duration::from_millis(5)).await;
    }
    // What is still to be seen of the others.
    sleep(Duration::from_secs(2)).await;
    let pid = server.child.id();
    let mut report = Return {
        server_cpu_s: process::cpu_time(Some(pid))?.as_secs_f64(),
        server_rss_mb: process::memory_kb(pid, Memory::Resident)? as f64 / 1_024.0,
        ..Return::default()
    };
    let mut backs = Vec::new();
    for member in members {
        let seen = member.seen.borrow();
        report.edits_acked += seen.acked;
        report.edits_unanswered += seen.unanswered;
        let Some((at, resumed)) = seen.entered else { continue };
        report.resumed += usize::from(resumed);
        report.renewed += usize::from(!resumed);
        report.flaps += seen.flaps;
        backs.push(at.saturating_duration_since(server.ready).as_secs_f64());
    }
    backs.sort_by(f64::total_cmp);
    let after = |share: usize| backs[(backs.len() * share / 100).min(backs.len() - 1)];
    (report.back_p10_s, report.back_p50_s) = (after(10), after(50));
    (report.back_p90_s, report.back_s) = (after(90), after(100));
    let half = |back: &f64| (back * 2.0) as usize;
    report.arrivals = vec![0; half(&report.back_s) + 1];
    backs.iter().for_each(|back| report.arrivals[half(back)] += 1);
    Ok(report)
}
