//! The end of a connection as the application should see it, whichever lane or layer brought the news.

use std::time::Duration;

use hither_protocol::message::MessageError;
use hither_protocol::message::control::Bye;
use hither_protocol::{CloseCode, Reaction};

use crate::connect::ConnectError;

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection is closed{}: {reason}", code.map(|code| format!(" ({code})")).unwrap_or_default())]
#[non_exhaustive]
pub struct Closed {
    /// The close code, the server's or one's own; `None` if the connection broke without one. [`CloseCode`] names those
    /// that this version knows.
    pub code: Option<u32>,
    /// A sentence for the developer, not to be shown to users nor parsed.
    pub reason: String,
    /// What to do: stay closed, get a new token and connect again, or just connect again.
    pub reaction: Reaction,
    /// Do not connect again before this has passed, if the server said so.
    pub retry_after: Option<Duration>,
}

impl Closed {
    /// This end closed the connection on purpose.
    pub(crate) fn by_this_end() -> Self {
        Self::with_code(CloseCode::Done.number(), "closed by this end")
    }

    /// Whatever ran the connection has stopped without a word: its runtime was shut down.
    pub(crate) fn abandoned() -> Self {
        Self::without_code("the task of the connection was dropped".into())
    }

    /// The same where the application wants the connection: somebody closed the link under it, and that is no more than
    /// a loss.
    pub(crate) fn of_link(self) -> Self {
        if self == Self::by_this_end() { Self::without_code(self.reason) } else { self }
    }

    /// The server did not answer the hello in time.
    pub(crate) fn without_welcome() -> Self {
        Self::without_code("no welcome in time".into())
    }

    /// There was no connection.
    pub(crate) fn unreachable(error: &ConnectError) -> Self {
        Self::without_code(error.to_string())
    }

    /// The server's control lane ended without a bye.
    pub(crate) fn control_ended() -> Self {
        Self::without_code("the server ended the control lane".into())
    }

    /// The server broke the protocol on a lane.
    pub(crate) fn by_protocol(error: MessageError) -> Self {
        let reason = format!("the server broke the protocol: {error}");
        Self::with_code(CloseCode::Malformed.number(), &reason)
    }

    /// The server said bye, which says more than what the transport shows.
    pub(crate) fn by_bye(bye: Bye) -> Self {
        let retry_after = bye.retry_after_ms.map(Duration::from_millis);
        Self { retry_after, ..Self::with_code(bye.code, &bye.reason) }
    }

    fn with_code(code: u32, reason: &str) -> Self {
        let reaction = Reaction::to(code);
        Self { code: Some(code), reason: reason.to_owned(), reaction, retry_after: None }
    }

    fn without_code(reason: String) -> Self {
        Self { code: None, reason, reaction: Reaction::Retry, retry_after: None }
    }
}

impl From<hither_transport::Closed> for Closed {
    fn from(closed: hither_transport::Closed) -> Self {
        use hither_transport::Closed as Transport;
        match closed {
            Transport::Local => Self::by_this_end(),
            // 0 is what a transport says for an end that just went away: no code of ours.
            Transport::Peer { code, reason } if code != 0 => {
                Self::with_code(u32::try_from(code).unwrap_or(u32::MAX), &reason)
            }
            other => Self::without_code(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // proves C2
    #[test]
    fn the_code_decides_what_to_do_and_without_one_it_is_to_retry() {
        let peer = |code| hither_transport::Closed::Peer { code, reason: "x".into() };
        let cases = [
            (peer(4000), Some(4000), Reaction::Stop),
            (peer(4101), Some(4101), Reaction::NewToken),
            (peer(4200), Some(4200), Reaction::Retry),
            (peer(0), None, Reaction::Retry),
            (peer(1 << 40), Some(u32::MAX), Reaction::Stop),
            (hither_transport::Closed::TimedOut, None, Reaction::Retry),
            (hither_transport::Closed::Local, Some(4000), Reaction::Stop),
        ];
        for (closed, code, reaction) in cases {
            let closed = Closed::from(closed);
            assert_eq!((closed.code, closed.reaction), (code, reaction), "{closed}");
        }
    }

    // proves C1
    #[test]
    fn a_bye_says_when_to_come_back() {
        let bye = Bye { retry_after_ms: Some(1500), ..Bye::new(CloseCode::GoingAway, "restart") };
        let closed = Closed::by_bye(bye);
        assert_eq!(closed.retry_after, Some(Duration::from_millis(1500)));
        assert_eq!(closed.to_string(), "the connection is closed (4200): restart");
    }
}
