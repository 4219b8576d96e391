//! What has to be true once a world is quiet, so that TypeScript really was a member: the others know what it said.

use hither_protocol::motion::Position;
use hither_protocol::session::Room;

use crate::plain::{difference, plain_map};
use crate::plan::Noise;
use crate::world::World;

impl World<'_> {
    /// Everything that is wrong with a world that has run; empty in a noisy one, which promises nothing.
    pub(crate) fn check(&self) -> Vec<String> {
        let mut findings = Vec::new();
        let Some(client) = self.client.as_ref().filter(|_| self.plan.noise == Noise::None) else {
            return findings;
        };
        for served in self.server.rooms.values() {
            if served.room.poll_timeout().is_some() {
                findings.push(format!("{} waits for an ack", served.room.id().name));
            }
        }
        for handle in client.twin.rooms() {
            let twin = client.twin.session.room(handle).expect("a room that it is in");
            let rooms = client.answer["own"].as_array().into_iter().flatten();
            let own = rooms.filter(|room| room[0] == handle.0).map(|room| &room[1]).next();
            let presence = twin.member(twin.slot()).map(|member| plain_map(&member.presence));
            let presence = presence.expect("it is in its roster");
            findings.extend(difference("own presence", &presence, own.expect("it is in the room")));
            for other in self.others.iter().flatten() {
                let Some(room) = other.session.room(handle).filter(|room| room.is_entered()) else {
                    continue;
                };
                let seen = room.member(twin.slot()).map(|member| plain_map(&member.presence));
                let seen = seen.unwrap_or_default();
                findings.extend(difference("presence at another", &presence, &seen));
                // Who has not moved may be seen where a late sample of its stay before was.
                let Some(placed) = self.placed(twin, handle.0).filter(|_| !other.is_away) else {
                    continue;
                };
                let position = room.position(twin.slot());
                if position != Some(placed) {
                    findings.push(format!("room {handle}: at {placed:?}, seen at {position:?}"));
                }
            }
        }
        findings
    }

    /// Where the twin's user has said last that it is.
    fn placed(&self, room: &Room, handle: u32) -> Option<Position> {
        let axes = room.motion_format().format().axes;
        let key = (handle, room.slot(), room.generation());
        Some(axes.bring(Position::new(*self.placed.get(&key)?)))
    }
}
