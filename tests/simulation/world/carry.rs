//! What is under way in a world: everything that either end sends goes through here, onto the network and off it.

use std::hash::Hash;

use bytes::Bytes;
use hither_protocol::motion::Position;
use hither_protocol::{RoomHandle, Slot};

use super::{Happening, Packet, World};
use crate::client::Sending;
use hither_tests::net::millis;
use hither_tests::server::{ConnectionId, Task};

impl World {
    /// Carries what a client wants sent.
    pub(crate) fn carry_up(&mut self, user: usize) {
        let Some(client) = &mut self.users[user].client else { return };
        let id = client.connection;
        let sendings = client.take_sendings(self.now);
        self.rests.look(self.now, user, &client.stays);
        let due = client.session.poll_timeout();
        let updates = std::mem::take(&mut client.updates);
        let told = std::mem::take(&mut client.findings);
        self.findings.extend(told.into_iter().map(|finding| format!("user {user}: {finding}")));
        self.users[user].due = due;
        updates.into_iter().for_each(|update| self.check_update(user, update));
        let wire = self.wires.get_mut(&id).expect("the client's");
        for sending in sendings {
            match sending {
                Sending::Datagram(bytes) => {
                    self.figures.datagrams_up += 1;
                    for at in wire.up.datagram(&mut self.rng, self.now) {
                        let packet = Packet::Datagram(bytes.clone());
                        self.agenda.put(at, Happening::Up(id, packet));
                    }
                }
                Sending::Write(stream, bytes) => {
                    for (at, chunk) in wire.up.write(&mut self.rng, self.now, stream, bytes) {
                        self.agenda.put(at, Happening::Up(id, Packet::Chunk(stream, chunk)));
                    }
                }
            }
        }
    }

    pub(super) fn handle_up(&mut self, id: ConnectionId, packet: Packet) {
        if self.wires[&id].cut {
            return;
        }
        self.note(id, true, &packet);
        match packet {
            Packet::Datagram(bytes) => {
                self.server.handle_datagram(self.now, id, &bytes);
            }
            Packet::Chunk(stream, bytes) => {
                self.server.handle_chunk(self.now, id, stream, &bytes);
            }
        }
        self.carry_down();
    }

    pub(super) fn handle_down(&mut self, id: ConnectionId, packet: Packet) {
        let wire = &self.wires[&id];
        let user = wire.user;
        if wire.cut {
            return;
        }
        self.note(id, false, &packet);
        let now = self.now;
        let Some(client) = &mut self.users[user].client else { return };
        match packet {
            Packet::Datagram(bytes) => client.handle_datagram(now, &bytes),
            Packet::Chunk(stream, bytes) => client.handle_chunk(now, stream, &bytes),
        }
        self.carry_up(user);
    }

    /// Carries what the server wants sent.
    pub(super) fn carry_down(&mut self) {
        for task in self.server.take_tasks() {
            match task {
                Task::Write(id, stream, bytes) => {
                    let Some(wire) = self.wires.get_mut(&id) else { continue };
                    if self.saboteur.loses_message(&mut self.rng, stream) {
                        continue;
                    }
                    for (at, chunk) in wire.down.write(&mut self.rng, self.now, stream, bytes) {
                        self.agenda.put(at, Happening::Down(id, Packet::Chunk(stream, chunk)));
                    }
                }
                Task::Datagram(id, bytes) => self.send_down(id, &bytes),
                Task::Store(room, sequence) => {
                    let at = self.now + millis(&mut self.rng, 0..10);
                    self.agenda.put(at, Happening::Stored(room, sequence));
                }
                Task::Pump(id) => {
                    let at = self.now + millis(&mut self.rng, 0..20);
                    self.agenda.put(at, Happening::Pump(id));
                }
                Task::Close(id) => {
                    if let Some(wire) = self.wires.get_mut(&id) {
                        let user = wire.user;
                        wire.cut = true;
                        self.users[user].client = None;
                        self.users[user].due = None;
                        let pause = millis(&mut self.rng, 50..500);
                        self.agenda.put(self.now + pause, Happening::Connect(user));
                    }
                }
            }
        }
    }

    /// Nobody is ever seen where it has not been.
    fn check_update(&mut self, user: usize, update: (RoomHandle, Slot, Position)) {
        self.figures.updates += 1;
        let (room, slot, position) = update;
        let session = &self.users[user].client.as_ref().expect("who was told").session;
        let who = session.room(room).and_then(|room| room.member(slot));
        let Some(who) = who.map(|member| member.user.id.clone()) else { return };
        let was_there = self.been.get(&(room, who)).is_some_and(|been| been.contains(&position));
        if !was_there {
            let finding = format!("user {user}: slot {slot} was never at {position:?}");
            self.findings.push(finding);
        }
    }

    fn send_down(&mut self, id: ConnectionId, bytes: &Bytes) {
        self.figures.datagrams_down += 1;
        if self.saboteur.swallows(id, bytes) {
            return;
        }
        let wire = &self.wires[&id];
        let arrivals = wire.down.datagram(&mut self.rng, self.now);
        if arrivals.is_empty()
            && let Some(ack) = self.saboteur.forged_ack(bytes)
        {
            self.agenda.put(self.now, Happening::Up(id, Packet::Datagram(ack)));
        }
        for at in arrivals {
            self.agenda.put(at, Happening::Down(id, Packet::Datagram(bytes.clone())));
        }
    }

    fn note(&mut self, id: ConnectionId, up: bool, packet: &Packet) {
        let (stream, bytes) = match packet {
            Packet::Datagram(bytes) => (None, bytes),
            Packet::Chunk(stream, bytes) => (Some(*stream), bytes),
        };
        (self.now.as_micros(), id, up, stream, bytes).hash(&mut self.trace);
    }
}
