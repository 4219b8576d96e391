//! The log's one thread: it writes in one go all that waits, answers looks behind that, and forgets in between. What
//! the disk does not take is dropped.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use hither_protocol::RoomName;
use hither_protocol::message::control::{EventId, KeptEvent};
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

use super::schema::Database;
use super::{Shared, rows, unavailable};
use crate::event_log::{EventLogError, Retentions};
use crate::metrics::NotKeptCause;

/// The most events of one commit.
pub(super) const BATCH_EVENTS: usize = 4_096;
/// The most bytes of one commit, and one event.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// How often all rooms are looked at, for what has grown old.
const SWEEP_EVERY: Duration = Duration::from_secs(60 * 60);

/// What is asked of the thread.
#[derive(Debug)]
pub(super) enum Command {
    Keep(Keep),
    /// To be answered once everything before it is written.
    Look(Look),
    /// Everything before it is to be written, and nothing comes after it.
    Close(oneshot::Sender<()>),
}

#[derive(Debug)]
pub(super) struct Keep {
    pub(super) room: RoomName,
    pub(super) event: KeptEvent,
    /// What it counts for in the queue.
    pub(super) bytes: usize,
}

#[derive(Debug)]
pub(super) struct Look {
    pub(super) room: RoomName,
    pub(super) before: Option<EventId>,
    pub(super) limit: usize,
    pub(super) done: oneshot::Sender<Result<Vec<KeptEvent>, EventLogError>>,
}

/// The thread's own.
pub(super) struct Writer {
    database: Database,
    /// None after a failure.
    connection: Option<Connection>,
    retentions: Arc<Retentions>,
    shared: Arc<Shared>,
    /// Whether the last attempt failed: said once.
    is_broken: bool,
    /// The last room that was looked at in this sweep.
    swept: Option<String>,
    next_sweep: Instant,
}

/// What was taken from the queue in one go.
#[derive(Default)]
struct Batch {
    keeps: Vec<Keep>,
    bytes: usize,
    looks: Vec<Look>,
    close: Option<oneshot::Sender<()>>,
}

impl Batch {
    fn add(&mut self, command: Command) {
        match command {
            Command::Keep(keep) => {
                self.bytes += keep.bytes;
                self.keeps.push(keep);
            }
            Command::Look(look) => self.looks.push(look),
            Command::Close(done) => self.close = Some(done),
        }
    }

    fn is_full(&self) -> bool {
        let Self { keeps, bytes, close, .. } = self;
        close.is_some() || keeps.len() >= BATCH_EVENTS || *bytes >= BATCH_BYTES
    }
}

impl Writer {
    /// Begins with a sweep.
    pub(super) fn new(
        database: Database,
        connection: Connection,
        retentions: Retentions,
        shared: Arc<Shared>,
    ) -> Self {
        let (connection, swept) = (Some(connection), Some(String::new()));
        let (is_broken, next_sweep) = (false, Instant::now());
        let retentions = Arc::new(retentions);
        Self { database, connection, retentions, shared, is_broken, swept, next_sweep }
    }

    /// Does what is asked, until it is asked to close, or nobody is there any more to ask.
    pub(super) fn run(mut self, commands: &Receiver<Command>) {
        while let Some(Batch { keeps, bytes, looks, close }) = self.next(commands) {
            if !keeps.is_empty() {
                self.write(keeps);
                self.shared.unqueue(bytes);
            }
            for look in looks {
                self.look(look);
            }
            if let Some(done) = close {
                // The last connection to go moves the log into the database.
                drop(self.connection);
                // Whoever has asked may be gone.
                let _ = done.send(());
                return;
            }
            self.sweep();
        }
    }

    /// Waits for something to do, or until there is something to sweep.
    fn next(&mut self, commands: &Receiver<Command>) -> Option<Batch> {
        let mut batch = Batch::default();
        let until_sweep = self.next_sweep.saturating_duration_since(Instant::now());
        let wait = if self.swept.is_some() { Duration::ZERO } else { until_sweep };
        match commands.recv_timeout(wait) {
            Ok(command) => batch.add(command),
            Err(RecvTimeoutError::Timeout) => return Some(batch),
            Err(RecvTimeoutError::Disconnected) => return None,
        }
        while !batch.is_full()
            && let Ok(command) = commands.try_recv()
        {
            batch.add(command);
        }
        Some(batch)
    }

    fn write(&mut self, keeps: Vec<Keep>) {
        let (retentions, count) = (self.retentions.clone(), keeps.len() as u64);
        let written = self.with_connection(|connection| write(connection, keeps, &retentions));
        let metrics = &self.shared.metrics;
        match written {
            Ok(()) => metrics.events_kept.inc_by(count),
            Err(_) => metrics.events_not_kept[NotKeptCause::Failed].inc_by(count),
        };
    }

    fn look(&mut self, look: Look) {
        let Look { room, before, limit, done } = look;
        if done.is_closed() {
            return;
        }
        let found = match self.retentions.get(room.namespace()).copied() {
            None => Ok((Vec::new(), 0)),
            Some(retention) => self.with_connection(|connection| {
                rows::page(connection, &room, before, limit, retention)
            }),
        };
        if let Ok((_, damaged @ 1..)) = found {
            self.shared.metrics.kept_events_damaged.inc_by(damaged);
            tracing::error!(%room, damaged, "kept events are not what was written, and left out");
        }
        // Whoever has asked may be gone.
        let _ = done.send(found.map(|(events, _)| events).map_err(unavailable));
    }

    /// Looks at one more room, and deletes what it has too much or too old.
    fn sweep(&mut self) {
        if self.swept.is_none() && self.next_sweep <= Instant::now() {
            self.swept = Some(String::new());
        }
        let Some(last) = self.swept.take() else { return };
        self.next_sweep = Instant::now() + SWEEP_EVERY;
        let retentions = self.retentions.clone();
        let swept = self.with_connection(|connection| {
            let Some(room) = rows::room_after(connection, &last)? else { return Ok(None) };
            let namespace = room.split(':').next().unwrap_or_default();
            let retention = retentions.get(namespace).copied();
            let has_more = match retention {
                Some(retention) => rows::prune(connection, &room, retention)?,
                None => false,
            };
            Ok(Some(if has_more { last } else { room }))
        });
        self.swept = swept.unwrap_or_default();
    }

    /// Acts on the connection, or a new one if there is none. One that has failed is not used again.
    fn with_connection<T>(
        &mut self,
        act: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let connection = self.connection.take().map_or_else(|| self.database.connect(), Ok);
        let acted = connection.and_then(|mut connection| {
            let result = act(&mut connection)?;
            self.connection = Some(connection);
            Ok(result)
        });
        let was_broken = std::mem::replace(&mut self.is_broken, acted.is_err());
        let path = self.database.path.display();
        match &acted {
            Err(error) if !was_broken => {
                tracing::error!(%path, %error, "events are not kept until it can be used again");
            }
            Ok(_) if was_broken => tracing::info!(%path, "events are kept again"),
            _ => {}
        }
        acted
    }
}

/// Writes events, all or none, and forgets in their rooms as many as came.
fn write(
    connection: &mut Connection,
    keeps: Vec<Keep>,
    retentions: &Retentions,
) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut rooms = BTreeSet::new();
    for Keep { room, event, .. } in keeps {
        rows::insert(&transaction, &room, event)?;
        rooms.insert(room);
    }
    for room in rooms {
        if let Some(retention) = retentions.get(room.namespace()) {
            rows::prune(&transaction, room.as_str(), *retention)?;
        }
    }
    transaction.commit()
}
