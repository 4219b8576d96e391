//! Work whose instructions `cargo xtask test` counts under callgrind: `counted NAME` prepares it and does it, `counted`
//! lists the names. Callgrind collects only within [`counted_work`].

#![expect(clippy::expect_used, reason = "work that can't be prepared can't be counted")]

use std::hint::black_box;
use std::process::ExitCode;

use hither_protocol::motion::frame::{FrameHeader, FrameWriter, KIND, PartHeader};
use hither_protocol::motion::{Axes, Change, Entry, Format, Known, Place, Position, View};
use hither_protocol::varint::Reader;
use hither_protocol::{Epoch, RoomHandle, Tick};
use hither_steady::{Company, Crowd, Mouse};

/// Ticks until all in a room is as it stays, and ticks that are counted then.
const WARM_UP: u32 = 45;
const COUNTED: u32 = 5;

type Case = (&'static str, fn());

const CASES: [Case; 5] = [
    ("encode_frame", encode_frame),
    ("decode_frame", decode_frame),
    ("tick_100", || ticks(Company { members: 100, ..Company::default() })),
    ("tick_500", || ticks(Company { members: 500, ..Company::default() })),
    ("tick_200_viewports", || ticks(Company { members: 200, viewports: 200, ack_lost_in: 0 })),
];

fn main() -> ExitCode {
    let Some(name) = std::env::args().nth(1) else {
        CASES.iter().for_each(|(name, _)| println!("{name}"));
        return ExitCode::SUCCESS;
    };
    let Some((_, case)) = CASES.iter().find(|(known, _)| *known == name) else {
        eprintln!("no work {name:?}");
        return ExitCode::FAILURE;
    };
    case();
    ExitCode::SUCCESS
}

/// What is counted: callgrind knows it by its name.
#[inline(never)]
fn counted_work(work: &mut dyn FnMut()) {
    work();
    black_box(());
}

/// Whole ticks of a room: the acks and samples of all come in, the frames for all go out.
fn ticks(company: Company) {
    let mut crowd = Crowd::new(company);
    crowd.run(WARM_UP);
    for _ in 0..COUNTED {
        crowd.move_mice();
        counted_work(&mut || crowd.run_tick());
        assert!(crowd.frames().len() >= company.members, "each viewer gets its frame");
        crowd.show_frames();
    }
}

fn encode_frame() {
    let (walk, tick) = walk();
    let parts = delta(&walk, tick);
    let mut bytes = Vec::with_capacity(2_000);
    counted_work(&mut || bytes = write(std::mem::take(&mut bytes), tick, black_box(&parts)));
    assert!((40..100).contains(&bytes.len()), "{} bytes", bytes.len());
}

fn decode_frame() {
    let (walk, tick) = walk();
    let mut view = View::new(FORMAT, EPOCH);
    for (before, positions) in [(2, &walk[0]), (1, &walk[1])] {
        let bytes = write(Vec::new(), tick - before, &keyframe(positions));
        show(&mut view, &bytes);
    }
    let bytes = write(Vec::new(), tick, &delta(&walk, tick));
    let mut moved = 0;
    counted_work(&mut || moved = show(&mut view, black_box(&bytes)));
    assert_eq!(moved, MOVED);
}

/// A room's mice, and how many of them moved in the tick of the frame.
const MICE: u64 = 100;
const MOVED: usize = 40;
const FORMAT: Format = Format { tick_hz: 30, axes: Axes::TWO };
const EPOCH: Epoch = Epoch(1);

/// A part's header, the slots that its viewer knows, and those with something to say.
type Part = (PartHeader, Vec<Known>, Vec<Entry>);

/// Where all mice were two ticks before a tick, one tick before it, and at it: the first tick in which so many moved.
fn walk() -> ([Vec<Position>; 3], u32) {
    let mut mice: Vec<Mouse> = (0..MICE).map(Mouse::new).collect();
    let mut at = |tick| mice.iter_mut().map(|mouse| mouse.at(tick)).collect::<Vec<Position>>();
    let (mut walk, mut tick) = ([at(1), at(2), at(3)], 3);
    while walk[2].iter().zip(&walk[1]).filter(|(now, before)| now != before).count() != MOVED {
        tick += 1;
        walk.rotate_left(1);
        walk[2] = at(tick);
    }
    (walk, tick)
}

/// A frame that says where everybody is.
fn keyframe(positions: &[Position]) -> Vec<Part> {
    let parts = (0..).zip(positions.chunks(FORMAT.axes.slots_per_part()));
    let part = |(index, positions): (u16, &[Position])| {
        let header = PartHeader { index, baseline: None, reference: None };
        let places = positions.iter().map(|position| place(*position));
        let entry = |(offset, place)| Entry { offset, change: Change::Appeared(place) };
        (header, Vec::new(), (0..).zip(places).map(entry).collect())
    };
    parts.map(part).collect()
}

/// The frame of `tick` against the tick before it, with the momentum that mice had there.
fn delta([reference, baseline, now]: &[Vec<Position>; 3], tick: u32) -> Vec<Part> {
    let slots = FORMAT.axes.slots_per_part();
    let ticks = (Some(Tick(tick - 1)), Some(Tick(tick - 2)));
    let header = |index| PartHeader { index, baseline: ticks.0, reference: ticks.1 };
    let mut parts: Vec<Part> = Vec::new();
    for slot in 0..now.len() {
        if slot % slots == 0 {
            parts.push((header(parts.len() as u16), Vec::new(), Vec::new()));
        }
        let (_, known, entries) = parts.last_mut().expect("slot 0 began a part");
        let offset = (slot % slots) as u8;
        let reference = Some(reference[slot]);
        known.push(Known { offset, baseline: place(baseline[slot]), reference });
        if now[slot] != baseline[slot] {
            entries.push(Entry { offset, change: Change::Moved(now[slot]) });
        }
    }
    parts
}

fn place(position: Position) -> Place {
    Place { generation: 0, position }
}

fn write(out: Vec<u8>, tick: u32, parts: &[Part]) -> Vec<u8> {
    let header = FrameHeader { room: RoomHandle(7), epoch_check: EPOCH.check(), tick: Tick(tick) };
    let mut frame = FrameWriter::new(out, &header);
    for (part, known, entries) in parts {
        assert!(frame.put_part(&FORMAT, *part, known, entries), "it fits a datagram");
    }
    frame.finish()
}

/// Decodes a frame; returns how many moved.
fn show(view: &mut View, bytes: &[u8]) -> usize {
    let mut reader = Reader::new(bytes);
    assert_eq!(reader.u8(), Ok(KIND));
    let header = FrameHeader::read(&mut reader).expect("a header");
    let mut moved = 0;
    let received = view.handle_frame(&header, reader, |_, _| moved += 1).expect("a frame");
    assert!(!received.is_unusable, "a frame against what the view holds");
    moved
}
