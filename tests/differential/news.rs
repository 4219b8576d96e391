//! What applications are told, in one form for both ends.

use std::collections::BTreeSet;

use hither_protocol::RoomHandle;
use hither_protocol::message::control::ErrorMessage;
use hither_protocol::session::{Event, Room, Session};
use serde_json::{Value as Json, json};

use crate::plain::plain;

/// The Rust session's events in the words of `client-js/src/testing/differential.ts`. A room is named by its handle
/// once it is entered, as in TypeScript nobody knows it before.
#[derive(Default)]
pub(crate) struct News {
    entering: BTreeSet<u32>,
    entered: BTreeSet<RoomHandle>,
    /// Rooms that were left and whose end the server has not said yet. TypeScript has forgotten them.
    leaving: BTreeSet<RoomHandle>,
}

impl News {
    /// A room was asked for.
    pub(crate) fn handle_enter(&mut self, request: u32) {
        self.entering.insert(request);
    }

    /// A room was left.
    pub(crate) fn handle_leave(&mut self, room: RoomHandle) {
        self.entered.remove(&room);
        self.leaving.insert(room);
    }

    /// Whether a room was asked for and is not entered.
    pub(crate) fn is_entering(&self) -> bool {
        !self.entering.is_empty()
    }

    /// The rooms that are entered.
    pub(crate) fn entered(&self) -> impl Iterator<Item = RoomHandle> {
        self.entered.iter().copied()
    }

    /// Everything that the session tells, in its order.
    pub(crate) fn poll_all(&mut self, session: &mut Session) -> Vec<Json> {
        let mut all = Vec::new();
        while let Some(event) = session.poll_event() {
            all.extend(self.tell(session, event));
        }
        all
    }

    /// `None` for what TypeScript has no word for, or keeps to itself.
    fn tell(&mut self, session: &Session, event: Event) -> Option<Json> {
        let at = |room: RoomHandle| self.entered.get(&room).map(|room| room.0);
        if let Some(room) = room_of(&event).filter(|room| self.leaving.contains(room)) {
            if matches!(event, Event::Left { .. }) {
                self.leaving.remove(&room);
            }
            return None;
        }
        Some(match event {
            Event::Welcome { resumed, .. } => {
                json!(["welcome", resumed, session.resume_token()])
            }
            Event::Entered { request, room, resumed, events_lost } => {
                self.entering.remove(&request);
                // Noise may have swallowed the end of the stay before.
                self.leaving.remove(&room);
                self.entered.insert(room);
                json!(["entered", request, resumed, events_lost, room.0])
            }
            Event::Refused(error) => return self.tell_refusal(session, &error),
            Event::Left { room, reason } => {
                self.entered.remove(&room);
                json!(["left", reason.map(u32::from), room.0])
            }
            Event::MemberJoined { room, slot } => json!(["enter", slot.0, room.0]),
            Event::MemberLeft { room, member } => {
                let own = session.room(room).map(Room::slot);
                (own != Some(member.slot)).then(|| json!(["leave", member.slot.0, room.0]))?
            }
            Event::MemberChanged { room, slot } => json!(["update", slot.0, room.0]),
            Event::Broadcast { room, from, name, data, time_ms, .. } => {
                json!(["event", from.0, name, plain(&data), time_ms, at(room)])
            }
            // TypeScript has nobody to tell of a room that it is not in.
            Event::Direct(direct) if !self.knows(session, direct.room) => return None,
            Event::Direct(direct) => {
                let data = plain(&direct.data);
                json!(["event", direct.from.0, direct.name, data, direct.time_ms, at(direct.room)])
            }
            Event::EventsLost { room } => json!(["events lost", at(room)]),
            Event::DocumentLoaded { room } => json!(["loaded", at(room)]),
            Event::RecordsChanged { room, records } => json!(["changed", records, at(room)]),
            Event::EditAcked { room, ack } => json!(["ack", ack.number, ack.sequence, at(room)]),
            Event::EditRejected { room, reject } => {
                let code = u32::from(reject.code);
                json!(["reject", reject.number, code, reject.retry_after_ms, at(room)])
            }
            Event::Bye(bye) => json!(["bye", bye.code, bye.reason, bye.retry_after_ms]),
            _ => return None,
        })
    }

    fn tell_refusal(&mut self, session: &Session, error: &ErrorMessage) -> Option<Json> {
        let (code, retry) = (u32::from(error.code), error.retry_after_ms);
        if let Some(request) = error.request.filter(|request| self.entering.remove(request)) {
            return Some(json!(["refused", request, code, retry, null]));
        }
        let room = error.room.filter(|room| self.knows(session, *room))?;
        let at = self.entered.get(&room).map(|room| room.0);
        Some(json!(["refused", null, code, retry, at]))
    }

    /// Whether the session is in a room, or was when it was told this.
    fn knows(&self, session: &Session, room: RoomHandle) -> bool {
        let is_there = self.entered.contains(&room) || session.room(room).is_some();
        is_there && !self.leaving.contains(&room)
    }
}

/// The room that an event tells of, if it tells of nothing else.
fn room_of(event: &Event) -> Option<RoomHandle> {
    match event {
        Event::Left { room, .. }
        | Event::MemberJoined { room, .. }
        | Event::MemberLeft { room, .. }
        | Event::MemberChanged { room, .. }
        | Event::Broadcast { room, .. }
        | Event::EventsLost { room }
        | Event::DocumentLoaded { room }
        | Event::RecordsChanged { room, .. }
        | Event::EditAcked { room, .. }
        | Event::EditRejected { room, .. } => Some(*room),
        Event::Direct(direct) => Some(direct.room),
        _ => None,
    }
}
