//! Events that the server keeps: asking for them, and an answer to each who has asked, whatever becomes of the
//! connection. A part of the session's front.

use super::Session;
use super::event::Event;
use crate::ids::RoomHandle;
use crate::message::Refusal;
use crate::message::control::{AskKept, EventId, Kept, ToServer};

impl Session {
    /// Asks for the events to all that the server keeps of a room, those before one or the latest, 1 to 100 at most;
    /// returns the number that [`Event::Kept`] repeats. When the connection is lost, that is an answer; when the room
    /// is left, [`Event::Left`] is. `None` if this session is not in the room, or has no connection.
    pub fn kept_events(
        &mut self,
        room: RoomHandle,
        before: Option<EventId>,
        limit: u32,
    ) -> Option<u32> {
        let state = self.rooms.get(&room).filter(|room| room.is_attached())?;
        let ask = AskKept { request: self.next_request, room: state.wire(), before, limit };
        self.next_request += 1;
        self.asked_kept.insert(ask.request, room);
        self.send(&ToServer::Kept(ask));
        Some(ask.request)
    }

    pub(super) fn handle_kept(&mut self, kept: Kept) {
        if let Some(room) = self.asked_kept.remove(&kept.request) {
            self.events.push_back(Event::Kept { room, kept: Kept { room, ..kept } });
        }
    }

    /// The connection is gone, and the answers with it.
    pub(super) fn give_up_kept(&mut self) {
        while let Some((request, room)) = self.asked_kept.pop_first() {
            let refused = Some(Refusal::Unavailable);
            let kept = Kept { request, room, refused, ..Kept::default() };
            self.events.push_back(Event::Kept { room, kept });
        }
    }
}
