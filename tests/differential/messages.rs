//! Messages and what noise makes of them: both languages read the same out of the same bytes, or neither reads any.

use std::path::Path;

use hither_protocol::message::MessageError;
use hither_protocol::message::control::ToClient;
use hither_protocol::message::edits::EditsToClient;
use hither_tests::server::after_prefix;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value as Json, json};

use crate::book::{Ranged, has_other_types};
use crate::node::Node;
use crate::plain::{difference, from_hex, plain_message, to_hex};
use crate::random::spoil;
use crate::tree::Tree;

/// A lane to the client: how Rust reads its messages and writes them again.
struct Lane {
    /// Its name in TypeScript.
    name: &'static str,
    /// Where its golden messages are.
    vectors: &'static str,
    read: fn(&[u8]) -> Result<Read, MessageError>,
}

/// What Rust makes of a message.
enum Read {
    /// A kind of a later version.
    Skipped,
    OutOfRange,
    /// The same, written again.
    Again(Vec<u8>),
}

macro_rules! read {
    ($message:ty) => {
        |bytes| {
            Ok(match <$message>::decode(bytes)? {
                None => Read::Skipped,
                Some(message) if !message.is_in_range() => Read::OutOfRange,
                Some(message) => Read::Again(after_prefix(&message.encode()).to_vec()),
            })
        }
    };
}

const LANES: [Lane; 2] = [
    Lane { name: "control", vectors: "control.json", read: read!(ToClient) },
    Lane { name: "edits", vectors: "edits.json", read: read!(EditsToClient) },
];

/// Judges so many spoiled messages of each lane, and returns where the languages differ.
pub(crate) fn judge_all(node: &mut Node, seed: u64, count: usize) -> Vec<String> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut findings = Vec::new();
    for lane in &LANES {
        let golden = golden(lane);
        // The first round is the golden messages themselves.
        let mut messages = golden.clone();
        messages.extend((golden.len()..count).map(|at| {
            let mut message = golden[at % golden.len()].clone();
            if rng.random() {
                spoil(&mut rng, &mut message);
                return message;
            }
            let mut tree = Tree::read(&message);
            (0..rng.random_range(1..=2)).for_each(|_| tree.bend(&mut rng));
            message.clear();
            tree.write(&mut rng, &mut message);
            message
        }));
        for messages in messages.chunks(1_000) {
            let hex: Vec<String> = messages.iter().map(|message| to_hex(message)).collect();
            let question = json!({ "do": "judge", "lane": lane.name, "messages": hex });
            let answers = match node.ask(&question) {
                Ok(answers) => answers,
                Err(thrown) => return vec![thrown],
            };
            let answers = answers.as_array().expect("an answer for each message");
            let pairs = messages.iter().zip(answers);
            findings.extend(pairs.filter_map(|(message, answer)| compare(lane, message, answer)));
        }
    }
    findings
}

fn compare(lane: &Lane, message: &[u8], answer: &Json) -> Option<String> {
    let refused = || Some(Json::from("refused"));
    let ours = match (lane.read)(message) {
        Ok(Read::Again(again)) => {
            let (before, again) = (plain_message(message)?, plain_message(&again)?);
            if has_other_types(&before, &again) { refused() } else { Some(again) }
        }
        Ok(Read::Skipped) => Some("skipped".into()),
        Ok(Read::OutOfRange) | Err(_) => refused(),
    };
    let found = difference(lane.name, &ours.expect("MessagePack"), answer)?;
    Some(format!("{found}\n    in {}", to_hex(message)))
}

fn golden(lane: &Lane) -> Vec<Vec<u8>> {
    let vectors = vectors(lane.vectors);
    let messages = vectors["to_client"].as_array().expect("a list of messages");
    messages.iter().map(|message| from_hex(message["hex"].as_str().expect("hex"))).collect()
}

/// A file of golden vectors.
pub(crate) fn vectors(file: &str) -> Json {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/vectors").join(file);
    let text = std::fs::read_to_string(path).expect("the vectors are there");
    serde_json::from_str(&text).expect("vectors are JSON")
}
