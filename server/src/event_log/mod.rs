//! Where events are kept for who comes later (V6): the port, apart from its adapters, so that rooms know only what it
//! promises. That is less than a store promises of edits: nobody waits for an event to be kept, and what can't be kept
//! is dropped and counted.

mod memory;
mod sqlite;

pub use memory::MemoryEventLog;
pub use sqlite::{OpenError, SqliteEventLog, SqliteEventLogOptions, exists};

use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hither_protocol::RoomName;
use hither_protocol::message::control::{EventId, KeptEvent};
use hither_protocol::message::encoded_len;

/// The most bytes of events in one answer; one event may have more.
const PAGE_BYTES: usize = 32 * 1024;

/// What a log finds, later.
pub type Found = Pin<Box<dyn Future<Output = Result<Vec<KeptEvent>, EventLogError>> + Send>>;

/// Keeps the events of rooms, as long as their namespaces say.
pub trait EventLog: fmt::Debug + Send + Sync {
    /// Keeps an event, after those that were given before, without waiting for anything. One that can't be kept is
    /// dropped and counted.
    fn keep(&self, room: &RoomName, event: KeptEvent);

    /// The last events of a room before one, or the latest, in the order in which they were given: `limit` at most, as
    /// many as one answer has room for, and one at least if there is one. Every event that was given before the call
    /// is seen, unless it was dropped.
    ///
    /// `before` need not be there: where others of its epoch are, their numbers say where it would be, and where none
    /// is, nothing is before it.
    fn latest(&self, room: &RoomName, before: Option<EventId>, limit: usize) -> Found;

    /// Takes nothing more; ready when what was given before is written, or was given up.
    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(ready(()))
    }
}

/// How long a namespace keeps the events of each of its rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The latest so many.
    pub events: u64,
    /// Of those, what is not older.
    pub age: Duration,
}

/// The namespaces that say how long their events are kept. Those of others are left as they are.
pub type Retentions = BTreeMap<String, Retention>;

/// Why a log did not look. Never the client's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventLogError {
    /// The operator's or the machine's: it can't be read now, or not in time.
    #[error("the kept events can't be read: {0}")]
    Unavailable(String),
}

impl Retention {
    /// The earliest time of an event that is kept now.
    fn since_ms(self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(now.saturating_sub(self.age).as_millis()).unwrap_or(u64::MAX)
    }
}

/// One answer, filled from its newest event on.
struct Page {
    events: Vec<KeptEvent>,
    bytes: usize,
    limit: usize,
}

impl Page {
    fn new(limit: usize) -> Self {
        Self { events: Vec::new(), bytes: 0, limit }
    }

    /// Takes the event before those that it has; false if it has no room for it.
    fn add(&mut self, event: KeptEvent) -> bool {
        self.bytes += encoded_len(&event);
        let has_room = self.events.is_empty() || self.bytes <= PAGE_BYTES;
        let is_taken = has_room && self.events.len() < self.limit;
        if is_taken {
            self.events.push(event);
        }
        is_taken
    }

    /// The oldest first.
    fn finish(mut self) -> Vec<KeptEvent> {
        self.events.reverse();
        self.events
    }
}

#[cfg(test)]
mod contract;
