//! The checks of stored rows, apart from the rows, so that one look says what a check covers: SQLite itself passes over
//! a flipped bit.

use twox_hash::XxHash3_64;

/// Bytes that say the same for the same columns only.
#[derive(Debug, Default)]
pub(super) struct Digest(Vec<u8>);

/// How many rows there are of a kind, and the wrapping sum of their checks: of any order, and kept up to date by the
/// rows that change. Tells a row that is gone, or another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) count: u64,
    pub(super) sum: u64,
}

impl Digest {
    pub(super) fn number(mut self, number: u64) -> Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self = self.number(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    pub(super) fn tally(self, tally: Tally) -> Self {
        self.number(tally.count).number(tally.sum)
    }

    /// The check of all that was put in, and of `before`.
    pub(super) fn finish(&self, before: u64) -> u64 {
        XxHash3_64::oneshot_with_seed(before, &self.0)
    }
}

impl Tally {
    pub(super) fn add(&mut self, check: u64) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(check);
    }

    /// Takes out a row that was added.
    pub(super) fn remove(&mut self, check: u64) {
        self.count = self.count.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(check);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_text_ends_counts() {
        let two = |a: &[u8], b: &[u8]| Digest::default().bytes(a).bytes(b).finish(0);
        assert_ne!(two(b"ab", b"c"), two(b"a", b"bc"));
        assert_ne!(two(b"a", b"b"), Digest::default().bytes(b"a").bytes(b"b").finish(1));
    }

    #[test]
    fn a_tally_forgets_what_is_taken_out() {
        let mut tally = Tally::default();
        tally.add(u64::MAX);
        let one = tally;
        tally.add(7);
        assert_ne!(tally, one);
        tally.remove(7);
        assert_eq!(tally, one);
    }
}
