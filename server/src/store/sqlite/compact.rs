//! Folding the log into the snapshot, and forgetting what is old of it: in small transactions of their own, by the same
//! fold that rooms and clients do.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hither_core::room::Editors;
use hither_protocol::EditorId;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::options::Retention;
use super::read::{Log, at_snapshot};
use super::rows::{LogRow, RoomRow, editor_hash, encode, read_editor, read_record, record_hash};
use super::schema::Meta;
use crate::store::StoreError;

/// A step takes at most so many edits,
pub(super) const STEP_EDITS: u64 = 200;
/// and no more once they have so many bytes.
const STEP_BYTES: usize = 1024 * 1024;

/// When rooms are compacted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// See `SqliteOptions`.
    pub(super) fold_edits: u64,
    pub(super) retention: Retention,
}

/// What there is to do for a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Fold,
    Trim,
    Nothing,
}

impl Plan {
    /// Whether a room's log is long.
    pub(super) fn is_long(&self, room: &RoomRow) -> bool {
        self.has_much_to_fold(room) || self.has_much_to_trim(room)
    }

    /// Whether it is so long that it does not wait until nothing else does.
    pub(super) fn is_too_long(&self, room: &RoomRow) -> bool {
        let kept = room.sequence - room.trimmed;
        room.sequence - room.snapshot >= 4 * self.fold_edits
            || room.snapshot > room.trimmed && kept >= self.retention.edits + 4 * self.fold_edits
    }

    fn has_much_to_fold(&self, room: &RoomRow) -> bool {
        room.sequence - room.snapshot >= self.fold_edits
    }

    /// Some more than are kept, so that not every edit costs the commit that deletes another.
    fn has_much_to_trim(&self, room: &RoomRow) -> bool {
        let folded = room.snapshot - room.trimmed;
        folded > 0 && room.sequence - room.trimmed >= self.retention.edits + self.fold_edits
    }

    /// What is to be done, given when the first edit of the log was made.
    fn due(&self, room: &RoomRow, first_ms: Option<u64>, now_ms: u64) -> Due {
        let age_ms = u64::try_from(self.retention.age.as_millis()).unwrap_or(u64::MAX);
        let is_old = first_ms.is_some_and(|first| first.saturating_add(age_ms) <= now_ms);
        if self.has_much_to_fold(room) || is_old && room.snapshot == room.trimmed {
            Due::Fold
        } else if is_old || self.has_much_to_trim(room) {
            Due::Trim
        } else {
            Due::Nothing
        }
    }
}

/// Takes one step for a room. Returns all commits up to its own, and the room as it is then; `None` if there was
/// nothing to do.
///
/// # Errors
/// [`StoreError`]; nothing has changed then, or a failed commit was made nevertheless.
pub(super) fn step(
    connection: &mut Connection,
    room: i64,
    plan: &Plan,
    now_ms: u64,
) -> Result<Option<(u64, RoomRow)>, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let Some(mut room) = RoomRow::numbered(&transaction, room)? else { return Ok(None) };
    let first_ms = first_ms(&transaction, &room)?;
    match plan.due(&room, first_ms, now_ms) {
        Due::Nothing => return Ok(None),
        Due::Fold => fold(&transaction, &mut room, now_ms)?,
        Due::Trim => trim(&transaction, &mut room, plan.retention, now_ms)?,
    }
    room.save(&transaction)?;
    let mut meta = Meta::load(&transaction)?;
    meta.commits += 1;
    meta.save(&transaction)?;
    transaction.commit()?;
    Ok(Some((meta.commits, room)))
}

fn first_ms(connection: &Connection, room: &RoomRow) -> Result<Option<u64>, StoreError> {
    if room.sequence == room.trimmed {
        return Ok(None);
    }
    Ok(Some(LogRow::at(connection, room.id, room.trimmed + 1)?.0.time_ms))
}

/// Advances the snapshot by some edits.
fn fold(transaction: &Transaction<'_>, room: &mut RoomRow, now_ms: u64) -> Result<(), StoreError> {
    let edits = next_edits(transaction, room)?;
    let ops = edits.iter().flat_map(|logged| &logged.edit.ops);
    let records: BTreeSet<String> = ops.map(|op| op.record.clone()).collect();

    let mut document = at_snapshot(room);
    let mut hashes = BTreeMap::new();
    for id in &records {
        if let Some((record, hash)) = record(transaction, room.id, id)? {
            hashes.insert(id, hash);
            document.insert(record);
        }
    }
    let (mut editors, editor_hashes) = editors(transaction, room.id)?;
    for logged in &edits {
        document.apply(logged.edit.sequence, &logged.edit.ops);
        editors.apply(logged.editor, &logged.edit);
    }

    for id in &records {
        let old = hashes.get(id).copied();
        let new = document.version(id).zip(document.get(id));
        let new = new.map(|(version, fields)| Ok::<_, StoreError>((version, encode(fields)?)));
        save_record(transaction, room, id, old, new.transpose()?)?;
    }
    save_editors(transaction, room, &editors, editor_hashes, now_ms)?;
    room.snapshot = document.sequence();
    Ok(())
}

/// The edits of one step, in their order.
fn next_edits(
    transaction: &Transaction<'_>,
    room: &RoomRow,
) -> Result<Vec<hither_core::room::LoggedEdit>, StoreError> {
    let mut log = Log::after_snapshot(transaction, room)?;
    let (mut edits, mut bytes) = (Vec::new(), 0);
    let mut statement = LogRow::select(transaction)?;
    let mut rows = statement.query((room.id, room.snapshot.cast_signed()))?;
    while edits.len() < STEP_EDITS as usize
        && bytes < STEP_BYTES
        && let Some(row) = rows.next()?
    {
        let row = log.take(LogRow::read(row)?)?;
        bytes += row.bytes();
        edits.push(row.logged(room.document)?);
    }
    Ok(edits)
}

fn record(
    transaction: &Transaction<'_>,
    room: i64,
    id: &str,
) -> Result<Option<(hither_protocol::message::edits::Record, u64)>, StoreError> {
    let sql = "SELECT room, id, version, fields, hash FROM records WHERE room = ?1 AND id = ?2";
    let mut statement = transaction.prepare_cached(sql)?;
    let mut rows = statement.query(params![room, id])?;
    rows.next()?.map(read_record).transpose()
}

fn save_record(
    transaction: &Transaction<'_>,
    room: &mut RoomRow,
    id: &str,
    old: Option<u64>,
    new: Option<(u64, Vec<u8>)>,
) -> Result<(), StoreError> {
    old.into_iter().for_each(|hash| room.records.remove(hash));
    let Some((version, fields)) = new else {
        let sql = "DELETE FROM records WHERE room = ?1 AND id = ?2";
        transaction.prepare_cached(sql)?.execute(params![room.id, id])?;
        return Ok(());
    };
    let hash = record_hash(room.id, id, version, &fields);
    room.records.add(hash);
    let sql = "INSERT OR REPLACE INTO records (room, id, version, fields, hash) VALUES (?1, ?2, ?3, ?4, ?5)";
    let row = params![room.id, id, version.cast_signed(), fields, hash.cast_signed()];
    transaction.prepare_cached(sql)?.execute(row)?;
    Ok(())
}

type Hashes = BTreeMap<EditorId, u64>;

fn editors(transaction: &Transaction<'_>, room: i64) -> Result<(Editors, Hashes), StoreError> {
    let sql = "SELECT room, editor, acks, hash FROM editors WHERE room = ?1";
    let mut statement = transaction.prepare_cached(sql)?;
    let mut rows = statement.query([room])?;
    let (mut editors, mut hashes) = (Editors::default(), BTreeMap::new());
    while let Some(row) = rows.next()? {
        let (editor, hash) = read_editor(row)?;
        hashes.insert(editor.id, hash);
        editors.restore(editor);
    }
    Ok((editors, hashes))
}

/// Writes the editors that have changed; those that are long silent go.
fn save_editors(
    transaction: &Transaction<'_>,
    room: &mut RoomRow,
    editors: &Editors,
    mut old: Hashes,
    now_ms: u64,
) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO editors (room, editor, acks, hash) VALUES (?1, ?2, ?3, ?4)";
    let mut insert = transaction.prepare_cached(sql)?;
    for editor in editors.save(now_ms) {
        let acks = encode(&editor.acks)?;
        let hash = editor_hash(room.id, editor.id, &acks);
        let before = old.remove(&editor.id);
        if before != Some(hash) {
            before.into_iter().for_each(|hash| room.editors.remove(hash));
            room.editors.add(hash);
            insert.execute(params![room.id, editor.id.0, acks, hash.cast_signed()])?;
        }
    }
    let sql = "DELETE FROM editors WHERE room = ?1 AND editor = ?2";
    let mut delete = transaction.prepare_cached(sql)?;
    for (id, hash) in old {
        room.editors.remove(hash);
        delete.execute(params![room.id, id.0])?;
    }
    Ok(())
}

/// Deletes some of the edits that are in the snapshot, and too many or too old.
fn trim(
    transaction: &Transaction<'_>,
    room: &mut RoomRow,
    retention: Retention,
    now_ms: u64,
) -> Result<(), StoreError> {
    let step = room.snapshot.min(room.trimmed + STEP_EDITS);
    let by_count = room.sequence.saturating_sub(retention.edits).min(step);
    let too_old = now_ms.saturating_sub(millis(retention.age));
    let sql =
        "SELECT max(sequence) FROM edits WHERE room = ?1 AND sequence <= ?2 AND time_ms <= ?3";
    let of = params![room.id, step.cast_signed(), too_old.cast_signed()];
    let by_age = transaction.prepare_cached(sql)?.query_row(of, |row| row.get::<_, Option<i64>>(0));
    let by_age = by_age.optional()?.flatten().map_or(0, i64::cast_unsigned);
    let last = by_count.max(by_age);
    let (_, chain) = LogRow::at(transaction, room.id, last)?;
    let sql = "DELETE FROM edits WHERE room = ?1 AND sequence <= ?2";
    transaction.prepare_cached(sql)?.execute(params![room.id, last.cast_signed()])?;
    (room.trimmed, room.trimmed_chain) = (last, chain);
    Ok(())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
