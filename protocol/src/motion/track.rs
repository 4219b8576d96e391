//! A slot's recent points, kept alike by server and client, so that a baseline's position is the same for both.
//!
//! A slot's motion is a step function of ticks, and a track holds its latest steps: the position at tick `b` is that of
//! the last point at or before `b`.

use std::collections::VecDeque;

use super::{Position, WINDOW};
use crate::ids::Tick;

/// The points of [`WINDOW`] ticks and the one before them.
const POINTS_MAX: usize = WINDOW as usize + 1;
/// For how many there is room at first: a viewer whose acks come in time needs no more of a slot.
const POINTS_FIRST: usize = 16;

/// Where a slot's member was from a tick on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// The tick of the change.
    pub tick: Tick,
    /// Who was where; `None` if nobody was to be seen any more.
    pub place: Option<Place>,
}

/// Who was where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The low byte of the member's generation.
    pub generation: u8,
    /// Where it was.
    pub position: Position,
}

/// A slot's latest points in the order of their ticks, at most 33 of them: some 1,000 bytes.
#[derive(Clone, Debug, Default)]
pub struct Track {
    points: VecDeque<Point>,
    /// Whether points were forgotten.
    cut: bool,
}

impl Track {
    /// Adds a point, wherever its tick belongs; the oldest goes when there are too many. A tick has one point.
    pub fn record(&mut self, point: Point) {
        let place = self.points.partition_point(|known| known.tick < point.tick);
        if self.points.get(place).is_some_and(|known| known.tick == point.tick) {
            self.points[place] = point;
            return;
        }
        if self.points.len() < POINTS_MAX {
            if self.points.len() == self.points.capacity() {
                let room = if self.points.is_empty() { POINTS_FIRST } else { POINTS_MAX };
                self.points.reserve_exact(room - self.points.len());
            }
            self.points.insert(place, point);
            return;
        }
        self.cut = true;
        if place > 0 {
            self.points.pop_front();
            self.points.insert(place - 1, point);
        }
    }

    /// Who was where at `tick`; `None` if nobody was, or if it is too long ago to be known.
    pub fn at(&self, tick: Tick) -> Option<&Place> {
        let point = self.points.iter().rev().find(|point| point.tick <= tick)?;
        point.place.as_ref()
    }

    /// The earliest tick that [`Self::at`] knows of: what was before it may be forgotten.
    pub fn horizon(&self) -> Tick {
        let first = self.points.front().filter(|_| self.cut);
        first.map_or(Tick(0), |first| first.tick)
    }

    /// Forgets what was before `tick`, but for what held at it.
    pub fn forget_before(&mut self, tick: Tick) {
        while self.points.get(1).is_some_and(|second| second.tick <= tick) {
            self.points.pop_front();
            self.cut = true;
        }
    }

    /// Forgets everything, and keeps the memory for another slot.
    pub fn clear(&mut self) {
        self.points.clear();
        self.cut = false;
    }

    /// The latest point.
    pub fn latest(&self) -> Option<&Point> {
        self.points.back()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(tick: u32) -> Point {
        let place = Place { generation: 0, position: Position::xy(tick as i32, 0) };
        Point { tick: Tick(tick), place: Some(place) }
    }

    fn x_at(track: &Track, tick: u32) -> Option<i32> {
        track.at(Tick(tick)).map(|place| place.position.x())
    }

    #[test]
    fn m5_a_point_holds_until_the_next() {
        let mut track = Track::default();
        for tick in [10, 30, 20] {
            track.record(point(tick));
        }
        assert_eq!(x_at(&track, 9), None);
        assert_eq!(x_at(&track, 10), Some(10));
        assert_eq!(x_at(&track, 29), Some(20));
        assert_eq!(x_at(&track, 1000), Some(30));
        track.record(Point { tick: Tick(40), place: None });
        assert_eq!((x_at(&track, 39), x_at(&track, 40)), (Some(30), None));
    }

    #[test]
    fn m5_the_window_and_the_point_before_it_are_kept() {
        let mut track = Track::default();
        for tick in 1..=100 {
            track.record(point(tick));
        }
        assert_eq!(x_at(&track, 100 - WINDOW), Some(68));
        assert_eq!(x_at(&track, 100 - WINDOW - 1), None);
        assert_eq!(track.horizon(), Tick(68));
        track.record(point(5));
        assert_eq!(x_at(&track, 68), Some(68), "a late old point pushes nothing out");
    }

    #[test]
    fn m5_what_no_baseline_needs_can_be_forgotten() {
        let mut track = Track::default();
        for tick in [10, 20, 30] {
            track.record(point(tick));
        }
        track.forget_before(Tick(25));
        assert_eq!((x_at(&track, 19), x_at(&track, 25)), (None, Some(20)));
        assert_eq!(track.horizon(), Tick(20));
    }
}
