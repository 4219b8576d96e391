//! `varint.json` and `framing.json`: integers of datagrams, and the cutting of streams into messages.

use hither_protocol::limits::MESSAGE_BYTES_MAX;
use hither_protocol::message::{FrameBuffer, MessageError, frame};
use hither_protocol::motion::DecodeError;
use hither_protocol::varint::{self, Reader};
use serde_json::{Value as Json, json};

use crate::golden;
use crate::json::{hex, items, text, unhex};

const UNSIGNED: [(u32, u128); 12] = [
    (32, 0),
    (32, 1),
    (32, 127),
    (32, 128),
    (32, 300),
    (32, 16_383),
    (32, 16_384),
    (32, u32::MAX as u128),
    (128, 1),
    (128, u64::MAX as u128 + 1),
    (128, 1 << 127),
    (128, u128::MAX),
];
const LONGER: [(u32, &[u8]); 2] = [(32, &[0x80, 0x00]), (32, &[0x81, 0x80, 0x80, 0x80, 0x00])];
const REFUSED: [(u32, &[u8]); 6] = [
    (32, &[]),
    (32, &[0x80]),
    (32, &[0xff, 0xff]),
    (32, &[0x80, 0x80, 0x80, 0x80, 0x10]),
    (32, &[0x80, 0x80, 0x80, 0x80, 0x80, 0x00]),
    (128, &[0xff; 19]),
];
const SIGNED: [i32; 12] =
    [0, -1, 1, -2, 2, 63, -64, 64, 1_000, -(1 << 30), (1 << 30) - 1, i32::MIN];

fn put(bits: u32, value: u128) -> Vec<u8> {
    let mut out = Vec::new();
    match bits {
        32 => varint::put_u32(&mut out, value as u32),
        _ => varint::put_u128(&mut out, value),
    }
    out
}

fn read(bits: u32, bytes: &[u8]) -> Result<u128, DecodeError> {
    let mut reader = Reader::new(bytes);
    let value = match bits {
        32 => reader.u32().map(u128::from),
        _ => reader.u128(),
    }?;
    assert!(reader.is_empty());
    Ok(value)
}

#[test]
fn f2_varints_and_zigzag() {
    let unsigned = UNSIGNED.map(|(bits, value)| {
        json!({ "bits": bits, "value": value.to_string(), "hex": hex(&put(bits, value)) })
    });
    let longer = LONGER.map(|(bits, bytes)| {
        let value = read(bits, bytes).unwrap().to_string();
        json!({ "bits": bits, "value": value, "hex": hex(bytes) })
    });
    let refused = REFUSED.map(|(bits, bytes)| {
        json!({ "bits": bits, "hex": hex(bytes), "error": read(bits, bytes).unwrap_err().name() })
    });
    let signed = SIGNED.map(|value| {
        let mut out = Vec::new();
        varint::put_i32(&mut out, value);
        json!({ "value": value, "hex": hex(&out) })
    });
    let made = json!({
        "about": "unsigned: written and read so. longer: read, never written. refused: an error. signed: zigzag.",
        "unsigned": unsigned, "longer": longer, "refused": refused, "signed": signed,
    });
    let file = golden("varint.json", &made);
    let bits = |vector: &Json| vector["bits"].as_u64().unwrap() as u32;
    for vector in items(&file["unsigned"]) {
        let value = text(&vector["value"]).parse().unwrap();
        assert_eq!(read(bits(vector), &unhex(&vector["hex"])), Ok(value));
        assert_eq!(hex(&put(bits(vector), value)), text(&vector["hex"]));
    }
    for vector in items(&file["longer"]) {
        let read = read(bits(vector), &unhex(&vector["hex"])).unwrap();
        assert_eq!(read.to_string(), text(&vector["value"]));
    }
    for vector in items(&file["refused"]) {
        let error = read(bits(vector), &unhex(&vector["hex"])).unwrap_err();
        assert_eq!(error.name(), text(&vector["error"]));
    }
    for vector in items(&file["signed"]) {
        let value = Reader::new(&unhex(&vector["hex"])).i32().unwrap();
        assert_eq!(vector["value"], json!(value));
    }
}

fn streams() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let two = [frame(&[0xc0]), frame(b"\x92\x01\x80")].concat();
    let long = frame(&[0xa5; 200]).to_vec();
    vec![
        ("nothing", vec![]),
        ("two messages in one chunk", vec![two.clone()]),
        ("two messages, byte by byte", two.iter().map(|byte| vec![*byte]).collect()),
        ("a length cut in two", vec![long[..1].to_vec(), long[1..].to_vec()]),
        ("an empty message, which no value is", vec![vec![0]]),
        ("a longer length of 1", vec![vec![0x81, 0x00, 0xc0]]),
        ("a message that does not end", vec![vec![0x05, 0x92, 0x01]]),
        ("a length that does not end", vec![vec![0x80]]),
        ("65,537, found before the message comes", vec![vec![0x81, 0x80, 0x04]]),
        ("a length of four bytes", vec![vec![0x80, 0x80, 0x80, 0x00]]),
        ("a message, then a length above the cap", vec![vec![0x01, 0xc0, 0xff, 0xff, 0xff]]),
    ]
}

/// The messages of a stream, its error, and whether it ends between messages.
fn cut(chunks: &[Vec<u8>]) -> (Vec<String>, Option<MessageError>, bool) {
    let mut buffer = FrameBuffer::default();
    let mut messages = Vec::new();
    for chunk in chunks {
        buffer.push(chunk);
        loop {
            match buffer.pop() {
                Ok(Some(message)) => messages.push(hex(&message)),
                Ok(None) => break,
                Err(error) => return (messages, Some(error), false),
            }
        }
    }
    (messages, None, buffer.is_empty())
}

#[test]
fn f1_streams_are_cut_into_messages() {
    let made = streams().into_iter().map(|(name, chunks)| {
        let (messages, error, whole) = cut(&chunks);
        let chunks: Vec<String> = chunks.iter().map(|chunk| hex(chunk)).collect();
        let error = error.map(MessageError::name);
        json!({ "name": name, "chunks": chunks, "messages": messages, "error": error, "whole": whole })
    });
    let lengths = [0, 1, 127, 128, 16_383, 16_384, MESSAGE_BYTES_MAX].map(|length| {
        let framed = frame(&vec![0; length]);
        json!({ "length": length, "prefix": hex(&framed[..framed.len() - length]) })
    });
    let made = json!({
        "about": "streams: chunks as they arrive; whole: the stream may end here. lengths: the prefix of a message.",
        "streams": made.collect::<Json>(),
        "lengths": lengths,
    });
    let file = golden("framing.json", &made);
    for vector in items(&file["streams"]) {
        let chunks: Vec<Vec<u8>> = items(&vector["chunks"]).iter().map(unhex).collect();
        let (messages, error, whole) = cut(&chunks);
        assert_eq!(json!(messages), vector["messages"]);
        assert_eq!(json!(error.map(MessageError::name)), vector["error"]);
        assert_eq!(json!(whole), vector["whole"]);
    }
    for vector in items(&file["lengths"]) {
        let length = vector["length"].as_u64().unwrap() as usize;
        let stream = [unhex(&vector["prefix"]), vec![0; length]].concat();
        assert_eq!(cut(&[stream]).0, [hex(&vec![0; length])]);
    }
}
