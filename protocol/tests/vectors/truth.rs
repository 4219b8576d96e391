//! What really happened in a room, from which a server's frames follow; and a sequence of such frames as they arrive.

use hither_protocol::message::control::{AxisFormat, MotionFormat};
use hither_protocol::motion::frame::{FrameHeader, FrameWriter, PartHeader};
use hither_protocol::motion::{Change, Entry, Format, Known, Place, Position};
use hither_protocol::{Epoch, RoomHandle, Tick};

pub(crate) const ROOM: RoomHandle = RoomHandle(7);
pub(crate) const EPOCH: u64 = 0x1_01;

/// One viewer's frames, and the truth that they are made from.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) motion: MotionFormat,
    pub(crate) truth: Truth,
    pub(crate) steps: Vec<(&'static str, Arrival)>,
}

/// What arrives.
pub(crate) enum Arrival {
    /// What a server sends of a tick, of the epoch given.
    Frame(u32, u64, Vec<PartHeader>),
    /// Bytes that no server sends.
    Raw(Vec<u8>),
}

/// Who was where from a tick on.
#[derive(Clone, Default)]
pub(crate) struct Truth(Vec<(u32, u16, Option<Place>)>);

impl Scenario {
    pub(crate) fn new(name: &'static str, truth: Truth) -> Self {
        Self { name, motion: MotionFormat::default(), truth, steps: Vec::new() }
    }

    /// With so many open axes.
    pub(crate) fn axes(self, count: usize) -> Self {
        self.motion(30, vec![AxisFormat::default(); count])
    }

    pub(crate) fn motion(self, tick_hz: u32, axes: Vec<AxisFormat>) -> Self {
        Self { motion: MotionFormat { tick_hz, axes }, ..self }
    }

    /// A frame arrives.
    pub(crate) fn frame(self, about: &'static str, tick: u32, parts: &[PartHeader]) -> Self {
        self.arrival(about, Arrival::Frame(tick, EPOCH, parts.to_vec()))
    }

    /// A frame of part 0 alone arrives.
    pub(crate) fn one(
        self,
        about: &'static str,
        tick: u32,
        baseline: Option<u32>,
        reference: Option<u32>,
    ) -> Self {
        self.frame(about, tick, &[part(0, baseline, reference)])
    }

    pub(crate) fn raw(self, about: &'static str, bytes: Vec<u8>) -> Self {
        self.arrival(about, Arrival::Raw(bytes))
    }

    pub(crate) fn arrival(mut self, about: &'static str, arrival: Arrival) -> Self {
        self.steps.push((about, arrival));
        self
    }

    pub(crate) fn bytes(&self, arrival: &Arrival) -> Vec<u8> {
        match arrival {
            Arrival::Frame(tick, epoch, parts) => {
                self.truth.bytes(&self.motion.format(), *tick, *epoch, parts)
            }
            Arrival::Raw(bytes) => bytes.clone(),
        }
    }
}

impl Truth {
    /// From `tick` on somebody is there.
    pub(crate) fn at(self, tick: u32, slot: u16, generation: u8, axes: &[i32]) -> Self {
        let mut values = [0; 4];
        values[..axes.len()].copy_from_slice(axes);
        self.with(tick, slot, Some(Place { generation, position: Position::new(values) }))
    }

    /// From `tick` on nobody is there.
    pub(crate) fn gone(self, tick: u32, slot: u16) -> Self {
        self.with(tick, slot, None)
    }

    fn with(mut self, tick: u32, slot: u16, place: Option<Place>) -> Self {
        self.0.push((tick, slot, place));
        self
    }

    /// The frame of a tick as a server writes it.
    pub(crate) fn bytes(
        &self,
        format: &Format,
        tick: u32,
        epoch: u64,
        parts: &[PartHeader],
    ) -> Vec<u8> {
        let epoch_check = Epoch(epoch).check();
        let header = FrameHeader { room: ROOM, epoch_check, tick: Tick(tick) };
        let mut writer = FrameWriter::new(Vec::new(), &header);
        for part in parts {
            let (known, entries) = self.part(format, tick, part);
            assert!(writer.put_part(format, *part, &known, &entries), "a datagram is full");
        }
        writer.finish()
    }

    /// The slots that the viewer knows at the baseline, and those that changed since.
    fn part(&self, format: &Format, tick: u32, part: &PartHeader) -> (Vec<Known>, Vec<Entry>) {
        let slots = format.axes.slots_per_part() as u16;
        let (mut known, mut entries) = (Vec::new(), Vec::new());
        for offset in 0..slots {
            let slot = part.index.saturating_mul(slots).saturating_add(offset);
            let base = part.baseline.and_then(|baseline| self.place(slot, baseline.0));
            let reference = part.reference.and_then(|reference| self.place(slot, reference.0));
            let (offset, reference) = (offset as u8, reference.map(|place| place.position));
            known.extend(base.map(|baseline| Known { offset, baseline, reference }));
            let since = part.baseline.map_or(0, |baseline| baseline.0 + 1);
            if self.0.iter().any(|change| change.1 == slot && (since..=tick).contains(&change.0)) {
                let change = match (base, self.place(slot, tick)) {
                    (Some(base), Some(now)) if base.generation == now.generation => {
                        Change::Moved(now.position)
                    }
                    (_, Some(now)) => Change::Appeared(now),
                    (Some(_), None) => Change::Vanished,
                    (None, None) => continue,
                };
                entries.push(Entry { offset, change });
            }
        }
        (known, entries)
    }

    fn place(&self, slot: u16, tick: u32) -> Option<Place> {
        let until = self.0.iter().filter(|change| change.1 == slot && change.0 <= tick);
        until.max_by_key(|change| change.0)?.2
    }
}

pub(crate) fn part(index: u16, baseline: Option<u32>, reference: Option<u32>) -> PartHeader {
    PartHeader { index, baseline: baseline.map(Tick), reference: reference.map(Tick) }
}
