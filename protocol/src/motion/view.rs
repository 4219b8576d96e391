//! A viewer's end of motion: decodes frames against the baselines that it holds, and says what to ack (M5, M7).

use super::frame::{FrameHeader, read_part};
use super::{Axes, Coding, DecodeError, Entry, Point, Position, Track, WINDOW};
use crate::ids::{Epoch, Generation, Slot, Tick};
use crate::varint::Reader;

/// What a room's motion looks like to one member.
#[derive(Debug)]
pub struct View {
    axes: Axes,
    epoch_check: u8,
    parts: Vec<Part>,
    entries: Vec<Entry>,
    points: Vec<(usize, Point)>,
}

/// What came of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// The parts that the view holds now as of the frame's tick, to be acked; bit i for part i.
    pub parts: u128,
    /// Parts that could not be used: too old, or against a baseline that the view does not hold.
    pub unusable: u32,
}

impl View {
    /// A view that has seen nothing yet.
    pub fn new(axes: Axes, epoch: Epoch) -> Self {
        Self {
            axes,
            epoch_check: epoch.check(),
            parts: Vec::new(),
            entries: Vec::new(),
            points: Vec::new(),
        }
    }

    /// How many axes its positions have.
    pub const fn axes(&self) -> Axes {
        self.axes
    }

    /// Where the member of this slot and generation is, if a frame has said so.
    pub fn position(&self, slot: Slot, generation: Generation) -> Option<Position> {
        let slots = self.axes.slots_per_part();
        let part = self.parts.get(slot.index() / slots)?;
        let point = part.tracks.get(slot.index() % slots)?.latest()?;
        (point.generation == generation.low()).then_some(point.position)
    }

    /// Takes a frame's parts from `reader`. `moved` is called with each slot whose newest position this frame brings.
    ///
    /// # Errors
    /// At a malformed part; the parts before it are applied, and lost with their ack.
    pub fn handle_frame(
        &mut self,
        header: &FrameHeader,
        reader: &mut Reader<'_>,
        mut moved: impl FnMut(Slot, Point),
    ) -> Result<Received, DecodeError> {
        let mut received = Received::default();
        for _ in 0..header.parts {
            let part = read_part(reader, self.axes, header.tick, &mut self.entries)?;
            let index = usize::from(part.index);
            if header.epoch_check != self.epoch_check {
                received.unusable += 1;
                continue;
            }
            if index >= self.parts.len() {
                self.parts.resize_with(index + 1, Part::default);
            }
            let state = &mut self.parts[index];
            let usable = match state.standing(header.tick, part.baseline) {
                Standing::Duplicate => true,
                Standing::Unusable => false,
                Standing::New => {
                    self.points.clear();
                    state.resolve(header.tick, part.baseline, &self.entries, &mut self.points)
                }
            };
            if !usable {
                received.unusable += 1;
                continue;
            }
            received.parts |= 1 << index;
            for (offset, point) in self.points.drain(..) {
                if state.record(offset, point) {
                    let slot = index * self.axes.slots_per_part() + offset;
                    moved(Slot(slot as u16), point);
                }
            }
            state.held.insert(header.tick);
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

enum Standing {
    New,
    Duplicate,
    Unusable,
}

impl Part {
    fn standing(&self, tick: Tick, baseline: Option<Tick>) -> Standing {
        if self.held.contains(tick) {
            Standing::Duplicate
        } else if self.held.is_past(tick) || baseline.is_some_and(|b| !self.held.contains(b)) {
            Standing::Unusable
        } else {
            Standing::New
        }
    }

    /// Turns entries into points; false if a delta has no position to start from.
    fn resolve(
        &self,
        tick: Tick,
        baseline: Option<Tick>,
        entries: &[Entry],
        points: &mut Vec<(usize, Point)>,
    ) -> bool {
        for entry in entries {
            let offset = usize::from(entry.offset);
            let point = match entry.coding {
                Coding::Absolute { generation, position } => {
                    Some(Point { tick, generation, position })
                }
                Coding::Delta(differences) => baseline
                    .and_then(|baseline| self.tracks.get(offset)?.at(baseline))
                    .and_then(|base| {
                        let position = base.position.plus(&differences).ok()?;
                        Some(Point { tick, generation: base.generation, position })
                    }),
            };
            let Some(point) = point else {
                points.clear();
                return false;
            };
            points.push((offset, point));
        }
        true
    }

    /// Keeps a point; true if it is the slot's newest.
    fn record(&mut self, offset: usize, point: Point) -> bool {
        if offset >= self.tracks.len() {
            self.tracks.resize_with(offset + 1, Track::default);
        }
        let track = &mut self.tracks[offset];
        let newest = track.latest().is_none_or(|latest| latest.tick < point.tick);
        track.record(point);
        newest
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

    /// Whether `tick` is before everything that is kept.
    fn is_past(&self, tick: Tick) -> bool {
        self.newest.and_then(|newest| newest.since(tick)).is_some_and(|age| age > WINDOW)
    }

    fn insert(&mut self, tick: Tick) {
        let Some(newest) = self.newest else {
            self.newest = Some(tick);
            self.before = 1;
            return;
        };
        match tick.since(newest) {
            Some(ahead) => {
                self.before = self.before.checked_shl(ahead).unwrap_or(0) | 1;
                self.newest = Some(tick);
            }
            None => self.before |= 1 << (newest.0 - tick.0).min(63),
        }
    }
}
