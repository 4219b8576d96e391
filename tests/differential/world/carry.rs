//! What is under way in a world: between the server and the others at once, between the server and the twin's two ends
//! over a network.

use bytes::Bytes;
use hither_protocol::message::control::{Hello, MotionBytes, ToClient};
use hither_tests::net::{Direction, StreamId};
use hither_tests::server::{CONTROL, ConnectionId, Task};
use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::Value as Json;

use super::{Client, Happening, Packet, World};
use crate::odd;
use crate::other::Other;
use crate::plan::Noise;
use crate::random::spoil;
use crate::sent::Sending;
use crate::step::Step;
use crate::twin::Twin;

impl World<'_> {
    /// A new connection at the server.
    pub(super) fn connect(&mut self, user: String) -> ConnectionId {
        self.connections += 1;
        self.server.handle_connected(self.now, self.connections, user);
        self.connections
    }

    pub(super) fn connect_twin(&mut self) -> Result<(), String> {
        let id = self.connect("twin".into());
        let hello = Hello {
            name: self.rng.random::<bool>().then(|| "Zoë".into()),
            reliable_motion: self.rng.random_bool(0.2),
            resume_token: self.rng.random::<bool>().then(|| "a.b.c".into()),
            ..Hello::default()
        };
        let mut twin = Twin::new(self.now, hello.clone());
        twin.is_lied_to = self.plan.lies;
        twin.hears_noise = self.plan.noise == Noise::Streams;
        self.client = Some(Client {
            twin,
            answer: Json::Null,
            id,
            due: self.now,
            up: Direction::new(self.plan.up.clone()),
            down: Direction::new(self.plan.down.clone()),
            streams: Default::default(),
            next_stream: CONTROL + 1,
        });
        self.put(0..20, Happening::ActTwin(id));
        self.step(Step::Connect(hello))
    }

    /// The twin's connection ends; it comes back later.
    pub(crate) fn lose_twin(&mut self) {
        let Some(client) = self.client.take() else { return };
        for room in client.twin.rooms() {
            let room = client.twin.session.room(room).expect("a room that it is in");
            self.seen.insert(room.name().clone(), room.seen());
        }
        self.server.handle_gone(client.id);
        self.put(10..300, Happening::ConnectTwin);
    }

    pub(super) fn is_twin(&self, id: ConnectionId) -> bool {
        self.client.as_ref().is_some_and(|client| client.id == id)
    }

    /// Lets the twin's two ends do a step, and sends on its way what TypeScript wants sent.
    pub(super) fn step(&mut self, step: Step) -> Result<(), String> {
        let Some(client) = &mut self.client else { return Ok(()) };
        let outcome = client.twin.handle(self.node, self.now, &step)?;
        self.figures.add(&outcome.answer);
        if outcome.is_broken {
            self.lose_twin();
            return Ok(());
        }
        client.due = outcome.due;
        client.answer = outcome.answer;
        outcome.sendings.into_iter().for_each(|sending| self.send_up(sending));
        Ok(())
    }

    fn send_up(&mut self, sending: Sending) {
        let Some(client) = &mut self.client else { return };
        let (stream, bytes) = match sending {
            Sending::Datagram(bytes) => {
                for at in client.up.datagram(&mut self.rng, self.now) {
                    let packet = Packet::Datagram(bytes.clone());
                    self.agenda.put(at, Happening::Up(client.id, packet));
                }
                return;
            }
            Sending::CloseEdits(room) => {
                client.streams.remove(&room);
                return;
            }
            Sending::Control(bytes) => (CONTROL, bytes),
            Sending::Edits(room, bytes) => {
                let stream = *client.streams.entry(room).or_insert_with(|| {
                    client.next_stream += 1;
                    client.next_stream - 1
                });
                (stream, bytes)
            }
        };
        for (at, chunk) in client.up.write(&mut self.rng, self.now, stream, bytes) {
            self.agenda.put(at, Happening::Up(client.id, Packet::Chunk(stream, chunk)));
        }
    }

    pub(super) fn handle_down(&mut self, packet: Packet) -> Result<(), String> {
        let Some(client) = &self.client else { return Ok(()) };
        let step = match packet {
            Packet::Datagram(bytes) => {
                Step::Datagram(self.noisy(bytes, self.plan.noise == Noise::Datagrams, 0.1))
            }
            Packet::Chunk(CONTROL, bytes) => {
                Step::Control(self.noisy(bytes, self.plan.noise == Noise::Streams, 0.01))
            }
            Packet::Chunk(stream, bytes) => {
                let room = client.streams.iter().find(|(_, known)| **known == stream);
                // The lane of a room that was left since.
                let Some((&room, _)) = room else { return Ok(()) };
                Step::Edits(room, self.noisy(bytes, self.plan.noise == Noise::Streams, 0.01))
            }
        };
        self.step(step)
    }

    fn noisy(&mut self, bytes: Bytes, is_noisy: bool, chance: f64) -> Bytes {
        if !is_noisy || !self.rng.random_bool(chance) {
            return bytes;
        }
        let mut bytes = bytes.to_vec();
        spoil(&mut self.rng, &mut bytes);
        bytes.into()
    }

    pub(super) fn handle_timeouts(&mut self) -> Result<(), String> {
        self.server.handle_timeout(self.now);
        for other in self.others.iter_mut().flatten() {
            other.session.handle_timeout(self.now);
        }
        if self.client.as_ref().is_some_and(|client| client.due <= self.now) {
            self.step(Step::Timeout)?;
        }
        Ok(())
    }

    /// Carries what all want sent, until nobody wants anything.
    pub(super) fn carry(&mut self) {
        loop {
            for other in self.others.iter_mut().flatten() {
                other.send(self.now, &mut self.server);
            }
            let tasks = self.server.take_tasks();
            if tasks.is_empty() {
                return;
            }
            tasks.into_iter().for_each(|task| self.carry_out(task));
        }
    }

    fn carry_out(&mut self, task: Task) {
        let now = self.now;
        match task {
            Task::Write(id, stream, bytes) => match &mut self.client {
                Some(client) if client.id == id => {
                    let mut bytes = bytes;
                    if self.plan.noise == Noise::Streams && self.rng.random_bool(0.2) {
                        let odd = odd_message(&mut self.rng, stream, &client.twin);
                        bytes = [bytes, odd].concat().into();
                    }
                    for (at, chunk) in client.down.write(&mut self.rng, self.now, stream, bytes) {
                        self.agenda.put(at, Happening::Down(id, Packet::Chunk(stream, chunk)));
                    }
                }
                _ => {
                    if let Some(other) = self.other(id) {
                        other.handle_chunk(now, stream, &bytes);
                    }
                }
            },
            Task::Datagram(id, bytes) => match &self.client {
                Some(client) if client.id == id && client.twin.is_reliable => {
                    let motion = MotionBytes { datagram: bytes.to_vec() };
                    let message = ToClient::Motion(motion).encode();
                    self.carry_out(Task::Write(id, CONTROL, message));
                }
                Some(client) if client.id == id => {
                    for at in client.down.datagram(&mut self.rng, self.now) {
                        let packet = Packet::Datagram(bytes.clone());
                        self.agenda.put(at, Happening::Down(id, packet));
                    }
                }
                _ => {
                    if let Some(other) = self.other(id) {
                        other.session.handle_datagram(now, &bytes);
                    }
                }
            },
            Task::Store(room, sequence) => self.put(0..10, Happening::Stored(room, sequence)),
            Task::Pump(id) => self.put(0..20, Happening::Pump(id)),
            Task::Close(id) if self.is_twin(id) => self.lose_twin(),
            Task::Close(id) => {
                let closed = |other: &mut Option<Other>| {
                    other.take_if(|other| other.id == id);
                };
                self.others.iter_mut().for_each(closed);
            }
        }
    }

    fn other(&mut self, id: ConnectionId) -> Option<&mut Other> {
        self.others.iter_mut().flatten().find(|other| other.id == id)
    }
}

/// A message that fits the stream, about a room of the client if it is in one.
fn odd_message(rng: &mut StdRng, stream: StreamId, twin: &Twin) -> Bytes {
    if stream != CONTROL {
        return odd::edits(rng);
    }
    odd::control(rng, twin.rooms().first().copied().unwrap_or_default())
}
