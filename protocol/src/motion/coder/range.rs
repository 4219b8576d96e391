//! A binary range coder: decisions with their probabilities in, bytes out, and back. It stands apart since it knows
//! nothing of motion.
//!
//! It is the carryless coder of Matt Mahoney's lpaq (2007): an interval of 32 bits is split at each decision, and a
//! byte goes out once both ends begin with it. A stream ends with the fewest bytes that lie in the last interval, and
//! a decoder that has read them all reads zeros.

use crate::motion::DecodeError;

/// How many bytes a decoder may read behind its input: those that it holds ahead of the last decision.
const AHEAD: usize = 4;

/// One end of a stream of decisions. Encoder and decoder are driven by the same code: an encoder takes the `bit` and
/// returns it, a decoder ignores it and returns what was coded.
pub(super) trait Coder {
    /// A decision in a context, which is an index into the table of probabilities.
    fn decide(&mut self, context: usize, bit: bool) -> bool;

    /// The lowest `count` bits of `value`, at most 32, each as likely as not.
    fn raw(&mut self, count: u32, value: u32) -> u32;
}

/// A probability that a bit is 1, in 1/65,536.
type Probability = u32;

const EVEN: Probability = 1 << 15;

/// Appends a stream to a buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interval {
    low: u32,
    high: u32,
}

impl Interval {
    pub(super) const WHOLE: Self = Self { low: 0, high: u32::MAX };

    /// The last value of the lower part, which is that of a 1.
    fn middle(&self, one: Probability) -> u32 {
        let span = u64::from(self.high - self.low);
        self.low + ((span * u64::from(one)) >> 16) as u32
    }

    fn narrow(&mut self, middle: u32, bit: bool) {
        if bit {
            self.high = middle;
        } else {
            self.low = middle + 1;
        }
    }

    /// Whether a byte is settled; then it is shifted out.
    fn shift(&mut self) -> Option<u8> {
        if (self.low ^ self.high) >> 24 != 0 {
            return None;
        }
        let byte = (self.high >> 24) as u8;
        self.low <<= 8;
        self.high = self.high << 8 | 0xff;
        Some(byte)
    }

    /// Appends the fewest bytes that decode to what has been decided.
    pub(super) fn finish(self, out: &mut Vec<u8>) {
        for bytes in 0..=4u32 {
            // The lowest value at or above `low` whose other bytes are zeros.
            let step = 1u64 << (32 - 8 * bytes);
            let value = u64::from(self.low).div_ceil(step) * step;
            if value <= u64::from(self.high) {
                out.extend_from_slice(&(value as u32).to_be_bytes()[..bytes as usize]);
                break;
            }
        }
    }
}

/// Writes decisions behind what `out` has already.
pub(super) struct Encoder<'a> {
    pub(super) interval: &'a mut Interval,
    pub(super) out: &'a mut Vec<u8>,
    pub(super) table: &'static [u8],
}

impl Encoder<'_> {
    fn put(&mut self, one: Probability, bit: bool) {
        let middle = self.interval.middle(one);
        self.interval.narrow(middle, bit);
        while let Some(byte) = self.interval.shift() {
            self.out.push(byte);
        }
    }
}

impl Coder for Encoder<'_> {
    fn decide(&mut self, context: usize, bit: bool) -> bool {
        self.put(probability(self.table, context), bit);
        bit
    }

    fn raw(&mut self, count: u32, value: u32) -> u32 {
        for place in (0..count).rev() {
            self.put(EVEN, value >> place & 1 == 1);
        }
        value & ((1u64 << count) - 1) as u32
    }
}

/// Reads decisions from the rest of a datagram.
#[derive(Debug)]
pub(super) struct Decoder<'a> {
    interval: Interval,
    code: u32,
    rest: &'a [u8],
    /// How many zeros were read behind the input.
    behind: usize,
    table: &'static [u8],
}

impl<'a> Decoder<'a> {
    pub(super) fn new(bytes: &'a [u8], table: &'static [u8]) -> Self {
        let (interval, code) = (Interval::WHOLE, 0);
        let mut decoder = Self { interval, code, rest: bytes, behind: 0, table };
        for _ in 0..4 {
            decoder.code = decoder.code << 8 | decoder.next();
        }
        decoder
    }

    /// Fails once more was read than the bytes at hand can have said: what follows would be made up.
    pub(super) fn check(&self) -> Result<(), DecodeError> {
        if self.behind > AHEAD { Err(DecodeError::Truncated) } else { Ok(()) }
    }

    fn next(&mut self) -> u32 {
        let Some((&first, rest)) = self.rest.split_first() else {
            self.behind += 1;
            return 0;
        };
        self.rest = rest;
        u32::from(first)
    }

    fn take(&mut self, one: Probability) -> bool {
        let middle = self.interval.middle(one);
        let bit = self.code <= middle;
        self.interval.narrow(middle, bit);
        while self.interval.shift().is_some() {
            self.code = self.code << 8 | self.next();
        }
        bit
    }
}

impl Coder for Decoder<'_> {
    fn decide(&mut self, context: usize, _bit: bool) -> bool {
        self.take(probability(self.table, context))
    }

    fn raw(&mut self, count: u32, _value: u32) -> u32 {
        (0..count).fold(0, |value, _| value << 1 | u32::from(self.take(EVEN)))
    }
}

/// The middle of the step that a table's entry stands for, so that nothing is ever taken to be impossible.
fn probability(table: &[u8], context: usize) -> Probability {
    u32::from(table[context]) << 8 | 0x80
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::motion::coder::table;
    use proptest::prelude::*;

    static TABLE: [u8; 4] = [0, 3, 128, 255];

    fn encode(decisions: &[(usize, bool)], raws: &[u32]) -> Vec<u8> {
        let (mut interval, mut out) = (Interval::WHOLE, vec![7]);
        let mut encoder = Encoder { interval: &mut interval, out: &mut out, table: &TABLE };
        for &(context, bit) in decisions {
            encoder.decide(context, bit);
        }
        for &value in raws {
            encoder.raw(32, value);
        }
        interval.finish(&mut out);
        out.split_off(1)
    }

    proptest! {
        #[test]
        fn m6_what_was_decided_is_read(
            decisions in prop::collection::vec((0..4usize, any::<bool>()), 0..300),
            raws in prop::collection::vec(any::<u32>(), 0..5),
        ) {
            let bytes = encode(&decisions, &raws);
            let mut decoder = Decoder::new(&bytes, &TABLE);
            for &(context, bit) in &decisions {
                prop_assert_eq!(decoder.decide(context, false), bit);
            }
            for &value in &raws {
                prop_assert_eq!(decoder.raw(32, 0), value);
            }
            prop_assert_eq!(decoder.check(), Ok(()));
        }
    }

    #[test]
    fn m6_a_likely_stream_costs_nearly_nothing() {
        assert_eq!(
            encode(&[(3, true); 300], &[]).len(),
            0,
            "zeros that are not read yet are left out"
        );
        assert!(encode(&[(0, false); 300], &[]).len() <= 1);
    }

    #[test]
    fn m6_zeros_that_a_decoder_has_read_are_there() {
        let mut decoder = Decoder::new(&[], &TABLE);
        (0..80).for_each(|_| assert!(decoder.decide(2, false)));
        assert_eq!(decoder.check(), Err(DecodeError::Truncated));
        let bytes = encode(&[(2, true); 80], &[]);
        let mut decoder = Decoder::new(&bytes, &TABLE);
        (0..80).for_each(|_| assert!(decoder.decide(2, false)));
        assert_eq!(decoder.check(), Ok(()));
    }

    #[test]
    fn m6_streams_of_the_vectors() {
        let vectors = include_str!("../../../vectors/motion_coder.json");
        let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
        let streams = vectors["streams"].as_array().unwrap();
        assert!(streams.len() > 5);
        for stream in streams {
            let (mut interval, mut out) = (Interval::WHOLE, Vec::new());
            let digits = stream["hex"].as_str().unwrap();
            let byte = |at: usize| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap();
            let bytes: Vec<u8> = (0..digits.len() / 2).map(byte).collect();
            let mut decoder = Decoder::new(&bytes, &table::TABLE);
            let mut encoder =
                Encoder { interval: &mut interval, out: &mut out, table: &table::TABLE };
            for decision in stream["decisions"].as_array().unwrap() {
                let number = |at: usize| decision[at].as_u64().unwrap() as u32;
                if let Some(context) = decision[0].as_u64() {
                    let (context, bit) = (context as usize, number(1) == 1);
                    assert_eq!(decoder.decide(context, !bit), bit);
                    encoder.decide(context, bit);
                } else {
                    let (count, value) = (number(1), number(2));
                    let kept = u64::from(value) & ((1 << count) - 1);
                    assert_eq!(u64::from(decoder.raw(count, 0)), kept);
                    encoder.raw(count, value);
                }
            }
            assert_eq!(decoder.check(), Ok(()));
            interval.finish(&mut out);
            assert_eq!(out, bytes, "{}", stream["about"]);
        }
    }

    #[test]
    fn m1_a_decoder_does_not_make_up_a_world_from_nothing() {
        let mut decoder = Decoder::new(&[], &TABLE);
        assert_eq!(decoder.check(), Ok(()));
        let mut decisions = 0;
        while decoder.check().is_ok() {
            decoder.decide(3, false);
            decisions += 1;
            assert!(decisions < 20_000, "it must come to an end");
        }
        assert!(decoder.behind > AHEAD);
    }
}
