//! The database: where it is, how it is connected to, and its tables by numbered steps.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::unavailable;
use crate::event_log::EventLogError;

/// The database's name within the data directory; SQLite's own files begin with it.
const DATABASE: &str = "events.db";
/// "Hevt": says whose database it is.
const APPLICATION_ID: i64 = 0x4865_7674;
/// How long a connection waits for another that has the file for itself.
const BUSY: Duration = Duration::from_secs(1);

/// What makes each version of the one before. A step that was released is never changed.
///
/// A room's events have places that rise by one; its name stands in each row, so that a room without events leaves
/// nothing behind.
const STEPS: [&str; 1] = ["
    CREATE TABLE events (
        room TEXT NOT NULL,
        place INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        number INTEGER NOT NULL,
        time_ms INTEGER NOT NULL,
        user TEXT NOT NULL,
        user_name TEXT,
        name TEXT NOT NULL,
        data BLOB NOT NULL,
        hash INTEGER NOT NULL,
        PRIMARY KEY (room, place)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX events_by_id ON events (room, epoch, number);
"];

/// Why events can't be kept in a folder. Nothing in it has changed then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The operator's or the machine's: the file can't be made.
    #[error("the kept events' {} can't be used", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The operator's: the file is another program's.
    #[error("{} holds no kept events", .0.display())]
    Application(PathBuf),
    /// The operator's: a later server has written it.
    #[error("{} is of version {found}, and this server knows {known}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The latest that is known here.
        known: i64,
    },
    /// The operator's or the machine's: it can't be read or written now, or is damaged.
    #[error("the kept events in {} can't be used", path.display())]
    Log {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: EventLogError,
    },
}

/// Whether a folder has events that were kept.
pub fn exists(folder: &Path) -> bool {
    folder.join(DATABASE).exists()
}

/// Where the events are.
pub(super) struct Database {
    pub(super) path: PathBuf,
    vfs: Option<String>,
}

impl Database {
    pub(super) fn of(folder: &Path, vfs: Option<String>) -> Self {
        Self { path: folder.join(DATABASE), vfs }
    }

    /// Connects to the database, and makes it and its tables if they are not there.
    ///
    /// # Errors
    /// [`OpenError`].
    pub(super) fn open(&self) -> Result<Connection, OpenError> {
        let path = &self.path;
        let made =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
        made.map_err(|source| OpenError::Io { path: path.clone(), source })?;
        let failed = |error: rusqlite::Error| {
            let source = unavailable(error);
            OpenError::Log { path: path.clone(), source }
        };
        let mut connection = self.connect().map_err(failed)?;
        let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let application = pragma("application_id").map_err(failed)?;
        let version = pragma("user_version").map_err(failed)?;
        if application != APPLICATION_ID && !(application == 0 && is_empty(&connection)) {
            return Err(OpenError::Application(path.clone()));
        }
        let known = STEPS.len() as i64;
        let steps = usize::try_from(version).ok().and_then(|done| STEPS.get(done..));
        let steps = steps.ok_or_else(|| OpenError::Version {
            path: path.clone(),
            found: version,
            known,
        })?;
        migrate(&mut connection, steps).map_err(failed)?;
        Ok(connection)
    }

    /// Connects to the database, which is there. What it says of itself is not trusted.
    ///
    /// # Errors
    /// SQLite's.
    pub(super) fn connect(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = match &self.vfs {
            Some(vfs) => Connection::open_with_flags_and_vfs(&self.path, flags, vfs.as_str()),
            None => Connection::open_with_flags(&self.path, flags),
        }?;
        connection.busy_timeout(BUSY)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // The log is synced before it is moved into the database and not with each commit: a power cut takes the last
        // commits, and breaks nothing.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        Ok(connection)
    }
}

fn is_empty(connection: &Connection) -> bool {
    let count = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], count) == Ok(0)
}

/// Takes the steps, all or none.
fn migrate(connection: &mut Connection, steps: &[&str]) -> rusqlite::Result<()> {
    if steps.is_empty() {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    for step in steps {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", STEPS.len() as i64)?;
    transaction.commit()
}
