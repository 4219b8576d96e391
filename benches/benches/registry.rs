//! The registry of rooms under contention: as many threads as there are cores, which look up rooms as
//! joins do, and open and close them as the first and the last member of a room do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hither_protocol::RoomName;
use hither_server::registry::{Closable, Registry};

/// Rooms that are open all the time.
const ROOMS: usize = 10_000;

criterion_group!(benches, lookups);
criterion_main!(benches);

fn lookups(criterion: &mut Criterion) {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let registry = Registry::default();
    let rooms: Vec<RoomName> = names("room", ROOMS);
    for room in &rooms {
        registry.get_or_open(room, Arc::<Cell>::default);
    }
    let own: Vec<RoomName> = names("own", threads);
    let mut group = criterion.benchmark_group("registry");
    group.throughput(Throughput::Elements(threads as u64));
    let look_up = |room| drop(registry.get_or_open(room, Arc::default));
    group.bench_function("many rooms", |bencher| {
        let visit =
            |thread: usize, turn: usize| look_up(&rooms[(thread * 4_001 + turn * 7) % ROOMS]);
        bencher.iter_custom(|visits| on_all_cores(threads, visits, visit));
    });
    group.bench_function("one hot room", |bencher| {
        let visit = |_thread, _turn| look_up(&rooms[0]);
        bencher.iter_custom(|visits| on_all_cores(threads, visits, visit));
    });
    group.bench_function("open and close", |bencher| {
        let visit = |thread: usize, _turn| {
            let cell = registry.get_or_open(&own[thread], Arc::default);
            cell.0.store(true, Ordering::Release);
            registry.remove(&own[thread], &cell);
        };
        bencher.iter_custom(|visits| on_all_cores(threads, visits, visit));
    });
}

/// How long it takes until each thread has made its visits.
fn on_all_cores(threads: usize, visits: u64, visit: impl Fn(usize, usize) + Sync) -> Duration {
    let start = Instant::now();
    thread::scope(|scope| {
        for thread in 0..threads {
            let visit = &visit;
            scope.spawn(move || (0..visits as usize).for_each(|turn| visit(thread, turn)));
        }
    });
    start.elapsed()
}

#[expect(clippy::expect_used, reason = "letters, a hyphen and digits make a room's name")]
fn names(kind: &str, count: usize) -> Vec<RoomName> {
    (0..count).map(|index| format!("bench:{kind}-{index}").parse().expect("a name")).collect()
}

/// What stands for a room: whether it is closed, and nothing else.
#[derive(Default)]
struct Cell(AtomicBool);

impl Closable for Cell {
    fn is_closed(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
