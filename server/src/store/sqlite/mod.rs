//! The durable store: a SQLite database in the data directory. SQLite keeps the promise that a commit that has returned
//! is there after any end of the machine; this adapter keeps the rest: each edit in its room's order and with its
//! effect once, and nothing silently less than what was written.
//!
//! A room is its snapshot (`records` and `editors`) and its log (`edits`) behind that, each row with a check, and the
//! log a chain of them, which ends in the row of the room. `writer` commits, `loader` reads, `open` makes sure.

mod backup;
mod commit;
mod compact;
mod digest;
mod files;
mod loader;
mod mark;
mod open;
mod options;
mod read;
mod rows;
mod schema;
mod shared;
mod wal;
mod writer;

pub use backup::{Backup, BackupError, back_up};
pub use open::OpenError;
pub use options::{Retention, SqliteOptions};

use std::future::ready;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use hither_core::room::{LoggedEdit, SavedDocument};
use hither_protocol::RoomName;
use hither_protocol::message::edits::Edit;
use tokio::sync::oneshot;
use tokio::time::timeout;

use self::commit::Append;
use self::compact::Plan;
use self::files::Files;
use self::loader::{Load, What, run_checkpoints, run_loads};
use self::rows::LogRow;
use self::shared::Shared;
use self::writer::{Command, Work, Writer};
use super::{Pending, Store, StoreError};
use crate::metrics::Metrics;

/// How long a load waits for a store that does not answer.
const LOAD_DEADLINE: Duration = Duration::from_secs(5);

/// Documents in a SQLite database.
#[derive(Debug)]
pub struct SqliteStore {
    shared: Arc<Shared>,
    commands: Sender<Command>,
    drop_deadline: Duration,
}

impl SqliteStore {
    /// Opens the documents in a folder, or makes them there. It is for one process at a time, which is for the caller
    /// to see to. Blocks for as long as it takes to look at every room's row.
    ///
    /// # Errors
    /// [`OpenError`]; nothing has changed then.
    pub fn open(
        folder: &Path,
        options: SqliteOptions,
        metrics: Arc<Metrics>,
    ) -> Result<Self, OpenError> {
        let SqliteOptions { retention, queue_bytes_max, fold_edits, wal_bytes, .. } = options;
        let SqliteOptions { drop_deadline, clock, vfs, .. } = options;
        let files = Files { folder: folder.to_owned(), vfs };
        let mark = open::open(&files)?;
        let shared = Arc::new(Shared::new(queue_bytes_max, metrics));
        let (commands, asked) = mpsc::channel();
        let (loads, to_load) = mpsc::channel();
        let (committed, told) = mpsc::sync_channel(1);
        let writer = Writer {
            files: files.clone(),
            shared: shared.clone(),
            plan: Plan { fold_edits, retention },
            wal_bytes,
            clock,
            connection: None,
            mark,
            loads,
            committed,
            work: Work::default(),
        };
        let store = Self { shared: shared.clone(), commands, drop_deadline };
        let run = |name: &str, run: Box<dyn FnOnce() + Send>| {
            let source = |source| OpenError::Io { path: folder.to_owned(), source };
            thread::Builder::new().name(name.to_owned()).spawn(run).map_err(source)
        };
        let of_loader = files.clone();
        let loader = run("store loads", Box::new(move || run_loads(&of_loader, &to_load)))?;
        let mover = move || run_checkpoints(&files, wal_bytes, &told);
        let mover = run("store moves", Box::new(mover))?;
        let write = move || {
            let ended = writer.run(&asked);
            // Both end since the writer is gone, and their connections with them.
            for thread in [loader, mover] {
                let _ = thread.join();
            }
            ended.finish();
            shared.end();
        };
        run("store writes", Box::new(write))?;
        Ok(store)
    }

    fn ask(&self, command: Command) -> Result<(), StoreError> {
        self.commands.send(command).map_err(|_| closed())
    }

    fn read<T: Send + 'static>(
        &self,
        room: &RoomName,
        what: What,
        found: oneshot::Receiver<Result<T, StoreError>>,
    ) -> Pending<T> {
        let admitted = self.shared.admit_read();
        let load = |permit| Command::Load(Load { room: room.clone(), what, _permit: permit });
        let asked = admitted.and_then(|permit| self.ask(load(permit)));
        Box::pin(async move {
            asked?;
            let late = |_| StoreError::Unavailable("it takes too long to read".to_owned());
            timeout(LOAD_DEADLINE, found).await.map_err(late)?.unwrap_or_else(|_| Err(closed()))
        })
    }
}

impl Store for SqliteStore {
    fn is_available(&self) -> bool {
        self.shared.is_available()
    }

    fn load(&self, room: &RoomName) -> Pending<SavedDocument> {
        let (done, loaded) = oneshot::channel();
        self.read(room, What::Document(done), loaded)
    }

    fn history(&self, room: &RoomName, before: Option<u64>, limit: usize) -> Pending<Vec<Edit>> {
        let (done, found) = oneshot::channel();
        self.read(room, What::History(before, limit, done), found)
    }

    fn append(&self, room: &RoomName, edit: LoggedEdit) -> Pending<()> {
        let (done, stored) = oneshot::channel();
        let document = edit.document;
        let asked = LogRow::new(&edit).and_then(|row| {
            let bytes = row.bytes();
            self.shared.queue(bytes);
            let append = Append { room: room.clone(), document, row, done };
            self.ask(Command::Append(append)).inspect_err(|_| self.shared.answer(bytes))
        });
        match asked {
            Ok(()) => Box::pin(async move { stored.await.unwrap_or_else(|_| Err(closed())) }),
            Err(error) => Box::pin(ready(Err(error))),
        }
    }

    fn close(&self) -> Pending<()> {
        let (done, ended) = oneshot::channel();
        // One that is closed already drops it.
        let _ = self.ask(Command::Close(done));
        Box::pin(async move { ended.await.map_err(|_| closed()) })
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        drop(self.close());
        self.shared.give_up_at(Instant::now() + self.drop_deadline);
        if !self.shared.wait_for_end(self.drop_deadline) {
            tracing::error!("the disk does not answer: edits may not be stored");
        }
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("it is closed".to_owned())
}

impl From<rusqlite::Error> for StoreError {
    /// What the database has may be wrong, or the database may be out of reach.
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{ConstraintViolation, DatabaseCorrupt, NotADatabase};
        let is_damage = match &error {
            rusqlite::Error::SqliteFailure(failure, _) => {
                matches!(failure.code, ConstraintViolation | DatabaseCorrupt | NotADatabase)
            }
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::QueryReturnedNoRows
            | rusqlite::Error::Utf8Error(..) => true,
            _ => false,
        };
        if is_damage {
            Self::Damaged(error.to_string())
        } else {
            Self::Unavailable(error.to_string())
        }
    }
}

#[cfg(test)]
mod tests;
