//! The server of a simulated world: core's rooms and sessions under a driver that does what the real one does, at once
//! and without sockets. It keeps the truth beside them: what was stored, which events were taken, who is where.

#![expect(clippy::expect_used, reason = "a world that breaks its own rules is a failed test")]

mod served;

use std::collections::BTreeMap;

use bytes::Bytes;
use hither_core::session::{Begun, Motion};
use hither_core::{
    Effect, Grant, NewMember, Output, Pattern, Room, RoomGrant, Session, SessionId, SessionPolicy,
};
use hither_protocol::message::control::{SendEvent, ToClient};
use hither_protocol::message::edits::Open;
use hither_protocol::message::{FrameBuffer, Rights};
use hither_protocol::{Generation, RoomHandle, RoomName, Slot, Timestamp};

use crate::net::StreamId;
pub use served::Served;

/// A connection's number in its world, never used again.
pub type ConnectionId = usize;

/// The control lane's stream.
pub const CONTROL: StreamId = 0;

/// What the driver wants of the world around it.
#[derive(Debug)]
pub enum Task {
    /// Write this to a stream of a connection.
    Write(ConnectionId, StreamId, Bytes),
    /// Send this datagram, which has no reserved byte any more.
    Datagram(ConnectionId, Bytes),
    /// Call [`Server::handle_stored`] after a while.
    Store(RoomHandle, u64),
    /// Call [`Server::handle_pump`] after a while: there may be pages to send.
    Pump(ConnectionId),
    /// The connection is over.
    Close(ConnectionId),
}

/// The server with all of its rooms.
#[derive(Debug)]
pub struct Server {
    /// All rooms that there are; none is made or closed.
    pub rooms: BTreeMap<RoomHandle, Served>,
    /// The connections that are there.
    pub connections: BTreeMap<ConnectionId, Connection>,
    tasks: Vec<Task>,
}

/// One connection as the driver has it.
#[derive(Debug)]
pub struct Connection {
    session: Session,
    user: String,
    streams: BTreeMap<StreamId, Lane>,
    /// When something came last.
    heard: Timestamp,
    /// What was true at each join: the generation, and the last event before it.
    pub joins: BTreeMap<RoomHandle, (Generation, u64)>,
}

#[derive(Debug, Default)]
struct Lane {
    buffer: FrameBuffer,
    room: Option<RoomHandle>,
    ended: bool,
}

impl Server {
    /// A server with these rooms and nobody in them.
    pub fn new(rooms: Vec<Room>) -> Self {
        let rooms = rooms.into_iter().map(|room| (room.id().handle, Served::new(room))).collect();
        Self { rooms, connections: BTreeMap::new(), tasks: Vec::new() }
    }

    /// A user has connected.
    pub fn handle_connected(&mut self, now: Timestamp, id: ConnectionId, user: String) {
        let session = Session::new(SessionPolicy::default(), now);
        let streams = BTreeMap::new();
        let connection = Connection { session, user, streams, heard: now, joins: BTreeMap::new() };
        self.connections.insert(id, connection);
    }

    /// The connection was closed, or is silent for too long.
    pub fn handle_gone(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.remove(&id) else { return };
        for (handle, slot) in connection.session.memberships() {
            let served = self.rooms.get_mut(&handle).expect("a member's room");
            served.viewers.remove(&slot);
            served.lanes.remove(&slot);
            served.room.handle_lost(slot, connection.heard);
            self.drain_room(handle);
        }
    }

    /// Takes the next bytes of a stream; the first ones open it.
    pub fn handle_chunk(
        &mut self,
        now: Timestamp,
        id: ConnectionId,
        stream: StreamId,
        chunk: &[u8],
    ) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.heard = now;
        if stream == CONTROL {
            connection.session.handle_control(now, chunk);
            return self.drain_session(now, id);
        }
        connection.streams.entry(stream).or_default().buffer.push(chunk);
        while let Some(connection) = self.connections.get_mut(&id) {
            let lane = connection.streams.entry(stream).or_default();
            // What still comes on the lane of a room that was left is of no use.
            let message = lane.buffer.pop().ok().flatten().filter(|_| !lane.ended);
            let Some(message) = message else { return };
            match lane.room {
                Some(room) => {
                    // Simulated clients keep to the rate.
                    connection.session.handle_edits(now, room, &message);
                }
                None => {
                    let opened = connection.session.handle_open(now, &message);
                    lane.room = opened.as_ref().map(|opened| opened.room);
                    lane.ended = opened.is_none();
                    if let Some(opened) = opened {
                        self.open_edits(id, &opened);
                    }
                }
            }
            self.drain_session(now, id);
        }
    }

    /// Takes a datagram; false if it had nothing of use.
    pub fn handle_datagram(&mut self, now: Timestamp, id: ConnectionId, datagram: &[u8]) -> bool {
        let Some(connection) = self.connections.get_mut(&id) else { return true };
        connection.heard = now;
        let rooms = &mut self.rooms;
        let read = connection
            .session
            .handle_datagram(now, datagram, |motion| apply_motion(rooms, now, motion));
        read.is_ok()
    }

    /// The room's edits up to this one are durable.
    pub fn handle_stored(&mut self, room: RoomHandle, sequence: u64) {
        self.served(room).room.handle_stored(sequence);
        self.drain_room(room);
    }

    /// Sends the next page of each roster and each document that the connection lacks.
    pub fn handle_pump(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get(&id) else { return };
        let mut more = false;
        for (handle, slot) in connection.session.memberships().collect::<Vec<_>>() {
            let room = &mut self.served(handle).room;
            let (roster, snapshot) = (room.poll_roster(slot), room.poll_snapshot(slot));
            more |= roster.is_some() || snapshot.is_some();
            self.tasks.extend(roster.map(|bytes| Task::Write(id, CONTROL, bytes)));
            if let (Some(bytes), Some(stream)) = (snapshot, self.lane_of(id, handle)) {
                self.tasks.push(Task::Write(id, stream, bytes));
            }
        }
        if more {
            self.tasks.push(Task::Pump(id));
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        let is_due = |due: Option<Timestamp>| due.is_some_and(|due| due <= now);
        let rooms = self.rooms.iter().filter(|(_, served)| is_due(served.room.poll_timeout()));
        for handle in rooms.map(|(handle, _)| *handle).collect::<Vec<_>>() {
            self.served(handle).room.handle_timeout(now);
            self.drain_room(handle);
        }
        let connections =
            self.connections.iter().filter(|(_, one)| is_due(one.session.poll_timeout()));
        for id in connections.map(|(id, _)| *id).collect::<Vec<_>>() {
            let Some(connection) = self.connections.get_mut(&id) else { continue };
            let rooms = &mut self.rooms;
            connection.session.handle_timeout(now, |motion| apply_motion(rooms, now, motion));
            self.drain_session(now, id);
        }
    }

    /// When [`Self::handle_timeout`] has something to do next.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let rooms = self.rooms.values().filter_map(|served| served.room.poll_timeout());
        let sessions = self.connections.values().filter_map(|one| one.session.poll_timeout());
        rooms.chain(sessions).min()
    }

    /// What the world is to do; to be called after every `handle_*`.
    pub fn take_tasks(&mut self) -> Vec<Task> {
        std::mem::take(&mut self.tasks)
    }

    fn served(&mut self, room: RoomHandle) -> &mut Served {
        self.rooms.get_mut(&room).expect("only rooms that there are")
    }

    fn lane_of(&self, id: ConnectionId, room: RoomHandle) -> Option<StreamId> {
        let streams = &self.connections.get(&id)?.streams;
        streams
            .iter()
            .find(|(_, lane)| lane.room == Some(room) && !lane.ended)
            .map(|(stream, _)| *stream)
    }

    fn open_edits(&mut self, id: ConnectionId, open: &Open) {
        let room = open.room;
        self.served(room).lanes.insert(open.slot);
        self.served(room).room.handle_open(open);
        self.drain_room(room);
        self.tasks.push(Task::Pump(id));
    }

    fn drain_session(&mut self, now: Timestamp, id: ConnectionId) {
        while let Some(connection) = self.connections.get_mut(&id)
            && let Some(effect) = connection.session.poll_effect()
        {
            self.handle_effect(now, id, effect);
        }
    }

    fn handle_effect(&mut self, now: Timestamp, id: ConnectionId, effect: Effect) {
        match effect {
            Effect::History { .. } | Effect::Kept(_) => {} // nobody asks here
            Effect::Authenticate { .. } => {
                let connection = self.connections.get_mut(&id).expect("the effect's connection");
                let grant = RoomGrant { pattern: Pattern::any(), rights: Rights::ALL };
                let user_id = connection.user.clone();
                let grant = Grant { user_id, name: None, expires_ms: None, rooms: vec![grant] };
                // Sessions are the server's to keep; here each connection begins its own.
                let session = SessionId(id as u128);
                let begun = Begun { id: session, resume_token: String::new(), resumed: false };
                connection.session.handle_granted(now, grant, begun);
            }
            Effect::Send(bytes) => self.tasks.push(Task::Write(id, CONTROL, bytes)),
            Effect::Join { request, name, member } => self.join(now, id, request, &name, member),
            Effect::Leave { room, slot } => {
                self.served(room).room.handle_leave(now, slot);
                self.drain_room(room);
                let served = self.served(room);
                served.viewers.remove(&slot);
                served.lanes.remove(&slot);
                if let Some(connection) = self.connections.get_mut(&id) {
                    let lanes = connection.streams.values_mut();
                    lanes.filter(|lane| lane.room == Some(room)).for_each(|lane| lane.ended = true);
                }
            }
            Effect::Presence { room, slot, patch } => {
                self.served(room).room.handle_presence(slot, patch).expect("a small presence");
            }
            Effect::Event { room, slot, event } => self.event(now, id, room, slot, event),
            Effect::Status { room, slot, status } => {
                self.served(room).room.handle_status(now, slot, status);
            }
            Effect::Viewport { room, slot, viewport, follow } => {
                self.served(room).room.handle_viewport(slot, viewport, follow);
            }
            Effect::Datagram(bytes) => {
                self.handle_datagram(now, id, &bytes);
            }
            Effect::Submit { room, slot, submit, refused } => {
                self.served(room).room.handle_submit(now, slot, submit, refused);
                self.drain_room(room);
            }
            Effect::SendEdits(room, bytes) => {
                if let Some(stream) = self.lane_of(id, room) {
                    self.tasks.push(Task::Write(id, stream, bytes));
                }
            }
            Effect::Resumable | Effect::Over => {}
            Effect::Refused(_) => {}
            Effect::Close(_) => {
                self.tasks.push(Task::Close(id));
                self.handle_gone(id);
            }
        }
    }

    fn join(
        &mut self,
        now: Timestamp,
        id: ConnectionId,
        request: u32,
        name: &RoomName,
        member: NewMember,
    ) {
        let found = self.rooms.iter_mut().find(|(_, served)| served.room.id().name == *name);
        let (&handle, served) = found.expect("clients name rooms that there are");
        let seen = member.seen;
        let joined = served.room.handle_join(now, request, member);
        let connection = self.connections.get_mut(&id).expect("the effect's connection");
        match joined {
            Ok(slot) => {
                connection.session.handle_joined(now, handle, slot, served.room.policy());
                served.viewers.insert(slot, id);
                served.directs.remove(&slot);
                let mut event_last = 0;
                let mut generation = Generation(0);
                for output in std::iter::from_fn(|| served.room.poll_output()) {
                    let Output::Control(_, bytes) = output else { continue };
                    if let Ok(Some(ToClient::Joined(joined))) =
                        ToClient::decode(after_prefix(&bytes))
                    {
                        event_last = joined.event_last;
                        generation = joined.generation;
                    }
                    self.tasks.push(Task::Write(id, CONTROL, bytes));
                }
                let from = seen.map_or(event_last, |seen| seen.number);
                connection.joins.insert(handle, (generation, from));
                self.tasks.push(Task::Pump(id));
            }
            Err(code) => connection.session.handle_join_refused(now, request, code),
        }
    }

    fn event(
        &mut self,
        now: Timestamp,
        id: ConnectionId,
        room: RoomHandle,
        slot: Slot,
        event: SendEvent,
    ) {
        let generation = self.connections[&id].joins[&room].0;
        let served = self.served(room);
        match served.room.handle_event(now, slot, event.clone()) {
            Ok(()) if event.to.is_empty() => served.events.push((slot, generation, event)),
            Ok(()) => {
                for to in &event.to {
                    served.directs.entry(*to).or_default().push(event.clone());
                }
            }
            Err(code) => {
                let connection = self.connections.get_mut(&id).expect("the effect's connection");
                connection.session.handle_refused(room, code);
            }
        }
        self.drain_room(room);
    }

    fn drain_room(&mut self, handle: RoomHandle) {
        while let Some(output) = self.served(handle).room.poll_output() {
            match output {
                Output::Control(to, bytes) => {
                    for id in self.served(handle).recipients(to) {
                        self.tasks.push(Task::Write(id, CONTROL, bytes.clone()));
                    }
                }
                Output::Edits(to, bytes) => {
                    for id in self.served(handle).editors(to) {
                        if let Some(stream) = self.lane_of(id, handle) {
                            self.tasks.push(Task::Write(id, stream, bytes.clone()));
                        }
                    }
                }
                Output::Datagram(slot, bytes) => {
                    if let Some(id) = self.served(handle).viewers.get(&slot) {
                        let task = Task::Datagram(*id, bytes.slice(1..));
                        self.tasks.push(task);
                    }
                }
                Output::Keep(_) => {} // no namespace keeps any
                Output::Store(logged) => {
                    self.served(handle).store(&logged.edit);
                    self.tasks.push(Task::Store(handle, logged.edit.sequence));
                }
            }
        }
    }
}

fn apply_motion(rooms: &mut BTreeMap<RoomHandle, Served>, now: Timestamp, motion: Motion) {
    let served = rooms.get_mut(&motion.room()).expect("a member's room");
    match motion {
        Motion::Sample { slot, sample } => served.room.handle_sample(slot, &sample),
        Motion::Ack { slot, ack } => served.room.handle_ack(now, slot, &ack),
    }
}

/// A message of a stream without the length before it.
pub fn after_prefix(framed: &[u8]) -> &[u8] {
    let prefix = framed.iter().take_while(|byte| **byte & 0x80 != 0).count() + 1;
    framed.get(prefix..).unwrap_or_default()
}
