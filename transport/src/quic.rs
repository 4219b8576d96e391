//! The link over a QUIC connection: raw, or under a WebTransport session, which differs from it
//! by one byte before each datagram and three before each stream.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use quinn::{Connection, ConnectionError};

use crate::link::{Closed, LinkStats, SendDatagramError, Transport};
use crate::stream::{RecvStream, SendStream};

/// A link over one QUIC connection.
pub(crate) struct QuicLink {
    connection: Owned,
    flavor: Flavor,
    ended: Ended,
    /// What the empty buffer of outgoing datagrams holds, in bytes.
    datagram_space: usize,
    datagrams_dropped: AtomicU64,
    datagrams_taken: AtomicU64,
}

impl QuicLink {
    pub(crate) fn raw(connection: Owned) -> Self {
        Self::new(connection, Flavor::Raw, Ended::default())
    }

    /// `ended` is filled before the connection is closed, when the session ends on its own.
    #[cfg(feature = "webtransport")]
    pub(crate) fn webtransport(connection: Owned, ended: Ended) -> Self {
        Self::new(connection, Flavor::WebTransport, ended)
    }

    fn new(connection: Owned, flavor: Flavor, ended: Ended) -> Self {
        let datagram_space = connection.0.datagram_send_buffer_space();
        Self {
            connection,
            datagram_space,
            flavor,
            ended,
            datagrams_dropped: AtomicU64::default(),
            datagrams_taken: AtomicU64::default(),
        }
    }

    pub(crate) fn transport(&self) -> Transport {
        match self.flavor {
            Flavor::Raw => Transport::Quic,
            #[cfg(feature = "webtransport")]
            Flavor::WebTransport => Transport::WebTransport,
        }
    }

    pub(crate) fn send_datagram(&self, mut datagram: Bytes) -> Result<(), SendDatagramError> {
        let size = datagram.len().saturating_sub(1);
        if self.flavor == Flavor::Raw && !datagram.is_empty() {
            datagram = datagram.slice(1..);
        }
        let connection = &self.connection.0;
        // quinn drops the oldest without a word, so the look beforehand is the only count there
        // is; nobody else fills this buffer in between but another clone of this link.
        let overflows = connection.datagram_send_buffer_space() < datagram.len();
        match connection.send_datagram(datagram) {
            Ok(()) => {
                self.datagrams_dropped.fetch_add(u64::from(overflows), Ordering::Relaxed);
                Ok(())
            }
            Err(quinn::SendDatagramError::TooLarge) => {
                Err(SendDatagramError::TooLarge { size, max: self.max_datagram_size() })
            }
            Err(quinn::SendDatagramError::ConnectionLost(_)) => Err(SendDatagramError::Closed),
            Err(
                quinn::SendDatagramError::UnsupportedByPeer | quinn::SendDatagramError::Disabled,
            ) => Err(SendDatagramError::Unsupported),
        }
    }

    pub(crate) fn unsent_datagram_bytes(&self) -> usize {
        self.datagram_space.saturating_sub(self.connection.0.datagram_send_buffer_space())
    }

    pub(crate) async fn recv_datagram(&self) -> Result<Bytes, Closed> {
        loop {
            let datagram = self.connection.0.read_datagram().await;
            let datagram = datagram.map_err(|error| self.cause(error))?;
            if let Some(payload) = self.flavor.datagram_payload(datagram) {
                self.datagrams_taken.fetch_add(1, Ordering::Relaxed);
                return Ok(payload);
            }
        }
    }

    pub(crate) fn max_datagram_size(&self) -> usize {
        let max = self.connection.0.max_datagram_size().unwrap_or(0);
        max.saturating_sub(self.flavor.datagram_overhead())
    }

    pub(crate) async fn open_stream(&self) -> Result<(SendStream, RecvStream), Closed> {
        let opened = self.connection.0.open_bi().await;
        let (send, recv) = opened.map_err(|error| self.cause(error))?;
        let mut send = SendStream::quic(send, self.flavor);
        let preface = self.flavor.stream_preface();
        if !preface.is_empty() {
            let _ = send.write_all(preface).await; // a failure comes back at the next write
        }
        Ok((send, RecvStream::quic(recv, self.flavor, &[])))
    }

    pub(crate) async fn accept_stream(&self) -> Result<(SendStream, RecvStream), Closed> {
        let accepted = self.connection.0.accept_bi().await;
        let (send, recv) = accepted.map_err(|error| self.cause(error))?;
        let recv = RecvStream::quic(recv, self.flavor, self.flavor.stream_preface());
        Ok((SendStream::quic(send, self.flavor), recv))
    }

    pub(crate) fn close(&self, code: u32, reason: &str) {
        // quinn forgets how a connection ended when it is closed again.
        if self.connection.0.close_reason().is_none() {
            self.connection.0.close(code.into(), reason.as_bytes());
        }
    }

    pub(crate) async fn closed(&self) -> Closed {
        let error = self.connection.0.closed().await;
        self.cause(error)
    }

    pub(crate) fn remote_address(&self) -> SocketAddr {
        self.connection.0.remote_address()
    }

    pub(crate) fn round_trip(&self) -> Duration {
        self.connection.0.min_rtt()
    }

    pub(crate) fn stats(&self) -> LinkStats {
        let stats = self.connection.0.stats();
        LinkStats {
            datagrams_sent: stats.frame_tx.datagram,
            datagrams_received: stats.frame_rx.datagram,
            datagrams_taken: self.datagrams_taken.load(Ordering::Relaxed),
            datagrams_dropped: self.datagrams_dropped.load(Ordering::Relaxed),
            packets_sent: stats.path.sent_packets,
            packets_lost: stats.path.lost_packets,
            udp_sent: stats.udp_tx.datagrams,
            udp_received: stats.udp_rx.datagrams,
            udp_bytes_sent: stats.udp_tx.bytes,
            udp_bytes_received: stats.udp_rx.bytes,
            ..LinkStats::default()
        }
    }

    fn cause(&self, error: ConnectionError) -> Closed {
        self.ended.get().cloned().unwrap_or_else(|| error.into())
    }
}

/// A connection that is closed when this is dropped, whoever else still holds a part of it:
/// quinn alone would wait for the last stream.
#[derive(Debug)]
pub(crate) struct Owned(pub(crate) Connection);

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.close(0u32.into(), b""); // without effect on a closed one
    }
}

/// How a session inside the connection ended, set before the connection is closed for it.
pub(crate) type Ended = Arc<OnceLock<Closed>>;

/// What a datagram and a stream look like on the connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Flavor {
    Raw,
    #[cfg(feature = "webtransport")]
    WebTransport,
}

impl Flavor {
    fn datagram_overhead(self) -> usize {
        match self {
            Self::Raw => 0,
            #[cfg(feature = "webtransport")]
            Self::WebTransport => 1,
        }
    }

    /// What to hand up; nothing for a datagram of another session, since there is only this one.
    fn datagram_payload(self, datagram: Bytes) -> Option<Bytes> {
        match self {
            Self::Raw => Some(datagram),
            #[cfg(feature = "webtransport")]
            Self::WebTransport => {
                (datagram.first() == Some(&crate::RESERVED)).then(|| datagram.slice(1..))
            }
        }
    }

    fn stream_preface(self) -> &'static [u8] {
        match self {
            Self::Raw => &[],
            #[cfg(feature = "webtransport")]
            Self::WebTransport => crate::webtransport::STREAM_PREFACE,
        }
    }
}

impl From<ConnectionError> for Closed {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::ApplicationClosed(close) => Self::Peer {
                code: close.error_code.into(),
                reason: String::from_utf8_lossy(&close.reason).into_owned(),
            },
            ConnectionError::LocallyClosed => Self::Local,
            ConnectionError::TimedOut => Self::TimedOut,
            other => Self::Broken(other.to_string()),
        }
    }
}
