//! The model of a pointer's motion: which decisions say what moved and where to, and in which context each is made.
//! It stands apart from the coder, which is told the contexts, and from the frames, which know the slots.
//!
//! What a context is was found by measuring recorded mice: the momentum on both axes, and what was left on the axis
//! before, say nearly all there is to know of a step's likely length. Each function codes and decodes: see [`Coder`].

use super::range::Coder;
use crate::limits::AXES_MAX;

/// Behind a baseline so much older than the frame, or a reference so much older than the baseline, a slot's momentum
/// says nothing, and is taken for none.
pub(super) const MOMENTUM_TICKS_MAX: u32 = 8;

/// A move that is so far off what was expected, on any axis, takes more bytes than a position (rule M4).
const JUMP_MIN: u32 = 1 << 16;

/// Momentum and what is left are counted no further than this, so that contexts fit 32 bits.
const MAGNITUDE_MAX: i64 = 1 << 24;

/// The likelihood of a move goes by how much time has passed since the baseline: below 20, 40, 60 ms, and above.
const SPANS: usize = 4;
const SPEEDS: usize = 12;
const LEVELS: usize = 20;
const CLASSES: usize = 14;
const SIGN_LEVELS: usize = 10;
const SIGN_CLASSES: usize = 7;

const MOVED: usize = 0;
const LEFT: usize = MOVED + SPANS * SPEEDS;
const SIGN: usize = LEFT + 2 * LEVELS * CLASSES;
const TOP: usize = SIGN + SIGN_LEVELS * SIGN_CLASSES;
const JUMPED: usize = TOP + CLASSES;
const GONE: usize = JUMPED + 1;
const PLACED: usize = GONE + 1;
const PLACED_MORE: usize = PLACED + 1;
const PART_MORE: usize = PLACED_MORE + 1;
const PART_NEXT: usize = PART_MORE + 1;
/// How many contexts there are, each with an entry in the table.
pub(super) const CONTEXTS: usize = PART_NEXT + 1;

/// The likelihoods of what recordings of mice do not have: who comes and goes, and how a frame is divided. Chosen.
#[cfg(feature = "statistics")]
pub(super) const CHOSEN: [(usize, u8); 6] =
    [(JUMPED, 1), (GONE, 192), (PLACED, 6), (PLACED_MORE, 160), (PART_MORE, 128), (PART_NEXT, 230)];

/// How fast a slot moved before its baseline: on each axis twice the distance that it would go until the frame's tick.
#[derive(Clone, Copy, Debug)]
pub(super) struct Momentum([i64; AXES_MAX]);

impl Momentum {
    /// `difference` is what the slot moved in the `lag` ticks before the baseline, which is `age` ticks ago.
    pub(super) fn new(difference: [i32; AXES_MAX], lag: u32, age: u32) -> Self {
        if lag == 0 || lag > MOMENTUM_TICKS_MAX || age > MOMENTUM_TICKS_MAX {
            return Self([0; AXES_MAX]);
        }
        let (age, lag) = (i64::from(age), i64::from(lag));
        Self(
            difference
                .map(|axis| (i64::from(axis) * 2 * age / lag).clamp(-MAGNITUDE_MAX, MAGNITUDE_MAX)),
        )
    }

    /// Whether a slot that moved like this is better said to have appeared.
    pub(super) fn is_jump(&self, differences: &[i32; AXES_MAX]) -> bool {
        let left = |axis| i64::from(differences[axis]) - self.expected(axis);
        (0..AXES_MAX).any(|axis| left(axis).unsigned_abs() >= u64::from(JUMP_MIN))
    }

    fn fastest(&self) -> i64 {
        self.0.iter().map(|axis| axis.abs()).max().unwrap_or(0)
    }

    /// The difference that half of the momentum makes.
    fn expected(&self, axis: usize) -> i64 {
        self.0[axis] / 4
    }
}

/// Whether a slot that is known at the baseline has something to say. `span_ms` is the baseline's age.
pub(super) fn code_moved(
    coder: &mut impl Coder,
    momentum: &Momentum,
    span_ms: u32,
    moved: bool,
) -> bool {
    let span = match span_ms {
        0..20 => 0,
        20..40 => 1,
        40..60 => 2,
        _ => 3,
    };
    let speed = level(momentum.fastest()).min(SPEEDS - 1);
    coder.decide(MOVED + span * SPEEDS + speed, moved)
}

/// The differences on the first `axes` axes.
pub(super) fn code_differences(
    coder: &mut impl Coder,
    axes: usize,
    momentum: &Momentum,
    differences: [i32; AXES_MAX],
) -> [i64; AXES_MAX] {
    let mut coded = [0; AXES_MAX];
    let mut left_before = 0;
    for axis in 0..axes {
        let (own, other) = (momentum.0[axis], momentum.0[if axis == 0 { 1 } else { axis - 1 }]);
        let expected = momentum.expected(axis);
        let energy = 4 * own.abs() + other.abs() + 4 * left_before;
        let tables = LEFT + usize::from(axis > 0) * LEVELS * CLASSES;
        let context = tables + level(energy).min(LEVELS - 1) * CLASSES;
        // What goes on in the same direction is positive.
        let way = if own < 0 { -1 } else { 1 };
        let left = (i64::from(differences[axis]) - expected) * way;
        let left = code_left(coder, context, level(own.abs()).min(SIGN_LEVELS - 1), left);
        coded[axis] = left * way + expected;
        left_before = left.abs().min(MAGNITUDE_MAX);
    }
    coded
}

/// A signed number: its class, which is the number of its bits, one by one; its sign; and its bits below the first.
fn code_left(coder: &mut impl Coder, context: usize, speed: usize, left: i64) -> i64 {
    let magnitude = left.unsigned_abs();
    let wanted = 64 - magnitude.leading_zeros();
    let mut class = 0;
    while class < 32 && coder.decide(context + (class as usize).min(CLASSES - 1), wanted > class) {
        class += 1;
    }
    if class == 0 {
        return 0;
    }
    let sign = SIGN + speed * SIGN_CLASSES + (class as usize).min(SIGN_CLASSES) - 1;
    let negative = coder.decide(sign, left < 0);
    let mut magnitude_coded = 1u64;
    if class > 1 {
        let top = coder
            .decide(TOP + (class as usize).min(CLASSES) - 1, magnitude >> (class - 2) & 1 == 1);
        let rest = coder.raw(class - 2, magnitude as u32);
        magnitude_coded = (2 | u64::from(top)) << (class - 2) | u64::from(rest);
    }
    if negative { -(magnitude_coded as i64) } else { magnitude_coded as i64 }
}

/// What a slot that the viewer knows does besides moving on: nothing, vanish, or appear elsewhere as somebody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Moves,
    Appears,
    Vanishes,
}

/// The kind of an entry of a known slot.
pub(super) fn code_kind(coder: &mut impl Coder, kind: Kind) -> Kind {
    if !coder.decide(JUMPED, kind != Kind::Moves) {
        Kind::Moves
    } else if coder.decide(GONE, kind == Kind::Vanishes) {
        Kind::Vanishes
    } else {
        Kind::Appears
    }
}

/// A generation and a position without anything to start from.
pub(super) fn code_place(
    coder: &mut impl Coder,
    axes: usize,
    generation: u8,
    position: &[i32; AXES_MAX],
) -> (u8, [i32; AXES_MAX]) {
    let generation = coder.raw(8, u32::from(generation)) as u8;
    let mut coded = [0; AXES_MAX];
    for axis in 0..axes {
        let zigzag = ((position[axis] << 1) ^ (position[axis] >> 31)) as u32;
        let length = coder.raw(5, 31 - (zigzag | 1).leading_zeros()) + 1;
        let zigzag = coder.raw(length, zigzag);
        coded[axis] = (zigzag >> 1) as i32 ^ -((zigzag & 1) as i32);
    }
    (generation, coded)
}

/// Whether a slot that is not known follows; `first` if none has yet in this part.
pub(super) fn code_placed(coder: &mut impl Coder, first: bool, follows: bool) -> bool {
    coder.decide(if first { PLACED } else { PLACED_MORE }, follows)
}

/// Whether a part follows in this datagram.
pub(super) fn code_more(coder: &mut impl Coder, follows: bool) -> bool {
    coder.decide(PART_MORE, follows)
}

/// What stands before a part's entries; `last` is that of the part before in this datagram. Ages are in ticks, 0 is
/// none.
pub(super) fn code_header(coder: &mut impl Coder, last: Option<Header>, part: Header) -> Header {
    if let Some(last) = last {
        let next = Header { index: last.index + 1, ..last };
        if coder.decide(PART_NEXT, part == next) {
            return next;
        }
    }
    let first = last.map_or(0, |last| last.index + 1);
    let index = first.saturating_add(code_number(coder, part.index.saturating_sub(first)));
    let age = code_number(coder, part.age);
    let lag = if age == 0 { 0 } else { code_number(coder, part.lag) };
    Header { index, age, lag }
}

/// A [`PartHeader`](crate::motion::frame::PartHeader) as distances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) index: u32,
    /// How many ticks the baseline lies before the frame; 0: there is none.
    pub(super) age: u32,
    /// How many ticks the reference lies before the baseline; 0: there is none.
    pub(super) lag: u32,
}

/// A number that is small most of the time: Elias' gamma code of the number above it.
pub(super) fn code_number(coder: &mut impl Coder, number: u32) -> u32 {
    let above = u64::from(number) + 1;
    let wanted = 63 - above.leading_zeros();
    let mut bits = 0;
    while bits < 32 && coder.raw(1, u32::from(wanted > bits)) == 1 {
        bits += 1;
    }
    let rest = u64::from(coder.raw(bits, above as u32));
    u32::try_from((1u64 << bits | rest) - 1).unwrap_or(u32::MAX)
}

/// Twice the binary logarithm, of 0: 0; each level is half as wide again as the one before.
fn level(value: i64) -> usize {
    if value < 2 {
        return value.max(0) as usize;
    }
    let bits = 64 - (value as u64).leading_zeros() as usize;
    2 * bits - 2 + (value >> (bits - 2) & 1) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::TestCaseResult;
    use serde_json::Value as Json;

    use super::super::range::{Decoder, Encoder, Interval};
    use super::super::table::TABLE;
    use super::*;

    /// Codes a value, and decodes it from its bytes, where another value is asked for in vain.
    macro_rules! twice {
        ($value:expr, $other:expr, |$coder:ident, $coded:ident| $code:expr) => {{
            let (mut interval, mut out) = (Interval::WHOLE, Vec::new());
            let mut encoder = Encoder { interval: &mut interval, out: &mut out, table: &TABLE };
            let ($coder, $coded) = (&mut encoder, $value);
            let coded = $code;
            interval.finish(&mut out);
            let mut decoder = Decoder::new(&out, &TABLE);
            let ($coder, $coded) = (&mut decoder, $other);
            let decoded = $code;
            assert_eq!(decoder.check(), Ok(()));
            assert_eq!(coded, decoded);
            decoded
        }};
    }

    const NONE: Header = Header { index: 0, age: 0, lag: 0 };

    fn extreme() -> impl Strategy<Value = i32> {
        let end =
            prop_oneof![Just(i32::MIN), Just(i32::MAX), Just(0), Just(1 << 16), Just(1 << 30)];
        let near_end = (end, -2..=2i32).prop_map(|(end, by)| end.saturating_add(by));
        prop_oneof![any::<i32>(), -40..40i32, near_end]
    }

    fn number() -> impl Strategy<Value = u32> {
        prop_oneof![0..100u32, any::<u32>(), u32::MAX - 2..=u32::MAX]
    }

    fn four() -> impl Strategy<Value = [i32; AXES_MAX]> {
        prop::array::uniform4(extreme())
    }

    fn check_differences(
        axes: usize,
        momentum: &Momentum,
        differences: [i32; 4],
    ) -> TestCaseResult {
        let decoded = twice!(differences, [0; 4], |coder, asked| {
            code_differences(coder, axes, momentum, asked)
        });
        for axis in 0..AXES_MAX {
            let expected = if axis < axes { differences[axis] } else { 0 };
            prop_assert_eq!(decoded[axis], i64::from(expected));
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn m6_differences_of_any_size_are_read(
            axes in 1..=4usize,
            before in four(),
            (lag, age) in (0..12u32, number()),
            differences in four(),
        ) {
            check_differences(axes, &Momentum::new(before, lag, age), differences)?;
        }

        #[test]
        fn m6_what_is_left_is_coded_up_to_32_bits(speed in 0..SIGN_LEVELS, left in extreme()) {
            for left in [i64::from(left) * 2 + 1, i64::from(left), 1 - (1 << 32), (1 << 32) - 1] {
                prop_assert_eq!(twice!(left, 0, |coder, left| code_left(coder, LEFT, speed, left)), left);
            }
        }

        #[test]
        fn m6_places_are_read(
            axes in 1..=4usize,
            generation: u8,
            position in four(),
        ) {
            let (read, values) = twice!((generation, position), (0, [0; 4]), |coder, place| {
                code_place(coder, axes, place.0, &place.1)
            });
            prop_assert_eq!(read, generation);
            prop_assert_eq!(&values[..axes], &position[..axes]);
            prop_assert_eq!(&values[axes..], &[0; 4][axes..]);
        }

        #[test]
        fn m6_numbers_are_read(number in number()) {
            prop_assert_eq!(twice!(number, 0, |coder, number| code_number(coder, number)), number);
        }

        #[test]
        fn m4_headers_are_read(
            last in prop::option::of((0..128u32, number(), number())),
            (ahead, age, lag) in (0..128u32, number(), number()),
            same: bool,
        ) {
            let last = last.map(|(index, age, lag)| Header { index, age, lag });
            let index = last.map_or(0, |last| last.index + 1) + ahead;
            let lag = if age == 0 { 0 } else { lag };
            let header = match last {
                Some(last) if same => Header { index: last.index + 1, ..last },
                _ => Header { index, age, lag },
            };
            prop_assert_eq!(twice!(header, NONE, |coder, header| code_header(coder, last, header)), header);
        }

        #[test]
        fn m6_a_level_is_half_as_wide_again_as_the_one_before(value in 0..1i64 << 40) {
            prop_assert!(level(value) <= level(value + 1));
            prop_assert!(level(value + 1) <= level(value) + 1);
            prop_assert_eq!(level(value * 2), level(value) + if value > 0 { 2 } else { 0 } - usize::from(value == 1));
        }
    }

    #[test]
    fn m6_decisions_are_read_in_every_context() {
        for kind in [Kind::Moves, Kind::Appears, Kind::Vanishes] {
            assert_eq!(twice!(kind, Kind::Moves, |coder, kind| code_kind(coder, kind)), kind);
        }
        for (speed, span) in
            (0..40).flat_map(|bits| [0, 19, 20, 40, 60, 1000].map(|span| (bits, span)))
        {
            let momentum = Momentum::new([0, -(1 << 30) >> (speed % 31), 0, 0], 1, 1);
            for moved in [false, true] {
                let read =
                    twice!(moved, false, |coder, moved| code_moved(coder, &momentum, span, moved));
                assert_eq!(read, moved);
            }
        }
    }

    #[test]
    fn m6_levels() {
        let first = [0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32];
        for (expected, value) in first.into_iter().enumerate() {
            assert_eq!((level(value), level(value - 1)), (expected, expected.saturating_sub(1)));
        }
        assert_eq!(level(i64::MIN), 0);
        assert_eq!(level(i64::MAX), 125);
    }

    #[test]
    fn m6_momentum_is_twice_what_is_expected_and_bounded() {
        assert_eq!(Momentum::new([3, -3, 0, 1], 2, 3).0, [9, -9, 0, 3]);
        assert_eq!(Momentum::new([5, -5, 0, 0], 3, 1).0, [3, -3, 0, 0], "rounded towards zero");
        assert_eq!(Momentum::new([i32::MAX, i32::MIN, 0, 0], 1, 8).0, [1 << 24, -(1 << 24), 0, 0]);
        for (lag, age) in [(0, 1), (9, 1), (1, 9), (u32::MAX, u32::MAX)] {
            assert_eq!(Momentum::new([7; 4], lag, age).0, [0; 4]);
        }
        assert_eq!(Momentum::new([7; 4], 8, 8).0, [14; 4]);
    }

    /// The most bits that a decision takes in any context of a range.
    fn dearest(contexts: std::ops::Range<usize>, bit: bool) -> f64 {
        let bits = |context: usize| {
            let one = (f64::from(TABLE[context]) + 0.5) / 256.0;
            -(if bit { one } else { 1.0 - one }).log2()
        };
        contexts.map(bits).fold(0.0, f64::max)
    }

    /// The most bits that what is left takes on an axis, if it is no jump: that is in at most 16 bits.
    fn dearest_left() -> f64 {
        let contexts = (LEFT..SIGN).step_by(CLASSES);
        let taken = |(first, bits): (usize, usize)| {
            let class = |class: usize| first + class.min(CLASSES - 1);
            let more = (0..bits).map(|below| dearest(class(below)..class(below) + 1, true));
            let sign = dearest(SIGN..TOP, true).max(dearest(SIGN..TOP, false));
            let top = dearest(TOP..JUMPED, true).max(dearest(TOP..JUMPED, false));
            let rest = bits.saturating_sub(2) as f64;
            more.sum::<f64>() + dearest(class(bits)..class(bits) + 1, false) + sign + top + rest
        };
        contexts
            .flat_map(|first| (0..=16).map(move |bits| (first, bits)))
            .map(taken)
            .fold(0.0, f64::max)
    }

    #[test]
    fn m4_a_part_always_fits_a_datagram() {
        let header = 12.0 * 8.0 + 2.0 * 7.0 + 1.0 + 2.0 * 65.0;
        for axes in 1..=4u8 {
            let place = 8.0 + f64::from(axes) * 36.0;
            let moves = dearest(JUMPED..GONE, false) + f64::from(axes) * dearest_left();
            let appears = dearest(JUMPED..GONE, true) + dearest(GONE..PLACED, false) + place;
            let known = dearest(MOVED..LEFT, true) + moves.max(appears);
            // A slot that is passed over makes a distance longer, by at most two bits.
            let new = dearest(PLACED..PART_MORE, true).max(2.0) + 1.0 + place;
            let slot = known.max(new).max(dearest(MOVED..LEFT, false));
            let slots = crate::motion::Axes::open(axes).unwrap().slots_per_part() as f64;
            let bytes = (header + slots * slot + 16.0) / 8.0;
            assert!(bytes < 980.0, "{axes} axes: {bytes} bytes");
        }
    }

    #[test]
    fn m6_contexts_are_those_of_the_vectors() {
        let vectors = include_str!("../../../vectors/motion_coder.json");
        let vectors: Json = serde_json::from_str(vectors).unwrap();
        let first = [
            ("moved", MOVED),
            ("left", LEFT),
            ("sign", SIGN),
            ("top", TOP),
            ("jumped", JUMPED),
            ("gone", GONE),
            ("placed", PLACED),
            ("placed_more", PLACED_MORE),
            ("part_more", PART_MORE),
            ("part_next", PART_NEXT),
        ];
        let first = first.map(|(name, context)| (name.to_owned(), Json::from(context)));
        assert_eq!(vectors["contexts"], Json::Object(first.into_iter().collect()));
        assert_eq!(vectors["table"], Json::from(&TABLE[..]));
    }
}
