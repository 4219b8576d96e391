//! What a person may do: the outcome of a hello, apart from the ways to get one, so that rooms and
//! sessions know rights and never tokens.

use std::fmt;
use std::ops::BitOr;

/// Who a session is, what it may do, and until when. Stamped by the server; a client can't write
/// it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The user's identity, 1-128 bytes; the same for each session of one user.
    pub user_id: String,
    /// The name that others see, 1-64 bytes, if there is one.
    pub name: Option<String>,
    /// Milliseconds since the Unix epoch from which the grant holds no longer, also within a
    /// running session; `None` never ends.
    pub expires_ms: Option<u64>,
    /// The rooms it opens. A room that no pattern matches can't be joined.
    pub rooms: Vec<RoomGrant>,
}

impl Grant {
    /// The rights in the room `namespace:name`: the union over all patterns that match it.
    #[must_use]
    pub fn rights_in(&self, room: &str) -> Rights {
        self.rooms
            .iter()
            .filter(|grant| grant.pattern.matches(room))
            .fold(Rights::NONE, |rights, grant| rights | grant.rights)
    }

    /// Whether the grant has ended at `now_ms`, milliseconds since the Unix epoch.
    #[must_use]
    pub fn has_expired(&self, now_ms: u64) -> bool {
        self.expires_ms.is_some_and(|expires| now_ms >= expires)
    }
}

/// Rights in all rooms that one pattern matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomGrant {
    /// The rooms.
    pub pattern: Pattern,
    /// The rights in each of them.
    pub rights: Rights,
}

/// One room, or the rooms whose names begin alike: `design:logo` exactly, `design:logo-*` by
/// prefix, `design:*` all of a namespace, `*` all. A star stands only at the end, and a namespace
/// is never cut by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    is_prefix: bool,
}

impl Pattern {
    /// The pattern of every room.
    #[must_use]
    pub fn any() -> Self {
        Self { text: String::new(), is_prefix: true }
    }

    /// Reads a pattern as a token or a command line writes it.
    ///
    /// # Errors
    /// Whoever wrote the pattern: it has no namespace, no name, or a star before its end.
    pub fn parse(pattern: &str) -> Result<Self, PatternError> {
        if pattern == "*" {
            return Ok(Self::any());
        }
        let (text, is_prefix) = match pattern.strip_suffix('*') {
            Some(prefix) => (prefix, true),
            None => (pattern, false),
        };
        if text.contains('*') {
            return Err(PatternError::InnerStar);
        }
        match text.split_once(':') {
            None | Some(("", _)) => Err(PatternError::NoNamespace),
            Some((_, "")) if !is_prefix => Err(PatternError::NoName),
            Some(_) => Ok(Self { text: text.to_owned(), is_prefix }),
        }
    }

    /// Whether the room `namespace:name` is one of these.
    #[must_use]
    pub fn matches(&self, room: &str) -> bool {
        if self.is_prefix { room.starts_with(&self.text) } else { room == self.text }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.text, if self.is_prefix { "*" } else { "" })
    }
}

/// Why a room pattern can't be read; the fault of whoever wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatternError {
    /// It holds a star before its end.
    InnerStar,
    /// It names a namespace, and then no room.
    NoName,
    /// It does not begin with a namespace and a colon.
    NoNamespace,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InnerStar => "a star may stand only at the end of a room pattern",
            Self::NoName => "a room pattern needs a name or a star after its colon",
            Self::NoNamespace => "a room pattern begins with a namespace and a colon",
        })
    }
}

impl std::error::Error for PatternError {}

/// A set of rights in a room.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Rights(u8);

impl Rights {
    /// No right: the room can't be joined.
    pub const NONE: Self = Self(0);
    /// To join the room, see its members and receive all that goes out there. The other rights need
    /// it.
    pub const JOIN: Self = Self(1);
    /// To have a presence that others see.
    pub const PRESENCE: Self = Self(1 << 1);
    /// To move.
    pub const MOTION: Self = Self(1 << 2);
    /// To broadcast events.
    pub const BROADCAST: Self = Self(1 << 3);
    /// To edit the room's document.
    pub const EDIT: Self = Self(1 << 4);
    /// All of them.
    pub const ALL: Self = Self(0b1_1111);

    const NAMES: [(&'static str, Self); 5] = [
        ("join", Self::JOIN),
        ("presence", Self::PRESENCE),
        ("motion", Self::MOTION),
        ("broadcast", Self::BROADCAST),
        ("edit", Self::EDIT),
    ];

    /// The right of this name, as tokens write it: `join`, `presence`, `motion`, `broadcast` or
    /// `edit`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, right)| *right)
    }

    /// The names of the rights in the set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().filter(move |(_, right)| self.contains(*right)).map(|(name, _)| *name)
    }

    /// Whether all of `rights` are in the set.
    #[must_use]
    pub const fn contains(self, rights: Self) -> bool {
        self.0 & rights.0 == rights.0
    }
}

impl BitOr for Rights {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, matching: &[&str], others: &[&str]) {
        let parsed = Pattern::parse(pattern).unwrap();
        assert_eq!(parsed.to_string(), pattern);
        for room in matching {
            assert!(parsed.matches(room), "{pattern} should match {room}");
        }
        for room in others {
            assert!(!parsed.matches(room), "{pattern} should not match {room}");
        }
    }

    #[test]
    fn patterns_match_exactly_or_by_prefix() {
        check("ns:one", &["ns:one"], &["ns:one-more", "ns:on", "other:one"]);
        check("ns:team-*", &["ns:team-a", "ns:team-"], &["ns:team", "ns2:team-a"]);
        check("ns:*", &["ns:a", "ns:b:c"], &["nsx:a"]);
        check("ns:a:b", &["ns:a:b"], &["ns:a"]);
        check("*", &["ns:a", "other:b"], &[]);
    }

    #[test]
    fn a_wrong_pattern_says_why() {
        for (pattern, error) in [
            ("", PatternError::NoNamespace),
            ("name", PatternError::NoNamespace),
            ("team*", PatternError::NoNamespace),
            (":name", PatternError::NoNamespace),
            (":*", PatternError::NoNamespace),
            ("ns:", PatternError::NoName),
            ("*:name", PatternError::InnerStar),
            ("ns:*-a", PatternError::InnerStar),
            ("ns:a**", PatternError::InnerStar),
            ("**", PatternError::InnerStar),
        ] {
            assert_eq!(Pattern::parse(pattern), Err(error), "{pattern}");
        }
    }

    #[test]
    fn rights_are_the_union_of_the_patterns_that_match() {
        let room =
            |pattern, rights| RoomGrant { pattern: Pattern::parse(pattern).unwrap(), rights };
        let grant = Grant {
            user_id: "u".into(),
            name: None,
            expires_ms: Some(1_000),
            rooms: vec![
                room("ns:*", Rights::JOIN),
                room("ns:mine", Rights::MOTION | Rights::EDIT),
                room("other:*", Rights::ALL),
            ],
        };
        assert_eq!(grant.rights_in("ns:mine"), Rights::JOIN | Rights::MOTION | Rights::EDIT);
        assert_eq!(grant.rights_in("ns:a"), Rights::JOIN);
        assert_eq!(grant.rights_in("else:a"), Rights::NONE);
        assert!(!grant.rights_in("ns:a").contains(Rights::JOIN | Rights::MOTION));
        assert!(!grant.has_expired(999));
        assert!(grant.has_expired(1_000));
    }

    #[test]
    fn rights_have_one_name_each() {
        let all = Rights::NAMES.iter().fold(Rights::NONE, |all, (_, right)| all | *right);
        assert_eq!(all, Rights::ALL);
        assert_eq!(Rights::from_name("motion"), Some(Rights::MOTION));
        assert_eq!(Rights::from_name("Motion"), None);
        assert_eq!(
            Rights::ALL.names().collect::<Vec<_>>(),
            ["join", "presence", "motion", "broadcast", "edit"]
        );
    }
}
