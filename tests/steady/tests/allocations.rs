//! What a steady tick allocates: a buffer for each datagram that it builds, and nothing else; a client nothing at all.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;

use bytes::Bytes;
use hither_protocol::message::control::Viewport;
use hither_steady::{Company, Crowd};

/// Ticks until all buffers have the size that they need, twice.
const WARM_UP: u32 = 400;
/// Ticks that are counted.
const COUNTED: u32 = 300;

/// The system's allocator, which counts what its own thread asks for.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

#[expect(unsafe_code, reason = "an allocator can't be written without")]
// SAFETY: every call goes to the system's allocator as it came, which keeps its promises. The count is a constant in
// thread-local memory without a destructor, so that counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promises are what the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above; the pointer came from `System.alloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

/// Runs a crowd until it is steady, and on; returns how many datagrams were built and how many were sent.
fn check(company: Company) -> (usize, usize) {
    let mut crowd = Crowd::new(company);
    // At first nothing is out of sight, so that there is room on both ends for whoever comes into sight later.
    crowd.look(|_| Viewport { left: 0, top: 0, right: 2_000, bottom: 2_000 });
    crowd.run(WARM_UP);
    crowd.look(hither_steady::viewport);
    crowd.run(WARM_UP);
    let (mut built, mut sent) = (0, 0);
    let mut before = datagrams(&crowd);
    for tick in 0..COUNTED {
        crowd.move_mice();
        let server = allocations(|| crowd.run_tick());
        let datagrams = datagrams(&crowd);
        // What is sent again is still there from the tick before, and we hold it, so that no other comes to lie there.
        let new = datagrams.keys().filter(|at| !before.contains_key(*at)).count();
        assert_eq!(server, new as u64, "one buffer for each datagram, tick {tick}");
        assert_eq!(allocations(|| crowd.show_frames()), 0, "clients, tick {tick}");
        built += new;
        sent += crowd.frames().len();
        before = datagrams;
    }
    (built, sent)
}

/// The datagrams of the last tick, by where they lie.
fn datagrams(crowd: &Crowd) -> BTreeMap<*const u8, Bytes> {
    crowd.frames().iter().map(|(_, datagram)| (datagram.as_ptr(), datagram.clone())).collect()
}

#[test]
fn a_tick_that_all_share_allocates_one_buffer() {
    let (built, sent) = check(Company { members: 100, ..Company::default() });
    assert_eq!((built, sent), (300, 30_000));
}

#[test]
fn viewers_with_viewports_take_a_buffer_each() {
    let (built, sent) = check(Company { members: 100, viewports: 50, ack_lost_in: 0 });
    assert_eq!((built, sent), (300 + 300 * 50, 30_000));
}

#[test]
fn lost_acks_take_a_buffer_for_each_set_of_baselines() {
    let (built, sent) = check(Company { members: 100, viewports: 0, ack_lost_in: 7 });
    assert!(built > 2 * 300 && sent > 30_000, "{built} built, {sent} sent");
}

#[test]
fn allocations_are_counted() {
    assert_eq!(allocations(|| drop(std::hint::black_box(vec![1, 2]))), 1);
    let mut grows = Vec::with_capacity(1);
    assert_eq!(allocations(|| grows.extend([1, 2, 3])), 1);
}
