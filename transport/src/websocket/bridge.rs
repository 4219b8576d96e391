//! The bridge: the task that moves messages between a WebSocket and its end of a link in memory, from the handshake to
//! the end of whichever ends first.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use hither_protocol::CloseCode;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{self, protocol::frame::coding};

use super::Shared;
use super::message::Violation;
use super::reader::Reader;
use super::socket::Socket;
use super::writer::Writer;
use crate::bounds::{STREAMS, Side};
use crate::link::Closed;
use crate::memory::MemoryLink;

/// How long what was written before a close has to leave, and again how long the close itself has.
const CLOSE_DEADLINE: Duration = Duration::from_secs(1);

/// WebSocket's own code for an end without a code of ours, which a link has as 0.
const NO_CODE: u16 = 1000;
/// From which on codes are for applications (RFC 6455, 7.4.2).
const CODES_OF_OURS: u16 = 3000;

/// Why a bridge ends.
#[derive(Debug)]
pub(super) enum End {
    /// The application closed the link, and all that it wrote before has left.
    Closed,
    /// The peer closed the WebSocket.
    Peer(u32, String),
    /// The peer was not heard for the idle timeout.
    TimedOut,
    /// The TCP stream or TLS failed, or the peer broke the protocol of WebSocket.
    Broken(String),
    /// The peer broke the binding.
    Violation(CloseCode, &'static str),
}

pub(super) async fn run_bridge(
    mut socket: WebSocketStream<Socket>,
    side: Side,
    far: MemoryLink,
    shared: Arc<Shared>,
) {
    // As many lanes as a link has.
    let (to_writer, from_reader) = mpsc::channel(STREAMS as usize);
    let (to_reader, from_writer) = mpsc::channel(STREAMS as usize);
    let (sink, source) = (&mut socket).split();
    let mut reader = Reader::new(side, &far, &shared, from_writer, to_writer);
    let mut writer = Writer::new(side, &far, &shared, from_reader, to_reader);
    let end = tokio::select! {
        end = reader.run(source) => end,
        end = writer.run(sink) => end,
        () = async { far.closed().await; sleep(CLOSE_DEADLINE).await } => End::Closed,
    };
    let (closed, close) = match end {
        End::Closed => match far.closed().await {
            Closed::Peer { code, reason } => (Closed::Local, Some((code as u32, reason))),
            _ => (Closed::Local, None), // nobody else closes this end
        },
        // The close is answered by the library.
        End::Peer(code, reason) => {
            (Closed::Peer { code: code.into(), reason }, Some((0, String::new())))
        }
        End::TimedOut => (Closed::TimedOut, None),
        End::Broken(reason) => (Closed::Broken(reason), None),
        End::Violation(code, reason) => {
            (Closed::Broken(reason.into()), Some((code.number(), reason.into())))
        }
    };
    let _ = shared.ended.set(closed); // nobody else sets it
    far.close(0, "");
    // Only now, so that the streams end with the connection and not by themselves.
    drop((reader, writer));
    if let Some((code, reason)) = close {
        let _ = timeout(CLOSE_DEADLINE, say_goodbye(&mut socket, code, reason)).await;
    }
}

/// Closes the WebSocket, and waits until the peer has.
async fn say_goodbye(socket: &mut WebSocketStream<Socket>, code: u32, reason: String) {
    let frame = CloseFrame { code: code_for(code), reason: short(reason).into() };
    let _ = socket.close(Some(frame)).await; // it may be closed already
    while let Some(Ok(_)) = socket.next().await {}
}

fn code_for(code: u32) -> coding::CloseCode {
    let code = u16::try_from(code).ok().filter(|code| (3_000..5_000).contains(code));
    code.unwrap_or(NO_CODE).into()
}

/// As much of a reason as fits a close: 123 bytes.
fn short(mut reason: String) -> String {
    reason.truncate(reason.floor_char_boundary(123));
    reason
}

impl From<tungstenite::Error> for End {
    fn from(error: tungstenite::Error) -> Self {
        match error {
            tungstenite::Error::Capacity(_) => Self::Violation(CloseCode::TooLarge, "too long"),
            tungstenite::Error::Utf8(_) => Violation("a text message").into(),
            error => Self::Broken(error.to_string()),
        }
    }
}

impl From<Violation> for End {
    fn from(violation: Violation) -> Self {
        Self::Violation(Violation::CODE, violation.0)
    }
}

impl From<Option<CloseFrame>> for End {
    fn from(frame: Option<CloseFrame>) -> Self {
        let Some(frame) = frame else { return Self::Peer(0, String::new()) };
        let code = match u16::from(frame.code) {
            // WebSocket's own, as a proxy says them that goes: no word of the server's.
            code if code < CODES_OF_OURS => 0,
            code => code.into(),
        };
        Self::Peer(code, frame.reason.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w5_a_close_has_our_code_and_as_much_of_the_reason_as_fits() {
        assert_eq!(u16::from(code_for(4_004)), 4_004);
        for none in [0, 1_005, 5_000, 70_000] {
            assert_eq!(u16::from(code_for(none)), NO_CODE);
        }
        assert_eq!(short("é".repeat(100)).len(), 122);
        assert_eq!(short("going away".into()), "going away");
    }
}
