//! `motion_coder.json`: the table of likelihoods, streams of decisions, and single parts, so that a coder can be
//! tested without a viewer. The streams are written by a coder of this file; that of the crate is held to them by its
//! own tests.

use hither_protocol::message::control::{AxisFormat, MotionFormat};
use hither_protocol::motion::frame::{FrameHeader, FrameReader, FrameWriter, PartHeader};
use hither_protocol::motion::{Change, Entry, Known, Place, Position};
use hither_protocol::varint::Reader;
use hither_protocol::{RoomHandle, Tick};
use serde_json::{Value as Json, json};

use crate::golden;
use crate::json::{hex, items, unhex};

/// The groups of contexts, with the first of each.
const CONTEXTS: [(&str, usize); 10] = [
    ("moved", 0),
    ("left", 48),
    ("sign", 608),
    ("top", 678),
    ("jumped", 692),
    ("gone", 693),
    ("placed", 694),
    ("placed_more", 695),
    ("part_more", 696),
    ("part_next", 697),
];

#[derive(Clone, Copy)]
enum Decision {
    In(usize, bool),
    Raw(u32, u32),
}

/// The likelihoods in 1/256, from the source.
fn table() -> Vec<u8> {
    let source = include_str!("../../src/motion/coder/table.rs");
    let (_, rest) = source.split_once("= [").unwrap();
    let (numbers, _) = rest.split_once("];").unwrap();
    let numbers = numbers.split(',').map(str::trim).filter(|number| !number.is_empty());
    numbers.map(|number| number.parse().unwrap()).collect()
}

/// A stream by the specification: an interval of 32 bits that is split at each decision, the lower part for a 1.
fn encode(decisions: &[Decision], table: &[u8]) -> Vec<u8> {
    let (mut low, mut high) = (0u64, 0xffff_ffffu64);
    let mut out = Vec::new();
    let mut put = |one: u64, bit: bool| {
        let middle = low + (high - low) * one / 65_536;
        (low, high) = if bit { (low, middle) } else { (middle + 1, high) };
        while low >> 24 == high >> 24 {
            out.push((low >> 24) as u8);
            (low, high) = (low << 8 & 0xffff_ffff, (high << 8 | 0xff) & 0xffff_ffff);
        }
    };
    for decision in decisions {
        match *decision {
            Decision::In(context, bit) => put(u64::from(table[context]) * 256 + 128, bit),
            Decision::Raw(count, value) => {
                (0..count).rev().for_each(|place| put(32_768, value >> place & 1 == 1));
            }
        }
    }
    // The shortest number that lies in the interval when zeros follow it.
    let shortest = (0..=4).find_map(|bytes| {
        let zeros = (1u64 << (32 - 8 * bytes)) - 1;
        let number = (low + zeros) & !zeros;
        (number <= high).then(|| (number as u32).to_be_bytes()[..bytes].to_vec())
    });
    out.extend(shortest.unwrap());
    out
}

/// Numbers without a pattern, the same for ever.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((self.0 >> 33) % u64::from(limit)) as u32
    }

    fn between(&mut self, low: i32, high: i32) -> i32 {
        low + self.below((high - low + 1) as u32) as i32
    }
}

fn streams(table: &[u8]) -> Vec<(&'static str, Vec<Decision>)> {
    let mut random = Random(1);
    let every = |bit: &dyn Fn(usize) -> bool| {
        (0..table.len()).map(|context| Decision::In(context, bit(context))).collect()
    };
    let mixed = |random: &mut Random, unlikely: u32| {
        let mut decision = || match random.below(12) {
            0 => {
                let (count, bits) = (random.below(33), random.below(1 << 31) << 1);
                Decision::Raw(count, if count == 32 { bits } else { bits & ((1 << count) - 1) })
            }
            _ => {
                let context = random.below(table.len() as u32) as usize;
                Decision::In(context, random.below(256 + unlikely) < u32::from(table[context]))
            }
        };
        (0..120).map(|_| decision()).collect()
    };
    let raws = [(1, 1), (1, 0), (0, 0), (8, 0x5a), (17, 0x1_2345), (32, u32::MAX), (32, 0), (5, 9)];
    vec![
        ("no decision", vec![]),
        ("a 1, which leaves the lower part", vec![Decision::In(696, true)]),
        ("a 0", vec![Decision::In(696, false)]),
        (
            "raw bits, the highest first",
            raws.map(|(count, bits)| Decision::Raw(count, bits)).into(),
        ),
        ("bytes of 0 are left out only if a decoder does not need them", {
            vec![Decision::Raw(32, u32::MAX); 3]
        }),
        ("a 0 in every context", every(&|_| false)),
        ("a 1 in every context", every(&|_| true)),
        ("what is likely in every context", every(&|context| table[context] >= 128)),
        ("what is unlikely in every context", every(&|context| table[context] < 128)),
        ("this and that", mixed(&mut random, 0)),
        ("this and that, once more", mixed(&mut random, 60)),
    ]
}

fn describe(decision: &Decision) -> Json {
    match *decision {
        Decision::In(context, bit) => json!([context, u8::from(bit)]),
        Decision::Raw(count, value) => json!(["raw", count, value]),
    }
}

/// A part with what it is against, and a stream of nothing else.
struct Part {
    about: &'static str,
    motion: MotionFormat,
    header: PartHeader,
    known: Vec<Known>,
    entries: Vec<Entry>,
}

const TICK: Tick = Tick(5_000);

impl Part {
    /// A part of `known` slots and then of `new` ones, near and far.
    fn random(about: &'static str, seed: u64, motion: &MotionFormat, known: u8, new: u8) -> Self {
        let mut random = Random(seed);
        let axes = motion.format().axes;
        let mut near = |position: Position, reach: i32| {
            let moved = position.axes().map(|value| value + random.between(-reach, reach));
            axes.bring(Position::new(moved))
        };
        let known: Vec<Known> = (0..known)
            .map(|index| {
                let reach = 1 << (index % 12);
                let position = near(Position::default(), 3_000);
                let reference = (index % 5 != 4).then(|| near(position, reach));
                let baseline = Place { generation: index * 7, position };
                Known { offset: index * 2, baseline, reference }
            })
            .collect();
        let moves =
            known.iter().enumerate().filter(|(index, _)| index % 4 != 3).map(|(index, at)| {
                let change = match index % 9 {
                    5 => Change::Vanished,
                    7 => Change::Appeared(Place {
                        generation: 250,
                        position: near(at.baseline.position, 9),
                    }),
                    _ => Change::Moved(near(at.baseline.position, 1 << (index % 12))),
                };
                Entry { offset: at.offset, change }
            });
        let mut entries: Vec<Entry> = moves.collect();
        entries.extend((0..new).map(|index| Entry {
            offset: 1 + 2 * [0, 1, 4, 9, 20, 31][usize::from(index)],
            change: Change::Appeared(Place {
                generation: index,
                position: near(Position::default(), 90_000),
            }),
        }));
        entries.sort_by_key(|entry| entry.offset);
        let age = 1 + random.below(3);
        let baseline = Tick(TICK.0 - age);
        let reference = Some(Tick(baseline.0 - 1 - random.below(3)));
        let header =
            PartHeader { index: random.below(5) as u16, baseline: Some(baseline), reference };
        Self { about, motion: motion.clone(), header, known, entries }
    }

    fn bytes(&self) -> Vec<u8> {
        let header = FrameHeader { room: RoomHandle(0), epoch_check: 0, tick: TICK };
        let mut writer = FrameWriter::new(Vec::new(), &header);
        assert!(writer.put_part(&self.motion.format(), self.header, &self.known, &self.entries));
        let mut frame = Vec::new();
        header.put(&mut frame);
        writer.finish().split_off(frame.len())
    }

    fn describe(&self) -> Json {
        let count = self.motion.axes.len();
        let values = |position: Position| json!(position.axes()[..count]);
        let known = self.known.iter().map(|known| {
            json!({
                "offset": known.offset,
                "generation": known.baseline.generation,
                "position": values(known.baseline.position),
                "reference": known.reference.map(values),
            })
        });
        let known: Json = known.collect();
        let bytes = self.bytes();
        let entries = self.read(&bytes);
        json!({
            "about": self.about, "motion": self.motion, "tick": TICK.0, "index": self.header.index,
            "baseline": self.header.baseline.map(|tick| tick.0),
            "reference": self.header.reference.map(|tick| tick.0),
            "known": known, "hex": hex(&bytes),
            "entries": entries.iter().map(|entry| describe_entry(entry, &values)).collect::<Json>(),
        })
    }

    /// The entries in the order of the bytes, which is that of the known slots and then of the others.
    fn read(&self, bytes: &[u8]) -> Vec<Entry> {
        let format = self.motion.format();
        let header = FrameHeader { room: RoomHandle(0), epoch_check: 0, tick: TICK };
        let mut reader = FrameReader::new(&header, Reader::new(bytes));
        assert_eq!(reader.next_part(&format.axes), Ok(Some(self.header)));
        let mut entries = Vec::new();
        reader.read_entries(&format, &self.known, &mut entries).unwrap();
        assert_eq!(reader.next_part(&format.axes), Ok(None));
        let mut sorted = entries.clone();
        sorted.sort_by_key(|entry| entry.offset);
        assert_eq!(sorted, self.entries);
        entries
    }
}

fn describe_entry(entry: &Entry, values: &impl Fn(Position) -> Json) -> Json {
    let offset = entry.offset;
    match entry.change {
        Change::Moved(position) => json!({ "offset": offset, "moved": values(position) }),
        Change::Appeared(Place { generation, position }) => {
            json!({ "offset": offset, "generation": generation, "appeared": values(position) })
        }
        Change::Vanished => json!({ "offset": offset, "vanished": true }),
    }
}

fn parts() -> Vec<Part> {
    let open = AxisFormat::default();
    let axes = |axes: Vec<AxisFormat>| MotionFormat { tick_hz: 60, axes };
    let yaw = AxisFormat { min: 0, max: 3_599, wraps: true, ..open };
    let height = AxisFormat { min: -100, max: 100, ..open };
    let mut keyframe = Part::random("a keyframe", 5, &axes(vec![open; 2]), 0, 6);
    (keyframe.header.baseline, keyframe.header.reference) = (None, None);
    vec![
        keyframe,
        Part::random("one axis", 6, &axes(vec![open]), 14, 2),
        Part::random("two axes", 7, &axes(vec![open; 2]), 28, 0),
        Part::random("three axes", 8, &axes(vec![open, height, open]), 9, 3),
        Part::random("four axes", 9, &axes(vec![open, height, open, yaw]), 14, 3),
    ]
}

#[test]
fn m6_tables_and_streams() {
    let table = table();
    let streams = streams(&table).into_iter().map(|(about, decisions)| {
        let bytes = encode(&decisions, &table);
        let decisions: Json = decisions.iter().map(describe).collect();
        json!({ "about": about, "hex": hex(&bytes), "decisions": decisions })
    });
    let made = json!({
        "about": "table: the likelihood of a 1 in each context, in 1/256. contexts: the first of each group.",
        "contexts": CONTEXTS.iter().map(|(name, first)| ((*name).to_owned(), json!(first)))
            .collect::<serde_json::Map<String, Json>>(),
        "table": table,
        "streams": streams.collect::<Json>(),
        "parts": parts().iter().map(Part::describe).collect::<Json>(),
    });
    let file = golden("motion_coder.json", &made);
    for (vector, part) in items(&file["parts"]).iter().zip(parts()) {
        assert_eq!(part.read(&unhex(&vector["hex"])).len(), part.entries.len());
    }
}
