//! A room as it is loaded: everything that is kept of it, checked. What does not add up is damaged, never less.

use std::collections::VecDeque;

use hither_core::room::{RECENT_BYTES_MAX, SavedDocument};
use hither_protocol::RoomName;
use hither_protocol::document::Document;
use hither_protocol::message::edits::{Edit, Snapshot};
use rusqlite::Connection;

use super::digest::Tally;
use super::rows::{LogRow, RoomRow, read_editor, read_record};
use crate::store::{HISTORY_BYTES, StoreError};

/// The room's document with every edit that is committed; a new one if it has none.
///
/// # Errors
/// [`StoreError`].
pub(super) fn load(connection: &Connection, room: &RoomName) -> Result<SavedDocument, StoreError> {
    // One look: nothing is committed between its parts.
    let transaction = connection.unchecked_transaction()?;
    match RoomRow::named(&transaction, room.as_str())? {
        Some(room) => saved(&transaction, &room),
        None => Ok(SavedDocument::new(crate::store::new_id())),
    }
}

/// What is kept of a room.
///
/// # Errors
/// [`StoreError`].
pub(super) fn saved(connection: &Connection, room: &RoomRow) -> Result<SavedDocument, StoreError> {
    let document = at_snapshot(room);
    let mut saved = SavedDocument { document, time_ms: room.time_ms, ..SavedDocument::default() };
    read_records(connection, room, &mut saved)?;
    read_editors(connection, room, &mut saved)?;
    read_log(connection, room, &mut saved)?;
    saved.time_ms = room.time_ms;
    Ok(saved)
}

/// The room's document of its snapshot, without its records.
pub(super) fn at_snapshot(room: &RoomRow) -> Document {
    let mut document = Document::default();
    let (document_id, sequence) = (room.document, room.snapshot);
    let page = Snapshot { document: document_id, sequence, ..Snapshot::default() };
    document.load(page, true);
    document
}

/// The last edits before a place, or the latest, as many as there are up to `limit` and to `HISTORY_BYTES`; one at
/// least, if there is any.
///
/// # Errors
/// [`StoreError`].
pub(super) fn history(
    connection: &Connection,
    room: &RoomName,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<Edit>, StoreError> {
    let transaction = connection.unchecked_transaction()?;
    let Some(room) = RoomRow::named(&transaction, room.as_str())? else { return Ok(Vec::new()) };
    let end = before.map_or(room.sequence, |before| before.saturating_sub(1)).min(room.sequence);
    let start = history_start(&transaction, &room, end, limit)?;
    let mut log = if start == room.trimmed {
        Log::after_trimmed(&room)
    } else {
        let (_, chain) = LogRow::at(&transaction, room.id, start)?;
        Log { room: room.id, sequence: start, chain }
    };
    let mut statement = LogRow::select(&transaction)?;
    let mut rows = statement.query((room.id, start.cast_signed()))?;
    let mut edits = Vec::new();
    while log.sequence < end
        && let Some(row) = rows.next()?
    {
        edits.push(log.take(LogRow::read(row)?)?.edit()?);
    }
    if log.sequence < end {
        return Err(StoreError::Damaged(format!("edit {} is missing", log.sequence + 1)));
    }
    Ok(edits)
}

/// The edit before those that a lookup takes, found by their lengths alone: SQLite reads none of their bytes for that,
/// and most of a hundred edits may be too much to be told.
fn history_start(
    connection: &Connection,
    room: &RoomRow,
    end: u64,
    limit: usize,
) -> Result<u64, StoreError> {
    let sql = "SELECT sequence, length(ops) FROM edits WHERE room = ?1 AND sequence <= ?2 \
               ORDER BY sequence DESC LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query((room.id, end.cast_signed(), limit as i64))?;
    let mut start = end.saturating_sub(1);
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        let (sequence, length): (i64, i64) = (row.get(0)?, row.get(1)?);
        bytes += length;
        if bytes > HISTORY_BYTES as i64 {
            break;
        }
        start = start.min(sequence.cast_unsigned().saturating_sub(1));
    }
    Ok(start.max(room.trimmed))
}

fn read_records(
    connection: &Connection,
    room: &RoomRow,
    saved: &mut SavedDocument,
) -> Result<(), StoreError> {
    let sql = "SELECT room, id, version, fields, hash FROM records WHERE room = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([room.id])?;
    let mut tally = Tally::default();
    while let Some(row) = rows.next()? {
        let (record, hash) = read_record(row)?;
        tally.add(hash);
        saved.document.insert(record);
    }
    check_tally(tally, room.records, "records")
}

fn read_editors(
    connection: &Connection,
    room: &RoomRow,
    saved: &mut SavedDocument,
) -> Result<(), StoreError> {
    let sql = "SELECT room, editor, acks, hash FROM editors WHERE room = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([room.id])?;
    let mut tally = Tally::default();
    while let Some(row) = rows.next()? {
        let (editor, hash) = read_editor(row)?;
        tally.add(hash);
        saved.editors.restore(editor);
    }
    check_tally(tally, room.editors, "editors")
}

fn check_tally(found: Tally, expected: Tally, what: &str) -> Result<(), StoreError> {
    if found == expected {
        return Ok(());
    }
    let counts = (found.count, expected.count);
    Err(StoreError::Damaged(format!("{} {what} where {} should be, or others", counts.0, counts.1)))
}

/// Applies the log to the snapshot; of what is in that already, the latest are still news for those who come back.
fn read_log(
    connection: &Connection,
    room: &RoomRow,
    saved: &mut SavedDocument,
) -> Result<(), StoreError> {
    let mut log = Log::after_trimmed(room);
    let mut known = VecDeque::<LogRow>::new();
    let mut known_bytes = 0;
    let mut statement = LogRow::select(connection)?;
    let mut rows = statement.query((room.id, room.trimmed.cast_signed()))?;
    while let Some(row) = rows.next()? {
        let row = log.take(LogRow::read(row)?)?;
        if row.sequence > room.snapshot {
            for row in known.drain(..) {
                saved.recent.push(row.edit()?);
            }
            saved.apply(row.logged(room.document)?);
            continue;
        }
        known_bytes += row.told_bytes();
        known.push_back(row);
        while known_bytes > RECENT_BYTES_MAX
            && let Some(row) = known.pop_front()
        {
            known_bytes -= row.told_bytes();
        }
    }
    for row in known.drain(..) {
        saved.recent.push(row.edit()?);
    }
    log.ends_with(room)
}

/// How far a log was read, and the chain of its checks up to there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Log {
    room: i64,
    pub(super) sequence: u64,
    pub(super) chain: u64,
}

impl Log {
    /// Before the first row that there is.
    fn after_trimmed(room: &RoomRow) -> Self {
        Self { room: room.id, sequence: room.trimmed, chain: room.trimmed_chain }
    }

    /// Before the first row that is not in the snapshot.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn after_snapshot(
        connection: &Connection,
        room: &RoomRow,
    ) -> Result<Self, StoreError> {
        if room.snapshot == room.trimmed {
            return Ok(Self::after_trimmed(room));
        }
        let (_, chain) = LogRow::at(connection, room.id, room.snapshot)?;
        Ok(Self { room: room.id, sequence: room.snapshot, chain })
    }

    /// Takes the next row, which has to be the next edit as it was written.
    ///
    /// # Errors
    /// `Damaged`.
    pub(super) fn take(&mut self, (row, kept): (LogRow, u64)) -> Result<LogRow, StoreError> {
        self.sequence += 1;
        if row.sequence != self.sequence {
            return Err(StoreError::Damaged(format!("edit {} is missing", self.sequence)));
        }
        self.chain = row.chain(self.room, self.chain);
        if self.chain != kept {
            return Err(StoreError::Damaged(format!("edit {}", self.sequence)));
        }
        Ok(row)
    }

    fn ends_with(self, room: &RoomRow) -> Result<(), StoreError> {
        if (self.sequence, self.chain) == (room.sequence, room.chain) {
            return Ok(());
        }
        let text = format!("the log ends with edit {}, not {}", self.sequence, room.sequence);
        Err(StoreError::Damaged(text))
    }
}
