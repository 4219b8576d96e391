//! The one thread that writes: it commits in one go all that waits, answers when that is durable, and compacts in
//! between. While commits fail it answers nothing, and tries again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender};
use std::time::{Duration, Instant};

use hither_transport::Clock;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::commit::{Append, Committed, commit};
use super::compact::{Plan, STEP_EDITS, step};
use super::files::{Files, Frames, checkpoint, restart_log};
use super::loader::Load;
use super::mark::Mark;
use super::rows::RoomRow;
use super::shared::Shared;
use crate::store::StoreError;

/// The most edits of one commit.
const BATCH_EDITS: usize = 4_096;
/// The most bytes of one commit, and one edit.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// The pauses between attempts while commits fail.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A commit that takes longer is logged,
const SLOW: Duration = Duration::from_millis(500);
/// but not more often.
const SLOW_EVERY: Duration = Duration::from_secs(10);
/// How long commits wait for a log that is much too long to be moved, and between two looks.
const LOG_PATIENCE: Duration = Duration::from_secs(2);
const LOG_PAUSE: Duration = Duration::from_millis(5);
/// How often all rooms are looked at, for what has grown old.
const SWEEP_EVERY: Duration = Duration::from_secs(60 * 60);
/// Rooms that are looked at in one go.
const SWEEP_ROOMS: u32 = 50;
/// After so many batches without a pause one step of that is taken all the same.
const SWEEP_PATIENCE: u32 = 64;

/// What is asked of the writer.
#[derive(Debug)]
pub(super) enum Command {
    Append(Append),
    /// To be passed on once everything before it is durable.
    Load(Load),
    /// Everything before it is to be durable, and nothing comes after it.
    Close(oneshot::Sender<()>),
}

/// The writer of a database.
pub(super) struct Writer {
    pub(super) files: Files,
    pub(super) shared: Arc<Shared>,
    pub(super) plan: Plan,
    pub(super) wal_bytes: u64,
    pub(super) clock: Clock,
    pub(super) connection: Option<Connection>,
    pub(super) mark: Mark,
    pub(super) loads: Sender<Load>,
    /// Told after each commit.
    pub(super) committed: SyncSender<()>,
    pub(super) work: Work,
}

/// What there is to do when nothing waits.
pub(super) struct Work {
    /// Rooms with a long log,
    long: BTreeSet<i64>,
    /// and with one that is too long.
    too_long: BTreeSet<i64>,
    sweep: Sweep,
    slow_logged: Option<Instant>,
}

/// A look at all rooms, since what they have grows old while nobody opens them.
struct Sweep {
    /// Rooms that were looked at, and may have something old,
    rooms: Vec<i64>,
    /// and the last of them, if there may be more behind it.
    last: Option<i64>,
    next: Instant,
    /// Batches since its last step.
    batches: u32,
}

/// What is left of a writer.
#[derive(Default)]
pub(super) struct Ended {
    connection: Option<Connection>,
    close: Option<oneshot::Sender<()>>,
}

impl Ended {
    /// Leaves no log behind, if that can be, now that nobody else is connected; and tells who waits.
    pub(super) fn finish(self) {
        if let Some(connection) = self.connection
            && let Err(error) = checkpoint(&connection, "TRUNCATE")
        {
            tracing::debug!(%error, "the log stays for the next start");
        }
        // Whoever has asked may be gone.
        self.close.map(|close| close.send(()));
    }
}

/// What was taken from the queue in one go.
#[derive(Default)]
struct Batch {
    appends: Vec<Append>,
    bytes: usize,
    loads: Vec<Load>,
    close: Option<oneshot::Sender<()>>,
}

impl Default for Work {
    /// Begins with a sweep.
    fn default() -> Self {
        let (long, too_long) = Default::default();
        let sweep = Sweep { rooms: Vec::new(), last: Some(0), next: Instant::now(), batches: 0 };
        Self { long, too_long, sweep, slow_logged: None }
    }
}

impl Sweep {
    fn is_under_way(&self) -> bool {
        self.last.is_some() || !self.rooms.is_empty()
    }

    /// Whether it has waited for long enough.
    fn is_late(&self) -> bool {
        self.batches >= SWEEP_PATIENCE && (self.is_under_way() || self.next <= Instant::now())
    }
}

impl Batch {
    fn add(&mut self, command: Command) {
        match command {
            Command::Append(append) => {
                self.bytes += append.row.bytes();
                self.appends.push(append);
            }
            Command::Load(load) => self.loads.push(load),
            Command::Close(done) => self.close = Some(done),
        }
    }

    fn is_full(&self) -> bool {
        let appends = self.appends.len();
        self.close.is_some() || appends >= BATCH_EDITS || self.bytes >= BATCH_BYTES
    }
}

impl Writer {
    /// Does what is asked, until it is asked to close, or nobody is there any more to ask.
    pub(super) fn run(mut self, commands: &Receiver<Command>) -> Ended {
        // A process before may have been killed in a sync; whoever is told of what it left takes that for durable.
        if self.commit(&[]).is_none() {
            return Ended::default();
        }
        loop {
            let Some(batch) = self.next(commands) else { break Ended::default() };
            let Batch { appends, bytes, loads, close } = batch;
            // Folding and trimming, they keep up with what comes.
            let steps = 2 * appends.len().div_ceil(STEP_EDITS as usize);
            if !appends.is_empty() && !self.store(appends, bytes) {
                break Ended::default();
            }
            for load in loads {
                // A loader that is gone drops it, which is an answer.
                let _ = self.loads.send(load);
            }
            if close.is_some() {
                break Ended { connection: self.connection, close };
            }
            self.bound_log();
            for _ in 0..steps {
                let Some(room) = self.work.too_long.pop_first() else { break };
                if self.compact(room) {
                    self.work.long.insert(room);
                }
            }
            self.work.sweep.batches += 1;
            if self.work.sweep.is_late() {
                self.sweep();
            }
        }
    }

    /// Waits for something to do, and works meanwhile.
    fn next(&mut self, commands: &Receiver<Command>) -> Option<Batch> {
        let mut batch = Batch::default();
        loop {
            let wait = if self.has_work() { Duration::ZERO } else { self.until_sweep() };
            match commands.recv_timeout(wait) {
                Ok(command) => {
                    batch.add(command);
                    break;
                }
                Err(RecvTimeoutError::Timeout) => self.work(),
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
        while !batch.is_full()
            && let Ok(command) = commands.try_recv()
        {
            batch.add(command);
        }
        Some(batch)
    }

    /// Makes edits durable and answers them, however long it takes; false if that was given up.
    fn store(&mut self, appends: Vec<Append>, bytes: usize) -> bool {
        let Some(committed) = self.commit(&appends) else {
            let (edits, folder) = (appends.len(), self.files.folder.display());
            tracing::error!(%folder, edits, "edits could not be stored before the end");
            return false;
        };
        for room in &committed.rooms {
            self.note(room);
        }
        self.shared.answer(bytes);
        for (append, fate) in appends.into_iter().zip(committed.fates) {
            if let Err(error) = &fate {
                tracing::error!(room = %append.room, %error, "an edit could not be stored");
            }
            // Whoever has asked may be gone.
            let _ = append.done.send(fate);
        }
        true
    }

    /// Commits, until it succeeds; `None` if that was given up.
    fn commit(&mut self, appends: &[Append]) -> Option<Committed> {
        let mut pause = FIRST_PAUSE;
        let mut is_again = false;
        loop {
            let began = Instant::now();
            let committed = self.connect().and_then(|()| {
                let connection = self.connection.as_mut().ok_or_else(no_connection)?;
                commit(connection, appends, is_again)
            });
            match committed {
                Ok(committed) => {
                    self.went_well(committed.commits, began.elapsed());
                    return Some(committed);
                }
                Err(error) => self.went_wrong(&error),
            }
            is_again = true;
            if !self.shared.pause(pause) {
                return None;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn went_well(&mut self, commits: u64, took: Duration) {
        if let Err(error) = self.mark.write(commits) {
            tracing::warn!(%error, "how much is durable could not be marked");
        }
        if self.shared.set_broken(false) {
            tracing::info!(folder = %self.files.folder.display(), "edits are stored again");
        }
        self.shared.metrics.store_commits.inc();
        self.shared.metrics.store_commit_seconds.observe(took.as_secs_f64());
        let was_logged = self.work.slow_logged.is_some_and(|last| last.elapsed() < SLOW_EVERY);
        if took > SLOW && !was_logged {
            self.work.slow_logged = Some(Instant::now());
            tracing::warn!(?took, "the disk is slow: edits wait for it");
        }
        // One that is not read yet says the same.
        let _ = self.committed.try_send(());
    }

    fn went_wrong(&mut self, error: &StoreError) {
        if self.shared.set_broken(true) {
            let folder = self.files.folder.display();
            tracing::error!(%folder, %error, "edits can't be stored; none are taken until they can");
        }
        self.connection = None;
    }

    /// Connects at first, and again after a failure. What is there may be so in the kernel's memory alone, since a sync
    /// that has failed is not made up for by the next: so it is written once more, to the database, and the log begins
    /// anew.
    fn connect(&mut self) -> Result<(), StoreError> {
        if self.connection.is_some() {
            return Ok(());
        }
        let connection = self.files.connect()?;
        let frames = checkpoint(&connection, "TRUNCATE")?;
        if frames.is_busy || frames.log != frames.moved {
            return Err(StoreError::Unavailable("its log is being read".to_owned()));
        }
        self.connection = Some(connection);
        Ok(())
    }

    /// Begins the write-ahead log anew if it is long and no reader needs it; else another time. One that is much too
    /// long waits for the thread that moves it.
    fn bound_log(&self) {
        let Some(connection) = &self.connection else { return };
        let bytes = checkpoint(connection, "NOOP").map_or(0, Frames::bytes);
        if bytes < self.wal_bytes {
            return;
        }
        let patience = if bytes < 4 * self.wal_bytes { Duration::ZERO } else { LOG_PATIENCE };
        let began = Instant::now();
        while restart_log(connection).is_ok_and(Frames::is_taken)
            && began.elapsed() < patience
            && self.shared.pause(LOG_PAUSE)
        {}
    }

    fn note(&mut self, room: &RoomRow) {
        if self.plan.is_too_long(room) {
            self.work.too_long.insert(room.id);
        } else if self.plan.is_long(room) {
            self.work.long.insert(room.id);
        }
    }

    fn has_work(&self) -> bool {
        let is_some = !self.work.long.is_empty() || self.work.sweep.is_under_way();
        self.connection.is_some() && is_some
    }

    fn until_sweep(&self) -> Duration {
        self.work.sweep.next.saturating_duration_since(Instant::now())
    }

    /// Takes one step of what can wait.
    fn work(&mut self) {
        let Some(room) = self.work.long.pop_first() else { return self.sweep() };
        if self.compact(room) {
            self.work.long.insert(room);
        }
    }

    /// Takes one step for a room; whether there may be more to do, if only what has grown old.
    fn compact(&mut self, room: i64) -> bool {
        let began = Instant::now();
        let Some(connection) = &mut self.connection else { return false };
        match step(connection, room, &self.plan, self.clock.now().as_millis()) {
            Ok(None) => {}
            Ok(Some((commits, room))) => {
                self.went_well(commits, began.elapsed());
                self.note(&room);
                return true;
            }
            Err(StoreError::Unavailable(error)) => {
                self.went_wrong(&StoreError::Unavailable(error));
                // Nothing is stored by it, but that something can be.
                self.commit(&[]);
            }
            Err(error) => tracing::error!(room, %error, "a room's log could not be compacted"),
        }
        false
    }

    /// Takes one step of the sweep, or begins the next.
    fn sweep(&mut self) {
        let sweep = &mut self.work.sweep;
        sweep.batches = 0;
        if let Some(room) = sweep.rooms.pop() {
            if self.compact(room) {
                self.work.sweep.rooms.push(room);
            }
            return;
        }
        sweep.next = Instant::now() + SWEEP_EVERY;
        let Some(connection) = &self.connection else { return };
        let rooms = RoomRow::ids_after(connection, sweep.last.unwrap_or(0), SWEEP_ROOMS);
        let rooms = rooms.unwrap_or_else(|error| {
            tracing::error!(%error, "the rooms could not be looked at");
            Vec::new()
        });
        sweep.last = rooms.last().map(|(room, _)| *room);
        sweep.rooms =
            rooms.into_iter().filter_map(|(room, has_log)| has_log.then_some(room)).collect();
    }
}

fn no_connection() -> StoreError {
    StoreError::Unavailable("it is not connected".to_owned())
}
