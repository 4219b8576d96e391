//! How often each thing has happened, in all worlds together: a comparison of what never happens proves nothing.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value as Json;

/// What has to happen in the seeds that are run by default.
const WANTED: [&str; 30] = [
    "broken",
    "closed",
    "moved",
    "told ack",
    "told bye",
    "told enter",
    "told entered",
    "told event",
    "told events lost",
    "told leave",
    "told left",
    "told loaded",
    "told refused",
    "told reject",
    "told update",
    "told welcome",
    "sent hello",
    "sent join",
    "sent leave",
    "sent presence",
    "sent event",
    "sent status",
    "sent viewport",
    "sent motion",
    "sent bye",
    "sent open",
    "sent submit",
    "sent sample",
    "sent ack",
    "sent ack of several parts",
];

/// The words for the kinds of messages, from 1 on.
const CONTROL: [&str; 11] = [
    "hello",
    "join",
    "leave",
    "presence",
    "event",
    "status",
    "ping",
    "bye",
    "viewport",
    "motion",
    "resumable",
];
const EDITS: [&str; 2] = ["open", "submit"];

/// The counts, by what was counted.
#[derive(Debug, Default)]
pub(crate) struct Figures(BTreeMap<String, u64>);

impl Figures {
    /// Counts what TypeScript's answer to a step tells.
    pub(crate) fn add(&mut self, answer: &Json) {
        let list = |json: &Json| json.as_array().cloned().unwrap_or_default();
        let sent = &answer["sent"];
        let kind = |message: &Json, words: &[&str]| {
            let kind = message[0].as_u64().and_then(|kind| usize::try_from(kind).ok()).unwrap_or(0);
            format!("sent {}", words.get(kind.wrapping_sub(1)).unwrap_or(&"?"))
        };
        for message in list(&sent["control"]) {
            self.count(kind(&message, &CONTROL), 1);
        }
        for message in list(&sent["edits"]) {
            self.count(kind(&message[1], &EDITS), 1);
        }
        for record in list(&sent["records"]) {
            self.count(format!("sent {}", record[0].as_str().unwrap_or("?")), 1);
        }
        for news in list(&answer["news"]["others"]) {
            self.count(format!("told {}", news[0].as_str().unwrap_or("?")), 1);
        }
        self.count("told update", list(&answer["news"]["updates"]).len() as u64);
        self.count("closed", list(&sent["closed"]).len() as u64);
        self.count("moved", answer["moved"].as_object().map_or(0, |moved| moved.len() as u64));
        self.count("broken", u64::from(answer["broken"] == true));
    }

    fn count(&mut self, what: impl Into<String>, times: u64) {
        *self.0.entry(what.into()).or_default() += times;
    }

    /// What has never happened.
    pub(crate) fn missing(&self) -> Vec<String> {
        let never = |what: &&str| self.0.get(*what).is_none_or(|count| *count == 0);
        WANTED.into_iter().filter(never).map(|what| format!("never: {what}")).collect()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts: Vec<String> =
            self.0.iter().map(|(what, count)| format!("{what} {count}")).collect();
        f.write_str(&counts.join(", "))
    }
}
