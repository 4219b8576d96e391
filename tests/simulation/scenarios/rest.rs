//! Few users who move and rest, at up to 30 % loss each way and up to 60 ms of round trip: here the promise is
//! measured.

use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;

use super::{Scenario, policy};
use hither_tests::net::Conditions;

pub(super) fn draw(rng: &mut StdRng) -> Scenario {
    let loss = [0.0, 0.05, 0.3, 0.3][rng.random_range(0..4)];
    let longest = rng.random_range(1.0..=30.0);
    let shortest = longest * rng.random_range(0.5..=1.0);
    let conditions =
        Conditions { delay_ms: (shortest, longest), loss, duplicate: 0.02, detour: 0.0 };
    Scenario {
        name: "rest",
        users: rng.random_range(2..=6),
        rooms: (0..rng.random_range(1..=2)).map(|_| policy(rng, &[20, 30, 60, 250])).collect(),
        up: conditions.clone(),
        down: conditions,
        active_for: Duration::from_millis(3_000),
        act_every_ms: 50..300,
        churn: 0.03,
        glances: 0.05,
        padding: 20,
        look_every_ms: 8..20,
        rest_ms: 300..900,
        promise: true,
    }
}
