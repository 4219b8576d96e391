//! A copy of all documents while they are served: consistent, read back, and of other documents (D1), so that who has
//! seen what came after the copy never takes it for the same.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use hither_protocol::RoomName;
use rusqlite::Connection;
use serde::Serialize;

use super::files::{self, Files};
use super::open::{self, OpenError, check_rooms, renew};
use super::rows::RoomRow;
use super::{read, schema};
use crate::store::StoreError;

/// Rooms that are read in one go.
const ROOMS_PAGE: u32 = 100;

/// What a copy has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Backup {
    /// Rooms with a document.
    pub rooms: u64,
    /// Records of all of them.
    pub records: u64,
    /// The file's size.
    pub bytes: u64,
}

/// Why there is no copy. What is copied has not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The operator's: there is something, and a copy replaces nothing.
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    /// The operator's: there is nothing to be copied.
    #[error("{} holds no documents", .0.display())]
    Nothing(PathBuf),
    /// The operator's or the machine's: what is to be copied can't be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The operator's or the machine's: the copy can't be written.
    #[error("the copy {} can't be written", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The machine's: the documents or the copy can't be read, or are damaged.
    #[error("{room} can't be copied")]
    Store {
        /// Whose document, or that it is about all of them.
        room: String,
        /// What is wrong.
        source: StoreError,
    },
}

/// Copies the documents of a folder to the file `to`. `is_served`: a server has them open, and has looked at their log;
/// else that is done here.
///
/// # Errors
/// [`BackupError`].
pub fn back_up(folder: &Path, to: &Path, is_served: bool) -> Result<Backup, BackupError> {
    let files = Files { folder: folder.to_owned(), vfs: None };
    if !files.database().exists() {
        return Err(BackupError::Nothing(folder.to_owned()));
    }
    if to.exists() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    if !is_served {
        open::check(&files)?;
    }
    // What has its name is whole.
    let mut part = to.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let failed = |source| BackupError::Io { path: part.clone(), source };
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600).open(&part).map_err(failed)?;
    let copied = copy(&files, &part).map_err(all);
    let forked = copied.and_then(|mut copy| fork(&mut copy));
    let mut backup = forked.inspect_err(|_| drop(fs::remove_file(&part)))?;
    backup.bytes = publish(&part, to).map_err(failed)?;
    Ok(backup)
}

/// Copies all that is committed by now.
fn copy(files: &Files, part: &Path) -> Result<Connection, StoreError> {
    let name = part
        .to_str()
        .ok_or_else(|| StoreError::Unavailable(format!("{} is no name for it", part.display())))?;
    files.connect()?.execute("VACUUM INTO ?1", [name])?;
    files::open(part, None)
}

/// Makes other documents of those in a copy, and reads each to its end.
fn fork(copy: &mut Connection) -> Result<Backup, BackupError> {
    schema::prepare(copy).map_err(|foreign| match foreign {
        schema::Foreign::Failed(source) => all(source),
        other => all(StoreError::Damaged(format!("{other:?}"))),
    })?;
    check_rooms(copy).map_err(all)?;
    renew(copy).map_err(all)?;
    let transaction = copy.transaction().map_err(|error| all(error.into()))?;
    let mut backup = Backup::default();
    let mut last = 0;
    loop {
        let page = RoomRow::after(&transaction, last, ROOMS_PAGE).map_err(all)?;
        let Some(room) = page.last() else { break };
        last = room.id;
        for room in page {
            let name = room.name.clone();
            let failed = |source| BackupError::Store { room: name.clone(), source };
            let is_name = room.name.parse::<RoomName>().is_ok();
            is_name.then_some(()).ok_or_else(|| failed(StoreError::Damaged("its name".into())))?;
            let saved = read::saved(&transaction, &room).map_err(failed)?;
            backup.rooms += 1;
            backup.records += saved.document.len() as u64;
        }
    }
    Ok(backup)
}

fn all(source: StoreError) -> BackupError {
    BackupError::Store { room: "the database".to_owned(), source }
}

/// Gives a copy its name, durably; its size.
fn publish(part: &Path, to: &Path) -> io::Result<u64> {
    let file = File::open(part)?;
    file.sync_all()?;
    fs::rename(part, to)?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(file.metadata()?.len())
}
