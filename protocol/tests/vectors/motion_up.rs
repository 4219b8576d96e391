//! `motion_up.json`: what a client sends in datagrams.

use hither_protocol::message::control::{AxisFormat, MotionFormat};
use hither_protocol::motion::upward::{Ack, Sample, Upward, read};
use hither_protocol::motion::{Axes, DecodeError, Position};
use hither_protocol::varint::Reader;
use hither_protocol::{RoomHandle, Tick};
use serde_json::{Value as Json, json};

use crate::golden;
use crate::json::{hex, items, unhex};

/// A room that the reader does not know.
const UNKNOWN: u32 = 404;

fn sample(room: u32, number: u32, axes: [i32; 4]) -> Upward {
    Upward::Sample(Sample { room: RoomHandle(room), number, position: Position::new(axes) })
}

fn ack(tick: u32, parts: u128) -> Upward {
    Upward::Ack(Ack { room: RoomHandle(7), tick: Tick(tick), parts })
}

fn datagrams() -> Vec<(&'static str, u8, Vec<Upward>)> {
    vec![
        ("a sample", 2, vec![sample(7, 1, [640, 480, 0, 0])]),
        ("a sample left of and above the origin", 2, vec![sample(7, 300, [-1, -64, 0, 0])]),
        (
            "a sample at the ends of the range",
            2,
            vec![sample(7, 2, [-(1 << 30), (1 << 30) - 1, 0, 0])],
        ),
        ("one axis", 1, vec![sample(7, 3, [5, 0, 0, 0])]),
        ("three axes", 3, vec![sample(7, 4, [5, -6, 7, 0])]),
        ("four axes", 4, vec![sample(70_000, u32::MAX, [1, 2, -3, 4])]),
        ("an ack of part 0", 2, vec![ack(1_000, 1)]),
        ("an ack of parts 0, 2 and 63", 2, vec![ack(1_001, 1 | 1 << 2 | 1 << 63)]),
        ("an ack of part 127", 3, vec![ack(u32::MAX, 1 << 127)]),
        (
            "acks and a sample in one datagram",
            2,
            vec![ack(1_002, 1), ack(1_001, 2), sample(7, 5, [0; 4])],
        ),
        ("samples of two rooms", 2, vec![sample(7, 6, [1, 1, 0, 0]), sample(8, 7, [2, 2, 0, 0])]),
    ]
}

/// Datagrams of which something is of no use.
const FAULTY: [(&str, &[u8]); 9] = [
    ("a sample that is cut short", &[0x02, 0x07, 0x01, 0x0a]),
    ("an ack, then a record of an unknown kind", &[0x03, 0x07, 0x01, 0x01, 0x09, 0x00]),
    ("a frame, which goes down and never up", &[0x01, 0x07, 0x00, 0x01, 0x01]),
    ("a sample of a room that the receiver does not know", &[0x02, 0x94, 0x03, 0x01, 0x00, 0x00]),
    (
        "an ack of a room that the receiver does not know, which can be read",
        &[0x03, 0x94, 0x03, 0x01, 0x01],
    ),
    ("a position out of range", &[0x02, 0x07, 0x01, 0x80, 0x80, 0x80, 0x80, 0x08, 0x00]),
    ("an integer that does not fit", &[0x03, 0x80, 0x80, 0x80, 0x80, 0x10, 0x01, 0x01]),
    ("an ack of no part", &[0x03, 0x07, 0x01, 0x00]),
    ("nothing", &[]),
];

fn describe(record: &Upward, axes: &Axes) -> Json {
    match record {
        Upward::Sample(sample) => json!({ "sample": {
            "room": sample.room.0,
            "number": sample.number,
            "position": sample.position.axes()[..axes.count()],
        } }),
        Upward::Ack(ack) => {
            let parts: Vec<u32> = (0..128).filter(|part| ack.parts >> part & 1 == 1).collect();
            json!({ "ack": { "room": ack.room.0, "tick": ack.tick.0, "parts": parts } })
        }
    }
}

fn record(json: &Json) -> Upward {
    let number = |json: &Json| json.as_u64().unwrap() as u32;
    let room = |json: &Json| RoomHandle(number(&json["room"]));
    if let Some(found) = json.get("ack") {
        let parts = items(&found["parts"]).iter().fold(0, |bits, part| bits | 1 << number(part));
        return Upward::Ack(Ack { room: room(found), tick: Tick(number(&found["tick"])), parts });
    }
    let found = &json["sample"];
    let mut axes = [0; 4];
    for (axis, value) in axes.iter_mut().zip(items(&found["position"])) {
        *axis = value.as_i64().unwrap() as i32;
    }
    let position = Position::new(axes);
    Upward::Sample(Sample { room: room(found), number: number(&found["number"]), position })
}

fn write(records: &[Upward], axes: &Axes) -> Vec<u8> {
    let mut out = Vec::new();
    for record in records {
        match record {
            Upward::Sample(sample) => sample.put(&mut out, axes),
            Upward::Ack(ack) => ack.put(&mut out),
        }
    }
    out
}

/// The records of a datagram and what ended it.
fn read_all(bytes: &[u8], axes: &Axes) -> (Vec<Upward>, Option<DecodeError>) {
    let mut reader = Reader::new(bytes);
    let mut records = Vec::new();
    loop {
        match read(&mut reader, |room| (room.0 != UNKNOWN).then_some(*axes)) {
            Ok(Some(record)) => records.push(record),
            Ok(None) => return (records, None),
            Err(error) => return (records, Some(error)),
        }
    }
}

/// The format of a room with so many open axes.
fn open(count: usize) -> MotionFormat {
    MotionFormat { axes: vec![AxisFormat::default(); count], ..MotionFormat::default() }
}

/// Datagrams that are good and faulty where axes have ranges.
fn ranged() -> (MotionFormat, Vec<(&'static str, Vec<u8>)>) {
    let height = AxisFormat { min: -10, max: 400, ..AxisFormat::default() };
    let yaw = AxisFormat { min: 0, max: 359, wraps: true, ..AxisFormat::default() };
    let at = |y: i32, yaw: i32| write(&[sample(7, 1, [y, yaw, 0, 0])], &open(2).format().axes);
    let datagrams = vec![
        ("a sample at the ends of its ranges", at(-10, 359)),
        ("a sample below a range", at(-11, 0)),
        ("a sample above a range that wraps", at(400, 360)),
    ];
    (MotionFormat { axes: vec![height, yaw], ..open(2) }, datagrams)
}

fn read_vector(name: &str, motion: &MotionFormat, bytes: &[u8]) -> Json {
    let axes = motion.format().axes;
    let (records, error) = read_all(bytes, &axes);
    let records: Vec<Json> = records.iter().map(|record| describe(record, &axes)).collect();
    let error = error.map(DecodeError::name);
    json!({ "name": name, "motion": motion, "hex": hex(bytes), "records": records, "error": error })
}

#[test]
fn m8_samples_and_acks() {
    let written = datagrams().into_iter().map(|(name, count, records)| {
        let motion = open(count.into());
        let bytes = write(&records, &motion.format().axes);
        let mut vector = read_vector(name, &motion, &bytes);
        assert_eq!(vector.as_object_mut().unwrap().remove("error"), Some(Json::Null));
        vector
    });
    let (format, ranged) = ranged();
    let faulty = FAULTY.map(|(name, bytes)| read_vector(name, &open(2), bytes)).into_iter();
    let ranged = ranged.iter().map(|(name, bytes)| read_vector(name, &format, bytes));
    let made = json!({
        "about": "hex: a datagram. faulty: the records before the fault stand; room 404 is unknown.",
        "datagrams": written.collect::<Json>(),
        "faulty": faulty.chain(ranged).collect::<Json>(),
    });
    let file = golden("motion_up.json", &made);
    for vector in items(&file["datagrams"]).iter().chain(items(&file["faulty"])) {
        let motion: MotionFormat = serde_json::from_value(vector["motion"].clone()).unwrap();
        let axes = motion.format().axes;
        let records: Vec<Upward> = items(&vector["records"]).iter().map(record).collect();
        let (found, error) = read_all(&unhex(&vector["hex"]), &axes);
        assert_eq!(found, records);
        assert_eq!(json!(error.map(DecodeError::name)), vector["error"]);
        if error.is_none() {
            assert_eq!(hex(&write(&records, &axes)), vector["hex"].as_str().unwrap());
        }
    }
}
