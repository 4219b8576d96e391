//! One walk over a message before anything is allocated: every length is there, nothing follows, nothing is too deep.
//!
//! serde reserves memory by the lengths that it reads, so they are proven against the bytes first (rule F4).

use super::MessageError;

/// The deepest nesting of any message: its own two levels, a list of members with their maps, a user's value of depth 8.
const NESTING_MAX: usize = 16;

/// 2^53 - 1, the largest integer that every language's number holds exactly.
const INTEGER_MAX: u64 = (1 << 53) - 1;

/// Whether `bytes` are exactly one MessagePack value within the protocol's bounds.
///
/// # Errors
/// Says what is wrong; always the sender's fault.
pub fn check(bytes: &[u8]) -> Result<(), MessageError> {
    let mut walk = Walk { rest: bytes };
    // How many values are still owed at each level; the outermost owes one.
    let mut owed = [0usize; NESTING_MAX + 1];
    owed[0] = 1;
    let mut depth = 0;
    loop {
        while owed[depth] == 0 {
            if depth == 0 {
                return if walk.rest.is_empty() { Ok(()) } else { Err(MessageError::Trailing) };
            }
            depth -= 1;
        }
        owed[depth] -= 1;
        let children = walk.value()?;
        // Each child has a byte at least, so a length that the bytes can't hold ends here.
        if children > walk.rest.len() {
            return Err(MessageError::Truncated);
        }
        if children > 0 {
            depth += 1;
            *owed.get_mut(depth).ok_or(MessageError::TooDeep)? = children;
        }
    }
}

struct Walk<'a> {
    rest: &'a [u8],
}

impl Walk<'_> {
    /// Steps over one value's head and its own bytes; returns how many values are inside it.
    fn value(&mut self) -> Result<usize, MessageError> {
        let head = self.uint(1)? as u8;
        match head {
            0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => Ok(0),
            0x80..=0x8f => Ok(usize::from(head & 0x0f) * 2),
            0x90..=0x9f => Ok(usize::from(head & 0x0f)),
            0xa0..=0xbf => self.skip(u64::from(head & 0x1f)),
            0xc4 | 0xd9 => self.sized(1),
            0xc5 | 0xda => self.sized(2),
            0xc6 | 0xdb => self.sized(4),
            0xca => self.skip(4),
            0xcb => self.skip(8),
            0xcc..=0xcf => self.unsigned(1 << (head - 0xcc)),
            0xd0..=0xd3 => self.signed(1 << (head - 0xd0)),
            0xdc => Ok(self.uint(2)? as usize),
            0xdd => Ok(self.uint(4)? as usize),
            0xde => Ok(self.uint(2)? as usize * 2),
            0xdf => Ok((self.uint(4)? as usize).saturating_mul(2)),
            0xc1 | 0xc7..=0xc9 | 0xd4..=0xd8 => Err(MessageError::Type),
        }
    }

    fn sized(&mut self, bytes: usize) -> Result<usize, MessageError> {
        let len = self.uint(bytes)?;
        self.skip(len)
    }

    fn skip(&mut self, len: u64) -> Result<usize, MessageError> {
        let len = usize::try_from(len).map_err(|_| MessageError::Truncated)?;
        self.rest = self.rest.get(len..).ok_or(MessageError::Truncated)?;
        Ok(0)
    }

    fn unsigned(&mut self, bytes: usize) -> Result<usize, MessageError> {
        if self.uint(bytes)? > INTEGER_MAX { Err(MessageError::Integer) } else { Ok(0) }
    }

    fn signed(&mut self, bytes: usize) -> Result<usize, MessageError> {
        let raw = self.uint(bytes)?;
        let value = (raw << (64 - 8 * bytes)) as i64 >> (64 - 8 * bytes);
        if value.unsigned_abs() > INTEGER_MAX { Err(MessageError::Integer) } else { Ok(0) }
    }

    fn uint(&mut self, bytes: usize) -> Result<u64, MessageError> {
        let (head, rest) = self.rest.split_at_checked(bytes).ok_or(MessageError::Truncated)?;
        self.rest = rest;
        Ok(head.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(bytes: &[u8], expected: Result<(), MessageError>) {
        assert_eq!(check(bytes), expected, "{bytes:02x?}");
    }

    #[test]
    fn f4_one_whole_value_and_nothing_more() {
        case(&[0xc0], Ok(()));
        case(&[0x92, 0x01, 0x80], Ok(()));
        case(&[0x81, 0xa1, b'a', 0xcb, 0, 0, 0, 0, 0, 0, 0, 0], Ok(()));
        case(&[], Err(MessageError::Truncated));
        case(&[0x92, 0x01], Err(MessageError::Truncated));
        case(&[0xa3, b'a', b'b'], Err(MessageError::Truncated));
        case(&[0xc0, 0xc0], Err(MessageError::Trailing));
    }

    #[test]
    fn f4_a_length_bomb_is_found_before_anything_is_allocated() {
        case(&[0xdd, 0xff, 0xff, 0xff, 0xff], Err(MessageError::Truncated));
        case(&[0xdf, 0xff, 0xff, 0xff, 0xff], Err(MessageError::Truncated));
        case(&[0xdb, 0xff, 0xff, 0xff, 0xff, 0], Err(MessageError::Truncated));
    }

    #[test]
    fn f4_a_depth_bomb_is_refused() {
        let mut bytes = vec![0x91; NESTING_MAX];
        bytes.push(0xc0);
        case(&bytes, Ok(()));
        bytes.insert(0, 0x91);
        case(&bytes, Err(MessageError::TooDeep));
        case(&vec![0x91; 60_000], Err(MessageError::TooDeep));
    }

    #[test]
    fn f3_integers_stay_below_2_to_the_53() {
        case(&[0xcf, 0x00, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], Ok(()));
        case(&[0xcf, 0x00, 0x20, 0, 0, 0, 0, 0, 0], Err(MessageError::Integer));
        case(&[0xd3, 0xff, 0xe0, 0, 0, 0, 0, 0, 1], Ok(()));
        case(&[0xd3, 0xff, 0xe0, 0, 0, 0, 0, 0, 0], Err(MessageError::Integer));
        case(&[0xd0, 0xff], Ok(()));
    }

    #[test]
    fn f3_ext_is_refused() {
        case(&[0xd4, 0x01, 0x00], Err(MessageError::Type));
        case(&[0xc1], Err(MessageError::Type));
    }
}
