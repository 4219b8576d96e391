//! Where everybody is, in cells: what a viewer with a viewport is told costs what it sees, not what the room has.
//!
//! The cells are a sorted list, made anew in each tick in which somebody asks, without allocating: a row of cells is
//! one stretch of it. The side of a cell is a power of two, about a quarter of the first viewport that was set.

use hither_protocol::Slot;
use hither_protocol::message::control::Viewport;

use super::mover::Mover;
use super::rectangle::Rectangle;

/// Finding a row in the list costs about as much as looking at so many members.
const MEMBERS_A_ROW: i64 = 8;

/// Cells by row and column.
#[derive(Debug, Default)]
pub(super) struct Grid {
    shift: Option<u32>,
    cells: Vec<(i32, i32, Slot)>,
    is_current: bool,
}

impl Grid {
    /// Chooses the side of the cells, once.
    pub(super) fn suit(&mut self, rectangle: &Rectangle) {
        self.shift.get_or_insert((rectangle.side() / 4).max(1).ilog2());
    }

    /// Somebody may have moved.
    pub(super) fn expire(&mut self) {
        self.is_current = false;
    }

    /// Calls `found` with each slot that is in a cell which the rectangle touches; it goes over no seam.
    pub(super) fn within(
        &mut self,
        movers: &[Mover],
        rectangle: &Viewport,
        mut found: impl FnMut(Slot),
    ) {
        let shift = self.shift.unwrap_or(0);
        self.refresh(movers, shift);
        let (left, right) = (rectangle.left >> shift, rectangle.right >> shift);
        let (top, bottom) = (rectangle.top >> shift, rectangle.bottom >> shift);
        let rows = i64::from(bottom) - i64::from(top);
        if rows > self.cells.len() as i64 / MEMBERS_A_ROW {
            // So many rows, for a viewport much larger than the first: it is cheaper to look at each member.
            self.cells.iter().for_each(|(_, _, slot)| found(*slot));
            return;
        }
        for row in top..=bottom {
            let from = self.cells.partition_point(|(y, x, _)| (*y, *x) < (row, left));
            let row = self.cells[from..].iter().take_while(|(y, x, _)| *y == row && *x <= right);
            row.for_each(|(_, _, slot)| found(*slot));
        }
    }

    fn refresh(&mut self, movers: &[Mover], shift: u32) {
        if std::mem::replace(&mut self.is_current, true) {
            return;
        }
        self.cells.clear();
        for (index, mover) in movers.iter().enumerate() {
            if let Some(place) = mover.place() {
                let (x, y) = (place.position.x() >> shift, place.position.y() >> shift);
                self.cells.push((y, x, Slot(index as u16)));
            }
        }
        self.cells.sort_unstable();
    }
}

#[cfg(test)]
mod tests {
    use hither_protocol::motion::{Place, Point, Position};
    use hither_protocol::{Generation, Tick};
    use proptest::prelude::*;

    use super::*;

    fn mover((x, y): (i32, i32)) -> Mover {
        let mut mover = Mover::default();
        mover.begin(Generation(0));
        let place = Some(Place { generation: 0, position: Position::xy(x, y) });
        mover.track.record(Point { tick: Tick(1), place });
        mover
    }

    proptest! {
        #[test]
        fn m13_whoever_is_within_a_rectangle_is_found(
            places in prop::collection::vec((-2_000..2_000i32, -2_000..2_000i32), 1..500),
            (left, top) in (-2_500..2_000i32, -2_500..2_000i32),
            (width, height) in (0..800i32, 0..800i32),
            shift in 4..9u32,
        ) {
            let movers: Vec<Mover> = places.iter().copied().map(mover).collect();
            let mut grid = Grid { shift: Some(shift), ..Grid::default() };
            let wanted = Viewport { left, top, right: left + width, bottom: top + height };
            let mut found = Vec::new();
            grid.within(&movers, &wanted, |slot| found.push(slot.index()));
            found.sort_unstable();
            let all = found.len();
            found.dedup();
            prop_assert_eq!(all, found.len(), "each once");
            for (index, (x, y)) in places.into_iter().enumerate() {
                let is_in = (left..=left + width).contains(&x) && (top..=top + height).contains(&y);
                prop_assert!(!is_in || found.contains(&index), "{} at {}, {}", index, x, y);
            }
        }
    }
}
