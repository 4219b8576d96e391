//! How a client connects: what it needs to know before, and how it says what went wrong.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hither_protocol::message::control::Hello;
use hither_transport::{BindError, ClientEndpoint, ClientTls, Link, Transport};
use tokio::time::{Instant, timeout_at};

use crate::client::Client;
use crate::closed::Closed;
use crate::driver;
use crate::keeper::{Keeper, Life};
use crate::mailbox::Mailbox;

/// A future that a caller's function gives.
type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;
/// Makes a link.
type Connector = Arc<dyn Fn() -> Later<Result<Link, ConnectError>> + Send + Sync>;
/// Gets a token.
type Auth = Arc<dyn Fn() -> Later<Result<String, AuthError>> + Send + Sync>;
/// Why there is no token, in the words of whoever issues them.
pub type AuthError = Box<dyn std::error::Error + Send + Sync>;

/// A random number from 0 up to 1.
type Random = fn() -> f64;

/// How long connecting may take by default, from the first packet to the welcome.
const DEADLINE: Duration = Duration::from_secs(5);

/// How long a connection may be gone by default until the application is told that it is lost.
const LOST_CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);

/// Everything that a connection needs to know before it begins; see [`Client::builder`].
#[derive(Clone)]
#[must_use]
pub struct ConnectOptions {
    url: String,
    transport: Transport,
    tls: ClientTls,
    endpoint: Option<ClientEndpoint>,
    hello: Hello,
    deadline: Duration,
    auth: Option<Auth>,
    connector: Option<Connector>,
    reconnect: bool,
    lost_connection_timeout: Duration,
    random: Random,
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
            auth: None,
            connector: None,
            reconnect: true,
            lost_connection_timeout: LOST_CONNECTION_TIMEOUT,
            random: rand::random,
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

    /// Where tokens come from, instead of one [token](Self::token): it is asked for the first connection, and again
    /// when the server does not take the last one any more. Default: none, and then a token that has expired ends the
    /// client.
    pub fn auth<F>(mut self, auth: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<String, AuthError>> + Send + 'static,
    {
        self.auth = Some(Arc::new(move || Box::pin(auth())));
        self
    }

    /// Makes links in another way, for every connection of the client: in memory to a server in this process, say. URL,
    /// transport, trust and endpoint do not matter then.
    pub fn connector<F>(mut self, connect: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Link, ConnectError>> + Send + 'static,
    {
        self.connector = Some(Arc::new(move || Box::pin(connect())));
        self
    }

    /// Whether a connection that is lost is made again, with the same user and, within the grace of their namespaces,
    /// as the same members (the default). If not, the first end is the end.
    pub fn reconnect(mut self, reconnect: bool) -> Self {
        self.reconnect = reconnect;
        self
    }

    /// After how long without a connection the application is told that it is lost; 5 s by default. Shorter tells each
    /// change of a network, longer has users write into nothing.
    pub fn lost_connection_timeout(mut self, timeout: Duration) -> Self {
        self.lost_connection_timeout = timeout;
        self
    }

    /// Where the pauses before another connection have their chance from: tests know them so.
    #[doc(hidden)]
    pub fn random(mut self, random: fn() -> f64) -> Self {
        self.random = random;
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
    /// runtime, on which the client then runs in a task of its own. A first connection that fails is not tried again.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect(mut self) -> Result<Client, ConnectError> {
        let deadline = Instant::now() + self.deadline;
        let way = Way {
            auth: self.auth.clone(),
            connector: Some(self.find_connector()?),
            reconnect: self.reconnect,
            lost_connection_timeout: self.lost_connection_timeout,
            random: self.random,
        };
        let connecting = async {
            let token = way.token().await?;
            Ok::<_, ConnectError>((way.connect().await?, token))
        };
        let connected = timeout_at(deadline, connecting).await;
        let (link, token) = connected.map_err(|_| ConnectError::TimedOut(self.deadline))??;
        self.hello.token = token.or(self.hello.token);
        begin(way, link, self.hello, (deadline, self.deadline)).await
    }

    /// As [`Self::connect`], over a link that exists already, which is the client's only one: there is no way to
    /// another. URL, transport, trust, endpoint, connector and auth do not matter then.
    ///
    /// # Errors
    /// [`ConnectError::Refused`] and [`ConnectError::TimedOut`].
    pub async fn connect_over(self, link: Link) -> Result<Client, ConnectError> {
        let deadline = Instant::now() + self.deadline;
        let Self { lost_connection_timeout, random, .. } = self;
        let (auth, connector, reconnect) = (None, None, false);
        let way = Way { auth, connector, reconnect, lost_connection_timeout, random };
        begin(way, link, self.hello, (deadline, self.deadline)).await
    }

    fn find_connector(&mut self) -> Result<Connector, ConnectError> {
        if let Some(connector) = self.connector.take() {
            return Ok(connector);
        }
        let endpoint = match self.endpoint.take() {
            Some(endpoint) => endpoint,
            None => ClientEndpoint::bind(self.tls)?,
        };
        let (url, transport) = (self.url.clone(), self.transport);
        Ok(Arc::new(move || {
            let (endpoint, url) = (endpoint.clone(), url.clone());
            Box::pin(async move { Ok(endpoint.connect(&url, transport).await?) })
        }))
    }
}

async fn begin(
    way: Way,
    link: Link,
    hello: Hello,
    (deadline, time): (Instant, Duration),
) -> Result<Client, ConnectError> {
    let (handle, driver) = driver::start(link, hello);
    let (mailbox, life) = (Arc::new(Mailbox::default()), Life::new());
    let welcome = mailbox.expect_welcome();
    let keeper = Keeper::new(way, handle.clone(), Arc::clone(&mailbox), Arc::clone(&life));
    tokio::spawn(keeper.run(driver));
    let client = Client::new(handle, mailbox, life); // closes the connection if it is dropped below
    match timeout_at(deadline, welcome).await {
        Ok(Ok(())) => Ok(client),
        Ok(Err(_)) => Err(ConnectError::Refused(client.closed().await)),
        Err(_) => Err(ConnectError::TimedOut(time)),
    }
}

impl fmt::Debug for ConnectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectOptions")
            .field("url", &self.url)
            .field("transport", &self.transport)
            .field("deadline", &self.deadline)
            .field("reconnect", &self.reconnect)
            .finish_non_exhaustive()
    }
}

/// How a client comes to its connections.
pub(crate) struct Way {
    auth: Option<Auth>,
    connector: Option<Connector>,
    reconnect: bool,
    pub(crate) lost_connection_timeout: Duration,
    pub(crate) random: Random,
}

impl Way {
    /// Whether there may be another connection.
    pub(crate) fn is_repeatable(&self) -> bool {
        self.reconnect && self.connector.is_some()
    }

    pub(crate) fn can_renew_token(&self) -> bool {
        self.auth.is_some()
    }

    /// A new token; `None` if none is to be had.
    pub(crate) async fn token(&self) -> Result<Option<String>, ConnectError> {
        match &self.auth {
            Some(auth) => auth().await.map(Some).map_err(ConnectError::Auth),
            None => Ok(None),
        }
    }

    pub(crate) async fn connect(&self) -> Result<Link, ConnectError> {
        match &self.connector {
            Some(connect) => connect().await,
            None => Err(ConnectError::NoWay),
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
    /// Whoever issues tokens gave none.
    #[error("there is no token: {0}")]
    Auth(#[source] AuthError),
    /// The caller's: the client was made over a link of its own, and can make no other.
    #[error("there is no way to another connection")]
    NoWay,
    /// Nobody answered within the deadline: the network swallows UDP, or the server is down or overloaded.
    #[error("no welcome within {0:?}")]
    TimedOut(Duration),
}
