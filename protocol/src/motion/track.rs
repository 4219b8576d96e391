//! A slot's recent points, kept alike by server and client, so that a baseline's position is the same for both.
//!
//! A slot's motion is a step function of ticks, and a track holds its latest steps: the position at tick `b` is that of
//! the last point at or before `b`.

use std::collections::VecDeque;

use super::{Position, WINDOW};
use crate::ids::Tick;

/// The points of [`WINDOW`] ticks and the one before them.
const POINTS_MAX: usize = WINDOW as usize + 1;

/// Where a slot's member was from a tick on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// The tick of the change.
    pub tick: Tick,
    /// The low byte of the member's generation.
    pub generation: u8,
    /// Where it was.
    pub position: Position,
}

/// A slot's latest points in the order of their ticks, at most 33 of them: some 800 bytes.
#[derive(Clone, Debug, Default)]
pub struct Track {
    points: VecDeque<Point>,
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
            self.points.insert(place, point);
        } else if place > 0 {
            self.points.pop_front();
            self.points.insert(place - 1, point);
        }
    }

    /// The point that holds at `tick`; `None` if there was none, or if it is too long ago to be known.
    pub fn at(&self, tick: Tick) -> Option<&Point> {
        self.points.iter().rev().find(|point| point.tick <= tick)
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
        Point { tick: Tick(tick), generation: 0, position: Position::xy(tick as i32, 0) }
    }

    fn x_at(track: &Track, tick: u32) -> Option<i32> {
        track.at(Tick(tick)).map(|point| point.position.x())
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
    }

    #[test]
    fn m5_the_window_and_the_point_before_it_are_kept() {
        let mut track = Track::default();
        for tick in 1..=100 {
            track.record(point(tick));
        }
        assert_eq!(x_at(&track, 100 - WINDOW), Some(68));
        assert_eq!(x_at(&track, 100 - WINDOW - 1), None);
        track.record(point(5));
        assert_eq!(x_at(&track, 68), Some(68), "a late old point pushes nothing out");
    }
}
