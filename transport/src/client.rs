//! The client's end: one UDP socket for any number of connections, of both kinds.

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
            let mut config = ClientConfig::new(tls.config(alpn)?);
            config.transport_config(Arc::clone(&transport));
            Ok(config)
        };
        Ok(Self {
            endpoint,
            quic: config(ALPN.as_bytes())?,
            #[cfg(feature = "webtransport")]
            webtransport: config(crate::tls::ALPN_H3)?,
            socket_buffers,
        })
    }

    /// What the kernel gave the socket, for a load generator to tell if it falls short.
    pub fn socket_buffers(&self) -> SocketBuffers {
        self.socket_buffers
    }

    /// Connects to `https://host[:port]` over `transport`.
    ///
    /// WebTransport takes the URL's path too, by default [`hither_protocol::PATH`]. A host with
    /// several addresses is tried at each in turn, 2.5 s for one that is silent. Dropping the
    /// future gives up.
    ///
    /// # Errors
    ///
    /// [`ConnectError`].
    pub async fn connect(&self, url: &str, transport: Transport) -> Result<Link, ConnectError> {
        let url = parse(url)?;
        match transport {
            Transport::Quic => Ok(QuicLink::raw(self.connect_quic(&url, &self.quic).await?).into()),
            #[cfg(feature = "webtransport")]
            Transport::WebTransport => self.connect_webtransport(url, None).await,
            other => Err(ConnectError::Unsupported(other)),
        }
    }

    /// Connects over WebTransport with an `origin` header, as a page of that origin would.
    ///
    /// # Errors
    ///
    /// As [`Self::connect`].
    #[cfg(feature = "webtransport")]
    pub async fn connect_as_page(&self, url: &str, origin: &str) -> Result<Link, ConnectError> {
        self.connect_webtransport(parse(url)?, Some(origin)).await
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

    #[cfg(feature = "webtransport")]
    async fn connect_webtransport(
        &self,
        mut url: Url,
        origin: Option<&str>,
    ) -> Result<Link, ConnectError> {
        if url.path() == "/" {
            url.set_path(hither_protocol::PATH);
        }
        let connection = self.connect_quic(&url, &self.webtransport).await?;
        crate::webtransport::connect(connection, url, origin).await
    }

    async fn connect_quic(&self, url: &Url, config: &ClientConfig) -> Result<Owned, ConnectError> {
        let port = url.port_or_known_default().unwrap_or(443); // `parse` lets only https pass
        let (name, addresses) = match url.host() {
            Some(Host::Ipv4(ip)) => (ip.to_string(), vec![SocketAddr::from((ip, port))]),
            Some(Host::Ipv6(ip)) => (ip.to_string(), vec![SocketAddr::from((ip, port))]),
            Some(Host::Domain(name)) => {
                let found = tokio::net::lookup_host((name, port)).await;
                (name.to_string(), found.map_err(ConnectError::Resolve)?.collect())
            }
            None => return Err(ConnectError::Url("no host".into())),
        };
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
    /// The server answered the WebTransport request with this HTTP status.
    #[error("rejected by the server with status {0}")]
    Rejected(u16),
    /// The caller's fault or the network's: the host has no address.
    #[error("cannot resolve the host: {0}")]
    Resolve(#[source] io::Error),
    /// The ends do not trust or understand each other: another certificate than the expected,
    /// no common ALPN or version. Trying again does not help.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// The caller's fault: nothing is reached by this transport, or it was left out at build.
    #[error("cannot connect over {0}")]
    Unsupported(Transport),
    /// The caller's fault: not an `https` URL with a host.
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
    if url.scheme() == "https" {
        Ok(url)
    } else {
        Err(ConnectError::Url(format!("the scheme is {}, not https", url.scheme())))
    }
}
