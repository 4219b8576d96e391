//! The network of a simulated world: which datagrams arrive, and when; how a stream's bytes are cut, and how long they
//! take. It draws from the world's seed and knows nothing of what it carries.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use bytes::Bytes;
use hither_protocol::Timestamp;
use rand::rngs::StdRng;
use rand::{Rng, RngExt};

/// A stream of a connection; 0 is the control lane.
pub type StreamId = u32;

/// What one direction of a connection is like.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// The shortest and the longest time that a packet takes.
    pub delay_ms: (f64, f64),
    /// The chance that a packet is lost. A stream sends it again, which takes longer.
    pub loss: f64,
    /// The chance that a datagram arrives twice.
    pub duplicate: f64,
    /// The chance that a datagram takes three times as long as it would, and is overtaken.
    pub detour: f64,
}

/// One direction of one connection.
#[derive(Debug)]
pub struct Direction {
    conditions: Conditions,
    /// When the last bytes of each stream arrive: the next ones don't before.
    streams: BTreeMap<StreamId, Timestamp>,
}

impl Direction {
    /// One over which nothing has gone yet.
    pub fn new(conditions: Conditions) -> Self {
        Self { conditions, streams: BTreeMap::new() }
    }

    /// When a datagram that is sent now arrives: never, once or twice.
    pub fn datagram(&self, rng: &mut StdRng, now: Timestamp) -> Vec<Timestamp> {
        if rng.random_bool(self.conditions.loss) {
            return Vec::new();
        }
        let copies = if rng.random_bool(self.conditions.duplicate) { 2 } else { 1 };
        (0..copies)
            .map(|_| {
                let late = rng.random_bool(self.conditions.detour);
                now + self.delay(rng) * if late { 3 } else { 1 }
            })
            .collect()
    }

    /// Cuts what is written to a stream into chunks, and says when each arrives.
    pub fn write(
        &mut self,
        rng: &mut StdRng,
        now: Timestamp,
        stream: StreamId,
        mut bytes: Bytes,
    ) -> Vec<(Timestamp, Bytes)> {
        let mut chunks = Vec::new();
        while !bytes.is_empty() {
            let whole = rng.random_bool(0.5);
            let len = if whole { bytes.len() } else { rng.random_range(1..=bytes.len()) };
            let mut arrival = now + self.delay(rng);
            while rng.random_bool(self.conditions.loss) {
                arrival = arrival + self.delay(rng) * 3;
            }
            let last = self.streams.entry(stream).or_insert(arrival);
            *last = arrival.max(*last);
            chunks.push((*last, bytes.split_to(len)));
        }
        chunks
    }

    fn delay(&self, rng: &mut StdRng) -> Duration {
        let (shortest, longest) = self.conditions.delay_ms;
        Duration::from_secs_f64(rng.random_range(shortest..=longest) / 1000.0)
    }
}

/// What is to happen, in the order of time; at one time in the order in which it was put.
#[derive(Debug)]
pub struct Agenda<T> {
    heap: BinaryHeap<Reverse<(Timestamp, u64)>>,
    entries: BTreeMap<u64, T>,
    next: u64,
}

impl<T> Default for Agenda<T> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), entries: BTreeMap::new(), next: 0 }
    }
}

impl<T> Agenda<T> {
    /// Adds what is to happen.
    pub fn put(&mut self, at: Timestamp, entry: T) {
        self.heap.push(Reverse((at, self.next)));
        self.entries.insert(self.next, entry);
        self.next += 1;
    }

    /// When the next thing is to happen.
    pub fn next_at(&self) -> Option<Timestamp> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes out the next thing that is to have happened by `now`.
    pub fn pop(&mut self, now: Timestamp) -> Option<T> {
        self.next_at().filter(|at| *at <= now)?;
        let Reverse((_, number)) = self.heap.pop()?;
        self.entries.remove(&number)
    }

    /// Whether nothing is to happen any more.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// How much is still to happen.
    pub fn len(&self) -> usize {
        self.heap.len()
    }
}

/// A duration drawn evenly from a range of milliseconds.
pub fn millis(rng: &mut impl Rng, range: std::ops::Range<u64>) -> Duration {
    Duration::from_micros(rng.random_range(range.start * 1000..range.end * 1000))
}
