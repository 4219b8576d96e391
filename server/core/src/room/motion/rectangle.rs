//! A rectangle of a room's space as positions are counted there: on an axis that wraps it may go over the seam (M13).
//! Apart from what a viewer sees, which only asks what lies in it, and how near to its middle.

use hither_protocol::message::control::Viewport;
use hither_protocol::motion::{Axes, Axis, Position};

/// What a viewport holds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rectangle {
    x: Stretch,
    y: Stretch,
}

impl Rectangle {
    /// What this viewport holds on these axes. On a second axis that there is not everybody is at 0, and in it.
    pub(super) fn new(viewport: &Viewport, axes: &Axes) -> Self {
        let [x, y] = [0, 1].map(|index| axes.axes().get(index));
        Self {
            x: x.map_or_else(Stretch::default, |x| Stretch::new(viewport.left, viewport.right, x)),
            y: y.map_or_else(Stretch::default, |y| Stretch::new(viewport.top, viewport.bottom, y)),
        }
    }

    /// The same, larger by a part of its size on each side.
    pub(super) fn grown(&self, part: i64) -> Self {
        Self { x: self.x.grown(part), y: self.y.grown(part) }
    }

    pub(super) fn holds(&self, position: &Position) -> bool {
        self.x.holds(position.x()) && self.y.holds(position.y())
    }

    /// How far a position is from the middle, in eighths of the rectangle's size: 4 at the border.
    pub(super) fn distance(&self, position: &Position) -> u64 {
        self.x.distance(position.x()).max(self.y.distance(position.y()))
    }

    /// The longer one of its sides, in steps.
    pub(super) fn side(&self) -> u32 {
        u32::try_from(self.x.length.max(self.y.length).max(0)).unwrap_or(u32::MAX)
    }

    /// The same space as rectangles that do not go over a seam, at most four; none if nothing can be in it.
    pub(super) fn pieces(&self) -> impl Iterator<Item = Viewport> {
        let columns = self.x.pieces();
        self.y.pieces().flat_map(move |(top, bottom)| {
            let piece = move |(left, right)| Viewport { left, top, right, bottom };
            columns.clone().map(piece)
        })
    }
}

/// A stretch of an axis, its ends included.
#[derive(Clone, Copy, Debug, Default)]
struct Stretch {
    from: i64,
    /// From end to end; below 0 there is nothing in it.
    length: i64,
    /// The lowest value of an axis that wraps, and how many it has.
    turn: Option<(i64, i64)>,
}

impl Stretch {
    fn new(first: i32, last: i32, axis: &Axis) -> Self {
        let [first, last, min, max] = [first, last, axis.min, axis.max].map(i64::from);
        let (from, length) = (first, last - first);
        let turn = axis.wraps.then_some((min, max - min + 1));
        let length = match turn {
            Some((_, span)) if length < 0 => length.rem_euclid(span),
            Some((_, span)) => length.min(span - 1),
            None => length,
        };
        Self { from, length, turn }
    }

    fn grown(&self, part: i64) -> Self {
        let by = self.length.max(0) / part;
        Self { from: self.from - by, length: self.length + 2 * by, ..*self }
    }

    /// How far behind its beginning a value is.
    fn way_to(&self, value: i32) -> i64 {
        let way = i64::from(value) - self.from;
        self.turn.map_or(way, |(_, span)| way.rem_euclid(span))
    }

    fn holds(&self, value: i32) -> bool {
        (0..=self.length).contains(&self.way_to(value))
    }

    fn distance(&self, value: i32) -> u64 {
        let twice = |way: i64| (2 * way - self.length).unsigned_abs();
        let way = self.way_to(value);
        let before = self.turn.map_or(u64::MAX, |(_, span)| twice(way - span));
        twice(way).min(before) * 4 / (self.length + 1).max(1).unsigned_abs()
    }

    fn pieces(&self) -> impl Iterator<Item = (i32, i32)> + Clone + use<> {
        let last = self.from + self.length;
        let pieces = match self.turn {
            _ if self.length < 0 => [None, None],
            None => [Some((self.from, last)), None],
            Some((min, span)) if self.length >= span - 1 => [Some((min, min + span - 1)), None],
            Some((min, span)) => {
                let (end, from) = (min + span - 1, min + (self.from - min).rem_euclid(span));
                let last = from + self.length;
                let beyond = (last > end).then(|| (min, last - span));
                [Some((from, last.min(end))), beyond]
            }
        };
        let cut = |value: i64| value.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32;
        pieces.into_iter().flatten().map(move |(first, last)| (cut(first), cut(last)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEGREES: Axis = Axis { min: 0, max: 359, wraps: true };
    const HEIGHT: Axis = Axis { min: -10, max: 10, wraps: false };

    fn rectangle(left: i32, right: i32) -> Rectangle {
        let axes = Axes::new(&[DEGREES, HEIGHT]).unwrap();
        Rectangle::new(&Viewport { left, right, top: -10, bottom: 10 }, &axes)
    }

    /// The values on the first axis that are in it.
    fn held(rectangle: &Rectangle) -> Vec<i32> {
        (0..360).filter(|x| rectangle.holds(&Position::xy(*x, 0))).collect()
    }

    #[test]
    fn m13_an_angle_goes_over_the_seam() {
        let over: Vec<i32> = (0..=5).chain(350..360).collect();
        assert_eq!(held(&rectangle(350, 5)), over);
        assert_eq!(held(&rectangle(-10, 5)), over, "values count around the axis");
        assert_eq!(held(&rectangle(350, 365)), over);
        assert_eq!(held(&rectangle(5, 350)), (5..=350).collect::<Vec<_>>());
        assert_eq!(held(&rectangle(7, 7)), [7]);
        for all in [(0, 359), (8, 7), (0, 1_000), (i32::MIN, i32::MAX)] {
            assert_eq!(held(&rectangle(all.0, all.1)).len(), 360, "{all:?}");
        }
    }

    #[test]
    fn m13_its_margin_goes_over_the_seam_too() {
        let grown = rectangle(0, 100).grown(10);
        assert_eq!(held(&grown), (0..=110).chain(350..360).collect::<Vec<_>>());
        assert_eq!(held(&rectangle(60, 20).grown(4)).len(), 360);
    }

    #[test]
    fn m13_on_a_straight_axis_what_ends_before_it_begins_holds_nobody() {
        let axes = Axes::TWO;
        let reversed = Viewport { left: 100, right: 0, top: 0, bottom: 100 };
        let rectangle = Rectangle::new(&reversed, &axes).grown(4);
        assert!((-200..200).all(|x| !rectangle.holds(&Position::xy(x, 50))));
        assert_eq!(rectangle.pieces().count(), 0);
    }

    #[test]
    fn m13_pieces_hold_what_the_whole_holds() {
        let axes = Axes::new(&[DEGREES, DEGREES]).unwrap();
        for (first, last) in [(350, 5), (5, 350), (-10, 5), (350, 365), (0, 359), (359, 0), (9, 8)]
        {
            let viewport = Viewport { left: first, right: last, top: last, bottom: first };
            let whole = Rectangle::new(&viewport, &axes);
            let pieces: Vec<Viewport> = whole.pieces().collect();
            for (x, y) in (0..360).step_by(3).flat_map(|x| (0..360).map(move |y| (x, y))) {
                let is_in = |piece: &Viewport| {
                    (piece.left..=piece.right).contains(&x)
                        && (piece.top..=piece.bottom).contains(&y)
                };
                let holds = whole.holds(&Position::xy(x, y));
                assert_eq!(pieces.iter().any(is_in), holds, "{x} {y} in {pieces:?}");
            }
        }
    }

    #[test]
    fn the_middle_is_near_over_the_seam() {
        let rectangle = rectangle(340, 20);
        let eighths = |x: i32| rectangle.distance(&Position::xy(x, 0));
        assert_eq!([0, 340, 20, 341, 180].map(eighths), [0, 3, 3, 3, 35]);
        assert_eq!(rectangle.side(), 40);
    }

    #[test]
    fn a_room_with_one_axis_has_no_use_for_the_second() {
        let axes = Axes::new(&[DEGREES]).unwrap();
        let viewport = Viewport { left: 350, right: 5, top: 7, bottom: 3 };
        let rectangle = Rectangle::new(&viewport, &axes);
        assert!(rectangle.holds(&Position::xy(359, 0)));
        assert_eq!((rectangle.distance(&Position::xy(358, 0)), rectangle.side()), (0, 15));
    }
}
