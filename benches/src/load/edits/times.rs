//! When things were asked for, and how long each took.

use tokio::time::Instant;

/// When each was asked for, and its milliseconds.
#[derive(Debug, Default)]
pub(super) struct Times(Vec<(Instant, f64)>);

impl Times {
    /// Notes that what was asked for then is there now.
    pub(super) fn note(&mut self, asked: Instant) {
        self.0.push((asked, asked.elapsed().as_secs_f64() * 1_000.0));
    }

    pub(super) fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Those that were asked for within a time.
    pub(super) fn within(&self, from: Instant, to: Instant) -> Self {
        Self(self.0.iter().copied().filter(|(asked, _)| (from..to).contains(asked)).collect())
    }

    /// The milliseconds that so many of a hundred took less than; 0 of none.
    pub(super) fn percentile(&self, percent: usize) -> f64 {
        let mut times: Vec<f64> = self.0.iter().map(|(_, took)| *took).collect();
        times.sort_by(f64::total_cmp);
        percentile(&times, percent)
    }
}

/// Of sorted times; 0 of none.
pub(super) fn percentile(times: &[f64], percent: usize) -> f64 {
    times.get(times.len() * percent / 100).or(times.last()).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn percentiles_are_of_what_there_is() {
        let times: Vec<f64> = (0..200).map(f64::from).collect();
        assert_eq!([50, 99, 100].map(|of| percentile(&times, of)), [100.0, 198.0, 199.0]);
        assert_eq!((percentile(&[3.0], 99), percentile(&[], 99)), (3.0, 0.0));
    }

    #[test]
    fn a_second_has_what_was_asked_for_in_it() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let times = Times(vec![(at(0), 9.0), (at(999), 2.0), (at(1_000), 5.0), (at(500), 1.0)]);
        let second = times.within(at(0), at(1_000));
        assert_eq!((second.len(), second.percentile(50), second.percentile(100)), (3, 2.0, 9.0));
        assert_eq!(times.within(at(1_000), at(2_000)).percentile(50), 5.0);
        assert_eq!(times.within(at(2_000), at(3_000)).percentile(50), 0.0);
    }
}
