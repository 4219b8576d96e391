//! What motion costs to write and to read: a part of a frame by how many of its 64 slots moved, the
//! viewer's state around it, and what goes up.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hither_protocol::motion::frame::{FrameHeader, FrameReader, FrameWriter, KIND, PartHeader};
use hither_protocol::motion::upward::{self, Ack, Sample};
use hither_protocol::motion::{Axes, Change, Entry, Format, Known, Place, Position, View};
use hither_protocol::varint::Reader;
use hither_protocol::{Epoch, RoomHandle, Tick};

/// Movers in a part: one, a few, the 40 % of a busy room, all.
const MOVERS: [u8; 4] = [1, 8, 26, 64];

const ROOM: RoomHandle = RoomHandle(7);
const EPOCH: Epoch = Epoch(1);
const BASELINE: Tick = Tick(1_000);
const TICK: Tick = Tick(1_001);
const FORMAT: Format = Format { tick_hz: 30, axes: Axes::TWO };

criterion_group!(benches, parts, views, upwards);
criterion_main!(benches);

fn parts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("part");
    for movers in MOVERS {
        group.throughput(Throughput::Elements(movers.into()));
        let (known, entries) = (known(), moves(movers));
        let mut bytes = Vec::new();
        group.bench_function(BenchmarkId::new("encode", movers), |bencher| {
            bencher.iter(|| {
                bytes.clear();
                let out = std::mem::take(&mut bytes);
                bytes = frame(out, TICK, Some(BASELINE), black_box(&known), black_box(&entries));
            });
        });
        let mut read = Vec::new();
        group.bench_function(BenchmarkId::new("decode", movers), |bencher| {
            bencher.iter(|| {
                let (header, reader) = header(black_box(&bytes))?;
                let mut frame = FrameReader::new(&header, reader);
                frame.next_part(&FORMAT.axes).ok()?;
                frame.read_entries(&FORMAT, &known, &mut read).ok()
            });
        });
    }
}

/// A frame on top of the baseline before it, from bytes to positions.
fn views(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("view");
    for movers in MOVERS {
        group.throughput(Throughput::Elements(movers.into()));
        let baseline = Bytes::from(frame(Vec::new(), BASELINE, None, &[], &appearances()));
        let next = Bytes::from(frame(Vec::new(), TICK, Some(BASELINE), &known(), &moves(movers)));
        let viewer = || {
            let mut view = View::new(FORMAT, EPOCH);
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
            black_box(sample).put(&mut bytes, &Axes::TWO);
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

fn place(offset: u8) -> Place {
    Place { generation: 0, position: Position::xy(20 * i32::from(offset), 500) }
}

fn appearances() -> Vec<Entry> {
    (0..64).map(|offset| Entry { offset, change: Change::Appeared(place(offset)) }).collect()
}

fn known() -> Vec<Known> {
    (0..64).map(|offset| Known { offset, baseline: place(offset), reference: None }).collect()
}

/// `movers` slots, evenly spread, each some pixels further.
fn moves(movers: u8) -> Vec<Entry> {
    let entry = |mover: u8| {
        let (offset, step) = (mover * (64 / movers), i32::from(mover % 23) - 11);
        let from = place(offset).position;
        let position = Position::xy(from.x() + step, from.y() + 2 * step);
        Entry { offset, change: Change::Moved(position) }
    };
    (0..movers).map(entry).collect()
}

/// A frame of one part behind what `out` has.
fn frame(
    out: Vec<u8>,
    tick: Tick,
    baseline: Option<Tick>,
    known: &[Known],
    entries: &[Entry],
) -> Vec<u8> {
    let header = FrameHeader { room: ROOM, epoch_check: EPOCH.check(), tick };
    let mut frame = FrameWriter::new(out, &header);
    let part = PartHeader { index: 0, baseline, reference: None };
    assert!(frame.put_part(&FORMAT, part, known, entries), "a part fits a frame");
    frame.finish()
}

fn header(frame: &[u8]) -> Option<(FrameHeader, Reader<'_>)> {
    let mut reader = Reader::new(frame);
    if reader.u8() != Ok(KIND) {
        return None;
    }
    let header = FrameHeader::read(&mut reader).ok()?;
    Some((header, reader))
}

/// Shows a frame to a view, and says how many slots it moved.
fn show(view: &mut View, frame: &Bytes) -> usize {
    let mut moved = 0;
    if let Some((header, reader)) = header(frame) {
        let _ = view.handle_frame(&header, reader, |_slot, _point| moved += 1);
    }
    moved
}
