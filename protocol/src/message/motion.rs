//! What messages say of motion: how a room's positions are coded, what a member looks at, and motion itself where there
//! are no datagrams. Apart from the control lane's other messages, as it belongs to the motion codec.

use serde::{Deserialize, Serialize};

use crate::ids::{RoomHandle, Slot};
use crate::limits::{AXES_MAX, TICK_HZ_MAX};
use crate::motion::{Axes, Axis, Format};

/// What a member wants to see of a room's motion (M13).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SetViewport {
    /// The room.
    #[serde(rename = "h")]
    pub room: RoomHandle,
    /// The rectangle that it looks at; `None` for all of the room.
    #[serde(rename = "v", default, skip_serializing_if = "Option::is_none")]
    pub viewport: Option<Viewport>,
    /// A member that it wants to see wherever that is.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub follow: Option<Slot>,
}

/// A rectangle on the first two axes, or a stretch of the only one, in steps; its borders belong to it. On an axis that
/// wraps it may go over the seam: the lowest value, where it begins, is above the highest then, or out of the range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewport {
    /// The lowest value on the first axis.
    #[serde(rename = "l")]
    pub left: i32,
    /// The lowest value on the second axis.
    #[serde(rename = "t")]
    pub top: i32,
    /// The highest value on the first axis.
    #[serde(rename = "r")]
    pub right: i32,
    /// The highest value on the second axis.
    #[serde(rename = "b")]
    pub bottom: i32,
}

/// The records of a datagram, on the control lane.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MotionBytes {
    /// The datagram, without the transport's byte; at most 1,000 bytes.
    #[serde(rename = "d", with = "serde_bytes")]
    pub datagram: Vec<u8>,
}

/// A namespace's motion: what one needs to code and to show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MotionFormat {
    /// Ticks in a second, 1 to 250.
    #[serde(rename = "hz")]
    pub tick_hz: u32,
    /// Axes of a position, 1 to 4.
    #[serde(rename = "a")]
    pub axes: Vec<AxisFormat>,
}

/// One axis of motion.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AxisFormat {
    /// What one step is in the application's unit.
    #[serde(rename = "st", skip_serializing_if = "AxisFormat::is_one")]
    pub step: f64,
    /// The lowest value, in steps, at least -2^30.
    #[serde(rename = "n", skip_serializing_if = "AxisFormat::is_lowest")]
    pub min: i32,
    /// The highest value, in steps, at most 2^30 - 1.
    #[serde(rename = "x", skip_serializing_if = "AxisFormat::is_highest")]
    pub max: i32,
    /// Whether `min` is the step after `max`.
    #[serde(rename = "w", skip_serializing_if = "std::ops::Not::not")]
    pub wraps: bool,
}

impl MotionFormat {
    /// What frames are made of. A server of this version sends what can be; anything else is made usable, not trusted.
    pub fn format(&self) -> Format {
        // One more than there may be, so that too many stay too many.
        let mut axes = [Axis::OPEN; AXES_MAX + 1];
        let count = self.axes.len().min(axes.len());
        axes.iter_mut().zip(&self.axes).for_each(|(axis, format)| *axis = format.axis());
        Format {
            tick_hz: self.tick_hz.clamp(1, TICK_HZ_MAX),
            axes: Axes::new(&axes[..count]).unwrap_or(Axes::TWO),
        }
    }
}

impl Default for MotionFormat {
    fn default() -> Self {
        Self { tick_hz: 30, axes: vec![AxisFormat::default(); 2] }
    }
}

impl AxisFormat {
    /// Its range.
    pub fn axis(&self) -> Axis {
        Axis { min: self.min, max: self.max, wraps: self.wraps }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    fn is_one(step: &f64) -> bool {
        step.to_bits() == 1.0_f64.to_bits()
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    fn is_lowest(min: &i32) -> bool {
        *min == Axis::OPEN.min
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    fn is_highest(max: &i32) -> bool {
        *max == Axis::OPEN.max
    }
}

impl Default for AxisFormat {
    fn default() -> Self {
        let Axis { min, max, wraps } = Axis::OPEN;
        Self { step: 1.0, min, max, wraps }
    }
}
