//! A room of recorded mice, frame by frame, for measuring what the codec makes of it and for counting its tables. It
//! stands apart from the load generator since nothing is sent, and nothing takes time.

use hither_protocol::motion::frame::{FrameHeader, FrameWriter, PartHeader};
use hither_protocol::motion::{Axes, Change, Entry, Format, Known, Place, Position, Statistics};
use hither_protocol::{RoomHandle, Tick};
use serde::Serialize;

use crate::traces::{Trace, Traces};
use std::sync::Arc;

/// Members of the room; recordings are used again, half a minute later, when there are fewer.
const MEMBERS: usize = 100;

/// How much of the recordings is used.
const SECONDS: u32 = 120;

/// Of how long a slot's momentum is taken: the frames of a 60 Hz room come twice as often as a hand says something new.
const MOMENTUM_MS: u32 = 34;

/// Recorded mice in a room.
pub struct Room {
    hz: u32,
    format: Format,
    mice: Vec<(Arc<Trace>, u64)>,
}

/// What frames against baselines of one age cost.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Ticks in a second.
    pub hz: u32,
    /// How many ticks before its frame each baseline lies.
    pub baseline_ticks: u32,
    /// Bits of a frame behind its header, for each entry.
    pub bits_per_moved: f64,
    /// Of the members, those with an entry in a frame, in percent.
    pub moved_pct: f64,
    /// Bytes of a frame's header on average.
    pub header_bytes: f64,
}

/// A part of one frame, as the encoder takes it.
struct Part {
    header: PartHeader,
    known: Vec<Known>,
    entries: Vec<Entry>,
}

impl Room {
    /// A room at `hz` ticks a second.
    pub fn new(traces: &Traces, hz: u32) -> Self {
        let mouse = |member| {
            let round = (member / traces.len()) as u64;
            (traces.of_member(member), round * 30_000)
        };
        let format = Format { tick_hz: hz, axes: Axes::TWO };
        Self { hz, format, mice: (0..MEMBERS).map(mouse).collect() }
    }

    /// The frame of a tick against the baseline `age` ticks before it, in parts.
    fn parts(&self, tick: u32, age: u32) -> Vec<Part> {
        let lag = (MOMENTUM_MS * self.hz / 1_000).max(1);
        let slots = self.format.axes.slots_per_part();
        let baseline = tick - age;
        let mut parts = Vec::new();
        for (index, mice) in self.mice.chunks(slots).enumerate() {
            let reference = baseline - lag;
            let mut part = Part {
                header: PartHeader {
                    index: index as u16,
                    baseline: Some(Tick(baseline)),
                    reference: Some(Tick(reference)),
                },
                known: Vec::new(),
                entries: Vec::new(),
            };
            for (offset, mouse) in mice.iter().enumerate() {
                let offset = offset as u8;
                let at = |tick| self.at(mouse, tick);
                let base = Place { generation: 0, position: at(baseline) };
                part.known.push(Known { offset, baseline: base, reference: Some(at(reference)) });
                if (baseline + 1..=tick).any(|between| at(between) != base.position) {
                    part.entries.push(Entry { offset, change: Change::Moved(at(tick)) });
                }
            }
            parts.push(part);
        }
        parts
    }

    fn at(&self, (trace, later_ms): &(Arc<Trace>, u64), tick: u32) -> Position {
        let (x, y) = trace.sample_at(later_ms + u64::from(tick) * 1_000 / u64::from(self.hz));
        Position::xy(x, y)
    }

    fn ticks(&self) -> std::ops::Range<u32> {
        // From where there is a reference.
        8..SECONDS * self.hz
    }
}

impl Report {
    /// Codes every frame of the room against the tick `baseline_ticks` before it.
    pub fn measure(room: &mut Room, baseline_ticks: u32) -> Self {
        let (mut bytes, mut headers, mut moved) = (0, 0, 0);
        for tick in room.ticks() {
            let header = FrameHeader { room: RoomHandle(1), epoch_check: 0, tick: Tick(tick) };
            let mut head = Vec::new();
            header.put(&mut head);
            let mut writer = FrameWriter::new(Vec::new(), &header);
            for part in room.parts(tick, baseline_ticks) {
                moved += part.entries.len();
                let fits = writer.put_part(&room.format, part.header, &part.known, &part.entries);
                assert!(fits, "a frame of {MEMBERS} mice is one datagram");
            }
            headers += head.len();
            bytes += writer.finish().len() - head.len();
        }
        let frames = room.ticks().len();
        Self {
            hz: room.hz,
            baseline_ticks,
            bits_per_moved: bytes as f64 * 8.0 / moved as f64,
            moved_pct: moved as f64 * 100.0 / (frames * MEMBERS) as f64,
            header_bytes: headers as f64 / frames as f64,
        }
    }
}

/// The source of the codec's table, counted over rooms at 20, 30 and 60 Hz and baselines of 1, 2 and 4 ticks.
pub fn train(traces: &Traces) -> String {
    let mut statistics = Statistics::default();
    for hz in [20, 30, 60] {
        let room = Room::new(traces, hz);
        for tick in room.ticks() {
            // The youngest baseline is by far the most common.
            for age in [1, 1, 1, 2, 2, 4] {
                for part in room.parts(tick, age) {
                    let Part { header, known, entries } = &part;
                    statistics.count(&room.format, Tick(tick), *header, known, entries);
                }
            }
        }
    }
    let mut source = String::from(
        "//! The likelihood of a 1 in each context, in 1/256, counted over recorded mice: `codec-report --table`.\n\n\
         use super::model::CONTEXTS;\n\n\
         #[rustfmt::skip]\npub(super) static TABLE: [u8; CONTEXTS] = [\n",
    );
    for row in statistics.table().chunks(20) {
        let row: Vec<String> = row.iter().map(u8::to_string).collect();
        source += &format!("    {},\n", row.join(", "));
    }
    source + "];\n"
}
