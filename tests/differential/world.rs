//! A world of core's rooms with one twin in it. Others keep it busy: they are connected without a network, the twin
//! over one that loses, delays, doubles and cuts.

mod carry;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use hither_core::{Room, RoomId};
use hither_protocol::message::control::Seen;
use hither_protocol::{Epoch, Generation, RoomHandle, RoomName, Slot, Timestamp};
use hither_tests::net::{Agenda, Direction, StreamId, millis};
use hither_tests::server::{ConnectionId, Server};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value as Json;

use crate::figures::Figures;
use crate::node::Node;
use crate::other::Other;
use crate::plan::Plan;
use crate::twin::{GRID_MICROS, Twin};

/// How long the world runs on when nobody does anything any more.
const REST: Duration = Duration::from_millis(1_500);

/// What is to happen at a moment.
#[derive(Debug)]
enum Happening {
    Connect(usize),
    Act(usize),
    ConnectTwin,
    ActTwin(ConnectionId),
    Up(ConnectionId, Packet),
    Down(ConnectionId, Packet),
    Stored(RoomHandle, u64),
    Pump(ConnectionId),
}

#[derive(Debug)]
enum Packet {
    Datagram(Bytes),
    Chunk(StreamId, Bytes),
}

/// The twin while it is connected.
pub(crate) struct Client {
    pub(crate) twin: Twin,
    /// What TypeScript said last.
    pub(crate) answer: Json,
    id: ConnectionId,
    due: Timestamp,
    up: Direction,
    down: Direction,
    streams: BTreeMap<RoomHandle, StreamId>,
    next_stream: StreamId,
}

/// The whole of it.
pub(crate) struct World<'a> {
    pub(crate) plan: Plan,
    pub(crate) rng: StdRng,
    pub(crate) server: Server,
    pub(crate) others: Vec<Option<Other>>,
    pub(crate) client: Option<Client>,
    /// The events that the twin has seen in rooms that it is not in any more.
    pub(crate) seen: BTreeMap<RoomName, Seen>,
    /// Where the twin's user has said last that it is, in each of its memberships.
    pub(crate) placed: BTreeMap<(u32, Slot, Generation), [i32; 4]>,
    /// What has happened to the twin, in the worlds before this one, too.
    pub(crate) figures: &'a mut Figures,
    pub(crate) now: Timestamp,
    node: &'a mut Node,
    agenda: Agenda<Happening>,
    quiet_from: Timestamp,
    connections: ConnectionId,
}

impl<'a> World<'a> {
    pub(crate) fn new(seed: u64, node: &'a mut Node, figures: &'a mut Figures) -> Self {
        let plan = Plan::of(seed);
        let mut rng = StdRng::seed_from_u64(seed);
        let now = Timestamp::from_millis(1_700_000_000_000);
        let rooms = plan.rooms.iter().enumerate().map(|(index, policy)| {
            let handle = RoomHandle((index as u32 * 100) + 90);
            let epoch = Epoch(rng.random_range(1..1 << 53));
            let id = RoomId { name: room_name(index), handle, epoch };
            Room::new(id, policy.clone(), now, millis(&mut rng, 0..100))
        });
        let mut world = Self {
            server: Server::new(rooms.collect()),
            others: (0..plan.others).map(|_| None).collect(),
            client: None,
            seen: BTreeMap::new(),
            placed: BTreeMap::new(),
            figures,
            node,
            now,
            agenda: Agenda::default(),
            quiet_from: now + plan.active_for,
            connections: 0,
            plan,
            rng,
        };
        for other in 0..world.others.len() {
            world.put(0..200, Happening::Connect(other));
        }
        world.put(0..200, Happening::ConnectTwin);
        world
    }

    /// Runs until nobody does anything any more, and a while longer.
    ///
    /// # Errors
    /// Says where the twin's two ends differ first.
    pub(crate) fn run(&mut self) -> Result<(), String> {
        let end = self.quiet_from + REST;
        while let Some(at) = self.next_at().filter(|at| *at <= end) {
            let micros = at.max(self.now).as_micros().next_multiple_of(GRID_MICROS);
            self.now = Timestamp::from_micros(micros);
            match self.agenda.pop(self.now) {
                Some(happening) => self.handle(happening)?,
                None => self.handle_timeouts()?,
            }
            self.carry();
        }
        Ok(())
    }

    fn next_at(&self) -> Option<Timestamp> {
        let others = self.others.iter().flatten().filter_map(|other| other.session.poll_timeout());
        let twin = self.client.iter().map(|client| client.due);
        others.chain(twin).chain(self.agenda.next_at()).chain(self.server.poll_timeout()).min()
    }

    fn put(&mut self, after_ms: std::ops::Range<u64>, happening: Happening) {
        let at = self.now + millis(&mut self.rng, after_ms);
        self.agenda.put(at, happening);
    }

    fn handle(&mut self, happening: Happening) -> Result<(), String> {
        let is_busy = self.now < self.quiet_from;
        match happening {
            Happening::Connect(other) => {
                let id = self.connect(format!("user-{other}"));
                self.others[other] = Some(Other::new(id));
                self.put(0..50, Happening::Act(other));
            }
            Happening::Act(other) if is_busy => {
                let pause = self.plan.pause_ms.clone();
                if self.act_other(other) {
                    self.put(pause, Happening::Act(other));
                } else {
                    self.put(pause, Happening::Connect(other));
                }
            }
            Happening::ConnectTwin => self.connect_twin()?,
            Happening::ActTwin(id) if is_busy && self.is_twin(id) => {
                for step in self.act_twin() {
                    self.step(step)?;
                }
                self.put(2..40, Happening::ActTwin(id));
            }
            Happening::Act(_) | Happening::ActTwin(_) => {}
            Happening::Up(id, Packet::Datagram(bytes)) => {
                // A sample of a room that was left may come late: it is dropped.
                self.server.handle_datagram(self.now, id, &bytes);
            }
            Happening::Up(id, Packet::Chunk(stream, bytes)) => {
                self.server.handle_chunk(self.now, id, stream, &bytes);
            }
            Happening::Down(id, packet) if self.is_twin(id) => self.handle_down(packet)?,
            Happening::Down(..) => {}
            Happening::Stored(room, sequence) => self.server.handle_stored(room, sequence),
            Happening::Pump(id) => self.server.handle_pump(id),
        }
        Ok(())
    }
}

/// The full name of a world's room.
pub(crate) fn room_name(index: usize) -> RoomName {
    format!("sim:room-{index}").parse().expect("a good name")
}
