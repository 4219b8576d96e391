//! Frames: one tick's motion on its way down, in parts that are decodable and acked each by itself (rules M3 to M7).
//!
//! ```text
//! frame := 0x01 | room varint | epoch check u8 | tick varint | number of parts varint | part...
//! part  := index varint | baseline varint | number of entries varint | entry...
//! ```
//! A baseline of 0 is none; otherwise it is how many ticks before the frame's the baseline lies.

use super::{Axes, DecodeError, Entry, coder};
use crate::ids::{RoomHandle, Tick};
use crate::varint::{self, Reader};

/// The kind of the record that a frame is.
pub const KIND: u8 = 0x01;

/// The most bytes that a frame has before its first part.
pub const HEADER_BYTES_MAX: usize = 1 + 5 + 1 + 5 + 2;

/// What stands before a frame's parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// The room.
    pub room: RoomHandle,
    /// The low byte of the room's epoch.
    pub epoch_check: u8,
    /// The tick whose state the parts have.
    pub tick: Tick,
    /// How many parts follow, 1 to 128.
    pub parts: u32,
}

/// What stands before a part's entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartHeader {
    /// Which range of slots it is: those from `index * slots_per_part` on.
    pub index: u16,
    /// The tick that its deltas are against; without one every entry is absolute and absent slots have no position.
    pub baseline: Option<Tick>,
}

impl FrameHeader {
    /// Appends the header.
    pub fn put(&self, out: &mut Vec<u8>) {
        out.push(KIND);
        varint::put_u32(out, self.room.0);
        out.push(self.epoch_check);
        varint::put_u32(out, self.tick.0);
        varint::put_u32(out, self.parts);
    }

    /// Reads a header, from behind its kind.
    ///
    /// # Errors
    /// If it is cut short or says a number of parts that no room has.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let room = RoomHandle(reader.u32()?);
        let epoch_check = reader.u8()?;
        let tick = Tick(reader.u32()?);
        let parts = reader.u32()?;
        if !(1..=128).contains(&parts) {
            return Err(DecodeError::Range);
        }
        Ok(Self { room, epoch_check, tick, parts })
    }
}

/// Appends one part of the frame of `tick`. `entries` are in the order of their offsets; a baseline lies before `tick`.
pub fn put_part(out: &mut Vec<u8>, axes: Axes, tick: Tick, part: PartHeader, entries: &[Entry]) {
    varint::put_u32(out, u32::from(part.index));
    let age = part.baseline.and_then(|baseline| tick.since(baseline)).unwrap_or(0);
    varint::put_u32(out, age);
    coder::put_entries(out, axes, entries);
}

/// Reads one part of the frame of `tick`, its entries into `entries`.
///
/// # Errors
/// If it is cut short, or names slots or a baseline that can't be.
pub fn read_part(
    reader: &mut Reader<'_>,
    axes: Axes,
    tick: Tick,
    entries: &mut Vec<Entry>,
) -> Result<PartHeader, DecodeError> {
    let index = reader.u32()?;
    if index as usize >= axes.parts_max() {
        return Err(DecodeError::Range);
    }
    let baseline = match reader.u32()? {
        0 => None,
        age => Some(Tick(tick.0.checked_sub(age).ok_or(DecodeError::Range)?)),
    };
    coder::read_entries(reader, axes, entries)?;
    Ok(PartHeader { index: index as u16, baseline })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::motion::{Coding, Position};

    #[test]
    fn m3_a_frame_is_read_as_it_was_put() {
        let header =
            FrameHeader { room: RoomHandle(300), epoch_check: 7, tick: Tick(1000), parts: 1 };
        let part = PartHeader { index: 2, baseline: Some(Tick(998)) };
        let entries = [
            Entry { offset: 3, coding: Coding::Delta([1, -1, 0, 0]) },
            Entry {
                offset: 63,
                coding: Coding::Absolute { generation: 9, position: Position::xy(-5, 1 << 29) },
            },
        ];
        let mut out = Vec::new();
        header.put(&mut out);
        put_part(&mut out, Axes::TWO, header.tick, part, &entries);

        let mut reader = Reader::new(&out);
        assert_eq!(reader.u8(), Ok(KIND));
        assert_eq!(FrameHeader::read(&mut reader), Ok(header));
        let mut read = Vec::new();
        assert_eq!(read_part(&mut reader, Axes::TWO, header.tick, &mut read), Ok(part));
        assert_eq!(read, entries);
        assert!(reader.is_empty());
    }

    #[test]
    fn m5_a_baseline_before_the_epoch_is_refused() {
        let mut entries = Vec::new();
        let read = read_part(&mut Reader::new(&[0, 6, 0]), Axes::TWO, Tick(5), &mut entries);
        assert_eq!(read, Err(DecodeError::Range));
    }
}
