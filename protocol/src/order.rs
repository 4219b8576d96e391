//! Keys that sort, and between any two of which there is place for another: the order of a list whose items are
//! records. Apart from documents, which know nothing of it.
//!
//! The algorithm is that of David Greenspan, "Implementing Fractional Indexing" (2020). A key is a number in base 62:
//! an integer, whose first character says how long it is, and digits behind the point, of which the last is not 0. So
//! what is put at an end only ever counts up or down, and grows by a digit for 62 times as many; only what is put
//! between two others again and again takes a digit for each few.

use std::iter;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE: usize = DIGITS.len();
/// The lowest integer. There is nothing below it, so alone it is no key.
const LOWEST: &[u8] = b"A00000000000000000000000000";

/// Why there is no key between two others. The caller is at fault, or who wrote them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// One of them is no key.
    #[error("no order key")]
    NoKey,
    /// The first does not sort before the second.
    #[error("the key that is to come first does not")]
    NotBefore,
}

/// A key that sorts behind `after` and before `before`, byte by byte: with neither the first one, with one of them the
/// next one outwards. It depends on nothing else, so two clients that put something at one place at once get the same
/// key: let the records' ids decide then.
///
/// # Errors
/// [`OrderError`].
pub fn between(after: Option<&str>, before: Option<&str>) -> Result<String, OrderError> {
    let low = after.map(Key::parse).transpose()?;
    let high = before.map(Key::parse).transpose()?;
    let key = match (low, high) {
        (None, None) => b"a0".to_vec(),
        (None, Some(high)) => high.beneath(),
        (Some(low), None) => match step(low.integer, Way::Up) {
            Some(next) => next,
            None => low.behind(),
        },
        (Some(low), Some(high)) if low >= high => return Err(OrderError::NotBefore),
        (Some(low), Some(high)) if low.integer == high.integer => {
            [low.integer, &digits_between(low.fraction, Some(high.fraction))].concat()
        }
        (Some(low), Some(high)) => match step(low.integer, Way::Up) {
            Some(next) if *next < *[high.integer, high.fraction].concat() => next,
            _ => low.behind(),
        },
    };
    Ok(key.into_iter().map(char::from).collect())
}

/// Its parts sort as the whole does, since no integer begins another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key<'a> {
    integer: &'a [u8],
    fraction: &'a [u8],
}

impl<'a> Key<'a> {
    fn parse(key: &'a str) -> Result<Self, OrderError> {
        let key = key.as_bytes();
        let len = match key.first() {
            Some(head @ b'a'..=b'z') => usize::from(head - b'a') + 2,
            Some(head @ b'A'..=b'Z') => usize::from(b'Z' - head) + 2,
            _ => return Err(OrderError::NoKey),
        };
        let (integer, fraction) = key.split_at_checked(len).ok_or(OrderError::NoKey)?;
        let is_key = key.iter().all(u8::is_ascii_alphanumeric) && key != LOWEST;
        let is_key = is_key && fraction.last() != Some(&b'0');
        is_key.then_some(Self { integer, fraction }).ok_or(OrderError::NoKey)
    }

    fn beneath(self) -> Vec<u8> {
        let below = match step(self.integer, Way::Down) {
            None => return [LOWEST, &digits_between(b"", Some(self.fraction))].concat(),
            Some(_) if !self.fraction.is_empty() => self.integer.to_vec(),
            Some(below) => below,
        };
        if below == LOWEST { [LOWEST, &digits_between(b"", None)].concat() } else { below }
    }

    fn behind(self) -> Vec<u8> {
        [self.integer, &digits_between(self.fraction, None)].concat()
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Up,
    Down,
}

/// The next integer up or down. `None` behind the last one.
fn step(integer: &[u8], way: Way) -> Option<Vec<u8>> {
    let (most, least) = if way == Way::Up { (b'z', b'0') } else { (b'0', b'z') };
    let (&head, digits) = integer.split_first()?;
    let Some(at) = digits.iter().rposition(|digit| *digit != most) else {
        let (head, is_longer) = match (head, way) {
            (b'z', Way::Up) | (b'A', Way::Down) => return None,
            (b'Z', Way::Up) => (b'a', None),
            (b'a', Way::Down) => (b'Z', None),
            (head, Way::Up) => (head + 1, Some(head >= b'a')),
            (head, Way::Down) => (head - 1, Some(head <= b'Z')),
        };
        let len = match is_longer {
            None => 1,
            Some(true) => digits.len() + 1,
            Some(false) => digits.len() - 1,
        };
        return Some(iter::once(head).chain(iter::repeat_n(least, len)).collect());
    };
    let value = value_of(digits[at]);
    let next = DIGITS[if way == Way::Up { value + 1 } else { value - 1 }];
    let mut stepped = [&[head], &digits[..at], &[next]].concat();
    stepped.resize(integer.len(), least);
    Some(stepped)
}

/// Digits between those of two fractions, or behind those of one.
fn digits_between(low: &[u8], mut high: Option<&[u8]>) -> Vec<u8> {
    let mut digits = Vec::new();
    loop {
        let at = digits.len();
        let a = low.get(at).map_or(0, |digit| value_of(*digit));
        let b = high.and_then(|high| high.get(at)).map_or(BASE, |digit| value_of(*digit));
        if b - a > 1 {
            digits.push(DIGITS[(a + b) / 2]);
            return digits;
        }
        if b > a && high.is_some_and(|high| high.len() > at + 1) {
            digits.push(DIGITS[b]);
            return digits;
        }
        digits.push(DIGITS[a]);
        // What is behind a lower digit is lower, whatever it is.
        high = high.filter(|_| b == a);
    }
}

fn value_of(digit: u8) -> usize {
    usize::from(match digit {
        b'0'..=b'9' => digit - b'0',
        b'A'..=b'Z' => digit - b'A' + 10,
        _ => digit - b'a' + 36,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_at_an_end_grows_by_a_digit_for_62_times_as_many() {
        for is_up in [true, false] {
            let mut key = "a0".to_owned();
            for count in 1..10_000_u32 {
                let end = Some(key.as_str());
                let (after, before) = if is_up { (end, None) } else { (None, end) };
                let next = between(after, before).unwrap();
                assert_eq!(key < next, is_up);
                assert!(next.len() <= 2 + (count as f64).log(62.0) as usize, "{count}: {next}");
                key = next;
            }
        }
    }

    #[test]
    fn there_is_always_something_between() {
        let (mut low, mut high) = ("a0".to_owned(), "a1".to_owned());
        for count in 0..1_000 {
            let key = between(Some(&low), Some(&high)).unwrap();
            assert!(low < key && key < high, "{low} {key} {high}");
            *(if count % 3 == 0 { &mut low } else { &mut high }) = key;
        }
    }

    #[test]
    fn the_last_integers_have_something_beyond() {
        let last = format!("z{}", "z".repeat(26));
        assert_eq!(between(Some(&last), None), Ok(format!("{last}V")));
        let first = format!("A{}1", "0".repeat(26));
        let before = between(None, Some(&first)).unwrap();
        assert!(before < first, "{before}");
    }

    #[test]
    fn what_is_no_key_is_said() {
        for key in ["", "0", "a", "a00", "b1", "a0-", "ä0", "A00000000000000000000000000"] {
            assert_eq!(between(Some(key), None), Err(OrderError::NoKey), "{key}");
            assert_eq!(between(None, Some(key)), Err(OrderError::NoKey), "{key}");
        }
        assert_eq!(between(Some("a1"), Some("a1")), Err(OrderError::NotBefore));
        assert_eq!(between(Some("a2"), Some("a1")), Err(OrderError::NotBefore));
    }
}
