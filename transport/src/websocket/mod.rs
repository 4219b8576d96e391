//! A link over a WebSocket, for those whose network blocks UDP (rules W1 to W6 of PROTOCOL.md).
//!
//! TCP has one stream and no datagrams, so a bridge stands between the socket and one end of a link in memory, whose
//! lanes have the bounds and the meaning that all others have; the other end is the [`Link`].
//!
//! A server makes a [`Socket`] of each TCP stream, reads a request of HTTP from it by its own means, answers it by
//! [`answer`], and hands the socket to [`accept`]. A client connects by
//! [`ClientEndpoint::connect`](crate::ClientEndpoint::connect).

mod bridge;
mod handshake;
mod message;
mod reader;
mod socket;
mod writer;

pub(crate) use handshake::connect;
pub use handshake::{accept, answer};
pub use socket::{Socket, TcpTls};

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use socket::Pulse;
use tokio_tungstenite::WebSocketStream;

use crate::bounds::Side;
use crate::link::{Closed, Link, LinkStats, SendDatagramError};
use crate::memory::{self, MemoryLink};
use crate::stream::{RecvStream, SendStream};

/// The link's end of a bridge.
pub(crate) struct WebSocketLink {
    near: MemoryLink,
    shared: Arc<Shared>,
}

/// What the bridge tells the link.
struct Shared {
    address: SocketAddr,
    heard: Arc<Pulse>,
    /// How it ended, if neither end of the application closed it; set before the bridge closes its end.
    ended: OnceLock<Closed>,
    /// The shortest round trip in microseconds; `NO_ROUND_TRIP` before the first.
    round_trip: AtomicU64,
    datagrams_dropped: AtomicU64,
}

const NO_ROUND_TRIP: u64 = u64::MAX;

/// Starts a bridge. At most `datagram_bytes` of datagrams wait before it. Must be called within a tokio runtime.
fn bridged(socket: WebSocketStream<Socket>, side: Side, datagram_bytes: usize) -> Link {
    let (near, far) = memory::ends(datagram_bytes);
    let shared = Arc::new(Shared {
        address: socket.get_ref().remote_address(),
        heard: socket.get_ref().heard(),
        ended: OnceLock::new(),
        round_trip: AtomicU64::new(NO_ROUND_TRIP),
        datagrams_dropped: AtomicU64::default(),
    });
    tokio::spawn(bridge::run_bridge(socket, side, far, Arc::clone(&shared)));
    WebSocketLink { near, shared }.into()
}

impl WebSocketLink {
    pub(crate) fn send_datagram(&self, datagram: &Bytes) -> Result<(), SendDatagramError> {
        self.near.send_datagram(datagram)
    }

    pub(crate) fn unsent_datagram_bytes(&self) -> usize {
        self.near.unsent_datagram_bytes()
    }

    pub(crate) async fn recv_datagram(&self) -> Result<Bytes, Closed> {
        self.near.recv_datagram().await.map_err(|closed| self.cause(closed))
    }

    pub(crate) async fn open_stream(&self) -> Result<(SendStream, RecvStream), Closed> {
        self.near.open_stream().await.map_err(|closed| self.cause(closed))
    }

    pub(crate) async fn accept_stream(&self) -> Result<(SendStream, RecvStream), Closed> {
        self.near.accept_stream().await.map_err(|closed| self.cause(closed))
    }

    pub(crate) fn close(&self, code: u32, reason: &str) {
        self.near.close(code, reason);
    }

    pub(crate) async fn closed(&self) -> Closed {
        self.cause(self.near.closed().await)
    }

    pub(crate) fn remote_address(&self) -> SocketAddr {
        self.shared.address
    }

    pub(crate) fn round_trip(&self) -> Option<Duration> {
        let micros = self.shared.round_trip.load(Ordering::Relaxed);
        (micros != NO_ROUND_TRIP).then(|| Duration::from_micros(micros))
    }

    pub(crate) fn stats(&self) -> LinkStats {
        let stats = self.near.stats();
        let dropped = self.shared.datagrams_dropped.load(Ordering::Relaxed);
        let (tcp_bytes_received, tcp_bytes_sent) = self.shared.heard.bytes();
        LinkStats {
            tcp_bytes_received,
            tcp_bytes_sent,
            // What the bridge drops it counts before it takes the next.
            datagrams_sent: stats.datagrams_sent.saturating_sub(dropped),
            datagrams_dropped: stats.datagrams_dropped + dropped,
            ..stats
        }
    }

    /// The bridge closes its end for all that is not the application's.
    fn cause(&self, closed: Closed) -> Closed {
        match closed {
            Closed::Local => closed,
            by_bridge => self.shared.ended.get().cloned().unwrap_or(by_bridge),
        }
    }
}
