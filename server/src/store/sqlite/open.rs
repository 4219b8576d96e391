//! What a store makes sure of before it serves: that the files are ours, whole as far as that can be seen at once, and
//! end where they were said to end. Whatever is in doubt is refused, for the operator to decide.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::files::Files;
use super::mark::Mark;
use super::rows::RoomRow;
use super::schema::{self, Foreign, Meta};
use super::wal::{self, Tail};
use crate::store::StoreError;

/// Rooms that are looked at in one go.
const ROOMS_PAGE: u32 = 1_000;

/// Why documents can't be served from a folder. Nothing in it has changed then. `docs/OPERATING.md` says how to go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The operator's or the machine's: a file can't be read or written.
    #[error("the documents' {} can't be used", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The operator's: the file is another program's.
    #[error("{} holds no documents", .0.display())]
    Application(PathBuf),
    /// The operator's: a later server has written it, or none.
    #[error("{} is of version {found}, and this server knows {known}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The latest that is known here.
        known: i64,
    },
    /// The machine's: the log holds edits that were durable behind a frame that is spoilt.
    #[error(
        "stored edits are lost: {} is spoilt at frame {frame}, and more was written after it. Restore a backup; or cut \
         this file before that frame, and delete documents.mark, to go on with what was before",
        path.display()
    )]
    LostTail {
        /// The write-ahead log.
        path: PathBuf,
        /// The frame, counted from 1.
        frame: u64,
    },
    /// The operator's, or the machine's: the file that a log belongs to is gone, or empty.
    #[error("stored edits are lost: {} is gone, and its log is there. Put it back", .0.display())]
    Gone(PathBuf),
    /// The machine's, or the operator's who put in an older file: edits that were acked are not there.
    #[error(
        "stored edits are lost: {marked} commits were made, and {found} are there. Restore a backup; or delete {} to \
         go on with what is there",
        path.display()
    )]
    Behind {
        /// The file that says so.
        path: PathBuf,
        /// The commits that there were.
        marked: u64,
        /// The commits that there are.
        found: u64,
    },
    /// The machine's: what is kept is not what was written; or it can't be read now.
    #[error("the documents in {} can't be used", path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: StoreError,
    },
}

/// Opens the documents of a folder, or makes them; their mark. Where no mark says that all is there, they are other
/// documents from now on (D1): a client may have seen what is not there any more, or has come after it.
///
/// # Errors
/// [`OpenError`].
pub(super) fn open(files: &Files) -> Result<Mark, OpenError> {
    let Checked { mut connection, is_marked } = check(files)?;
    let path = files.mark();
    if is_marked {
        return Mark::open(&path).map_err(io(&path));
    }
    let failed = |source| OpenError::Store { path: files.database(), source };
    let meta = renew(&mut connection).map_err(failed)?;
    if meta.rooms > 0 {
        let (path, rooms) = (path.display(), meta.rooms);
        tracing::warn!(%path, rooms, "it is not there, or spoilt: clients take the documents for other ones");
    }
    Mark::begin(&path, meta.commits).map_err(io(&path))
}

/// A database that can be used.
pub(super) struct Checked {
    connection: Connection,
    /// Whether its mark is there, and says no more than there is.
    is_marked: bool,
}

/// Looks whether the documents of a folder can be used, and changes nothing but that files are made where none are.
///
/// # Errors
/// [`OpenError`].
pub(super) fn check(files: &Files) -> Result<Checked, OpenError> {
    check_log(files)?;
    let path = files.database();
    let is_new = !path.exists();
    let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    made.map_err(io(&path))?;
    if is_new {
        // The names are durable before what is in the file is.
        let sync = |folder: &Path| File::open(folder).and_then(|folder| folder.sync_all());
        sync(&files.folder).map_err(io(&files.folder))?;
    }
    let failed = |source| OpenError::Store { path: path.clone(), source };
    let mut connection = files.connect().map_err(failed)?;
    schema::prepare(&mut connection).map_err(|foreign| match foreign {
        Foreign::Application => OpenError::Application(path.clone()),
        Foreign::Version(found) => {
            OpenError::Version { path: path.clone(), found, known: schema::VERSION }
        }
        Foreign::Failed(source) => failed(source),
    })?;
    let meta = check_rooms(&connection).map_err(failed)?;
    let path = files.mark();
    match Mark::read(&path).map_err(io(&path))? {
        Some(marked) if marked > meta.commits => {
            Err(OpenError::Behind { path, marked, found: meta.commits })
        }
        marked => Ok(Checked { connection, is_marked: marked.is_some() }),
    }
}

fn io(path: &Path) -> impl FnOnce(io::Error) -> OpenError + use<> {
    let path = path.to_owned();
    move |source| OpenError::Io { path, source }
}

/// Reads the write-ahead log before SQLite does.
///
/// # Errors
/// `Io` and `LostTail`.
fn check_log(files: &Files) -> Result<(), OpenError> {
    let path = files.log();
    let scan = match wal::scan(&path) {
        Ok(scan) => scan,
        Err(source) => return Err(OpenError::Io { path, source }),
    };
    let database = files.database().metadata().map_or(0, |metadata| metadata.len());
    match scan.tail {
        Tail::Lost { frame } => return Err(OpenError::LostTail { path, frame }),
        // SQLite would delete it.
        _ if database == 0 && scan.commits > 0 => {
            return Err(OpenError::Gone(files.database()));
        }
        Tail::Unfinished => {
            let path = path.display();
            tracing::warn!(%path, commits = scan.commits, "the log ends in what was not finished");
        }
        Tail::Whole => {}
    }
    Ok(())
}

/// Looks at every room's own row: one that is not found by its name would begin anew.
pub(super) fn check_rooms(connection: &Connection) -> Result<Meta, StoreError> {
    let agrees = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
    let found = connection.query_row("PRAGMA integrity_check(rooms)", [], agrees)?;
    if found != "ok" {
        return Err(StoreError::Damaged(found));
    }
    let meta = Meta::load(connection)?;
    let mut count = 0;
    for_each_room(connection, |_| {
        count += 1;
        Ok(())
    })?;
    if count != meta.rooms {
        return Err(StoreError::Damaged(format!("{count} rooms where {} should be", meta.rooms)));
    }
    Ok(meta)
}

/// Makes other documents of all, with the same records and edits.
pub(super) fn renew(connection: &mut Connection) -> Result<Meta, StoreError> {
    let transaction = connection.transaction()?;
    for_each_room(&transaction, |mut room| {
        room.document = crate::store::new_id();
        room.save(&transaction)
    })?;
    let mut meta = Meta::load(&transaction)?;
    meta.commits += 1;
    meta.save(&transaction)?;
    transaction.commit()?;
    Ok(meta)
}

fn for_each_room(
    connection: &Connection,
    mut visit: impl FnMut(RoomRow) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut last = 0;
    loop {
        let page = RoomRow::after(connection, last, ROOMS_PAGE)?;
        let Some(room) = page.last() else { return Ok(()) };
        last = room.id;
        page.into_iter().try_for_each(&mut visit)?;
    }
}
