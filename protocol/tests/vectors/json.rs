//! JSON of vectors: hex, users' values, and a printer with one order of keys and short lines, for readable diffs.

use hither_protocol::message::{Map, Value};
use serde_json::{Value as Json, json};

/// Keys that come first in an object, in this order; all others follow by name.
const FIRST: [&str; 23] = [
    "about", "name", "do", "expect", "say", "code", "lane", "message", "kind", "value", "hex",
    "body", "axes", "motion", "hz", "frame", "tick", "index", "baseline", "slot", "room", "number",
    "values",
];
const COLUMNS_MAX: usize = 110;
const SMALL_MAX: usize = 20;

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn unhex(json: &Json) -> Vec<u8> {
    let digits = json.as_str().unwrap();
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}

/// A user's value: binary data is `{"$bin": hex}`, and a float has a fraction.
pub(crate) fn to_json(value: &Value) -> Json {
    match value {
        Value::Nil => Json::Null,
        Value::Bool(value) => json!(value),
        Value::Int(value) => json!(value),
        Value::Float(value) => json!(value),
        Value::String(value) => json!(value),
        Value::Binary(bytes) => json!({ "$bin": hex(bytes) }),
        Value::Array(items) => items.iter().map(to_json).collect(),
        Value::Map(map) => map.iter().map(|(key, value)| (key.clone(), to_json(value))).collect(),
    }
}

pub(crate) fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match number.as_i64() {
            Some(value) => Value::Int(value),
            None => Value::Float(number.as_f64().unwrap()),
        },
        Json::String(value) => Value::String(value.clone()),
        Json::Array(items) => Value::Array(items.iter().map(from_json).collect()),
        Json::Object(object) => match object.get("$bin") {
            Some(digits) => Value::Binary(unhex(digits)),
            None => Value::Map(
                object.iter().map(|(key, value)| (key.clone(), from_json(value))).collect::<Map>(),
            ),
        },
    }
}

pub(crate) fn items(json: &Json) -> &[Json] {
    json.as_array().map_or(&[], Vec::as_slice)
}

pub(crate) fn text(json: &Json) -> &str {
    json.as_str().unwrap()
}

pub(crate) fn pretty(json: &Json) -> String {
    let mut out = String::new();
    print(json, 0, &mut out);
    out.push('\n');
    out
}

fn print(json: &Json, indent: usize, out: &mut String) {
    let line = one_line(json);
    let is_leaf = !json.is_array() && !json.is_object();
    if is_leaf || indent > 0 && indent + line.len() <= COLUMNS_MAX {
        out.push_str(&line);
        return;
    }
    let (open, close) = if json.is_array() { ('[', ']') } else { ('{', '}') };
    out.push(open);
    let mut separator = "\n";
    for line in lines(json, indent + 2) {
        out.push_str(separator);
        out.push_str(&" ".repeat(indent + 2));
        out.push_str(&line);
        separator = ",\n";
    }
    out.push('\n');
    out.push_str(&" ".repeat(indent));
    out.push(close);
}

/// What is inside an array or an object: each thing from a line of its own on, but small ones share lines.
fn lines(json: &Json, indent: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let is_small = |item: &Json| one_line(item).len() <= SMALL_MAX;
    if !json.is_array() || !items(json).iter().all(is_small) {
        for (mut line, value) in entries(json) {
            print(value, indent, &mut line);
            lines.push(line);
        }
        return lines;
    }
    for item in items(json).iter().map(one_line) {
        match lines.last_mut().filter(|line| indent + line.len() + item.len() < COLUMNS_MAX) {
            Some(line) => line.extend([", ", item.as_str()]),
            None => lines.push(item),
        }
    }
    lines
}

fn one_line(json: &Json) -> String {
    let (open, close) = match json {
        Json::Array(_) => ("[", "]"),
        Json::Object(object) if !object.is_empty() => ("{ ", " }"),
        Json::Object(_) => ("{", "}"),
        leaf => return leaf.to_string(),
    };
    let inside: Vec<String> =
        entries(json).into_iter().map(|(key, value)| key + &one_line(value)).collect();
    format!("{open}{}{close}", inside.join(", "))
}

/// What is inside an array or an object, each with what stands before it.
fn entries(json: &Json) -> Vec<(String, &Json)> {
    match json {
        Json::Array(items) => items.iter().map(|item| (String::new(), item)).collect(),
        Json::Object(object) => {
            let mut keys: Vec<&String> = object.keys().collect();
            let rank = |key: &str| FIRST.iter().position(|first| *first == key);
            keys.sort_by_key(|key| (rank(key).unwrap_or(FIRST.len()), *key));
            keys.into_iter().map(|key| (format!("{}: ", json!(key)), &object[key])).collect()
        }
        _ => Vec::new(),
    }
}
