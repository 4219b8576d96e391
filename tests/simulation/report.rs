//! What worlds count, for information and for the promise.

use std::time::Duration;

/// Counts of one world, or of many.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) worlds: u64,
    pub(crate) datagrams_up: u64,
    pub(crate) datagrams_down: u64,
    /// Positions of others that clients were told.
    pub(crate) updates: u64,
    /// How long each viewer took to see each rest.
    pub(crate) rests: Vec<Duration>,
}

impl Figures {
    pub(crate) fn add(&mut self, other: Self) {
        self.worlds += other.worlds;
        self.datagrams_up += other.datagrams_up;
        self.datagrams_down += other.datagrams_down;
        self.updates += other.updates;
        self.rests.extend(other.rests);
    }

    /// The longest time that a viewer took to see a rest.
    pub(crate) fn rest_max(&self) -> Duration {
        self.rests.iter().copied().max().unwrap_or_default()
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
