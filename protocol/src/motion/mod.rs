//! Motion: the one fast state of a member, from sample to frame and back (rules M1 to M12).
//!
//! A datagram is one or more records. Up go samples and acks ([`upward`]), down go frames ([`frame`]), whose entries
//! `coder` writes. Both ends keep each slot's recent points in a [`Track`], so that a delta means the same to both.
//! [`View`] is the receiver.

mod axes;
mod coder;
pub mod frame;
mod track;
pub mod upward;
mod view;

pub use axes::{Axes, Axis, Position};
#[cfg(feature = "statistics")]
pub use coder::Statistics;
pub use coder::{Change, Entry, Known};
pub use track::{Place, Point, Track};
pub use view::{Received, View};

/// How many ticks back a baseline, or the reference before it, may lie from the tick that the viewer was sent last
/// (rule M5). Both ends keep each slot's points that far.
pub const WINDOW: u32 = 32;

/// What a room's frames are made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Format {
    /// Ticks in a second, 1 to 250.
    pub tick_hz: u32,
    /// The axes of its positions.
    pub axes: Axes,
}

/// Why a datagram, or the rest of it, can't be used. The sender's fault, but never a reason to close: motion is
/// unreliable, so the datagram is dropped and counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end within a record.
    #[error("the datagram is cut short")]
    Truncated,
    /// An integer does not fit its type.
    #[error("an integer does not fit its type")]
    Overflow,
    /// A slot, a part, an axis or a count is out of its range.
    #[error("a field is out of its range")]
    Range,
    /// The datagram is longer than any may be.
    #[error("the datagram is too long")]
    TooLong,
    /// A record names a room that its sender is not in, maybe not any more.
    #[error("a room that the sender is not in")]
    Room,
    /// A record of a kind that this version does not know; what came before it stands.
    #[error("a record of an unknown kind")]
    Kind,
}

impl DecodeError {
    /// The name in `vectors/motion_up.json` and `vectors/motion_down.json`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::Overflow => "overflow",
            Self::Range => "range",
            Self::TooLong => "too_long",
            Self::Room => "room",
            Self::Kind => "kind",
        }
    }
}
