//! One tick of a room without any I/O: the samples and acks of all members come in, then the tick's
//! datagrams go out.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hither_core::{NewMember, Output, Room, RoomId, RoomPolicy};
use hither_protocol::motion::upward::{Ack, Sample};
use hither_protocol::motion::{Axes, Position};
use hither_protocol::{Epoch, RoomHandle, Slot, Tick, Timestamp};

const MEMBERS: [usize; 4] = [10, 100, 500, 1_000];

criterion_group!(benches, ticks);
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

/// A room full of members, of whom two in five move in each tick, and all ack at once.
struct Crowd {
    room: Room,
    members: usize,
    now: Timestamp,
    tick: u32,
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
        let policy = RoomPolicy { tick_hz: 20, ..RoomPolicy::default() };
        let mut room = Room::new(id, policy, now, Duration::ZERO);
        for _ in 0..members {
            // The policy's bound is above what any bench here asks for.
            let _ = room.handle_join(now, 1, NewMember::default());
        }
        Self { room, members, now, tick: 0 }
    }

    /// One tick period, and what went out in it.
    fn tick(&mut self) -> Sent {
        self.now = self.now + Duration::from_millis(50);
        self.tick += 1;
        for index in 0..self.members {
            if (index + self.tick as usize) % 5 < 2 {
                let course = self.tick as i32 + 17 * index as i32;
                let position = Position::xy(course % 1_920, course % 1_080);
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
        let parts = (1 << parts) - 1;
        // A room's ticks are counted from one period before its start.
        let ack = Ack { room: RoomHandle(1), tick: Tick(self.tick + 1), parts };
        for index in 0..self.members {
            self.room.handle_ack(self.now, Slot(index as u16), &ack);
        }
    }
}
