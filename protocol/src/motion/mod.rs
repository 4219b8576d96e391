//! Motion: the one fast state of a member, from sample to frame and back (rules M1 to M12).
//!
//! A datagram is one or more records. Up go samples and acks ([`upward`]), down go frames ([`frame`]), whose entries
//! `coder` writes. Both ends keep each slot's recent points in a [`Track`], so that a delta means the same to both.
//! [`View`] is the receiver.

mod coder;
pub mod frame;
mod track;
pub mod upward;
mod view;

pub use coder::{Coding, Entry};
pub use track::{Point, Track};
pub use view::{Received, View};

use crate::limits::{AXES_MAX, AXIS_LIMIT, MEMBERS_MAX};

/// How many ticks back a baseline may lie from the tick that the viewer was sent last (rule M5). Both ends keep each
/// slot's points that far.
pub const WINDOW: u32 = 32;

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

/// How many axes a namespace's positions have: 1 to 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axes(u8);

impl Axes {
    /// Two axes, x and y.
    pub const TWO: Self = Self(2);

    /// `None` outside 1 to 4.
    pub const fn new(count: u8) -> Option<Self> {
        if count >= 1 && count as usize <= AXES_MAX { Some(Self(count)) } else { None }
    }

    /// The number of axes.
    pub const fn count(self) -> usize {
        self.0 as usize
    }

    /// How many slots a part spans (rule M4): so many that a part of absolute entries fits one datagram.
    pub const fn slots_per_part(self) -> usize {
        if self.0 <= 2 { 64 } else { 32 }
    }

    /// How many parts a room of 4,096 members has.
    pub const fn parts_max(self) -> usize {
        MEMBERS_MAX / self.slots_per_part()
    }
}

/// Where a member is, in steps of the namespace's axes; axes that the namespace does not have are 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Position([i32; AXES_MAX]);

impl Position {
    /// A position on two axes; values are cut to their range (rule M2).
    pub fn xy(x: i32, y: i32) -> Self {
        Self::new([x, y, 0, 0])
    }

    /// A position on up to four axes; values are cut to `-2^30` to `2^30 - 1`.
    pub fn new(axes: [i32; AXES_MAX]) -> Self {
        Self(axes.map(|value| value.clamp(-AXIS_LIMIT, AXIS_LIMIT - 1)))
    }

    /// The same place on the axes that there are: the others become 0.
    pub fn on(self, axes: Axes) -> Self {
        Self(std::array::from_fn(|axis| if axis < axes.count() { self.0[axis] } else { 0 }))
    }

    /// All four values.
    pub const fn axes(&self) -> [i32; AXES_MAX] {
        self.0
    }

    /// The first axis.
    pub const fn x(&self) -> i32 {
        self.0[0]
    }

    /// The second axis.
    pub const fn y(&self) -> i32 {
        self.0[1]
    }

    /// The differences to `base`; they fit since each axis spans less than 2^31.
    fn minus(&self, base: &Self) -> [i32; AXES_MAX] {
        std::array::from_fn(|axis| self.0[axis] - base.0[axis])
    }

    /// The position `differences` away, if it is in range.
    fn plus(&self, differences: &[i32; AXES_MAX]) -> Result<Self, DecodeError> {
        let mut axes = [0; AXES_MAX];
        for ((out, base), difference) in axes.iter_mut().zip(self.0).zip(differences) {
            *out = base.checked_add(*difference).ok_or(DecodeError::Range)?;
        }
        Self::checked(axes)
    }

    fn checked(axes: [i32; AXES_MAX]) -> Result<Self, DecodeError> {
        let inside = axes.iter().all(|value| (-AXIS_LIMIT..AXIS_LIMIT).contains(value));
        if inside { Ok(Self(axes)) } else { Err(DecodeError::Range) }
    }
}
