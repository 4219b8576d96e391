//! Frames: one tick's motion on its way down, in parts that are acked each by itself (rules M3 to M7).
//!
//! ```text
//! frame := 0x01 | room varint | epoch check u8 | tick varint | parts, to the end of the datagram
//! ```
//! The parts are one stream of coded decisions: see `coder`.

use super::coder::{PartsDecoder, PartsEncoder};
use super::{Axes, DecodeError, Entry, Format, Known};
use crate::ids::{RoomHandle, Tick};
use crate::limits::MOTION_DATAGRAM_BYTES_MAX;
use crate::varint::{self, Reader};

/// The kind of the record that a frame is.
pub const KIND: u8 = 0x01;

/// What the end of a frame may take: the bytes that the coder holds back, and the decision that no part follows.
const END_BYTES_MAX: usize = 5;

/// What stands before a frame's parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// The room.
    pub room: RoomHandle,
    /// The low byte of the room's epoch.
    pub epoch_check: u8,
    /// The tick whose state the parts have.
    pub tick: Tick,
}

/// What stands before a part's entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartHeader {
    /// Which range of slots it is: those from `index * slots_per_part` on.
    pub index: u16,
    /// The tick that its moves are against; without one the viewer knows no slot.
    pub baseline: Option<Tick>,
    /// A tick before the baseline that the viewer holds as well: what a slot moved between the two is its momentum.
    pub reference: Option<Tick>,
}

impl FrameHeader {
    /// Appends the header.
    pub fn put(&self, out: &mut Vec<u8>) {
        out.push(KIND);
        varint::put_u32(out, self.room.0);
        out.push(self.epoch_check);
        varint::put_u32(out, self.tick.0);
    }

    /// Reads a header, from behind its kind.
    ///
    /// # Errors
    /// If it is cut short.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let room = RoomHandle(reader.u32()?);
        let epoch_check = reader.u8()?;
        let tick = Tick(reader.u32()?);
        Ok(Self { room, epoch_check, tick })
    }
}

/// Writes one frame of at most 1,000 bytes, part by part.
#[derive(Debug)]
pub struct FrameWriter {
    out: Vec<u8>,
    first: usize,
    parts: PartsEncoder,
}

impl FrameWriter {
    /// Begins a frame behind what `out` has already: bytes of the transport, which do not count.
    pub fn new(mut out: Vec<u8>, header: &FrameHeader) -> Self {
        let first = out.len();
        header.put(&mut out);
        let parts = PartsEncoder::new(header.tick);
        Self { out, first, parts }
    }

    /// Appends a part, whose index is above that of the one before; false if it does not fit, and nothing changes then.
    /// `known` are the slots that the viewer has a position of at the baseline, all of them; `entries` are those with
    /// something to say. Both rise in their offsets. The first part always fits.
    pub fn put_part(
        &mut self,
        format: &Format,
        part: PartHeader,
        known: &[Known],
        entries: &[Entry],
    ) -> bool {
        let (length, before) = (self.out.len(), self.parts.clone());
        self.parts.put(&mut self.out, format, part, known, entries);
        let fits = self.out.len() - self.first + END_BYTES_MAX <= MOTION_DATAGRAM_BYTES_MAX;
        if !fits {
            self.out.truncate(length);
            self.parts = before;
        }
        fits
    }

    /// The buffer with the whole frame.
    pub fn finish(mut self) -> Vec<u8> {
        self.parts.finish(&mut self.out);
        self.out
    }
}

/// Reads the parts of one frame. A part can only be read by somebody who has the state at its baseline.
#[derive(Debug)]
pub struct FrameReader<'a> {
    parts: PartsDecoder<'a>,
}

impl<'a> FrameReader<'a> {
    /// Reads what follows the header, to the end of the datagram.
    pub fn new(header: &FrameHeader, reader: Reader<'a>) -> Self {
        Self { parts: PartsDecoder::new(reader.into_rest(), header.tick) }
    }

    /// The next part's header; `None` behind the last part.
    ///
    /// # Errors
    /// If the frame is cut short, or names a part or a tick that can't be.
    pub fn next_part(&mut self, axes: &Axes) -> Result<Option<PartHeader>, DecodeError> {
        self.parts.next(axes)
    }

    /// Reads the entries of the part whose header was read last. `known` are all slots with a position at its
    /// baseline, in order.
    ///
    /// # Errors
    /// If the frame is cut short, or an entry leads to a slot or a position that can't be.
    pub fn read_entries(
        &mut self,
        format: &Format,
        known: &[Known],
        entries: &mut Vec<Entry>,
    ) -> Result<(), DecodeError> {
        self.parts.read_entries(format, known, entries)
    }
}
