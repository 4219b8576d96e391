//! One tick of a room without any I/O: the samples and acks of all members come in, then the tick's
//! datagrams go out.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hither_core::{NewMember, Output, Room, RoomId, RoomPolicy};
use hither_protocol::message::control::Viewport;
use hither_protocol::motion::upward::{Ack, Sample};
use hither_protocol::motion::{Axes, Position};
use hither_protocol::{Epoch, RoomHandle, Slot, Tick, Timestamp};

const MEMBERS: [usize; 4] = [10, 100, 500, 1_000];
const SCREEN: (i32, i32) = (1_920, 1_080);

criterion_group!(benches, ticks, ticks_with_viewports);
criterion_main!(benches);

fn ticks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("room");
    for members in MEMBERS {
        group.throughput(Throughput::Elements(members as u64));
        let mut crowd = Crowd::new(members);
        for _ in 0..100 {
            crowd.tick();
        }
        let movers = members * 2 / 5;
        let Sent { datagrams, bytes } = crowd.tick();
        assert!(datagrams >= members, "each viewer gets its frame");
        assert!(
            bytes < members * (50 + 4 * movers),
            "deltas, so the acks were understood: {bytes}"
        );
        group.bench_function(BenchmarkId::new("tick", members), |bencher| {
            bencher.iter(|| crowd.tick());
        });
    }
}

/// What each sees is a fiftieth of the room, which is as large as a hundred screens.
fn ticks_with_viewports(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("room");
    for members in MEMBERS {
        group.throughput(Throughput::Elements(members as u64));
        let mut crowd = Crowd::new(members);
        crowd.look_around_home();
        for _ in 0..100 {
            crowd.tick();
        }
        let Sent { datagrams, bytes } = crowd.tick();
        assert!(datagrams <= members, "one for each viewer who sees somebody move");
        assert!(bytes < members * (40 + 2 * members / 25), "of a part of the room: {bytes}");
        group.bench_function(BenchmarkId::new("tick_viewports", members), |bencher| {
            bencher.iter(|| crowd.tick());
        });
    }
}

/// A room full of members, of whom two in five move in each tick, and all ack at once.
struct Crowd {
    room: Room,
    members: usize,
    now: Timestamp,
    tick: u32,
    /// Whether everybody keeps to a place of its own, and looks at what is around it.
    has_homes: bool,
}

#[derive(Default)]
struct Sent {
    datagrams: usize,
    bytes: usize,
}

impl Crowd {
    fn new(members: usize) -> Self {
        let now = Timestamp::from_millis(1_000_000);
        let handle = RoomHandle(1);
        #[expect(clippy::expect_used, reason = "the literal is a room's name")]
        let name = "bench:room".parse().expect("a name");
        let id = RoomId { name, handle, epoch: Epoch(1) };
        let mut policy = RoomPolicy::default();
        policy.motion.tick_hz = 20;
        let mut room = Room::new(id, policy, now, Duration::ZERO);
        for _ in 0..members {
            // The policy's bound is above what any bench here asks for.
            let _ = room.handle_join(now, 1, NewMember::default());
        }
        Self { room, members, now, tick: 0, has_homes: false }
    }

    fn look_around_home(&mut self) {
        self.has_homes = true;
        for index in 0..self.members {
            let (x, y) = home(index);
            let (left, right) = (x - SCREEN.0 / 2, x + SCREEN.0 / 2);
            let (top, bottom) = (y - SCREEN.1 / 2, y + SCREEN.1 / 2);
            let viewport = Viewport { left, top, right, bottom };
            self.room.handle_viewport(Slot(index as u16), Some(viewport), None);
        }
    }

    /// One tick period, and what went out in it.
    fn tick(&mut self) -> Sent {
        self.now = self.now + Duration::from_millis(50);
        self.tick += 1;
        for index in 0..self.members {
            if (index + self.tick as usize) % 5 < 2 {
                let course = self.tick as i32 + 17 * index as i32;
                let position = if self.has_homes {
                    let (x, y) = home(index);
                    Position::xy(x + course % 200, y + course % 100)
                } else {
                    Position::xy(course % SCREEN.0, course % SCREEN.1)
                };
                let sample = Sample { room: RoomHandle(1), number: self.tick, position };
                self.room.handle_sample(Slot(index as u16), &sample);
            }
        }
        self.room.handle_timeout(self.now);
        let mut sent = Sent::default();
        while let Some(output) = self.room.poll_output() {
            if let Output::Datagram(_, bytes) = black_box(output) {
                sent.datagrams += 1;
                sent.bytes += bytes.len();
            }
        }
        self.ack();
        sent
    }

    fn ack(&mut self) {
        let parts = self.members.div_ceil(Axes::TWO.slots_per_part());
        let all = (1 << parts) - 1;
        // A room's ticks are counted from one period before its start.
        let tick = Tick(self.tick + 1);
        for index in 0..self.members {
            // Which parts a viewport has is not worth decoding here; an ack of one that was not sent means nothing.
            let each = (0..parts).map(|part| 1 << part);
            let acks = each.take(if self.has_homes { parts } else { 0 });
            for parts in acks.chain((!self.has_homes).then_some(all)) {
                let ack = Ack { room: RoomHandle(1), tick, parts };
                self.room.handle_ack(self.now, Slot(index as u16), &ack);
            }
        }
    }
}

/// A place that spreads the members evenly over 19,200 by 10,800 steps.
fn home(index: usize) -> (i32, i32) {
    (
        (index * 7_919 % (10 * SCREEN.0 as usize)) as i32,
        (index * 6_131 % (10 * SCREEN.1 as usize)) as i32,
    )
}
