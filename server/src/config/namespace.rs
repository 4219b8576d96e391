//! The policy of a namespace's rooms. The protocol's table is the ceiling of its caps and rates:
//! clients rely on it, so they can only be lowered.

use std::collections::BTreeMap;
use std::time::Duration;

use hither_core::{DOCUMENT_BYTES_MAX, RECORDS_MAX, Validator};
use hither_protocol::message::control::{AxisFormat, MotionFormat};
use hither_protocol::motion::{Axes, Axis};
use hither_protocol::{RoomName, limits as wire};
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::bounds::{positive, within};
use crate::event_log::Retention;

/// A table `[namespaces.NAME]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NamespaceConfig {
    /// Ticks per second, 1 to 60; 0 sends at once, at most 250 times a second. Each tick in which
    /// something moved costs one datagram per viewer, so server CPU and packets grow with it: 0 is
    /// for small rooms. Default: 30.
    #[serde(deserialize_with = "within::<0, 60, _, _>")]
    pub tick_hz: u32,
    /// Axes of motion, 1 to 4; bytes grow with them. Default: two, for x and y.
    #[serde(deserialize_with = "axes")]
    pub axes: Vec<AxisConfig>,
    /// Members that a room may have, 1 to 4,096. What is sent grows with its square. Default:
    /// 4,096.
    #[serde(deserialize_with = "within::<1, { wire::MEMBERS_MAX as u64 }, _, _>")]
    pub members_max: usize,
    /// Milliseconds after its last packet that a lost member keeps its slot, 0 to 60,000. More
    /// keeps the slots and presences of members that are gone. Default: 5,000.
    #[serde(deserialize_with = "within::<0, 60_000, _, _>")]
    pub grace_ms: u64,
    /// Bytes of a member's presence, 0 to 4,096. A room's roster holds one of each member. Default:
    /// 4,096.
    #[serde(deserialize_with = "within::<0, { wire::PRESENCE_BYTES_MAX as u64 }, _, _>")]
    pub presence_bytes_max: usize,
    /// Bytes of an event, 0 to 16,384. A room's replay buffer holds several. Default: 16,384.
    #[serde(deserialize_with = "within::<0, { wire::EVENT_BYTES_MAX as u64 }, _, _>")]
    pub event_bytes_max: usize,
    /// The latest events to all of each room that are kept for who comes later, 0 to 1,000,000; 0 keeps none, and
    /// deletes what was kept. An event costs some 300 bytes of disk beside its own; without a data directory it is
    /// memory, 64 MiB at most for all rooms. Default: 0.
    #[serde(deserialize_with = "within::<0, 1_000_000, _, _>")]
    pub kept_events: u64,
    /// Days after which they are kept no more, 1 to 36,500. Default: 30.
    #[serde(deserialize_with = "within::<1, 36_500, _, _>")]
    pub kept_events_days: u64,
    /// Bytes of a record of a room's document, 0 to the protocol's cap. Default: that cap.
    #[serde(deserialize_with = "within::<0, { wire::RECORD_BYTES_MAX as u64 }, _, _>")]
    pub record_bytes_max: usize,
    /// Bytes of a room's document, all its records together, 0 to 16,777,216. Whoever opens it is sent
    /// all of it, and an open room holds it in memory. Default: 16,777,216.
    #[serde(deserialize_with = "within::<0, { DOCUMENT_BYTES_MAX as u64 }, _, _>")]
    pub document_bytes_max: usize,
    /// Records of a room's document, 0 to 65,536; each costs some 200 bytes of memory beside its own.
    /// Default: 65,536.
    #[serde(deserialize_with = "within::<0, { RECORDS_MAX as u64 }, _, _>")]
    pub records_max: usize,
    /// Levels of arrays and maps in a field of a record, 0 to 8. Default: 8.
    #[serde(deserialize_with = "within::<0, { wire::DEPTH_MAX as u64 }, _, _>")]
    pub depth_max: usize,
    /// Motion samples a second from one session, 1 to 120, bursts of twice that; over it the newest
    /// counts. Default: 120.
    #[serde(deserialize_with = "within::<1, { wire::MOTION_PER_SECOND as u64 }, _, _>")]
    pub motion_per_s: u32,
    /// Presence patches a second from one session, 1 to 60, bursts of twice that; over it they are
    /// refused. Default: 60.
    #[serde(deserialize_with = "within::<1, { wire::PRESENCE_PER_SECOND as u64 }, _, _>")]
    pub presence_per_s: u32,
    /// Events a second from one session, 1 to 50, bursts of twice that; over it they are refused.
    /// Default: 50.
    #[serde(deserialize_with = "within::<1, { wire::EVENTS_PER_SECOND as u64 }, _, _>")]
    pub events_per_s: u32,
    /// A rule of the program that has the server built in, which is asked of each edit; a config file
    /// can't say it. Default: none.
    #[serde(skip)]
    pub validator: Option<Validator>,
    /// Edits a second from one session, 1 to 100, bursts of twice that; over it they wait. One counts as one for each
    /// 4 KiB. Default: 100.
    #[serde(deserialize_with = "within::<1, { wire::EDITS_PER_SECOND as u64 }, _, _>")]
    pub edits_per_s: u32,
}

/// One of a namespace's `axes`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AxisConfig {
    /// The smallest difference that motion keeps, in the room's units, above zero. Halving it costs
    /// about one bit per moved member. Default: 1.0.
    #[serde(deserialize_with = "positive")]
    pub step: f64,
    /// The lowest value, in steps, at least -2^30; samples outside are dropped. Default: -2^30.
    pub min: i32,
    /// The highest value, in steps, at most 2^30 - 1. Default: 2^30 - 1.
    pub max: i32,
    /// Whether `min` is the step after `max`, as of an angle: differences go the shorter way.
    /// Default: false.
    pub wraps: bool,
}

impl Default for AxisConfig {
    fn default() -> Self {
        let Axis { min, max, wraps } = Axis::OPEN;
        Self { step: 1.0, min, max, wraps }
    }
}

impl NamespaceConfig {
    /// How long its rooms' events are kept.
    pub(crate) fn event_retention(&self) -> Retention {
        let age = Duration::from_secs(self.kept_events_days * 24 * 60 * 60);
        Retention { events: self.kept_events, age }
    }

    /// What a room's motion is, as its members are told.
    pub fn motion_format(&self) -> MotionFormat {
        let format = |axis: &AxisConfig| {
            let AxisConfig { step, min, max, wraps } = *axis;
            AxisFormat { step, min, max, wraps }
        };
        let tick_hz = if self.tick_hz == 0 { wire::TICK_HZ_MAX } else { self.tick_hz };
        MotionFormat { tick_hz, axes: self.axes.iter().map(format).collect() }
    }
}

/// Axes that a room can have.
fn axes<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<AxisConfig>, D::Error> {
    let axes = Vec::<AxisConfig>::deserialize(input)?;
    let ranges: Vec<Axis> =
        axes.iter().map(|axis| Axis { min: axis.min, max: axis.max, wraps: axis.wraps }).collect();
    match Axes::new(&ranges) {
        Some(_) => Ok(axes),
        None => Err(D::Error::custom(
            "1 to 4 axes are needed, each with a min not above its max, from -2^30 to 2^30 - 1",
        )),
    }
}

impl Default for NamespaceConfig {
    fn default() -> Self {
        Self {
            tick_hz: 30,
            axes: vec![AxisConfig::default(); 2],
            members_max: wire::MEMBERS_MAX,
            grace_ms: 5_000,
            presence_bytes_max: wire::PRESENCE_BYTES_MAX,
            event_bytes_max: wire::EVENT_BYTES_MAX,
            kept_events: 0,
            kept_events_days: 30,
            record_bytes_max: wire::RECORD_BYTES_MAX,
            document_bytes_max: DOCUMENT_BYTES_MAX,
            records_max: RECORDS_MAX,
            depth_max: wire::DEPTH_MAX,
            validator: None,
            motion_per_s: wire::MOTION_PER_SECOND,
            presence_per_s: wire::PRESENCE_PER_SECOND,
            events_per_s: wire::EVENTS_PER_SECOND,
            edits_per_s: wire::EDITS_PER_SECOND,
        }
    }
}

/// Namespaces whose names rooms can have.
pub(super) fn named<'de, D>(input: D) -> Result<BTreeMap<String, NamespaceConfig>, D::Error>
where
    D: Deserializer<'de>,
{
    let namespaces = BTreeMap::<String, NamespaceConfig>::deserialize(input)?;
    for name in namespaces.keys() {
        let room = format!("{name}:room");
        if !matches!(room.parse::<RoomName>(), Ok(room) if room.namespace() == name) {
            return Err(D::Error::custom(format_args!(
                "the namespace \"{name}\" needs a name of 1 to {} of a-z 0-9 _ -",
                wire::NAMESPACE_BYTES_MAX
            )));
        }
    }
    Ok(namespaces)
}
