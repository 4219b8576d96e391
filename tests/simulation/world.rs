//! A simulated world: users with clients, a network and a server, in virtual time and from one seed. It carries what
//! each end wants sent, and lets the checks look whenever somebody's view may have changed.

mod carry;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hasher};
use std::time::Duration;

use bytes::Bytes;
use hither_core::{Room, RoomId};
use hither_protocol::message::control::{Seen, Status, Viewport};
use hither_protocol::motion::{Axis, Position};
use hither_protocol::{Epoch, RoomHandle, RoomName, Timestamp};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::client::Client;
use crate::report::Figures;
use crate::rests::Rests;
use crate::sabotage::Saboteur;
use crate::scenarios::Scenario;
use hither_tests::net::{Agenda, Conditions, Direction, StreamId, millis};
use hither_tests::server::{ConnectionId, Server};

/// How long a silent connection counts as there.
const IDLE: Duration = Duration::from_millis(400);
/// How long after the last act a world may take to come to rest.
const REST: Duration = Duration::from_secs(5);
/// More steps than any world takes; one that takes them hangs in a moment.
const STEPS_MAX: u64 = 1_000_000;
/// More than may ever be under way at once.
const AGENDA_MAX: usize = 50_000;

/// What is to happen at a moment.
#[derive(Debug)]
enum Happening {
    Connect(usize),
    Act(usize, ConnectionId),
    Look(usize, ConnectionId),
    Up(ConnectionId, Packet),
    Down(ConnectionId, Packet),
    Idle(ConnectionId),
    Stored(RoomHandle, u64),
    Pump(ConnectionId),
}

#[derive(Debug)]
enum Packet {
    Datagram(Bytes),
    Chunk(StreamId, Bytes),
}

/// A person, who outlives connections.
#[derive(Default)]
pub(crate) struct User {
    pub(crate) client: Option<Client>,
    /// How many more times it moves before it rests, and where.
    pub(crate) burst: Option<(RoomHandle, u32)>,
    /// The events seen in rooms whose connection was lost.
    pub(crate) seen: BTreeMap<RoomName, Seen>,
    due: Option<Timestamp>,
}

/// A connection's two directions.
struct Wire {
    user: usize,
    up: Direction,
    down: Direction,
    cut: bool,
}

/// The whole of it.
pub(crate) struct World {
    pub(crate) scenario: Scenario,
    pub(crate) now: Timestamp,
    pub(crate) rng: StdRng,
    pub(crate) users: Vec<User>,
    pub(crate) server: Server,
    pub(crate) rests: Rests,
    /// Where each user, by name, has ever been in a room.
    pub(crate) been: BTreeMap<(RoomHandle, String), HashSet<Position>>,
    pub(crate) figures: Figures,
    pub(crate) findings: Vec<String>,
    /// The number of the next thing that somebody says, so that all are different.
    pub(crate) next_word: i64,
    wires: BTreeMap<ConnectionId, Wire>,
    agenda: Agenda<Happening>,
    quiet_from: Timestamp,
    saboteur: Saboteur,
    trace: DefaultHasher,
    steps: u64,
}

impl World {
    pub(crate) fn new(seed: u64, scenario: Scenario, saboteur: Saboteur) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let now = Timestamp::from_millis(1_700_000_000_000);
        let rooms = scenario.rooms.iter().enumerate().map(|(index, policy)| {
            let name = format!("sim:room-{index}").parse().expect("a good name");
            let handle = RoomHandle(index as u32 + 1);
            let id = RoomId { name, handle, epoch: Epoch(rng.random_range(1..1 << 40)) };
            Room::new(id, policy.clone(), now, millis(&mut rng, 0..100))
        });
        let mut world = Self {
            server: Server::new(rooms.collect()),
            users: (0..scenario.users).map(|_| User::default()).collect(),
            now,
            rests: Rests::default(),
            been: BTreeMap::new(),
            figures: Figures::default(),
            findings: Vec::new(),
            next_word: 1,
            wires: BTreeMap::new(),
            agenda: Agenda::default(),
            quiet_from: now + scenario.active_for,
            saboteur,
            trace: DefaultHasher::new(),
            steps: 0,
            rng,
            scenario,
        };
        for user in 0..world.users.len() {
            let pause = millis(&mut world.rng, 0..300);
            world.agenda.put(now + pause, Happening::Connect(user));
        }
        world
    }

    /// Runs until all is quiet. Then everything that was to be said is said.
    pub(crate) fn run(&mut self) {
        while let Some(at) = self.next_at() {
            self.now = self.now.max(at);
            self.steps += 1;
            let endless = self.steps > STEPS_MAX || self.now > self.quiet_from + REST;
            if endless || self.agenda.len() > AGENDA_MAX {
                let (steps, waiting) = (self.steps, self.agenda.len());
                self.findings.push(format!("no end: {steps} steps, {waiting} under way"));
                break;
            }
            match self.agenda.pop(self.now) {
                Some(happening) => self.handle(happening),
                None => self.handle_timeouts(),
            }
        }
        self.rests.finish(self.now);
    }

    /// A number that stands for everything that was carried, and when.
    pub(crate) fn trace(&self) -> u64 {
        self.trace.finish()
    }

    /// A user's client.
    pub(crate) fn client(&mut self, user: usize) -> &mut Client {
        self.users[user].client.as_mut().expect("only those who are connected do something")
    }

    /// The next word that nobody has said yet.
    pub(crate) fn word(&mut self) -> i64 {
        self.next_word += 1;
        self.next_word
    }

    /// A connection falls silent, or is closed; its user comes back later.
    pub(crate) fn lose(&mut self, user: usize, silent: bool) {
        let Some(client) = self.users[user].client.take() else { return };
        self.users[user].due = None;
        for stay in client.stays.iter().filter(|(_, stay)| !stay.leaving) {
            let seen = client.session.room(*stay.0).expect("an entered room").seen();
            self.users[user].seen.insert(stay.1.name.clone(), seen);
        }
        self.rests.excuse(user);
        let id = client.connection;
        let wire = self.wires.get_mut(&id).expect("the client's");
        wire.cut = true;
        let after = if silent { IDLE } else { millis(&mut self.rng, 0..50) };
        self.agenda.put(self.now + after, Happening::Idle(id));
        let pause = millis(&mut self.rng, 50..900);
        self.agenda.put(self.now + pause, Happening::Connect(user));
    }

    /// A user says goodbye on all rooms, and comes back later.
    pub(crate) fn say_bye(&mut self, user: usize) {
        self.client(user).session.bye();
        self.carry_up(user);
        self.rests.excuse(user);
        self.users[user].client = None;
        self.users[user].due = None;
    }

    /// Whether a user still does something on this connection.
    fn is_at_it(&self, user: usize, id: ConnectionId) -> bool {
        let connected = self.users[user].client.as_ref().is_some_and(|one| one.connection == id);
        connected && self.now < self.quiet_from
    }

    fn next_at(&self) -> Option<Timestamp> {
        let clients = self.users.iter().filter_map(|user| user.due);
        clients.chain(self.agenda.next_at()).chain(self.server.poll_timeout()).min()
    }

    fn handle(&mut self, happening: Happening) {
        match happening {
            Happening::Connect(user) => self.connect(user),
            Happening::Act(user, id) => {
                if self.is_at_it(user, id) {
                    self.act(user);
                    self.carry_up(user);
                    let pause = millis(&mut self.rng, self.scenario.act_every_ms.clone());
                    self.agenda.put(self.now + pause, Happening::Act(user, id));
                }
            }
            Happening::Look(user, id) => {
                if self.is_at_it(user, id) {
                    let pause = self.look(user);
                    self.carry_up(user);
                    self.agenda.put(self.now + pause, Happening::Look(user, id));
                }
            }
            Happening::Up(id, packet) => self.handle_up(id, packet),
            Happening::Down(id, packet) => self.handle_down(id, packet),
            Happening::Idle(id) => {
                self.server.handle_gone(id);
                self.carry_down();
            }
            Happening::Stored(room, sequence) => {
                self.server.handle_stored(room, sequence);
                self.carry_down();
            }
            Happening::Pump(id) => {
                self.server.handle_pump(id);
                self.carry_down();
            }
        }
    }

    fn handle_timeouts(&mut self) {
        self.server.handle_timeout(self.now);
        self.carry_down();
        for user in 0..self.users.len() {
            if self.users[user].due.is_none_or(|due| due > self.now) {
                continue;
            }
            self.users[user].due = None;
            if let Some(client) = &mut self.users[user].client {
                client.session.handle_timeout(self.now);
            }
            self.carry_up(user);
        }
    }

    fn connect(&mut self, user: usize) {
        let id = self.wires.len();
        let (up, down) = (self.scenario.up.clone(), self.scenario.down.clone());
        let wire = Wire { user, up: Direction::new(up), down: Direction::new(down), cut: false };
        self.wires.insert(id, wire);
        self.server.handle_connected(self.now, id, format!("user-{user}"));
        let mut client = Client::new(self.now, id);
        let one_way = |conditions: &Conditions| conditions.delay_ms.0 + conditions.delay_ms.1;
        let round_trip = (one_way(&self.scenario.up) + one_way(&self.scenario.down)) / 2.0;
        client.session.handle_round_trip(Duration::from_secs_f64(round_trip / 1_000.0));
        self.users[user].client = Some(client);
        self.users[user].burst = None;
        self.carry_up(user);
        let pause = millis(&mut self.rng, 0..100);
        self.agenda.put(self.now + pause, Happening::Act(user, id));
        self.agenda.put(self.now + pause, Happening::Look(user, id));
    }

    /// The users who should see at once that `mover` goes to `position` in a room.
    pub(crate) fn viewers_of(
        &self,
        mover: usize,
        room: RoomHandle,
        position: Position,
    ) -> BTreeSet<usize> {
        // What a viewer says of itself has to reach the server first.
        let known_for = Duration::from_millis(150);
        let Some(own) = self.users[mover].client.as_ref().and_then(|one| one.session.room(room))
        else {
            return BTreeSet::new();
        };
        let format = own.motion_format().format();
        let axes = format.axes.axes();
        let sees = |user: &usize| {
            let Some(client) = &self.users[*user].client else { return false };
            let Some(stay) = client.stays.get(&room).filter(|stay| !stay.leaving) else {
                return false;
            };
            let since = stay.entered_at.max(client.active_since).max(stay.looked_at);
            let knows = client.session.room(room).and_then(|room| room.member(own.slot()));
            let has_in_sight = |viewport: &Viewport| holds(viewport, None, axes, position);
            client.status == Status::Active
                && (stay.follow == Some(own.slot()) || stay.viewport.iter().all(has_in_sight))
                && self.now.since(since) >= known_for
                && knows.is_some_and(|member| member.generation == own.generation())
        };
        (0..self.users.len()).filter(|user| *user != mover).filter(sees).collect()
    }
}

/// Whether a position is in a viewport, grown by a part of its size on each side; on axes that wrap, over the seam.
pub(crate) fn holds(
    viewport: &Viewport,
    part: Option<i64>,
    axes: &[Axis],
    position: Position,
) -> bool {
    let sides = [(viewport.left, viewport.right), (viewport.top, viewport.bottom)];
    axes.iter().zip(sides).zip(position.axes()).all(|((axis, (first, last)), value)| {
        let [first, last, value] = [first, last, value].map(i64::from);
        let around = axis.wraps.then(|| i64::from(axis.max) - i64::from(axis.min) + 1);
        let size = around.filter(|_| last < first).map_or(last - first, |around| {
            (last - first).rem_euclid(around) // a turn or more is written in order
        });
        let margin = part.map_or(0, |part| size / part);
        let (way, size) = (value - first + margin, size + 2 * margin);
        (0..=size).contains(&around.map_or(way, |around| way.rem_euclid(around)))
    })
}
