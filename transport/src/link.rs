//! The link: what is common to all transports, as one concrete type without generics, so that
//! rooms and sessions above it are written once.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::memory::MemoryLink;
use crate::quic::QuicLink;
use crate::runtime::ACK_DELAY;
use crate::stream::{RecvStream, SendStream};
use crate::websocket::WebSocketLink;

/// One connection to a peer: datagrams, bidirectional streams, and an end with a cause.
///
/// Clones are cheap and share the connection. When the last one is dropped the connection closes
/// with code 0, its streams with it: keep a link for as long as its streams matter.
///
/// No method blocks a thread. A future that waits for something (`recv_datagram`,
/// `accept_stream`, `closed`) is cancel safe: dropping it loses nothing.
#[derive(Clone)]
pub struct Link(Arc<Kind>);

impl Link {
    /// Which transport carries this link.
    pub fn transport(&self) -> Transport {
        match &*self.0 {
            Kind::Quic(link) => link.transport(),
            Kind::WebSocket(_) => Transport::WebSocket,
            Kind::Memory(_) => Transport::Memory,
        }
    }

    /// Sends one datagram, or drops it, and returns at once.
    ///
    /// The first byte of `datagram` is [`RESERVED`](crate::RESERVED) and does not reach the
    /// peer's application; a `Bytes` shared by many links is not copied. When 32 KiB wait to be
    /// sent, the oldest are dropped to make room ([`LinkStats::datagrams_dropped`]).
    ///
    /// # Errors
    ///
    /// [`SendDatagramError`]; the datagram is gone then.
    pub fn send_datagram(&self, datagram: Bytes) -> Result<(), SendDatagramError> {
        debug_assert_eq!(datagram.first(), Some(&crate::RESERVED));
        match &*self.0 {
            Kind::Quic(link) => link.send_datagram(datagram),
            Kind::WebSocket(link) => link.send_datagram(&datagram),
            Kind::Memory(link) => link.send_datagram(&datagram),
        }
    }

    /// Bytes of datagrams that wait to be sent. More than a few mean that the path takes no more at the moment: what is
    /// newer is better kept until they are gone.
    pub fn unsent_datagram_bytes(&self) -> usize {
        match &*self.0 {
            Kind::Quic(link) => link.unsent_datagram_bytes(),
            Kind::WebSocket(link) => link.unsent_datagram_bytes(),
            Kind::Memory(_) => 0,
        }
    }

    /// Waits for the next datagram of the peer, without the reserved byte. At most 32 KiB wait
    /// to be taken; then the oldest are dropped. Cancel safe.
    ///
    /// # Errors
    ///
    /// [`Closed`], once the connection is and all that came before has been taken.
    pub async fn recv_datagram(&self) -> Result<Bytes, Closed> {
        match &*self.0 {
            Kind::Quic(link) => link.recv_datagram().await,
            Kind::WebSocket(link) => link.recv_datagram().await,
            Kind::Memory(link) => link.recv_datagram().await,
        }
    }

    /// The largest datagram that [`Self::send_datagram`] takes now, in bytes, not counting the
    /// reserved byte; 0 if the peer takes none. It may change with the path.
    pub fn max_datagram_size(&self) -> usize {
        match &*self.0 {
            Kind::Quic(link) => link.max_datagram_size(),
            Kind::WebSocket(_) | Kind::Memory(_) => crate::memory::MAX_DATAGRAM_SIZE,
        }
    }

    /// Opens a bidirectional stream; waits while the peer allows no more of them. The peer
    /// learns of the stream by its first bytes. A dropped future opens none.
    ///
    /// # Errors
    ///
    /// [`Closed`].
    pub async fn open_stream(&self) -> Result<(SendStream, RecvStream), Closed> {
        match &*self.0 {
            Kind::Quic(link) => link.open_stream().await,
            Kind::WebSocket(link) => link.open_stream().await,
            Kind::Memory(link) => link.open_stream().await,
        }
    }

    /// Waits for the next stream that the peer opens, at most 28 at a time. Cancel safe.
    ///
    /// # Errors
    ///
    /// [`Closed`].
    pub async fn accept_stream(&self) -> Result<(SendStream, RecvStream), Closed> {
        match &*self.0 {
            Kind::Quic(link) => link.accept_stream().await,
            Kind::WebSocket(link) => link.accept_stream().await,
            Kind::Memory(link) => link.accept_stream().await,
        }
    }

    /// Closes the connection at once; what is not yet delivered may be lost. The peer is told
    /// `code` and as much of `reason` as fits a packet (keep it under 1 KiB), but a page in a
    /// browser cannot see them. The first close counts.
    pub fn close(&self, code: u32, reason: &str) {
        match &*self.0 {
            Kind::Quic(link) => link.close(code, reason),
            Kind::WebSocket(link) => link.close(code, reason),
            Kind::Memory(link) => link.close(code, reason),
        }
    }

    /// Waits for the end of the connection, whoever ends it. Cancel safe, and ready at once
    /// from then on.
    pub async fn closed(&self) -> Closed {
        match &*self.0 {
            Kind::Quic(link) => link.closed().await,
            Kind::WebSocket(link) => link.closed().await,
            Kind::Memory(link) => link.closed().await,
        }
    }

    /// Where the peer's packets come from now (it may move); `None` in memory.
    pub fn remote_address(&self) -> Option<SocketAddr> {
        match &*self.0 {
            Kind::Quic(link) => Some(link.remote_address()),
            Kind::WebSocket(link) => Some(link.remote_address()),
            Kind::Memory(_) => None,
        }
    }

    /// The shortest round trip that the transport has measured: the path's own, without what waits on the way or at its
    /// ends. `None` in memory, and on WebSocket before its first ping is answered.
    pub fn round_trip(&self) -> Option<Duration> {
        match &*self.0 {
            Kind::Quic(link) => Some(link.round_trip()),
            Kind::WebSocket(link) => link.round_trip(),
            Kind::Memory(_) => None,
        }
    }

    /// After how long this end acks the peer's packets by a packet of its own, if nothing else takes the ack along;
    /// `None` where packets are not acked by this process.
    pub fn ack_delay(&self) -> Option<Duration> {
        match &*self.0 {
            Kind::Quic(_) => Some(ACK_DELAY),
            Kind::WebSocket(_) | Kind::Memory(_) => None,
        }
    }

    /// What has passed so far.
    pub fn stats(&self) -> LinkStats {
        match &*self.0 {
            Kind::Quic(link) => link.stats(),
            Kind::WebSocket(link) => link.stats(),
            Kind::Memory(link) => link.stats(),
        }
    }
}

impl From<QuicLink> for Link {
    fn from(link: QuicLink) -> Self {
        Self(Arc::new(Kind::Quic(link)))
    }
}

impl From<WebSocketLink> for Link {
    fn from(link: WebSocketLink) -> Self {
        Self(Arc::new(Kind::WebSocket(link)))
    }
}

impl From<MemoryLink> for Link {
    fn from(link: MemoryLink) -> Self {
        Self(Arc::new(Kind::Memory(link)))
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("transport", &self.transport())
            .field("remote_address", &self.remote_address())
            .finish()
    }
}

/// What carries a [`Link`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Transport {
    /// Two ends in one process.
    Memory,
    /// QUIC with Hither's own ALPN.
    Quic,
    /// A WebSocket over TCP, where UDP does not come through.
    WebSocket,
    /// A WebTransport session over HTTP/3, as browsers speak it.
    WebTransport,
}

impl Transport {
    /// Its name in metrics, logs and flags: `memory`, `quic`, `websocket` or `webtransport`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Quic => "quic",
            Self::WebSocket => "websocket",
            Self::WebTransport => "webtransport",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a connection ended, and who ended it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Closed {
    /// The peer, or what stands between, broke the connection: it forgot it, or violated the
    /// transport's protocol. The text is for logs.
    #[error("broken: {0}")]
    Broken(String),
    /// This end closed it.
    #[error("closed by this end")]
    Local,
    /// The peer closed it on purpose.
    #[error("closed by the peer with code {code}: {reason}")]
    Peer {
        /// The peer's code: one of Hither's close codes, below 2^62.
        code: u64,
        /// The peer's words, for logs; not to be trusted.
        reason: String,
    },
    /// Nothing came from the peer for 2 to 2.5 s: it died, or the network did.
    #[error("nothing heard from the peer for too long")]
    TimedOut,
}

/// Why a datagram was not taken.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SendDatagramError {
    /// The connection is closed; [`Link::closed`] says by whom.
    #[error("the connection is closed")]
    Closed,
    /// The sender's fault: more than [`Link::max_datagram_size`] bytes.
    #[error("a datagram of {size} bytes is over the limit of {max}")]
    TooLarge {
        /// Bytes of the datagram, without the reserved byte.
        size: usize,
        /// Bytes that the path carries now.
        max: usize,
    },
    /// The peer's fault: it takes no datagrams.
    #[error("the peer takes no datagrams")]
    Unsupported,
}

/// Counters of one link since it was established; all only grow.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct LinkStats {
    /// Datagrams given to [`Link::send_datagram`] that left for the network.
    pub datagrams_sent: u64,
    /// Datagrams that came from the network.
    pub datagrams_received: u64,
    /// Datagrams that [`Link::recv_datagram`] handed up; the rest of those received wait, or were
    /// dropped because nobody took them in time.
    pub datagrams_taken: u64,
    /// Sends for which at least one older datagram was dropped unsent; on WebSocket, the datagrams that were dropped.
    pub datagrams_dropped: u64,
    /// QUIC packets sent.
    pub packets_sent: u64,
    /// QUIC packets sent and found to be lost on the way.
    pub packets_lost: u64,
    /// UDP packets sent.
    pub udp_sent: u64,
    /// UDP packets received.
    pub udp_received: u64,
    /// Bytes in UDP packets sent, without their headers.
    pub udp_bytes_sent: u64,
    /// Bytes in UDP packets received, without their headers.
    pub udp_bytes_received: u64,
    /// Bytes of TCP's stream sent; 0 but on WebSocket.
    pub tcp_bytes_sent: u64,
    /// Bytes of TCP's stream received; 0 but on WebSocket.
    pub tcp_bytes_received: u64,
}

enum Kind {
    Quic(QuicLink),
    WebSocket(WebSocketLink),
    Memory(MemoryLink),
}
