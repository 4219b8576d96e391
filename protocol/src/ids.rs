//! The names and numbers by which both ends speak of rooms, members and ticks.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits::{NAMESPACE_BYTES_MAX, ROOM_NAME_BYTES_MAX};

/// A room's full name, `namespace:name` (rule R1). Parsed once, at the edge; a `RoomName` is always valid.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomName {
    full: String,
    colon: usize,
}

impl RoomName {
    /// The part before the first colon: 1 to 32 of `a-z 0-9 _ -`.
    pub fn namespace(&self) -> &str {
        &self.full[..self.colon]
    }

    /// The part after the first colon: 1 to 128 bytes of UTF-8 without control characters.
    pub fn name(&self) -> &str {
        &self.full[self.colon + 1..]
    }

    /// Both, as they were given.
    pub fn as_str(&self) -> &str {
        &self.full
    }
}

/// Why a string names no room; always the fault of who wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoomNameError {
    /// There is no colon.
    #[error("a room is named `namespace:name`")]
    NoColon,
    /// The namespace is empty, longer than 32 bytes, or not of `a-z 0-9 _ -`.
    #[error("a namespace has 1 to {NAMESPACE_BYTES_MAX} of a-z 0-9 _ -")]
    Namespace,
    /// The name is empty, longer than 128 bytes, or has control characters.
    #[error("a room's name has 1 to {ROOM_NAME_BYTES_MAX} bytes and no control characters")]
    Name,
}

impl FromStr for RoomName {
    type Err = RoomNameError;

    fn from_str(full: &str) -> Result<Self, Self::Err> {
        let (namespace, name) = full.split_once(':').ok_or(RoomNameError::NoColon)?;
        let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
        if namespace.is_empty()
            || namespace.len() > NAMESPACE_BYTES_MAX
            || !namespace.bytes().all(plain)
        {
            return Err(RoomNameError::Namespace);
        }
        if name.is_empty() || name.len() > ROOM_NAME_BYTES_MAX || name.chars().any(char::is_control)
        {
            return Err(RoomNameError::Name);
        }
        Ok(Self { full: full.to_owned(), colon: namespace.len() })
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full)
    }
}

/// A room's number on a node, never reused in the node's life; messages and datagrams name rooms by it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct RoomHandle(pub u32);

impl fmt::Display for RoomHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One life of a room in one server process, below 2^53; ticks and event numbers of different epochs never mix.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The byte that each motion frame carries, so that a frame of another epoch is not applied.
    pub const fn check(self) -> u8 {
        self.0 as u8
    }
}

/// A member's place in its room, 0 to 4,095; after a leave it is given to somebody else, under a new generation.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Slot(pub u16);

impl Slot {
    /// The slot as an index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How many members a slot had before this one; a slot and a generation name a member for the room's whole epoch.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Generation(pub u32);

impl Generation {
    /// The byte that stands in motion for the whole generation (rule M6).
    pub const fn low(self) -> u8 {
        self.0 as u8
    }
}

/// A moment of a room: the number of tick periods since the room's epoch began. Ticks in which nothing happens are
/// skipped, so that a tick number is also a time.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Tick(pub u32);

impl Tick {
    /// How many ticks later `self` is than `earlier`; `None` if it is not later or the same.
    pub const fn since(self, earlier: Self) -> Option<u32> {
        self.0.checked_sub(earlier.0)
    }
}

/// A room's document from its beginning on, below 2^53: the numbers of two documents' edits never mix, even if both
/// were one room's, before and after its data were lost or a backup was put in their place.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct DocumentId(pub u64);

/// By which a server knows a client's numbers of edits again, over all sessions (rule D7): 16 random bytes, that the
/// client makes up and that are told to nobody else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct EditorId(#[serde(with = "serde_bytes")] pub [u8; 16]);

impl fmt::Debug for EditorId {
    /// It is a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EditorId(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r1_room_names_are_checked_at_the_edge() {
        let room: RoomName = "hz20:load-0".parse().unwrap();
        assert_eq!((room.namespace(), room.name()), ("hz20", "load-0"));
        let room: RoomName = "default:Straße: ein Bild".parse().unwrap();
        assert_eq!(room.name(), "Straße: ein Bild");
        let cases = [
            ("lobby", RoomNameError::NoColon),
            (":lobby", RoomNameError::Namespace),
            ("Default:lobby", RoomNameError::Namespace),
            ("default:", RoomNameError::Name),
            ("default:a\nb", RoomNameError::Name),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<RoomName>(), Err(error), "{text:?}");
        }
        let long = format!("default:{}", "x".repeat(ROOM_NAME_BYTES_MAX + 1));
        assert_eq!(long.parse::<RoomName>(), Err(RoomNameError::Name));
    }
}
