//! What a person may do: the outcome of a hello, apart from the ways to get one, so that rooms and
//! sessions know rights and never tokens.

use std::fmt;

use hither_protocol::message::Rights;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It holds a star before its end.
    #[error("a star may stand only at the end of a room pattern")]
    InnerStar,
    /// It names a namespace, and then no room.
    #[error("a room pattern needs a name or a star after its colon")]
    NoName,
    /// It does not begin with a namespace and a colon.
    #[error("a room pattern begins with a namespace and a colon")]
    NoNamespace,
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
}
