//! Users who come, go, talk, edit and move on a rough network: much loss, long and uneven delays, reordering, copies.

use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;

use super::{Scenario, policy};
use hither_tests::net::Conditions;

pub(super) fn draw(rng: &mut StdRng) -> Scenario {
    let users = rng.random_range(2..=12);
    let rooms = rng.random_range(1..=3);
    Scenario {
        name: "mixed",
        users,
        rooms: (0..rooms).map(|_| policy(rng, &[5, 10, 20, 30, 60, 250])).collect(),
        up: conditions(rng),
        down: conditions(rng),
        active_for: Duration::from_millis(2_000),
        act_every_ms: 5..100,
        churn: 0.25,
        glances: 0.15,
        padding: 200,
        look_every_ms: 5..40,
        rest_ms: 20..700,
        promise: false,
    }
}

fn conditions(rng: &mut StdRng) -> Conditions {
    let shortest = rng.random_range(0.0..50.0);
    Conditions {
        delay_ms: (shortest, shortest + rng.random_range(0.0..60.0)),
        loss: rng.random_range(0.0..0.4),
        duplicate: rng.random_range(0.0..0.2),
        detour: rng.random_range(0.0..0.2),
    }
}
