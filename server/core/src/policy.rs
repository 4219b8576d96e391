//! The knobs of rooms and sessions as the config resolved them. Their docs, defaults and costs are the config's.

use std::time::Duration;

use hither_protocol::document::Caps;
use hither_protocol::limits;
use hither_protocol::message::control::MotionFormat;
use hither_protocol::motion::Format;

use crate::validator::Validator;

/// The largest document of a room, in bytes, unless its namespace has less.
pub const DOCUMENT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The most records of a document, unless its namespace has fewer.
pub const RECORDS_MAX: usize = 65_536;

/// What a namespace decides for its rooms.
#[derive(Clone, Debug, PartialEq)]
pub struct RoomPolicy {
    /// How often it ticks, 1 to 250 times a second, and the axes of motion.
    pub motion: MotionFormat,
    /// Most members of a room.
    pub members_max: usize,
    /// How long after its last packet a lost member stays.
    pub grace: Duration,
    /// Largest presence, encoded, in bytes.
    pub presence_bytes_max: usize,
    /// Largest data of an event, encoded, in bytes.
    pub event_bytes_max: usize,
    /// Whether its rooms' events to all are kept for who comes later (V6).
    pub keeps_events: bool,
    /// Largest record, encoded, in bytes.
    pub record_bytes_max: usize,
    /// Largest document, all its records together, in bytes.
    pub document_bytes_max: usize,
    /// Most records of a document.
    pub records_max: usize,
    /// Most levels of arrays and maps in a field of a record.
    pub depth_max: usize,
    /// The program's own rule for edits.
    pub validator: Option<Validator>,
    /// What one session may send.
    pub rates: Rates,
}

/// What one session may send in a second to one room; twice that at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Motion samples; beyond, the newest is kept until there is room for it.
    pub motion: u32,
    /// Presence patches.
    pub presence: u32,
    /// Events.
    pub events: u32,
    /// Edits.
    pub edits: u32,
}

/// What a server decides for its sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionPolicy {
    /// How long a connection may take to say hello.
    pub hello_deadline: Duration,
    /// Most rooms that a session may be in.
    pub rooms_max: usize,
}

impl RoomPolicy {
    /// The time of one tick.
    pub fn tick_period(&self) -> Duration {
        Duration::from_secs(1) / self.format().tick_hz
    }

    /// The most that its document may have.
    pub(crate) fn caps(&self) -> Caps {
        Caps {
            record_bytes: self.record_bytes_max,
            document_bytes: self.document_bytes_max,
            records: self.records_max,
        }
    }

    /// What its frames are made of.
    pub fn format(&self) -> Format {
        self.motion.format()
    }
}

impl Default for RoomPolicy {
    fn default() -> Self {
        Self {
            motion: MotionFormat::default(),
            members_max: limits::MEMBERS_MAX,
            grace: Duration::from_secs(5),
            presence_bytes_max: limits::PRESENCE_BYTES_MAX,
            event_bytes_max: limits::EVENT_BYTES_MAX,
            keeps_events: false,
            record_bytes_max: limits::RECORD_BYTES_MAX,
            document_bytes_max: DOCUMENT_BYTES_MAX,
            records_max: RECORDS_MAX,
            depth_max: limits::DEPTH_MAX,
            validator: None,
            rates: Rates::default(),
        }
    }
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            motion: limits::MOTION_PER_SECOND,
            presence: limits::PRESENCE_PER_SECOND,
            events: limits::EVENTS_PER_SECOND,
            edits: limits::EDITS_PER_SECOND,
        }
    }
}

impl Default for SessionPolicy {
    fn default() -> Self {
        Self {
            hello_deadline: Duration::from_millis(limits::HELLO_DEADLINE_MS),
            rooms_max: limits::ROOMS_PER_SESSION_MAX,
        }
    }
}
