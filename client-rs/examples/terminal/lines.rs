//! The JSON lines, without reading or writing them: a command from its line, a line from its news.

use hither_client::{Map, Member, Op, OpKind, Position, Status};
use serde::Deserialize;
use serde_json::{Map as Fields, Value as Json, json};

use crate::app::News;
use crate::values::{from_json, map_from_json, map_to_json, to_json};
use crate::visit::Command;

/// A command as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum Line {
    Motion(Vec<f64>),
    Presence(Fields<String, Json>),
    Event {
        name: String,
        #[serde(default)]
        data: Json,
    },
    Put {
        id: String,
        fields: Fields<String, Json>,
    },
    Patch {
        id: String,
        fields: Fields<String, Json>,
    },
    Remove {
        id: String,
    },
    Leave(bool),
}

/// Reads a line.
///
/// # Errors
/// The line is at fault, as the sentence says.
pub(crate) fn parse(line: &[u8]) -> Result<Command, String> {
    let line: Line = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    Ok(match line {
        Line::Motion(axes) => Command::Motion(position(&axes)?),
        Line::Presence(patch) => Command::Presence(map(patch)?),
        Line::Event { name, data } => Command::Event(name, from_json(data).ok_or(NO_VALUE)?),
        Line::Put { id, fields } => edit(OpKind::Put, id, map(fields)?),
        Line::Patch { id, fields } => edit(OpKind::Patch, id, map(fields)?),
        Line::Remove { id } => edit(OpKind::Remove, id, Map::new()),
        Line::Leave(true) => Command::Leave,
        Line::Leave(false) => return Err("to stay, say nothing".into()),
    })
}

/// The line that tells of something.
pub(crate) fn print(news: &News) -> Json {
    match news {
        News::Entered(slot, members) => {
            let members: Vec<Json> = members.iter().map(member).collect();
            json!({"entered": {"slot": slot, "members": members}})
        }
        News::Joined(new) => json!({ "joined": member(new) }),
        News::Changed(changed) => json!({ "changed": member(changed) }),
        News::Left(left) => json!({"left": {"slot": left.slot}}),
        News::Out(slot, None) => json!({"left": {"slot": slot}}),
        News::Out(slot, Some(reason)) => {
            json!({"left": {"slot": slot, "reason": reason.name()}})
        }
        News::Moved(slot, position, axes) => {
            json!({"motion": {"slot": slot, "position": position.axes()[..*axes.min(&4)]}})
        }
        News::Event { from, name, data, number } => {
            let mut event = json!({"slot": from, "name": name, "data": to_json(data)});
            if let Some(number) = number {
                event["number"] = json!(number);
            }
            json!({ "event": event })
        }
        News::EventsLost => json!({"events_lost": true}),
        News::Records(records) => {
            let records: Fields<String, Json> =
                records.iter().map(|(id, fields)| (id.clone(), map_to_json(fields))).collect();
            json!({ "records": records })
        }
        News::Acked(number) => json!({"acked": {"number": number}}),
        News::Rejected { number, code, message } => {
            json!({"rejected": {"number": number, "code": code.name(), "message": message}})
        }
        News::Refused { code, message, retry_after_ms } => {
            let mut refused = json!({"code": code.name(), "message": message});
            if let Some(retry_after_ms) = retry_after_ms {
                refused["retry_after_ms"] = json!(retry_after_ms);
            }
            json!({ "refused": refused })
        }
        News::Closed { code, reason } => json!({"closed": {"code": code, "reason": reason}}),
    }
}

/// The line that says why a command was not done.
pub(crate) fn print_error(error: &str) -> Json {
    json!({ "error": error })
}

const NO_VALUE: &str = "an integer is out of range, or `$bin` is not hex";

fn position(axes: &[f64]) -> Result<Position, String> {
    if axes.is_empty() || axes.len() > 4 {
        return Err("a position has 1 to 4 numbers".into());
    }
    // A cast of a float stops at the ends of its range, and so does a position.
    Ok(Position::new(std::array::from_fn(|axis| {
        axes.get(axis).map_or(0, |value| value.round() as i32)
    })))
}

fn map(fields: Fields<String, Json>) -> Result<Map, String> {
    map_from_json(fields).ok_or_else(|| NO_VALUE.into())
}

fn edit(kind: OpKind, record: String, fields: Map) -> Command {
    Command::Edit(Op::new(kind, record, fields))
}

fn member(member: &Member) -> Json {
    let status = match member.status {
        Status::Active => "active",
        Status::Away => "away",
        Status::Lost => "lost",
    };
    json!({
        "slot": member.slot,
        "generation": member.generation,
        "name": member.user.name,
        "user": member.user.id,
        "presence": map_to_json(&member.presence),
        "status": status,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hither_client::{Refusal, Slot, Value};
    use std::collections::BTreeMap;

    #[test]
    fn every_command_has_its_line() {
        let fields = || Map::from([("x".into(), 1.into())]);
        let op = |kind, fields| Command::Edit(Op::new(kind, "r", fields));
        let cases = [
            (r#"{"motion":[1,2]}"#, Command::Motion(Position::xy(1, 2))),
            (r#"{"motion":[1.6,-2.4,3]}"#, Command::Motion(Position::new([2, -2, 3, 0]))),
            (r#"{"motion":[1e99,-1e99]}"#, Command::Motion(Position::xy(i32::MAX, i32::MIN))),
            (r#"{"presence":{"x":1}}"#, Command::Presence(fields())),
            (r#"{"event":{"name":"a"}}"#, Command::Event("a".into(), Value::Nil)),
            (
                r#"{"event":{"name":"a","data":{"x":1}}}"#,
                Command::Event("a".into(), Value::Map(fields())),
            ),
            (r#"{"put":{"id":"r","fields":{"x":1}}}"#, op(OpKind::Put, fields())),
            (r#"{"patch":{"id":"r","fields":{"x":1}}}"#, op(OpKind::Patch, fields())),
            (r#"{"remove":{"id":"r"}}"#, op(OpKind::Remove, Map::new())),
            (r#"{"leave":true}"#, Command::Leave),
        ];
        for (line, command) in cases {
            assert_eq!(parse(line.as_bytes()), Ok(command), "{line}");
        }
    }

    #[test]
    fn a_bad_line_is_answered_and_never_done_by_half() {
        let lines = [
            "x",
            "[]",
            "{}",
            r#"{"fly":true}"#,
            r#"{"motion":[]}"#,
            r#"{"motion":[1,2,3,4,5]}"#,
            r#"{"motion":[1],"leave":true}"#,
            r#"{"put":{"id":"r"}}"#,
            r#"{"put":{"id":"r","fields":{},"field":1}}"#,
            r#"{"presence":{"x":{"$bin":"0"}}}"#,
            r#"{"leave":false}"#,
        ];
        for line in lines {
            assert!(parse(line.as_bytes()).is_err(), "{line}");
        }
        assert!(parse(b"{\"event\":{\"name\":\"\xff\"}}").is_err(), "not UTF-8");
    }

    #[test]
    fn every_piece_of_news_has_its_line() {
        let slot = Slot(3);
        let ada = crate::app::tests::member(3, "Ada", 200);
        let told = r#"{"generation":0,"name":null,"presence":{"color":200,"name":"Ada"},"#;
        let told = format!(r#"{told}"slot":3,"status":"active","user":""}}"#);
        let event = |number| News::Event { from: slot, name: "a".into(), data: Value::Nil, number };
        let (code, message) = (Refusal::RateLimited, "m".to_owned());
        let records = BTreeMap::from([("r".into(), Map::from([("x".into(), 1.5.into())]))]);
        let refused = |retry_after_ms| News::Refused { code, message: "m".into(), retry_after_ms };
        let cases = [
            (
                News::Entered(slot, vec![ada.clone()]),
                format!(r#"{{"entered":{{"members":[{told}],"slot":3}}}}"#),
            ),
            (News::Joined(ada.clone()), format!(r#"{{"joined":{told}}}"#)),
            (News::Changed(ada.clone()), format!(r#"{{"changed":{told}}}"#)),
            (News::Left(ada), r#"{"left":{"slot":3}}"#.into()),
            (News::Out(slot, None), r#"{"left":{"slot":3}}"#.into()),
            (News::Out(slot, Some(code)), r#"{"left":{"reason":"rate_limited","slot":3}}"#.into()),
            (
                News::Moved(slot, Position::xy(1, 2), 2),
                r#"{"motion":{"position":[1,2],"slot":3}}"#.into(),
            ),
            (event(Some(7)), r#"{"event":{"data":null,"name":"a","number":7,"slot":3}}"#.into()),
            (event(None), r#"{"event":{"data":null,"name":"a","slot":3}}"#.into()),
            (News::EventsLost, r#"{"events_lost":true}"#.into()),
            (News::Records(records), r#"{"records":{"r":{"x":1.5}}}"#.into()),
            (News::Acked(1), r#"{"acked":{"number":1}}"#.into()),
            (
                News::Rejected { number: 2, code, message },
                r#"{"rejected":{"code":"rate_limited","message":"m","number":2}}"#.into(),
            ),
            (refused(None), r#"{"refused":{"code":"rate_limited","message":"m"}}"#.into()),
            (
                refused(Some(5)),
                r#"{"refused":{"code":"rate_limited","message":"m","retry_after_ms":5}}"#.into(),
            ),
            (
                News::Closed { code: None, reason: "r".into() },
                r#"{"closed":{"code":null,"reason":"r"}}"#.into(),
            ),
        ];
        for (news, line) in cases {
            assert_eq!(print(&news).to_string(), line);
        }
    }
}
