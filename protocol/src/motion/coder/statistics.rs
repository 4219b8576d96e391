//! Counts how often each decision goes which way, to make the table from. It stands apart as what no peer needs.

use super::model::{CHOSEN, CONTEXTS};
use super::range::Coder;
use super::{Entry, Header, Known, put_entries};
use crate::ids::Tick;
use crate::motion::Format;
use crate::motion::frame::PartHeader;

/// Likelihoods differ by so much of the odds' natural logarithm: any others save only a hundredth of a bit a cursor.
const STEP: f64 = 0.25;

/// How often the decision of each context was a 0 and a 1.
#[derive(Clone, Debug)]
pub struct Statistics {
    counts: Vec<[u64; 2]>,
}

impl Default for Statistics {
    fn default() -> Self {
        Self { counts: vec![[0; 2]; CONTEXTS] }
    }
}

impl Statistics {
    /// Counts what a part of the frame of `tick` decides.
    pub fn count(
        &mut self,
        format: &Format,
        tick: Tick,
        part: PartHeader,
        known: &[Known],
        entries: &[Entry],
    ) {
        put_entries(self, format, Header::new(part, tick), known, entries);
    }

    /// The table: for each context the likelihood of a 1 in 1/256, 0 to 255. A decision that never came up is even.
    pub fn table(&self) -> Vec<u8> {
        let counted = |[zeros, ones]: &[u64; 2]| likelihood(*ones as f64, *zeros as f64);
        let mut table: Vec<u8> = self.counts.iter().map(counted).collect();
        for (context, chosen) in CHOSEN {
            table[context] = likelihood(f64::from(chosen), f64::from(255 - chosen));
        }
        table
    }
}

/// One of about 50, so that a page can have the table with a letter for each context.
fn likelihood(ones: f64, zeros: f64) -> u8 {
    let odds = (ones + 0.5) / (zeros + 0.5);
    let logit = (odds.ln() / STEP).round() * STEP;
    (256.0 / (1.0 + (-logit).exp())) as u8
}

impl Coder for Statistics {
    fn decide(&mut self, context: usize, bit: bool) -> bool {
        self.counts[context][usize::from(bit)] += 1;
        bit
    }

    fn raw(&mut self, _count: u32, value: u32) -> u32 {
        value
    }
}
