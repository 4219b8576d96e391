//! What a member may do in a room: five bits, decided by the server from the token, told to the client in `joined`.

use std::fmt;
use std::ops::BitOr;

use serde::{Deserialize, Serialize};

/// A set of rights. Unknown bits of later versions are kept and mean nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rights(pub u8);

impl Rights {
    /// Nothing at all.
    pub const NONE: Self = Self(0);
    /// Be in the room and see it.
    pub const JOIN: Self = Self(1);
    /// Write one's own presence.
    pub const PRESENCE: Self = Self(2);
    /// Send motion.
    pub const MOTION: Self = Self(4);
    /// Send events.
    pub const BROADCAST: Self = Self(8);
    /// Edit the document.
    pub const EDIT: Self = Self(16);
    /// Everything that this version knows.
    pub const ALL: Self = Self(31);

    const NAMES: [(&'static str, Self); 5] = [
        ("join", Self::JOIN),
        ("presence", Self::PRESENCE),
        ("motion", Self::MOTION),
        ("broadcast", Self::BROADCAST),
        ("edit", Self::EDIT),
    ];

    /// The right of that name in a token or a config: `join`, `presence`, `motion`, `broadcast` or `edit`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|&(_, right)| right)
    }

    /// The names of the rights in the set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().filter(move |(_, right)| self.contains(*right)).map(|(name, _)| *name)
    }

    /// Whether every right of `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Rights {
    type Output = Self;

    fn bitor(self, rhs: Self) -> Self {
        Self(self.0 | rhs.0)
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().collect::<Vec<_>>().join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_have_names() {
        let rights = Rights::JOIN | Rights::EDIT;
        assert_eq!(rights.to_string(), "join,edit");
        assert_eq!(Rights::from_name("edit"), Some(Rights::EDIT));
        assert_eq!(Rights::from_name("admin"), None);
        assert!(Rights::ALL.contains(rights) && !rights.contains(Rights::ALL));
    }
}
