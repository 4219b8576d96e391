//! What the twin's user does.

use hither_protocol::RoomHandle;
use hither_protocol::limits::AXIS_LIMIT;
use hither_protocol::message::Map;
use hither_protocol::message::control::{Status, Viewport};
use hither_protocol::session::Room;
use rand::RngExt;
use rand::rngs::StdRng;

use crate::random::{map, ops, presence, targets, value};
use crate::step::Step;
use crate::world::{World, room_name};

impl World<'_> {
    /// The steps of what the twin's user does next.
    pub(crate) fn act_twin(&mut self) -> Vec<Step> {
        let rng = &mut self.rng;
        let Some(client) = &mut self.client else { return Vec::new() };
        let session = &client.twin.session;
        let member = |room| {
            let room = session.room(room).expect("a room that it is in");
            (room.slot(), room.generation())
        };
        let rooms = client.twin.rooms();
        let wants_more = rng.random_bool(0.02);
        if rooms.is_empty() && client.twin.is_entering() && !wants_more {
            return Vec::new();
        }
        if rooms.is_empty() || wants_more {
            let name = room_name(rng.random_range(0..self.plan.rooms.len()));
            let seen = self.seen.remove(&name);
            return vec![Step::Enter(name, presence(rng, 30), seen)];
        }
        let room = rooms[rng.random_range(0..rooms.len())];
        vec![match rng.random_range(0..100) {
            0..50 => {
                let reach = [3, 300, i32::MAX][rng.random_range(0..3)];
                let place = [(); 4].map(|()| rng.random_range(-reach..=reach));
                let (slot, generation) = member(room);
                self.placed.insert((room.0, slot, generation), place);
                Step::Motion(room, place)
            }
            50..60 => Step::Presence(room, map(rng, 2)),
            60..65 => viewport(rng, session.room(room).expect("a room that it is in"), room),
            65..75 => {
                let to = targets(rng, session.room(room).expect("a room that it is in"));
                Step::Event(room, "größe".into(), value(rng, 6), to)
            }
            75..84 => Step::Submit(room, ops(rng, self.plan.padding)),
            act @ 84..90 => {
                let view = session.room(room).expect("a room that it is in");
                match act {
                    _ if view.records().is_none() => Step::Open(room),
                    84..87 => Step::Undo(room),
                    87 => Step::Redo(room),
                    88 => Step::Group(room),
                    _ => Step::Ungroup(room),
                }
            }
            90 | 91 => Step::Open(room),
            92 => Step::Status(Status::Away),
            93..96 => Step::Status(Status::Active),
            96 | 97 => {
                let name = session.room(room).expect("a room that it is in").name().clone();
                let mut steps = vec![Step::Leave(room)];
                if rng.random() {
                    // Back at once, before the server has answered.
                    steps.push(Step::Enter(name, Map::new(), None));
                }
                return steps;
            }
            98 => Step::Bye,
            _ => {
                self.lose_twin();
                return Vec::new();
            }
        }]
    }
}

/// The twin's user looks elsewhere, or everywhere.
fn viewport(rng: &mut StdRng, room: &Room, handle: RoomHandle) -> Step {
    let mut side = || {
        let reach = [50, 3_000, AXIS_LIMIT - 1][rng.random_range(0..3)];
        let (a, b) = (rng.random_range(-reach..=reach), rng.random_range(-reach..=reach));
        (a.min(b), a.max(b))
    };
    let ((left, right), (top, bottom)) = (side(), side());
    let viewport = rng.random_bool(0.7).then_some(Viewport { left, top, right, bottom });
    let slots = targets(rng, room);
    Step::Viewport(handle, viewport, slots.first().copied())
}
