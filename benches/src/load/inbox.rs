//! Where everything that members are shown comes together. It stands apart as the one place that
//! transports, each in its own tasks, and the driver share: single-threaded, borrowed for moments.
//!
//! A frame is stamped when it comes and booked when no other waits to be read, so that the
//! bookkeeping of a tick's first frames does not make its last ones look old.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

use crate::ages::{Ages, Arrival, Move};
use crate::layout::Layout;

/// The run's clock, its rooms' slots, its ages, and the frames that are not booked yet.
#[derive(Clone)]
pub(super) struct World {
    start: Instant,
    shared: Rc<RefCell<Shared>>,
    work: Rc<Notify>,
}

struct Shared {
    ages: Ages,
    layout: Layout,
    /// By room and slot, the place in the room of the member that has it; strangers have None.
    slots: Vec<Vec<Option<usize>>>,
    unbooked: VecDeque<(Arrival, Frame)>,
    window: Option<u16>,
    /// Positions of others in all frames so far.
    shown: u64,
    lost: usize,
    late_looks_us: Histogram<u64>,
    late_turns_us: Histogram<u64>,
}

/// Slots and positions; who has none is out of sight.
type Frame = Vec<(u16, Option<(i32, i32)>)>;

/// Where one member's transport puts what arrives for it.
pub(super) struct Inbox {
    world: World,
    viewer: usize,
    /// None until the server gave it one.
    slot: Option<u16>,
}

/// Frames that may wait to be booked; more are booked on arrival. At 4,096 members a room, 3 GiB.
const UNBOOKED_MAX: usize = 65_536;

/// Frames booked in one go: some 100 µs in a room of 500.
const BOOKED_AT_ONCE: usize = 4;

impl World {
    /// Books into `ages`, which must be of the same layout.
    pub(super) fn new(layout: &Layout, ages: Ages) -> Self {
        let shared = Shared {
            ages,
            layout: layout.clone(),
            slots: vec![Vec::new(); layout.rooms()],
            unbooked: VecDeque::new(),
            window: None,
            shown: 0,
            lost: 0,
            late_looks_us: lateness(),
            late_turns_us: lateness(),
        };
        let shared = Rc::new(RefCell::new(shared));
        Self { start: Instant::now(), shared, work: Rc::default() }
    }

    /// µs since the world began.
    pub(super) fn now_us(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    pub(super) fn at(&self, time_us: u64) -> Instant {
        self.start + Duration::from_micros(time_us)
    }

    pub(super) fn inbox(&self, viewer: usize) -> Inbox {
        Inbox { world: self.clone(), viewer, slot: None }
    }

    /// From now on moves and updates count in `window`.
    pub(super) fn set_window(&self, window: Option<u16>) {
        self.shared.borrow_mut().window = window;
    }

    /// Those who stall will wake at `wake_us`.
    pub(super) fn set_wake(&self, wake_us: u64) {
        self.shared.borrow_mut().ages.set_wake(wake_us);
    }

    /// Positions of others that members were shown so far, in all frames; repeats too.
    pub(super) fn shown(&self) -> u64 {
        self.shared.borrow().shown
    }

    /// Members that lost their connection.
    pub(super) fn lost(&self) -> usize {
        self.shared.borrow().lost
    }

    /// `mover` was due at `at_us` to say that it is at `position`, and says so now.
    pub(super) fn handle_move(&self, mover: usize, at_us: u64, position: (i32, i32)) {
        let mut shared = self.shared.borrow_mut();
        let window = shared.window;
        shared.ages.handle_move(mover, Move { at_us, position, window });
    }

    /// Books frames for ever, giving way to everything else after each few.
    pub(super) async fn run_booking(self) {
        loop {
            let booked = self.shared.borrow_mut().book(BOOKED_AT_ONCE);
            if booked < BOOKED_AT_ONCE {
                self.work.notified().await;
            }
            yield_now().await;
        }
    }

    /// Asks for a turn every 5 ms for ever, queued like the tasks that receive, and notes how late
    /// it comes: as late as a frame that came when the turn was due.
    pub(super) async fn run_turns(self) {
        let mut due_us = self.now_us();
        loop {
            due_us += 5_000;
            sleep_until(self.at(due_us)).await;
            let late_us = self.now_us().saturating_sub(due_us);
            self.shared.borrow_mut().late_turns_us.saturating_record(late_us);
        }
    }

    /// A look was done `late_us` after it was due.
    pub(super) fn record_late_look(&self, late_us: u64) {
        self.shared.borrow_mut().late_looks_us.saturating_record(late_us);
    }

    /// The 99th percentile of the lateness of looks, or of turns if that is more, since last asked.
    pub(super) fn take_lateness_p99_us(&self) -> u64 {
        let Shared { late_looks_us, late_turns_us, .. } = &mut *self.shared.borrow_mut();
        let p99 = [late_looks_us, late_turns_us].map(|lateness| {
            let p99 = lateness.value_at_quantile(0.99);
            lateness.reset();
            p99
        });
        p99[0].max(p99[1])
    }

    /// Books what is left, and shows the ages.
    pub(super) fn with_ages<T>(&self, read: impl FnOnce(&Ages) -> T) -> T {
        let mut shared = self.shared.borrow_mut();
        shared.book(usize::MAX);
        read(&shared.ages)
    }
}

impl Inbox {
    /// The server gave this member `slot`. To be called before its
    /// [`Member`](super::entrance::Member) is handed out.
    pub(super) fn set_slot(&mut self, slot: u16) {
        self.slot = Some(slot);
        let Shared { layout, slots, .. } = &mut *self.world.shared.borrow_mut();
        let slots = &mut slots[layout.room_of(self.viewer)];
        let slot = usize::from(slot);
        if slots.len() <= slot {
            slots.resize(slot + 1, None);
        }
        slots[slot] = Some(layout.place(self.viewer));
    }

    /// A frame arrived just now and shows these slots at these positions, or not any more. Its own
    /// slot and repeats do no harm.
    pub(super) fn show(&self, entries: impl IntoIterator<Item = (u16, Option<(i32, i32)>)>) {
        let world = &self.world;
        let at_us = world.now_us();
        let frame: Frame = entries.into_iter().collect();
        let mut shared = world.shared.borrow_mut();
        let others = frame.iter().filter(|(slot, at)| at.is_some() && Some(*slot) != self.slot);
        shared.shown += others.count() as u64;
        let arrival = Arrival { viewer: self.viewer, at_us, window: shared.window };
        shared.unbooked.push_back((arrival, frame));
        if shared.unbooked.len() > UNBOOKED_MAX {
            shared.book(1);
        }
        world.work.notify_one();
    }

    /// The connection is gone while the run still needs it.
    pub(super) fn report_lost(&self, reason: &dyn std::fmt::Display) {
        self.world.shared.borrow_mut().lost += 1;
        eprintln!("hither-load: member {} lost its connection: {reason}", self.viewer);
    }
}

impl Shared {
    /// Books up to `frames_max` frames, the oldest first, and says how many.
    fn book(&mut self, frames_max: usize) -> usize {
        let frames = frames_max.min(self.unbooked.len());
        for (arrival, frame) in self.unbooked.drain(..frames) {
            let slots = &self.slots[self.layout.room_of(arrival.viewer)];
            let place = |slot: u16| slots.get(usize::from(slot)).copied().flatten();
            let entries =
                frame.into_iter().filter_map(|(slot, position)| Some((place(slot)?, position)));
            self.ages.handle_frame(arrival, entries);
        }
        frames
    }
}

#[expect(clippy::expect_used, reason = "the bounds are constants, 1 < 2 x 1, and 0..=5 holds 2")]
fn lateness() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 3_600_000_000, 2).expect("valid bounds")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Mix;

    #[test]
    fn frames_count_where_they_came_and_strangers_nowhere() {
        let layout = Layout::from(&Mix::even(2, 2));
        let world = World::new(&layout, Ages::new(&layout, 0, 1));
        let mut inboxes: Vec<_> = (0..4).map(|viewer| world.inbox(viewer)).collect();
        for (inbox, slot) in inboxes.iter_mut().zip([7, 3, 3, 9]) {
            inbox.set_slot(slot);
        }
        world.handle_move(0, 0, (1, 1));
        world.handle_move(2, 0, (2, 2));
        world.set_window(Some(0));
        let at = |x| Some((x, x));
        inboxes[1].show([(7, at(1)), (3, at(5)), (500, at(6)), (501, None)]);
        world.set_window(None);
        inboxes[3].show([(3, at(2))]);
        let counts = world.with_ages(|ages| (ages.windows()[0].updates, ages.unknown()));
        assert_eq!(counts, (1, 0), "the second came in no window");
        assert_eq!(world.shown(), 3, "neither its own nor who is out of sight");
    }

    #[test]
    fn waiting_frames_are_bounded() {
        let layout = Layout::from(&Mix::even(1, 2));
        let world = World::new(&layout, Ages::new(&layout, 0, 1));
        let inbox = world.inbox(1);
        for _ in 0..UNBOOKED_MAX + 10 {
            inbox.show([]);
        }
        assert_eq!(world.shared.borrow().unbooked.len(), UNBOOKED_MAX);
    }
}
