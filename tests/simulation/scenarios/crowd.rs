//! One room of 70 to 140 members, so that frames have several parts and rosters several pages.

use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;

use super::{Scenario, policy};
use hither_tests::net::Conditions;

pub(super) fn draw(rng: &mut StdRng) -> Scenario {
    let conditions = Conditions {
        delay_ms: (1.0, rng.random_range(2.0..30.0)),
        loss: rng.random_range(0.0..0.3),
        duplicate: 0.05,
        detour: 0.05,
    };
    Scenario {
        name: "crowd",
        users: rng.random_range(70..=140),
        rooms: vec![policy(rng, &[10, 20])],
        up: conditions.clone(),
        down: conditions,
        active_for: Duration::from_millis(1_000),
        act_every_ms: 200..900,
        churn: 0.2,
        glances: 0.1,
        padding: 2_000,
        look_every_ms: 30..120,
        rest_ms: 300..900,
        promise: false,
    }
}
