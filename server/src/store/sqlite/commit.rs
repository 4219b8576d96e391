//! One commit of edits of many rooms, and what becomes of each; apart from the writer, which says when, and again if it
//! fails.

use std::collections::HashMap;

use hither_protocol::{DocumentId, RoomName};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use super::rows::{LogRow, RoomRow};
use super::schema::Meta;
use crate::store::StoreError;

/// An edit that waits to be stored.
#[derive(Debug)]
pub(super) struct Append {
    pub(super) room: RoomName,
    pub(super) document: DocumentId,
    pub(super) row: LogRow,
    pub(super) done: oneshot::Sender<Result<(), StoreError>>,
}

/// What a commit has done.
pub(super) struct Committed {
    /// All commits up to it.
    pub(super) commits: u64,
    /// What became of each edit, in their order.
    pub(super) fates: Vec<Result<(), StoreError>>,
    /// The rooms that have changed, as they are.
    pub(super) rooms: Vec<RoomRow>,
}

/// Stores edits, durably when it returns. One that does not follow the last of its room, or whose room is damaged, is
/// not stored, and the others are. `is_again`: a commit of the same edits may have been made, whatever was heard of it.
///
/// # Errors
/// `Unavailable` or `Damaged` if nothing can be stored now; whether it was then is not known.
pub(super) fn commit(
    connection: &mut Connection,
    appends: &[Append],
    is_again: bool,
) -> Result<Committed, StoreError> {
    let mut damaged = HashMap::new();
    loop {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut batch = Batch::new(&transaction, is_again)?;
        let mut fates = Vec::with_capacity(appends.len());
        let mut newly_damaged = None;
        for append in appends {
            if let Some(error) = damaged.get(&append.room) {
                fates.push(Err(StoreError::clone(error)));
                continue;
            }
            match batch.take(append) {
                Err(error @ StoreError::Unavailable(_)) => return Err(error),
                Err(error @ StoreError::Damaged(_)) => {
                    newly_damaged = Some((append.room.clone(), error));
                    break;
                }
                fate => fates.push(fate),
            }
        }
        let Some((room, error)) = newly_damaged else {
            let (commits, rooms) = batch.finish()?;
            transaction.commit()?;
            return Ok(Committed { commits, fates, rooms });
        };
        // Half of what the room has done may be in the transaction: all others do it once more.
        damaged.insert(room, error);
    }
}

/// A transaction and the rooms in it.
struct Batch<'a> {
    transaction: &'a Transaction<'a>,
    is_again: bool,
    meta: Meta,
    rooms: HashMap<RoomName, RoomRow>,
}

impl<'a> Batch<'a> {
    fn new(transaction: &'a Transaction<'a>, is_again: bool) -> Result<Self, StoreError> {
        let meta = Meta::load(transaction)?;
        Ok(Self { transaction, is_again, meta, rooms: HashMap::new() })
    }

    fn take(&mut self, append: &Append) -> Result<(), StoreError> {
        let Append { room: name, document, row, done: _ } = append;
        let (transaction, last_name) = (self.transaction, name.as_str());
        if !self.rooms.contains_key(name) {
            let found = RoomRow::named(transaction, last_name)?;
            let room = match found {
                Some(room) => room,
                None if row.sequence == 1 => {
                    self.meta.rooms += 1;
                    RoomRow::insert(transaction, last_name, *document)?
                }
                None => return Err(StoreError::OutOfOrder { last: 0, got: row.sequence }),
            };
            self.rooms.insert(name.clone(), room);
        }
        let Some(room) = self.rooms.get_mut(name) else { return Ok(()) };
        let (last, got) = (room.sequence, row.sequence);
        if room.document != *document {
            return Err(StoreError::Damaged("it has another document by now".to_owned()));
        }
        if self.is_again && got <= last && got > room.trimmed {
            let is_there = LogRow::at(transaction, room.id, got)?.0 == *row;
            return if is_there { Ok(()) } else { Err(StoreError::OutOfOrder { last, got }) };
        }
        if got != last + 1 {
            return Err(StoreError::OutOfOrder { last, got });
        }
        let chain = row.chain(room.id, room.chain);
        row.insert(transaction, room.id, chain)?;
        (room.sequence, room.chain, room.time_ms) = (got, chain, row.time_ms);
        Ok(())
    }

    fn finish(mut self) -> Result<(u64, Vec<RoomRow>), StoreError> {
        for room in self.rooms.values() {
            room.save(self.transaction)?;
        }
        self.meta.commits += 1;
        self.meta.save(self.transaction)?;
        Ok((self.meta.commits, self.rooms.into_values().collect()))
    }
}
