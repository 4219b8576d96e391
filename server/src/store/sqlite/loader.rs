//! The threads that only read and tidy: the loader, so that a load of many megabytes never holds up a commit, and the
//! one that moves the write-ahead log into the database, which syncs that.

use std::sync::mpsc::Receiver;

use hither_core::room::SavedDocument;
use hither_protocol::RoomName;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::files::{Files, checkpoint};
use super::read;
use crate::store::StoreError;

/// The log is moved in parts of its bound.
const PARTS: u64 = 4;

/// A room that somebody waits for.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) room: RoomName,
    pub(super) done: oneshot::Sender<Result<SavedDocument, StoreError>>,
}

/// Loads rooms until nobody is there any more to ask.
pub(super) fn run_loads(files: &Files, loads: &Receiver<Load>) {
    let mut connection = None;
    while let Ok(Load { room, done }) = loads.recv() {
        if done.is_closed() {
            continue;
        }
        let loaded = load(files, &mut connection, &room);
        if let Err(error) = &loaded {
            tracing::error!(%room, %error, "a room could not be loaded");
        }
        // Whoever has asked may be gone.
        let _ = done.send(loaded);
    }
}

fn load(
    files: &Files,
    connection: &mut Option<Connection>,
    room: &RoomName,
) -> Result<SavedDocument, StoreError> {
    let open = match connection.take() {
        Some(open) => open,
        None => files.connect()?,
    };
    let loaded = read::load(&open, room)?;
    *connection = Some(open);
    Ok(loaded)
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
