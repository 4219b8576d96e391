//! One walk over a message before anything is allocated: every length is there, nothing follows, nothing is too deep.
//!
//! serde reserves memory by the lengths that it reads, so they are proven against the bytes first (rule F4).

use super::MessageError;

/// The deepest nesting of any message: `edits` has seven levels of its own around a user's value of depth 8.
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
    let mut owed = [Level::default(); NESTING_MAX + 1];
    owed[0].values = 1;
    let mut depth = 0;
    loop {
        while owed[depth].values == 0 {
            if depth == 0 {
                return if walk.rest.is_empty() { Ok(()) } else { Err(MessageError::Trailing) };
            }
            depth -= 1;
        }
        let level = &mut owed[depth];
        if level.is_map && level.values % 2 == 0 && !walk.is_at_string() {
            return Err(MessageError::Key);
        }
        level.values -= 1;
        let inside = walk.value()?;
        // Each value has a byte at least, so a length that the bytes can't hold ends here.
        if inside.values > walk.rest.len() {
            return Err(MessageError::Truncated);
        }
        if inside.values > 0 {
            depth += 1;
            *owed.get_mut(depth).ok_or(MessageError::TooDeep)? = inside;
        }
    }
}

/// The values that are still to come inside an array or a map, a map's keys among them.
#[derive(Clone, Copy, Default)]
struct Level {
    values: usize,
    is_map: bool,
}

impl Level {
    const NONE: Self = Self { values: 0, is_map: false };

    fn array(len: u64) -> Self {
        Self { values: usize::try_from(len).unwrap_or(usize::MAX), is_map: false }
    }

    fn map(len: u64) -> Self {
        // Saturated or not, such a length is above what any message holds.
        Self { values: Self::array(len).values.saturating_mul(2), is_map: true }
    }
}

struct Walk<'a> {
    rest: &'a [u8],
}

impl<'a> Walk<'a> {
    /// Whether a string comes next. At the end of the bytes, too: what is missing is not of a wrong type.
    fn is_at_string(&self) -> bool {
        matches!(self.rest.first(), None | Some(0xa0..=0xbf | 0xd9..=0xdb))
    }

    /// Steps over one value's head and its own bytes; returns how many values are inside it.
    fn value(&mut self) -> Result<Level, MessageError> {
        let head = self.uint(1)? as u8;
        match head {
            0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => Ok(Level::NONE),
            0x80..=0x8f => Ok(Level::map(u64::from(head & 0x0f))),
            0x90..=0x9f => Ok(Level::array(u64::from(head & 0x0f))),
            0xa0..=0xbf => self.string(u64::from(head & 0x1f)),
            0xc4..=0xc6 => {
                let len = self.uint(1 << (head - 0xc4))?;
                self.take(len).map(|_| Level::NONE)
            }
            0xca | 0xcb => self.take(4 << (head - 0xca)).map(|_| Level::NONE),
            0xcc..=0xcf => self.unsigned(1 << (head - 0xcc)),
            0xd0..=0xd3 => self.signed(1 << (head - 0xd0)),
            0xd9..=0xdb => {
                let len = self.uint(1 << (head - 0xd9))?;
                self.string(len)
            }
            0xdc | 0xdd => Ok(Level::array(self.uint(2 << (head - 0xdc))?)),
            0xde | 0xdf => Ok(Level::map(self.uint(2 << (head - 0xde))?)),
            0xc1 | 0xc7..=0xc9 | 0xd4..=0xd8 => Err(MessageError::Type),
        }
    }

    fn string(&mut self, len: u64) -> Result<Level, MessageError> {
        // serde would take what is no UTF-8 for binary data.
        let text = std::str::from_utf8(self.take(len)?);
        text.map(|_| Level::NONE).map_err(|_| MessageError::Text)
    }

    fn unsigned(&mut self, bytes: u64) -> Result<Level, MessageError> {
        if self.uint(bytes)? > INTEGER_MAX { Err(MessageError::Integer) } else { Ok(Level::NONE) }
    }

    fn signed(&mut self, bytes: u64) -> Result<Level, MessageError> {
        let raw = self.uint(bytes)?;
        let value = (raw << (64 - 8 * bytes)) as i64 >> (64 - 8 * bytes);
        let outside = value.unsigned_abs() > INTEGER_MAX;
        if outside { Err(MessageError::Integer) } else { Ok(Level::NONE) }
    }

    fn uint(&mut self, bytes: u64) -> Result<u64, MessageError> {
        Ok(self.take(bytes)?.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    }

    fn take(&mut self, len: u64) -> Result<&'a [u8], MessageError> {
        let len = usize::try_from(len).map_err(|_| MessageError::Truncated)?;
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(MessageError::Truncated)?;
        self.rest = rest;
        Ok(taken)
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

    #[test]
    fn f3_strings_are_utf_8_and_keys_are_strings() {
        case(&[0xa2, 0xc3, 0x9f], Ok(()));
        case(&[0xa1, 0xff], Err(MessageError::Text));
        case(&[0xd9, 1, 0xff], Err(MessageError::Text));
        case(&[0xc4, 1, 0xff], Ok(()));
        case(&[0x81, 0xa1, b'a', 0x81, 0xd9, 1, b'b', 0x01], Ok(()));
        case(&[0x81, 0x01, 0x02], Err(MessageError::Key));
        case(&[0x92, 0x82, 0xa1, b'a', 0x90, 0xc4, 1, b'b', 0x01, 0x01], Err(MessageError::Key));
        case(&[0x81, 0xdb], Err(MessageError::Truncated));
        case(&[0x82, 0xa1, b'a', 0x01], Err(MessageError::Truncated));
    }
}
