//! The close codes: one table that the server, every client and the metrics read. Its ranges say what a client does.

use std::fmt;

/// Why a connection ends. The number travels in `bye` and, where the transport shows it, in the close itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseCode {
    /// 4000. One side is done; nobody is at fault.
    Done,
    /// 4001. The client broke the protocol: a malformed message, or one out of order.
    Malformed,
    /// 4002. The client speaks no version that the server does.
    Version,
    /// 4003. The client's origin may not connect.
    Origin,
    /// 4004. The client sent a message over its limit.
    TooLarge,
    /// 4005. Another connection has resumed this one's session.
    TakenOver,
    /// 4100. The server wants a token, and the one it got is missing or not valid.
    TokenInvalid,
    /// 4101. The token has expired, at hello or within the session.
    TokenExpired,
    /// 4200. The server is going away, and says when to come back.
    GoingAway,
    /// 4201. The server has too many connections that have not said hello.
    Overloaded,
    /// 4202. The client reads too slowly: its queue on the server is full.
    TooSlow,
    /// 4203. The client did not say hello in time.
    HelloTimeout,
    /// 4204. The server is at fault.
    Internal,
}

/// What a client does after a close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// Codes 4000-4099, and every code outside the ranges below: stay closed.
    Stop,
    /// Codes 4100-4199: get a new token, then connect again.
    NewToken,
    /// Codes 4200-4299, and a close without a code: connect again, not before `retry_after_ms`.
    Retry,
}

impl CloseCode {
    /// Every code, in the order of its number.
    pub const ALL: [Self; 13] = [
        Self::Done,
        Self::Malformed,
        Self::Version,
        Self::Origin,
        Self::TooLarge,
        Self::TakenOver,
        Self::TokenInvalid,
        Self::TokenExpired,
        Self::GoingAway,
        Self::Overloaded,
        Self::TooSlow,
        Self::HelloTimeout,
        Self::Internal,
    ];

    /// The number on the wire.
    pub const fn number(self) -> u32 {
        match self {
            Self::Done => 4000,
            Self::Malformed => 4001,
            Self::Version => 4002,
            Self::Origin => 4003,
            Self::TooLarge => 4004,
            Self::TakenOver => 4005,
            Self::TokenInvalid => 4100,
            Self::TokenExpired => 4101,
            Self::GoingAway => 4200,
            Self::Overloaded => 4201,
            Self::TooSlow => 4202,
            Self::HelloTimeout => 4203,
            Self::Internal => 4204,
        }
    }

    /// The name in logs, metrics and `vectors/close.json`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Malformed => "malformed",
            Self::Version => "version",
            Self::Origin => "origin",
            Self::TooLarge => "too_large",
            Self::TakenOver => "taken_over",
            Self::TokenInvalid => "token_invalid",
            Self::TokenExpired => "token_expired",
            Self::GoingAway => "going_away",
            Self::Overloaded => "overloaded",
            Self::TooSlow => "too_slow",
            Self::HelloTimeout => "hello_timeout",
            Self::Internal => "internal",
        }
    }

    /// The code of a number, if this version knows it.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.number() == number)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number(), self.name())
    }
}

impl Reaction {
    /// What the range of `number` asks for, known code or not (rule C2).
    pub const fn to(number: u32) -> Self {
        match number {
            4100..=4199 => Self::NewToken,
            4200..=4299 => Self::Retry,
            _ => Self::Stop,
        }
    }

    /// The name in `vectors/close.json`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::NewToken => "new_token",
            Self::Retry => "retry",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c2_the_range_of_a_code_says_what_a_client_does() {
        for code in CloseCode::ALL {
            assert_eq!(CloseCode::from_number(code.number()), Some(code));
        }
        assert_eq!(Reaction::to(CloseCode::Malformed.number()), Reaction::Stop);
        assert_eq!(Reaction::to(CloseCode::TokenExpired.number()), Reaction::NewToken);
        assert_eq!(Reaction::to(CloseCode::GoingAway.number()), Reaction::Retry);
        assert_eq!(Reaction::to(4299), Reaction::Retry);
        assert_eq!(Reaction::to(1), Reaction::Stop);
    }
}
