//! The documents of a session's rooms, as the application edits them: a part of the session's front.

use super::Session;
use super::edits::{Edits, Resolve, Way};
use crate::ids::RoomHandle;
use crate::message::MessageError;
use crate::message::edits::{AskHistory, Op};
use crate::time::Timestamp;

impl Session {
    /// Opens the room's document; [`Event::DocumentLoaded`](super::Event::DocumentLoaded) says
    /// when it is there. Nothing happens if it is open.
    pub fn open_document(&mut self, room: RoomHandle) {
        if let Some(state) = self.rooms.get_mut(&room) {
            state.open_document(self.editor, &mut self.transmits);
        }
    }

    /// Submits an edit and returns its number, which [`Event::EditAcked`](super::Event::EditAcked) or
    /// [`Event::EditRejected`](super::Event::EditRejected) repeats. It is shown at once. Opens the document if it is
    /// not.
    /// While 64 are unanswered it waits for their answers (D7). `None` if this session is not in the room.
    pub fn submit(&mut self, room: RoomHandle, ops: Vec<Op>) -> Option<u64> {
        let state = self.rooms.get_mut(&room)?;
        self.last_edit += 1;
        let edits = state.open_document(self.editor, &mut self.transmits);
        edits.submit(self.last_edit, ops, &mut self.transmits, &mut self.events);
        Some(self.last_edit)
    }

    /// Asks for the edits of a room before a place, or the latest, 1 to 100 at most; returns the number that
    /// [`Event::History`](super::Event::History) repeats. Opens the document if it is not. When the
    /// connection is lost, that is an answer. `None` if this session is not in the room, or has no connection.
    pub fn history(&mut self, room: RoomHandle, before: Option<u64>, limit: u32) -> Option<u32> {
        let request = self.next_request;
        let ask = AskHistory { request, before, limit };
        let state = self.rooms.get_mut(&room)?;
        let edits = state.open_document(self.editor, &mut self.transmits);
        if !edits.ask_history(ask, &mut self.transmits) {
            return None;
        }
        self.next_request += 1;
        Some(request)
    }

    /// Takes back the last group of this session's own edits in a room by edits of their own, whose numbers it returns;
    /// `None` if there is nothing to take back. What was put is as it was before, whoever has changed it since.
    pub fn undo(&mut self, room: RoomHandle) -> Option<Vec<u64>> {
        self.go(room, Way::Undo)
    }

    /// Does again what was undone last, as long as nothing else was done since; as [`Self::undo`].
    pub fn redo(&mut self, room: RoomHandle) -> Option<Vec<u64>> {
        self.go(room, Way::Redo)
    }

    /// From now on the edits in a room are undone together, until [`Self::end_group`] was called as often.
    pub fn begin_group(&mut self, room: RoomHandle) {
        if let Some(edits) = self.edits(room) {
            edits.undo().begin_group();
        }
    }

    /// Ends what [`Self::begin_group`] began.
    pub fn end_group(&mut self, room: RoomHandle) {
        if let Some(edits) = self.edits(room) {
            edits.undo().end_group();
        }
    }

    /// Who decides between a value of one's own that waits to be sent and another's that has come: it is asked with
    /// the record, the field, one's own value and the other (nil for none), for patches alone. Without one, one's own
    /// is sent, and being the later one it stays; so it does where the answer would make the edit larger or deeper than
    /// one can be.
    pub fn set_resolver(&mut self, room: RoomHandle, resolve: Option<Box<Resolve>>) {
        if let Some(edits) = self.edits(room) {
            edits.set_resolver(resolve);
        }
    }

    /// Takes the next bytes of a room's edits lane.
    ///
    /// # Errors
    /// The server broke the protocol; the session is of no use any more.
    pub fn handle_edits(&mut self, room: RoomHandle, chunk: &[u8]) -> Result<(), MessageError> {
        match self.rooms.get_mut(&room) {
            Some(state) => state.handle_edits(chunk, &mut self.transmits, &mut self.events),
            None => Ok(()),
        }
    }

    /// The server has ended a room's edits lane, and the connection is there: the lane is opened again after a second.
    pub fn handle_edits_ended(&mut self, now: Timestamp, room: RoomHandle) {
        if let Some(room) = self.rooms.get_mut(&room) {
            room.handle_edits_ended(now, &mut self.events);
        }
    }

    fn go(&mut self, room: RoomHandle, way: Way) -> Option<Vec<u64>> {
        let edits = self.rooms.get_mut(&room)?.edits.as_mut()?;
        let last = &mut self.last_edit;
        let next = || {
            *last += 1;
            *last
        };
        edits.go(way, next, &mut self.transmits, &mut self.events)
    }

    /// The document of a room, which is opened if it is not.
    fn edits(&mut self, room: RoomHandle) -> Option<&mut Edits> {
        Some(self.rooms.get_mut(&room)?.open_document(self.editor, &mut self.transmits))
    }
}
