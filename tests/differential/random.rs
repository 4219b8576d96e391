//! Random values of users, random room policies, and what noise does to bytes.

use hither_core::RoomPolicy;
use hither_protocol::Slot;
use hither_protocol::message::control::{AxisFormat, MotionFormat};
use hither_protocol::message::edits::{Op, OpKind};
use hither_protocol::message::{Map, Value};
use hither_protocol::session::Room;
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use std::time::Duration;

/// Names that a language may have its own ideas about.
const KEYS: [&str; 8] = ["x", "colour", "", "7", "__proto__", "constructor", "größe", "\u{1f44b}"];
const TEXTS: [&str; 6] =
    ["", "moving", "\u{feff}bom", "a\u{0}b\n\"", "\u{1f469}\u{200d}\u{1f680}", "ß"];
const INTEGERS: [i64; 18] = [
    0,
    1,
    -1,
    31,
    -32,
    -33,
    127,
    128,
    -128,
    255,
    256,
    -32_769,
    65_535,
    65_536,
    4_294_967_295,
    4_294_967_296,
    9_007_199_254_740_991,
    -9_007_199_254_740_991,
];
const FLOATS: [f64; 8] = [0.1, -0.0, 1.5, 1e300, -2.5e-8, f64::INFINITY, 4.0, f64::NAN];

/// A small value of at most this depth.
pub(crate) fn value(rng: &mut StdRng, depth: u32) -> Value {
    match rng.random_range(0..if depth > 0 { 10 } else { 8 }) {
        0 => Value::Nil,
        1 => Value::Bool(rng.random()),
        2 => Value::Int(INTEGERS[rng.random_range(0..INTEGERS.len())]),
        3 => Value::Int(rng.random_range(-(1 << 40)..1 << 40) >> rng.random_range(0..40)),
        4 => Value::Float(FLOATS[rng.random_range(0..FLOATS.len())]),
        5 | 6 => {
            Value::String(TEXTS[rng.random_range(0..TEXTS.len())].repeat(rng.random_range(0..4)))
        }
        7 => Value::Binary((0..rng.random_range(0..20)).map(|_| rng.random()).collect()),
        8 => Value::Array((0..rng.random_range(0..4)).map(|_| value(rng, depth - 1)).collect()),
        _ => Value::Map(map(rng, depth - 1)),
    }
}

/// A map of few fields with values of at most this depth.
pub(crate) fn map(rng: &mut StdRng, depth: u32) -> Map {
    let key = |rng: &mut StdRng| KEYS[rng.random_range(0..KEYS.len())].to_owned();
    (0..rng.random_range(0..4)).map(|_| (key(rng), value(rng, depth))).collect()
}

/// A presence, or a patch of one: small, but for its padding of at most so many bytes.
pub(crate) fn presence(rng: &mut StdRng, padding: usize) -> Map {
    let mut map = map(rng, 2);
    let padding = "p".repeat(rng.random_range(0..=padding));
    map.insert("padding".into(), padding.into());
    map
}

/// The value with numbers as TypeScript has them, of one kind: what comes back is as it was said then.
fn one_kind(value: Value) -> Value {
    match value {
        Value::Float(number) if number.fract() == 0.0 && number.abs() < (1_u64 << 53) as f64 => {
            Value::Int(number as i64)
        }
        Value::Array(items) => Value::Array(items.into_iter().map(one_kind).collect()),
        Value::Map(map) => {
            Value::Map(map.into_iter().map(|(name, value)| (name, one_kind(value))).collect())
        }
        other => other,
    }
}

/// What may be added.
fn number(rng: &mut StdRng) -> Value {
    match rng.random_range(0..3) {
        0 => Value::Int(rng.random_range(-3..9)),
        1 => Value::Int((1 << 53) - 1),
        _ => Value::Float(rng.random_range(-1.0..1.0)),
    }
}

/// The operations of an edit on one of a few records.
pub(crate) fn ops(rng: &mut StdRng, padding: usize) -> Vec<Op> {
    let op = |rng: &mut StdRng| {
        let kinds = [OpKind::Put, OpKind::Put, OpKind::Patch, OpKind::Patch, OpKind::Remove];
        let kind = *kinds.choose(rng).unwrap_or(&OpKind::Increment);
        let kind = if rng.random_bool(0.1) { OpKind::Increment } else { kind };
        let record =
            format!("{}-{}", KEYS[rng.random_range(3..KEYS.len())], rng.random_range(0..3));
        let fields = match kind {
            OpKind::Remove => Map::new(),
            OpKind::Increment => Map::from([("n".into(), number(rng))]),
            _ => presence(rng, padding),
        };
        let fields = fields.into_iter().map(|(name, value)| (name, one_kind(value))).collect();
        let if_version = rng.random_bool(0.1).then(|| rng.random_range(0..20));
        Op { if_version, ..Op::new(kind, record, fields) }
    };
    (0..rng.random_range(1..=3)).map(|_| op(rng)).collect()
}

/// Everyone, or one member of the room.
pub(crate) fn targets(rng: &mut StdRng, room: &Room) -> Vec<Slot> {
    let slots: Vec<Slot> = room.members().map(|member| member.slot).collect();
    if slots.is_empty() || rng.random_bool(0.6) {
        return Vec::new();
    }
    vec![slots[rng.random_range(0..slots.len())]]
}

/// What a room is like. Its tick periods are whole steps of the twin's time.
pub(crate) fn policy(rng: &mut StdRng) -> RoomPolicy {
    RoomPolicy {
        motion: MotionFormat {
            tick_hz: [5, 8, 10, 20, 25, 40, 50, 250][rng.random_range(0..8)],
            axes: (0..rng.random_range(1..=4)).map(|_| axis(rng)).collect(),
        },
        grace: Duration::from_millis(600),
        ..RoomPolicy::default()
    }
}

/// An axis: open, of a narrow range, or round.
fn axis(rng: &mut StdRng) -> AxisFormat {
    let step = [1.0, 0.5, 0.015625, 2.0][rng.random_range(0..4)];
    let min = rng.random_range(-2_000..=2_000);
    let max = min + rng.random_range(0..4_000);
    match rng.random_range(0..4) {
        0 | 1 => AxisFormat { step, ..AxisFormat::default() },
        2 => AxisFormat { step, min, max, wraps: false },
        _ => AxisFormat { step, min, max, wraps: true },
    }
}

/// Noise: bits are flipped, bytes replaced, cut off, taken out, put in or said twice.
pub(crate) fn spoil(rng: &mut StdRng, bytes: &mut Vec<u8>) {
    // Heads of MessagePack, and varints at the ends of their range.
    const TELLING: [&[u8]; 20] = [
        b"\x00",
        b"\x01",
        b"\x7f",
        b"\x80",
        b"\x81",
        b"\x90",
        b"\x91",
        b"\xa1",
        b"\xc0",
        b"\xc1",
        b"\xc4",
        b"\xca",
        b"\xcf",
        b"\xdc",
        b"\xff\xff\xff\xff\x0f",
        b"\xff\xff\xff\xff\x1f",
        b"\xff\xff\xff\xff\x07",
        b"\x80\x80\x80\x80\x08",
        b"\x81\x80\x80\x80\x00",
        b"\x80\x80\x80\x80\x80\x00",
    ];
    for _ in 0..rng.random_range(1..=3) {
        if bytes.is_empty() {
            return bytes.push(rng.random());
        }
        let at = rng.random_range(0..bytes.len());
        let end = rng.random_range(at..=bytes.len().min(at + 8));
        match rng.random_range(0..8) {
            0..3 => bytes[at] ^= 1 << rng.random_range(0..8),
            3 => {
                let telling = TELLING[rng.random_range(0..TELLING.len())];
                drop(bytes.splice(at..=at, telling.iter().copied()));
            }
            4 => bytes[at] = bytes[at].wrapping_add(1),
            5 => bytes.truncate(at),
            6 => drop(bytes.drain(at..end)),
            _ => {
                let again = bytes[at..end].to_vec();
                drop(bytes.splice(at..at, again));
            }
        }
    }
}
