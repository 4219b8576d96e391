//! The client's end: one UDP socket for any number of connections, of both kinds, and the way to a WebSocket beside it.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use hither_protocol::ALPN;
use quinn::{ClientConfig, Endpoint, EndpointConfig, TransportErrorCode};
use quinn_proto::RandomConnectionIdGenerator;
use url::{Host, Url};

use crate::bounds::{DATAGRAM_BUFFER, Side, transport_config};
use crate::link::{Closed, Link, Transport};
use crate::quic::{Owned, QuicLink};
use crate::runtime::PatientRuntime;
use crate::socket::{self, BindError, SocketBuffers};
use crate::tls::ClientTls;

/// A bound UDP socket from which connections are made. Cheap to clone; clones share the socket.
#[derive(Clone, Debug)]
pub struct ClientEndpoint {
    endpoint: Endpoint,
    quic: ClientConfig,
    #[cfg(feature = "webtransport")]
    webtransport: ClientConfig,
    websocket: Arc<rustls::ClientConfig>,
    socket_buffers: SocketBuffers,
}

impl ClientEndpoint {
    /// Binds a free port, for IPv6 and IPv4 where the machine has both. Must be called within a
    /// tokio runtime.
    ///
    /// # Errors
    ///
    /// [`BindError`].
    pub fn bind(tls: ClientTls) -> Result<Self, BindError> {
        let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
        let bound = socket::bind(any);
        let bound = bound.or_else(|_| socket::bind((Ipv4Addr::UNSPECIFIED, 0).into()));
        let (socket, socket_buffers) = bound?;
        let endpoint = Endpoint::new(endpoint_config(), None, socket, PatientRuntime::shared())?;
        let transport = Arc::new(transport_config(Side::Client, DATAGRAM_BUFFER));
        let config = |alpn: &[u8]| -> Result<ClientConfig, BindError> {
            let mut config = ClientConfig::new(tls.quic(alpn)?);
            config.transport_config(Arc::clone(&transport));
            Ok(config)
        };
        Ok(Self {
            endpoint,
            quic: config(ALPN.as_bytes())?,
            #[cfg(feature = "webtransport")]
            webtransport: config(crate::tls::ALPN_H3)?,
            websocket: tls.tcp()?,
            socket_buffers,
        })
    }

    /// What the kernel gave the socket, for a load generator to tell if it falls short.
    pub fn socket_buffers(&self) -> SocketBuffers {
        self.socket_buffers
    }

    /// Connects to `https://host[:port]` over `transport`, or to `wss://` or `ws://` over WebSocket, the latter without
    /// TLS.
    ///
    /// WebTransport and WebSocket take the URL's path too, by default [`hither_protocol::PATH`]. A host with
    /// several addresses is tried at each in turn, 2.5 s for one that is silent. Dropping the
    /// future gives up.
    ///
    /// # Errors
    ///
    /// [`ConnectError`].
    pub async fn connect(&self, url: &str, transport: Transport) -> Result<Link, ConnectError> {
        self.connect_from(url, transport, None).await
    }

    /// Connects over WebTransport or WebSocket with an `origin` header, as a page of that origin would.
    ///
    /// # Errors
    ///
    /// As [`Self::connect`]; raw QUIC has no origins.
    pub async fn connect_as_page(
        &self,
        url: &str,
        transport: Transport,
        origin: &str,
    ) -> Result<Link, ConnectError> {
        self.connect_from(url, transport, Some(origin)).await
    }

    /// Closes all connections of this socket with `code` and `reason`, and allows no more.
    pub fn close(&self, code: u32, reason: &str) {
        self.endpoint.close(code.into(), reason.as_bytes());
    }

    /// Waits until every connection has been closed and its peer told, as far as it listens; so
    /// a process that exits after it leaves nobody waiting.
    pub async fn wait_idle(&self) {
        self.endpoint.wait_idle().await;
    }

    async fn connect_from(
        &self,
        url: &str,
        transport: Transport,
        origin: Option<&str>,
    ) -> Result<Link, ConnectError> {
        let mut url = parse(url)?;
        let is_websocket = url.scheme() != "https" || transport == Transport::WebSocket;
        if url.path() == "/" {
            url.set_path(hither_protocol::PATH);
        }
        match transport {
            _ if is_websocket => self.connect_websocket(url, origin).await,
            Transport::Quic if origin.is_none() => {
                Ok(QuicLink::raw(self.connect_quic(&url, &self.quic).await?).into())
            }
            #[cfg(feature = "webtransport")]
            Transport::WebTransport => self.connect_webtransport(url, origin).await,
            other => Err(ConnectError::Unsupported(other)),
        }
    }

    async fn connect_websocket(
        &self,
        mut url: Url,
        origin: Option<&str>,
    ) -> Result<Link, ConnectError> {
        let tls = (url.scheme() != "ws").then(|| Arc::clone(&self.websocket));
        if url.scheme() == "https" {
            // As good a scheme for a host as the one before.
            let _ = url.set_scheme("wss");
        }
        let (name, addresses) = resolve(&url).await?;
        crate::websocket::connect(&url, &name, addresses, tls, origin).await
    }

    #[cfg(feature = "webtransport")]
    async fn connect_webtransport(
        &self,
        url: Url,
        origin: Option<&str>,
    ) -> Result<Link, ConnectError> {
        let connection = self.connect_quic(&url, &self.webtransport).await?;
        crate::webtransport::connect(connection, url, origin).await
    }

    async fn connect_quic(&self, url: &Url, config: &ClientConfig) -> Result<Owned, ConnectError> {
        let (name, addresses) = resolve(url).await?;
        let mut last = ConnectError::Resolve(io::ErrorKind::NotFound.into());
        for address in addresses {
            let connecting = self.endpoint.connect_with(config.clone(), address, &name)?;
            match connecting.await {
                Ok(connection) => return Ok(Owned(connection)),
                Err(error) => last = error.into(),
            }
        }
        Err(last)
    }
}

/// The name that a server's certificate has, and where it is.
async fn resolve(url: &Url) -> Result<(String, Vec<SocketAddr>), ConnectError> {
    let port = url.port_or_known_default().unwrap_or(443); // `parse` lets only known schemes pass
    match url.host() {
        Some(Host::Ipv4(ip)) => Ok((ip.to_string(), vec![SocketAddr::from((ip, port))])),
        Some(Host::Ipv6(ip)) => Ok((ip.to_string(), vec![SocketAddr::from((ip, port))])),
        Some(Host::Domain(name)) => {
            let found = tokio::net::lookup_host((name, port)).await;
            Ok((name.to_string(), found.map_err(ConnectError::Resolve)?.collect()))
        }
        None => Err(ConnectError::Url("no host".into())),
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The connection ended before it was established; its cause says by whom.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// The server's fault: it does not speak HTTP/3 as a WebTransport session begins.
    #[error("not a WebTransport server: {0}")]
    Http3(&'static str),
    /// This machine's fault: the endpoint is closed, or the address cannot be reached from it.
    #[error("cannot start to connect: {0}")]
    Local(#[from] quinn::ConnectError),
    /// The server takes no more connections now; try again later.
    #[error("refused by the server")]
    Refused,
    /// The server answered the request for WebTransport or WebSocket with this HTTP status.
    #[error("rejected by the server with status {0}")]
    Rejected(u16),
    /// The caller's fault or the network's: the host has no address.
    #[error("cannot resolve the host: {0}")]
    Resolve(#[source] io::Error),
    /// The network's fault, or nobody listens there: no TCP stream, or it failed before there was a WebSocket.
    #[error("no WebSocket: {0}")]
    Tcp(#[source] io::Error),
    /// The ends do not trust or understand each other: another certificate than the expected,
    /// no common ALPN or version. Trying again does not help.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// The caller's fault: nothing is reached by this transport, or it was left out at build.
    #[error("cannot connect over {0}")]
    Unsupported(Transport),
    /// The caller's fault: not a URL of `https`, `wss` or `ws` with a host.
    #[error("not a URL to connect to: {0}")]
    Url(String),
}

impl From<quinn::ConnectionError> for ConnectError {
    fn from(error: quinn::ConnectionError) -> Self {
        use quinn::ConnectionError::{ConnectionClosed, TransportError};
        let code = match &error {
            TransportError(error) => error.code,
            ConnectionClosed(close) => close.error_code,
            _ => return Self::Closed(error.into()),
        };
        match u64::from(code) {
            TLS_ALERTS_START..TLS_ALERTS_END => Self::Tls(error.to_string()),
            _ if code == TransportErrorCode::CONNECTION_REFUSED => Self::Refused,
            _ => Self::Closed(error.into()),
        }
    }
}

/// Of a client's connection id in bytes. It stands in every packet to this client, so each byte counts: three tell
/// millions of connections on one socket apart, and quinn draws no two the same.
const CONNECTION_ID_BYTES: usize = 3;

fn endpoint_config() -> EndpointConfig {
    let mut config = EndpointConfig::default();
    config.cid_generator(|| Box::new(RandomConnectionIdGenerator::new(CONNECTION_ID_BYTES)));
    config
}

/// QUIC's codes for TLS alerts.
const TLS_ALERTS_START: u64 = 0x100;
const TLS_ALERTS_END: u64 = 0x200;

fn parse(url: &str) -> Result<Url, ConnectError> {
    let url = Url::parse(url).map_err(|error| ConnectError::Url(error.to_string()))?;
    match url.scheme() {
        "https" | "wss" | "ws" => Ok(url),
        other => Err(ConnectError::Url(format!("the scheme is {other}, not https, wss or ws"))),
    }
}
