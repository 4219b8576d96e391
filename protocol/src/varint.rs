//! Little-endian base-128 integers (LEB128) and zigzag: the one integer coding of datagrams and of length prefixes.
//!
//! Seven bits a byte, the lowest first; the high bit says that more follow. Rule F2: an integer that does not fit its
//! type is an error; a longer coding of a small integer is accepted.

use crate::motion::DecodeError;

/// Appends `value`, 1 to 5 bytes.
pub fn put_u32(out: &mut Vec<u8>, value: u32) {
    put_u128(out, u128::from(value));
}

/// Appends `value`, 1 to 19 bytes.
pub fn put_u128(out: &mut Vec<u8>, mut value: u128) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends `value` in zigzag: 0, -1, 1, -2, 2 become 0, 1, 2, 3, 4.
pub fn put_i32(out: &mut Vec<u8>, value: i32) {
    put_u32(out, ((value << 1) ^ (value >> 31)) as u32);
}

/// A cursor over the bytes of one datagram. Never reads past the end, never allocates.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether everything has been read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What has not been read.
    pub fn into_rest(self) -> &'a [u8] {
        self.rest
    }

    /// Reads one byte.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        let (&first, rest) = self.rest.split_first().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(first)
    }

    /// Reads an integer of at most 32 bits.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        u32::try_from(self.bits(5)?).map_err(|_| DecodeError::Overflow)
    }

    /// Reads an integer of at most 128 bits, a set of part numbers.
    pub fn u128(&mut self) -> Result<u128, DecodeError> {
        self.bits(19)
    }

    /// Reads a zigzag integer of at most 32 bits.
    pub fn i32(&mut self) -> Result<i32, DecodeError> {
        let raw = self.u32()?;
        Ok((raw >> 1) as i32 ^ -((raw & 1) as i32))
    }

    fn bits(&mut self, bytes_max: u32) -> Result<u128, DecodeError> {
        let mut value = 0u128;
        for index in 0..bytes_max {
            let byte = self.u8()?;
            let group = u128::from(byte & 0x7f);
            if (group << (7 * index)) >> (7 * index) != group {
                return Err(DecodeError::Overflow);
            }
            value |= group << (7 * index);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::Overflow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn f2_what_is_put_is_read(a: u32, b: i32, d: u128) {
            let mut out = Vec::new();
            put_u32(&mut out, a);
            put_i32(&mut out, b);
            put_u128(&mut out, d);
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.u32(), Ok(a));
            prop_assert_eq!(reader.i32(), Ok(b));
            prop_assert_eq!(reader.u128(), Ok(d));
            prop_assert!(reader.is_empty());
        }
    }

    #[test]
    fn f2_too_large_and_cut_integers_are_errors() {
        assert_eq!(Reader::new(&[0x80, 0x80, 0x80, 0x80, 0x10]).u32(), Err(DecodeError::Overflow));
        assert_eq!(Reader::new(&[0x80; 6]).u32(), Err(DecodeError::Overflow));
        assert_eq!(Reader::new(&[0x80, 0x80]).u32(), Err(DecodeError::Truncated));
        assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x0f]).u32(), Ok(u32::MAX));
        assert_eq!(Reader::new(&[0x81, 0x00]).u32(), Ok(1));
    }

    #[test]
    fn f2_zigzag_keeps_small_numbers_small() {
        for (value, coded) in [(0, 0), (-1, 1), (1, 2), (-2, 3), (63, 126), (-64, 127)] {
            let mut out = Vec::new();
            put_i32(&mut out, value);
            assert_eq!(out, [coded]);
        }
    }
}
