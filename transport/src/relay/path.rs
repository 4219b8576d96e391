//! One direction of one client's way through the relay, without I/O: what becomes of each datagram, and when. It stands
//! apart so that loss, delay and order can be tested by numbers, in no time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use bytes::Bytes;
use hither_protocol::Timestamp;

use super::random::Random;

/// What a path does to datagrams. It costs what it delays: memory, up to the path's bound.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Impairment {
    /// The part of the datagrams that is lost, 0 to 1; what is outside counts as the nearer end. Default: 0.
    pub loss: f64,
    /// The part of those not lost that arrives twice, 0 to 1, as above. Default: 0.
    pub duplicate: f64,
    /// How long every datagram is on its way at least. Default: none.
    pub delay: Duration,
    /// How much longer it is at most, drawn evenly; so later ones may overtake it. Default: none.
    pub jitter: Duration,
}

/// What became of datagrams; all only grow.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PathCounters {
    /// Sent on, duplicates too.
    pub forwarded: u64,
    /// Lost by the draw, or in a cut.
    pub lost: u64,
    /// Sent on twice.
    pub duplicated: u64,
    /// Dropped because too many bytes were on their way, or the socket took no more.
    pub overflowed: u64,
}

impl PathCounters {
    pub(super) fn add(&mut self, other: Self) {
        self.forwarded += other.forwarded;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.overflowed += other.overflowed;
    }
}

/// The datagrams that are on their way, at most `bytes_max` bytes of them.
#[derive(Debug)]
pub(super) struct Path {
    random: Random,
    bytes_max: usize,
    bytes: usize,
    travelling: BinaryHeap<Reverse<Travelling>>,
    number: u64,
    cut_until: Option<Timestamp>,
    counters: PathCounters,
}

/// Ordered by when it arrives, then by when it came.
#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Travelling {
    arrives: Timestamp,
    number: u64,
    datagram: Bytes,
}

impl Path {
    pub(super) fn new(random: Random, bytes_max: usize) -> Self {
        Self {
            random,
            bytes_max,
            bytes: 0,
            travelling: BinaryHeap::new(),
            number: 0,
            cut_until: None,
            counters: PathCounters::default(),
        }
    }

    /// A datagram enters. Four numbers are drawn for each, whatever becomes of it: so what a seed loses at 5 % it
    /// loses at 10 % as well, and a change of one impairment leaves the draws of the others.
    pub(super) fn handle_datagram(
        &mut self,
        now: Timestamp,
        impairment: Impairment,
        datagram: Bytes,
    ) {
        let [loss, duplicate, late, later] = std::array::from_fn(|_| self.random.fraction());
        if self.is_cut(now) || loss < impairment.loss {
            self.counters.lost += 1;
            return;
        }
        let arrives = |late| now + impairment.delay + impairment.jitter.mul_f64(late);
        if duplicate < impairment.duplicate {
            self.counters.duplicated += 1;
            self.take(arrives(later), datagram.clone());
        }
        self.take(arrives(late), datagram);
    }

    /// The next datagram that has arrived at the other end.
    pub(super) fn poll_datagram(&mut self, now: Timestamp) -> Option<Bytes> {
        let Reverse(first) = self.travelling.peek()?;
        if first.arrives > now {
            return None;
        }
        let Reverse(Travelling { datagram, .. }) = self.travelling.pop()?;
        self.bytes -= datagram.len();
        self.counters.forwarded += 1;
        Some(datagram)
    }

    /// When the next datagram arrives.
    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        self.travelling.peek().map(|Reverse(first)| first.arrives)
    }

    /// Loses what is on its way now, and what enters before `until`.
    pub(super) fn cut(&mut self, until: Timestamp) {
        self.counters.lost += self.travelling.len() as u64;
        self.travelling.clear();
        self.bytes = 0;
        self.cut_until = Some(until);
    }

    /// A datagram that was given out was not taken by the socket.
    pub(super) fn handle_unsent(&mut self) {
        self.counters.forwarded -= 1;
        self.counters.overflowed += 1;
    }

    pub(super) fn counters(&self) -> PathCounters {
        self.counters
    }

    fn is_cut(&self, now: Timestamp) -> bool {
        self.cut_until.is_some_and(|until| now < until)
    }

    fn take(&mut self, arrives: Timestamp, datagram: Bytes) {
        if self.bytes + datagram.len() > self.bytes_max {
            self.counters.overflowed += 1;
            return;
        }
        self.bytes += datagram.len();
        self.number += 1;
        self.travelling.push(Reverse(Travelling { arrives, number: self.number, datagram }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Impairment =
        Impairment { loss: 0.0, duplicate: 0.0, delay: Duration::ZERO, jitter: Duration::ZERO };

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn path(seed: u64) -> Path {
        Path::new(Random::new(seed, 0), 1 << 20)
    }

    /// Sends datagrams 0, 1, ... one a millisecond; returns which arrived, in what order, and when.
    fn carry(path: &mut Path, impairment: Impairment, datagrams: u64) -> Vec<(u64, u64)> {
        let mut arrived = Vec::new();
        for ms in 0..datagrams + 1_000 {
            if ms < datagrams {
                path.handle_datagram(at(ms), impairment, ms.to_be_bytes().to_vec().into());
            }
            while let Some(datagram) = path.poll_datagram(at(ms)) {
                arrived.push((u64::from_be_bytes(datagram[..].try_into().unwrap()), ms));
            }
        }
        assert_eq!((path.poll_timeout(), path.bytes), (None, 0));
        arrived
    }

    #[test]
    fn without_impairment_everything_arrives_at_once_and_in_order() {
        let expected: Vec<_> = (0..100).map(|ms| (ms, ms)).collect();
        assert_eq!(carry(&mut path(1), NONE, 100), expected);
    }

    #[test]
    fn as_many_are_lost_as_was_said_and_more_loss_loses_the_same_ones_too() {
        let lost = |loss: f64, seed| {
            let mut path = path(seed);
            let arrived = carry(&mut path, Impairment { loss, ..NONE }, 20_000);
            assert_eq!(path.counters().lost as usize, 20_000 - arrived.len());
            let arrived: std::collections::BTreeSet<_> =
                arrived.into_iter().map(|(n, _)| n).collect();
            (0..20_000).filter(|n| !arrived.contains(n)).collect::<Vec<_>>()
        };
        let (some, more) = (lost(0.05, 1), lost(0.1, 1));
        assert!((900..1_100).contains(&some.len()), "{}", some.len());
        assert!((1_850..2_150).contains(&more.len()), "{}", more.len());
        assert!(some.iter().all(|n| more.binary_search(n).is_ok()));
        assert_eq!(some, lost(0.05, 1), "the same seed");
        assert_ne!(some, lost(0.05, 2), "another seed");
        assert_eq!((lost(7.0, 1).len(), lost(f64::NAN, 1).len()), (20_000, 0));
    }

    #[test]
    fn delay_and_jitter_bound_the_way_and_jitter_reorders() {
        let ms = Duration::from_millis;
        let delayed = carry(&mut path(1), Impairment { delay: ms(30), ..NONE }, 100);
        assert_eq!(delayed, (0..100).map(|n| (n, n + 30)).collect::<Vec<_>>());
        let jittery = Impairment { delay: ms(30), jitter: ms(20), ..NONE };
        let arrived = carry(&mut path(1), jittery, 1_000);
        assert_eq!(arrived.len(), 1_000);
        assert!(arrived.iter().all(|&(n, ms)| (30..=51).contains(&(ms - n))));
        assert!(!arrived.is_sorted_by_key(|&(n, _)| n));
    }

    #[test]
    fn duplicates_arrive_twice() {
        let mut path = path(1);
        let arrived = carry(&mut path, Impairment { duplicate: 0.1, ..NONE }, 10_000);
        let twice = path.counters().duplicated;
        assert!((850..1_150).contains(&twice), "{twice}");
        assert_eq!(arrived.len() as u64, 10_000 + twice);
        assert_eq!(path.counters().forwarded, 10_000 + twice);
    }

    #[test]
    fn what_is_over_the_bound_is_dropped_and_counted() {
        let mut path = Path::new(Random::new(1, 0), 100);
        let slow = Impairment { delay: Duration::from_secs(1), ..NONE };
        for _ in 0..3 {
            path.handle_datagram(at(0), slow, vec![0; 50].into());
        }
        assert_eq!(path.counters().overflowed, 1);
        assert_eq!(path.poll_timeout(), Some(at(1_000)));
        assert!(path.poll_datagram(at(999)).is_none());
        assert!(path.poll_datagram(at(1_000)).is_some() && path.poll_datagram(at(1_000)).is_some());
        path.handle_datagram(at(1_000), NONE, vec![0; 100].into());
        assert!(path.poll_datagram(at(1_000)).is_some(), "there is room again");
        path.handle_unsent();
        let counters = path.counters();
        assert_eq!((counters.forwarded, counters.overflowed), (2, 2));
    }

    #[test]
    fn a_cut_loses_what_is_on_its_way_and_what_comes_until_its_end() {
        let mut path = path(1);
        path.handle_datagram(
            at(0),
            Impairment { delay: Duration::from_secs(1), ..NONE },
            Bytes::new(),
        );
        path.cut(at(500));
        path.handle_datagram(at(499), NONE, Bytes::new());
        assert!(path.poll_datagram(at(2_000)).is_none());
        path.handle_datagram(at(500), NONE, Bytes::new());
        assert!(path.poll_datagram(at(500)).is_some());
        assert_eq!((path.counters().lost, path.counters().forwarded), (2, 1));
    }
}
