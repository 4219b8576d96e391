//! What tells one session from all others, apart because rooms know it, too, and nobody else should.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A session's secret id. It is never printed, and is sent only within a resume token, to its own client (S1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SessionId(pub u128);

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(secret)")
    }
}
