//! Where documents are durable: the port, apart from its adapters, so that rooms know only what it promises.

mod memory;
mod sqlite;

pub use memory::MemoryStore;
pub use sqlite::{Backup, BackupError, OpenError, Retention, SqliteOptions, SqliteStore, back_up};

use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;

use hither_core::room::{LoggedEdit, SavedDocument};
use hither_protocol::message::edits::Edit;
use hither_protocol::{DocumentId, RoomName};

/// The bytes of edits from which a lookup needs no more of them; one edit may have more.
pub(crate) const HISTORY_BYTES: usize = 32 * 1024;

/// What a store answers with, later.
pub type Pending<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;

/// Keeps the documents of rooms. One room is written by one server process at a time.
pub trait Store: fmt::Debug + Send + Sync {
    /// Whether edits are taken now. While they are not, rooms reject new ones; those that were given before stay with
    /// the store, and their futures with them, until it can go on.
    fn is_available(&self) -> bool;

    /// The room's document with every edit that was given before; a new one if it has none. While the store can't make
    /// edits durable, that is an error at once.
    fn load(&self, room: &RoomName) -> Pending<SavedDocument>;

    /// Makes an edit durable. Edits of a room take their place in the order of the calls, even when the futures are
    /// awaited in another; the future is ready when this edit and those before it are durable. An error is for good:
    /// the room has no truth any more.
    fn append(&self, room: &RoomName, edit: LoggedEdit) -> Pending<()>;

    /// The last edits before a place, or the latest, in their order: `limit` at most, fewer where the store keeps no
    /// more, or where more than these would have over 32 KiB; one, if there is any. It has every edit that was given
    /// before.
    fn history(&self, room: &RoomName, before: Option<u64>, limit: usize) -> Pending<Vec<Edit>>;

    /// Takes nothing more; the future is ready when everything that was given before is durable; an error says
    /// that it was given up, or that the store was closed before.
    fn close(&self) -> Pending<()> {
        Box::pin(ready(Ok(())))
    }
}

/// An id for a document that begins: below 2^53, and not to be met again.
fn new_id() -> DocumentId {
    DocumentId(rand::random::<u64>() >> 11)
}

/// Why a store did not do it. Never the client's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The operator's: it can't be read or written now, or has no room left.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// The machine's: what was kept of this room is not what was written.
    #[error("what is kept of the room is damaged: {0}")]
    Damaged(String),
    /// The server's: the edit does not follow the last that was stored.
    #[error("edit {got} does not follow edit {last}")]
    OutOfOrder {
        /// The place of the last edit.
        last: u64,
        /// The place of this one.
        got: u64,
    },
}

#[cfg(test)]
pub(crate) mod contract {
    //! What every store promises, as one suite that each adapter runs.

    use std::collections::BTreeMap;

    use hither_protocol::message::edits::{Edit, Op, OpKind};
    use hither_protocol::{EditorId, Generation, Slot};

    use super::*;

    /// When the edits were made: not so long ago, for a long time to come, that a store forgets them.
    pub(crate) const TIME_MS: u64 = 1 << 42;

    pub(crate) fn edit(sequence: u64, record: &str) -> LoggedEdit {
        let edit = Edit {
            sequence,
            time_ms: TIME_MS,
            user: "u".to_owned(),
            slot: Slot(0),
            generation: Generation(0),
            number: sequence,
            ops: vec![Op::new(OpKind::Put, record, Default::default())],
        };
        LoggedEdit { document: DocumentId(7), editor: EditorId([1; 16]), edit: edit.into() }
    }

    pub(crate) async fn run(store: &dyn Store) {
        let room: RoomName = "default:a".parse().unwrap();
        let other: RoomName = "default:b".parse().unwrap();
        assert!(store.is_available());
        assert!(store.load(&room).await.unwrap().document.is_empty());
        let (first, second) =
            (store.append(&room, edit(1, "x")), store.append(&room, edit(2, "y")));
        // A load has what was given before, durable or not.
        let loaded = store.load(&room).await.unwrap();
        assert_eq!((loaded.document.sequence(), loaded.document.len()), (2, 2));
        second.await.unwrap();
        first.await.unwrap();
        let saved = store.load(&room).await.unwrap();
        assert_eq!(saved, loaded);
        assert_eq!(saved.editors.save(TIME_MS).count(), 1);
        assert_eq!(saved.time_ms, TIME_MS);
        let unborn = store.load(&other).await.unwrap().document;
        assert_eq!(saved.document.id(), DocumentId(7));
        assert!(unborn.is_empty() && unborn.id() != saved.document.id());
        rooms_are_apart(store).await;
        let history = async |before, limit| {
            let edits = store.history(&room, before, limit).await.unwrap();
            edits.into_iter().map(|edit| edit.sequence).collect::<Vec<_>>()
        };
        assert_eq!(history(None, 10).await, [1, 2]);
        assert_eq!(history(None, 1).await, [2]);
        assert_eq!(history(Some(2), 10).await, [1]);
        assert_eq!(history(Some(1), 10).await, [0; 0]);
        assert_eq!(history(Some(u64::MAX), 1).await, [2]);
        assert!(store.history(&other, None, 10).await.unwrap().is_empty());
        let gap = store.append(&room, edit(4, "z")).await;
        assert_eq!(gap, Err(StoreError::OutOfOrder { last: 2, got: 4 }));
        assert_eq!(store.load(&room).await.unwrap(), saved);
    }

    /// Edits of many rooms at once, each in the order of its own.
    async fn rooms_are_apart(store: &dyn Store) {
        let rooms: Vec<RoomName> =
            (0..20).map(|index| format!("default:room-{index}").parse().unwrap()).collect();
        let mut expected = BTreeMap::new();
        let mut appends = Vec::new();
        for turn in 0..30 {
            // Not every room has one in every turn.
            for room in rooms.iter().skip(turn % 3) {
                let new = || SavedDocument::new(DocumentId(7));
                let saved = expected.entry(room).or_insert_with(new);
                let next = edit(saved.document.sequence() + 1, &format!("r{}", turn % 7));
                saved.apply(next.clone());
                appends.push(store.append(room, next));
            }
        }
        for append in appends.into_iter().rev() {
            append.await.unwrap();
        }
        for (room, saved) in expected {
            assert_eq!(store.load(room).await.unwrap(), saved, "{room}");
        }
    }
}
