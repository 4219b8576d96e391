//! `control.json` and `edits.json`: every message of both lanes, with all of its fields and with none of the optional.

use bytes::Bytes;
use hither_protocol::close::CloseCode;
use hither_protocol::message::control::*;
use hither_protocol::message::edits::{
    Ack, AskHistory, Edit, Edits, EditsToClient, EditsToServer, History, Op, OpKind, Open, Place,
    Record, Reject, Snapshot, Submit,
};
use hither_protocol::message::{FrameBuffer, Map, MessageError, Refusal, Rights, Value};
use hither_protocol::{DocumentId, EditorId, Epoch, Generation, RoomHandle, Slot, Tick};
use serde_json::{Value as Json, json};

use crate::golden;
use crate::json::{from_json, hex, items, text, to_json, unhex};
use crate::scenarios;
use crate::tables::spec;

const TIME: u64 = 1_760_000_000_123;
const ROOM: RoomHandle = RoomHandle(7);
const DOCUMENT: DocumentId = DocumentId(90_071);

/// What the four enums of messages have in common.
pub(crate) trait Message: Sized + PartialEq + std::fmt::Debug {
    fn write(&self) -> Bytes;
    fn read(bytes: &[u8]) -> Result<Option<Self>, MessageError>;

    /// The variant's name in small letters.
    fn name(&self) -> String {
        format!("{self:?}").split('(').next().unwrap_or_default().to_lowercase()
    }

    /// The message without its length prefix.
    fn value(&self) -> Vec<u8> {
        let mut buffer = FrameBuffer::default();
        buffer.push(&self.write());
        buffer.pop().unwrap().unwrap().to_vec()
    }
}

macro_rules! message {
    ($($name:ident),*) => {$(
        impl Message for $name {
            fn write(&self) -> Bytes {
                self.encode()
            }
            fn read(bytes: &[u8]) -> Result<Option<Self>, MessageError> {
                Self::decode(bytes)
            }
        }
    )*};
}
message!(ToServer, ToClient, EditsToServer, EditsToClient);

fn map(fields: &[(&str, Value)]) -> Map {
    fields.iter().map(|(key, value)| ((*key).into(), value.clone())).collect()
}

fn member(slot: u16) -> Member {
    let user = User { id: format!("user-{slot}"), name: None };
    Member { slot: Slot(slot), generation: Generation(0), user, ..Member::default() }
}

fn whole_member() -> Member {
    Member {
        slot: Slot(4095),
        generation: Generation(70_000),
        user: User { id: "auth|4711".into(), name: Some("Ada Lövelace".into()) },
        presence: map(&[("color", "#0af".into()), ("selection", Value::Array(vec![3.into()]))]),
        status: Status::Away,
    }
}

fn event() -> Event {
    Event {
        number: 12,
        from: Slot(3),
        generation: Generation(1),
        name: "wave".into(),
        data: Value::Map(map(&[("hand", "left".into()), ("strength", 0.5.into())])),
        time_ms: TIME,
    }
}

fn event_id() -> EventId {
    EventId { epoch: Epoch(0x12_3456_789a_bcde), number: 12 }
}

fn half_steps() -> AxisFormat {
    AxisFormat { step: 0.5, ..AxisFormat::default() }
}

fn pose() -> MotionFormat {
    let plane = AxisFormat { step: 0.01, min: -100_000, max: 100_000, wraps: false };
    let height = AxisFormat { min: 0, ..half_steps() };
    let yaw = AxisFormat { step: 0.1, min: 0, max: 3_599, wraps: true };
    MotionFormat { tick_hz: 60, axes: vec![plane, height, plane, yaw] }
}

fn joined() -> Joined {
    Joined {
        request: 1,
        room: ROOM,
        epoch: Epoch(0x12_3456_789a_bcde),
        slot: Slot(3),
        generation: Generation(1),
        tick: Tick(90_000),
        rights: Rights::ALL,
        motion: MotionFormat { tick_hz: 30, axes: vec![half_steps(); 2] },
        event_last: 12,
        ..Joined::default()
    }
}

fn to_server() -> Vec<(&'static str, ToServer)> {
    let seen = Some(Seen { epoch: Epoch(0x12_3456_789a_bcde), number: 9 });
    let presence = map(&[
        ("color", "#0af".into()),
        ("thumbnail", Value::Binary(vec![0, 255, 1])),
        ("zoom", 1.25.into()),
    ]);
    let full = Join { request: 2, room: "board:Straße 7".into(), presence, seen };
    let patch = map(&[("color", "#f00".into()), ("selection", Value::Nil)]);
    let to = vec![Slot(0), Slot(300)];
    let event = SendEvent { room: ROOM, name: "wave".into(), data: Value::Nil, to: vec![] };
    let whisper =
        SendEvent { data: Value::Array(vec![true.into(), (-1).into()]), to, ..event.clone() };
    let hello = Hello { version: 1, ..Hello::default() };
    let everything = SetViewport { room: ROOM, ..SetViewport::default() };
    let rectangle = Viewport { left: -300, top: 0, right: 70_000, bottom: (1 << 30) - 1 };
    vec![
        ("hello, anonymous", ToServer::Hello(hello.clone())),
        ("hello with a name", ToServer::Hello(Hello { name: Some("Ada".into()), ..hello.clone() })),
        (
            "hello with a token",
            ToServer::Hello(Hello { token: Some("a.b.c".into()), ..hello.clone() }),
        ),
        (
            "hello that wants no datagrams",
            ToServer::Hello(Hello { reliable_motion: true, ..hello.clone() }),
        ),
        (
            "hello that resumes a session",
            ToServer::Hello(Hello { resume_token: Some("d.e.f".into()), ..hello }),
        ),
        ("resumable", ToServer::Resumable(Resumable {})),
        (
            "join",
            ToServer::Join(Join { request: 1, room: "default:lobby".into(), ..Join::default() }),
        ),
        ("join with a presence, going on after event 9", ToServer::Join(full)),
        ("leave", ToServer::Leave(Leave { room: ROOM })),
        ("leave of a large handle", ToServer::Leave(Leave { room: RoomHandle(u32::MAX) })),
        (
            "presence: one field set, one removed",
            ToServer::Presence(Presence { room: ROOM, patch }),
        ),
        ("event to all", ToServer::Event(event)),
        ("event to two members", ToServer::Event(whisper)),
        ("status away", ToServer::Status(SetStatus { status: Status::Away })),
        ("status active", ToServer::Status(SetStatus { status: Status::Active })),
        ("ping", ToServer::Ping(Ping { token: (1 << 53) - 1 })),
        ("bye", ToServer::Bye(Bye::new(CloseCode::Done, ""))),
        ("viewport: everything", ToServer::Viewport(everything.clone())),
        (
            "viewport: a rectangle",
            ToServer::Viewport(SetViewport { viewport: Some(rectangle), ..everything.clone() }),
        ),
        (
            "viewport: a rectangle, and a member to follow",
            ToServer::Viewport(SetViewport {
                viewport: Some(rectangle),
                follow: Some(Slot(4_095)),
                ..everything
            }),
        ),
        (
            "motion over the control lane: an ack and a sample",
            ToServer::Motion(MotionBytes { datagram: vec![3, 7, 100, 1, 2, 7, 1, 20, 19] }),
        ),
        (
            "kept, the latest",
            ToServer::Kept(AskKept { request: 3, room: ROOM, before: None, limit: 50 }),
        ),
        (
            "kept, before event 12",
            ToServer::Kept(AskKept {
                request: 4,
                room: ROOM,
                before: Some(event_id()),
                limit: 100,
            }),
        ),
    ]
}

/// The first frame of the worked example.
fn keyframe() -> Vec<u8> {
    let example = &scenarios::all()[0];
    example.bytes(&example.steps[0].1)
}

fn to_client() -> Vec<(&'static str, ToClient)> {
    let user = User { id: "auth|4711".into(), name: Some("Ada".into()) };
    let welcome = Welcome { version: 1, user, time_ms: TIME, ..Welcome::default() };
    let again = Welcome { resume_token: Some("g.h.i".into()), resumed: true, ..welcome.clone() };
    let replayed = Joined { event_last: 12, events: vec![event()], ..joined() };
    let page = Roster { room: ROOM, tick: Tick(90_000), members: vec![member(0)], more: true };
    let last = Roster { members: vec![member(3), whole_member()], more: false, ..page.clone() };
    let diff = Diff { room: ROOM, tick: Tick(90_001), ..Diff::default() };
    let whole_diff = Diff {
        leaves: vec![Slot(2), Slot(9)],
        joins: vec![whole_member()],
        presence: vec![(Slot(3), map(&[("color", Value::Nil), ("zoom", 2.into())]))],
        statuses: vec![(Slot(0), Status::Lost), (Slot(3), Status::Active)],
        events: vec![event()],
        ..diff.clone()
    };
    let left = Left { room: ROOM, reason: None };
    let Event { from, generation, name, data, time_ms, .. } = event();
    let refused = ErrorMessage {
        request: Some(2),
        room: None,
        code: Refusal::NotFound,
        message: "there is no namespace of this name".into(),
        retry_after_ms: None,
    };
    let limited = ErrorMessage {
        request: None,
        room: Some(ROOM),
        code: Refusal::RateLimited,
        message: "too many events".into(),
        retry_after_ms: Some(20),
    };
    let user = User { id: "auth|4711".into(), name: Some("Ada".into()) };
    let Event { name: event_name, data: event_data, .. } = event();
    let whole = KeptEvent { id: event_id(), user, name: event_name, data: event_data, time_ms };
    let earlier = KeptEvent {
        id: EventId { epoch: Epoch(7), number: 1 },
        user: User { id: "user-0".into(), name: None },
        name: "join".into(),
        data: Value::Nil,
        time_ms: 0,
    };
    let kept = Kept { request: 3, room: ROOM, ..Kept::default() };
    let not_now =
        Kept { refused: Some(Refusal::Unavailable), retry_after_ms: Some(1_000), ..kept.clone() };
    let away = Bye { retry_after_ms: Some(1500), ..Bye::new(CloseCode::GoingAway, "restarting") };
    vec![
        ("welcome", ToClient::Welcome(welcome)),
        ("welcome, resumed", ToClient::Welcome(again)),
        ("joined", ToClient::Joined(joined())),
        ("joined where motion is a pose", ToClient::Joined(Joined { motion: pose(), ..joined() })),
        (
            "joined where motion is all that it is by default",
            ToClient::Joined(Joined { motion: MotionFormat::default(), ..joined() }),
        ),
        ("joined with a missed event", ToClient::Joined(replayed)),
        ("joined, missed events lost", ToClient::Joined(Joined { events_lost: true, ..joined() })),
        ("joined, resumed", ToClient::Joined(Joined { resumed: true, ..joined() })),
        ("roster, a page of more", ToClient::Roster(page)),
        ("roster, the last page", ToClient::Roster(last)),
        ("left as asked", ToClient::Left(left)),
        ("left by the server", ToClient::Left(Left { reason: Some(Refusal::RoomClosed), ..left })),
        (
            "diff, one status",
            ToClient::Diff(Diff { statuses: vec![(Slot(3), Status::Away)], ..diff }),
        ),
        ("diff with everything", ToClient::Diff(whole_diff)),
        ("direct", ToClient::Direct(Direct { room: ROOM, from, generation, name, data, time_ms })),
        ("error about a join", ToClient::Error(refused)),
        ("error about a rate", ToClient::Error(limited)),
        ("pong", ToClient::Pong(Pong { token: (1 << 53) - 1, time_ms: TIME })),
        ("bye, come back", ToClient::Bye(away)),
        ("bye, expired", ToClient::Bye(Bye::new(CloseCode::TokenExpired, "the token has expired"))),
        ("motion over the control lane", ToClient::Motion(MotionBytes { datagram: keyframe() })),
        ("kept", ToClient::Kept(Kept { events: vec![earlier, whole], ..kept.clone() })),
        ("kept, none", ToClient::Kept(kept)),
        ("kept, refused", ToClient::Kept(not_now)),
    ]
}

fn ops() -> Vec<Op> {
    let fields = map(&[("text", "Hallo".into()), ("x", (-40).into()), ("ratio", 0.1.into())]);
    let patch = map(&[("text", Value::Nil), ("done", true.into())]);
    vec![
        Op::new(OpKind::Put, "note-1", fields),
        Op::new(OpKind::Patch, "note-1", patch),
        Op::new(OpKind::Remove, "note-2", Map::new()),
        Op {
            if_version: Some(41),
            ..Op::new(OpKind::Increment, "note-1", map(&[("votes", 1.into())]))
        },
    ]
}

fn edits_to_server() -> Vec<(&'static str, EditsToServer)> {
    let editor = EditorId(*b"0123456789abcdef");
    let open = Open { room: ROOM, slot: Slot(5), editor, after: None, unanswered: vec![] };
    let place = Place { document: DOCUMENT, sequence: 41 };
    vec![
        ("open", EditsToServer::Open(open.clone())),
        (
            "open after edit 41, with two edits unanswered",
            EditsToServer::Open(Open { after: Some(place), unanswered: vec![7, 9], ..open }),
        ),
        ("submit", EditsToServer::Submit(Submit { number: 1, ops: ops() })),
        ("history", EditsToServer::History(AskHistory { request: 3, before: None, limit: 50 })),
        (
            "history before edit 41",
            EditsToServer::History(AskHistory { request: 4, before: Some(41), limit: 100 }),
        ),
    ]
}

fn none() -> History {
    History { request: 4, ..History::default() }
}

fn edits_to_client() -> Vec<(&'static str, EditsToClient)> {
    let fields = map(&[("done", true.into()), ("x", (-40).into())]);
    let record = Record { id: "note-1".into(), version: 42, fields: fields.into() };
    let page = Snapshot { document: DOCUMENT, sequence: 42, records: vec![record], more: true };
    let edit = Edit {
        sequence: 43,
        time_ms: TIME,
        user: "auth|4711".into(),
        slot: Slot(3),
        generation: Generation(1),
        number: 1,
        ops: ops(),
    };
    let reject = |number, refusal: Refusal, message: &str| {
        Reject::new(number, refusal.into(), message.to_owned())
    };
    let no_record = reject(2, Refusal::NoRecord, "a patch needs its record");
    let later = reject(3, Refusal::RateLimited, "too many edits");
    let later = Reject { retry_after_ms: Some(10), ..later };
    let large = reject(4, Refusal::TooLarge, "too large");
    let large = Reject { limit: Some(61_440), value: Some(70_000), ..large };
    let conflict = Reject { value: Some(42), ..reject(5, Refusal::Conflict, "another version") };
    vec![
        ("snapshot, a page of more", EditsToClient::Snapshot(page)),
        (
            "snapshot of an empty document",
            EditsToClient::Snapshot(Snapshot { document: DOCUMENT, ..Snapshot::default() }),
        ),
        ("edits", EditsToClient::Edits(Edits { edits: vec![edit.clone()] })),
        ("history", EditsToClient::History(History { request: 3, edits: vec![edit], ..none() })),
        ("history, none", EditsToClient::History(none())),
        (
            "history, refused",
            EditsToClient::History(History {
                refused: Some(Refusal::Unavailable),
                retry_after_ms: Some(1_000),
                ..none()
            }),
        ),
        ("ack", EditsToClient::Ack(Ack { number: 1, sequence: 43, time_ms: TIME })),
        ("reject", EditsToClient::Reject(no_record)),
        ("reject, too large", EditsToClient::Reject(large)),
        ("reject, a condition", EditsToClient::Reject(conflict)),
        ("reject, over a rate", EditsToClient::Reject(later)),
    ]
}

fn make<M: Message>(messages: &[(&str, M)]) -> Json {
    let vector = |(name, message): &(&str, M)| {
        let bytes = message.value();
        let value: Value = rmp_serde::from_slice(&bytes).unwrap();
        let json = to_json(&value);
        json!({
            "name": name, "message": message.name(), "kind": json[0], "body": json[1],
            "hex": hex(&bytes),
        })
    };
    messages.iter().map(vector).collect()
}

/// The specification's table of a lane's direction has every message with its kind: `row` makes a row's part of them.
fn check_kinds(vectors: &Json, row: impl Fn(&Json, &str) -> String) {
    for vector in items(vectors) {
        let row = row(&vector["kind"], text(&vector["message"]));
        assert!(spec().contains(&row), "PROTOCOL.md lacks {row}");
    }
}

/// Reads each vector from its bytes and from its JSON, which must be the same message, and writes it again.
fn check<M: Message>(vectors: &Json) {
    for vector in items(vectors) {
        let name = text(&vector["name"]);
        let bytes = unhex(&vector["hex"]);
        let from_bytes = M::read(&bytes).unwrap().unwrap();
        let body = from_json(&json!([vector["kind"], vector["body"]]));
        let from_body = M::read(&rmp_serde::to_vec(&body).unwrap()).unwrap().unwrap();
        assert_eq!(from_bytes, from_body, "{name}");
        assert_eq!(hex(&from_body.value()), text(&vector["hex"]), "{name}");
        assert_eq!(from_bytes.name(), text(&vector["message"]), "{name}");
    }
}

#[test]
fn f6_messages_of_the_control_lane() {
    let made = json!({
        "about": "The control lane. hex is one message without its length prefix: [kind, body].",
        "to_server": make(&to_server()),
        "to_client": make(&to_client()),
    });
    let file = golden("control.json", &made);
    check::<ToServer>(&file["to_server"]);
    check::<ToClient>(&file["to_client"]);
    let row = |kind: &Json, name: &str| format!("\n| {kind} | [`{name}`](");
    check_kinds(&file["to_server"], row);
    check_kinds(&file["to_client"], row);
}

#[test]
fn f6_messages_of_the_edits_lane() {
    let made = json!({
        "about": "The edits lane. hex is one message without its length prefix: [kind, body].",
        "to_server": make(&edits_to_server()),
        "to_client": make(&edits_to_client()),
    });
    let file = golden("edits.json", &made);
    check::<EditsToServer>(&file["to_server"]);
    check::<EditsToClient>(&file["to_client"]);
    check_kinds(&file["to_server"], |kind, name| format!("\n| {kind} | `{name}` |"));
    check_kinds(&file["to_client"], |kind, name| format!(" | {kind} | `{name}` |\n"));
}
