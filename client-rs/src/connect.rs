//! How a client connects: what it needs to know before, and how it says what went wrong.

use std::sync::Arc;
use std::time::Duration;

use hither_protocol::message::control::Hello;
use hither_transport::{BindError, ClientEndpoint, ClientTls, Link, Transport};
use tokio::time::{Instant, timeout_at};

use crate::client::Client;
use crate::closed::Closed;
use crate::driver;
use crate::mailbox::Mailbox;

/// How long connecting may take by default, from the first packet to the welcome.
const DEADLINE: Duration = Duration::from_secs(5);

/// Everything that a connection needs to know before it begins; see [`Client::builder`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ConnectOptions {
    url: String,
    transport: Transport,
    tls: ClientTls,
    endpoint: Option<ClientEndpoint>,
    hello: Hello,
    deadline: Duration,
}

impl ConnectOptions {
    /// Connects to `https://host[:port]`, over raw QUIC and trusting the machine's roots, as an anonymous user. A URL
    /// of `wss://`, or of `ws://` without TLS, is connected to over WebSocket.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            transport: Transport::Quic,
            tls: ClientTls::Roots,
            endpoint: None,
            hello: Hello::default(),
            deadline: DEADLINE,
        }
    }

    /// What carries the connection: [`Transport::Quic`] by default, which costs least, or [`Transport::WebTransport`]
    /// with the feature `webtransport`, where only HTTP/3 comes through, or [`Transport::WebSocket`], where no UDP
    /// does.
    pub fn transport(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    /// Trusts the one certificate with this SHA-256 of its DER, whatever its names and dates say, instead of the
    /// machine's roots (the default). A development server prints it as `cert_sha256`.
    pub fn cert_sha256(mut self, hash: [u8; 32]) -> Self {
        self.tls = ClientTls::Hash(hash);
        self
    }

    /// Connects from this socket, which any number of connections may share, instead of a new one for each (the
    /// default, at the cost of a socket with buffers of 4 MiB each way). Its own trust counts, not
    /// [`Self::cert_sha256`].
    pub fn endpoint(mut self, endpoint: ClientEndpoint) -> Self {
        self.endpoint = Some(endpoint);
        self
    }

    /// The token that the server wants; none by default. At most 8 KiB.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.hello.token = Some(token.into());
        self
    }

    /// The name that an anonymous user would like to have; none by default. At most 64 bytes.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.hello.name = Some(name.into());
        self
    }

    /// How long connecting may take until the welcome; 5 s by default. Longer only delays the bad news where a
    /// network swallows UDP: connect over WebSocket then.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Connects, says hello and waits for the welcome. Dropping the future gives up. Must be called within a tokio
    /// runtime, on which the connection then runs in a task of its own.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect(self) -> Result<Client, ConnectError> {
        let deadline = Instant::now() + self.deadline;
        let endpoint = match &self.endpoint {
            Some(endpoint) => endpoint.clone(),
            None => ClientEndpoint::bind(self.tls)?,
        };
        let connecting = endpoint.connect(&self.url, self.transport);
        let link = timeout_at(deadline, connecting).await;
        let link = link.map_err(|_| ConnectError::TimedOut(self.deadline))??;
        self.begin(link, deadline).await
    }

    /// As [`Self::connect`], over a link that exists already: one in memory to a server in this process, say. URL,
    /// transport, trust and endpoint do not matter then.
    ///
    /// # Errors
    /// [`ConnectError::Refused`] and [`ConnectError::TimedOut`].
    pub async fn connect_over(self, link: Link) -> Result<Client, ConnectError> {
        let deadline = Instant::now() + self.deadline;
        self.begin(link, deadline).await
    }

    async fn begin(self, link: Link, deadline: Instant) -> Result<Client, ConnectError> {
        let (handle, driver) = driver::start(link, self.hello);
        let mailbox = Arc::new(Mailbox::default());
        let welcome = mailbox.expect_welcome();
        tokio::spawn(driver.run(mailbox.observer()));
        let client = Client::new(handle, mailbox); // closes the connection if it is dropped below
        match timeout_at(deadline, welcome).await {
            Ok(Ok(())) => Ok(client),
            Ok(Err(_)) => Err(ConnectError::Refused(client.closed().await)),
            Err(_) => Err(ConnectError::TimedOut(self.deadline)),
        }
    }
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// This machine's fault: no socket, or no roots to trust.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The network's, the URL's or the certificate's fault: the server was not reached. The source says which.
    #[error("the server was not reached: {0}")]
    Unreachable(#[from] hither_transport::ConnectError),
    /// The server closed the connection instead of a welcome; its code says whose fault that is, and what to do.
    #[error("the server refused: {0}")]
    Refused(#[source] Closed),
    /// Nobody answered within the deadline: the network swallows UDP, or the server is down or overloaded.
    #[error("no welcome within {0:?}")]
    TimedOut(Duration),
}
