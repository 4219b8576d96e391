//! The store that forgets: documents live as long as the process. For tests, and for servers without a data directory.

use std::collections::HashMap;
use std::future::ready;
use std::sync::{Mutex, PoisonError};

use hither_protocol::RoomName;
use hither_protocol::document::Document;
use hither_protocol::message::edits::{Edit, OpKind};

use super::{Pending, Store, StoreError};

/// What a document counts for beside its records.
const DOCUMENT_BYTES: usize = 512;

/// Documents in memory, up to a bound of all their bytes.
#[derive(Debug)]
pub struct MemoryStore {
    bytes_max: usize,
    rooms: Mutex<Rooms>,
}

#[derive(Debug, Default)]
struct Rooms {
    documents: HashMap<RoomName, Document>,
    bytes: usize,
}

impl MemoryStore {
    /// Keeps at most `bytes_max` bytes of records.
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, rooms: Mutex::default() }
    }
}

impl Store for MemoryStore {
    fn load(&self, room: &RoomName) -> Pending<Document> {
        let rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        let document = rooms.documents.get(room).cloned().unwrap_or_default();
        Box::pin(ready(Ok(document)))
    }

    fn append(&self, room: &RoomName, edit: &Edit) -> Pending<()> {
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        Box::pin(ready(rooms.append(room, edit, self.bytes_max)))
    }
}

impl Rooms {
    fn append(&mut self, room: &RoomName, edit: &Edit, bytes_max: usize) -> Result<(), StoreError> {
        let Self { documents, bytes } = self;
        let removes = edit.ops.iter().all(|op| op.kind == OpKind::Remove);
        if *bytes >= bytes_max && !removes {
            return Err(StoreError::Full);
        }
        let document = documents.entry(room.clone()).or_insert_with(|| {
            *bytes += DOCUMENT_BYTES;
            Document::default()
        });
        let last = document.sequence();
        if edit.sequence != last + 1 {
            return Err(StoreError::OutOfOrder { last, got: edit.sequence });
        }
        *bytes -= document.bytes();
        document.apply(edit.sequence, &edit.ops);
        *bytes += document.bytes();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::contract;
    use super::*;

    #[tokio::test]
    async fn the_contract_holds() {
        contract::run(&MemoryStore::new(1 << 20)).await;
    }

    #[tokio::test]
    async fn a_full_store_takes_no_more() {
        let store = MemoryStore::new(1);
        let room: RoomName = "default:a".parse().unwrap();
        store.append(&room, &contract::edit(1, "x")).await.unwrap();
        assert_eq!(store.append(&room, &contract::edit(2, "y")).await, Err(StoreError::Full));
    }
}
