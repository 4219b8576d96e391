//! Datagrams and what noise makes of them: both languages use the same parts of the same bytes, and ack the same.

use std::time::Duration;

use hither_protocol::message::Rights;
use hither_protocol::message::control::{Hello, Joined, Member, MotionFormat, Roster, ToClient};
use hither_protocol::{Epoch, Generation, RoomHandle, Slot, Timestamp};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value as Json;

use crate::messages::vectors;
use crate::node::Node;
use crate::plain::from_hex;
use crate::random::spoil;
use crate::step::Step;
use crate::twin::Twin;
use crate::world::room_name;

/// From one frame to the next: so long that acks go up in between.
const PAUSE: Duration = Duration::from_millis(50);

/// Plays the golden sequences so many times, and returns where the languages differ.
pub(crate) fn play_all(node: &mut Node, seed: u64, rounds: u64) -> Vec<String> {
    let mut rng = StdRng::seed_from_u64(seed);
    let vectors = vectors("motion_down.json");
    let sequences = vectors["sequences"].as_array().expect("a list of sequences");
    let mut findings = Vec::new();
    for round in 0..rounds {
        for sequence in sequences {
            // The first round is the golden sequences themselves.
            let found = play(node, &mut rng, sequence, if round == 0 { 0.0 } else { 0.5 });
            findings.extend(found.err().map(|found| format!("{}: {found}", sequence["name"])));
        }
    }
    findings
}

fn play(node: &mut Node, rng: &mut StdRng, sequence: &Json, noise: f64) -> Result<(), String> {
    let start = Timestamp::from_millis(1_700_000_000_000);
    let mut twin = Twin::new(start, Hello::default());
    let mut step = |now, step| twin.handle(node, now, &step).map(drop);
    step(start, Step::Connect(Hello::default()))?;
    step(start, Step::Enter(room_name(0), Default::default(), None))?;
    let mut entered = entered(sequence).into_iter();
    entered.try_for_each(|message| step(start, Step::Control(message.encode())))?;
    let steps = sequence["steps"].as_array().expect("a list of steps");
    for (golden, now) in steps.iter().zip((1..).map(|count| start + PAUSE * count)) {
        let mut datagram = from_hex(golden["hex"].as_str().expect("hex"));
        if rng.random_bool(noise) {
            spoil(rng, &mut datagram);
        }
        step(now, Step::Datagram(datagram.into()))?;
    }
    Ok(())
}

/// What a client hears before it can use a sequence: that it is in the room, with all who are ever seen there.
fn entered(sequence: &Json) -> [ToClient; 2] {
    let number = |json: &Json| json.as_u64().expect("a number");
    let room = RoomHandle(number(&sequence["room"]) as u32);
    let motion: MotionFormat =
        serde_json::from_value(sequence["motion"].clone()).expect("a format of motion");
    let seen = sequence["steps"].as_array().into_iter().flatten();
    let seen = seen.flat_map(|step| step["view"].as_array().into_iter().flatten());
    let mut members: Vec<Member> = seen
        .map(|seen| Member {
            slot: Slot(number(&seen["slot"]) as u16),
            generation: Generation(number(&seen["generation"]) as u32),
            ..Member::default()
        })
        .collect();
    members.sort_by_key(|member| member.slot);
    members.dedup_by_key(|member| member.slot);
    let joined = Joined {
        request: 1,
        room,
        epoch: Epoch(number(&sequence["epoch"])),
        // Nobody's, so that no frame is an echo.
        slot: Slot(4_095),
        rights: Rights::ALL,
        motion,
        ..Joined::default()
    };
    let roster = Roster { room, members, ..Roster::default() };
    [ToClient::Joined(joined), ToClient::Roster(roster)]
}
