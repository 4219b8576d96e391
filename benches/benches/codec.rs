//! What motion costs to write and to read: a part of a frame by how many of its 64 slots moved, the
//! viewer's state around it, and what goes up.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hither_protocol::motion::frame::{FrameHeader, KIND, PartHeader, put_part, read_part};
use hither_protocol::motion::upward::{self, Ack, Sample};
use hither_protocol::motion::{Axes, Coding, Entry, Position, View};
use hither_protocol::varint::Reader;
use hither_protocol::{Epoch, RoomHandle, Tick};

/// Movers in a part: one, a few, the 40 % of a busy room, all.
const MOVERS: [u8; 4] = [1, 8, 26, 64];

const ROOM: RoomHandle = RoomHandle(7);
const EPOCH: Epoch = Epoch(1);
const BASELINE: Tick = Tick(1_000);
const TICK: Tick = Tick(1_001);

criterion_group!(benches, parts, views, upwards);
criterion_main!(benches);

fn parts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("part");
    for movers in MOVERS {
        group.throughput(Throughput::Elements(movers.into()));
        let entries = deltas(movers);
        let part = PartHeader { index: 0, baseline: Some(BASELINE) };
        let mut bytes = Vec::new();
        group.bench_function(BenchmarkId::new("encode", movers), |bencher| {
            bencher.iter(|| {
                bytes.clear();
                put_part(&mut bytes, Axes::TWO, TICK, part, black_box(&entries));
            });
        });
        let mut read = Vec::new();
        group.bench_function(BenchmarkId::new("decode", movers), |bencher| {
            bencher.iter(|| {
                let mut reader = Reader::new(black_box(&bytes));
                read_part(&mut reader, Axes::TWO, TICK, &mut read)
            });
        });
    }
}

/// A frame on top of the baseline before it, from bytes to positions.
fn views(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("view");
    for movers in MOVERS {
        group.throughput(Throughput::Elements(movers.into()));
        let baseline = frame(BASELINE, None, &absolutes());
        let next = frame(TICK, Some(BASELINE), &deltas(movers));
        let viewer = || {
            let mut view = View::new(Axes::TWO, EPOCH);
            show(&mut view, &baseline);
            view
        };
        group.bench_function(BenchmarkId::new("frame", movers), |bencher| {
            let show = |mut view: View| {
                assert_eq!(show(&mut view, black_box(&next)), usize::from(movers));
                view
            };
            bencher.iter_batched(viewer, show, BatchSize::SmallInput);
        });
    }
}

/// A datagram of an ack and a sample, as a mover sends it.
fn upwards(criterion: &mut Criterion) {
    let ack = Ack { room: ROOM, tick: TICK, parts: 0b11 };
    let sample = Sample { room: ROOM, number: 9_000, position: Position::xy(1_500, 700) };
    let mut bytes = Vec::new();
    let mut group = criterion.benchmark_group("upward");
    group.bench_function("encode", |bencher| {
        bencher.iter(|| {
            bytes.clear();
            black_box(ack).put(&mut bytes);
            black_box(sample).put(&mut bytes, Axes::TWO);
        });
    });
    group.bench_function("decode", |bencher| {
        bencher.iter(|| {
            let mut reader = Reader::new(black_box(&bytes));
            while let Ok(Some(record)) = upward::read(&mut reader, |_| Some(Axes::TWO)) {
                black_box(record);
            }
        });
    });
}

fn absolutes() -> Vec<Entry> {
    let entry = |offset: u8| {
        let position = Position::xy(20 * i32::from(offset), 500);
        Entry { offset, coding: Coding::Absolute { generation: 0, position } }
    };
    (0..64).map(entry).collect()
}

/// `movers` slots, evenly spread, each some pixels further.
fn deltas(movers: u8) -> Vec<Entry> {
    let entry = |mover: u8| {
        let step = i32::from(mover % 23) - 11;
        Entry { offset: mover * (64 / movers), coding: Coding::Delta([step, 2 * step, 0, 0]) }
    };
    (0..movers).map(entry).collect()
}

fn frame(tick: Tick, baseline: Option<Tick>, entries: &[Entry]) -> Bytes {
    let mut bytes = Vec::new();
    FrameHeader { room: ROOM, epoch_check: EPOCH.check(), tick, parts: 1 }.put(&mut bytes);
    put_part(&mut bytes, Axes::TWO, tick, PartHeader { index: 0, baseline }, entries);
    bytes.into()
}

/// Shows a frame to a view, and says how many slots it moved.
fn show(view: &mut View, frame: &Bytes) -> usize {
    let mut reader = Reader::new(frame);
    let mut moved = 0;
    if reader.u8() == Ok(KIND)
        && let Ok(header) = FrameHeader::read(&mut reader)
    {
        let _ = view.handle_frame(&header, &mut reader, |_slot, _point| moved += 1);
    }
    moved
}
