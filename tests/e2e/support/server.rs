//! A server in this process, and what any running server is to its clients.

use std::cell::Cell;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::sync::Once;

use hither_client::{Client, ClientEndpoint, ClientTls, ConnectOptions, Link, Transport};
use hither_server::config::{Config, Overrides};
use hither_server::server::Server;

use super::raw::Raw;
use super::{find, http, soon};

/// A running server, and a socket to reach it from.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) quic: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) ops: SocketAddr,
    pub(crate) cert_sha256: [u8; 32],
    pub(crate) endpoint: ClientEndpoint,
}

impl Target {
    /// `cert_sha256` is in hex.
    pub(crate) fn new(
        quic: SocketAddr,
        http: SocketAddr,
        ops: SocketAddr,
        cert_sha256: &str,
    ) -> Self {
        let digit = |at| u8::from_str_radix(&cert_sha256[2 * at..2 * at + 2], 16).unwrap();
        let cert_sha256 = std::array::from_fn(digit);
        let endpoint = ClientEndpoint::bind(ClientTls::Hash(cert_sha256)).unwrap();
        Self { quic, http, ops, cert_sha256, endpoint }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.quic)
    }

    /// A client still to be configured.
    /// Its clients end with their first connection, unless a test says otherwise.
    pub(crate) fn builder(&self, on: Transport) -> ConnectOptions {
        let builder = Client::builder(self.url()).transport(on).endpoint(self.endpoint.clone());
        builder.reconnect(false)
    }

    /// An anonymous client that is welcome.
    pub(crate) async fn client(&self, on: Transport) -> Client {
        soon(self.builder(on).connect()).await.expect("the server should let us in")
    }

    /// A connection on which nothing was said.
    pub(crate) async fn link(&self, on: Transport) -> Link {
        soon(self.endpoint.connect(&self.url(), on)).await.expect("the server should be reached")
    }

    /// A connection with its control lane open, on which nothing was said.
    pub(crate) async fn raw(&self, on: Transport) -> Raw {
        Raw::open(self.link(on).await).await
    }

    /// A raw client that is welcome.
    pub(crate) async fn welcomed(&self, on: Transport) -> Raw {
        let mut raw = self.raw(on).await;
        raw.hello(None).await;
        raw
    }

    /// One sample of `/metrics`, named with its labels as it is printed there.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let (_, page) = soon(http::get(self.ops, "/metrics")).await.expect("the ops plane");
        http::sample(&page, name).unwrap_or_else(|| panic!("no {name} in\n{page}"))
    }

    /// Waits until a sample of `/metrics` is so.
    pub(crate) async fn metric_until(&self, name: &str, is_so: impl Fn(u64) -> bool) -> u64 {
        let look = async || Some(self.metric(name).await).filter(|value| is_so(*value));
        find(name, look).await
    }

    /// Status and body of the answer to who asks for bots; `origin` is what a browser would say.
    pub(crate) async fn ask_for_bots(&self, origin: Option<&str>, json: &str) -> (u16, String) {
        let origin = origin.map(|origin| format!("origin: {origin}\r\n")).unwrap_or_default();
        let answer = soon(http::post(self.http, "/demo/bots", &origin, json)).await;
        answer.expect("the public listener")
    }

    /// Status of a request to the ops plane to drain; `origin` is what a browser would say.
    pub(crate) async fn ask_to_drain(&self, origin: Option<&str>) -> u16 {
        let origin = origin.map(|origin| format!("origin: {origin}\r\n")).unwrap_or_default();
        soon(http::post(self.ops, "/drain", &origin, "")).await.expect("the ops plane").0
    }

    /// Status and body of a page of the ops plane; `None` if nobody answers.
    pub(crate) async fn ops(&self, path: &str) -> Option<(u16, String)> {
        soon(http::get(self.ops, path)).await
    }
}

/// A server in this process. It must not have panicked when it is dropped, not even in a task.
pub(crate) struct Host {
    target: Target,
    server: Option<Server>,
}

impl Host {
    /// As `hither dev`, on free ports.
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// As `hither dev` on free ports, with some of the config changed.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::run(None, change).await
    }

    /// The same with a certificate from files, whose hash in hex its clients know.
    pub(crate) async fn presenting(cert_sha256: &str, change: impl FnOnce(&mut Config)) -> Self {
        Self::run(Some(cert_sha256.to_owned()), change).await
    }

    async fn run(cert_sha256: Option<String>, change: impl FnOnce(&mut Config)) -> Self {
        watch_for_panics();
        let any = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let overrides = Overrides { listen: any, http: any, ops: any, ..Overrides::default() };
        let mut config = Config::dev(overrides);
        change(&mut config);
        let server = Server::start(config).await.unwrap();
        let ready = server.ready();
        let hash = ready.cert_sha256.or(cert_sha256).expect("minted, or from files");
        let target = Target::new(ready.quic, ready.http, ready.ops, &hash);
        Self { target, server: Some(server) }
    }

    /// Begins to stop; the future ends when the server has stopped.
    pub(crate) fn stop(&mut self) -> impl Future<Output = ()> + Send + use<> {
        let server = self.server.take().expect("stopped once");
        server.stop()
    }
}

impl Deref for Host {
    type Target = Target;

    fn deref(&self) -> &Target {
        &self.target
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(PANICS.take(), 0, "the server panicked in a task");
        }
    }
}

thread_local! {
    /// Panics on this thread: a test and the tasks of its server share one.
    static PANICS: Cell<usize> = const { Cell::new(0) };
}

fn watch_for_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.set(PANICS.get() + 1);
            before(info);
        }));
    });
}
