//! The entries of a part: who moved and where to, as plain zigzag varints. A better coder changes this module alone.
//!
//! An entry is a varint `gap << 1 | absolute`, where gap counts the slots skipped since the entry before (rule M6);
//! then, when absolute, the generation's low byte and each axis's value, else each axis's difference to the baseline.

use super::{Axes, DecodeError, Position};
use crate::limits::AXES_MAX;
use crate::varint::{self, Reader};

/// One moved slot of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The slot's place in its part.
    pub offset: u8,
    /// Where it moved to.
    pub coding: Coding,
}

/// How an entry says where its slot moved to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// Without a baseline.
    Absolute {
        /// The low byte of the member's generation.
        generation: u8,
        /// Where it is.
        position: Position,
    },
    /// As differences to the slot's position in the baseline, axis by axis.
    Delta([i32; AXES_MAX]),
}

impl Coding {
    /// The difference from `base` to `position`.
    pub fn delta(position: &Position, base: &Position) -> Self {
        Self::Delta(position.minus(base))
    }
}

/// Appends `entries`, whose offsets must rise.
pub(super) fn put_entries(out: &mut Vec<u8>, axes: Axes, entries: &[Entry]) {
    varint::put_u32(out, entries.len() as u32);
    let mut next = 0;
    for entry in entries {
        let gap = u32::from(entry.offset - next);
        next = entry.offset + 1;
        let values = match entry.coding {
            Coding::Absolute { generation, position } => {
                varint::put_u32(out, gap << 1 | 1);
                out.push(generation);
                position.axes()
            }
            Coding::Delta(differences) => {
                varint::put_u32(out, gap << 1);
                differences
            }
        };
        for value in &values[..axes.count()] {
            varint::put_i32(out, *value);
        }
    }
}

/// Reads a part's entries into `entries`, at most one for each slot of the part.
pub(super) fn read_entries(
    reader: &mut Reader<'_>,
    axes: Axes,
    entries: &mut Vec<Entry>,
) -> Result<(), DecodeError> {
    entries.clear();
    let slots = axes.slots_per_part() as u32;
    let count = reader.u32()?;
    if count > slots {
        return Err(DecodeError::Range);
    }
    let mut next = 0u32;
    for _ in 0..count {
        let head = reader.u32()?;
        let offset = next + (head >> 1);
        if offset >= slots {
            return Err(DecodeError::Range);
        }
        next = offset + 1;
        let generation = if head & 1 == 1 { Some(reader.u8()?) } else { None };
        let mut values = [0; AXES_MAX];
        for value in &mut values[..axes.count()] {
            *value = reader.i32()?;
        }
        let coding = match generation {
            Some(generation) => {
                Coding::Absolute { generation, position: Position::checked(values)? }
            }
            None => Coding::Delta(values),
        };
        entries.push(Entry { offset: offset as u8, coding });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{AXIS_LIMIT, MOTION_DATAGRAM_BYTES_MAX};
    use crate::motion::frame::HEADER_BYTES_MAX;

    #[test]
    fn m6_a_small_move_of_a_neighbour_costs_three_bytes() {
        let base = Position::xy(100, 100);
        let entry = Entry { offset: 0, coding: Coding::delta(&Position::xy(105, 97), &base) };
        let mut out = Vec::new();
        put_entries(&mut out, Axes::TWO, &[entry]);
        assert_eq!(out, [1, 0, 10, 5]);
    }

    #[test]
    fn m4_the_longest_part_fits_a_datagram() {
        for count in 1..=4 {
            let axes = Axes::new(count).unwrap();
            let position = Position::new([-AXIS_LIMIT; 4]);
            let entries: Vec<Entry> = (0..axes.slots_per_part() as u8)
                .map(|offset| Entry {
                    offset,
                    coding: Coding::Absolute { generation: 255, position },
                })
                .collect();
            let mut out = Vec::new();
            put_entries(&mut out, axes, &entries);
            // Ten bytes: the part's index and baseline.
            assert!(HEADER_BYTES_MAX + 10 + out.len() <= MOTION_DATAGRAM_BYTES_MAX);
        }
    }

    #[test]
    fn m6_slots_beyond_the_part_are_refused() {
        let mut entries = Vec::new();
        let mut read =
            |bytes: &[u8]| read_entries(&mut Reader::new(bytes), Axes::TWO, &mut entries);
        assert_eq!(read(&[65]), Err(DecodeError::Range));
        assert_eq!(read(&[1, 64 << 1, 1]), Err(DecodeError::Range), "gap of 64");
        assert_eq!(read(&[1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0]), Err(DecodeError::Range));
        assert_eq!(read(&[1, 0, 0]), Err(DecodeError::Truncated));
    }
}
