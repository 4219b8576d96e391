//! `limits.json` and `close.json`: the tables of numbers, held to the constants.

use std::path::Path;

use hither_protocol::limits::*;
use hither_protocol::message::control::Status;
use hither_protocol::message::{Refusal, Rights};
use hither_protocol::motion::{Axes, WINDOW};
use hither_protocol::{ALPN, CloseCode, PATH, Reaction, VERSION};
use serde_json::{Value as Json, json};

use crate::golden;
use crate::json::{items, text};

/// The specification, whose tables have to say the same.
pub(crate) fn spec() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/PROTOCOL.md");
    std::fs::read_to_string(path).unwrap()
}

/// A number with commas between its thousands.
fn grouped(number: &Json) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

macro_rules! limits {
    ($($name:ident)*) => {
        [$((stringify!($name), json!($name))),*]
    };
}

#[test]
fn l1_limits_are_the_constants() {
    let limits = limits!(
        MESSAGE_BYTES_MAX MOTION_DATAGRAM_BYTES_MAX TOKEN_BYTES_MAX RESUME_TOKEN_BYTES_MAX
        RESUME_MS PRESENCE_BYTES_MAX
        EVENT_BYTES_MAX RECORD_BYTES_MAX EDIT_OPS_MAX EDITS_UNANSWERED_MAX
        HISTORY_EDITS_MAX KEPT_EVENTS_MAX EDITOR_MS DEPTH_MAX NAMESPACE_BYTES_MAX
        ROOM_NAME_BYTES_MAX USER_NAME_BYTES_MAX USER_ID_BYTES_MAX EVENT_NAME_BYTES_MAX
        RECORD_ID_BYTES_MAX EVENT_TARGETS_MAX ROOMS_PER_SESSION_MAX STREAMS_MAX MEMBERS_MAX
        TICK_HZ_MAX
        MOTION_PER_SECOND PRESENCE_PER_SECOND EVENTS_PER_SECOND EDITS_PER_SECOND REQUESTS_PER_SECOND
        DATAGRAM_RECORDS_MAX BURST_SECONDS
        PENDING_HELLOS_MAX PENDING_HELLOS_PER_ADDRESS_MAX HELLO_DEADLINE_MS
        VIEWER_STREAM_QUEUE_BYTES_MAX VIEWER_MOTION_QUEUE_BYTES_MAX AXES_MAX AXIS_LIMIT
    );
    let source = include_str!("../../src/limits.rs");
    for name in source.lines().filter_map(|line| line.strip_prefix("pub const ")) {
        let name = name.split(':').next().unwrap();
        assert!(limits.iter().any(|(known, _)| *known == name), "{name} is in no vector");
    }
    let slots = [1, 2, 3, 4].map(|count| Axes::open(count).unwrap().slots_per_part());
    let made = json!({
        "about": "The numbers that both ends rely on; a server may lower the limits, never raise them.",
        "version": VERSION, "path": PATH, "alpn": ALPN,
        "limits": limits.iter()
            .map(|(name, value)| (name.to_lowercase(), value.clone()))
            .collect::<serde_json::Map<String, Json>>(),
        "motion": { "baseline_window_ticks": WINDOW, "slots_per_part": slots },
    });
    golden("limits.json", &made);
    let spec = spec();
    for (name, value) in &limits {
        let row = format!("| `{}` | {} |", name.to_lowercase(), grouped(value));
        assert!(spec.contains(&row), "PROTOCOL.md lacks {row}");
    }
}

#[test]
fn c2_codes_are_the_constants() {
    let codes = CloseCode::ALL.map(|code| {
        let reaction = Reaction::to(code.number()).name();
        json!({ "code": code.number(), "name": code.name(), "reaction": reaction })
    });
    let others = [0, 1, 256, 3999, 4099, 4100, 4199, 4200, 4299, 4300, u32::MAX]
        .map(|number| json!({ "code": number, "reaction": Reaction::to(number).name() }));
    let refusals =
        Refusal::ALL.map(|refusal| json!({ "code": u32::from(refusal), "name": refusal.name() }));
    let statuses = [("active", Status::Active), ("away", Status::Away), ("lost", Status::Lost)]
        .map(|(name, status)| json!({ "code": u8::from(status), "name": name }));
    let rights = ["join", "presence", "motion", "broadcast", "edit"]
        .map(|name| json!({ "name": name, "bit": Rights::from_name(name).unwrap().0 }));
    let made = json!({
        "about": "codes: of bye and of closes. others: what a client does on codes that it does not know.",
        "codes": codes, "others": others, "refusals": refusals, "statuses": statuses, "rights": rights,
    });
    let file = golden("close.json", &made);
    for vector in items(&file["codes"]) {
        let number = vector["code"].as_u64().unwrap() as u32;
        let code = CloseCode::from_number(number).unwrap();
        let row = format!("| {number} | `{}` |", code.name());
        assert!(spec().contains(&row), "PROTOCOL.md lacks {row}");
        assert_eq!((code.name(), json!(number)), (text(&vector["name"]), vector["code"].clone()));
    }
}

#[test]
fn e1_refusals_are_read_by_their_numbers() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/close.json");
    let file: Json = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(items(&file["refusals"]).len(), Refusal::ALL.len());
    for vector in items(&file["refusals"]) {
        let refusal = Refusal::from(vector["code"].as_u64().unwrap() as u32);
        assert_eq!(refusal.name(), text(&vector["name"]));
        let row = format!("| {} | `{}` |", vector["code"], refusal.name());
        assert!(spec().contains(&row), "PROTOCOL.md lacks {row}");
    }
}
