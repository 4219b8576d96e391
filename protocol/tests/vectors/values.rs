//! `values.json`: what is one value and what is refused, what a message may look like, and what names a room.

use hither_protocol::message::control::{ToClient, ToServer};
use hither_protocol::message::edits::{EditsToClient, EditsToServer};
use hither_protocol::message::{Value, check};
use hither_protocol::{RoomName, limits};
use serde_json::{Value as Json, json};

use crate::golden;
use crate::json::{hex, items, text, to_json, unhex};
use crate::messages::Message;

fn values() -> Vec<(&'static str, Vec<u8>)> {
    let nested = |levels: usize, core: u8| [vec![0x91; levels], vec![core]].concat();
    vec![
        ("nil", vec![0xc0]),
        ("true", vec![0xc3]),
        ("a small integer", vec![0x7f]),
        ("a small negative integer", vec![0xe0]),
        ("an integer in a longer form", vec![0xcd, 0x00, 0x01]),
        ("the largest integer", vec![0xcf, 0, 0x1f, 255, 255, 255, 255, 255, 255]),
        ("2^53", vec![0xcf, 0, 0x20, 0, 0, 0, 0, 0, 0]),
        ("2^64 - 1", vec![0xcf, 255, 255, 255, 255, 255, 255, 255, 255]),
        ("the smallest integer", vec![0xd3, 0xff, 0xe0, 0, 0, 0, 0, 0, 1]),
        ("-2^53", vec![0xd3, 0xff, 0xe0, 0, 0, 0, 0, 0, 0]),
        ("a float of 32 bits", vec![0xca, 0x3f, 0xc0, 0, 0]),
        ("a float of 64 bits", vec![0xcb, 0x3f, 0xb9, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a]),
        ("a string", [&[0xa7], "Straße".as_bytes()].concat()),
        ("a string that is not UTF-8", vec![0xa2, 0xc3, 0x28]),
        ("binary data", vec![0xc4, 2, 0xc3, 0x28]),
        ("a string that is cut short", vec![0xa3, b'a', b'b']),
        ("an array", vec![0x93, 1, 0xc2, 0x90]),
        ("an array in a longer form", vec![0xdd, 0, 0, 0, 1, 0xc0]),
        ("an array that is cut short", vec![0x92, 1]),
        ("an array of 2^32 - 1 that are not there", vec![0xdd, 255, 255, 255, 255]),
        ("a map", vec![0x81, 0xa1, b'a', 0x80]),
        (
            "a map in which a key comes twice: the last counts",
            vec![0x82, 0xa1, b'a', 1, 0xa1, b'a', 2],
        ),
        ("a map of 2^32 - 1 that are not there", vec![0xdf, 255, 255, 255, 255]),
        ("a key that is an integer", vec![0x81, 1, 2]),
        ("a key that is binary data", vec![0x81, 0xc4, 1, b'a', 2]),
        ("16 levels", nested(16, 0xc0)),
        ("16 levels around an empty array, which is no level", nested(16, 0x90)),
        ("17 levels", nested(17, 0xc0)),
        ("no byte at all", vec![]),
        ("two values", vec![0xc0, 0xc0]),
        ("a value and half a value", vec![0xc0, 0xd9]),
        ("an ext", vec![0xd4, 1, 0]),
        ("a timestamp", vec![0xd6, 0xff, 0, 0, 0, 0]),
        ("the byte that is reserved", vec![0xc1]),
    ]
}

/// A lane's direction, its bytes, and what is shown by them.
fn messages() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let hello = |body: &[u8]| [&[0x92, 0x01], body].concat();
    vec![
        ("an unknown key is skipped", "control to_server", hello(b"\x82\xa1v\x01\xa3new\x91\xc0")),
        (
            "an element after the body is skipped",
            "control to_server",
            b"\x93\x01\x81\xa1v\x01\xc0".to_vec(),
        ),
        ("an unknown kind is skipped", "control to_server", b"\x92\x7f\x81\xa1x\x01".to_vec()),
        (
            "an unknown kind whose body is no map",
            "control to_client",
            b"\x92\xcd\x01\x00\xc0".to_vec(),
        ),
        ("an unknown kind of an edits lane", "edits to_client", b"\x92\x63\x80".to_vec()),
        (
            "an unknown kind with an ext inside",
            "control to_server",
            b"\x92\x7f\xd4\x01\x00".to_vec(),
        ),
        (
            "an array in a longer form",
            "control to_client",
            b"\xdc\x00\x02\x04\x81\xa1h\x07".to_vec(),
        ),
        ("a kind in a longer form", "control to_server", b"\x92\xcc\x01\x81\xa1v\x01".to_vec()),
        (
            "a kind of 32 bits",
            "control to_server",
            b"\x92\xce\x00\x00\x00\x01\x81\xa1v\x01".to_vec(),
        ),
        ("a kind that is a string", "control to_server", b"\x92\xa1v\x80".to_vec()),
        ("no body", "control to_server", b"\x91\x01".to_vec()),
        ("a map instead of an array", "control to_server", b"\x81\xa1v\x01".to_vec()),
        ("a body that is an array", "control to_server", hello(b"\x91\x01")),
        ("a body that is nil", "control to_server", hello(b"\xc0")),
        ("a key is missing", "control to_server", hello(b"\x80")),
        ("a key comes twice", "control to_server", hello(b"\x82\xa1v\x01\xa1v\x01")),
        ("a value of a wrong type", "control to_server", hello(b"\x81\xa1v\xa11")),
        (
            "an integer out of its range",
            "control to_server",
            b"\x92\x03\x81\xa1h\xcf\x00\x00\x00\x01\x00\x00\x00\x00".to_vec(),
        ),
        (
            "nil for an optional field is none",
            "control to_server",
            hello(b"\x82\xa1v\x01\xa1t\xc0"),
        ),
        ("an unknown status is active", "control to_server", b"\x92\x06\x81\xa1a\x09".to_vec()),
        (
            "an unknown refusal keeps its number",
            "control to_client",
            b"\x92\x04\x82\xa1h\x07\xa1c\xcd\x03\xe7".to_vec(),
        ),
        (
            "an unknown operation",
            "edits to_server",
            b"\x92\x02\x82\xa1n\x01\xa1o\x91\x82\xa1k\x04\xa1i\xa1r".to_vec(),
        ),
    ]
}

fn room_names() -> Vec<String> {
    let long =
        |namespace: usize, name: usize| format!("{}:{}", "n".repeat(namespace), "x".repeat(name));
    let mut names: Vec<String> = [
        "default:lobby",
        "hz20:load-0",
        "a_1-b:Straße: ein Bild",
        "default: ",
        "lobby",
        ":lobby",
        "default:",
        "Default:lobby",
        "de fault:lobby",
        "default:a\nb",
        "default:\u{7f}",
        "default:\u{85}",
        "",
    ]
    .map(String::from)
    .to_vec();
    names.push(long(limits::NAMESPACE_BYTES_MAX, limits::ROOM_NAME_BYTES_MAX));
    names.push(long(limits::NAMESPACE_BYTES_MAX + 1, 1));
    names.push(long(1, limits::ROOM_NAME_BYTES_MAX + 1));
    names
}

/// A value as vectors show it: its meaning, its depth and the form in which Rust writes it; or why it is refused.
fn describe_value(bytes: &[u8]) -> Json {
    if let Err(error) = check(bytes) {
        return json!({ "error": error.name() });
    }
    let value: Value = rmp_serde::from_slice(bytes).unwrap();
    let written = rmp_serde::to_vec(&value).unwrap();
    json!({ "value": to_json(&value), "depth": value.depth(), "written": hex(&written) })
}

/// What comes of a message: its name and the form in which Rust writes it, `skipped`, or why it is refused.
fn describe_message(lane: &str, bytes: &[u8]) -> Json {
    fn read<M: Message>(bytes: &[u8]) -> Json {
        match M::read(bytes) {
            Ok(Some(message)) => {
                json!({ "message": message.name(), "written": hex(&message.value()) })
            }
            Ok(None) => json!({ "skipped": true }),
            Err(error) => json!({ "error": error.name() }),
        }
    }
    match lane {
        "control to_server" => read::<ToServer>(bytes),
        "control to_client" => read::<ToClient>(bytes),
        "edits to_server" => read::<EditsToServer>(bytes),
        _ => read::<EditsToClient>(bytes),
    }
}

fn describe_room(name: &str) -> Json {
    match name.parse::<RoomName>() {
        Ok(room) => json!({ "namespace": room.namespace(), "room": room.name() }),
        Err(_) => json!({ "error": true }),
    }
}

fn merged(first: Json, second: &Json) -> Json {
    let (Json::Object(mut object), Json::Object(more)) = (first, second.clone()) else {
        unreachable!("both are objects")
    };
    object.extend(more);
    object.into()
}

#[test]
fn f4_values_are_checked_before_anything_is_allocated() {
    let made = json!({
        "about": "values: as user's data. messages: without their length prefix. written: the form that Rust writes.",
        "values": values().iter().map(|(name, bytes)| {
            merged(json!({ "name": name, "hex": hex(bytes) }), &describe_value(bytes))
        }).collect::<Json>(),
        "messages": messages().iter().map(|(name, lane, bytes)| {
            merged(json!({ "name": name, "lane": lane, "hex": hex(bytes) }), &describe_message(lane, bytes))
        }).collect::<Json>(),
        "room_names": room_names().iter().map(|name| {
            merged(json!({ "name": name }), &describe_room(name))
        }).collect::<Json>(),
    });
    let file = golden("values.json", &made);
    let holds = |vector: &Json, found: Json| assert_eq!(&merged(vector.clone(), &found), vector);
    for vector in items(&file["values"]) {
        holds(vector, describe_value(&unhex(&vector["hex"])));
        if !vector["written"].is_null() {
            let value: Value = rmp_serde::from_slice(&unhex(&vector["written"])).unwrap();
            assert_eq!(to_json(&value), vector["value"]);
        }
    }
    for vector in items(&file["messages"]) {
        holds(vector, describe_message(text(&vector["lane"]), &unhex(&vector["hex"])));
        if !vector["written"].is_null() {
            let again = describe_message(text(&vector["lane"]), &unhex(&vector["written"]));
            assert_eq!(again["written"], vector["written"]);
        }
    }
    for vector in items(&file["room_names"]) {
        holds(vector, describe_room(text(&vector["name"])));
    }
}
