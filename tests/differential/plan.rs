//! What a seed's world is like.

use std::ops::Range;
use std::time::Duration;

use hither_core::RoomPolicy;
use hither_tests::net::Conditions;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::random::policy;

/// What is wrong with the twin's network, besides being slow and lossy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Noise {
    None,
    /// Datagrams arrive with other bytes.
    Datagrams,
    /// So do streams, and the server says odd things.
    Streams,
}

/// A world's numbers.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) rooms: Vec<RoomPolicy>,
    /// How many others there are.
    pub(crate) others: usize,
    pub(crate) up: Conditions,
    pub(crate) down: Conditions,
    pub(crate) noise: Noise,
    /// TypeScript gets other bytes than Rust, to see whether that is noticed.
    pub(crate) lies: bool,
    /// How long users do something.
    pub(crate) active_for: Duration,
    /// How long each of the others pauses between two things.
    pub(crate) pause_ms: Range<u64>,
    /// Most bytes of padding in a presence or a record.
    pub(crate) padding: usize,
}

impl Plan {
    /// The world of a seed: one in ten is a crowd, four in ten are noisy.
    pub(crate) fn of(seed: u64) -> Self {
        // Not the world's own generator, so that neither shifts the other's numbers.
        let mut rng = StdRng::seed_from_u64(!seed);
        let crowd = seed.is_multiple_of(10);
        let noise = match seed % 10 {
            3 | 8 => Noise::Datagrams,
            2 | 5 => Noise::Streams,
            _ => Noise::None,
        };
        let rooms = if crowd { 1 } else { rng.random_range(1..=3) };
        Self {
            rooms: (0..rooms).map(|_| policy(&mut rng)).collect(),
            others: if crowd { rng.random_range(70..=140) } else { rng.random_range(2..=8) },
            up: conditions(&mut rng),
            down: conditions(&mut rng),
            noise,
            lies: false,
            active_for: Duration::from_millis(if crowd { 900 } else { 3_000 }),
            pause_ms: if crowd { 100..900 } else { 5..100 },
            padding: if crowd || rng.random_bool(0.2) { 2_000 } else { 30 },
        }
    }
}

fn conditions(rng: &mut StdRng) -> Conditions {
    let shortest = rng.random_range(0.0..30.0);
    Conditions {
        delay_ms: (shortest, shortest + rng.random_range(0.0..40.0)),
        loss: rng.random_range(0.0..0.3),
        duplicate: rng.random_range(0.0..0.2),
        detour: rng.random_range(0.0..0.2),
    }
}
