//! What worlds count, for information and for the promise.

use std::time::Duration;

use crate::world::World;

/// Counts of one world, or of many of one kind.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) worlds: u64,
    /// Whether the promise of the motion lane holds in these worlds.
    pub(crate) promise: bool,
    pub(crate) datagrams_up: u64,
    pub(crate) datagrams_down: u64,
    /// Positions of others that clients were told.
    pub(crate) updates: u64,
    /// How long each viewer took to see each rest.
    pub(crate) rests: Vec<Duration>,
}

impl Figures {
    pub(crate) fn add(&mut self, world: &World) {
        self.worlds += 1;
        self.promise = world.scenario.promise;
        self.datagrams_up += world.figures.datagrams_up;
        self.datagrams_down += world.figures.datagrams_down;
        self.updates += world.figures.updates;
        self.rests.extend(&world.rests.times);
    }

    /// One line of it all.
    pub(crate) fn line(&mut self, title: &str) -> String {
        self.rests.sort_unstable();
        let at = |share: f64| {
            let last = self.rests.len().saturating_sub(1) as f64;
            let time = self.rests.get((last * share) as usize).copied().unwrap_or_default();
            time.as_micros() as f64 / 1000.0
        };
        let per_update = |count: u64| count as f64 / self.updates.max(1) as f64;
        format!(
            "{title}: {} worlds, {} rests seen after ms p50 {:.0} p99 {:.0} p99.9 {:.0} p99.99 {:.0} max {:.0}; \
             datagrams per update: up {:.2}, down {:.2}",
            self.worlds,
            self.rests.len(),
            at(0.5),
            at(0.99),
            at(0.999),
            at(0.9999),
            at(1.0),
            per_update(self.datagrams_up),
            per_update(self.datagrams_down),
        )
    }
}
