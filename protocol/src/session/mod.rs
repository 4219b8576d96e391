//! The client's end of a session, sans-IO: the same state machine runs the Rust client, bots, benches and simulations.
//!
//! Feed it what arrived (`handle_*`), tell it what the user wants, then drain [`Session::poll_transmit`] to the
//! transport and [`Session::poll_event`] to the application, and call [`Session::handle_timeout`] no later than
//! [`Session::poll_timeout`] says. It never fails by what a server sends, except that it ends.

mod again;
mod beat;
mod documents;
mod edits;
mod event;
mod kept;
mod motion;
mod room;

pub use edits::{Records, Resolve};
pub use event::{Event, Transmit};
pub use room::Room;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use self::beat::Path;
use crate::close::CloseCode;
use crate::ids::{EditorId, RoomHandle, RoomName, Slot};
use crate::limits::{
    AXES_MAX, DATAGRAM_RECORDS_MAX, MOTION_DATAGRAM_BYTES_MAX, ROOMS_PER_SESSION_MAX,
};
use crate::message::control::{
    Bye, Direct, ErrorMessage, Hello, Join, Leave, MotionBytes, Ping, Resumable, Seen, SendEvent,
    SetStatus, Status, ToClient, ToServer, User, Viewport, Welcome,
};
use crate::message::{FrameBuffer, Map, MessageError, Value};
use crate::motion::frame::{self, FrameHeader};
use crate::motion::upward::Ack;
use crate::motion::{Position, Received};
use crate::time::Timestamp;
use crate::varint::Reader;

/// What the round trip is taken for until it is known.
const ROUND_TRIP_FIRST: Duration = Duration::from_millis(10);
/// RFC 9000's default of `max_ack_delay`.
const ACK_DELAY: Duration = Duration::from_millis(25);
/// So many acks wait for company at most.
const ACKS_MAX: usize = 16;

/// A client's session with a server, over one connection after the other.
#[derive(Debug)]
pub struct Session {
    hello: Hello,
    is_connected: bool,
    /// Who numbers this client's edits, and the last number, of all rooms together.
    editor: EditorId,
    last_edit: u64,
    status: Status,
    control: FrameBuffer,
    user: Option<User>,
    resume_token: Option<String>,
    joining: BTreeMap<u32, Joining>,
    rooms: BTreeMap<RoomHandle, Room>,
    /// The rooms by what the server calls them on the present connection.
    handles: BTreeMap<RoomHandle, RoomHandle>,
    /// The last handle that was made up here; none on the first connection.
    last_handle: Option<u32>,
    next_request: u32,
    /// Who has asked for kept events and has no answer yet.
    asked_kept: BTreeMap<u32, RoomHandle>,
    /// The number of the last motion sample, of all rooms together.
    last_sample: u32,
    /// Whether motion goes over the control lane (M15).
    reliable_motion: bool,
    /// In the order of their frames: a server takes those that are passed over for lost.
    acks: VecDeque<Ack>,
    /// When they are due, at the latest.
    acks_due: Option<Timestamp>,
    path: Path,
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
    counters: Counters,
}

/// What a session counted; all only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams that had nothing usable: malformed, or for a room that the session is not in.
    pub datagrams_unusable: u64,
    /// Frames with parts that were too old, or against a baseline that is not held.
    pub frames_unusable: u64,
}

/// A room that was asked for and not answered yet.
#[derive(Debug)]
struct Joining {
    name: RoomName,
    presence: Map,
    seen: Option<Seen>,
    /// The room that was there before.
    again: Option<RoomHandle>,
    /// Whether the room was left since it was asked for.
    is_left: bool,
}

impl Session {
    /// Begins a session; `hello` is the first thing to be sent. Its version is set here. `editor` is made up of 16
    /// random bytes, for this session alone.
    pub fn new(hello: Hello, editor: EditorId) -> Self {
        let hello = Hello { version: crate::VERSION, ..hello };
        let reliable_motion = hello.reliable_motion;
        Self {
            reliable_motion,
            is_connected: true,
            editor,
            last_edit: 0,
            status: Status::Active,
            control: FrameBuffer::default(),
            user: None,
            resume_token: None,
            joining: BTreeMap::new(),
            rooms: BTreeMap::new(),
            handles: BTreeMap::new(),
            last_handle: None,
            next_request: 1,
            asked_kept: BTreeMap::new(),
            last_sample: 0,
            acks: VecDeque::new(),
            acks_due: None,
            path: Path { round_trip: ROUND_TRIP_FIRST, ack_delay: ACK_DELAY },
            transmits: VecDeque::from([Transmit::Control(ToServer::Hello(hello.clone()).encode())]),
            hello,
            events: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// The user that the server stamped this session with; `None` before the welcome.
    pub fn user(&self) -> Option<&User> {
        self.user.as_ref()
    }

    /// What this session can be resumed with over another connection: the `resume_token` of its hello (S1). `None`
    /// before the welcome, and of a server that resumes none.
    pub fn resume_token(&self) -> Option<&str> {
        self.resume_token.as_deref()
    }

    /// A room that this session has entered, or is still receiving the roster of.
    pub fn room(&self, room: RoomHandle) -> Option<&Room> {
        self.rooms.get(&room)
    }

    /// What was counted since the beginning.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Asks to enter a room, before or after the welcome (rule H2); answered by [`Event::Entered`] or
    /// [`Event::Refused`] with the number returned. `seen` asks for the events after it.
    pub fn enter(&mut self, name: RoomName, presence: Map, seen: Option<Seen>) -> u32 {
        let request = self.next_request;
        self.next_request += 1;
        let join = Join { request, room: name.to_string(), presence: presence.clone(), seen };
        self.send(&ToServer::Join(join));
        let (again, is_left) = (None, false);
        self.joining.insert(request, Joining { name, presence, seen, again, is_left });
        request
    }

    /// Leaves a room; answered by [`Event::Left`]. No motion is sent or acked from now on, since it would be taken for
    /// that of the next membership; other rooms' acks that wait go, too, and their frames are repeated.
    pub fn leave(&mut self, room: RoomHandle) {
        let Some(state) = self.rooms.get_mut(&room) else { return };
        if state.is_attached() {
            state.leave();
            self.acks.clear();
            self.acks_due = None;
            let room = state.wire();
            return self.send(&ToServer::Leave(Leave { room }));
        }
        let again = self.joining.values_mut().filter(|joining| joining.again == Some(room));
        again.for_each(|joining| (joining.again, joining.is_left) = (None, true));
        self.rooms.remove(&room);
        self.events.push_back(Event::Left { room, reason: None });
    }

    /// Sets the member's newest position. It goes out at once, or when a tick has passed since the last; a position
    /// that another follows before that is never sent.
    pub fn set_motion(&mut self, now: Timestamp, room: RoomHandle, position: Position) {
        if let Some(room) = self.rooms.get_mut(&room) {
            room.set_motion(now, position);
        }
    }

    /// Asks to see only the members in a rectangle, with a margin, and `follow` wherever that is; without a rectangle
    /// everybody, as from the beginning. Who is out of sight stays in the roster and has no position.
    pub fn set_viewport(
        &mut self,
        room: RoomHandle,
        viewport: Option<Viewport>,
        follow: Option<Slot>,
    ) {
        if let Some(state) = self.rooms.get_mut(&room) {
            state.set_viewport(viewport, follow, &mut self.transmits);
        }
    }

    /// Patches the member's own presence, here at once and by the server's tick at the others; nil removes a field.
    pub fn update_presence(&mut self, room: RoomHandle, patch: Map) {
        if let Some(state) = self.rooms.get_mut(&room) {
            state.update_presence(patch, &mut self.transmits, &mut self.events);
        }
    }

    /// Sends an event to everyone else in the room, or to the members named in `to`.
    pub fn broadcast(&mut self, room: RoomHandle, name: &str, data: Value, to: Vec<Slot>) {
        if let Some(state) = self.rooms.get_mut(&room) {
            let event = SendEvent { room, name: name.to_owned(), data, to };
            state.broadcast(event, &mut self.transmits);
        }
    }

    /// Says whether the user is there, to all rooms. While `Away` the server sends no motion.
    pub fn set_status(&mut self, status: Status) {
        self.status = status;
        self.send(&ToServer::Status(SetStatus { status }));
    }

    /// Asks for a [`Event::Pong`] with this token.
    pub fn ping(&mut self, token: u64) {
        self.send(&ToServer::Ping(Ping { token }));
    }

    /// Leaves every room and ends the session; close the connection once this is sent.
    pub fn bye(&mut self) {
        self.send(&ToServer::Bye(Bye::new(CloseCode::Done, "")));
    }

    /// Takes the next bytes of the control lane.
    ///
    /// # Errors
    /// The server broke the protocol; the session is of no use any more.
    pub fn handle_control(&mut self, now: Timestamp, chunk: &[u8]) -> Result<(), MessageError> {
        self.control.push(chunk);
        while let Some(message) = self.control.pop()? {
            if let Some(message) = ToClient::decode(&message)? {
                self.handle_message(now, message);
            }
        }
        Ok(())
    }

    /// Takes a datagram, without the byte that is reserved for the transport.
    pub fn handle_datagram(&mut self, now: Timestamp, datagram: &[u8]) {
        if !self.handle_frame(now, Reader::new(datagram)) {
            self.counters.datagrams_unusable += 1;
        }
    }

    /// Tells the session that time has passed.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        for room in self.rooms.values_mut() {
            room.handle_timeout(now, &mut self.transmits, &mut self.events);
        }
    }

    /// How long the connection's round trip is at best, as the transport measures it; now and then is enough. What goes
    /// up is timed by it (M10).
    pub fn handle_round_trip(&mut self, round_trip: Duration) {
        self.path.round_trip = round_trip;
    }

    /// After how long the transport acks a packet by one of its own, 25 ms unless this is called: motion is sent before
    /// that, where it can be, and saves that packet (M10).
    pub fn set_ack_delay(&mut self, delay: Duration) {
        self.path.ack_delay = delay;
    }

    /// When [`Self::handle_timeout`] and [`Self::poll_transmit`] have something to do next; `None`: not until more is
    /// handled.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let rooms = self.rooms.values().flat_map(|room| room.due(self.path));
        rooms.chain(self.acks_due).min()
    }

    /// The next thing to send. Drain it after every call that takes `&mut self`.
    pub fn poll_transmit(&mut self, now: Timestamp) -> Option<Transmit> {
        let transmit = self.transmits.pop_front().or_else(|| self.datagram(now))?;
        if let Transmit::Edits(room, _) = &transmit
            && let Some(edits) = self.rooms.get_mut(room).and_then(|room| room.edits.as_mut())
        {
            edits.handle_transmit(now);
        }
        Some(transmit)
    }

    /// The next thing that the application should know. Drain it, too; the session keeps it until then.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The next member of `room` whose position changed since it was last returned here, and that position; `None` in
    /// its place for one that was returned and has none any more: it is out of the viewport, or has left.
    pub fn poll_motion(&mut self, room: RoomHandle) -> Option<(Slot, Option<Position>)> {
        self.rooms.get_mut(&room)?.poll_motion()
    }

    /// Where a member of `room` is to be seen at `now`, in steps, for a picture: between the positions that have come,
    /// and behind them by a tick and a half or as late as frames are ([`playback`](crate::playback)). The own member is
    /// where the server shows it to others. `None` if the member is not in the room or no frame shows it.
    ///
    /// The first call for a room begins to keep what this takes, 420 bytes for each member that moves; until a member
    /// moves again, its newest position is the answer.
    pub fn sample(
        &mut self,
        now: Timestamp,
        room: RoomHandle,
        slot: Slot,
    ) -> Option<[f64; AXES_MAX]> {
        self.rooms.get_mut(&room)?.sample(now, slot)
    }

    /// Without a connection there is nobody to say it to, and what matters is said to the next.
    fn send(&mut self, message: &ToServer) {
        if !self.is_connected {
            return;
        }
        self.transmits.push_back(Transmit::Control(message.encode()));
    }

    fn handle_message(&mut self, now: Timestamp, message: ToClient) {
        match message {
            ToClient::Welcome(welcome) => {
                let Welcome { user, time_ms, resume_token, resumed, .. } = welcome;
                self.user = Some(user);
                if resume_token.is_some() {
                    self.send(&ToServer::Resumable(Resumable {}));
                }
                self.resume_token = resume_token;
                self.events.push_back(Event::Welcome { time_ms, resumed });
            }
            ToClient::Joined(joined) => {
                if let Some(joining) = self.joining.remove(&joined.request) {
                    let (name, presence) = (joining.name.clone(), joining.presence.clone());
                    self.handle_joined(now, joining, Room::new(name, presence, joined));
                }
            }
            ToClient::Roster(page) => {
                if let Some(room) = room_of(&mut self.rooms, &self.handles, page.room) {
                    room.handle_roster(page, &mut self.events);
                }
            }
            ToClient::Diff(diff) => {
                if let Some(room) = room_of(&mut self.rooms, &self.handles, diff.room) {
                    room.handle_diff(diff, &mut self.events);
                }
            }
            ToClient::Left(left) => {
                let handle = self.handles.remove(&left.room);
                if let Some(room) = handle.and_then(|handle| self.rooms.remove(&handle)) {
                    self.transmits.push_back(Transmit::CloseEdits(room.handle()));
                    self.asked_kept.retain(|_, asked| *asked != room.handle());
                    self.events.push_back(room.ended(left.reason));
                }
            }
            ToClient::Direct(direct) => {
                if let Some(room) = room_of(&mut self.rooms, &self.handles, direct.room) {
                    let room_handle = room.handle();
                    room.handle_direct(Direct { room: room_handle, ..direct }, &mut self.events);
                }
            }
            ToClient::Error(error) => {
                let joining = error.request.and_then(|request| self.joining.remove(&request));
                if joining.is_some_and(|joining| self.handle_join_refused(&joining, error.code)) {
                    return;
                }
                let room = error.room.and_then(|room| self.handles.get(&room).copied());
                if let Some(room) = room.and_then(|room| self.rooms.get_mut(&room)) {
                    room.forget_sent();
                }
                self.events.push_back(Event::Refused(ErrorMessage { room, ..error }));
            }
            ToClient::Kept(kept) => self.handle_kept(kept),
            ToClient::Pong(pong) => self.events.push_back(Event::Pong(pong)),
            ToClient::Bye(bye) => self.events.push_back(Event::Bye(bye)),
            ToClient::Motion(motion) => self.handle_datagram(now, &motion.datagram),
        }
    }

    /// Takes a downward datagram; false if it is of no use.
    fn handle_frame(&mut self, now: Timestamp, mut reader: Reader<'_>) -> bool {
        if reader.u8() != Ok(frame::KIND) {
            return false;
        }
        let Ok(header) = FrameHeader::read(&mut reader) else { return false };
        let room = room_of(&mut self.rooms, &self.handles, header.room);
        let room = room.filter(|room| !room.is_leaving());
        let Some(room) = room else { return false };
        let Ok(Received { parts, is_unusable }) = room.handle_frame(now, &header, reader) else {
            return false;
        };
        self.counters.frames_unusable += u64::from(is_unusable);
        // One of another epoch, or that can't be read, says nothing of the beat either.
        if parts != 0 {
            let due = room.beat.handle_frame(now, header.tick, self.path);
            self.acks.push_back(Ack { room: header.room, tick: header.tick, parts });
            // Many acks mean many frames: they are not kept waiting.
            let due = if self.acks.len() < ACKS_MAX { due } else { now };
            self.acks_due = Some(self.acks_due.map_or(due, |earlier| earlier.min(due)));
        }
        true
    }

    /// One datagram of the samples that are due and of all acks, as many as fit. The first byte is the transport's.
    fn datagram(&mut self, now: Timestamp) -> Option<Transmit> {
        // The longest record: an ack of 128 parts, or a sample of four axes.
        const RECORD_BYTES_MAX: usize = 1 + 5 + 5 + 20;
        let path = self.path;
        let is_due = |room: &Room| room.sample_due(path).is_some_and(|due| due <= now);
        let acks_are_due = self.acks_due.is_some_and(|due| due <= now);
        if !acks_are_due && !self.rooms.values().any(is_due) {
            return None;
        }
        let mut out = vec![0];
        // With a sample of each room this stays below the records that a datagram may have.
        for _ in 0..DATAGRAM_RECORDS_MAX - ROOMS_PER_SESSION_MAX {
            if out.len() + RECORD_BYTES_MAX > MOTION_DATAGRAM_BYTES_MAX {
                break;
            }
            let Some(ack) = self.acks.pop_front() else { break };
            ack.put(&mut out);
        }
        self.acks_due = self.acks_due.filter(|_| !self.acks.is_empty());
        for room in self.rooms.values_mut() {
            if out.len() + RECORD_BYTES_MAX > MOTION_DATAGRAM_BYTES_MAX {
                break;
            }
            room.poll_sample(now, path, &mut self.last_sample, &mut out);
        }
        if out.len() == 1 {
            return None;
        }
        if self.reliable_motion {
            let datagram = out.split_off(1);
            let motion = ToServer::Motion(MotionBytes { datagram });
            return Some(Transmit::Control(motion.encode()));
        }
        Some(Transmit::Datagram(Bytes::from(out)))
    }
}

/// The room that the server calls so.
fn room_of<'a>(
    rooms: &'a mut BTreeMap<RoomHandle, Room>,
    handles: &BTreeMap<RoomHandle, RoomHandle>,
    wire: RoomHandle,
) -> Option<&'a mut Room> {
    rooms.get_mut(handles.get(&wire)?)
}
