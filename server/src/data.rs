//! The data directory: the key that outlives the process, and the last save of its sessions and members (S5). Those can
//! be lost without harm: then clients join anew. The documents are there, too, and are the store's.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hither_core::SavedSession;
use hither_core::room::SavedRoom;
use hither_protocol::limits::RESUME_MS;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use twox_hash::XxHash3_64;

use crate::rooms::Rooms;
use crate::sessions::Sessions;
use hither_transport::Clock;

/// The key: 32 bytes that sign resume tokens, and 32 for the transport's resets.
const KEY_FILE: &str = "resume.key";
const KEY_BYTES: usize = 64;
/// Locked by the server that has the directory.
const LOCK_FILE: &str = "lock";
/// The last save.
const SAVE_FILE: &str = "sessions.save";
/// Of a save's check.
const CHECK_BYTES: usize = 8;
/// The form of a save; another one is not read.
const VERSION: u32 = 1;
/// The least time between two saves. What began in it before a kill is unknown after.
const SAVE_EVERY: Duration = Duration::from_millis(250);
/// The most.
const SAVE_ANYWAY: Duration = Duration::from_secs(60);
/// Saving takes at most one part in so many of the time.
const SAVE_SHARE: u32 = 20;

/// The data directory of a server, locked against others.
#[derive(Clone, Debug)]
pub(crate) struct DataDir(PathBuf, #[expect(dead_code, reason = "it holds the lock")] Arc<File>);

/// What is kept of a process.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Saved {
    version: u32,
    /// When it was saved, in milliseconds since the Unix epoch.
    pub(crate) saved_ms: u64,
    /// All sessions that could be resumed.
    pub(crate) sessions: Vec<SavedSession>,
    /// All rooms with members, by name.
    pub(crate) rooms: Vec<(String, SavedRoom)>,
}

/// The two secrets of a server.
pub(crate) struct Secrets {
    /// Signs resume tokens.
    pub(crate) resume: [u8; 32],
    /// Makes the transport's resets, by which clients know at once that the process before is gone.
    pub(crate) reset: [u8; 32],
}

/// Why a data directory can't be used; the operator's to mend.
#[derive(Debug, thiserror::Error)]
#[error("the data directory's {} can't be used", path.display())]
pub struct DataError {
    path: PathBuf,
    source: io::Error,
}

impl DataDir {
    /// Opens the directory, or makes it, for the owner alone.
    ///
    /// # Errors
    /// [`DataError`]; also where another server has it.
    pub(crate) fn open(path: &Path) -> Result<Self, DataError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        let failed = |source| DataError { path: path.to_owned(), source };
        made.map_err(failed)?;
        let lock = owners_only().create(true).open(path.join(LOCK_FILE)).map_err(failed)?;
        lock.try_lock().map_err(|error| failed(error.into()))?;
        Ok(Self(path.to_owned(), Arc::new(lock)))
    }

    /// Whether a server has the directory.
    pub(crate) fn is_served(path: &Path) -> bool {
        let lock = File::open(path.join(LOCK_FILE)).and_then(|lock| Ok(lock.try_lock_shared()?));
        lock.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The secrets of this directory, made the first time.
    ///
    /// # Errors
    /// [`DataError`].
    fn secrets(&self) -> Result<Secrets, DataError> {
        let path = self.0.join(KEY_FILE);
        let key = read_or_make_key(&path).map_err(|source| DataError { path, source })?;
        Ok(Secrets::from_bytes(&key))
    }

    /// The last save. Where there is none, or one that can't be read or is older than sessions last, nothing is
    /// believed of what was before `now_ms`.
    pub(crate) fn load(&self, now_ms: u64) -> Saved {
        let path = self.0.join(SAVE_FILE);
        let read = fs::read(&path).and_then(|bytes| {
            let saved: Saved = rmp_serde::from_slice(checked(&bytes)?).map_err(io::Error::other)?;
            let is_known = saved.version == VERSION;
            is_known.then_some(saved).ok_or_else(|| io::Error::other("of another version"))
        });
        match read {
            Ok(saved) if now_ms.saturating_sub(saved.saved_ms) <= RESUME_MS => return saved,
            Ok(_) => tracing::info!("the sessions of long ago are not taken up"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "no session is taken up");
            }
        }
        Saved { saved_ms: now_ms, ..Saved::default() }
    }

    /// Replaces the last save; a process that is killed meanwhile leaves the one before. It is not synced: newcomers
    /// bring saves, and edits' acks would wait for the disk behind them. A machine that crashes may leave a part of
    /// it, which its check tells.
    ///
    /// # Errors
    /// The machine's: the disk is full, or gone.
    fn save(&self, saved: &Saved) -> io::Result<()> {
        let mut bytes = rmp_serde::to_vec(saved).map_err(io::Error::other)?;
        bytes.extend(check(&bytes));
        let new = self.0.join(format!("{SAVE_FILE}.new"));
        let mut file = owners_only().create(true).truncate(true).open(&new)?;
        file.write_all(&bytes)?;
        fs::rename(new, self.0.join(SAVE_FILE))
    }
}

impl Secrets {
    /// Those of the directory; without one, secrets that no other process knows: nothing outlives this one.
    ///
    /// # Errors
    /// [`DataError`].
    pub(crate) fn of(dir: Option<&DataDir>) -> Result<Self, DataError> {
        let random = || Ok(Self { resume: rand::random(), reset: rand::random() });
        dir.map_or_else(random, DataDir::secrets)
    }

    fn from_bytes(bytes: &[u8; KEY_BYTES]) -> Self {
        let (mut resume, mut reset) = ([0; 32], [0; 32]);
        resume.copy_from_slice(&bytes[..32]);
        reset.copy_from_slice(&bytes[32..]);
        Self { resume, reset }
    }
}

/// Saves the sessions and members of a running server.
#[derive(Debug)]
pub(crate) struct Saver {
    pub(crate) dir: DataDir,
    pub(crate) clock: Clock,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) rooms: Arc<Rooms>,
    /// Tells when there is something to save.
    pub(crate) changed: Arc<Notify>,
    /// Held by the one save that is under way.
    pub(crate) turn: tokio::sync::Mutex<()>,
}

impl Saver {
    /// Saves now. A failure is logged: the server goes on without.
    pub(crate) async fn save(&self) {
        let _turn = self.turn.lock().await;
        // First the time: what begins while the rest is gathered is newer.
        let saved_ms = self.clock.now().as_millis();
        let (sessions, rooms) = (self.sessions.save(), self.rooms.save());
        let saved = Saved { version: VERSION, saved_ms, sessions, rooms };
        let dir = self.dir.clone();
        match tokio::task::spawn_blocking(move || dir.save(&saved)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "sessions and members could not be saved"),
            Err(error) => tracing::error!(%error, "saving sessions and members failed"),
        }
    }

    /// Saves whenever something has changed, and now and then so that the save is never older than the process, until
    /// it is aborted.
    pub(crate) async fn run_saves(self: Arc<Self>) {
        loop {
            // Either will do.
            let _ = tokio::time::timeout(SAVE_ANYWAY, self.changed.notified()).await;
            let began = self.clock.now();
            self.save().await;
            let took = self.clock.now().since(began);
            tokio::time::sleep(SAVE_EVERY.max(took * SAVE_SHARE)).await;
        }
    }
}

/// Stands behind a save.
fn check(save: &[u8]) -> [u8; CHECK_BYTES] {
    XxHash3_64::oneshot(save).to_le_bytes()
}

fn checked(bytes: &[u8]) -> io::Result<&[u8]> {
    let save = bytes.split_last_chunk().filter(|(save, stored)| check(save) == **stored);
    save.map(|(save, _)| save).ok_or_else(|| io::Error::other("not as it was saved"))
}

fn read_or_make_key(path: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let mut key = [0; KEY_BYTES];
    match File::open(path) {
        Ok(mut file) => return file.read_exact(&mut key).map(|()| key),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    key = std::array::from_fn(|_| rand::random());
    // Whole, or not at all, whenever the process ends.
    let new = path.with_extension("new");
    let mut file = owners_only().create(true).truncate(true).open(&new)?;
    file.write_all(&key)?;
    file.sync_all()?;
    fs::rename(new, path)?;
    Ok(key)
}

fn owners_only() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

#[cfg(test)]
mod tests {
    use hither_core::SessionId;
    use hither_core::room::SavedMember;
    use hither_protocol::message::Map;
    use hither_protocol::message::control::User;
    use hither_protocol::{Generation, Slot};

    use super::*;

    fn saved() -> Saved {
        let id = SessionId(u128::MAX - 1);
        let member = SavedMember {
            slot: Slot(3),
            generation: Generation(7),
            session: id,
            user: User { id: "ada".into(), name: Some("Ada".into()) },
            presence: Map::from([("at".into(), 1.5.into())]),
        };
        let room = SavedRoom { members: vec![member], generations: vec![0, 1, 2, 7] };
        let sessions = vec![SavedSession { id, newest: 4, before: Some(2) }];
        let rooms = vec![("default:a".to_owned(), room)];
        Saved { version: VERSION, saved_ms: 5, sessions, rooms }
    }

    #[test]
    fn s5_what_was_saved_last_is_loaded() {
        let parent = tempfile::tempdir().unwrap();
        let dir = DataDir::open(&parent.path().join("data")).unwrap();
        let nothing = |saved_ms| Saved { saved_ms, ..Saved::default() };
        assert_eq!(dir.load(9), nothing(9));
        dir.save(&Saved { version: VERSION, ..Saved::default() }).unwrap();
        dir.save(&saved()).unwrap();
        assert_eq!(dir.load(9), saved());
        assert_eq!(dir.load(5 + RESUME_MS), saved());
        assert_eq!(dir.load(6 + RESUME_MS), nothing(6 + RESUME_MS));
        assert!(DataDir::open(&parent.path().join("data")).is_err(), "it has a server");
        drop(dir);
        DataDir::open(&parent.path().join("data")).unwrap();
    }

    #[test]
    fn a_save_that_can_t_be_read_is_none() {
        let parent = tempfile::tempdir().unwrap();
        let dir = DataDir::open(parent.path()).unwrap();
        dir.save(&Saved { version: VERSION + 1, ..saved() }).unwrap();
        assert_eq!(dir.load(9), Saved { saved_ms: 9, ..Saved::default() });
        let path = parent.path().join(SAVE_FILE);
        dir.save(&saved()).unwrap();
        let whole = fs::read(&path).unwrap();
        let cut = |at: usize| whole[..at].to_vec();
        let zeroed = |at: usize| [cut(at), vec![0; whole.len() - at]].concat();
        for bytes in (0..whole.len()).flat_map(|at| [cut(at), zeroed(at)]) {
            fs::write(&path, &bytes).unwrap();
            assert_eq!(dir.load(9), Saved { saved_ms: 9, ..Saved::default() }, "{bytes:x?}");
        }
    }

    #[test]
    fn the_key_is_made_once_and_for_the_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let parent = tempfile::tempdir().unwrap();
        let dir = DataDir::open(&parent.path().join("data")).unwrap();
        let first = dir.secrets().unwrap();
        let again = dir.secrets().unwrap();
        assert_eq!((first.resume, first.reset), (again.resume, again.reset));
        assert_ne!(first.resume, first.reset);
        let path = parent.path().join("data").join(KEY_FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, [0; KEY_BYTES - 1]).unwrap();
        assert!(dir.secrets().is_err());
    }
}
