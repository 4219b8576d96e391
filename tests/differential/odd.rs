//! What a server may say and this one never does: kinds of later versions, refusals of nothing, ends without a reason,
//! changes of members who are not there, events and edits out of turn.

use bytes::Bytes;
use hither_protocol::message::control::{
    Bye, Diff, Direct, ErrorMessage, Event, Left, Status, ToClient,
};
use hither_protocol::message::edits::{Edit, Edits, EditsToClient, Reject};
use hither_protocol::message::{Refusal, frame};
use hither_protocol::{Generation, RoomHandle, Slot, Tick};
use rand::RngExt;
use rand::rngs::StdRng;

use crate::random::{map, ops, value};

/// A message of a kind that is not known, with an element behind its body.
const LATER: &[u8] = b"\x93\xcd\x01\x00\x81\xa1a\x92\xc0\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00\x2a";

/// A message of the control lane about this room.
pub(crate) fn control(rng: &mut StdRng, room: RoomHandle) -> Bytes {
    let slot = |rng: &mut StdRng| Slot(rng.random_range(0..6));
    let code = Refusal::from(rng.random_range(0..14));
    let retry_after_ms = rng.random::<bool>().then(|| rng.random_range(0..100));
    let message = match rng.random_range(0..12) {
        0 | 1 => return frame(LATER),
        2 => ToClient::Bye(Bye { code: 4242, reason: "ß".into(), retry_after_ms }),
        3 => ToClient::Left(Left { room, reason: rng.random::<bool>().then_some(code) }),
        4 | 5 => {
            let request = rng.random::<bool>().then_some(900);
            let room = rng.random::<bool>().then_some(room);
            let message = String::new();
            ToClient::Error(ErrorMessage { request, room, code, message, retry_after_ms })
        }
        6 => ToClient::Direct(Direct {
            room,
            from: slot(rng),
            generation: Generation(rng.random()),
            name: "odd".into(),
            data: value(rng, 7),
            time_ms: (1 << 53) - 1,
        }),
        _ => {
            let event = |rng: &mut StdRng| Event {
                number: rng.random_range(0..40),
                from: slot(rng),
                generation: Generation(rng.random_range(0..2)),
                name: String::new(),
                data: value(rng, 1),
                time_ms: 0,
            };
            ToClient::Diff(Diff {
                room,
                tick: Tick(rng.random()),
                leaves: (0..rng.random_range(0..2)).map(|_| slot(rng)).collect(),
                joins: Vec::new(),
                presence: (0..rng.random_range(0..3)).map(|_| (slot(rng), map(rng, 3))).collect(),
                statuses: (0..rng.random_range(0..3)).map(|_| (slot(rng), Status::Lost)).collect(),
                events: (0..rng.random_range(0..3)).map(|_| event(rng)).collect(),
            })
        }
    };
    message.encode()
}

/// A message of an edits lane.
pub(crate) fn edits(rng: &mut StdRng) -> Bytes {
    let number = rng.random_range(0..30);
    match rng.random_range(0..4) {
        0 => frame(LATER),
        1 => {
            let code = Refusal::Other(rng.random_range(14..=u32::MAX));
            let reject = Reject::new(number, code.into(), String::new());
            let retry_after_ms = Some((1 << 53) - 1);
            EditsToClient::Reject(Reject { retry_after_ms, ..reject }).encode()
        }
        _ => {
            let edit = Edit {
                sequence: rng.random_range(0..30),
                time_ms: 0,
                user: String::new(),
                slot: Slot(0),
                generation: Generation(0),
                number,
                ops: ops(rng, 10),
            };
            EditsToClient::Edits(Edits { edits: vec![edit.clone(), edit] }).encode()
        }
    }
}
