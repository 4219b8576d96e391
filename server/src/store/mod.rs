//! Where documents are durable: the port, apart from its adapters, so that rooms know only what it promises.

mod memory;

pub use memory::MemoryStore;

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use hither_protocol::RoomName;
use hither_protocol::document::Document;
use hither_protocol::message::edits::Edit;

/// What a store answers with, later.
pub type Pending<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;

/// Keeps the documents of rooms. One room is written by one server process at a time.
pub trait Store: fmt::Debug + Send + Sync {
    /// The room's document with every edit that was stored; an empty one if it has none.
    fn load(&self, room: &RoomName) -> Pending<Document>;

    /// Makes an edit durable. Edits of a room take their place in the order of the calls, even when the futures are
    /// awaited in another; the future is ready when this edit and those before it are durable.
    fn append(&self, room: &RoomName, edit: &Edit) -> Pending<()>;
}

/// Why a store did not do it. Never the client's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The operator's: it has no room left.
    #[error("the store is full")]
    Full,
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

    use hither_protocol::message::edits::{Op, OpKind};
    use hither_protocol::{Generation, Slot};

    use super::*;

    pub(crate) fn edit(sequence: u64, record: &str) -> Edit {
        let op = Op { kind: OpKind::Put, record: record.to_owned(), fields: Default::default() };
        Edit {
            sequence,
            time_ms: 1,
            user: "u".to_owned(),
            slot: Slot(0),
            generation: Generation(0),
            number: sequence,
            ops: vec![op],
        }
    }

    pub(crate) async fn run(store: &dyn Store) {
        let room: RoomName = "default:a".parse().unwrap();
        let other: RoomName = "default:b".parse().unwrap();
        assert!(store.load(&room).await.unwrap().is_empty());
        let (first, second) =
            (store.append(&room, &edit(1, "x")), store.append(&room, &edit(2, "y")));
        second.await.unwrap();
        first.await.unwrap();
        let document = store.load(&room).await.unwrap();
        assert_eq!((document.sequence(), document.len()), (2, 2));
        assert!(store.load(&other).await.unwrap().is_empty());
        let gap = store.append(&room, &edit(4, "z")).await;
        assert_eq!(gap, Err(StoreError::OutOfOrder { last: 2, got: 4 }));
        assert_eq!(store.load(&room).await.unwrap().sequence(), 2);
    }
}
