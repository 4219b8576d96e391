//! The server that is measured, and clients of it. Apart from the bench, since setting up is no part of
//! any figure.

use std::net::{Ipv4Addr, SocketAddr};

use futures_util::future::join_all;
use hither_client::{Client, ClientEndpoint, ClientTls, Map, Room, Transport};
use hither_server::config::{Config, NamespaceConfig, Overrides};
use hither_server::server::Server;
use tokio::runtime::Runtime;

/// A server with the namespace `bench`: 1,000 ticks a second, so that the wait for the tick does not
/// hide what is measured, and no bound on rates. It lives as long as its runtime, which clients and
/// server share.
pub(crate) struct Host {
    runtime: Runtime,
    url: String,
    endpoint: ClientEndpoint,
    _server: Server,
}

#[expect(clippy::expect_used, reason = "a bench whose server fails has no figure")]
impl Host {
    pub(crate) fn start() -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut config =
            Config { listen: any, http: any, ops: any, ..Config::dev(Overrides::default()) };
        let namespace =
            NamespaceConfig { tick_hz: 1_000, motion_per_s: 10_000, ..NamespaceConfig::default() };
        config.namespaces.insert("bench".into(), namespace);

        let runtime = Runtime::new().expect("threads");
        let (server, endpoint) = runtime.block_on(async {
            let server = Server::start(config).await.expect("loopback has free ports");
            let hash = server.ready().cert_sha256.expect("a minted certificate");
            let byte = |at| u8::from_str_radix(&hash[2 * at..2 * at + 2], 16).expect("hex");
            let tls = ClientTls::Hash(std::array::from_fn(byte));
            (server, ClientEndpoint::bind(tls).expect("loopback has free ports"))
        });
        let url = format!("https://{}", server.ready().quic);
        Self { runtime, url, endpoint, _server: server }
    }

    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// `count` clients that are welcome.
    pub(crate) async fn clients(&self, transport: Transport, count: usize) -> Vec<Client> {
        let connect = || {
            let options = Client::builder(&self.url).transport(transport);
            options.endpoint(self.endpoint.clone()).connect()
        };
        let clients = join_all((0..count).map(|_| connect())).await;
        clients.into_iter().map(|client| client.expect("the server takes us")).collect()
    }

    /// `count` clients, each a member of `room`.
    pub(crate) async fn crowd(
        &self,
        transport: Transport,
        room: &str,
        count: usize,
    ) -> Vec<(Client, Room)> {
        let clients = self.clients(transport, count).await;
        let enter = async |client: Client| {
            let room = client.enter(room, Map::new()).await.expect("the room is open to all");
            (client, room)
        };
        join_all(clients.into_iter().map(enter)).await
    }
}
