//! The connection ids that a server gives out. Apart from quinn's own, of which 3 bytes are random: a Retry names an id
//! that no connection must have, and of a thousand clients that come at once one in 8,000 was told one that was taken,
//! and heard nothing more.

use aws_lc_rs::{hmac, rand};
use quinn_proto::{ConnectionId, ConnectionIdGenerator, InvalidCid};

/// No two are the same, among millions, by the first; packets that name no id of this key are told by the second, all
/// but one in 65,536, and answered by nothing. Both stand in every packet to the server.
const RANDOM_BYTES: usize = 6;
const TAG_BYTES: usize = 2;
const BYTES: usize = RANDOM_BYTES + TAG_BYTES;

/// Makes ids, and knows those that any other with the same key has made.
#[derive(Debug)]
pub(crate) struct ConnectionIds(hmac::Key);

impl ConnectionIds {
    pub(crate) fn new(key: hmac::Key) -> Self {
        Self(key)
    }

    fn tag(&self, random: &[u8]) -> [u8; TAG_BYTES] {
        let tag = hmac::sign(&self.0, random);
        tag.as_ref().first_chunk().copied().unwrap_or_default()
    }
}

impl ConnectionIdGenerator for ConnectionIds {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut id = [0; BYTES];
        let (random, tag) = id.split_at_mut(RANDOM_BYTES);
        // Without randomness there was no TLS either.
        let _ = rand::fill(random);
        tag.copy_from_slice(&self.tag(random));
        ConnectionId::new(&id)
    }

    fn validate(&self, id: &ConnectionId) -> Result<(), InvalidCid> {
        match id.split_at_checked(RANDOM_BYTES) {
            Some((random, tag)) if self.tag(random) == *tag => Ok(()),
            _ => Err(InvalidCid),
        }
    }

    fn cid_len(&self) -> usize {
        BYTES
    }

    fn cid_lifetime(&self) -> Option<std::time::Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn ids(key: &[u8]) -> ConnectionIds {
        ConnectionIds::new(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    #[test]
    fn no_two_ids_of_many_are_the_same() {
        let mut ids = ids(b"a");
        // With three random bytes a few hundred would be.
        let many: BTreeSet<_> = (0..100_000).map(|_| ids.generate_cid().to_vec()).collect();
        assert_eq!(many.len(), 100_000);
    }

    #[test]
    fn ids_of_the_same_key_are_known_and_others_are_not() {
        let (mut ours, mut others) = (ids(b"a"), ids(b"b"));
        for _ in 0..100 {
            assert!(ids(b"a").validate(&ours.generate_cid()).is_ok());
        }
        let known = (0..100).filter(|_| ours.validate(&others.generate_cid()).is_ok()).count();
        assert!(known < 3, "{known}");
        assert!(ours.validate(&ConnectionId::new(&[1, 2])).is_err());
    }
}
