//! The server's end: one UDP socket for raw QUIC and WebTransport, told apart by the ALPN.

use std::net::SocketAddr;
use std::sync::Arc;

use aws_lc_rs::hmac;
use hither_protocol::CloseCode;
use quinn::{Connection, Endpoint, EndpointConfig, ServerConfig, TransportConfig};
use tokio::sync::watch;
#[cfg(feature = "webtransport")]
use web_transport_proto::http::StatusCode;

use crate::bounds::{Side, bound_incoming, transport_config};
use crate::connection_id::ConnectionIds;
use crate::link::{Closed, Link, Transport};
use crate::quic::{Owned, QuicLink};
use crate::runtime::PatientRuntime;
use crate::socket::{self, BindError, SocketBuffers};
use crate::tls::ServerTls;
use crate::websocket::TcpTls;

/// A bound UDP socket that takes connections of both kinds.
#[derive(Debug)]
pub struct Listener {
    endpoint: Endpoint,
    local_addr: SocketAddr,
    socket_buffers: SocketBuffers,
    transport: Arc<TransportConfig>,
    tls: watch::Sender<ServerTls>,
}

impl Listener {
    /// Binds `address` (port 0 takes a free one). At most `motion_bytes_max` bytes of datagrams wait for
    /// one client, then the oldest go. Must be called within a tokio runtime.
    ///
    /// Packets of connections that this process does not know are answered by resets that `reset_key` makes: clients of
    /// an earlier process with the same key see at once that it is gone, and not by their timeout.
    ///
    /// # Errors
    ///
    /// [`BindError::Socket`].
    pub fn bind(
        address: SocketAddr,
        tls: ServerTls,
        motion_bytes_max: usize,
        reset_key: &[u8; 32],
    ) -> Result<Self, BindError> {
        let transport = Arc::new(transport_config(Side::Server, motion_bytes_max));
        let (socket, socket_buffers) = socket::bind(address)?;
        let local_addr = socket.local_addr()?;
        let endpoint = Endpoint::new(
            endpoint_config(reset_key),
            Some(server_config(&tls, transport.clone())),
            socket,
            PatientRuntime::shared(),
        )?;
        Ok(Self { endpoint, local_addr, socket_buffers, transport, tls: watch::Sender::new(tls) })
    }

    /// The address that was bound.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// What the kernel gave the socket, for the operator to be told if it falls short.
    pub fn socket_buffers(&self) -> SocketBuffers {
        self.socket_buffers
    }

    /// How many connections are open, in their handshake or closing.
    pub fn open_connections(&self) -> usize {
        self.endpoint.open_connections()
    }

    /// Waits for the next client that asks for a connection; `None` once closed. At most 2,048
    /// wait, more are refused. Cancel safe.
    pub async fn accept(&self) -> Option<Incoming> {
        self.endpoint.accept().await.map(Incoming)
    }

    /// Presents another certificate from now on; established connections keep theirs.
    pub fn set_tls(&self, tls: ServerTls) {
        self.endpoint.set_server_config(Some(server_config(&tls, self.transport.clone())));
        self.tls.send_replace(tls);
    }

    /// What a listener of WebSockets over TCP presents: always the same certificate as this one.
    pub fn tcp_tls(&self) -> TcpTls {
        TcpTls::new(self.tls.subscribe())
    }

    /// Takes no more connections, and closes those that are open with `code` and `reason`.
    pub fn close(&self, code: u32, reason: &str) {
        self.endpoint.close(code.into(), reason.as_bytes());
    }

    /// Waits until every connection has been closed and its peer told, as far as it listens;
    /// after [`Self::close`] that takes a few round trips.
    pub async fn wait_idle(&self) {
        self.endpoint.wait_idle().await;
    }
}

/// A client that asks for a connection; nothing but its address is known. Dropping it refuses.
#[derive(Debug)]
pub struct Incoming(quinn::Incoming);

impl Incoming {
    /// Where the packet came from, which may be forged until [`Self::is_validated`].
    pub fn remote_address(&self) -> SocketAddr {
        self.0.remote_address()
    }

    /// Whether the client has proved to receive at its address.
    pub fn is_validated(&self) -> bool {
        self.0.remote_address_validated()
    }

    /// Refuses with one packet; the client sees [`ConnectError::Refused`](crate::ConnectError).
    pub fn refuse(self) {
        self.0.refuse();
    }

    /// Has the client prove its address, at the cost of a round trip, and forgets it until it
    /// comes back validated. A client that is validated is refused.
    pub fn retry(self) {
        if let Err(error) = self.0.retry() {
            error.into_incoming().refuse();
        }
    }

    /// Goes through TLS and, for WebTransport, waits for the CONNECT request.
    ///
    /// There is no deadline: a client may stop halfway, so wrap this in a timeout. Dropping the
    /// future closes the connection, whatever the client has open on it.
    ///
    /// # Errors
    ///
    /// [`HandshakeError`]; the connection is closed then.
    pub async fn handshake(self) -> Result<Request, HandshakeError> {
        let connecting = self.0.accept().map_err(Closed::from)?;
        let connection = Owned(connecting.await.map_err(Closed::from)?);
        #[cfg(feature = "webtransport")]
        if is_http3(&connection.0) {
            let pending = crate::webtransport::PendingSession::accept(connection).await?;
            return Ok(Request(RequestKind::WebTransport(Box::new(pending))));
        }
        Ok(Request(RequestKind::Quic(connection)))
    }
}

/// A client that waits to be let in. Dropping it closes the connection.
pub struct Request(RequestKind);

impl Request {
    /// Which transport it speaks.
    pub fn transport(&self) -> Transport {
        match &self.0 {
            RequestKind::Quic(_) => Transport::Quic,
            #[cfg(feature = "webtransport")]
            RequestKind::WebTransport(_) => Transport::WebTransport,
        }
    }

    /// The `origin` header that browsers send with WebTransport; nothing else sends one.
    pub fn origin(&self) -> Option<&str> {
        match &self.0 {
            RequestKind::Quic(_) => None,
            #[cfg(feature = "webtransport")]
            RequestKind::WebTransport(pending) => pending.origin(),
        }
    }

    /// The path it asks for, with its query; on raw QUIC, where the ALPN says as much,
    /// [`hither_protocol::PATH`].
    pub fn path(&self) -> &str {
        match &self.0 {
            RequestKind::Quic(_) => hither_protocol::PATH,
            #[cfg(feature = "webtransport")]
            RequestKind::WebTransport(pending) => pending.path(),
        }
    }

    /// The client's address, proved by the handshake.
    pub fn remote_address(&self) -> SocketAddr {
        self.connection().remote_address()
    }

    /// Lets the client in.
    ///
    /// # Errors
    ///
    /// [`HandshakeError`] if the client has gone.
    pub async fn accept(self) -> Result<Link, HandshakeError> {
        match self.0 {
            RequestKind::Quic(connection) => Ok(QuicLink::raw(connection).into()),
            #[cfg(feature = "webtransport")]
            RequestKind::WebTransport(pending) => pending.confirm().await,
        }
    }

    /// Sends the client away: with an HTTP status on WebTransport, where this waits until the
    /// client has it (bound it by a timeout), and with a close code on raw QUIC.
    pub async fn reject(self, reject: Reject) {
        match self.0 {
            RequestKind::Quic(connection) => {
                let code = reject.close_code();
                connection.0.close(code.number().into(), code.name().as_bytes());
            }
            #[cfg(feature = "webtransport")]
            RequestKind::WebTransport(pending) => pending.reject(reject.status()).await,
        }
    }

    fn connection(&self) -> &Connection {
        match &self.0 {
            RequestKind::Quic(connection) => &connection.0,
            #[cfg(feature = "webtransport")]
            RequestKind::WebTransport(pending) => pending.connection(),
        }
    }
}

/// Why a client is not let in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reject {
    /// 403, or [`CloseCode::Origin`]: a page of this origin may not connect.
    Forbidden,
    /// 404, or [`CloseCode::Version`]: there is nothing at this path.
    NotFound,
    /// 429, or [`CloseCode::Overloaded`]: come back later.
    TooManyRequests,
}

impl Reject {
    /// What a client on raw QUIC is told.
    pub fn close_code(self) -> CloseCode {
        match self {
            Self::Forbidden => CloseCode::Origin,
            Self::NotFound => CloseCode::Version,
            Self::TooManyRequests => CloseCode::Overloaded,
        }
    }

    #[cfg(feature = "webtransport")]
    fn status(self) -> StatusCode {
        match self {
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
        }
    }
}

/// Why a client's handshake failed; its fault or the network's, never the server's.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The connection ended: TLS or the ALPN did not fit, or the client has gone.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// The client speaks HTTP/3, but not as a WebTransport session begins.
    #[error("not a WebTransport session: {0}")]
    Http3(&'static str),
}

enum RequestKind {
    Quic(Owned),
    #[cfg(feature = "webtransport")]
    WebTransport(Box<crate::webtransport::PendingSession>),
}

/// An endpoint that knows the connections of an earlier one with this key well enough to reset them.
fn endpoint_config(reset_key: &[u8; 32]) -> EndpointConfig {
    let key = hmac::Key::new(hmac::HMAC_SHA256, reset_key);
    let ids = hmac::sign(&key, b"connection ids");
    let ids = hmac::Key::new(hmac::HMAC_SHA256, ids.as_ref());
    let mut config = EndpointConfig::new(Arc::new(key));
    config.cid_generator(move || Box::new(ConnectionIds::new(ids.clone())));
    config
}

fn server_config(tls: &ServerTls, transport: Arc<TransportConfig>) -> ServerConfig {
    let mut config = ServerConfig::with_crypto(tls.quic.clone());
    config.transport_config(transport);
    bound_incoming(&mut config);
    config
}

/// TLS lets nothing pass but the two ALPNs that the server offers.
#[cfg(feature = "webtransport")]
fn is_http3(connection: &Connection) -> bool {
    use quinn::crypto::rustls::HandshakeData;
    let data = connection.handshake_data();
    let data = data.and_then(|data| data.downcast::<HandshakeData>().ok());
    data.and_then(|data| data.protocol).as_deref() == Some(crate::tls::ALPN_H3)
}
