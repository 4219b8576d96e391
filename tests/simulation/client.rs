//! A client of a simulated world: protocol's session, and beside it what its user did and was told, for the checks.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use hither_protocol::message::control::{Hello, Seen, Status, Viewport};
use hither_protocol::message::edits::{Edit, Op};
use hither_protocol::message::{Map, Value};
use hither_protocol::motion::Position;
use hither_protocol::motion::frame::{self, FrameHeader};
use hither_protocol::session::{Event, Session, Transmit};
use hither_protocol::varint::Reader;
use hither_protocol::{EditorId, Generation, RoomHandle, RoomName, Slot, Tick, Timestamp};

use hither_tests::net::StreamId;
use hither_tests::server::{CONTROL, ConnectionId};

/// What a client wants to be sent.
#[derive(Debug)]
pub(crate) enum Sending {
    Write(StreamId, Bytes),
    Datagram(Bytes),
}

/// A client with a connection.
pub(crate) struct Client {
    pub(crate) connection: ConnectionId,
    pub(crate) session: Session,
    pub(crate) welcome: bool,
    pub(crate) status: Status,
    /// Since when it looks, as far as it knows.
    pub(crate) active_since: Timestamp,
    /// The rooms that it has asked to enter.
    pub(crate) entering: BTreeMap<u32, RoomName>,
    pub(crate) stays: BTreeMap<RoomHandle, Stay>,
    /// The rooms that it was in before: a late sample of then may show where it was.
    pub(crate) left: BTreeSet<RoomHandle>,
    /// Positions of others that it was told since it was last asked.
    pub(crate) updates: Vec<(RoomHandle, Slot, Position)>,
    /// Of each room the membership, and the newest tick of which it got a frame, or that it had begun with.
    newest: BTreeMap<RoomHandle, ((Slot, Generation), Tick)>,
    /// What it was told and should not have been.
    pub(crate) findings: Vec<String>,
    streams: BTreeMap<RoomHandle, StreamId>,
    next_stream: StreamId,
}

/// One membership, from being entered to being left.
pub(crate) struct Stay {
    pub(crate) name: RoomName,
    pub(crate) entered_at: Timestamp,
    /// Left by this side, which has not been answered yet.
    pub(crate) leaving: bool,
    /// Where it said last that it is.
    pub(crate) position: Option<Position>,
    /// Where it was told that others are.
    pub(crate) told: BTreeMap<Slot, Position>,
    /// What it looks at, unless it sees everybody, and since when; and whom it follows.
    pub(crate) viewport: Option<Viewport>,
    pub(crate) follow: Option<Slot>,
    pub(crate) looked_at: Timestamp,
    /// The numbers of the events to all that it was told.
    pub(crate) events: Vec<(u64, Slot, Value)>,
    /// The data of the events that it was told by name.
    pub(crate) directs: Vec<Value>,
    pub(crate) submitted: u64,
    /// By the number of each edit: its place, or `None` if it was rejected.
    pub(crate) answers: BTreeMap<u64, Option<u64>>,
    pub(crate) loaded: bool,
    /// The places of the edits that it was told.
    pub(crate) last_edit: Option<u64>,
}

impl Client {
    /// A client that connects now and says hello.
    pub(crate) fn new(now: Timestamp, connection: ConnectionId) -> Self {
        Self {
            connection,
            session: Session::new(Hello::default(), EditorId((connection as u128).to_be_bytes())),
            welcome: false,
            status: Status::Active,
            active_since: now,
            entering: BTreeMap::new(),
            stays: BTreeMap::new(),
            left: BTreeSet::new(),
            updates: Vec::new(),
            newest: BTreeMap::new(),
            findings: Vec::new(),
            streams: BTreeMap::new(),
            next_stream: CONTROL + 1,
        }
    }

    pub(crate) fn enter(&mut self, name: &RoomName, presence: Map, seen: Option<Seen>) {
        let request = self.session.enter(name.clone(), presence, seen);
        self.entering.insert(request, name.clone());
    }

    pub(crate) fn leave(&mut self, room: RoomHandle) {
        self.session.leave(room);
        self.left.insert(room);
        if let Some(stay) = self.stays.get_mut(&room) {
            stay.leaving = true;
        }
    }

    pub(crate) fn set_status(&mut self, now: Timestamp, status: Status) {
        self.session.set_status(status);
        self.status = status;
        self.active_since = now;
    }

    pub(crate) fn look(
        &mut self,
        now: Timestamp,
        room: RoomHandle,
        viewport: Option<Viewport>,
        follow: Option<Slot>,
    ) {
        self.session.set_viewport(room, viewport, follow);
        let stay = self.stays.get_mut(&room).expect("a room that it is in");
        (stay.viewport, stay.follow, stay.looked_at) = (viewport, follow, now);
    }

    pub(crate) fn submit(&mut self, room: RoomHandle, ops: Vec<Op>) {
        let number = self.session.submit(room, ops);
        let stay = self.stays.get_mut(&room).expect("a room that it is in");
        number.expect("a room that it is in");
        stay.submitted += 1;
    }

    pub(crate) fn handle_chunk(&mut self, now: Timestamp, stream: StreamId, chunk: &[u8]) {
        let taken = if stream == CONTROL {
            self.session.handle_control(now, chunk)
        } else {
            let room = self.streams.iter().find(|(_, known)| **known == stream);
            // The lane of a room that was left since.
            let Some((&room, _)) = room else { return };
            self.session.handle_edits(room, chunk)
        };
        if let Err(error) = taken {
            self.findings.push(format!("stream {stream}: {error}"));
        }
        while let Some(event) = self.session.poll_event() {
            self.handle_event(now, event);
        }
    }

    /// Takes a datagram. What can be read of it has to be: both ends know the same at each baseline.
    pub(crate) fn handle_datagram(&mut self, now: Timestamp, datagram: &[u8]) {
        let before = self.session.counters();
        self.session.handle_datagram(now, datagram);
        let counters = self.session.counters();
        let mut reader = Reader::new(datagram);
        let kind = reader.u8();
        let Ok(header) = FrameHeader::read(&mut reader) else { return };
        let Some(room) = self.session.room(header.room).filter(|_| kind == Ok(frame::KIND)) else {
            return;
        };
        if self.stays.get(&header.room).is_some_and(|stay| stay.leaving) {
            return;
        }
        // The frames of this membership are of ticks after the one that it began with.
        let first = ((room.slot(), room.generation()), room.tick());
        let newest = self.newest.entry(header.room).or_insert(first);
        if newest.0 != first.0 {
            *newest = first;
        }
        if counters.datagrams_unusable != before.datagrams_unusable {
            self.findings.push(format!("a frame of tick {} that can't be read", header.tick.0));
        }
        // One that was overtaken may be too late, or of the membership before; a copy may be against what its original
        // has put out of the window.
        if header.tick > newest.1 {
            newest.1 = header.tick;
            if counters.frames_unusable != before.frames_unusable {
                self.findings.push(format!("a frame of tick {} is unusable", header.tick.0));
            }
        }
    }

    /// What is to be sent now; to be called after everything that changes the client.
    pub(crate) fn take_sendings(&mut self, now: Timestamp) -> Vec<Sending> {
        for (room, stay) in &mut self.stays {
            while let Some((slot, position)) = self.session.poll_motion(*room) {
                let Some(position) = position else {
                    let was_told = stay.told.remove(&slot).is_some();
                    assert!(was_told, "gone, and never there");
                    continue;
                };
                stay.told.insert(slot, position);
                self.updates.push((*room, slot, position));
            }
        }
        let mut sendings = Vec::new();
        while let Some(transmit) = self.session.poll_transmit(now) {
            match transmit {
                Transmit::Control(bytes) => sendings.push(Sending::Write(CONTROL, bytes)),
                Transmit::Datagram(bytes) => sendings.push(Sending::Datagram(bytes.slice(1..))),
                Transmit::Edits(room, bytes) => {
                    let stream = *self.streams.entry(room).or_insert_with(|| {
                        self.next_stream += 1;
                        self.next_stream - 1
                    });
                    sendings.push(Sending::Write(stream, bytes));
                }
                Transmit::CloseEdits(room) => {
                    self.streams.remove(&room);
                }
            }
        }
        sendings
    }

    fn handle_event(&mut self, now: Timestamp, event: Event) {
        match event {
            Event::Welcome { .. } => self.welcome = true,
            Event::Entered { request, room, events_lost, .. } => {
                let name = self.entering.remove(&request).expect("an answer to a request");
                if events_lost {
                    self.findings.push(format!("{name}: events are lost at the entry"));
                }
                self.stays.insert(room, Stay::new(now, name));
            }
            Event::Left { room, reason } => {
                let expected = self.stays.remove(&room).is_some_and(|stay| stay.leaving);
                if !expected || reason.is_some() {
                    self.findings.push(format!("room {room} ended by itself: {reason:?}"));
                }
            }
            Event::Refused(error) => match error.request {
                Some(request) => {
                    self.entering.remove(&request);
                }
                // A directed event may name a member who left on the way.
                None if error.code == hither_protocol::message::Refusal::NotFound => {}
                None => self.findings.push(format!("refused: {error:?}")),
            },
            Event::EventsLost { room } => {
                self.findings.push(format!("room {room}: a gap in the events"));
            }
            Event::Broadcast { room, from, id, data, .. } => {
                self.with_stay(room, |stay| stay.events.push((id.number, from, data)));
            }
            Event::Direct(direct) => {
                self.with_stay(direct.room, |stay| stay.directs.push(direct.data));
            }
            Event::DocumentLoaded { room } => self.with_stay(room, |stay| stay.loaded = true),
            Event::Edited { room, edit: Edit { sequence, .. } } => {
                let mut gap = None;
                self.with_stay(room, |stay| {
                    gap = stay.last_edit.filter(|last| last + 1 != sequence);
                    stay.last_edit = Some(sequence);
                });
                if let Some(last) = gap {
                    self.findings.push(format!("room {room}: edit {sequence} came after {last}"));
                }
            }
            Event::EditAcked { room, ack } => {
                self.answered(room, ack.number, Some(ack.sequence));
            }
            Event::EditRejected { room, reject } => self.answered(room, reject.number, None),
            _ => {}
        }
    }

    fn answered(&mut self, room: RoomHandle, number: u64, sequence: Option<u64>) {
        let mut again = false;
        self.with_stay(room, |stay| again = stay.answers.insert(number, sequence).is_some());
        if again {
            self.findings.push(format!("room {room}: edit {number} was answered twice"));
        }
    }

    fn with_stay(&mut self, room: RoomHandle, then: impl FnOnce(&mut Stay)) {
        match self.stays.get_mut(&room) {
            Some(stay) => then(stay),
            None => self.findings.push(format!("told of room {room}, which it is not in")),
        }
    }
}

impl Stay {
    fn new(now: Timestamp, name: RoomName) -> Self {
        Self {
            name,
            entered_at: now,
            leaving: false,
            position: None,
            told: BTreeMap::new(),
            viewport: None,
            follow: None,
            looked_at: now,
            events: Vec::new(),
            directs: Vec::new(),
            submitted: 0,
            answers: BTreeMap::new(),
            loaded: false,
            last_edit: None,
        }
    }
}
