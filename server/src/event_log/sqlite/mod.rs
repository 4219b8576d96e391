//! The log that outlives the process: a SQLite database in the data directory, beside the documents and apart from
//! them, as it promises less. A commit is not synced, so a power cut may take the last moments; what is there is whole.
//!
//! Rooms put events into a queue that is bounded in bytes, and one thread writes what waits in one go, looks up what is
//! asked for, and forgets what is too much or too old.

mod rows;
mod schema;
mod writer;

pub use schema::{OpenError, exists};

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use hither_protocol::RoomName;
use hither_protocol::message::control::{EventId, KeptEvent};
use hither_protocol::message::encoded_len;
use tokio::sync::oneshot;
use tokio::time::timeout;

use self::schema::Database;
use self::writer::{Command, Keep, Look, Writer};
use super::{EventLog, EventLogError, Found, Retentions};
use crate::metrics::{Metrics, NotKeptCause};

/// How long a look waits for a disk that does not answer.
const LOOK_DEADLINE: Duration = Duration::from_secs(5);
/// The most looks that wait; more are refused.
const LOOKS_MAX: usize = 256;
/// What an event that waits counts for beside its own bytes.
const EVENT_BYTES: usize = 256;

/// The knobs of a log in SQLite.
#[derive(Clone, Debug)]
pub struct SqliteEventLogOptions {
    /// Bytes of events that may wait to be written; beyond, they are dropped. Costs as much memory. Default: 16 MiB.
    pub queue_bytes_max: usize,
    /// The VFS of SQLite's that keeps the files, by its name. Default: SQLite's own. Others are for tests.
    pub vfs: Option<String>,
}

impl Default for SqliteEventLogOptions {
    fn default() -> Self {
        Self { queue_bytes_max: 16 * 1024 * 1024, vfs: None }
    }
}

/// Events in a SQLite database.
#[derive(Debug)]
pub struct SqliteEventLog {
    shared: Arc<Shared>,
    commands: Sender<Command>,
}

impl SqliteEventLog {
    /// Opens the events in a folder, or makes them there. It is for one process at a time, which is for the caller to
    /// see to.
    ///
    /// # Errors
    /// [`OpenError`]; nothing has changed then.
    pub fn open(
        folder: &Path,
        retentions: Retentions,
        options: SqliteEventLogOptions,
        metrics: Arc<Metrics>,
    ) -> Result<Self, OpenError> {
        let SqliteEventLogOptions { queue_bytes_max, vfs } = options;
        let database = Database::of(folder, vfs);
        let connection = database.open()?;
        let shared = Arc::new(Shared::new(queue_bytes_max, metrics));
        let (commands, asked) = mpsc::channel();
        let writer = Writer::new(database, connection, retentions, shared.clone());
        let thread = thread::Builder::new().name("event log".to_owned());
        let run = thread.spawn(move || writer.run(&asked));
        run.map_err(|source| OpenError::Io { path: folder.to_owned(), source })?;
        Ok(Self { shared, commands })
    }
}

impl EventLog for SqliteEventLog {
    fn keep(&self, room: &RoomName, event: KeptEvent) {
        let bytes = EVENT_BYTES + encoded_len(&event);
        if self.shared.queue(bytes) {
            let room = room.clone();
            // A log that is closed takes nothing before this.
            let _ = self.commands.send(Command::Keep(Keep { room, event, bytes }));
        }
    }

    fn latest(&self, room: &RoomName, before: Option<EventId>, limit: usize) -> Found {
        let (done, found) = oneshot::channel();
        let look = Look { room: room.clone(), before, limit, done };
        let asked = self.shared.begin_look().and_then(|turn| {
            let sent = self.commands.send(Command::Look(look));
            sent.map(|()| turn).map_err(|_| unavailable("it is closed"))
        });
        Box::pin(async move {
            let _turn = asked?;
            let in_time = timeout(LOOK_DEADLINE, found).await;
            let found = in_time.map_err(|_| unavailable("it takes too long"))?;
            found.map_err(|_| unavailable("it is closed"))?
        })
    }

    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let (done, closed) = oneshot::channel();
        self.shared.is_closed.store(true, Ordering::Relaxed);
        let asked = self.commands.send(Command::Close(done));
        Box::pin(async move {
            if asked.is_ok() {
                // One that is gone is closed.
                let _ = closed.await;
            }
        })
    }
}

/// What the log and its thread know of each other.
#[derive(Debug)]
struct Shared {
    queue_bytes_max: usize,
    queue_bytes: AtomicUsize,
    looks: Arc<AtomicUsize>,
    /// Whether events were dropped since the queue had room last: said once.
    is_full: AtomicBool,
    /// Whether nothing more is taken.
    is_closed: AtomicBool,
    metrics: Arc<Metrics>,
}

impl Shared {
    fn new(queue_bytes_max: usize, metrics: Arc<Metrics>) -> Self {
        let (queue_bytes, looks, is_full, is_closed) = Default::default();
        Self { queue_bytes_max, queue_bytes, looks, is_full, is_closed, metrics }
    }

    /// Takes room for an event; false, and counted, if there is none.
    fn queue(&self, bytes: usize) -> bool {
        if self.is_closed.load(Ordering::Relaxed) {
            self.metrics.events_not_kept[NotKeptCause::Failed].inc();
            return false;
        }
        let waiting = self.queue_bytes.fetch_add(bytes, Ordering::Relaxed);
        if waiting + bytes <= self.queue_bytes_max {
            return true;
        }
        self.queue_bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.metrics.events_not_kept[NotKeptCause::QueueFull].inc();
        if !self.is_full.swap(true, Ordering::Relaxed) {
            tracing::error!("events are not kept: the disk does not keep up");
        }
        false
    }

    /// Events of so many bytes wait no more.
    fn unqueue(&self, bytes: usize) {
        self.queue_bytes.fetch_sub(bytes, Ordering::Relaxed);
        if self.is_full.swap(false, Ordering::Relaxed) {
            tracing::info!("the disk keeps up with events again");
        }
    }

    /// A turn of those who look, given back when it is dropped.
    fn begin_look(&self) -> Result<Turn, EventLogError> {
        let turn = Turn(self.looks.clone());
        if turn.0.fetch_add(1, Ordering::Relaxed) < LOOKS_MAX {
            return Ok(turn);
        }
        Err(unavailable("too many look"))
    }
}

/// One of the looks that wait.
struct Turn(Arc<AtomicUsize>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn unavailable(why: impl ToString) -> EventLogError {
    EventLogError::Unavailable(why.to_string())
}

#[cfg(test)]
mod tests;
