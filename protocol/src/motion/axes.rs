//! The space that members move in: 1 to 4 axes of whole steps, each with a range, and some of them round (rule M2).

use super::DecodeError;
use crate::limits::{AXES_MAX, AXIS_LIMIT, MEMBERS_MAX};

/// The range of one axis, in steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    /// The lowest value, at least -2^30.
    pub min: i32,
    /// The highest value, at most 2^30 - 1, not below `min`.
    pub max: i32,
    /// Whether `min` is the step after `max`, as of an angle: a difference then goes the shorter way.
    pub wraps: bool,
}

/// A namespace's axes: 1 to 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axes {
    count: u8,
    axes: [Axis; AXES_MAX],
}

/// Where a member is, in steps of the namespace's axes; axes that the namespace does not have are 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Position([i32; AXES_MAX]);

impl Axis {
    /// Any value, and no wrap.
    pub const OPEN: Self = Self { min: -AXIS_LIMIT, max: AXIS_LIMIT - 1, wraps: false };

    /// The nearest value within the range, or the same one around it.
    fn bring(&self, value: i32) -> i32 {
        if self.wraps { self.around(i64::from(value)) } else { value.clamp(self.min, self.max) }
    }

    fn around(&self, value: i64) -> i32 {
        let min = i64::from(self.min);
        // Within the range, so within 31 bits.
        (min + (value - min).rem_euclid(self.span())) as i32
    }

    fn span(&self) -> i64 {
        i64::from(self.max) - i64::from(self.min) + 1
    }

    fn difference(&self, to: i32, from: i32) -> i32 {
        let plain = i64::from(to) - i64::from(from);
        if !self.wraps {
            return plain as i32; // of two values of 31 bits
        }
        let (span, half) = (self.span(), self.span() / 2);
        ((plain + half).rem_euclid(span) - half) as i32
    }

    fn moved(&self, from: i32, difference: i64) -> Option<i32> {
        let to = i64::from(from) + difference;
        if self.wraps {
            return Some(self.around(to));
        }
        i32::try_from(to).ok().filter(|to| self.holds(*to))
    }

    fn holds(&self, value: i32) -> bool {
        (self.min..=self.max).contains(&value)
    }

    fn is_sound(&self) -> bool {
        Self::OPEN.holds(self.min) && Self::OPEN.holds(self.max) && self.min <= self.max
    }
}

impl Axes {
    /// Two open axes, x and y.
    pub const TWO: Self = Self { count: 2, axes: [Axis::OPEN; AXES_MAX] };

    /// So many open axes; `None` outside 1 to 4.
    pub fn open(count: u8) -> Option<Self> {
        [Axis::OPEN; AXES_MAX].get(..usize::from(count)).and_then(Self::new)
    }

    /// These axes; `None` unless they are 1 to 4, each with a range within the limits.
    pub fn new(axes: &[Axis]) -> Option<Self> {
        let sound = (1..=AXES_MAX).contains(&axes.len()) && axes.iter().all(Axis::is_sound);
        sound.then(|| Self {
            count: axes.len() as u8,
            axes: std::array::from_fn(|index| axes.get(index).copied().unwrap_or(Axis::OPEN)),
        })
    }

    /// The axes themselves.
    pub fn axes(&self) -> &[Axis] {
        &self.axes[..self.count()]
    }

    /// The number of axes.
    pub const fn count(&self) -> usize {
        self.count as usize
    }

    /// How many slots a part spans (rule M4): so many that a part of nothing but new slots fits one datagram.
    pub const fn slots_per_part(&self) -> usize {
        if self.count <= 2 { 64 } else { 32 }
    }

    /// How many parts a room of 4,096 members has.
    pub const fn parts_max(&self) -> usize {
        MEMBERS_MAX / self.slots_per_part()
    }

    /// The position brought into the ranges: cut off, or around. Axes that there are not become 0.
    pub fn bring(&self, position: Position) -> Position {
        self.map(|index, axis| axis.bring(position.0[index]))
    }

    /// What leads from one position to another, the shorter way on axes that wrap.
    pub(super) fn differences(&self, to: &Position, from: &Position) -> [i32; AXES_MAX] {
        self.map(|index, axis| axis.difference(to.0[index], from.0[index])).0
    }

    /// The position that lies `differences` away, if it is in range.
    pub(super) fn moved(
        &self,
        from: &Position,
        differences: &[i64; AXES_MAX],
    ) -> Result<Position, DecodeError> {
        let mut position = Position::default();
        for (index, axis) in self.axes().iter().enumerate() {
            let to = axis.moved(from.0[index], differences[index]);
            position.0[index] = to.ok_or(DecodeError::Range)?;
        }
        Ok(position)
    }

    /// The values as a position, if they are in range.
    pub(super) fn checked(&self, values: [i32; AXES_MAX]) -> Result<Position, DecodeError> {
        let inside = self.axes().iter().zip(values).all(|(axis, value)| axis.holds(value));
        if inside { Ok(Position(values)) } else { Err(DecodeError::Range) }
    }

    fn map(&self, value: impl Fn(usize, &Axis) -> i32) -> Position {
        let mut position = Position::default();
        for (index, axis) in self.axes().iter().enumerate() {
            position.0[index] = value(index, axis);
        }
        position
    }
}

impl Position {
    /// A position on two axes; values are cut to their range (rule M2).
    pub fn xy(x: i32, y: i32) -> Self {
        Self::new([x, y, 0, 0])
    }

    /// A position on up to four axes; values are cut to `-2^30` to `2^30 - 1`.
    pub fn new(axes: [i32; AXES_MAX]) -> Self {
        Self(axes.map(|value| value.clamp(-AXIS_LIMIT, AXIS_LIMIT - 1)))
    }

    /// All four values.
    pub const fn axes(&self) -> [i32; AXES_MAX] {
        self.0
    }

    /// The first axis.
    pub const fn x(&self) -> i32 {
        self.0[0]
    }

    /// The second axis.
    pub const fn y(&self) -> i32 {
        self.0[1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEGREES: Axis = Axis { min: 0, max: 359, wraps: true };

    fn yaw(value: i32) -> Position {
        Position::new([value, 0, 0, 0])
    }

    #[test]
    fn m2_an_angle_goes_the_shorter_way_round() {
        let axes = Axes::new(&[DEGREES]).unwrap();
        for (from, to, way) in [(350, 10, 20), (10, 350, -20), (0, 180, -180), (90, 91, 1)] {
            assert_eq!(axes.differences(&yaw(to), &yaw(from))[0], way);
            assert_eq!(axes.moved(&yaw(from), &[i64::from(way), 0, 0, 0]), Ok(yaw(to)));
        }
        assert_eq!(axes.bring(yaw(-1)), yaw(359));
        assert_eq!(axes.bring(yaw(725)), yaw(5));
    }

    #[test]
    fn m2_a_straight_axis_is_cut_and_not_left() {
        let axes = Axes::new(&[Axis { min: -5, max: 5, wraps: false }]).unwrap();
        assert_eq!(axes.bring(yaw(9)), yaw(5));
        assert_eq!(axes.moved(&yaw(5), &[1, 0, 0, 0]), Err(DecodeError::Range));
        assert_eq!(axes.checked([-6, 0, 0, 0]), Err(DecodeError::Range));
        let ends =
            Axes::TWO.differences(&Position::xy(AXIS_LIMIT, 0), &Position::xy(-AXIS_LIMIT, 0));
        assert_eq!(ends[0], i32::MAX);
    }

    #[test]
    fn m2_axes_are_one_to_four_and_have_something_in_them() {
        assert_eq!((0..=5).filter_map(Axes::open).map(|axes| axes.count()).sum::<usize>(), 10);
        assert_eq!(Axes::new(&[Axis { min: 1, max: 0, wraps: true }]), None);
        assert_eq!(Axes::new(&[Axis { max: AXIS_LIMIT, ..DEGREES }]), None);
    }
}
