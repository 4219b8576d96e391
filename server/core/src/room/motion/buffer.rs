//! A datagram in one allocation: its bytes lie beside the count of those who share them. `Bytes` of a slice makes a
//! second allocation, for the count, when it is first cloned.

use bytes::Bytes;

/// A copy of a datagram, to be shared. Sizes double, so at most half of its memory is unused.
pub(super) fn share(datagram: &[u8]) -> Bytes {
    match datagram.len() {
        0..=54 => Bytes::from_owner(Buffer::<54>::new(datagram)),
        55..=118 => Bytes::from_owner(Buffer::<118>::new(datagram)),
        119..=246 => Bytes::from_owner(Buffer::<246>::new(datagram)),
        247..=502 => Bytes::from_owner(Buffer::<502>::new(datagram)),
        503..=1_006 => Bytes::from_owner(Buffer::<1_006>::new(datagram)),
        _ => Bytes::copy_from_slice(datagram), // no frame is so long
    }
}

/// At most `N` bytes. With its length and its count it fills a power of two.
struct Buffer<const N: usize> {
    length: u16,
    bytes: [u8; N],
}

impl<const N: usize> Buffer<N> {
    fn new(datagram: &[u8]) -> Self {
        let mut bytes = [0; N];
        bytes[..datagram.len()].copy_from_slice(datagram);
        Self { length: datagram.len() as u16, bytes }
    }
}

impl<const N: usize> AsRef<[u8]> for Buffer<N> {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_of_any_length_is_shared_as_it_is() {
        let bytes: Vec<u8> = (0..1_100).map(|at| at as u8).collect();
        for length in 0..=bytes.len() {
            let shared = share(&bytes[..length]);
            assert_eq!((&shared[..], &shared.clone()[..]), (&bytes[..length], &bytes[..length]));
        }
    }
}
