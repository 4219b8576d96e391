//! A viewer's end of motion: decodes frames against the baselines that it holds, and says what to ack (M5, M7).

use super::frame::{FrameHeader, FrameReader, PartHeader};
use super::{DecodeError, Entry, Format, Known, Point, Position, Track, WINDOW};
use crate::ids::{Epoch, Generation, Slot, Tick};
use crate::varint::Reader;

/// What a room's motion looks like to one member.
#[derive(Debug)]
pub struct View {
    format: Format,
    epoch_check: u8,
    parts: Vec<Part>,
    known: Vec<Known>,
    entries: Vec<Entry>,
}

/// What came of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// The parts that the view holds now as of the frame's tick, to be acked; bit i for part i.
    pub parts: u128,
    /// Whether a part could not be used: it is older than what the view has of it, or against a tick that the view does
    /// not hold. Those behind one of the latter could not be read.
    pub is_unusable: bool,
}

impl View {
    /// A view that has seen nothing yet.
    pub fn new(format: Format, epoch: Epoch) -> Self {
        Self {
            format,
            epoch_check: epoch.check(),
            parts: Vec::new(),
            known: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// What its frames are made of.
    pub const fn format(&self) -> &Format {
        &self.format
    }

    /// Where the member of this slot and generation is, if a frame has said so and none has said that it vanished.
    pub fn position(&self, slot: Slot, generation: Generation) -> Option<Position> {
        let slots = self.format.axes.slots_per_part();
        let part = self.parts.get(slot.index() / slots)?;
        let place = part.tracks.get(slot.index() % slots)?.latest()?.place?;
        (place.generation == generation.low()).then_some(place.position)
    }

    /// Takes a frame's parts, to the end of its datagram. `moved` is called with each slot whose newest point this
    /// frame brings.
    ///
    /// # Errors
    /// At a malformed part; the parts before it are applied, and lost with their ack.
    pub fn handle_frame(
        &mut self,
        header: &FrameHeader,
        reader: Reader<'_>,
        mut moved: impl FnMut(Slot, Point),
    ) -> Result<Received, DecodeError> {
        let mut received = Received::default();
        if header.epoch_check != self.epoch_check {
            return Ok(Received { is_unusable: true, ..received });
        }
        let tick = header.tick;
        let mut frame = FrameReader::new(header, reader);
        while let Some(header) = frame.next_part(&self.format.axes)? {
            let index = usize::from(header.index);
            if index >= self.parts.len() {
                self.parts.resize_with(index + 1, Part::default);
            }
            let part = &mut self.parts[index];
            if !part.can_read(&header) {
                received.is_unusable = true;
                return Ok(received);
            }
            part.list_known(&header, &mut self.known);
            frame.read_entries(&self.format, &self.known, &mut self.entries)?;
            let is_late = part.held.newest.is_some_and(|newest| tick <= newest);
            if is_late && !part.held.contains(tick) {
                received.is_unusable = true;
                continue;
            }
            received.parts |= 1 << index;
            if !is_late {
                let first = index * self.format.axes.slots_per_part();
                let moved = |offset, point| moved(Slot((first + offset) as u16), point);
                part.apply(tick, header.baseline, &self.known, &self.entries, moved);
                part.held.insert(tick);
            }
        }
        Ok(received)
    }
}

/// One range of slots as the view holds it.
#[derive(Debug, Default)]
struct Part {
    held: Held,
    tracks: Vec<Track>,
}

impl Part {
    /// Whether the states are here that a part is coded against.
    fn can_read(&self, part: &PartHeader) -> bool {
        let holds = |tick: Option<Tick>| tick.is_none_or(|tick| self.held.contains(tick));
        holds(part.baseline) && holds(part.reference)
    }

    fn list_known(&self, part: &PartHeader, known: &mut Vec<Known>) {
        known.clear();
        let Some(baseline) = part.baseline else { return };
        for (offset, track) in self.tracks.iter().enumerate() {
            let Some(place) = track.at(baseline) else { continue };
            let reference = part.reference.and_then(|tick| track.at(tick));
            known.push(Known {
                offset: offset as u8,
                baseline: *place,
                reference: reference.map(|place| place.position),
            });
        }
    }

    /// Puts the state of a newer tick into the tracks: what it was at the baseline, with the entries. What a tick
    /// between them brought to a slot that is not named is undone.
    fn apply(
        &mut self,
        tick: Tick,
        baseline: Option<Tick>,
        known: &[Known],
        entries: &[Entry],
        mut moved: impl FnMut(usize, Point),
    ) {
        let named = entries.iter().fold(0u64, |slots, entry| slots | 1 << entry.offset);
        for (offset, track) in self.tracks.iter_mut().enumerate() {
            let place = baseline.and_then(|baseline| track.at(baseline)).copied();
            let is_same = track.latest().and_then(|latest| latest.place) == place;
            if named >> offset & 1 == 0 && !is_same {
                let point = Point { tick, place };
                track.record(point);
                moved(offset, point);
            }
        }
        for entry in entries {
            let offset = usize::from(entry.offset);
            if offset >= self.tracks.len() {
                self.tracks.resize_with(offset + 1, Track::default);
            }
            let point = Point { tick, place: entry.place(known) };
            self.tracks[offset].record(point);
            moved(offset, point);
        }
    }
}

/// The ticks of a part that the view holds: the newest, and which of the [`WINDOW`] before it.
#[derive(Debug, Default)]
struct Held {
    newest: Option<Tick>,
    /// Bit i: the tick i before the newest.
    before: u64,
}

impl Held {
    fn contains(&self, tick: Tick) -> bool {
        let age = self.newest.and_then(|newest| newest.since(tick));
        age.is_some_and(|age| age <= WINDOW && self.before >> age & 1 == 1)
    }

    /// Adds a tick behind the newest.
    fn insert(&mut self, tick: Tick) {
        let ahead = self.newest.and_then(|newest| tick.since(newest));
        self.before = ahead.and_then(|ahead| self.before.checked_shl(ahead)).unwrap_or(0) | 1;
        self.newest = Some(tick);
    }
}
