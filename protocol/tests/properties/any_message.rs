//! Strategies for users' values and for every message of both lanes.

use hither_protocol::message::control::*;
use hither_protocol::message::edits::{
    Ack, AskHistory, Edit, Edits, EditsToClient, EditsToServer, History, Op, OpKind, Open, Place,
    Record, Reject, Snapshot, Submit,
};
use hither_protocol::message::{Map, Refusal, Rights, Value};
use hither_protocol::{DocumentId, EditorId, Epoch, Generation, RoomHandle, Slot, Tick};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

const INTEGER_MAX: i64 = (1 << 53) - 1;

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..300u64, 0..=INTEGER_MAX as u64]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{0,8}", "\\PC{0,40}"]
}

pub(crate) fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::Bool),
        (-INTEGER_MAX..=INTEGER_MAX).prop_map(Value::Int),
        (-1.0e9..1.0e9).prop_map(Value::Float),
        text().prop_map(Value::String),
        vec(any::<u8>(), 0..40).prop_map(Value::Binary),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::Array),
            fields(inner).prop_map(Value::Map)
        ]
    })
}

fn fields(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Map> {
    proptest::collection::btree_map(text(), value, 0..4)
}

fn map() -> impl Strategy<Value = Map> {
    fields(value())
}

fn room() -> impl Strategy<Value = RoomHandle> {
    any::<u32>().prop_map(RoomHandle)
}

fn slot() -> impl Strategy<Value = Slot> {
    any::<u16>().prop_map(Slot)
}

fn generation() -> impl Strategy<Value = Generation> {
    any::<u32>().prop_map(Generation)
}

fn tick() -> impl Strategy<Value = Tick> {
    any::<u32>().prop_map(Tick)
}

fn status() -> impl Strategy<Value = Status> {
    prop_oneof![Just(Status::Active), Just(Status::Away), Just(Status::Lost)]
}

fn refusal() -> impl Strategy<Value = Refusal> {
    prop_oneof![0..20u32, any::<u32>()].prop_map(Refusal::from)
}

fn user() -> impl Strategy<Value = User> {
    (text(), option::of(text())).prop_map(|(id, name)| User { id, name })
}

fn member() -> impl Strategy<Value = Member> {
    (slot(), generation(), user(), map(), status()).prop_map(
        |(slot, generation, user, presence, status)| Member {
            slot,
            generation,
            user,
            presence,
            status,
        },
    )
}

fn event() -> impl Strategy<Value = Event> {
    (number(), slot(), generation(), text(), value(), number()).prop_map(
        |(number, from, generation, name, data, time_ms)| Event {
            number,
            from,
            generation,
            name,
            data,
            time_ms,
        },
    )
}

fn seen() -> impl Strategy<Value = Seen> {
    (number(), number()).prop_map(|(epoch, number)| Seen { epoch: Epoch(epoch), number })
}

fn event_id() -> impl Strategy<Value = EventId> {
    (number(), number()).prop_map(|(epoch, number)| EventId { epoch: Epoch(epoch), number })
}

fn kept() -> impl Strategy<Value = Kept> {
    let event = (event_id(), user(), text(), value(), number())
        .prop_map(|(id, user, name, data, time_ms)| KeptEvent { id, user, name, data, time_ms });
    let refused = (option::of(refusal()), option::of(number()));
    (any::<u32>(), room(), vec(event, 0..3), refused).prop_map(
        |(request, room, events, (refused, retry_after_ms))| Kept {
            request,
            room,
            events,
            refused,
            retry_after_ms,
        },
    )
}

fn joined() -> impl Strategy<Value = Joined> {
    let place = (any::<u32>(), room(), number(), slot(), generation(), tick());
    let axis = (0.0..100.0f64, any::<i32>(), any::<i32>(), any::<bool>())
        .prop_map(|(step, min, max, wraps)| AxisFormat { step, min, max, wraps });
    let axis = prop_oneof![Just(AxisFormat::default()), axis];
    let motion =
        (any::<u32>(), vec(axis, 0..6)).prop_map(|(tick_hz, axes)| MotionFormat { tick_hz, axes });
    let events = (number(), vec(event(), 0..3), any::<bool>(), any::<bool>());
    (place, any::<u8>(), motion, events).prop_map(|(place, rights, motion, events)| Joined {
        request: place.0,
        room: place.1,
        epoch: Epoch(place.2),
        slot: place.3,
        generation: place.4,
        tick: place.5,
        rights: Rights(rights),
        motion,
        event_last: events.0,
        events: events.1,
        events_lost: events.2,
        resumed: events.3,
    })
}

fn diff() -> impl Strategy<Value = Diff> {
    let members = (vec(slot(), 0..4), vec(member(), 0..3));
    let changes = (vec((slot(), map()), 0..3), vec((slot(), status()), 0..3));
    (room(), tick(), members, changes, vec(event(), 0..3)).prop_map(
        |(room, tick, (leaves, joins), (presence, statuses), events)| Diff {
            room,
            tick,
            leaves,
            joins,
            presence,
            statuses,
            events,
        },
    )
}

fn bye() -> impl Strategy<Value = Bye> {
    (any::<u32>(), text(), option::of(number())).prop_map(|(code, reason, retry_after_ms)| Bye {
        code,
        reason,
        retry_after_ms,
    })
}

fn viewport() -> impl Strategy<Value = SetViewport> {
    let viewport = any::<[i32; 4]>().prop_map(|[left, top, right, bottom]| Viewport {
        left,
        top,
        right,
        bottom,
    });
    (room(), option::of(viewport), option::of(slot()))
        .prop_map(|(room, viewport, follow)| SetViewport { room, viewport, follow })
}

fn motion() -> impl Strategy<Value = MotionBytes> {
    vec(any::<u8>(), 0..1_000).prop_map(|datagram| MotionBytes { datagram })
}

pub(crate) fn to_server() -> impl Strategy<Value = ToServer> {
    let texts = (option::of(text()), option::of(text()), option::of(text()));
    let hello = (any::<u32>(), texts, any::<bool>()).prop_map(
        |(version, (token, name, resume_token), reliable_motion)| Hello {
            version,
            token,
            name,
            reliable_motion,
            resume_token,
        },
    );
    let join = (any::<u32>(), text(), map(), option::of(seen()))
        .prop_map(|(request, room, presence, seen)| Join { request, room, presence, seen });
    let event = (room(), text(), value(), vec(slot(), 0..4))
        .prop_map(|(room, name, data, to)| SendEvent { room, name, data, to });
    let kept = (any::<u32>(), room(), option::of(event_id()), any::<u32>())
        .prop_map(|(request, room, before, limit)| AskKept { request, room, before, limit });
    prop_oneof![
        hello.prop_map(ToServer::Hello),
        join.prop_map(ToServer::Join),
        room().prop_map(|room| ToServer::Leave(Leave { room })),
        (room(), map()).prop_map(|(room, patch)| ToServer::Presence(Presence { room, patch })),
        event.prop_map(ToServer::Event),
        status().prop_map(|status| ToServer::Status(SetStatus { status })),
        number().prop_map(|token| ToServer::Ping(Ping { token })),
        bye().prop_map(ToServer::Bye),
        viewport().prop_map(ToServer::Viewport),
        motion().prop_map(ToServer::Motion),
        Just(ToServer::Resumable(Resumable {})),
        kept.prop_map(ToServer::Kept),
    ]
}

pub(crate) fn to_client() -> impl Strategy<Value = ToClient> {
    let welcome = (any::<u32>(), user(), number(), option::of(text()), any::<bool>()).prop_map(
        |(version, user, time_ms, resume_token, resumed)| Welcome {
            version,
            user,
            time_ms,
            resume_token,
            resumed,
        },
    );
    let roster = (room(), tick(), vec(member(), 0..4), any::<bool>())
        .prop_map(|(room, tick, members, more)| Roster { room, tick, members, more });
    let direct = (room(), event()).prop_map(|(room, event)| {
        let Event { from, generation, name, data, time_ms, .. } = event;
        Direct { room, from, generation, name, data, time_ms }
    });
    let error =
        (option::of(any::<u32>()), option::of(room()), refusal(), text(), option::of(number()))
            .prop_map(|(request, room, code, message, retry_after_ms)| ErrorMessage {
                request,
                room,
                code,
                message,
                retry_after_ms,
            });
    prop_oneof![
        welcome.prop_map(ToClient::Welcome),
        joined().prop_map(ToClient::Joined),
        roster.prop_map(ToClient::Roster),
        (room(), option::of(refusal()))
            .prop_map(|(room, reason)| ToClient::Left(Left { room, reason })),
        diff().prop_map(ToClient::Diff),
        direct.prop_map(ToClient::Direct),
        error.prop_map(ToClient::Error),
        (number(), number()).prop_map(|(token, time_ms)| ToClient::Pong(Pong { token, time_ms })),
        bye().prop_map(ToClient::Bye),
        motion().prop_map(ToClient::Motion),
        kept().prop_map(ToClient::Kept),
    ]
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let kind = prop_oneof![
        Just(OpKind::Put),
        Just(OpKind::Patch),
        Just(OpKind::Remove),
        Just(OpKind::Increment)
    ];
    vec(
        (kind, text(), map(), option::of(number()))
            .prop_map(|(kind, record, fields, if_version)| Op { kind, record, fields, if_version }),
        0..4,
    )
}

pub(crate) fn edits_to_server() -> impl Strategy<Value = EditsToServer> {
    let place = (number(), number())
        .prop_map(|(document, sequence)| Place { document: DocumentId(document), sequence });
    let open = (room(), slot(), any::<[u8; 16]>(), option::of(place), vec(number(), 0..4));
    prop_oneof![
        open.prop_map(|(room, slot, editor, after, unanswered)| {
            EditsToServer::Open(Open { room, slot, editor: EditorId(editor), after, unanswered })
        }),
        (number(), ops()).prop_map(|(number, ops)| EditsToServer::Submit(Submit { number, ops })),
        (any::<u32>(), option::of(number()), any::<u32>()).prop_map(|(request, before, limit)| {
            EditsToServer::History(AskHistory { request, before, limit })
        }),
    ]
}

fn edit() -> impl Strategy<Value = Edit> {
    (number(), number(), text(), slot(), generation(), number(), ops()).prop_map(
        |(sequence, time_ms, user, slot, generation, number, ops)| Edit {
            sequence,
            time_ms,
            user,
            slot,
            generation,
            number,
            ops,
        },
    )
}

pub(crate) fn edits_to_client() -> impl Strategy<Value = EditsToClient> {
    let record = (text(), number(), map()).prop_map(|(id, version, fields)| Record {
        id,
        version,
        fields: fields.into(),
    });
    let snapshot = (number(), number(), vec(record, 0..4), any::<bool>()).prop_map(
        |(document, sequence, records, more)| {
            let document = DocumentId(document);
            Snapshot { document, sequence, records, more }
        },
    );
    let some = || option::of(number());
    let reject = (number(), refusal(), text(), some(), some(), some()).prop_map(
        |(number, code, message, limit, value, retry_after_ms)| Reject {
            number,
            code,
            message,
            limit,
            value,
            retry_after_ms,
        },
    );
    let history = (any::<u32>(), vec(edit(), 0..3), option::of(refusal()), some()).prop_map(
        |(request, edits, refused, retry_after_ms)| History {
            request,
            edits,
            refused,
            retry_after_ms,
        },
    );
    prop_oneof![
        snapshot.prop_map(EditsToClient::Snapshot),
        history.prop_map(EditsToClient::History),
        vec(edit(), 0..3).prop_map(|edits| EditsToClient::Edits(Edits { edits })),
        (number(), number(), number()).prop_map(|(number, sequence, time_ms)| {
            EditsToClient::Ack(Ack { number, sequence, time_ms })
        }),
        reject.prop_map(EditsToClient::Reject),
    ]
}
