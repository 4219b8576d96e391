//! What happens to a client, and what its user does, as the question that TypeScript is asked.

use bytes::Bytes;
use hither_protocol::message::control::{Hello, Seen, Status, Viewport};
use hither_protocol::message::edits::Op;
use hither_protocol::message::{Map, Value};
use hither_protocol::session::Session;
use hither_protocol::{RoomHandle, RoomName, Slot};
use serde_json::{Value as Json, json};

use crate::plain::{plain, plain_map, to_hex};
use crate::twin::EDITOR;

/// One step of a client.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Connect(Hello),
    Control(Bytes),
    Edits(RoomHandle, Bytes),
    Datagram(Bytes),
    Timeout,
    Enter(RoomName, Map, Option<Seen>),
    Leave(RoomHandle),
    Presence(RoomHandle, Map),
    Event(RoomHandle, String, Value, Vec<Slot>),
    Status(Status),
    /// A step on each axis, which may be out of range.
    Motion(RoomHandle, [i32; 4]),
    /// A rectangle in steps, and a slot to follow.
    Viewport(RoomHandle, Option<Viewport>, Option<Slot>),
    Open(RoomHandle),
    Submit(RoomHandle, Vec<Op>),
    Undo(RoomHandle),
    Redo(RoomHandle),
    Group(RoomHandle),
    Ungroup(RoomHandle),
    Bye,
}

impl Step {
    /// The question; `session` knows what a step of motion is in the application's unit.
    pub(crate) fn question(&self, now_ms: f64, session: &Session) -> Json {
        let mut question = self.without_time(session);
        question["now"] = json!(now_ms);
        question
    }

    fn without_time(&self, session: &Session) -> Json {
        match self {
            Self::Connect(hello) => {
                let mut fields = serde_json::Map::new();
                fields.extend(hello.token.iter().map(|token| ("token".into(), json!(token))));
                let resume = hello.resume_token.iter();
                fields.extend(resume.map(|token| ("resumeToken".into(), json!(token))));
                fields.extend(hello.name.iter().map(|name| ("name".into(), json!(name))));
                fields.insert("reliableMotion".into(), json!(hello.reliable_motion));
                json!({ "do": "connect", "hello": fields, "editor": to_hex(&EDITOR.0) })
            }
            Self::Control(bytes) => json!({ "do": "control", "bytes": to_hex(bytes) }),
            Self::Edits(room, bytes) => {
                json!({ "do": "edits", "room": room.0, "bytes": to_hex(bytes) })
            }
            Self::Datagram(bytes) => json!({ "do": "datagram", "bytes": to_hex(bytes) }),
            Self::Timeout => json!({ "do": "timeout" }),
            Self::Enter(name, presence, seen) => {
                let presence = plain_map(presence);
                let mut question =
                    json!({ "do": "enter", "name": name.as_str(), "presence": presence });
                if let Some(Seen { epoch, number }) = seen {
                    question["seen"] = json!({ "epoch": epoch.0, "number": number });
                }
                question
            }
            Self::Leave(room) => json!({ "do": "leave", "room": room.0 }),
            Self::Presence(room, patch) => {
                json!({ "do": "presence", "room": room.0, "patch": plain_map(patch) })
            }
            Self::Event(room, name, data, to) => {
                let to: Vec<u16> = to.iter().map(|slot| slot.0).collect();
                let data = plain(data);
                json!({ "do": "event", "room": room.0, "name": name, "data": data, "to": to })
            }
            Self::Status(status) => json!({ "do": "status", "status": u8::from(*status) }),
            Self::Motion(room, axes) => {
                let steps = steps(session, *room);
                let position: [f64; 4] =
                    std::array::from_fn(|axis| f64::from(axes[axis]) * steps[axis]);
                json!({ "do": "motion", "room": room.0, "position": position })
            }
            Self::Viewport(room, viewport, follow) => {
                let [x, y, ..] = steps(session, *room);
                let viewport = viewport.map(|Viewport { left, top, right, bottom }| {
                    let (left, right) = (f64::from(left) * x, f64::from(right) * x);
                    let (top, bottom) = (f64::from(top) * y, f64::from(bottom) * y);
                    json!({ "left": left, "top": top, "right": right, "bottom": bottom })
                });
                let mut question =
                    json!({ "do": "viewport", "room": room.0, "viewport": viewport });
                if let Some(slot) = follow {
                    question["follow"] = json!(slot.0);
                }
                question
            }
            Self::Open(room) => json!({ "do": "open", "room": room.0 }),
            Self::Submit(room, ops) => {
                json!({ "do": "submit", "room": room.0, "ops": ops.iter().map(plain_op).collect::<Vec<_>>() })
            }
            Self::Undo(room) => json!({ "do": "undo", "room": room.0 }),
            Self::Redo(room) => json!({ "do": "redo", "room": room.0 }),
            Self::Group(room) => json!({ "do": "group", "room": room.0 }),
            Self::Ungroup(room) => json!({ "do": "ungroup", "room": room.0 }),
            Self::Bye => json!({ "do": "bye" }),
        }
    }
}

/// What a step on each axis is in the application's unit; an axis that is not there is like the first.
fn steps(session: &Session, room: RoomHandle) -> [f64; 4] {
    let axes = session.room(room).map(|room| room.motion_format().axes.as_slice());
    let axes = axes.unwrap_or_default();
    std::array::from_fn(|axis| axes.get(axis).or(axes.first()).map_or(1.0, |axis| axis.step))
}

fn plain_op(op: &Op) -> Json {
    let (kind, fields) = (u8::from(op.kind), plain_map(&op.fields));
    let mut plain = json!({ "kind": kind, "record": op.record, "fields": fields });
    plain.as_object_mut().into_iter().for_each(|plain| {
        plain.extend(op.if_version.map(|version| ("ifVersion".to_owned(), json!(version))));
    });
    plain
}
