//! The store that forgets: documents live as long as the process. For tests, and for servers without a data directory.

use std::collections::HashMap;
use std::future::ready;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hither_core::room::{LoggedEdit, SavedDocument};
use hither_protocol::RoomName;
use hither_protocol::message::edits::Edit;

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
    documents: HashMap<RoomName, SavedDocument>,
    bytes: usize,
}

impl MemoryStore {
    /// Takes no more edits once its records have `bytes_max` bytes.
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, rooms: Mutex::default() }
    }

    fn rooms(&self) -> MutexGuard<'_, Rooms> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn is_available(&self) -> bool {
        self.rooms().bytes < self.bytes_max
    }

    fn load(&self, room: &RoomName) -> Pending<SavedDocument> {
        let saved = self.rooms().documents.get(room).cloned();
        Box::pin(ready(Ok(saved.unwrap_or_else(|| SavedDocument::new(super::new_id())))))
    }

    fn history(&self, room: &RoomName, before: Option<u64>, limit: usize) -> Pending<Vec<Edit>> {
        let rooms = self.rooms();
        let recent = rooms.documents.get(room).map(|saved| &saved.recent);
        let edits = recent.map_or(Vec::new(), |recent| recent.before(before, limit));
        Box::pin(ready(Ok(edits)))
    }

    fn append(&self, room: &RoomName, edit: LoggedEdit) -> Pending<()> {
        Box::pin(ready(self.rooms().append(room, edit)))
    }
}

impl Rooms {
    fn append(&mut self, room: &RoomName, logged: LoggedEdit) -> Result<(), StoreError> {
        let Self { documents, bytes } = self;
        let saved = documents.entry(room.clone()).or_insert_with(|| {
            *bytes += DOCUMENT_BYTES;
            SavedDocument::new(logged.document)
        });
        let (last, got) = (saved.document.sequence(), logged.edit.sequence);
        if got != last + 1 {
            return Err(StoreError::OutOfOrder { last, got });
        }
        *bytes -= saved.document.bytes();
        saved.apply(logged);
        *bytes += saved.document.bytes();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hither_protocol::message::edits::OpKind;

    use super::super::contract;
    use super::*;

    #[tokio::test]
    async fn the_contract_holds() {
        contract::run(&MemoryStore::new(1 << 20)).await;
    }

    #[tokio::test]
    async fn a_full_store_says_so_and_goes_on_once_there_is_room() {
        let store = MemoryStore::new(600);
        let room: RoomName = "default:a".parse().unwrap();
        let long = "x".repeat(100);
        store.append(&room, contract::edit(1, &long)).await.unwrap();
        assert!(!store.is_available());
        // What a room had ordered before it knew.
        let mut remove = contract::edit(2, &long);
        Arc::make_mut(&mut remove.edit).ops[0].kind = OpKind::Remove;
        store.append(&room, remove).await.unwrap();
        assert!(store.is_available());
    }
}
