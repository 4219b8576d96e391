//! One tick's frames: each part is encoded once for each distinct baseline, each datagram built once for each distinct
//! set of parts, and then shared by all viewers who need the same.

use std::collections::HashMap;

use bytes::Bytes;
use hither_protocol::limits::MOTION_DATAGRAM_BYTES_MAX;
use hither_protocol::motion::frame::{FrameHeader, HEADER_BYTES_MAX, PartHeader, put_part};
use hither_protocol::motion::{Axes, Coding, Entry};
use hither_protocol::{RoomHandle, Slot, Tick};

use super::mover::Mover;

/// Which part, against which baseline.
pub(super) type PartKey = (u16, Option<Tick>);

/// What has been encoded of one tick so far.
#[derive(Debug)]
pub(super) struct Fanout {
    room: RoomHandle,
    epoch_check: u8,
    axes: Axes,
    tick: Tick,
    /// By part: what is encoded, for each baseline in use; viewers share few.
    parts: Vec<Vec<(Option<Tick>, EncodedPart)>>,
    datagrams: HashMap<Vec<PartKey>, Vec<Bytes>>,
    entries: Vec<Entry>,
}

/// A part against one baseline.
#[derive(Debug)]
struct EncodedPart {
    bytes: Vec<u8>,
    movers: Movers,
}

/// Whom a part is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Movers {
    Nobody,
    Only(Slot),
    Several,
}

impl Fanout {
    pub(super) fn new(room: RoomHandle, epoch_check: u8, axes: Axes) -> Self {
        Self {
            room,
            epoch_check,
            axes,
            tick: Tick(0),
            parts: Vec::new(),
            datagrams: HashMap::new(),
            entries: Vec::new(),
        }
    }

    /// Forgets the tick before.
    pub(super) fn begin(&mut self, tick: Tick) {
        self.tick = tick;
        self.parts.iter_mut().for_each(Vec::clear);
        self.datagrams.clear();
    }

    /// Who moved in a part since a baseline, encoding it if nobody has yet.
    pub(super) fn movers(&mut self, key: PartKey, movers: &[Mover]) -> Movers {
        if let Some(part) = self.part(key) {
            return part.movers;
        }
        let part = self.encode(key, movers);
        let moved = part.movers;
        let (index, baseline) = (usize::from(key.0), key.1);
        if index >= self.parts.len() {
            self.parts.resize_with(index + 1, Vec::new);
        }
        self.parts[index].push((baseline, part));
        moved
    }

    /// The datagrams of these parts, all of which have been encoded; each begins with the transport's byte.
    pub(super) fn datagrams(&mut self, keys: &[PartKey]) -> &[Bytes] {
        if !self.datagrams.contains_key(keys) {
            let built = self.build(keys);
            self.datagrams.insert(keys.to_vec(), built);
        }
        self.datagrams.get(keys).map_or(&[], Vec::as_slice)
    }

    fn part(&self, (index, baseline): PartKey) -> Option<&EncodedPart> {
        let encoded = self.parts.get(usize::from(index))?;
        encoded.iter().find(|(known, _)| *known == baseline).map(|(_, part)| part)
    }

    fn encode(&mut self, (index, baseline): PartKey, movers: &[Mover]) -> EncodedPart {
        let slots = self.axes.slots_per_part();
        let first = usize::from(index) * slots;
        let range = movers.get(first..).unwrap_or_default();
        self.entries.clear();
        for (offset, mover) in range.iter().take(slots).enumerate() {
            self.entries.extend(entry(offset as u8, mover, baseline));
        }
        let movers = match self.entries.as_slice() {
            [] => Movers::Nobody,
            [only] => Movers::Only(Slot((first + usize::from(only.offset)) as u16)),
            _ => Movers::Several,
        };
        let mut bytes = Vec::new();
        let header = PartHeader { index, baseline };
        put_part(&mut bytes, self.axes, self.tick, header, &self.entries);
        EncodedPart { bytes, movers }
    }

    fn build(&self, keys: &[PartKey]) -> Vec<Bytes> {
        let mut datagrams = Vec::new();
        let mut rest: Vec<&[u8]> = keys
            .iter()
            .filter_map(|&key| self.part(key))
            .map(|part| part.bytes.as_slice())
            .collect();
        while !rest.is_empty() {
            let mut bytes = 0;
            let fit = rest
                .iter()
                .take_while(|part| {
                    bytes += part.len();
                    HEADER_BYTES_MAX + bytes <= MOTION_DATAGRAM_BYTES_MAX
                })
                .count()
                .max(1);
            let mut datagram = Vec::with_capacity(1 + HEADER_BYTES_MAX + bytes);
            datagram.push(0);
            let header = FrameHeader {
                room: self.room,
                epoch_check: self.epoch_check,
                tick: self.tick,
                parts: fit as u32,
            };
            header.put(&mut datagram);
            rest.drain(..fit).for_each(|part| datagram.extend_from_slice(part));
            datagrams.push(Bytes::from(datagram));
        }
        datagrams
    }
}

/// A slot's entry against a baseline; `None` if it has not moved since.
fn entry(offset: u8, mover: &Mover, baseline: Option<Tick>) -> Option<Entry> {
    let latest = mover.latest()?;
    let absolute = Coding::Absolute { generation: latest.generation, position: latest.position };
    let coding = match baseline {
        None => absolute,
        Some(baseline) if latest.tick <= baseline => return None,
        Some(baseline) => match mover.at(baseline) {
            Some(base) => Coding::delta(&latest.position, &base.position),
            None => absolute,
        },
    };
    Some(Entry { offset, coding })
}
