//! What kinds of worlds there are. A seed decides which one it is and draws all of its numbers.

mod crowd;
mod mixed;
mod rest;

use std::ops::Range;
use std::time::Duration;

use hither_core::RoomPolicy;
use hither_protocol::message::control::{AxisFormat, MotionFormat};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use hither_tests::net::Conditions;

/// How long after its last packet a lost member stays, in these worlds.
const GRACE: Duration = Duration::from_millis(700);

/// A world's numbers.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) users: usize,
    pub(crate) rooms: Vec<RoomPolicy>,
    pub(crate) up: Conditions,
    pub(crate) down: Conditions,
    /// How long users do something.
    pub(crate) active_for: Duration,
    pub(crate) act_every_ms: Range<u64>,
    /// How likely an act is one that ends a connection or a membership, or looks away.
    pub(crate) churn: f64,
    /// How likely an act is to look elsewhere, or at everything.
    pub(crate) glances: f64,
    /// The most bytes of padding in a presence.
    pub(crate) padding: usize,
    pub(crate) look_every_ms: Range<u64>,
    pub(crate) rest_ms: Range<u64>,
    /// Whether the promise of the motion lane holds in this network.
    pub(crate) promise: bool,
}

impl Scenario {
    /// The kind of world whose figures are counted together.
    pub(crate) fn title(&self) -> String {
        let loss = self.up.loss * 100.0;
        if self.promise { format!("{} at {loss:.0} % loss", self.name) } else { self.name.into() }
    }

    /// The world of a seed: one in fifty is a crowd, half of the others are rough.
    pub(crate) fn of(seed: u64) -> Self {
        // Not the world's own generator, so that neither shifts the other's numbers.
        let mut rng = StdRng::seed_from_u64(!seed);
        match rng.random_range(0..100) {
            0..2 => crowd::draw(&mut rng),
            2..50 => mixed::draw(&mut rng),
            _ => rest::draw(&mut rng),
        }
    }

    /// The world of a seed in which the promise is measured: 30 ticks a second, 30 % loss each way.
    pub(crate) fn promised(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(!seed);
        let mut scenario = rest::draw(&mut rng);
        (scenario.up.loss, scenario.down.loss) = (0.3, 0.3);
        scenario.rooms.iter_mut().for_each(|policy| policy.motion.tick_hz = 30);
        scenario
    }
}

fn policy(rng: &mut StdRng, tick_hz: &[u32]) -> RoomPolicy {
    let tick_hz = tick_hz[rng.random_range(0..tick_hz.len())];
    let mut axes = vec![AxisFormat::default(); rng.random_range(2..=4)];
    if rng.random_bool(0.3) {
        axes.iter_mut().for_each(|axis| *axis = narrow(rng));
    }
    RoomPolicy { motion: MotionFormat { tick_hz, axes }, grace: GRACE, ..RoomPolicy::default() }
}

/// An axis of a game: a stretch, or an angle.
fn narrow(rng: &mut StdRng) -> AxisFormat {
    let min = rng.random_range(-2_000..=500);
    let max = min + rng.random_range(1..=3_000);
    AxisFormat { min, max, wraps: rng.random(), ..AxisFormat::default() }
}
