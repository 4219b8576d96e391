//! A room as an async program sees it: its events, its motion, its members, and everything one can say there.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hither_protocol::limits::AXES_MAX;
use hither_protocol::message::control::{EventId, KeptEvent, Member, Viewport};
use hither_protocol::message::{Map, Value};
use hither_protocol::motion::Position;
use hither_protocol::session::{self, Event};
use hither_protocol::{RoomHandle, Slot};

use crate::client::Connection;
use crate::closed::Closed;
use crate::edits::HistoryError;
use crate::mailbox::Popped;
use crate::outgoing::{Refused, SendError, check_event, check_presence};

/// A membership in a room. Dropping it leaves the room; [`Self::leave`] also waits until the server has let it go.
pub struct Room {
    pub(crate) connection: Arc<Connection>,
    pub(crate) room: RoomHandle,
    request: u32,
}

impl Room {
    pub(crate) fn new(connection: Arc<Connection>, room: RoomHandle, request: u32) -> Self {
        Self { connection, room, request }
    }

    /// Waits for the next event of this room; `None` once it was left, or the connection ended
    /// ([`Client::closed`](crate::Client::closed) says why). Cancel safe.
    ///
    /// An application that is slower than the room holds nobody up: beyond
    /// [`EVENTS_BYTES_MAX`](crate::EVENTS_BYTES_MAX) the oldest events go and [`Event::EventsLost`] stands in their
    /// place. Members, positions and the document are right all the same; look at them anew then.
    pub async fn next_event(&self) -> Option<Event> {
        let look = || match self.connection.mailbox.pop(self.room, self.request) {
            Popped::Event(event) => Some(Some(event)),
            Popped::Over => Some(None),
            Popped::Empty => None,
        };
        self.connection.mailbox.wait_event(look).await
    }

    /// Waits until another member has moved and returns its newest position; members take turns, and positions that
    /// were passed through in between are not told. A member without a position was to be seen, and is not any more:
    /// it is out of the [viewport](Self::set_viewport), or has left. `None` as for [`Self::next_event`]. Cancel safe.
    pub async fn next_motion(&self) -> Option<(Slot, Option<Position>)> {
        let look = || match self.poll_motion() {
            Some(moved) => Some(Some(moved)),
            None => (!self.is_in()).then_some(None),
        };
        self.connection.mailbox.wait_motion(look).await
    }

    /// As [`Self::next_motion`], without waiting: `None` if nobody has moved since.
    pub fn poll_motion(&self) -> Option<(Slot, Option<Position>)> {
        self.connection.handle.with(|session, _now| session.poll_motion(self.room))
    }

    /// Where the member of a slot is; `None` if it has not moved yet, or is out of the viewport. The own position is
    /// what the server shows others.
    pub fn position(&self, slot: Slot) -> Option<Position> {
        self.read(|room| room.position(slot)).flatten()
    }

    /// Where the member of a slot is to be drawn at `at`, in steps: on its way between the positions that have come, a
    /// tick and a half behind them or as late as frames are, and at rest exactly where it rests. Ask for one moment for
    /// a whole picture, for now or for when the picture will be seen, and for no earlier one later. `None` as for
    /// [`Self::position`].
    ///
    /// The first call for a room begins to keep what this takes, 420 bytes for each member that moves.
    pub fn sample(&self, slot: Slot, at: Instant) -> Option<[f64; AXES_MAX]> {
        self.connection.handle.sample(self.room, slot, at)
    }

    /// Sets this member's newest position, in steps of the room's axes. It is cheap, and never waits: what goes out,
    /// and when, is decided by the room's tick, and the newest position always arrives in the end.
    pub fn set_motion(&self, position: Position) {
        self.connection.handle.with(|session, now| session.set_motion(now, self.room, position));
    }

    /// Asks to be sent only the motion of members in a rectangle of the room, and of `follow` wherever that is; `None`,
    /// as from the beginning, is everybody. A member is shown from a tenth of the rectangle's size outside it, and
    /// hidden beyond a quarter: it stays among the [members](Self::members) and has no [position](Self::position)
    /// then. Call it as the view moves, at most as often as presence may change (60 times a second by default); a
    /// rectangle costs the server more than none, and pays where it shows a part of the members.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn set_viewport(
        &self,
        viewport: Option<Viewport>,
        follow: Option<Slot>,
    ) -> Result<(), SendError> {
        self.connection.set_viewport(self.room, viewport, follow)
    }

    /// Patches this member's presence: each field replaces that of its name, [`Value::Nil`] removes it. The whole
    /// presence may have 4 KiB; beyond, [`Event::Refused`] says so.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn update_presence(&self, patch: Map) -> Result<(), SendError> {
        self.connection.update_presence(self.room, patch)
    }

    /// Sends an event to everyone else in the room: a name of at most 64 bytes and data of at most 16 KiB.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn broadcast(&self, name: &str, data: impl Into<Value>) -> Result<(), SendError> {
        self.connection.send_event(self.room, name, data.into(), Vec::new())
    }

    /// Sends an event to the members of these slots alone, at most 64; to nobody if there are none.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn send_to(
        &self,
        to: Vec<Slot>,
        name: &str,
        data: impl Into<Value>,
    ) -> Result<(), SendError> {
        self.connection.send_to(self.room, to, name, data.into())
    }

    /// Looks up the events to all that the server keeps of this room, also of before anybody was there now: those
    /// before one, or the latest, `limit` at most and 100, the oldest first. Fewer come where the answer would be too
    /// large, and none where the server keeps no earlier ones: ask with the id of the first until then. A live
    /// [`Event::Broadcast`] has the id under which it is kept, so what was seen in both is known as one.
    ///
    /// A namespace keeps no events unless its operator says so, and then there are none.
    ///
    /// # Errors
    /// [`HistoryError`]: when the connection is lost before the answer, it is refused as `Unavailable`.
    pub async fn event_history(
        &self,
        before: Option<EventId>,
        limit: u32,
    ) -> Result<Vec<KeptEvent>, HistoryError> {
        let Connection { mailbox, .. } = &*self.connection;
        let asked = self.connection.act(self.room, |session| {
            let request = session.kept_events(self.room, before, limit)?;
            Some(mailbox.expect_kept(self.room, request))
        })?;
        let kept = asked.ok_or(SendError::Closed)?.await.map_err(|_| SendError::Closed)?;
        match kept.refused {
            None => Ok(kept.events),
            Some(code) => {
                let message = "the kept events can't be had".to_owned();
                let retry_after = kept.retry_after_ms.map(Duration::from_millis);
                let refused = Refused { code, message, retry_after, limit: None, value: None };
                Err(HistoryError::Refused(refused))
            }
        }
    }

    /// All members, this one too, in the order of their slots.
    pub fn members(&self) -> Vec<Member> {
        self.read(|room| room.members().cloned().collect()).unwrap_or_default()
    }

    /// All members but this one, in the order of their slots.
    pub fn others(&self) -> Vec<Member> {
        let others = |room: &session::Room| {
            room.members().filter(|member| member.slot != room.slot()).cloned().collect()
        };
        self.read(others).unwrap_or_default()
    }

    /// The member of a slot.
    pub fn member(&self, slot: Slot) -> Option<Member> {
        self.read(|room| room.member(slot).cloned()).flatten()
    }

    /// This member's own slot; `None` once the room was left.
    pub fn slot(&self) -> Option<Slot> {
        self.read(session::Room::slot)
    }

    /// Looks at everything that is known of the room without copying it: rights, motion format, members, the document.
    /// `None` once the room was left. `look` must not call anything of this client.
    pub fn read<T>(&self, look: impl FnOnce(&session::Room) -> T) -> Option<T> {
        self.connection.handle.with(|session, _now| session.room(self.room).map(look))
    }

    /// The room's number, by which [`Event`]s name it.
    pub fn handle(&self) -> RoomHandle {
        self.room
    }

    /// Leaves the room and waits until the server has said so. Events that are still there are thrown away.
    ///
    /// # Errors
    /// [`Closed`], if the connection ended before; the membership ends with it.
    pub async fn leave(self) -> Result<(), Closed> {
        if self.is_in() {
            self.connection.leave(self.room);
        }
        while let Some(event) = self.next_event().await {
            if matches!(event, Event::Left { .. }) {
                return Ok(());
            }
        }
        if self.connection.mailbox.has_ended() {
            Err(self.connection.life.ended().await)
        } else {
            Ok(()) // the server had ended the membership before
        }
    }

    fn is_in(&self) -> bool {
        self.connection.mailbox.is_live(self.room, self.request)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if self.connection.mailbox.release(self.room, self.request) {
            self.connection.leave(self.room);
        }
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room").field("room", &self.room).finish_non_exhaustive()
    }
}

/// What both handles of a room send: checked first, so that a mistake costs nobody the connection.
impl Connection {
    pub(crate) fn update_presence(&self, room: RoomHandle, patch: Map) -> Result<(), SendError> {
        check_presence(&patch)?;
        self.act(room, |session| session.update_presence(room, patch))
    }

    pub(crate) fn set_viewport(
        &self,
        room: RoomHandle,
        viewport: Option<Viewport>,
        follow: Option<Slot>,
    ) -> Result<(), SendError> {
        self.act(room, |session| session.set_viewport(room, viewport, follow))
    }

    pub(crate) fn send_event(
        &self,
        room: RoomHandle,
        name: &str,
        data: Value,
        to: Vec<Slot>,
    ) -> Result<(), SendError> {
        check_event(name, &data, &to)?;
        self.act(room, |session| session.broadcast(room, name, data, to))
    }

    /// An event for nobody goes nowhere: on the wire an empty list would mean everybody.
    pub(crate) fn send_to(
        &self,
        room: RoomHandle,
        to: Vec<Slot>,
        name: &str,
        data: Value,
    ) -> Result<(), SendError> {
        if to.is_empty() { Ok(()) } else { self.send_event(room, name, data, to) }
    }

    /// Acts on a session that is in the room.
    pub(crate) fn act<T>(
        &self,
        room: RoomHandle,
        act: impl FnOnce(&mut session::Session) -> T,
    ) -> Result<T, SendError> {
        self.check()?;
        self.handle.with(|session, _now| {
            if session.room(room).is_none() {
                return Err(SendError::NotInRoom);
            }
            let done = act(session);
            self.mailbox.drain(session);
            Ok(done)
        })
    }
}
