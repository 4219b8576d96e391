//! The rows of events, each with a check, since SQLite passes over a flipped bit; apart from who reads and writes them,
//! so that the table's columns are named in one place.

use hither_protocol::message::Value;
use hither_protocol::message::control::{EventId, KeptEvent, User};
use hither_protocol::{Epoch, RoomName};
use rusqlite::{Connection, OptionalExtension, Row, params};
use twox_hash::XxHash3_64;

use crate::event_log::{Page, Retention};

/// The most rows that are deleted in one go: as many as one commit adds to a room.
pub(super) const STEP_ROWS: i64 = super::writer::BATCH_EVENTS as i64;

/// An event as its row has it.
struct EventRow {
    place: i64,
    id: EventId,
    time_ms: u64,
    user: User,
    name: String,
    data: Vec<u8>,
}

/// Adds an event behind the others of its room.
pub(super) fn insert(
    connection: &Connection,
    room: &RoomName,
    event: KeptEvent,
) -> rusqlite::Result<()> {
    let room = room.as_str();
    let place = last_place(connection, room)?.unwrap_or(0) + 1;
    let KeptEvent { id, user, name, data, time_ms } = event;
    let data = rmp_serde::to_vec(&data)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let row = EventRow { place, id, time_ms, user, name, data };
    let sql = "INSERT INTO events (room, place, epoch, number, time_ms, user, user_name, name, data, hash) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    connection.prepare_cached(sql)?.execute(params![
        room,
        place,
        row.id.epoch.0.cast_signed(),
        row.id.number.cast_signed(),
        row.time_ms.cast_signed(),
        row.user.id,
        row.user.name,
        row.name,
        row.data,
        row.check(room).cast_signed(),
    ])?;
    Ok(())
}

/// The last events of a room before one, or the latest, and how many rows were left out since they are not what was
/// written.
pub(super) fn page(
    connection: &Connection,
    room: &RoomName,
    before: Option<EventId>,
    limit: usize,
    retention: Retention,
) -> rusqlite::Result<(Vec<KeptEvent>, u64)> {
    let room = room.as_str();
    let end = match before {
        Some(before) => place_of(connection, room, before)?,
        None => i64::MAX,
    };
    let sql = "SELECT place, epoch, number, time_ms, user, user_name, name, data, hash FROM events \
         WHERE room = ?1 AND place < ?2 AND time_ms >= ?3 ORDER BY place DESC";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![room, end, retention.since_ms().cast_signed()])?;
    let (mut page, mut damaged) = (Page::new(limit), 0);
    while let Some(row) = rows.next()? {
        match EventRow::read(row, room).map(|event| page.add(event)) {
            Some(true) => {}
            Some(false) => break,
            None => damaged += 1,
        }
    }
    Ok((page.finish(), damaged))
}

/// Deletes what a room has too much or too old, a step of it; whether there may be more.
pub(super) fn prune(
    connection: &Connection,
    room: &str,
    retention: Retention,
) -> rusqlite::Result<bool> {
    let Some(last) = last_place(connection, room)? else { return Ok(false) };
    let place = |row: &Row<'_>| row.get::<_, i64>(0);
    let sql = "SELECT place FROM events WHERE room = ?1 ORDER BY place LIMIT 1";
    let first = connection.prepare_cached(sql)?.query_row([room], place)?;
    let step = (first + STEP_ROWS).min(last + 1);
    let sql = "SELECT place FROM events WHERE room = ?1 AND place < ?2 AND time_ms >= ?3 \
         ORDER BY place LIMIT 1";
    let since_ms = retention.since_ms().cast_signed();
    let young = connection.prepare_cached(sql)?.query_row(params![room, step, since_ms], place);
    let events = i64::try_from(retention.events).unwrap_or(i64::MAX);
    let end = young.optional()?.unwrap_or(step).max((last + 1).saturating_sub(events)).min(step);
    let sql = "DELETE FROM events WHERE room = ?1 AND place < ?2";
    connection.prepare_cached(sql)?.execute(params![room, end])?;
    Ok(end == step && step <= last)
}

/// The next room that has events, in the order of their names.
pub(super) fn room_after(connection: &Connection, room: &str) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT room FROM events WHERE room > ?1 ORDER BY room LIMIT 1";
    connection.prepare_cached(sql)?.query_row([room], |row| row.get(0)).optional()
}

fn last_place(connection: &Connection, room: &str) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT max(place) FROM events WHERE room = ?1";
    connection.prepare_cached(sql)?.query_row([room], |row| row.get(0))
}

/// The place behind all that is before an event.
fn place_of(connection: &Connection, room: &str, id: EventId) -> rusqlite::Result<i64> {
    let (epoch, number) = (id.epoch.0.cast_signed(), id.number.cast_signed());
    let place = |row: &Row<'_>| row.get::<_, i64>(0);
    let sql = "SELECT place FROM events WHERE room = ?1 AND epoch = ?2 AND number >= ?3 \
         ORDER BY number LIMIT 1";
    let mut behind = connection.prepare_cached(sql)?;
    if let Some(place) = behind.query_row(params![room, epoch, number], place).optional()? {
        return Ok(place);
    }
    let sql = "SELECT place + 1 FROM events WHERE room = ?1 AND epoch = ?2 \
         ORDER BY number DESC LIMIT 1";
    let last = connection.prepare_cached(sql)?.query_row(params![room, epoch], place).optional()?;
    Ok(last.unwrap_or(0))
}

impl EventRow {
    /// The event of a row; `None` if it is not what was written.
    fn read(row: &Row<'_>, room: &str) -> Option<KeptEvent> {
        let (row, hash) = Self::columns(row).ok()?;
        let Self { id, time_ms, user, name, data, .. } =
            Some(row).filter(|row| row.check(room) == hash)?;
        let data: Value = rmp_serde::from_slice(&data).ok()?;
        Some(KeptEvent { id, user, name, data, time_ms })
    }

    fn columns(row: &Row<'_>) -> rusqlite::Result<(Self, u64)> {
        let number = |index| row.get(index).map(i64::cast_unsigned);
        let event = Self {
            place: row.get(0)?,
            id: EventId { epoch: Epoch(number(1)?), number: number(2)? },
            time_ms: number(3)?,
            user: User { id: row.get(4)?, name: row.get(5)? },
            name: row.get(6)?,
            data: row.get(7)?,
        };
        Ok((event, number(8)?))
    }

    /// The check of all columns and of where the row is: bytes that say the same for the same columns only.
    fn check(&self, room: &str) -> u64 {
        let Self { place, id, time_ms, user, name, data } = self;
        let numbers = [place.cast_unsigned(), id.epoch.0, id.number, *time_ms];
        let has_name = u64::from(user.name.is_some());
        let user_name = user.name.as_deref().unwrap_or_default();
        let texts =
            [room.as_bytes(), user.id.as_bytes(), user_name.as_bytes(), name.as_bytes(), data];
        let lengths = texts.map(|text| text.len() as u64);
        let numbers = numbers.into_iter().chain([has_name]).chain(lengths);
        let mut bytes: Vec<u8> = numbers.flat_map(u64::to_le_bytes).collect();
        texts.iter().for_each(|text| bytes.extend_from_slice(text));
        XxHash3_64::oneshot(&bytes)
    }
}
