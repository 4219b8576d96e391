//! The others of a world, who keep the twin's rooms busy: Rust sessions with a perfect connection.

use std::collections::BTreeMap;

use hither_protocol::message::control::{Hello, Status};
use hither_protocol::motion::Position;
use hither_protocol::session::{Event, Session, Transmit};
use hither_protocol::{EditorId, RoomHandle, Timestamp};
use hither_tests::net::StreamId;
use hither_tests::server::{CONTROL, ConnectionId, Server};
use rand::RngExt;

use crate::random::{ops, presence, targets, value};
use crate::world::{World, room_name};

/// One of the others while it is connected.
pub(crate) struct Other {
    pub(crate) id: ConnectionId,
    pub(crate) session: Session,
    /// The rooms that it is in.
    pub(crate) rooms: Vec<RoomHandle>,
    streams: BTreeMap<RoomHandle, StreamId>,
    next_stream: StreamId,
    pub(crate) is_away: bool,
}

impl Other {
    pub(crate) fn new(id: ConnectionId) -> Self {
        Self {
            id,
            session: Session::new(Hello::default(), EditorId((id as u128 + 1).to_be_bytes())),
            rooms: Vec::new(),
            streams: BTreeMap::new(),
            next_stream: CONTROL + 1,
            is_away: false,
        }
    }

    /// Takes the next bytes of a stream.
    pub(crate) fn handle_chunk(&mut self, now: Timestamp, stream: StreamId, chunk: &[u8]) {
        let taken = if stream == CONTROL {
            self.session.handle_control(now, chunk)
        } else {
            let room = self.streams.iter().find(|(_, known)| **known == stream);
            room.map_or(Ok(()), |(room, _)| self.session.handle_edits(*room, chunk))
        };
        taken.expect("a server keeps to the protocol");
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Entered { room, .. } => self.rooms.push(room),
                Event::Left { room, .. } => self.rooms.retain(|known| *known != room),
                _ => {}
            }
        }
    }

    /// Sends all that is to be sent.
    pub(crate) fn send(&mut self, now: Timestamp, server: &mut Server) {
        while let Some(transmit) = self.session.poll_transmit(now) {
            match transmit {
                Transmit::Control(bytes) => server.handle_chunk(now, self.id, CONTROL, &bytes),
                Transmit::Datagram(bytes) => {
                    server.handle_datagram(now, self.id, &bytes[1..]);
                }
                Transmit::Edits(room, bytes) => {
                    let stream = *self.streams.entry(room).or_insert_with(|| {
                        self.next_stream += 1;
                        self.next_stream - 1
                    });
                    server.handle_chunk(now, self.id, stream, &bytes);
                }
                Transmit::CloseEdits(room) => {
                    self.streams.remove(&room);
                }
            }
        }
    }
}

impl World<'_> {
    /// One of the others does something; false if it is not connected any more.
    pub(crate) fn act_other(&mut self, at: usize) -> bool {
        let rng = &mut self.rng;
        let Some(other) = &mut self.others[at] else { return false };
        let session = &mut other.session;
        if session.user().is_none() {
            return true;
        }
        if other.rooms.is_empty() || rng.random_bool(0.03) {
            let name = room_name(rng.random_range(0..self.plan.rooms.len()));
            session.enter(name, presence(rng, self.plan.padding), None);
            return true;
        }
        let room = other.rooms[rng.random_range(0..other.rooms.len())];
        match rng.random_range(0..100) {
            0..60 => {
                let reach = if rng.random_bool(0.03) { 1 << 30 } else { 40 };
                let old = session.room(room).and_then(|room| room.position(room.slot()));
                let old = old.unwrap_or_default().axes();
                let next =
                    old.map(|axis| i32::saturating_add(axis, rng.random_range(-reach..reach)));
                session.set_motion(self.now, room, Position::new(next));
            }
            60..75 => session.update_presence(room, presence(rng, self.plan.padding)),
            75..83 => {
                let to = targets(rng, session.room(room).expect("a room that it is in"));
                session.broadcast(room, "said", value(rng, 3), to);
            }
            83..93 => {
                session.submit(room, ops(rng, self.plan.padding));
            }
            93..96 => {
                other.is_away = !other.is_away;
                session.set_status(if other.is_away { Status::Away } else { Status::Active });
            }
            96 | 97 => session.leave(room),
            98 => session.bye(),
            _ => {
                let id = other.id;
                self.others[at] = None;
                self.server.handle_gone(id);
                return false;
            }
        }
        true
    }
}
