//! What a session takes along from one connection to the next: its user by the resume token, its rooms by what they
//! were when the connection was lost. Apart from the life of one connection, so that both can be read alone.
//!
//! A room that is joined again is a new [`Room`], as a newcomer would have it, which takes over from the old one what
//! no server has to say again: whom the application has seen there and where, and what waits to be sent.

use std::collections::{BTreeMap, VecDeque};

use super::event::{Event, Transmit};
use super::room::Room;
use super::{Joining, Session};
use crate::document;
use crate::ids::{Generation, RoomHandle, Slot};
use crate::limits::PRESENCE_BYTES_MAX;
use crate::message::control::{
    self, ErrorMessage, Hello, Join, Member, Presence, SendEvent, SetStatus, SetViewport, Status,
    ToServer, Viewport,
};
use crate::message::{FrameBuffer, Map, Refusal, Rights, encoded_len};
use crate::motion::Position;
use crate::time::Timestamp;

/// The most bytes of own events that are remembered until they come back, mostly a tick and a round trip later; beyond,
/// the oldest are as if they had come.
const SENT_BYTES_MAX: usize = 64 * 1024;

/// What waits for a room to be joined again, and what its member has asked for that the server does not keep.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// Whether the room is joined on the present connection.
    pub(super) is_attached: bool,
    /// The member's presence, ahead of what the server knows.
    pub(super) presence: Map,
    /// What of it no join and no patch has said yet.
    unsaid: Map,
    viewport: Option<(Option<Viewport>, Option<Slot>)>,
    events: Vec<SendEvent>,
    /// Events to all that were sent and have not come back yet (V5).
    sent: VecDeque<SendEvent>,
    sent_bytes: usize,
    /// Whom the application has seen in the room, until its roster is whole again.
    pub(super) before: Option<BTreeMap<Slot, Member>>,
    /// And where, until the first frame.
    pub(super) places: BTreeMap<Slot, (Generation, Position)>,
}

impl Standing {
    /// That of a member that has just joined with a presence.
    pub(super) fn new(presence: Map) -> Self {
        Self { is_attached: true, presence, ..Self::default() }
    }

    fn confirm(&mut self, event: &control::Event) {
        let is_it = |sent: &SendEvent| sent.name == event.name && sent.data == event.data;
        if let Some(at) = self.sent.iter().position(is_it) {
            let confirmed = self.sent.drain(..=at);
            self.sent_bytes -= confirmed.map(|event| encoded_len(&event)).sum::<usize>();
        }
    }

    fn remember(&mut self, event: SendEvent) {
        self.sent_bytes += encoded_len(&event);
        self.sent.push_back(event);
        while self.sent_bytes > SENT_BYTES_MAX {
            let Some(oldest) = self.sent.pop_front() else { break };
            self.sent_bytes -= encoded_len(&oldest);
        }
    }
}

impl Session {
    /// The connection is gone. Rooms stay as they are, and what is done in them waits for [`Self::begin_again`]: the
    /// newest of presence, viewport and motion, and all events and edits ([`Self::waiting_bytes`]).
    pub fn handle_disconnected(&mut self) {
        self.is_connected = false;
        self.control = FrameBuffer::default();
        self.transmits.clear();
        self.acks.clear();
        self.acks_due = None;
        self.handles.clear();
        self.last_sample = 0;
        // What was asked for again will be asked for again.
        self.joining.retain(|_, joining| joining.again.is_none() && !joining.is_left);
        for room in self.rooms.values_mut() {
            room.detach(&mut self.events);
        }
        self.give_up_kept();
        while let Some((&handle, _)) = self.rooms.iter().find(|(_, room)| room.is_leaving()) {
            if let Some(room) = self.rooms.remove(&handle) {
                self.events.push_back(room.ended(None));
            }
        }
    }

    /// Goes on over another connection: hello is the first thing to be sent, with the resume token and with `token` if
    /// there is a new one; then come the joins of all rooms. Each is answered by [`Event::Entered`] again, or by
    /// [`Event::Left`].
    ///
    /// Edits that were sent before and not answered are sent again then, unless that is too long ago (D7):
    /// [`Event::EditUnanswered`] says so.
    pub fn begin_again(&mut self, token: Option<String>) {
        self.is_connected = true;
        self.last_handle.get_or_insert(u32::MAX);
        self.hello.token = token.or(self.hello.token.take());
        let resume_token = self.resume_token.clone();
        self.send(&ToServer::Hello(Hello { resume_token, ..self.hello.clone() }));
        if self.status == Status::Away {
            self.send(&ToServer::Status(SetStatus { status: Status::Away }));
        }
        let mut joins: Vec<Join> =
            self.joining.iter().map(|(request, j)| j.join(*request)).collect();
        for (handle, room) in &mut self.rooms {
            // Who waits for an entry that was never whole waits for its number.
            let request = if room.was_entered() { self.next_request } else { room.request() };
            self.next_request = self.next_request.max(request + 1);
            let again = Some(*handle);
            room.standing.unsaid.clear();
            let (presence, seen) = (room.standing.presence.clone(), Some(room.seen()));
            let name = room.name().clone();
            let joining = Joining { name, presence, seen, again, is_left: false };
            joins.push(joining.join(request));
            self.joining.insert(request, joining);
        }
        for join in joins {
            self.send(&ToServer::Join(join));
        }
    }

    /// The bytes of events and edits that wait for a connection or, of edits, for an answer. Nothing bounds them but
    /// the caller.
    pub fn waiting_bytes(&self) -> usize {
        self.rooms.values().map(Room::waiting_bytes).sum()
    }

    /// A room has taken this session in, for the first time or again.
    pub(super) fn handle_joined(&mut self, now: Timestamp, joining: Joining, mut room: Room) {
        let wire = room.wire();
        if joining.is_left {
            return self.send(&ToServer::Leave(crate::message::control::Leave { room: wire }));
        }
        let old = joining.again.and_then(|handle| self.rooms.remove(&handle));
        let handle = old.as_ref().map_or_else(|| self.free_handle(wire), Room::handle);
        self.handles.insert(wire, handle);
        room.set_handle(handle);
        if let Some(old) = old {
            room.take_over(now, old, &mut self.transmits, &mut self.events);
        }
        self.rooms.insert(handle, room);
    }

    /// A join was refused; true if that was told. Who was in the room before is not any more.
    pub(super) fn handle_join_refused(&mut self, joining: &Joining, code: Refusal) -> bool {
        let room = joining.again.and_then(|handle| self.rooms.remove(&handle));
        if let Some(room) = room {
            self.events.push_back(room.ended(Some(code)));
            return true;
        }
        joining.is_left
    }

    /// By which the application is to name another room: the server's own handle on the first connection; then one that
    /// it never had, since another process of the server begins its handles anew, and the application may still hold
    /// those of rooms that are over.
    fn free_handle(&mut self, wire: RoomHandle) -> RoomHandle {
        let Some(last) = self.last_handle else { return wire };
        let is_free = |handle: &RoomHandle| !self.rooms.contains_key(handle);
        let free = (0..last).rev().map(RoomHandle).find(is_free).unwrap_or(wire);
        self.last_handle = Some(free.0);
        free
    }
}

impl Room {
    /// The connection is gone: nothing is sent, and nothing comes.
    fn detach(&mut self, events: &mut VecDeque<Event>) {
        self.standing.is_attached = false;
        if let Some(edits) = &mut self.edits {
            edits.close(events);
        }
    }

    fn waiting_bytes(&self) -> usize {
        let events = self.standing.events.iter().map(encoded_len).sum::<usize>();
        events + self.edits.as_ref().map_or(0, |edits| edits.unanswered_bytes())
    }

    /// Patches the own presence, here at once and there as soon as may be.
    pub(super) fn update_presence(
        &mut self,
        patch: Map,
        transmits: &mut VecDeque<Transmit>,
        events: &mut VecDeque<Event>,
    ) {
        let mut presence = self.standing.presence.clone();
        document::patch(&mut presence, &patch);
        // What the server is going to refuse has no effect here either, or the next join would be refused for it.
        if encoded_len(&presence) > PRESENCE_BYTES_MAX {
            let refused = refused(self.handle(), Refusal::TooLarge);
            return events.push_back(Event::Refused(refused));
        }
        let is_allowed = self.rights().contains(Rights::PRESENCE);
        if is_allowed {
            self.standing.presence = presence;
            self.patch_self(&patch);
        }
        if self.standing.is_attached {
            say(transmits, &ToServer::Presence(Presence { room: self.wire(), patch }));
        } else if is_allowed {
            self.standing.unsaid.extend(patch);
        }
    }

    pub(super) fn set_viewport(
        &mut self,
        viewport: Option<Viewport>,
        follow: Option<Slot>,
        transmits: &mut VecDeque<Transmit>,
    ) {
        self.standing.viewport = Some((viewport, follow));
        if self.standing.is_attached {
            let room = self.wire();
            say(transmits, &ToServer::Viewport(SetViewport { room, viewport, follow }));
        }
    }

    pub(super) fn broadcast(&mut self, event: SendEvent, transmits: &mut VecDeque<Transmit>) {
        if self.standing.is_attached {
            let event = SendEvent { room: self.wire(), ..event };
            if event.to.is_empty() {
                self.standing.remember(event.clone());
            }
            say(transmits, &ToServer::Event(event));
        } else {
            self.standing.events.push(event);
        }
    }

    /// Takes over from what the room was on the connection before, and says what has waited.
    fn take_over(
        &mut self,
        now: Timestamp,
        mut old: Self,
        transmits: &mut VecDeque<Transmit>,
        events: &mut VecDeque<Event>,
    ) {
        let is_same_epoch = old.epoch() == self.epoch();
        let mut seen: BTreeMap<_, _> =
            old.members().map(|member| (member.slot, member.clone())).collect();
        if let Some(own) = seen.remove(&old.slot()) {
            let own = Member { slot: self.slot(), generation: self.generation(), ..own };
            if let Some(other) = seen.insert(own.slot, own) {
                // The slot has changed hands, to this member's own.
                events.push_back(Event::MemberLeft { room: self.handle(), member: other });
            }
        }
        let others = seen.values().filter(|member| member.slot != self.slot());
        let places = others.filter_map(|member| {
            Some((member.slot, (member.generation, old.position(member.slot)?)))
        });
        let places = places.collect();
        if let Some(position) = old.mover.position() {
            self.set_motion(now, position);
        }
        if old.was_entered() && !old.is_entered() {
            self.take_over_untold(&old);
        }
        let mut standing = std::mem::take(&mut old.standing);
        self.find_own_events(&old, |event| standing.confirm(event));
        let Standing { presence, unsaid, viewport, sent, events: waiting, .. } = standing;
        let sent = if is_same_epoch && !self.has_lost_events() { sent } else { VecDeque::new() };
        self.shown = old.shown;
        let edits = old.edits;
        self.standing = Standing {
            is_attached: true,
            presence,
            before: Some(seen),
            places,
            ..Standing::default()
        };
        if !unsaid.is_empty() {
            say(transmits, &ToServer::Presence(Presence { room: self.wire(), patch: unsaid }));
        }
        if let Some((viewport, follow)) = viewport {
            self.set_viewport(viewport, follow.filter(|_| is_same_epoch), transmits);
        }
        for event in sent.into_iter().chain(waiting) {
            if event.to.is_empty() || is_same_epoch {
                self.broadcast(event, transmits);
            } else {
                // In another epoch the same slots may be other people's.
                events.push_back(Event::Refused(refused(self.handle(), Refusal::NotFound)));
            }
        }
        if let Some(mut edits) = edits {
            edits.open_again(now, (self.wire(), self.slot()), transmits, events);
            self.edits = Some(edits);
        }
    }

    /// One of the own events has come back; those before it that have not were refused.
    pub(super) fn confirm(&mut self, event: &control::Event) {
        self.standing.confirm(event);
    }

    /// Something was refused here, maybe one of the own events: nobody can tell which.
    pub(super) fn forget_sent(&mut self) {
        (self.standing.sent_bytes, self.standing.sent) = (0, VecDeque::new());
    }

    /// What has changed among the others while they could not be seen, once the roster is whole again.
    pub(super) fn tell_changes(&mut self, events: &mut VecDeque<Event>) {
        let Some(before) = self.standing.before.take() else { return };
        let room = self.handle();
        let is_same =
            |a: &Member, b: &Member| a.generation == b.generation && a.user.id == b.user.id;
        let is_there =
            |member: &Member| self.member(member.slot).is_some_and(|m| is_same(m, member));
        let gone = |member: &&Member| member.slot != self.slot() && !is_there(member);
        for member in before.values().filter(gone) {
            events.push_back(Event::MemberLeft { room, member: member.clone() });
        }
        for member in self.members().filter(|member| member.slot != self.slot()) {
            let slot = member.slot;
            match before.get(&slot).filter(|before| is_same(before, member)) {
                Some(before) if before == member => {}
                Some(_) => events.push_back(Event::MemberChanged { room, slot }),
                None => events.push_back(Event::MemberJoined { room, slot }),
            }
        }
    }
}

impl Joining {
    fn join(&self, request: u32) -> Join {
        let Self { name, presence, seen, .. } = self;
        Join { request, room: name.to_string(), presence: presence.clone(), seen: *seen }
    }
}

fn say(transmits: &mut VecDeque<Transmit>, message: &ToServer) {
    transmits.push_back(Transmit::Control(message.encode()));
}

/// A refusal in the server's place.
fn refused(room: RoomHandle, code: Refusal) -> ErrorMessage {
    let message = code.name().to_owned();
    ErrorMessage { request: None, room: Some(room), code, message, retry_after_ms: None }
}
