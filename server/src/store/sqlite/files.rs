//! The files of a store and how each of its threads connects to them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::store::StoreError;

/// The database's name within the data directory; SQLite's own files begin with it.
const DATABASE: &str = "documents.db";
const MARK: &str = "documents.mark";
/// How long a connection waits for another that has the file for itself.
const BUSY: Duration = Duration::from_secs(1);
/// Each connection's cache, in KiB: what is used often is in the kernel's, too.
const CACHE_KIB: i64 = 2_048;

/// Where a store's files are.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) folder: PathBuf,
    pub(super) vfs: Option<String>,
}

impl Files {
    pub(super) fn database(&self) -> PathBuf {
        self.folder.join(DATABASE)
    }

    pub(super) fn mark(&self) -> PathBuf {
        self.folder.join(MARK)
    }

    pub(super) fn log(&self) -> PathBuf {
        self.folder.join(format!("{DATABASE}-wal"))
    }

    /// Connects to the database, which is there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn connect(&self) -> Result<Connection, StoreError> {
        let connection = open(&self.database(), self.vfs.as_deref())?;
        // It stays so for good, and is said before anything is looked at.
        let mode = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
        let mode = connection.pragma_update_and_check(None, "journal_mode", "WAL", mode)?;
        if mode != "wal" {
            return Err(StoreError::Unavailable(format!("its journal is of the kind {mode}")));
        }
        // A commit is durable when it returns.
        connection.pragma_update(None, "synchronous", "FULL")?;
        // Another thread does that.
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        // Nothing is in the log before its commit.
        connection.pragma_update(None, "cache_spill", false)?;
        Ok(connection)
    }
}

/// Connects to a database as it is. What it says of itself is not trusted, and its log stays as it is when nobody is
/// connected any more: it may be evidence.
///
/// # Errors
/// [`StoreError`].
pub(super) fn open(path: &Path, vfs: Option<&str>) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = match vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs),
        None => Connection::open_with_flags(path, flags),
    }?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    Ok(connection)
}

/// Moves the write-ahead log into the database, as far as `mode` goes.
///
/// # Errors
/// [`StoreError`].
pub(super) fn checkpoint(connection: &Connection, mode: &str) -> Result<Frames, StoreError> {
    let sql = format!("PRAGMA wal_checkpoint({mode})");
    Ok(connection.query_row(&sql, [], |row| {
        Ok(Frames { is_busy: row.get(0)?, log: row.get(1)?, moved: row.get(2)? })
    })?)
}

/// Begins the write-ahead log anew without waiting for anybody.
///
/// # Errors
/// [`StoreError`].
pub(super) fn restart_log(connection: &Connection) -> Result<Frames, StoreError> {
    connection.busy_timeout(Duration::ZERO)?;
    let frames = checkpoint(connection, "RESTART");
    connection.busy_timeout(BUSY)?;
    frames
}

/// How many frames a log has, and how many of them are in the database, too.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frames {
    /// Whether somebody was in the way.
    pub(super) is_busy: bool,
    pub(super) log: i64,
    pub(super) moved: i64,
}

impl Frames {
    /// Of the log.
    pub(super) fn bytes(self) -> u64 {
        bytes(self.log)
    }

    /// Of what of the log is not in the database.
    pub(super) fn bytes_to_move(self) -> u64 {
        bytes(self.log - self.moved)
    }

    /// Whether nothing could be done since another checkpoint is under way.
    pub(super) fn is_taken(self) -> bool {
        self.is_busy && self.log < 0
    }
}

fn bytes(frames: i64) -> u64 {
    u64::try_from(frames).unwrap_or(0) * PAGE_BYTES
}

/// The size of a page, and of a frame but for its header.
const PAGE_BYTES: u64 = 4_096;
