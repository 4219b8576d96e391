//! One tick's frames: each is encoded once for each distinct set of parts and baselines, and then shared by all viewers
//! who need the same. Buffers outlive the tick, so that a steady tick allocates nothing but what it sends.

use bytes::Bytes;
use hither_protocol::motion::frame::{FrameHeader, FrameWriter, PartHeader};
use hither_protocol::motion::{Entry, Format, Known};
use hither_protocol::{RoomHandle, Tick};

use super::buffer::share;
use super::mover::{Mover, change};

/// Among so many frames it is looked for one that is the same. Where losses are many, hardly any two viewers need the
/// same, and to compare all with all takes longer than to encode.
const SEARCHED_MAX: usize = 64;

/// What has been encoded of one tick so far.
#[derive(Debug)]
pub(super) struct Fanout {
    room: RoomHandle,
    epoch_check: u8,
    tick: Tick,
    frames: Vec<Frame>,
    /// How many of them are of this tick; the others wait to be used again.
    used: usize,
    /// The frame that was asked for last: viewers mostly need the same.
    last: usize,
    scratch: Scratch,
}

/// The datagrams of one set of parts.
#[derive(Debug, Default)]
struct Frame {
    parts: Vec<PartHeader>,
    datagrams: Vec<Bytes>,
}

/// What is needed while a frame is encoded.
#[derive(Debug, Default)]
struct Scratch {
    known: Vec<Known>,
    entries: Vec<Entry>,
    bytes: Vec<u8>,
}

impl Fanout {
    pub(super) fn new(room: RoomHandle, epoch_check: u8) -> Self {
        Self {
            room,
            epoch_check,
            tick: Tick(0),
            frames: Vec::new(),
            used: 0,
            last: 0,
            scratch: Scratch::default(),
        }
    }

    /// Forgets the tick before.
    pub(super) fn begin(&mut self, tick: Tick) {
        self.tick = tick;
        self.frames.iter_mut().for_each(|frame| frame.datagrams.clear());
        (self.used, self.last) = (0, 0);
    }

    /// The datagrams of these parts, whose indices rise; each begins with the transport's byte.
    pub(super) fn shared(
        &mut self,
        format: &Format,
        parts: &[PartHeader],
        movers: &[Mover],
    ) -> &[Bytes] {
        let is_same = |frame: &Frame| frame.parts == parts;
        let used = &self.frames[..self.used];
        let found = match used.get(self.last).filter(|frame| is_same(frame)) {
            Some(_) => Some(self.last),
            None => {
                used.iter().rev().take(SEARCHED_MAX).position(is_same).map(|n| used.len() - 1 - n)
            }
        };
        self.last = found.unwrap_or_else(|| self.add(format, parts, movers));
        &self.frames[self.last].datagrams
    }

    /// The datagrams of a viewer that needs its own: `fill` says what a part has, given empty lists.
    pub(super) fn own(
        &mut self,
        format: &Format,
        parts: &[PartHeader],
        mut fill: impl FnMut(PartHeader, &mut Vec<Known>, &mut Vec<Entry>),
        mut send: impl FnMut(Bytes),
    ) {
        let header = self.header();
        self.scratch.encode(format, &header, parts, &mut fill, &mut send);
    }

    fn add(&mut self, format: &Format, parts: &[PartHeader], movers: &[Mover]) -> usize {
        if self.used == self.frames.len() {
            self.frames.push(Frame::default());
        }
        let header = self.header();
        let Self { frames, used, scratch, .. } = self;
        let frame = &mut frames[*used];
        frame.parts.clear();
        frame.parts.extend_from_slice(parts);
        let slots = format.axes.slots_per_part();
        let mut fill = |part: PartHeader, known: &mut Vec<Known>, entries: &mut Vec<Entry>| {
            let first = usize::from(part.index) * slots;
            let movers = movers.get(first..).unwrap_or_default();
            for (offset, mover) in movers.iter().take(slots).enumerate() {
                list(offset as u8, mover, part, known, entries);
            }
        };
        let datagrams = &mut frame.datagrams;
        scratch.encode(format, &header, parts, &mut fill, &mut |bytes| datagrams.push(bytes));
        *used += 1;
        *used - 1
    }

    fn header(&self) -> FrameHeader {
        FrameHeader { room: self.room, epoch_check: self.epoch_check, tick: self.tick }
    }
}

impl Scratch {
    fn encode(
        &mut self,
        format: &Format,
        header: &FrameHeader,
        parts: &[PartHeader],
        fill: &mut impl FnMut(PartHeader, &mut Vec<Known>, &mut Vec<Entry>),
        send: &mut impl FnMut(Bytes),
    ) {
        let Self { known, entries, bytes } = self;
        let begin = |mut bytes: Vec<u8>| {
            bytes.clear();
            bytes.push(0);
            FrameWriter::new(bytes, header)
        };
        let mut writer = begin(std::mem::take(bytes));
        for &part in parts {
            known.clear();
            entries.clear();
            fill(part, known, entries);
            if !writer.put_part(format, part, known, entries) {
                let full = writer.finish();
                send(share(&full));
                writer = begin(full);
                writer.put_part(format, part, known, entries);
            }
        }
        *bytes = writer.finish();
        send(share(bytes));
    }
}

/// Lists what a part says of a slot that all viewers see.
fn list(
    offset: u8,
    mover: &Mover,
    part: PartHeader,
    known: &mut Vec<Known>,
    entries: &mut Vec<Entry>,
) {
    let Some(latest) = mover.track.latest() else { return };
    let base = part.baseline.and_then(|baseline| mover.track.at(baseline));
    if let Some(base) = base {
        let reference = part.reference.and_then(|reference| mover.track.at(reference));
        let reference = reference.map(|place| place.position);
        known.push(Known { offset, baseline: *base, reference });
    }
    if part.baseline.is_none_or(|baseline| latest.tick > baseline) {
        entries.extend(change(base, latest.place).map(|change| Entry { offset, change }));
    }
}
