//! What users do: a step of their motion whenever they look at their mouse, and now and then something else.

use std::time::Duration;

use hither_protocol::limits::AXIS_LIMIT;
use hither_protocol::message::control::{Status, Viewport};
use hither_protocol::message::edits::{Op, OpKind};
use hither_protocol::message::{Map, Value};
use hither_protocol::motion::Position;
use hither_protocol::{RoomHandle, RoomName, Slot};
use rand::RngExt;
use rand::seq::IndexedRandom;

use crate::world::World;
use hither_tests::net::millis;

impl World {
    /// A user does something other than move.
    pub(crate) fn act(&mut self, user: usize) {
        let churn = self.rng.random_bool(self.scenario.churn);
        let client = self.users[user].client.as_ref().expect("who acts is connected");
        if !client.welcome {
            return;
        }
        let rooms: Vec<RoomHandle> =
            client.stays.iter().filter(|(_, stay)| !stay.leaving).map(|(room, _)| *room).collect();
        if rooms.is_empty() || churn && self.rng.random_bool(0.2) {
            return self.enter_some(user);
        }
        let room = rooms[self.rng.random_range(0..rooms.len())];
        if churn {
            return self.churn(user, room);
        }
        if self.rng.random_bool(self.scenario.glances) {
            return self.glance(user, room);
        }
        match self.rng.random_range(0..4) {
            0 => self.patch(user, room),
            1 => self.broadcast(user, room),
            _ => self.edit(user, room),
        }
    }

    /// A user looks at the mouse, and moves if it has; returns when it looks again.
    pub(crate) fn look(&mut self, user: usize) -> Duration {
        let pause = millis(&mut self.rng, self.scenario.look_every_ms.clone());
        let client = self.users[user].client.as_ref().expect("who looks is connected");
        let rooms: Vec<RoomHandle> =
            client.stays.iter().filter(|(_, stay)| !stay.leaving).map(|(room, _)| *room).collect();
        let Some(burst) = self.users[user].burst else {
            if !rooms.is_empty() {
                let room = rooms[self.rng.random_range(0..rooms.len())];
                self.users[user].burst = Some((room, self.rng.random_range(1..40)));
            }
            return pause;
        };
        let (room, left) = burst;
        if left == 0 || !rooms.contains(&room) {
            self.users[user].burst = None;
            return millis(&mut self.rng, self.scenario.rest_ms.clone());
        }
        self.users[user].burst = Some((room, left - 1));
        self.step(user, room);
        pause
    }

    fn step(&mut self, user: usize, room: RoomHandle) {
        let client = self.users[user].client.as_mut().expect("who moves is connected");
        let stay = client.stays.get_mut(&room).expect("a room that it is in");
        let view = client.session.room(room).expect("a room that it is in");
        let (slot, axes) = (view.slot(), view.motion_format().format().axes);
        let jumps = stay.position.is_none() || self.rng.random_bool(0.02);
        // Mostly where the others are.
        let reach = match (jumps, self.rng.random_bool(0.2)) {
            (true, true) => AXIS_LIMIT,
            (true, false) => 1_500,
            _ => 40,
        };
        let old = stay.position.filter(|_| !jumps).unwrap_or_default().axes();
        let next = old.map(|old| old.saturating_add(self.rng.random_range(-reach..reach)));
        let position = axes.bring(Position::new(next));
        if stay.position.replace(position) == Some(position) {
            return;
        }
        client.session.set_motion(self.now, room, position);
        self.been.entry((room, format!("user-{user}"))).or_default().insert(position);
        let viewers = self.viewers_of(user, room, position);
        self.rests.moved(self.now, user, room, (slot, position), viewers);
    }

    /// Looks at a part of a room, around somebody or nobody, or at all of it again; and follows somebody or nobody.
    fn glance(&mut self, user: usize, room: RoomHandle) {
        let now = self.now;
        self.rests.look_away_from(room, user);
        if self.rng.random_bool(0.3) {
            return self.client(user).look(now, room, None, None);
        }
        let clients = self.users.iter().filter_map(|user| user.client.as_ref());
        let places = clients.filter_map(|client| client.stays.get(&room)?.position);
        let middle = places.collect::<Vec<_>>().choose(&mut self.rng).copied().unwrap_or_default();
        let size = self.rng.random_range(0..12);
        let mut border = |middle: i32| {
            let offset = self.rng.random_range(0..=1 << size);
            (middle.saturating_sub(offset), middle.saturating_add((1 << size) - offset))
        };
        let ((left, right), (top, bottom)) = (border(middle.x()), border(middle.y()));
        let mut viewport = Viewport { left, top, right, bottom };
        let view = self.client(user).session.room(room).expect("a room that it is in");
        if size % 2 == 0 {
            // Where an axis wraps, what began before its seam may end behind it.
            let axes = view.motion_format().format().axes;
            let [first, last] =
                [(left, top), (right, bottom)].map(|(x, y)| axes.bring(Position::xy(x, y)));
            (viewport.left, viewport.top) = (first.x(), first.y());
            (viewport.right, viewport.bottom) = (last.x(), last.y());
        }
        let members: Vec<Slot> = view.members().map(|member| member.slot).collect();
        let follow = members.choose(&mut self.rng).copied();
        let follow = follow.filter(|_| self.rng.random_bool(0.2));
        self.client(user).look(now, room, Some(viewport), follow);
    }

    fn enter_some(&mut self, user: usize) {
        let number = self.rng.random_range(0..self.scenario.rooms.len());
        let name: RoomName = format!("sim:room-{number}").parse().expect("a good name");
        let presence = self.presence();
        let seen = self.users[user].seen.remove(&name);
        let client = self.users[user].client.as_mut().expect("connected");
        let inside = client.stays.values().map(|stay| &stay.name).chain(client.entering.values());
        if !inside.clone().any(|inside| *inside == name) {
            client.enter(&name, presence, seen);
        }
    }

    /// Ends a membership or a connection, or looks away or back.
    fn churn(&mut self, user: usize, room: RoomHandle) {
        let now = self.now;
        match self.rng.random_range(0..10) {
            0 | 1 => {
                self.rests.excuse_in(room, user);
                self.client(user).leave(room);
                if self.rng.random_bool(0.5) {
                    // Back at once, before the server has answered.
                    let client = self.client(user);
                    let name = client.stays[&room].name.clone();
                    client.enter(&name, Map::new(), None);
                }
            }
            2 => self.lose(user, true),
            3 => self.lose(user, false),
            4 => self.say_bye(user),
            _ => {
                let status = match self.client(user).status {
                    Status::Active => Status::Away,
                    _ => Status::Active,
                };
                if status == Status::Away {
                    self.rests.look_away(user);
                }
                self.client(user).set_status(now, status);
            }
        }
    }

    fn patch(&mut self, user: usize, room: RoomHandle) {
        let mut patch = self.presence();
        if self.rng.random_bool(0.2) {
            patch.insert("word".into(), Value::Nil);
        }
        self.client(user).session.update_presence(room, patch);
    }

    fn broadcast(&mut self, user: usize, room: RoomHandle) {
        let word = self.word();
        let members: Vec<Slot> = {
            let view = self.client(user).session.room(room).expect("a room that it is in");
            view.members().map(|member| member.slot).collect()
        };
        let to = if self.rng.random_bool(0.3) {
            vec![members[self.rng.random_range(0..members.len())]]
        } else {
            Vec::new()
        };
        self.client(user).session.broadcast(room, "said", Value::Int(word), to);
    }

    fn edit(&mut self, user: usize, room: RoomHandle) {
        if self.rng.random_bool(0.1) {
            return self.client(user).session.open_document(room);
        }
        let ops = (0..self.rng.random_range(1..=3))
            .map(|_| {
                let kind = match self.rng.random_range(0..6) {
                    0..3 => OpKind::Put,
                    3 | 4 => OpKind::Patch,
                    _ => OpKind::Remove,
                };
                let record = format!("record-{}", self.rng.random_range(0..8));
                let fields = if kind == OpKind::Remove { Map::new() } else { self.presence() };
                Op::new(kind, record, fields)
            })
            .collect();
        self.client(user).submit(room, ops);
    }

    /// Some fields, which nobody else has.
    fn presence(&mut self) -> Map {
        let field = format!("field-{}", self.rng.random_range(0..4));
        let padding = "x".repeat(self.rng.random_range(0..=self.scenario.padding / 2));
        Map::from([
            ("word".into(), Value::Int(self.word())),
            (field, Value::Int(self.word())),
            ("padding".into(), padding.into()),
        ])
    }
}
