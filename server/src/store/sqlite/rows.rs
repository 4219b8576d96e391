//! The rows of a room as they are kept, each with its check; apart from who reads and writes them, so that a table's
//! columns are named in one place.

use std::sync::Arc;

use hither_core::room::{LoggedEdit, SavedEditor};
use hither_protocol::message::edits::{Edit, Record};
use hither_protocol::{DocumentId, EditorId, Generation, Slot};
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::digest::{Digest, Tally};
use crate::store::StoreError;

/// What a row of the log counts for beside its user and its operations.
const LOG_ROW_BYTES: usize = 128;

/// A room: where its document and its log end.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RoomRow {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) document: DocumentId,
    /// The last edit, the chain of checks up to it, and its time.
    pub(super) sequence: u64,
    pub(super) chain: u64,
    pub(super) time_ms: u64,
    /// The last edit that is in the records and editors.
    pub(super) snapshot: u64,
    /// The last edit that is no longer in the log, and the chain up to it.
    pub(super) trimmed: u64,
    pub(super) trimmed_chain: u64,
    pub(super) records: Tally,
    pub(super) editors: Tally,
}

/// An edit.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LogRow {
    pub(super) sequence: u64,
    pub(super) time_ms: u64,
    user: String,
    slot: Slot,
    generation: Generation,
    editor: EditorId,
    number: u64,
    ops: Vec<u8>,
}

impl RoomRow {
    const COLUMNS: &str = "id, name, document, sequence, chain, time_ms, snapshot, trimmed, trimmed_chain, \
         records, records_sum, editors, editors_sum, hash";

    /// One without edits, which gets its id when it is inserted.
    fn new(name: &str, document: DocumentId) -> Self {
        let (records, editors) = (Tally::default(), Tally::default());
        let (sequence, chain, time_ms, snapshot, trimmed, trimmed_chain) = (0, 0, 0, 0, 0, 0);
        let (id, name) = (0, name.to_owned());
        Self {
            id,
            name,
            document,
            sequence,
            chain,
            time_ms,
            snapshot,
            trimmed,
            trimmed_chain,
            records,
            editors,
        }
    }

    pub(super) fn named(connection: &Connection, name: &str) -> Result<Option<Self>, StoreError> {
        let sql = format!("SELECT {} FROM rooms WHERE name = ?1", Self::COLUMNS);
        let row = connection.prepare_cached(&sql)?.query_row([name], Self::read).optional()?;
        row.map(Self::checked).transpose()
    }

    pub(super) fn numbered(connection: &Connection, id: i64) -> Result<Option<Self>, StoreError> {
        let sql = format!("SELECT {} FROM rooms WHERE id = ?1", Self::COLUMNS);
        let row = connection.prepare_cached(&sql)?.query_row([id], Self::read).optional()?;
        row.map(Self::checked).transpose()
    }

    /// So many rooms in the order of their ids, those after one.
    pub(super) fn after(
        connection: &Connection,
        id: i64,
        count: u32,
    ) -> Result<Vec<Self>, StoreError> {
        let columns = Self::COLUMNS;
        let sql = format!("SELECT {columns} FROM rooms WHERE id > ?1 ORDER BY id LIMIT ?2");
        let mut statement = connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params![id, count], Self::read)?;
        rows.map(|row| Self::checked(row?)).collect()
    }

    /// The ids of so many rooms after one, in their order, and whether each has edits in its log. They are not checked:
    /// whoever finds one damaged goes on with the next.
    pub(super) fn ids_after(
        connection: &Connection,
        id: i64,
        count: u32,
    ) -> Result<Vec<(i64, bool)>, StoreError> {
        let sql = "SELECT id, sequence > trimmed FROM rooms WHERE id > ?1 ORDER BY id LIMIT ?2";
        let mut statement = connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![id, count], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Begins a room.
    pub(super) fn insert(
        connection: &Connection,
        name: &str,
        document: DocumentId,
    ) -> Result<Self, StoreError> {
        let mut row = Self::new(name, document);
        connection.prepare_cached("INSERT INTO rooms (name) VALUES (?1)")?.execute([name])?;
        row.id = connection.last_insert_rowid();
        Ok(row)
    }

    pub(super) fn save(&self, connection: &Connection) -> Result<(), StoreError> {
        let sql = "UPDATE rooms SET document = ?2, sequence = ?3, chain = ?4, time_ms = ?5, snapshot = ?6, \
             trimmed = ?7, trimmed_chain = ?8, records = ?9, records_sum = ?10, editors = ?11, editors_sum = ?12, \
             hash = ?13 WHERE id = ?1";
        connection.prepare_cached(sql)?.execute(params![
            self.id,
            self.document.0.cast_signed(),
            self.sequence.cast_signed(),
            self.chain.cast_signed(),
            self.time_ms.cast_signed(),
            self.snapshot.cast_signed(),
            self.trimmed.cast_signed(),
            self.trimmed_chain.cast_signed(),
            self.records.count.cast_signed(),
            self.records.sum.cast_signed(),
            self.editors.count.cast_signed(),
            self.editors.sum.cast_signed(),
            self.hash().cast_signed(),
        ])?;
        Ok(())
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<(Self, u64)> {
        let number = |index| row.get(index).map(i64::cast_unsigned);
        let tally = |index| -> rusqlite::Result<Tally> {
            Ok(Tally { count: number(index)?, sum: number(index + 1)? })
        };
        let room = Self {
            id: row.get(0)?,
            name: row.get(1)?,
            document: DocumentId(number(2)?),
            sequence: number(3)?,
            chain: number(4)?,
            time_ms: number(5)?,
            snapshot: number(6)?,
            trimmed: number(7)?,
            trimmed_chain: number(8)?,
            records: tally(9)?,
            editors: tally(11)?,
        };
        Ok((room, number(13)?))
    }

    fn checked((row, hash): (Self, u64)) -> Result<Self, StoreError> {
        if row.hash() == hash {
            return Ok(row);
        }
        Err(StoreError::Damaged(format!("the row of room {}, {:?}", row.id, row.name)))
    }

    fn hash(&self) -> u64 {
        let digest = Digest::default().number(self.id.cast_unsigned()).bytes(self.name.as_bytes());
        let digest = digest.number(self.document.0).number(self.sequence).number(self.chain);
        let digest = digest.number(self.time_ms).number(self.snapshot).number(self.trimmed);
        let digest = digest.number(self.trimmed_chain).tally(self.records).tally(self.editors);
        digest.finish(0)
    }
}

impl LogRow {
    const COLUMNS: &str = "sequence, time_ms, user, slot, generation, editor, number, ops, chain";

    pub(super) fn new(logged: &LoggedEdit) -> Result<Self, StoreError> {
        let LoggedEdit { editor, edit, document: _ } = logged;
        let &Edit { sequence, time_ms, slot, generation, number, .. } = &**edit;
        let (editor, user, ops) = (*editor, edit.user.clone(), encode(&edit.ops)?);
        Ok(Self { sequence, time_ms, user, slot, generation, editor, number, ops })
    }

    /// The edit that it was made of.
    pub(super) fn edit(&self) -> Result<Edit, StoreError> {
        let &Self { sequence, time_ms, slot, generation, number, .. } = self;
        let (user, ops) = (self.user.clone(), decode(&self.ops)?);
        Ok(Edit { sequence, time_ms, user, slot, generation, number, ops })
    }

    /// The same, with whose number it has.
    pub(super) fn logged(&self, document: DocumentId) -> Result<LoggedEdit, StoreError> {
        Ok(LoggedEdit { document, editor: self.editor, edit: Arc::new(self.edit()?) })
    }

    /// What it counts for while it waits.
    pub(super) fn bytes(&self) -> usize {
        LOG_ROW_BYTES + self.told_bytes()
    }

    /// Not more than what it has as it is told.
    pub(super) fn told_bytes(&self) -> usize {
        self.user.len() + self.ops.len()
    }

    /// The chain of checks up to it, given that up to the one before.
    pub(super) fn chain(&self, room: i64, before: u64) -> u64 {
        let digest = Digest::default().number(room.cast_unsigned()).number(self.sequence);
        let digest = digest.number(self.time_ms).bytes(self.user.as_bytes());
        let digest = digest.number(self.slot.0.into()).number(self.generation.0.into());
        let digest = digest.bytes(&self.editor.0).number(self.number).bytes(&self.ops);
        digest.finish(before)
    }

    pub(super) fn insert(
        &self,
        connection: &Connection,
        room: i64,
        chain: u64,
    ) -> Result<(), StoreError> {
        let columns = Self::COLUMNS;
        let sql = format!(
            "INSERT INTO edits (room, {columns}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
        );
        connection.prepare_cached(&sql)?.execute(params![
            room,
            self.sequence.cast_signed(),
            self.time_ms.cast_signed(),
            self.user,
            self.slot.0,
            self.generation.0,
            self.editor.0,
            self.number.cast_signed(),
            self.ops,
            chain.cast_signed(),
        ])?;
        Ok(())
    }

    /// Reads the log of a room after an edit, in its order; each row with the chain that is kept beside it.
    pub(super) fn select(connection: &Connection) -> Result<CachedStatement<'_>, StoreError> {
        let columns = Self::COLUMNS;
        let sql = format!(
            "SELECT {columns} FROM edits WHERE room = ?1 AND sequence > ?2 ORDER BY sequence"
        );
        Ok(connection.prepare_cached(&sql)?)
    }

    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<(Self, u64)> {
        let number = |index| row.get(index).map(i64::cast_unsigned);
        let log = Self {
            sequence: number(0)?,
            time_ms: number(1)?,
            user: row.get(2)?,
            slot: Slot(row.get(3)?),
            generation: Generation(row.get(4)?),
            editor: EditorId(row.get(5)?),
            number: number(6)?,
            ops: row.get(7)?,
        };
        Ok((log, number(8)?))
    }

    /// The edit of a place, and the chain up to it.
    pub(super) fn at(
        connection: &Connection,
        room: i64,
        sequence: u64,
    ) -> Result<(Self, u64), StoreError> {
        let sql = format!("SELECT {} FROM edits WHERE room = ?1 AND sequence = ?2", Self::COLUMNS);
        let place = params![room, sequence.cast_signed()];
        let row = connection.prepare_cached(&sql)?.query_row(place, Self::read).optional()?;
        row.ok_or_else(|| StoreError::Damaged(format!("edit {sequence} is missing")))
    }
}

/// The check of a record as it is kept.
pub(super) fn record_hash(room: i64, id: &str, version: u64, fields: &[u8]) -> u64 {
    let digest = Digest::default().number(room.cast_unsigned()).bytes(id.as_bytes());
    digest.number(version).bytes(fields).finish(0)
}

/// The check of an editor as it is kept.
pub(super) fn editor_hash(room: i64, id: EditorId, acks: &[u8]) -> u64 {
    Digest::default().number(room.cast_unsigned()).bytes(&id.0).bytes(acks).finish(0)
}

/// A record and its check; columns `room, id, version, fields, hash`. Its own room, since SQLite gives rows of others
/// that are in between.
pub(super) fn read_record(row: &Row<'_>) -> Result<(Record, u64), StoreError> {
    let (room, id, version): (i64, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let (fields, hash) = (row.get_ref(3)?.as_blob().map_err(damaged)?, row.get::<_, i64>(4)?);
    let version = version.cast_unsigned();
    let found = record_hash(room, &id, version, fields);
    if found != hash.cast_unsigned() {
        return Err(StoreError::Damaged(format!("record {id:?}")));
    }
    Ok((Record { fields: decode(fields)?, id, version }, found))
}

/// An editor and its check; columns `room, editor, acks, hash`.
pub(super) fn read_editor(row: &Row<'_>) -> Result<(SavedEditor, u64), StoreError> {
    let (room, id) = (row.get(0)?, EditorId(row.get(1)?));
    let (acks, hash) = (row.get_ref(2)?.as_blob().map_err(damaged)?, row.get::<_, i64>(3)?);
    let found = editor_hash(room, id, acks);
    if found != hash.cast_unsigned() {
        return Err(StoreError::Damaged("an editor".to_owned()));
    }
    Ok((SavedEditor { id, acks: decode(acks)? }, found))
}

/// MessagePack, with the names of fields.
pub(super) fn encode(value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    rmp_serde::to_vec_named(value).map_err(damaged)
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    rmp_serde::from_slice(bytes).map_err(damaged)
}

fn damaged(error: impl std::fmt::Display) -> StoreError {
    StoreError::Damaged(error.to_string())
}
