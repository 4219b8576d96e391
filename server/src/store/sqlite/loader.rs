//! The threads that only read and tidy: the loader, so that a load of many megabytes never holds up a commit, and the
//! one that moves the write-ahead log into the database, which syncs that.

use std::sync::mpsc::Receiver;

use hither_core::room::SavedDocument;
use hither_protocol::RoomName;
use hither_protocol::message::edits::Edit;
use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::files::{Files, checkpoint};
use super::read;
use crate::store::StoreError;

/// The log is moved in parts of its bound.
const PARTS: u64 = 4;

/// What somebody waits for of a room.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) room: RoomName,
    pub(super) what: What,
    /// Until it is answered, it is one of those that wait.
    pub(super) _permit: OwnedSemaphorePermit,
}

#[derive(Debug)]
pub(super) enum What {
    Document(oneshot::Sender<Result<SavedDocument, StoreError>>),
    /// The last edits before a place, so many.
    History(Option<u64>, usize, oneshot::Sender<Result<Vec<Edit>, StoreError>>),
}

/// Loads rooms until nobody is there any more to ask.
pub(super) fn run_loads(files: &Files, loads: &Receiver<Load>) {
    let mut connection = None;
    while let Ok(Load { room, what, _permit }) = loads.recv() {
        match what {
            What::Document(done) => {
                answer(files, &mut connection, &room, done, |open| read::load(open, &room));
            }
            What::History(before, limit, done) => {
                let look = |open: &Connection| read::history(open, &room, before, limit);
                answer(files, &mut connection, &room, done, look);
            }
        }
    }
}

/// Answers who still waits; a connection that has failed is not used again.
fn answer<T>(
    files: &Files,
    connection: &mut Option<Connection>,
    room: &RoomName,
    done: oneshot::Sender<Result<T, StoreError>>,
    look: impl FnOnce(&Connection) -> Result<T, StoreError>,
) {
    if done.is_closed() {
        return;
    }
    let open = connection.take().map_or_else(|| files.connect(), Ok);
    let found = open.and_then(|open| {
        let found = look(&open)?;
        *connection = Some(open);
        Ok(found)
    });
    if let Err(error) = &found {
        tracing::error!(%room, %error, "a room could not be read");
    }
    // Whoever has asked may be gone.
    let _ = done.send(found);
}

/// Moves the log into the database whenever a part of it is full.
pub(super) fn run_checkpoints(files: &Files, wal_bytes: u64, committed: &Receiver<()>) {
    let mut connection = None;
    while committed.recv().is_ok() {
        if let Err(error) = move_log(files, &mut connection, wal_bytes) {
            // The writer meets the same, and says it where it is heard.
            tracing::debug!(%error, "the log could not be moved");
            connection = None;
        }
    }
}

fn move_log(
    files: &Files,
    connection: &mut Option<Connection>,
    wal_bytes: u64,
) -> Result<(), StoreError> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(files.connect()?),
    };
    if checkpoint(connection, "NOOP")?.bytes_to_move() >= wal_bytes / PARTS {
        checkpoint(connection, "PASSIVE")?;
    }
    Ok(())
}
