//! MessagePack as a tree that can be bent: what a sender might say who knows the coding and gets a message wrong.

use rand::RngExt;
use rand::rngs::StdRng;

/// A value; what is neither an array nor a map stays the bytes that it is.
#[derive(Clone, Debug)]
pub(crate) enum Tree {
    Bytes(Vec<u8>),
    Array(Vec<Self>),
    Map(Vec<(Self, Self)>),
}

/// Values to put where others are expected: nil, a flag, floats, integers in unusual widths and at the ends of ranges,
/// a string, the same as binary data, nothing in an array and in a map.
const TELLING: [&[u8]; 22] = [
    b"\xc0",
    b"\xc3",
    b"\xca\x3f\x80\x00\x00",
    b"\xca\x7f\xc0\x00\x00",
    b"\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00",
    b"\xcb\xff\xf0\x00\x00\x00\x00\x00\x00",
    b"\x00",
    b"\xff",
    b"\xcc\x02",
    b"\xd3\x00\x00\x00\x00\x00\x00\x00\x03",
    b"\xcf\x00\x00\x00\x00\x00\x00\x00\x04",
    b"\xcd\x01\x00",
    b"\xcd\x10\x00",
    b"\xce\x00\x01\x00\x00",
    b"\xcf\x00\x00\x00\x01\x00\x00\x00\x00",
    b"\xcf\x00\x20\x00\x00\x00\x00\x00\x00",
    b"\xd3\xff\xe0\x00\x00\x00\x00\x00\x01",
    b"\xa1a",
    b"\xd9\x01a",
    b"\xc4\x01a",
    b"\x90",
    b"\x80",
];

impl Tree {
    /// The tree of a well-formed value.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let mut rest = bytes;
        let tree = Self::read_one(&mut rest);
        assert!(rest.is_empty(), "one value");
        tree
    }

    /// One random change of it, somewhere.
    pub(crate) fn bend(&mut self, rng: &mut StdRng) {
        let copy = self.clone();
        let other = copy.pick(rng);
        let at = rng.random_range(0..self.count());
        self.nth(&mut { at }).expect("it has so many").change(rng, other);
    }

    /// Its bytes; heads of arrays and maps are longer than needed now and then.
    pub(crate) fn write(&self, rng: &mut StdRng, out: &mut Vec<u8>) {
        let mut head = |len: usize, fix: u8, wide: u8| match rng.random_range(0..50) {
            0 => {
                out.push(wide + 1);
                out.extend((len as u32).to_be_bytes());
            }
            1.. if len < 16 && rng.random_bool(0.98) => out.push(fix | len as u8),
            _ => {
                out.push(wide);
                out.extend((len as u16).to_be_bytes());
            }
        };
        match self {
            Self::Bytes(bytes) => out.extend(bytes),
            Self::Array(items) => {
                head(items.len(), 0x90, 0xdc);
                items.iter().for_each(|item| item.write(rng, out));
            }
            Self::Map(entries) => {
                head(entries.len(), 0x80, 0xde);
                for (key, value) in entries {
                    key.write(rng, out);
                    value.write(rng, out);
                }
            }
        }
    }

    fn change(&mut self, rng: &mut StdRng, other: Self) {
        let telling = Self::Bytes(TELLING[rng.random_range(0..TELLING.len())].to_vec());
        match (rng.random_range(0..8), &mut *self) {
            (0, Self::Map(entries)) => {
                // As some serializers write maps with known keys.
                *self = Self::Array(entries.drain(..).map(|(_, value)| value).collect());
            }
            (1 | 2, Self::Map(entries)) if !entries.is_empty() => {
                let at = rng.random_range(0..entries.len());
                drop(entries.remove(at));
            }
            (3, Self::Map(entries)) if !entries.is_empty() => {
                let twice = entries[rng.random_range(0..entries.len())].clone();
                entries.push(twice);
            }
            (4, Self::Map(entries)) => entries.push((Self::Bytes(b"\xa2zz".to_vec()), other)),
            (0..3, Self::Array(items)) => items.push(other),
            (3 | 4, Self::Array(items)) => drop(items.pop()),
            (5, _) => *self = other,
            (6, _) => {
                for _ in 0..rng.random_range(1..18) {
                    *self = Self::Array(vec![std::mem::replace(self, Self::Array(Vec::new()))]);
                }
            }
            (_, Self::Bytes(bytes)) if bytes[0] & 0xe0 == 0xa0 && rng.random_bool(0.3) => {
                // A string as binary data.
                let len = bytes[0] & 0x1f;
                bytes.splice(0..1, [0xc4, len]);
            }
            _ => *self = telling,
        }
    }

    fn pick(&self, rng: &mut StdRng) -> Self {
        let at = rng.random_range(0..self.count());
        self.clone().nth(&mut { at }).expect("it has so many").clone()
    }

    /// How many values it is made of, itself and keys too.
    fn count(&self) -> usize {
        1 + match self {
            Self::Bytes(_) => 0,
            Self::Array(items) => items.iter().map(Self::count).sum(),
            Self::Map(entries) => {
                entries.iter().map(|(key, value)| key.count() + value.count()).sum()
            }
        }
    }

    fn nth(&mut self, left: &mut usize) -> Option<&mut Self> {
        if *left == 0 {
            return Some(self);
        }
        *left -= 1;
        match self {
            Self::Bytes(_) => None,
            Self::Array(items) => items.iter_mut().find_map(|item| item.nth(left)),
            Self::Map(entries) => entries
                .iter_mut()
                .flat_map(|(key, value)| [key, value])
                .find_map(|inner| inner.nth(left)),
        }
    }

    fn read_one(rest: &mut &[u8]) -> Self {
        let head = rest[0];
        let long = |rest: &[u8], bytes: usize| {
            rest[1..=bytes].iter().fold(0, |len, byte| len << 8 | usize::from(*byte))
        };
        let (start, len) = match head {
            0x80..=0x9f => (1, usize::from(head & 0x0f)),
            0xdc | 0xde => (3, long(rest, 2)),
            0xdd | 0xdf => (5, long(rest, 4)),
            _ => (0, 0),
        };
        if start > 0 {
            *rest = &rest[start..];
            return match head {
                0x80..=0x8f | 0xde | 0xdf => Self::Map(
                    (0..len).map(|_| (Self::read_one(rest), Self::read_one(rest))).collect(),
                ),
                _ => Self::Array((0..len).map(|_| Self::read_one(rest)).collect()),
            };
        }
        let size = match head {
            0xa0..=0xbf => 1 + usize::from(head & 0x1f),
            0xc4 | 0xd9 => 2 + long(rest, 1),
            0xc5 | 0xda => 3 + long(rest, 2),
            0xc6 | 0xdb => 5 + long(rest, 4),
            0xca => 5,
            0xcb => 9,
            0xcc..=0xcf => 1 + (1 << (head - 0xcc)),
            0xd0..=0xd3 => 1 + (1 << (head - 0xd0)),
            _ => 1,
        };
        let (bytes, after) = rest.split_at(size);
        *rest = after;
        Self::Bytes(bytes.to_vec())
    }
}
