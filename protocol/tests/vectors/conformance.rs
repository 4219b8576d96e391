//! `conformance.json`: scripts of what a server does to a whole client. No client is run here: this holds the file,
//! which is written by hand, to its words, and its messages to the protocol.

use hither_protocol::message::Value;
use hither_protocol::message::control::{ToClient, ToServer};
use hither_protocol::message::edits::{EditsToClient, EditsToServer};
use serde_json::{Value as Json, json};

use crate::golden;
use crate::json::{from_json, items, text, to_json};
use crate::messages::Message;

const FILE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/conformance.json"));

/// What a step is, by the one key that says it.
const STEPS: [&str; 14] = [
    "do",
    "connect",
    "expect",
    "say",
    "close",
    "closed",
    "pass",
    "status",
    "lost_connection",
    "resumed",
    "others",
    "events",
    "events_lost",
    "records",
];
const DOS: [&str; 9] =
    ["enter", "leave", "presence", "broadcast", "viewport", "follow", "open", "put", "nudge"];

/// What a client has that follows a script, if not every one has it.
const NEEDS: [&str; 2] = ["rooms", "nudge"];

/// Whether a lane has a message of this name whose body is this and nothing else.
fn is_message<M: Message>(name: &str, body: &Json) -> bool {
    (1..=12).any(|kind| {
        let value = Value::Array(vec![Value::Int(kind), from_json(body)]);
        let Ok(Some(message)) = M::read(&rmp_serde::to_vec(&value).unwrap()) else { return false };
        let written: Value = rmp_serde::from_slice(&message.value()).unwrap();
        message.name() == name && to_json(&written)[1] == *body
    })
}

/// A body with the number of its request, or the editor, which stand in no script.
fn with_request(name: &str, body: &Json) -> Json {
    let mut body = body.clone();
    if ["join", "joined", "error"].contains(&name) {
        assert!(body.get("i").is_none(), "the request's number is the runner's: {body}");
        body["i"] = json!(1);
    }
    if name == "open" {
        assert!(body.get("e").is_none(), "the editor is the client's own: {body}");
        body["e"] = json!({ "$bin": "00000000000000000000000000000000" });
    }
    body
}

#[test]
fn f6_conformance_scripts_say_what_there_is() {
    let file = golden("conformance.json", &serde_json::from_str(FILE).unwrap());
    for script in items(&file["scripts"]) {
        let needs = script.get("needs").map_or(&[][..], |needs| items(needs));
        assert!(needs.iter().all(|need| NEEDS.contains(&text(need))), "{}", script["name"]);
        for step in items(&script["steps"]) {
            let at = format!("{}: {step}", script["name"]);
            let known = STEPS.iter().filter(|key| step.get(**key).is_some()).count();
            assert_eq!(known, 1, "{at}");
            if let Some(act) = step.get("do") {
                assert!(DOS.contains(&text(act)), "{at}");
            }
            if let Some(name) = step.get("expect").map(text) {
                let body = with_request(name, &step["body"]);
                let is_known =
                    is_message::<ToServer>(name, &body) || is_message::<EditsToServer>(name, &body);
                assert!(is_known, "{at}");
            }
            if let Some(name) = step.get("say").map(text) {
                let body = with_request(name, &step["body"]);
                let is_known =
                    is_message::<ToClient>(name, &body) || is_message::<EditsToClient>(name, &body);
                assert!(is_known, "{at}");
            }
        }
    }
}
