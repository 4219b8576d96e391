//! When things were asked for, and how long each took.

use tokio::time::Instant;

/// When something was asked for, and the milliseconds that it took.
pub(super) type Timed = (Instant, f64);

/// What was asked for then is there now.
pub(super) fn took(asked: Instant) -> Timed {
    (asked, asked.elapsed().as_secs_f64() * 1_000.0)
}

/// The milliseconds of all, sorted.
pub(super) fn sorted<'a>(times: impl IntoIterator<Item = &'a Timed>) -> Vec<f64> {
    let mut sorted: Vec<f64> = times.into_iter().map(|(_, took)| *took).collect();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// What so many of a hundred took less than, of sorted times; 0 of none.
pub(super) fn percentile(times: &[f64], percent: usize) -> f64 {
    times.get(times.len() * percent / 100).or(times.last()).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_what_there_is() {
        let times: Vec<f64> = (0..200).map(f64::from).collect();
        assert_eq!([50, 99, 100].map(|of| percentile(&times, of)), [100.0, 198.0, 199.0]);
        assert_eq!((percentile(&[3.0], 99), percentile(&[], 99)), (3.0, 0.0));
    }

    #[test]
    fn times_are_sorted_by_how_long_they_took() {
        let now = Instant::now();
        assert_eq!(sorted(&[(now, 9.0), (now, 1.0), (now, 5.0)]), [1.0, 5.0, 9.0]);
    }
}
