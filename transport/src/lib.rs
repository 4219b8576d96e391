//! The [`Link`] of both ends: one connection that carries Hither's lanes, over WebTransport, raw
//! QUIC, WebSocket or memory. It stands apart so that neither the server nor a client knows which it is.
//!
//! A server binds a [`Listener`]: one UDP socket for both kinds of client, told apart by their
//! ALPN. A client binds a [`ClientEndpoint`], whose socket any number of connections share.
//! [`memory::pair`] links two ends in one process.
//!
//! Deadlines are the caller's: wrap the future in a timeout. A future that is dropped before its
//! connection is established closes that connection.

mod bounds;
mod client;
mod clock;
mod congestion;
mod connection_id;
mod diligent;
mod link;
mod listener;
pub mod memory;
mod quic;
#[cfg(feature = "relay")]
pub mod relay;
mod runtime;
mod socket;
mod stream;
mod tls;
pub mod websocket;
#[cfg(feature = "webtransport")]
mod webtransport;

pub use bounds::{IDLE_TIMEOUT, SILENCE};
pub use client::{ClientEndpoint, ConnectError};
pub use clock::Clock;
pub use link::{Closed, Link, LinkStats, SendDatagramError, Transport};
pub use listener::{HandshakeError, Incoming, Listener, Reject, Request};
pub use socket::{BindError, SocketBuffers};
pub use stream::{ReadError, RecvStream, SendStream, WriteError};
pub use tls::{ClientTls, ServerTls, TlsError};

/// The first byte of every datagram given to [`Link::send_datagram`]. On WebTransport it is the
/// quarter stream id of the only session; the other transports leave it out.
pub const RESERVED: u8 = 0x00;
