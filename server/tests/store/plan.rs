//! What the tests of the store write, and what has to be there then.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hither_core::room::{LoggedEdit, SavedDocument};
use hither_protocol::message::Map;
use hither_protocol::message::edits::{Edit, Op, OpKind};
use hither_protocol::{DocumentId, EditorId, Generation, RoomName, Slot};
use hither_server::store::{OpenError, Retention, SqliteOptions, SqliteStore, Store, StoreError};
use tempfile::TempDir;
use tokio::time::timeout;

/// What should happen soon has not.
const DEADLINE: Duration = Duration::from_secs(20);

/// A folder, in memory where there is such a place: what survives is for the test's own disk to say.
pub(crate) fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.unwrap()
}

/// A store that compacts and checkpoints all the time.
pub(crate) fn options(vfs: Option<&str>) -> SqliteOptions {
    SqliteOptions {
        retention: Retention { edits: 12, ..Retention::default() },
        fold_edits: 4,
        wal_bytes: 160 * 1024,
        drop_deadline: Duration::ZERO,
        vfs: vfs.map(str::to_owned),
        ..SqliteOptions::default()
    }
}

pub(crate) fn open(folder: &Path, vfs: Option<&str>) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(folder, options(vfs), Arc::default())
}

pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.unwrap()
}

/// Opens, and waits until the threads of the store are gone when it is closed.
pub(crate) async fn close(store: SqliteStore) -> Result<(), StoreError> {
    soon(store.close()).await
}

pub(crate) fn room(index: usize) -> RoomName {
    format!("default:room-{index}").parse().unwrap()
}

/// Text that stands for an edit in the files.
pub(crate) fn text(room: usize, sequence: u64) -> String {
    format!("<the text of edit {sequence} of room {room}>")
}

/// Edits of a room by two editors: puts, patches, increments and removals of a few records.
pub(crate) fn edit(room: usize, sequence: u64) -> LoggedEdit {
    // Today, so that nothing is too old to be kept.
    let time_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 86_400;
    let time_ms = time_ms * 86_400_000 + sequence;
    let text = text(room, sequence);
    let record = |sequence: u64| format!("record-{}", sequence % 5);
    let fields = Map::from([("text".into(), text.as_str().into()), ("n".into(), 1.into())]);
    let one = Map::from([("n".into(), 1.into())]);
    let mut ops = vec![Op::new(OpKind::Put, record(sequence), fields.clone())];
    match sequence % 4 {
        0 => ops.push(Op::new(OpKind::Remove, record(sequence + 1), Map::new())),
        1 => ops.push(Op::new(OpKind::Increment, record(sequence), one)),
        2 => ops.push(Op::new(OpKind::Patch, record(sequence), fields)),
        _ => {}
    }
    let edit = Edit {
        sequence,
        time_ms,
        user: "ada".to_owned(),
        slot: Slot(1),
        generation: Generation(2),
        number: sequence,
        ops,
    };
    let editor = EditorId([(sequence % 2) as u8; 16]);
    LoggedEdit { document: DocumentId(1_000 + room as u64), editor, edit: edit.into() }
}

/// The room with so many edits.
pub(crate) fn folded(room: usize, edits: u64) -> SavedDocument {
    let mut saved = SavedDocument::new(DocumentId(1_000 + room as u64));
    (1..=edits).for_each(|sequence| saved.apply(edit(room, sequence)));
    saved
}

/// Checks that a room is what its first edits make of it, as many as it has; how many those are.
pub(crate) async fn check(store: &SqliteStore, index: usize) -> Result<u64, StoreError> {
    let (edits, document) = check_content(store, index).await?;
    if edits > 0 {
        assert_eq!(document, folded(index, 0).document.id(), "room {index}");
    }
    Ok(edits)
}

/// The same of one that may be another document by now; which it is, too.
pub(crate) async fn check_content(
    store: &SqliteStore,
    index: usize,
) -> Result<(u64, DocumentId), StoreError> {
    let found = soon(store.load(&room(index))).await?;
    let edits = found.document.sequence();
    let expected = folded(index, edits);
    if edits > 0 {
        assert!(found.document.records().eq(expected.document.records()), "room {index}");
        assert_eq!(found.editors, expected.editors, "room {index}");
        assert_eq!(found.time_ms, expected.time_ms, "room {index}");
    }
    Ok((edits, found.document.id()))
}
