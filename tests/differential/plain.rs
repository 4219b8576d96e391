//! The one form in which both ends say what they know: JSON in which equal things are equal, whatever their bytes were.

use hither_protocol::RoomHandle;
use hither_protocol::message::control::{AxisFormat, Member};
use hither_protocol::message::{Map, Rights, Value};
use hither_protocol::session::Room;
use serde_json::{Value as Json, json};

/// 2^53 - 1.
const INTEGER_MAX: f64 = 9_007_199_254_740_991.0;

/// A user's value. A whole number is one, however it was coded; any other is its bits.
pub(crate) fn plain(value: &Value) -> Json {
    match value {
        Value::Nil => Json::Null,
        Value::Bool(value) => json!(value),
        Value::Int(value) => json!(value),
        Value::Float(value) if value.fract() == 0.0 && value.abs() <= INTEGER_MAX => {
            json!(*value as i64)
        }
        Value::Float(value) if value.is_nan() => json!({ "$f64": "7ff8000000000000" }),
        Value::Float(value) => json!({ "$f64": to_hex(&value.to_be_bytes()) }),
        Value::String(value) => json!(value),
        Value::Binary(value) => json!({ "$bin": to_hex(value) }),
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Map(map) => plain_map(map),
    }
}

pub(crate) fn plain_map(map: &Map) -> Json {
    map.iter().map(|(key, value)| (key.clone(), plain(value))).collect()
}

/// A message without its length, `None` if it is no MessagePack.
pub(crate) fn plain_message(bytes: &[u8]) -> Option<Json> {
    rmp_serde::from_slice(bytes).ok().map(|value| plain(&value))
}

/// All that a room shows.
pub(crate) fn plain_room(room: &Room, handle: RoomHandle) -> Json {
    let format = room.motion_format();
    let axes = format.axes.len();
    let may_edit = room.rights().contains(Rights::EDIT);
    let positions = room.members().filter_map(|member| {
        let position = room.position(member.slot)?.axes();
        Some([&[i32::from(member.slot.0)], &position[..axes]].concat())
    });
    let members = room.members().map(|member| plain_member(member, member.slot == room.slot()));
    let records = room.records().map(|records| {
        let plain = |(id, version, fields): (&str, u64, _)| {
            (id.to_owned(), json!([version, plain_map(fields)]))
        };
        records.confirmed().records().map(plain).collect::<serde_json::Map<_, _>>()
    });
    let shown = room.records().into_iter().flat_map(|records| records.iter());
    let shown: serde_json::Map<_, _> =
        shown.map(|(id, fields)| (id.to_owned(), plain_map(fields))).collect();
    json!({
        "format": [
            handle.0, room.slot().0, room.generation().0, may_edit, format.tick_hz,
            format.axes.iter().map(plain_axis).collect::<Vec<_>>(),
        ],
        "seen": [room.seen().epoch.0, room.seen().number],
        "members": members.collect::<Vec<_>>(),
        "positions": positions.collect::<Vec<_>>(),
        "records": records,
        "shown": shown,
        "unanswered": room.unanswered_edits(),
    })
}

fn plain_axis(axis: &AxisFormat) -> Json {
    json!([plain(&Value::Float(axis.step)), axis.min, axis.max, axis.wraps])
}

fn plain_member(member: &Member, is_own: bool) -> Json {
    let Member { slot, generation, user, presence, status } = member;
    // Rust patches the own presence before the server has heard of it; TypeScript leaves that to the application.
    let presence = (!is_own).then(|| plain_map(presence));
    json!([slot.0, generation.0, user.id, user.name, presence, u8::from(*status)])
}

/// Bytes in lower case.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of what is hex.
pub(crate) fn from_hex(hex: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).expect("a hex digit") as u8;
    hex.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// Where two values differ first, and how; `None` if they do not.
pub(crate) fn difference(path: &str, rust: &Json, typescript: &Json) -> Option<String> {
    if rust == typescript {
        return None;
    }
    let inside = match (rust, typescript) {
        (Json::Array(ours), Json::Array(theirs)) if ours.len() == theirs.len() => {
            let pairs = ours.iter().zip(theirs).enumerate();
            pairs.into_iter().find_map(|(at, (a, b))| difference(&format!("{path}[{at}]"), a, b))
        }
        (Json::Object(ours), Json::Object(theirs)) if ours.keys().eq(theirs.keys()) => {
            ours.iter().find_map(|(key, a)| difference(&format!("{path}.{key}"), a, &theirs[key]))
        }
        _ => None,
    };
    let short = |json: &Json| json.to_string().chars().take(600).collect::<String>();
    inside
        .or_else(|| Some(format!("{path}: Rust {}, TypeScript {}", short(rust), short(typescript))))
}
