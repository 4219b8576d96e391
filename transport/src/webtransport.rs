//! WebTransport sessions over HTTP/3: the handshake of both ends, and the watch over a session's
//! end. After the handshake a session is a QUIC connection with a few bytes more
//! ([`QuicLink`]), so no task stands between a datagram and its reader.
//!
//! The coding comes from `web-transport-proto`. The I/O around it is ours, because only who
//! holds the connection can close it when a handshake is given up: a client that stops in the
//! middle of a frame would otherwise live for as long as the server pings it.

use std::sync::Arc;

use quinn::{Connection, VarInt};
use url::Url;
use web_transport_proto::http::{HeaderName, HeaderValue, StatusCode};
use web_transport_proto::{
    Capsule, CapsuleError, ConnectRequest, ConnectResponse, Http3CapsuleReader, Settings,
    SettingsError, error_from_http3, error_to_http3,
};

use crate::client::ConnectError;
use crate::link::{Closed, Link};
use crate::listener::HandshakeError;
use crate::quic::{Ended, Owned, QuicLink};

/// What each stream of the session begins with: its type, and the session's id.
pub(crate) const STREAM_PREFACE: &[u8] = &[0x40, 0x41, 0x00];

/// A client's wish for a session, not yet answered. Dropping it closes the connection.
pub(crate) struct PendingSession {
    connection: Owned,
    streams: SessionStreams,
    request: ConnectRequest,
    path: String,
}

impl PendingSession {
    /// Exchanges settings with a client and waits for its CONNECT.
    pub(crate) async fn accept(connection: Owned) -> Result<Self, HandshakeError> {
        let handshake = async {
            let control = send_settings(&connection.0).await?;
            let (others, (send, recv, request)) =
                tokio::try_join!(recv_settings(&connection.0), accept_connect(&connection.0))?;
            Ok((SessionStreams { send, recv, _control: control, _others: others }, request))
        };
        match handshake.await {
            Ok((streams, request)) => {
                let path = match request.url.query() {
                    Some(query) => format!("{}?{query}", request.url.path()),
                    None => request.url.path().to_string(),
                };
                Ok(Self { connection, streams, request, path })
            }
            Err(Failure(reason)) => Err(match give_up(&connection.0, reason) {
                Some(error) => HandshakeError::Closed(error.into()),
                None => HandshakeError::Http3(reason),
            }),
        }
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection.0
    }

    pub(crate) fn origin(&self) -> Option<&str> {
        self.request.headers.get(ORIGIN)?.to_str().ok()
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Answers 200: the session is established.
    pub(crate) async fn confirm(mut self) -> Result<Link, HandshakeError> {
        if ConnectResponse::OK.write(&mut self.streams.send).await.is_err() {
            return Err(HandshakeError::Http3("CONNECT was given up"));
        }
        Ok(establish(self.connection, self.streams))
    }

    /// Answers with `status`, waits until the client has it, and closes the connection.
    pub(crate) async fn reject(mut self, status: StatusCode) {
        if ConnectResponse::new(status).write(&mut self.streams.send).await.is_ok() {
            let _ = self.streams.send.finish(); // it was not finished before
            let _ = self.streams.send.stopped().await; // either way there is no more to do
        }
        self.connection.0.close(NO_ERROR, b"");
    }
}

/// Asks the server at the other end of `connection` for a session at `url`.
pub(crate) async fn connect(
    connection: Owned,
    url: Url,
    origin: Option<&str>,
) -> Result<Link, ConnectError> {
    let mut request = ConnectRequest::new(url);
    if let Some(origin) = origin {
        let origin = HeaderValue::from_str(origin)
            .map_err(|_| ConnectError::Url(format!("{origin:?} is not an origin")))?;
        request = request.with_header(ORIGIN, origin);
    }
    let handshake = async {
        let control = send_settings(&connection.0).await?;
        let others = recv_settings(&connection.0).await?;
        let opened = connection.0.open_bi().await;
        let (mut send, mut recv) = opened.map_err(|_| Failure("no stream for CONNECT"))?;
        // Whatever becomes of the request, the answer says it.
        let _ = request.write(&mut send).await;
        let status = match ConnectResponse::read(&mut recv).await {
            Ok(response) => response.status,
            Err(web_transport_proto::ConnectError::WrongStatus(Some(status))) => status,
            Err(_) => return Err(Failure("no answer to CONNECT")),
        };
        Ok((SessionStreams { send, recv, _control: control, _others: others }, status))
    };
    match handshake.await {
        Ok((streams, status)) if status.is_success() => Ok(establish(connection, streams)),
        Ok((_, status)) => Err(ConnectError::Rejected(status.as_u16())),
        Err(Failure(reason)) => Err(match give_up(&connection.0, reason) {
            Some(error) => error.into(),
            None => ConnectError::Http3(reason),
        }),
    }
}

/// An application's code for a reset or stop, in the range that HTTP/3 sets aside for it.
pub(crate) fn code_to_http3(code: u32) -> VarInt {
    // The range ends below 2^47, a varint at 2^62.
    VarInt::from_u64(error_to_http3(code)).unwrap_or(VarInt::MAX)
}

/// The inverse of [`code_to_http3`]; a code outside the range is left as it is.
pub(crate) fn code_from_http3(code: VarInt) -> u64 {
    error_from_http3(code.into()).map_or(code.into(), u64::from)
}

/// The streams that live as long as the session. The peer's settings and QPACK carry nothing
/// that matters later, so they are not read any more; their windows bound them.
struct SessionStreams {
    /// CONNECT: the session ends with it.
    send: quinn::SendStream,
    recv: quinn::RecvStream,
    _control: quinn::SendStream,
    _others: Vec<quinn::RecvStream>,
}

fn establish(connection: Owned, streams: SessionStreams) -> Link {
    let ended = Ended::default();
    tokio::spawn(run_watch(connection.0.clone(), streams, Arc::clone(&ended)));
    QuicLink::webtransport(connection, ended).into()
}

/// Closes the connection when the peer ends the session; ends when the connection does.
async fn run_watch(connection: Connection, mut streams: SessionStreams, ended: Ended) {
    let mut capsules = Http3CapsuleReader::new(&mut streams.recv);
    let closed = loop {
        match capsules.read().await {
            Ok(Some(Capsule::CloseWebTransportSession { code, reason })) => {
                break Closed::Peer { code: code.into(), reason };
            }
            Ok(Some(_)) => {}
            Ok(None) => break Closed::Peer { code: 0, reason: String::new() },
            Err(error) => break Closed::Broken(describe(&error)),
        }
    };
    if connection.close_reason().is_none() {
        let _ = ended.set(closed); // nobody else sets it
        connection.close(NO_ERROR, b"");
    }
}

fn describe(error: &CapsuleError) -> String {
    format!("the CONNECT stream of the session: {error}")
}

async fn send_settings(connection: &Connection) -> Result<quinn::SendStream, Failure> {
    let mut settings = Settings::default();
    settings.enable_webtransport(1);
    let failed = Failure("settings are not taken");
    let mut control = connection.open_uni().await.map_err(|_| failed)?;
    settings.write(&mut control).await.map_err(|_| failed)?;
    Ok(control)
}

/// Takes the peer's unidirectional streams until its settings have come.
async fn recv_settings(connection: &Connection) -> Result<Vec<quinn::RecvStream>, Failure> {
    let mut streams = Vec::new(); // at most as many as may be open at a time
    loop {
        let accepted = connection.accept_uni().await;
        let mut stream = accepted.map_err(|_| Failure("no settings came"))?;
        let settings = Settings::read(&mut stream).await;
        streams.push(stream);
        match settings {
            Ok(_) => return Ok(streams),
            Err(SettingsError::UnexpectedStreamType(_)) => {}
            Err(_) => return Err(Failure("settings that cannot be read")),
        }
    }
}

async fn accept_connect(
    connection: &Connection,
) -> Result<(quinn::SendStream, quinn::RecvStream, ConnectRequest), Failure> {
    let accepted = connection.accept_bi().await;
    let (send, mut recv) = accepted.map_err(|_| Failure("no CONNECT came"))?;
    if send.id().index() != 0 {
        // The reserved byte of datagrams and the preface of streams stand for this one.
        return Err(Failure("CONNECT is not on the first stream"));
    }
    let request = ConnectRequest::read(&mut recv).await;
    Ok((send, recv, request.map_err(|_| Failure("not a CONNECT for WebTransport"))?))
}

/// What went wrong in a handshake, unless the connection itself had ended.
#[derive(Clone, Copy)]
struct Failure(&'static str);

/// The error that ended `connection`, if it has ended; else it is closed for `reason`.
fn give_up(connection: &Connection, reason: &str) -> Option<quinn::ConnectionError> {
    let error = connection.close_reason();
    if error.is_none() {
        connection.close(GENERAL_PROTOCOL_ERROR, reason.as_bytes());
    }
    error
}

const ORIGIN: HeaderName = HeaderName::from_static("origin");
const NO_ERROR: VarInt = VarInt::from_u32(0x100);
const GENERAL_PROTOCOL_ERROR: VarInt = VarInt::from_u32(0x101);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_survive_the_range_of_http3() {
        for code in [0, 1, 0x1d, 0x1e, 0x1f, 4_000, 4_299, u32::MAX - 1, u32::MAX] {
            assert_eq!(code_from_http3(code_to_http3(code)), u64::from(code));
        }
        assert_eq!(code_from_http3(VarInt::from_u32(0x10c)), 0x10c);
    }
}
