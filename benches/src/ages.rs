//! Which move has reached whom, and how old it was then. It stands apart because it decides what
//! the figures mean, and is checked here by hand-made examples rather than against a server.
//!
//! A *move* is a sample that a member sent. It is *covered* at a viewer as soon as that viewer
//! holds it or a newer one of the same member; its *age* runs from the time it was scheduled for to
//! that moment, and counts in the window that the move was scheduled in, however late it arrives.
//! An *update* is a receipt of a position newer than the one held before.
//!
//! Frames carry positions and no sample numbers, so a received position stands for the newest move
//! of its member with that position. The two can differ when a mouse comes back to a pixel while
//! its first visit is still under way: then the first visit's arrival covers the second and what
//! lies between, somewhat early. The view is right at that moment, which is what is measured, and
//! at most the moves in flight (one or two a tick) are touched by it.
//!
//! With viewports nobody is to see everything, so what was not seen is not missed: an update counts when it comes. Of a
//! member that comes into sight, the move that is shown has an age, and not those that were made out of it.
//!
//! Viewers that are made to stall are left out of all this. Of them, one thing is kept: how *stale*
//! the first update was that they were shown after they woke, which is for how long the mouse had
//! no longer been there.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::layout::Layout;

/// Moves kept per member: 17 s at 60 Hz. A move that is covered later than that counts as not
/// covered.
const KEPT: u32 = 1024;

/// The largest age told apart, an hour; what is above counts as that.
const AGE_US_MAX: u64 = 3_600_000_000;

/// A member's sample as it was sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Move {
    /// When it was due, in µs on the generator's clock.
    pub at_us: u64,
    /// Where the mouse was, in pixels.
    pub position: (i32, i32),
    /// The window it is counted in; None in the warm-up.
    pub window: Option<u16>,
}

/// A frame's coming to a member. It may be booked later than it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Whose view it changes.
    pub viewer: usize,
    /// When it came, in µs on the generator's clock.
    pub at_us: u64,
    /// The window that its updates are counted in; None in the warm-up and the grace.
    pub window: Option<u16>,
}

/// What one window came to.
#[derive(Debug)]
pub struct WindowAges {
    /// Samples sent in it.
    pub moves: u64,
    /// Pairs of one of its moves and a viewer that counts; none with viewports.
    pub expected: u64,
    /// Receipts of a newer position in it.
    pub updates: u64,
    /// How many of the expected the move, or a newer one, has reached.
    pub covered: u64,
    /// The ages of those pairs in µs, to three digits.
    pub ages_us: Histogram<u64>,
}

/// The bookkeeping of one run: all rooms, every viewer's view of every mover. Memory: 4 B a pair of
/// viewer and mover, 24 KiB a member that moves much.
#[derive(Debug)]
pub struct Ages {
    layout: Layout,
    trails: Vec<Trail>,
    /// By viewer, the number of the newest move seen of each mover by its place; 0 is none, or that it is out of sight.
    seen: Vec<Box<[u32]>>,
    has_viewports: bool,
    windows: Vec<WindowAges>,
    /// By room, the viewers that count.
    viewers: Vec<u64>,
    /// By viewer that is left out, how stale the first update since `wake_us` was, in µs.
    woken: BTreeMap<usize, Option<u64>>,
    wake_us: u64,
    unknown: u64,
}

impl Ages {
    /// An empty book for the members of `layout`, counting in `windows` windows. The last `stalled`
    /// members are left out as viewers, and must not move.
    pub fn new(layout: &Layout, stalled: usize, windows: usize) -> Self {
        let members = layout.members();
        let row = |viewer| vec![0; layout.room(layout.room_of(viewer)).len()].into();
        let woken: BTreeMap<_, _> = (members - stalled..members).map(|m| (m, None)).collect();
        let viewers = |room| layout.room(room).filter(|member| !woken.contains_key(member)).count();
        Self {
            layout: layout.clone(),
            trails: (0..members).map(|_| Trail::default()).collect(),
            seen: (0..members).map(row).collect(),
            has_viewports: false,
            windows: (0..windows).map(|_| WindowAges::new()).collect(),
            viewers: (0..layout.rooms()).map(|room| viewers(room) as u64).collect(),
            woken,
            wake_us: u64::MAX,
            unknown: 0,
        }
    }

    /// The same, for viewers that do not see everybody if `has_viewports`.
    #[must_use]
    pub fn with_viewports(self, has_viewports: bool) -> Self {
        Self { has_viewports, ..self }
    }

    /// `mover` sent a sample. Its window, if any, must be below the number of windows.
    pub fn handle_move(&mut self, mover: usize, sent: Move) {
        self.trails[mover].push(sent);
        if let Some(window) = sent.window {
            let window = &mut self.windows[usize::from(window)];
            window.moves += 1;
            if !self.has_viewports {
                let others = self.viewers[self.layout.room_of(mover)].saturating_sub(1); // not itself
                window.expected += others;
            }
        }
    }

    /// A frame showed `viewer` these places in its room (the first member of a room is at 0) at
    /// these positions; None is out of its sight. Those not newer than what it was shown before
    /// change nothing, nor does its own.
    pub fn handle_frame(
        &mut self,
        arrival: Arrival,
        entries: impl IntoIterator<Item = (usize, Option<(i32, i32)>)>,
    ) {
        let Arrival { viewer, at_us, window } = arrival;
        let place = self.layout.place(viewer);
        let trails = &self.trails[self.layout.room(self.layout.room_of(viewer))];
        let row = &mut self.seen[viewer];
        let counts = !self.woken.contains_key(&viewer);
        let mut stalest_us = None;
        let mut updates = 0;
        for (mover, position) in entries {
            let (trail, seen) = (&trails[mover], &mut row[mover]);
            if mover == place {
                continue;
            }
            let Some(position) = position else {
                if self.has_viewports {
                    *seen = 0;
                }
                continue;
            };
            let Some(newer) = trail.newest_at(position, *seen, at_us) else {
                self.unknown += u64::from(!trail.holds(position, *seen));
                continue;
            };
            let comes_into_sight = self.has_viewports && *seen == 0;
            let first = if comes_into_sight { newer } else { trail.kept_after(*seen) };
            for covered in (first..=newer).filter(|_| counts) {
                let covered = trail.get(covered);
                if let Some(window) = covered.window {
                    self.windows[usize::from(window)].cover(at_us.saturating_sub(covered.at_us));
                }
            }
            *seen = newer;
            updates += 1;
            stalest_us = stalest_us.max(Some(trail.stale_us(newer, at_us)));
        }
        if let Some(window) = window.filter(|_| counts) {
            self.windows[usize::from(window)].updates += updates;
        }
        if let Some(first) = self.woken.get_mut(&viewer).filter(|_| at_us >= self.wake_us) {
            *first = first.or(stalest_us);
        }
    }

    /// Those who stall will wake at `wake_us`.
    pub fn set_wake(&mut self, wake_us: u64) {
        self.wake_us = wake_us;
    }

    /// Of each who stalled, how stale the stalest part of the first frame with an update was that it
    /// was shown after it woke, in µs; None if there was no such frame.
    pub fn first_shown_us(&self) -> impl Iterator<Item = Option<u64>> {
        self.woken.values().copied()
    }

    /// Positions shown that their member has not sent within its last 1,024 moves: more than none
    /// means a wrong decoding.
    pub fn unknown(&self) -> u64 {
        self.unknown
    }

    /// What each window came to; final once the grace is over.
    pub fn windows(&self) -> &[WindowAges] {
        &self.windows
    }
}

impl WindowAges {
    #[expect(
        clippy::expect_used,
        reason = "the bounds are constants, 1 < 2 x 1, and 3 digits are within 0..=5"
    )]
    fn new() -> Self {
        let ages_us = Histogram::new_with_bounds(1, AGE_US_MAX, 3).expect("valid bounds");
        Self { moves: 0, expected: 0, updates: 0, covered: 0, ages_us }
    }

    fn cover(&mut self, age_us: u64) {
        self.covered += 1;
        self.ages_us.saturating_record(age_us);
    }
}

/// The last moves of one member, numbered from 1 in the order sent, in a ring.
#[derive(Debug, Default)]
struct Trail {
    moves: Vec<Move>,
    newest: u32,
}

impl Trail {
    fn push(&mut self, sent: Move) {
        self.newest += 1;
        match self.moves.get_mut(Self::at(self.newest)) {
            Some(oldest) => *oldest = sent,
            None => self.moves.push(sent),
        }
    }

    fn get(&self, number: u32) -> Move {
        self.moves[Self::at(number)]
    }

    fn at(number: u32) -> usize {
        ((number - 1) % KEPT) as usize
    }

    /// The first move after `seen` that is still kept.
    fn kept_after(&self, seen: u32) -> u32 {
        seen.max(self.newest.saturating_sub(KEPT)) + 1
    }

    /// The newest move after `seen` that was there and could have come by `now_us`.
    fn newest_at(&self, position: (i32, i32), seen: u32, now_us: u64) -> Option<u32> {
        (self.kept_after(seen)..=self.newest).rev().find(|&number| {
            let sent = self.get(number);
            sent.position == position && sent.at_us <= now_us
        })
    }

    /// For how long the mouse had left the place of this move at `now_us`.
    fn stale_us(&self, number: u32, now_us: u64) -> u64 {
        let left_us = if number < self.newest { self.get(number + 1).at_us } else { now_us };
        now_us.saturating_sub(left_us)
    }

    /// Whether a kept move up to `seen` was there. A repeat of the newest seen, by far the most
    /// frequent, is found at once.
    fn holds(&self, position: (i32, i32), seen: u32) -> bool {
        (self.kept_after(0)..=seen).rev().any(|number| self.get(number).position == position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Mix;

    fn book(mix: &str, stalled: usize, windows: usize) -> Ages {
        let mix: Mix = mix.parse().unwrap();
        Ages::new(&Layout::from(&mix), stalled, windows)
    }

    fn send(ages: &mut Ages, mover: usize, at_ms: u64, x: i32) {
        let sent = Move { at_us: at_ms * 1000, position: (x, 0), window: Some(0) };
        ages.handle_move(mover, sent);
    }

    /// `viewer` gets `mover` at `x`; the answer is whether that was an update.
    fn show(ages: &mut Ages, viewer: usize, mover: usize, x: i32, at_ms: u64) -> bool {
        let before = ages.windows()[0].updates;
        let arrival = Arrival { viewer, at_us: at_ms * 1000, window: Some(0) };
        ages.handle_frame(arrival, [(mover, Some((x, 0)))]);
        ages.windows()[0].updates > before
    }

    fn ages_ms(ages: &Ages, window: usize) -> Vec<u64> {
        let recorded = ages.windows()[window].ages_us.iter_recorded();
        recorded
            .flat_map(|age| {
                let ms = (age.value_iterated_to() + 500) / 1000;
                std::iter::repeat_n(ms, age.count_at_value() as usize)
            })
            .collect()
    }

    /// Three members; member 0 moves at 0, 50 and 100 ms. Viewer 1 gets all three, viewer 2 loses
    /// the second and third.
    #[test]
    fn an_example_by_hand_with_loss() {
        let mut ages = book("1x3", 0, 1);
        send(&mut ages, 0, 0, 10);
        assert!(show(&mut ages, 1, 0, 10, 7));
        assert!(show(&mut ages, 2, 0, 10, 9));
        send(&mut ages, 0, 50, 20);
        assert!(show(&mut ages, 1, 0, 20, 61));
        send(&mut ages, 0, 100, 30);
        assert!(show(&mut ages, 1, 0, 30, 120));

        assert_eq!(ages.windows()[0].moves, 3);
        assert_eq!(ages.windows()[0].covered, 4, "of 3 moves x 2 viewers");
        assert_eq!(ages.windows()[0].updates, 4);
        assert_eq!(ages_ms(&ages, 0), [7, 9, 11, 20]);
        assert_eq!(ages.unknown(), 0);
    }

    #[test]
    fn a_newer_position_covers_the_older_ones_with_its_own_arrival() {
        let mut ages = book("1x2", 0, 1);
        send(&mut ages, 0, 0, 10);
        send(&mut ages, 0, 16, 20);
        send(&mut ages, 0, 32, 30);
        assert!(show(&mut ages, 1, 0, 30, 40));
        assert_eq!(ages_ms(&ages, 0), [8, 24, 40]);
        assert_eq!(ages.windows()[0].updates, 1, "one receipt, three moves");
    }

    #[test]
    fn repeats_older_positions_and_ones_own_change_nothing() {
        let mut ages = book("1x2", 0, 1);
        send(&mut ages, 0, 0, 10);
        send(&mut ages, 0, 16, 20);
        assert!(show(&mut ages, 1, 0, 20, 20));
        assert!(!show(&mut ages, 1, 0, 20, 30), "a repeat");
        assert!(!show(&mut ages, 1, 0, 10, 31), "reordered");
        assert!(!show(&mut ages, 0, 0, 20, 32), "its own");
        assert_eq!(ages.windows()[0].covered, 2);
        assert_eq!(ages.unknown(), 0);
    }

    #[test]
    fn a_position_never_sent_is_unknown() {
        let mut ages = book("1x2", 0, 1);
        send(&mut ages, 0, 0, 10);
        assert!(!show(&mut ages, 1, 0, 99, 1));
        assert_eq!((ages.unknown(), ages.windows()[0].covered), (1, 0));
    }

    /// A, B, A, all under way: the first A to arrive stands for the second, and covers all three.
    #[test]
    fn a_pixel_visited_twice_stands_for_its_newest_visit() {
        let mut ages = book("1x2", 0, 1);
        send(&mut ages, 0, 0, 10);
        send(&mut ages, 0, 10, 20);
        send(&mut ages, 0, 20, 10);
        assert!(show(&mut ages, 1, 0, 10, 25));
        assert_eq!(ages_ms(&ages, 0), [5, 15, 25]);
        assert!(!show(&mut ages, 1, 0, 20, 30), "B is older now");
        assert!(!show(&mut ages, 1, 0, 10, 40), "the second A is seen already");
    }

    /// A is sent again after the frame with its first visit came, and before that is booked.
    #[test]
    fn a_frame_booked_late_stands_for_no_move_due_after_it() {
        let mut ages = book("1x2", 0, 1);
        send(&mut ages, 0, 0, 10);
        send(&mut ages, 0, 20, 20);
        send(&mut ages, 0, 40, 10);
        assert!(show(&mut ages, 1, 0, 10, 30));
        assert_eq!(ages_ms(&ages, 0), [30]);
    }

    #[test]
    fn an_age_counts_in_the_window_of_the_move_and_an_update_in_that_of_the_arrival() {
        let mut ages = book("2x2", 0, 2);
        for (window, at_us, x) in [(None, 0, 1), (Some(0), 1000, 2), (Some(1), 2000, 3)] {
            ages.handle_move(3, Move { at_us, position: (x, 0), window });
        }
        let arrival = Arrival { viewer: 2, at_us: 4000, window: Some(1) };
        ages.handle_frame(arrival, [(1, Some((3, 0)))]);
        assert_eq!((ages_ms(&ages, 0), ages_ms(&ages, 1)), (vec![3], vec![2]));
        assert_eq!((ages.windows()[0].updates, ages.windows()[1].updates), (0, 1));
    }

    #[test]
    fn a_view_older_than_the_ring_costs_coverage_and_nothing_else() {
        let mut ages = book("1x2", 0, 1);
        let sent = u64::from(KEPT) + 10;
        for at_ms in 0..sent {
            send(&mut ages, 0, at_ms, at_ms as i32);
        }
        assert!(show(&mut ages, 1, 0, sent as i32 - 1, sent));
        assert_eq!(ages.windows()[0].covered, u64::from(KEPT));
    }

    /// Member 0 is shown at 20 and at 30, goes out of sight, and comes back at 60.
    #[test]
    fn with_viewports_an_update_counts_when_it_comes_and_nothing_is_missed_out_of_sight() {
        let mut ages = book("1x2", 0, 1).with_viewports(true);
        for (ms, x) in [(0, 10), (10, 20), (20, 25), (30, 30)] {
            send(&mut ages, 0, ms, x);
        }
        assert!(show(&mut ages, 1, 0, 20, 15), "comes into sight: the first move is not shown");
        assert!(show(&mut ages, 1, 0, 30, 38), "in sight a newer one covers the older");
        let arrival = Arrival { viewer: 1, at_us: 50_000, window: Some(0) };
        ages.handle_frame(arrival, [(0, None)]);
        for (ms, x) in [(60, 40), (70, 50), (80, 60)] {
            send(&mut ages, 0, ms, x);
        }
        assert!(show(&mut ages, 1, 0, 60, 81));
        assert_eq!(ages_ms(&ages, 0), [1, 5, 8, 18]);
        assert_eq!((ages.windows()[0].expected, ages.windows()[0].updates), (0, 3));
    }

    #[test]
    fn rooms_of_different_sizes_expect_by_their_own() {
        let mut ages = book("1x3,2x2", 0, 1);
        send(&mut ages, 1, 0, 10);
        send(&mut ages, 6, 0, 20);
        assert_eq!((ages.windows()[0].moves, ages.windows()[0].expected), (2, 3));
        assert!(show(&mut ages, 2, 1, 10, 5));
        assert!(show(&mut ages, 5, 1, 20, 7), "the other member of the last room");
        assert_eq!((ages.windows()[0].covered, ages.unknown()), (2, 0));
    }

    /// Member 2 stalls from the second move on and wakes at 100 ms, with the third shown, which the
    /// mouse had left 60 ms ago.
    #[test]
    fn of_who_stalled_only_the_first_update_after_it_woke_is_kept() {
        let mut ages = book("1x3", 1, 1);
        ages.set_wake(100_000);
        for (ms, x) in [(0, 1), (20, 2), (30, 3), (40, 4)] {
            send(&mut ages, 0, ms, x);
        }
        assert_eq!(ages.windows()[0].expected, 4, "of the one other viewer");
        assert!(!show(&mut ages, 2, 0, 1, 10));
        assert!(!show(&mut ages, 2, 0, 3, 100));
        assert!(!show(&mut ages, 2, 0, 4, 101));
        assert_eq!(ages.first_shown_us().collect::<Vec<_>>(), [Some(60_000)]);
        assert_eq!((ages.windows()[0].covered, ages.windows()[0].updates), (0, 0));
        assert!(show(&mut ages, 1, 0, 4, 50));
        assert_eq!(ages.windows()[0].covered, 4);
    }

    #[test]
    fn what_is_shown_where_the_mouse_still_is_is_not_stale_at_all() {
        let mut ages = book("1x2", 1, 1);
        ages.set_wake(500_000);
        send(&mut ages, 0, 0, 1);
        assert_eq!(ages.first_shown_us().collect::<Vec<_>>(), [None]);
        show(&mut ages, 1, 0, 1, 900);
        assert_eq!(ages.first_shown_us().collect::<Vec<_>>(), [Some(0)]);
    }
}
