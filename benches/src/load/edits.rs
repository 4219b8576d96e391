//! Editors that submit edits at a steady rate: how many become durable, and how long their acks take. Beside it the
//! disk's own limit, since an ack can't come before the disk has what it says.

mod calm;
mod moves;
mod newcomers;
mod times;

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;
use hither_certs::Certificate;
use hither_client::{Client, ClientEndpoint, ClientTls, Map, Op, OpKind, Room, Value};
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use self::calm::CalmSecond;
use self::times::{Timed, percentile, sorted, took};
use super::aside::Aside;
use super::own_server::{Program, Server, in_a_folder};
use super::plan::{count, seconds};
use crate::process::{self, Memory};

/// What editors are asked to do.
#[derive(Debug, Clone, Args)]
pub struct EditsPlan {
    #[command(flatten)]
    program: Program,
    /// Rooms at the same time.
    #[arg(long, default_value_t = 10, value_parser = count)]
    rooms: usize,
    /// Editors in each room; each sees all edits of its room. A server takes 100 edits a second of one.
    #[arg(long, default_value_t = 5, value_parser = count)]
    editors_each: usize,
    /// Edits a second, of all editors together.
    #[arg(long, default_value_t = 1_000, value_parser = count)]
    rate: usize,
    /// Whether one editor of each room moves its cursor meanwhile, and another one times it.
    #[arg(long)]
    moving: bool,
    /// Records of one more room, in which nobody edits, and which newcomers open twice a second meanwhile. Default:
    /// none.
    #[arg(long, default_value_t = 0)]
    records: usize,
    /// Seconds before edits count.
    #[arg(long, default_value = "1", value_parser = seconds)]
    warmup: Duration,
    /// Seconds in which they do; on a host that others use, too, few of them are calm.
    #[arg(long, default_value = "20", value_parser = seconds)]
    window: Duration,
}

/// What it came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EditsReport {
    /// Always `edits`.
    pub mode: &'static str,
    /// Rooms.
    pub rooms: usize,
    /// Editors.
    pub editors: usize,
    /// Edits a second that were to be submitted.
    pub asked_per_s: usize,
    /// Edits a second that were acked.
    pub acked_per_s: f64,
    /// Edits that were not acked.
    pub failed: usize,
    /// From the submit to the ack, in milliseconds: half of them took less.
    pub ack_p50_ms: f64,
    /// 99 of 100 took less.
    pub ack_p99_ms: f64,
    /// The longest.
    pub ack_max_ms: f64,
    /// From a cursor's move to another member's hearing of it, in milliseconds: half of them took less. 0 if none move,
    /// as what follows.
    pub move_p50_ms: f64,
    /// 99 of 100 took less.
    pub move_p99_ms: f64,
    /// The longest.
    pub move_max_ms: f64,
    /// Records of the room that newcomers opened.
    pub records: usize,
    /// From a newcomer's first packet to the whole document, in milliseconds: half of them took less.
    pub open_p50_ms: f64,
    /// The longest.
    pub open_max_ms: f64,
    /// The server's user and system time, in percent of one core.
    pub server_cpu_pct: f64,
    /// The server's resident memory at the end, in MiB.
    pub server_rss_mb: f64,
    /// Appends of 4 KiB, each synced, that the same disk did in a second before.
    pub disk_syncs_per_s: f64,
    /// How long half of these took, in milliseconds.
    pub disk_sync_p50_ms: f64,
    /// And 99 of 100.
    pub disk_sync_p99_ms: f64,
    /// The generator's own time, in percent of one core: from 85 on it is the limit.
    pub loadgen_cpu_pct: f64,
    /// Time for which cores of this machine had work and its host ran somebody else, in percent of one core: acks and
    /// moves wait for as long.
    pub stolen_pct: f64,
    /// The window's whole seconds in which it was next to nothing,
    pub calm_s: usize,
    /// and each of them.
    pub calm: Vec<CalmSecond>,
}

const DEADLINE: Duration = Duration::from_secs(60);

/// Measures `plan` on the current thread's local runtime.
///
/// # Errors
/// The caller's: no such program. The server's: it does not let all in within a minute.
pub async fn run(plan: &EditsPlan) -> Result<EditsReport> {
    in_a_folder(async |dir| measure(plan, dir).await).await
}

async fn measure(plan: &EditsPlan, dir: &Path) -> Result<EditsReport> {
    ensure!(!plan.moving || plan.editors_each > 1, "a move is timed by another editor of its room");
    let disk = disk(dir)?;
    let certificate = Certificate::mint(std::time::SystemTime::now(), &[])?;
    let server = Server::start(&plan.program, dir, Some(&certificate), "127.0.0.1:0")?;
    let endpoint = ClientEndpoint::bind(ClientTls::Hash(certificate.sha256()))?;
    let editors = timeout(DEADLINE, enter(plan, &server, &endpoint)).await??;
    let filler = timeout(DEADLINE, newcomers::fill(plan.records, &server, &endpoint)).await??;
    let used = |pid| -> Result<[Duration; 3]> {
        Ok([process::cpu_time(Some(pid))?, process::cpu_time(None)?, process::stolen_time()?])
    };
    let every = Duration::from_secs(1).mul_f64(editors.len() as f64 / plan.rate as f64);
    let (start, pid) = (Instant::now(), server.child.id());
    let window = (start + plan.warmup, start + plan.warmup + plan.window);
    let mut editing = JoinSet::new();
    for (number, editor) in editors.iter().enumerate() {
        let phase = every.mul_f64(number as f64 / editors.len() as f64);
        let (room, window) = (editor.1.clone(), window);
        editing.spawn_local(async move { edit(&room, number, start + phase, every, window).await });
    }
    let aside = Aside::start()?;
    let opening = aside.handle().spawn(newcomers::open_again_and_again(
        plan.records,
        server.address.clone(),
        certificate.sha256(),
        window,
    ));
    let using = async {
        sleep_until(window.0).await;
        let before = used(pid)?;
        sleep_until(window.1).await;
        Ok((before, used(pid)?))
    };
    let moving = async {
        if plan.moving { moves::ages(&editors, plan.rooms, window).await } else { Ok(vec![]) }
    };
    let ((before, after), moves, calm) = tokio::try_join!(using, moving, calm::look_on(window))?;
    let share = |of: usize| {
        let took: Duration = after[of].saturating_sub(before[of]);
        took.as_secs_f64() / plan.window.as_secs_f64() * 100.0
    };
    let (mut acks, mut failed) = (Vec::new(), 0);
    while let Some(edited) = timeout(DEADLINE, editing.join_next()).await? {
        let (acked, lost) = edited?;
        acks.extend(acked);
        failed += lost;
    }
    ensure!(!acks.is_empty(), "no edit was acked");
    let opened = opening.await??;
    drop(filler);
    let [ack_ms, move_ms] = [sorted(&acks), sorted(&moves)];
    Ok(EditsReport {
        mode: "edits",
        rooms: plan.rooms,
        editors: editors.len(),
        asked_per_s: plan.rate,
        acked_per_s: acks.len() as f64 / plan.window.as_secs_f64(),
        failed,
        ack_p50_ms: percentile(&ack_ms, 50),
        ack_p99_ms: percentile(&ack_ms, 99),
        ack_max_ms: percentile(&ack_ms, 100),
        move_p50_ms: percentile(&move_ms, 50),
        move_p99_ms: percentile(&move_ms, 99),
        move_max_ms: percentile(&move_ms, 100),
        records: plan.records,
        open_p50_ms: percentile(&opened, 50),
        open_max_ms: percentile(&opened, 100),
        server_cpu_pct: share(0),
        server_rss_mb: process::memory_kb(pid, Memory::Resident)? as f64 / 1_024.0,
        disk_syncs_per_s: 1_000.0 / (disk.iter().sum::<f64>() / disk.len() as f64),
        disk_sync_p50_ms: percentile(&disk, 50),
        disk_sync_p99_ms: percentile(&disk, 99),
        loadgen_cpu_pct: share(1),
        stolen_pct: share(2),
        calm_s: calm.len(),
        calm: calm.iter().map(|second| CalmSecond::of(second, &acks, &moves)).collect(),
    })
}

type Editor = (Client, Arc<Room>);

async fn enter(
    plan: &EditsPlan,
    server: &Server,
    endpoint: &ClientEndpoint,
) -> Result<Vec<Editor>> {
    let mut editors = Vec::new();
    for number in 0..plan.rooms * plan.editors_each {
        let name = format!("default:edits-{}", number % plan.rooms);
        let (client, room) = open(&server.address, endpoint, &name).await?;
        let heard = room.clone();
        tokio::task::spawn_local(async move { while heard.next_event().await.is_some() {} });
        editors.push((client, room));
    }
    // All documents are there.
    sleep(Duration::from_millis(500)).await;
    Ok(editors)
}

async fn open(address: &str, endpoint: &ClientEndpoint, name: &str) -> Result<Editor> {
    let options = Client::builder(format!("https://{address}"));
    let client = options.endpoint(endpoint.clone()).connect().await?;
    let room = Arc::new(client.enter(name, Map::new()).await?);
    room.open_document()?;
    Ok((client, room))
}

/// Submits an edit at each of its times, and returns the times of the acks of those within the window, and how many had
/// none.
async fn edit(
    room: &Room,
    number: usize,
    first: Instant,
    every: Duration,
    (from, to): (Instant, Instant),
) -> (Vec<Timed>, usize) {
    let mut waiting = JoinSet::new();
    let mut at = first;
    let mut index = 0_i64;
    while at < to {
        sleep_until(at).await;
        // What a note on a whiteboard is, dragged.
        let fields = [("x", Value::Int(index)), ("y", Value::Int(index / 2)), ("z", "note".into())];
        let fields = fields.map(|(name, value)| (name.to_owned(), value));
        let op = Op::new(OpKind::Put, format!("note-{number}"), Map::from(fields));
        let submitted = Instant::now();
        let answer = room.submit(vec![op]);
        if at >= from {
            waiting.spawn_local(async move { answer.await.ok().map(|_| took(submitted)) });
        }
        (at, index) = (at + every, index + 1);
    }
    let answers = waiting.join_all().await;
    let failed = answers.iter().filter(|answer| answer.is_none()).count();
    (answers.into_iter().flatten().collect(), failed)
}

/// How many milliseconds each append of 4 KiB took that was synced before the next, in a second, sorted.
fn disk(dir: &Path) -> Result<Vec<f64>> {
    let mut file = File::create(dir.join("disk"))?;
    let (page, begin) = ([7; 4_096], Instant::now());
    let mut times = Vec::new();
    while begin.elapsed() < Duration::from_secs(1) {
        let start = Instant::now();
        file.write_all(&page)?;
        file.sync_data()?;
        times.push(start.elapsed().as_secs_f64() * 1_000.0);
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_asked_for_a_second() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!disk(dir.path()).unwrap().is_empty());
    }
}
