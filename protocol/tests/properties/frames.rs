//! Frames there and back: whatever is known and whatever happened, what is read is what was written; a part always
//! fits a datagram; and any bytes at all are read at a bounded cost.

use hither_protocol::limits::{AXES_MAX, AXIS_LIMIT, MOTION_DATAGRAM_BYTES_MAX};
use hither_protocol::motion::frame::{FrameHeader, FrameReader, FrameWriter, KIND, PartHeader};
use hither_protocol::motion::{Axes, Axis, Change, Entry, Format, Known, Place, Position, View};
use hither_protocol::varint::Reader;
use hither_protocol::{Epoch, RoomHandle, Tick};
use proptest::collection::vec;
use proptest::prelude::*;

/// Axes without a bound, with a narrow range, and round.
pub(crate) fn any_axes() -> impl Strategy<Value = Axes> {
    let narrow = (-500..500i32, 0..1_000i32, any::<bool>()).prop_map(|(min, span, wraps)| Axis {
        min,
        max: min + span,
        wraps,
    });
    let wide = any::<bool>().prop_map(|wraps| Axis { wraps, ..Axis::OPEN });
    let axis = prop_oneof![2 => Just(Axis::OPEN), 1 => wide, 2 => narrow];
    vec(axis, 1..=AXES_MAX).prop_map(|axes| Axes::new(&axes).unwrap())
}

/// Any position, to be brought into the ranges.
fn position() -> impl Strategy<Value = Position> {
    let ends = prop_oneof![Just(-AXIS_LIMIT), Just(AXIS_LIMIT - 1)];
    let axis = prop_oneof![3 => -1_000..1_000i32, 1 => any::<i32>(), 1 => ends];
    prop::array::uniform4(axis).prop_map(Position::new)
}

fn place() -> impl Strategy<Value = Place> {
    (any::<u8>(), position()).prop_map(|(generation, position)| Place { generation, position })
}

/// What there is to know of a slot, and what happened there; a move goes near or far.
#[derive(Clone, Debug)]
struct Fate {
    known: Option<(Place, Option<Position>)>,
    change: Option<(u8, Place, [i32; 4])>,
}

fn fate() -> impl Strategy<Value = Fate> {
    let near = prop_oneof![4 => -30..30i32, 1 => -70_000..70_000];
    let known = prop::option::of((place(), prop::option::of(position())));
    let change = (0..8u8, place(), prop::array::uniform4(near));
    let change = prop::option::weighted(0.6, change);
    (known, change).prop_map(|(known, change)| Fate { known, change })
}

/// One part of a room, with what a viewer knows of it and what it is to be told.
#[derive(Clone, Debug)]
struct Part {
    header: PartHeader,
    known: Vec<Known>,
    entries: Vec<Entry>,
}

impl Part {
    fn new(axes: &Axes, header: PartHeader, fates: &[Fate]) -> Self {
        let mut part = Self { header, known: Vec::new(), entries: Vec::new() };
        for (offset, fate) in (0..axes.slots_per_part() as u8).zip(fates) {
            let bring = |place: Place| Place { position: axes.bring(place.position), ..place };
            let known = fate.known.filter(|_| header.baseline.is_some());
            let known = known.map(|(baseline, reference)| Known {
                offset,
                baseline: bring(baseline),
                reference: reference
                    .filter(|_| header.reference.is_some())
                    .map(|at| axes.bring(at)),
            });
            part.known.extend(known);
            let change = match (known, fate.change) {
                (_, None) | (None, Some((0, ..))) => continue,
                (None, Some((_, place, _))) => Change::Appeared(bring(place)),
                (Some(_), Some((0, ..))) => Change::Vanished,
                (Some(_), Some((1, place, _))) => Change::Appeared(bring(place)),
                (Some(_), Some((2, place, _))) => Change::Moved(bring(place).position),
                (Some(known), Some((_, _, by))) => {
                    let from = known.baseline.position.axes();
                    let to = std::array::from_fn(|axis| from[axis].saturating_add(by[axis]));
                    Change::Moved(axes.bring(Position::new(to)))
                }
            };
            part.entries.push(Entry { offset, change });
        }
        part
    }

    /// Whether these entries, in any order, say the same.
    fn is_told_by(&self, entries: &[Entry]) -> bool {
        let mut told: Vec<_> = entries.iter().map(|e| (e.offset, e.place(&self.known))).collect();
        told.sort_by_key(|(offset, _)| *offset);
        told == self.entries.iter().map(|e| (e.offset, e.place(&self.known))).collect::<Vec<_>>()
    }
}

const TICK: Tick = Tick(u32::MAX - 5);

fn header() -> FrameHeader {
    FrameHeader { room: RoomHandle(u32::MAX), epoch_check: 7, tick: TICK }
}

/// Where the baseline and the reference lie.
fn ticks() -> impl Strategy<Value = (Option<Tick>, Option<Tick>)> {
    let distance = || prop_oneof![5 => 1..12u32, 1 => 1..=TICK.0 / 2];
    prop::option::weighted(0.8, (distance(), prop::option::of(distance()))).prop_map(|distances| {
        let baseline = distances.map(|(age, _)| Tick(TICK.0 - age));
        let lag = distances.and_then(|(_, lag)| lag);
        (baseline, baseline.zip(lag).map(|(baseline, lag)| Tick(baseline.0 - lag)))
    })
}

fn reader(bytes: &[u8]) -> FrameReader<'_> {
    let mut reader = Reader::new(bytes);
    assert_eq!(reader.u8(), Ok(KIND));
    assert_eq!(FrameHeader::read(&mut reader), Ok(header()));
    FrameReader::new(&header(), reader)
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    prop_oneof![4 => vec(fate(), 0..20), 1 => vec(fate(), 64)]
}

/// Parts with rising indices, near to each other or not, often against the same ticks.
fn parts() -> impl Strategy<Value = (Format, Vec<Part>)> {
    let gap = prop_oneof![3 => Just(0u16), 1 => 1..9u16];
    let part = (gap, prop::option::of(ticks()), fates());
    (any_axes(), 1..=250u32, ticks(), vec(part, 1..5)).prop_map(|(axes, tick_hz, ticks, parts)| {
        let mut next = 0;
        let part = |(gap, own, fates): (u16, Option<_>, Vec<Fate>)| {
            let (baseline, reference) = own.unwrap_or(ticks);
            let index = next + gap;
            next = index + 1;
            Part::new(&axes, PartHeader { index, baseline, reference }, &fates)
        };
        let parts = parts.into_iter().map(part).collect();
        (Format { tick_hz, axes }, parts)
    })
}

proptest! {
    #[test]
    fn m6_what_is_written_is_read((format, parts) in parts(), ahead in 0..3usize) {
        let mut writer = FrameWriter::new(vec![0; ahead], &header());
        let put = |part: &&Part| writer.put_part(&format, part.header, &part.known, &part.entries);
        let fitting: Vec<&Part> = parts.iter().filter(put).collect();
        prop_assert!(!fitting.is_empty(), "the first always fits");
        let bytes = writer.finish();
        prop_assert!(bytes.len() - ahead <= MOTION_DATAGRAM_BYTES_MAX);
        let mut reader = reader(&bytes[ahead..]);
        let mut entries = Vec::new();
        for part in fitting {
            prop_assert_eq!(reader.next_part(&format.axes), Ok(Some(part.header)));
            prop_assert_eq!(reader.read_entries(&format, &part.known, &mut entries), Ok(()));
            prop_assert!(part.is_told_by(&entries), "{:?}", entries);
        }
        prop_assert_eq!(reader.next_part(&format.axes), Ok(None));
    }

    #[test]
    fn m4_a_part_of_new_slots_fits_a_datagram(
        axes in 1..=4u8,
        places in prop_oneof![vec(place(), 64), (place(), Just(64)).prop_map(|(place, count)| vec![place; count])],
    ) {
        let format = Format { tick_hz: 30, axes: Axes::open(axes).unwrap() };
        let index = format.axes.parts_max() as u16 - 1;
        let part = PartHeader { index, baseline: None, reference: None };
        let fates = places.iter().map(|place| Fate { known: None, change: Some((1, *place, [0; 4])) });
        let part = Part::new(&format.axes, part, &fates.collect::<Vec<_>>());
        prop_assert_eq!(part.entries.len(), format.axes.slots_per_part());
        let mut writer = FrameWriter::new(Vec::new(), &header());
        prop_assert!(writer.put_part(&format, part.header, &[], &part.entries));
        prop_assert!(writer.finish().len() <= MOTION_DATAGRAM_BYTES_MAX);
    }

    #[test]
    fn m1_any_bytes_are_read_at_a_bounded_cost(
        axes in any_axes(),
        fates in fates(),
        bytes in prop_oneof![vec(any::<u8>(), 0..1_000), vec(prop_oneof![Just(0), Just(255)], 0..99)],
    ) {
        let format = Format { tick_hz: 30, axes };
        let mut reader = FrameReader::new(&header(), Reader::new(&bytes));
        let (mut parts, mut next, mut entries) = (0, 0, Vec::new());
        while let Ok(Some(part)) = reader.next_part(&axes) {
            prop_assert!(usize::from(part.index) < axes.parts_max() && part.index >= next);
            prop_assert!(part.baseline < Some(TICK) && part.reference <= part.baseline);
            (parts, next) = (parts + 1, part.index + 1);
            let known = Part::new(&axes, part, &fates).known;
            let read = reader.read_entries(&format, &known, &mut entries);
            let mut offsets: Vec<u8> = entries.iter().map(|entry| entry.offset).collect();
            offsets.sort_unstable();
            offsets.dedup();
            prop_assert!(offsets.len() == entries.len() && entries.len() <= axes.slots_per_part());
            for position in entries.iter().filter_map(|entry| Some(entry.place(&known)?.position)) {
                prop_assert_eq!(axes.bring(position), position);
            }
            if read.is_err() {
                break;
            }
        }
        // A part takes a bit at least, and four bytes are made up before the end is noticed.
        prop_assert!(parts <= 8 * bytes.len() + 33, "{} parts of {} bytes", parts, bytes.len());
    }

    #[test]
    fn m1_a_view_outlives_any_bytes(
        axes in any_axes(),
        datagrams in vec((0..40u32, vec(any::<u8>(), 0..60)), 0..20),
    ) {
        let mut view = View::new(Format { tick_hz: 30, axes }, Epoch(7));
        for (tick, bytes) in &datagrams {
            let header = FrameHeader { tick: Tick(*tick), ..header() };
            let _ = view.handle_frame(&header, Reader::new(bytes), |_, _| {});
        }
    }
}

#[test]
fn m4_a_part_in_which_all_jump_fits_a_datagram() {
    for axes in (1..=4).filter_map(Axes::open) {
        let format = Format { tick_hz: 30, axes };
        let part = PartHeader { index: 0, baseline: Some(Tick(0)), reference: None };
        for (from, to) in [(0, 65_535), (-65_535, 0), (i32::MIN, i32::MAX)] {
            let to = axes.bring(Position::new([to; 4]));
            let baseline =
                Place { generation: 255, position: axes.bring(Position::new([from; 4])) };
            let offsets = 0..axes.slots_per_part() as u8;
            let known = offsets.clone().map(|offset| Known { offset, baseline, reference: None });
            let moved = |offset| Entry { offset, change: Change::Moved(to) };
            let (known, entries) =
                (known.collect::<Vec<_>>(), offsets.map(moved).collect::<Vec<_>>());
            let mut writer = FrameWriter::new(Vec::new(), &header());
            assert!(writer.put_part(&format, part, &known, &entries), "from {from}");
        }
    }
}

/// After any error a reader may be asked again, and says no more than an error or an end.
#[test]
fn m1_a_reader_may_be_asked_again_after_an_error() {
    for byte in [0, 0x55, 0xff] {
        let bytes = [byte; 40];
        let mut reader = FrameReader::new(&header(), Reader::new(&bytes));
        for _ in 0..400 {
            let _ = reader.next_part(&Axes::TWO);
        }
    }
}
