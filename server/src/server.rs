//! The assembly: the one place that names each adapter, and knows in which order they start and stop.

mod shared;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hither_protocol::CloseCode;
use hither_transport::relay::{Impairment, Relay};
use hither_transport::{BindError, Clock, Listener, ServerTls};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::auth::KeyError;
use crate::bots::Bots;
pub use crate::certificate::CertificateError;
use crate::certificate::{Source, run_renewal};
use crate::config::{AuthConfig, Config, DemoConfig, Origins};
use crate::connection::{Shared, run_incoming};
pub use crate::data::DataError;
use crate::data::{DataDir, Saver, Secrets};
use crate::event_log::{self, EventLog};
use crate::http::{
    Discovery, Door, NoPage, Readiness, Stores, bots_router, network_router, ops_router,
    page_router, public_router, run_http, websocket_router, websockets_only,
};
use crate::invitation;
use crate::metrics::{Metrics, RejectCause, Transport};
use crate::store::{self, Store};
pub use crate::store::{Backup, BackupError, OpenError};
use shared::{Assembly, authenticator, open_event_log, open_store};

/// How long clients have to take their bye when the server stops; all in all it has two seconds.
const DRAIN_DEADLINE: Duration = Duration::from_millis(1_500);
/// By when, after the stop began, edits are stored that were on their way.
const STORE_DEADLINE: Duration = Duration::from_millis(1_900);
/// How many free ports are tried for one that is free over UDP and TCP.
const BIND_ATTEMPTS: u32 = 16;
/// What the demo's relay loses: the same from start to start.
const RELAY_SEED: u64 = 1;
/// How long the closes have to leave after that.
const CLOSE_DEADLINE: Duration = Duration::from_millis(300);

/// Why the server stopped or did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The operator's: an address is taken or not of this machine.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The operator's: the address of clients is taken over UDP, or not of this machine.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The operator's: the key of tokens can't be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The operator's or the machine's: there is no certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The operator's: the folder of the demo page has none.
    #[error(transparent)]
    Page(#[from] NoPage),
    /// The operator's: the data directory can't be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The operator's or the machine's: the documents can't be used, or some of them are lost.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The operator's or the machine's: the kept events can't be used.
    #[error(transparent)]
    EventLog(#[from] event_log::OpenError),
}

/// A server that is ready, and not stopped yet.
#[derive(Debug)]
pub struct Server {
    listener: Arc<Listener>,
    http: SocketAddr,
    ops: SocketAddr,
    metrics: Arc<Metrics>,
    discovery: watch::Sender<Discovery>,
    readiness: watch::Sender<Readiness>,
    stopping: watch::Sender<bool>,
    /// Whether the ops plane was asked to drain.
    drain: watch::Receiver<bool>,
    /// Held by the ops plane, which tells how the stop goes, until all else has stopped.
    stopped: watch::Sender<bool>,
    /// Held until all its clients have gone.
    relay: Option<Arc<Relay>>,
    /// Saves once more when all clients have gone.
    saver: Option<Arc<Saver>>,
    /// Closed when all clients have gone.
    store: Arc<dyn Store>,
    /// The same.
    event_log: Arc<dyn EventLog>,
    tasks: Vec<JoinHandle<()>>,
}

/// The one line that a server prints on stdout, as JSON.
#[derive(Clone, Debug, Serialize)]
pub struct Ready {
    /// True: everything below is served.
    pub ready: bool,
    /// The UDP address of WebTransport and raw QUIC, and the TCP address of WebSocket in TLS.
    pub quic: SocketAddr,
    /// The TCP address of plain WebSocket; `null` where there is none.
    pub ws: Option<SocketAddr>,
    /// The TCP address of the public http listener.
    pub http: SocketAddr,
    /// The TCP address of the ops plane.
    pub ops: SocketAddr,
    /// The SHA-256 of the minted certificate in hex; `null` for one from files.
    pub cert_sha256: Option<String>,
}

/// Serves until SIGTERM, SIGINT or the ops plane's `/drain`, having said on stdout where.
///
/// # Errors
/// See [`ServerError`].
pub async fn run(config: Config) -> Result<(), ServerError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let secret = match &config.auth {
        AuthConfig::Secret(secret) => Some(secret.clone()),
        _ => None,
    };
    let mut server = Server::start(config).await?;
    if let Some(secret) = secret {
        invitation::show(server.http, &secret);
    }
    println!("{}", serde_json::to_string(&server.ready()).map_err(io::Error::from)?);
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        () = server.asked_to_drain() => {}
    }
    tracing::info!("stopping");
    server.stop().await;
    Ok(())
}

/// Copies the documents of a data directory to the file `to`, whether a server has it or not.
///
/// # Errors
/// [`BackupError`].
pub fn back_up(data: &Path, to: &Path) -> Result<Backup, BackupError> {
    store::back_up(data, to, DataDir::is_served(data))
}

impl Server {
    /// Binds every listener and begins to serve.
    ///
    /// # Errors
    /// See [`ServerError`]; nothing is left running then.
    pub async fn start(config: Config) -> Result<Self, ServerError> {
        let authenticator = authenticator(&config.auth)?;
        let data = config.data.as_deref().map(DataDir::open).transpose()?;
        let secrets = Secrets::of(data.as_ref())?;
        let metrics = Arc::new(Metrics::new());
        let clock = Clock::start();
        let store = open_store(data.as_ref(), &config.documents, clock, &metrics)?;
        let event_log = open_event_log(data.as_ref(), &config.namespaces, &metrics)?;
        let (tls, certificate) = Source::new(&config.tls)?;
        let http = TcpListener::bind(config.http).await?;
        let ops = TcpListener::bind(config.ops).await?;
        let (listener, tcp) = bind(&config, tls, &secrets.reset).await?;
        if listener.socket_buffers().fall_short() {
            let buffers = listener.socket_buffers();
            tracing::warn!(
                ?buffers,
                "the kernel gives small socket buffers: raise net.core.rmem_max"
            );
        }
        let (http_addr, ops_addr) = (http.local_addr()?, ops.local_addr()?);
        let (discovery, discovered) = watch::channel(Discovery {
            quic: listener.local_addr(),
            ws: config.demo.is_some().then_some(http_addr),
            cert_sha256: certificate.sha256_hex(),
            protocol: hither_protocol::VERSION,
        });
        let (readiness, ready) = watch::channel(Readiness::Starting);
        let (stopping, draining) = watch::channel(false);
        let stopped = watch::Sender::new(false);
        let (ask_to_drain, drain) = watch::channel(false);
        let (shared, saver) = Assembly {
            authenticator,
            origins: Origins::new(config.origins.clone(), http_addr),
            metrics: metrics.clone(),
            draining: draining.clone(),
            secrets,
            data,
            clock,
            store: store.clone(),
            event_log: event_log.clone(),
        }
        .shared(&config);
        let relay = config.demo.as_ref().and_then(|_| reachable(listener.local_addr()));
        let relay = relay.map(bind_relay).transpose()?.map(Arc::new);
        let demo = config.demo.as_ref().map(|demo| demo_router(demo, &shared, relay.clone()));
        let demo = demo.transpose()?;

        let public = public_router(discovered, demo);
        let stores = store.clone();
        let stores: Stores = Arc::new(move || stores.is_available());
        let ops_plane = ops_router(metrics.clone(), ready, ask_to_drain, stores);
        let websockets = websockets_only(shared.clone());
        let websocket_door = Door::Websocket(listener.tcp_tls(), shared.clone());
        let mut tasks = vec![
            tokio::spawn(run_http(http, Door::Plain, public, draining)),
            tokio::spawn(run_http(ops, Door::Plain, ops_plane, stopped.subscribe())),
            // Who comes while the server is being stopped is told so.
            tokio::spawn(run_http(tcp, websocket_door, websockets, stopped.subscribe())),
            tokio::spawn(run_listener(shared, listener.clone())),
            tokio::spawn(run_renewal(certificate, listener.clone(), discovery.clone())),
        ];
        tasks.extend(saver.clone().map(|saver| tokio::spawn(saver.run_saves())));
        readiness.send_replace(Readiness::Ready);
        let (http, ops) = (http_addr, ops_addr);
        Ok(Self {
            listener,
            http,
            ops,
            metrics,
            discovery,
            readiness,
            stopping,
            drain,
            stopped,
            relay,
            saver,
            store,
            event_log,
            tasks,
        })
    }

    /// Where the server is, for whoever started it.
    pub fn ready(&self) -> Ready {
        Ready {
            ready: true,
            quic: self.listener.local_addr(),
            ws: self.discovery.borrow().ws,
            http: self.http,
            ops: self.ops,
            cert_sha256: self.discovery.borrow().cert_sha256.clone(),
        }
    }

    /// Waits until the ops plane is asked to drain; then it is time for [`Self::stop`].
    pub async fn asked_to_drain(&mut self) {
        if self.drain.wait_for(|asked| *asked).await.is_err() {
            // The ops plane is gone, and nobody can ask any more.
            std::future::pending::<()>().await;
        }
    }

    /// Clients that have not gone; none of the server's own. Connections that are closed and wait for late packets do
    /// not count.
    fn open_connections(&self) -> i64 {
        let clients = [Transport::Quic, Transport::WebTransport, Transport::WebSocket];
        clients.into_iter().map(|transport| self.metrics.connections[transport].get()).sum()
    }

    /// Takes no more clients, says bye to those that are there, and ends within two seconds.
    pub async fn stop(self) {
        let began = Instant::now();
        self.readiness.send_replace(Readiness::Draining);
        self.stopping.send_replace(true);
        let drained = async {
            while self.open_connections() > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(DRAIN_DEADLINE, drained).await.is_err() {
            tracing::warn!(left = self.open_connections(), "clients did not go in time");
        }
        self.listener.close(CloseCode::GoingAway.number(), CloseCode::GoingAway.name());
        let idle = tokio::time::timeout(CLOSE_DEADLINE, self.listener.wait_idle());
        let closed = async { tokio::join!(self.store.close(), self.event_log.close()) };
        let stored = tokio::time::timeout_at(began + STORE_DEADLINE, closed);
        if tokio::join!(idle, stored).1.is_err() {
            tracing::error!("the disk does not answer: the last edits or events may not be stored");
        }
        if let Some(saver) = self.saver {
            saver.save().await;
        }
        drop(self.relay);
        self.stopped.send_replace(true);
        for task in self.tasks {
            task.abort();
        }
    }
}

/// The listener of QUIC, and that of WebSocket at the same number over TCP.
async fn bind(
    config: &Config,
    tls: ServerTls,
    reset_key: &[u8; 32],
) -> Result<(Arc<Listener>, TcpListener), ServerError> {
    let mut attempts = BIND_ATTEMPTS;
    loop {
        let motion_bytes_max = config.limits.viewer_motion_bytes_max;
        let listener = Listener::bind(config.listen, tls.clone(), motion_bytes_max, reset_key)?;
        match TcpListener::bind(listener.local_addr()).await {
            Ok(tcp) => return Ok((Arc::new(listener), tcp)),
            // A number that is free over UDP may be taken over TCP, and the system has others.
            Err(error) if config.listen.port() == 0 && attempts > 0 => {
                tracing::debug!(%error, "another port");
                attempts -= 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

async fn run_listener(shared: Arc<Shared>, listener: Arc<Listener>) {
    while let Some(incoming) = listener.accept().await {
        if *shared.draining.borrow() {
            shared.metrics.rejects[RejectCause::Draining].inc();
            incoming.refuse();
        } else {
            tokio::spawn(run_incoming(shared.clone(), incoming));
        }
    }
}

/// The demo page, its bots, its bad network, and plain WebSocket.
fn demo_router(
    demo: &DemoConfig,
    shared: &Arc<Shared>,
    relay: Option<Arc<Relay>>,
) -> Result<Router, NoPage> {
    let bots = bots_router(Bots::new(shared.clone()), shared.origins.clone());
    let network = relay.map(|relay| network_router(relay, shared.origins.clone()));
    // A browser takes no minted certificate over TCP, so its WebSocket comes in where the page does.
    let websocket = websocket_router(shared.clone());
    let page = page_router(demo.page.as_deref())?.merge(bots).merge(websocket);
    Ok(page.merge(network.unwrap_or_default()))
}

/// The listener's address on loopback, if it has one. Who comes through a relay looks local to the server, so only who
/// is local may.
fn reachable(listener: SocketAddr) -> Option<SocketAddr> {
    let ip = match listener.ip() {
        ip if ip.is_loopback() => ip,
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, listener.port()))
}

/// A relay before the server, which impairs nothing until it is told to.
fn bind_relay(server: SocketAddr) -> io::Result<Relay> {
    Relay::bind(SocketAddr::new(server.ip(), 0), server, RELAY_SEED, Impairment::default())
}
