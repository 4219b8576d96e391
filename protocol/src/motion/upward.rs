//! What a client sends in datagrams: samples of its own motion, and acks of the frames that it decoded (M8, M9).
//!
//! ```text
//! sample := 0x02 | room varint | number varint | axis zigzag varint...
//! ack    := 0x03 | room varint | tick varint | parts varint of up to 128 bits, bit i for part i
//! ```

use super::{Axes, DecodeError, Position};
use crate::ids::{RoomHandle, Tick};
use crate::limits::AXES_MAX;
use crate::varint::{self, Reader};

const SAMPLE: u8 = 0x02;
const ACK: u8 = 0x03;

/// One record of an upward datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upward {
    /// Where the member is.
    Sample(Sample),
    /// What it has seen.
    Ack(Ack),
}

/// A member's position in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The room.
    pub room: RoomHandle,
    /// The client's number for this sample, rising over all rooms of the connection; the highest wins.
    pub number: u32,
    /// The position.
    pub position: Position,
}

/// The parts of one tick's frame that a client decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The room.
    pub room: RoomHandle,
    /// The frame's tick.
    pub tick: Tick,
    /// Bit i is set if part i was decoded.
    pub parts: u128,
}

impl Sample {
    /// Appends the record.
    pub fn put(&self, out: &mut Vec<u8>, axes: &Axes) {
        out.push(SAMPLE);
        varint::put_u32(out, self.room.0);
        varint::put_u32(out, self.number);
        for value in &self.position.axes()[..axes.count()] {
            varint::put_i32(out, *value);
        }
    }
}

impl Ack {
    /// Appends the record.
    pub fn put(&self, out: &mut Vec<u8>) {
        out.push(ACK);
        varint::put_u32(out, self.room.0);
        varint::put_u32(out, self.tick.0);
        varint::put_u128(out, self.parts);
    }
}

/// Reads the next record of an upward datagram, `None` at its end. `axes_of` says how many axes a room has; a sample
/// for a room that it does not know ends the datagram, as its length can't be known.
///
/// # Errors
/// The rest of the datagram is of no use; the records before it stand.
pub fn read(
    reader: &mut Reader<'_>,
    axes_of: impl FnOnce(RoomHandle) -> Option<Axes>,
) -> Result<Option<Upward>, DecodeError> {
    if reader.is_empty() {
        return Ok(None);
    }
    let kind = reader.u8()?;
    if kind != SAMPLE && kind != ACK {
        return Err(DecodeError::Kind);
    }
    let room = RoomHandle(reader.u32()?);
    if kind == ACK {
        let tick = Tick(reader.u32()?);
        return Ok(Some(Upward::Ack(Ack { room, tick, parts: reader.u128()? })));
    }
    let axes = axes_of(room).ok_or(DecodeError::Room)?;
    let number = reader.u32()?;
    let mut values = [0; AXES_MAX];
    for value in &mut values[..axes.count()] {
        *value = reader.i32()?;
    }
    let position = axes.checked(values)?;
    Ok(Some(Upward::Sample(Sample { room, number, position })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read_all(bytes: &[u8]) -> Result<Vec<Upward>, DecodeError> {
        let mut reader = Reader::new(bytes);
        let mut records = Vec::new();
        while let Some(record) = read(&mut reader, |_| Some(Axes::TWO))? {
            records.push(record);
        }
        Ok(records)
    }

    #[test]
    fn m8_samples_and_acks_share_a_datagram() {
        let ack = Ack { room: RoomHandle(4), tick: Tick(900), parts: 1 << 127 | 1 };
        let sample = Sample { room: RoomHandle(4), number: 77, position: Position::xy(-640, 480) };
        let mut out = Vec::new();
        ack.put(&mut out);
        sample.put(&mut out, &Axes::TWO);
        assert_eq!(read_all(&out), Ok(vec![Upward::Ack(ack), Upward::Sample(sample)]));
    }

    #[test]
    fn m2_a_position_out_of_range_is_refused() {
        let mut out = vec![SAMPLE, 1, 1];
        varint::put_i32(&mut out, i32::MAX);
        varint::put_i32(&mut out, 0);
        assert_eq!(read_all(&out), Err(DecodeError::Range));
    }

    proptest! {
        #[test]
        fn m1_any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_all(&bytes);
        }
    }
}
