//! Why a request is refused while the connection lives on: the codes of `error`, `reject` and `left`.

use serde::{Deserialize, Serialize};

/// The reason of a refusal, one table for all lanes (rule E1). Unknown codes of later versions read as `Other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "u32", from = "u32")]
#[non_exhaustive]
pub enum Refusal {
    /// 1. The request makes no sense: the client is at fault.
    BadRequest,
    /// 2. The token does not give this right here.
    Forbidden,
    /// 3. No such namespace, room handle or member.
    NotFound,
    /// 4. The room has all the members that it may.
    RoomFull,
    /// 5. Over a rate; `retry_after_ms` says when to try again.
    RateLimited,
    /// 6. Over a size, a depth or a count.
    TooLarge,
    /// 7. The session is in as many rooms as it may be.
    TooManyRooms,
    /// 8. The session is in this room already.
    AlreadyJoined,
    /// 9. The server can't do it now; for edits: the store can't take them.
    Unavailable,
    /// 10. The room was closed by the server, which is at fault.
    RoomClosed,
    /// 11. The edit needs a record that does not exist.
    NoRecord,
    /// 12. The edit's condition does not hold: the record has another version.
    Conflict,
    /// 13. The server's own rules for this namespace do not allow it.
    Invalid,
    /// A code that this version does not know, with its number.
    Other(u32),
}

impl Refusal {
    /// Every code that this version knows, in the order of its number.
    pub const ALL: [Self; 13] = [
        Self::BadRequest,
        Self::Forbidden,
        Self::NotFound,
        Self::RoomFull,
        Self::RateLimited,
        Self::TooLarge,
        Self::TooManyRooms,
        Self::AlreadyJoined,
        Self::Unavailable,
        Self::RoomClosed,
        Self::NoRecord,
        Self::Conflict,
        Self::Invalid,
    ];

    /// The name in metrics and in `vectors/close.json`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::RoomFull => "room_full",
            Self::RateLimited => "rate_limited",
            Self::TooLarge => "too_large",
            Self::TooManyRooms => "too_many_rooms",
            Self::AlreadyJoined => "already_joined",
            Self::Unavailable => "unavailable",
            Self::RoomClosed => "room_closed",
            Self::NoRecord => "no_record",
            Self::Conflict => "conflict",
            Self::Invalid => "invalid",
            Self::Other(_) => "other",
        }
    }
}

impl From<Refusal> for u32 {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::BadRequest => 1,
            Refusal::Forbidden => 2,
            Refusal::NotFound => 3,
            Refusal::RoomFull => 4,
            Refusal::RateLimited => 5,
            Refusal::TooLarge => 6,
            Refusal::TooManyRooms => 7,
            Refusal::AlreadyJoined => 8,
            Refusal::Unavailable => 9,
            Refusal::RoomClosed => 10,
            Refusal::NoRecord => 11,
            Refusal::Conflict => 12,
            Refusal::Invalid => 13,
            Refusal::Other(number) => number,
        }
    }
}

impl From<u32> for Refusal {
    fn from(number: u32) -> Self {
        let known = Self::ALL.into_iter().find(|&refusal| u32::from(refusal) == number);
        known.unwrap_or(Self::Other(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e1_codes_and_numbers_are_one_to_one() {
        for refusal in Refusal::ALL {
            assert_eq!(Refusal::from(u32::from(refusal)), refusal);
        }
        assert_eq!(Refusal::from(999), Refusal::Other(999));
    }
}
