//! Moves HTTP/1 requests from a listener to a router, apart from the routes, so that every bound on
//! what a peer may take stands in one place. A request that is upgraded leaves these bounds.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use hither_protocol::limits;
use hither_transport::websocket::{Socket, TcpTls};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::connection::{Place, Shared};

/// Connections of a plain listener at once; more of them wait in the system's backlog.
const CONNECTIONS_MAX: usize = 256;
/// Head of a request: 16 KiB, 64 headers, within 5 s of the connection or of the answer before. TLS has as long.
const HEAD_BYTES_MAX: usize = 16 * 1024;
const HEADERS_MAX: usize = 64;
const HEAD_DEADLINE: Duration = Duration::from_secs(5);
/// One connection, however many requests: then it is closed, and who wants more connects again.
const CONNECTION_DEADLINE: Duration = Duration::from_secs(60);
/// What answers may still take when the listener stops.
const STOP_DEADLINE: Duration = Duration::from_millis(500);
/// Between attempts to accept while the system is out of file handles.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How a listener's clients come in.
#[derive(Clone, Debug)]
pub(crate) enum Door {
    /// Plainly.
    Plain,
    /// In TLS, each to a place among those who have not said hello; who finds none is closed.
    Websocket(TcpTls, Arc<Shared>),
}

impl Door {
    fn connections_max(&self) -> usize {
        match self {
            Self::Plain => CONNECTIONS_MAX,
            Self::Websocket(..) => limits::PENDING_HELLOS_MAX,
        }
    }
}

/// Serves `router` on `listener` until `stop` holds true or its sender is gone; answers under way
/// then have half a second.
pub(crate) async fn run_http(
    listener: TcpListener,
    door: Door,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(door.connections_max()));
    let mut connections = JoinSet::new();
    loop {
        let accept = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = stopped(&mut stop) => break,
            // Ended connections leave the set here; an empty set has none to wait for.
            Some(_) = connections.join_next() => continue,
            accepted = accept => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection =
                    serve_connection(stream, door.clone(), router.clone(), stop.clone());
                connections.spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) => pause_after(&error).await,
        }
    }
    drop(listener);
    // Dropping the set ends what is left.
    let _ =
        timeout(STOP_DEADLINE, async { while connections.join_next().await.is_some() {} }).await;
}

async fn serve_connection(
    stream: TcpStream,
    door: Door,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let mut place = None;
    let socket = match door {
        Door::Plain => Socket::plain(stream),
        Door::Websocket(tls, shared) => {
            let address = stream.peer_addr().ok();
            place = address.and_then(|address| Place::find(&shared, address.ip()));
            if place.is_none() {
                return;
            }
            match timeout(HEAD_DEADLINE, tls.accept(stream)).await {
                Ok(accepted) => accepted,
                Err(_) => return,
            }
        }
    };
    let socket = match socket {
        Ok(socket) => socket,
        Err(error) => return tracing::debug!(%error, "no http connection"),
    };
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_DEADLINE)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    let address = Extension(ConnectInfo(socket.remote_address()));
    let router = router.layer(address).layer(Extension(place));
    let service = TowerToHyperService::new(router);
    let connection = builder.serve_connection(TokioIo::new(socket), service);
    let mut connection = pin!(connection.with_upgrades());
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = sleep(CONNECTION_DEADLINE) => return,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "an http connection ended early");
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error says that the sender is gone, which stops us as well.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// An error of one peer is over when it is reported; one of the system, like too many open files,
/// would come again at once.
async fn pause_after(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        tracing::warn!(%error, "http connections can't be accepted");
        sleep(ACCEPT_PAUSE).await;
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::net::SocketAddr;
    use std::time::Instant;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::task::JoinHandle;

    use super::*;

    /// Serves a router on a free port of loopback.
    pub(crate) async fn start(router: Router) -> (SocketAddr, watch::Sender<bool>, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        (addr, stop, tokio::spawn(run_http(listener, Door::Plain, router, stopped)))
    }

    /// Sends bytes as they are, and reads until the server closes.
    pub(crate) async fn exchange(addr: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let read = timeout(Duration::from_secs(10), stream.read_to_end(&mut answer));
        read.await.expect("the server should close").ok();
        String::from_utf8(answer).unwrap()
    }

    /// The answer to a GET, head and body.
    pub(crate) async fn get_path(addr: SocketAddr, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        exchange(addr, &request).await
    }

    fn hello() -> Router {
        Router::new().route("/", get(|| async { "hello" }))
    }

    #[tokio::test]
    async fn a_head_over_its_bounds_is_refused() {
        let (addr, _stop, _task) = start(hello()).await;
        assert!(get_path(addr, "/").await.starts_with("HTTP/1.1 200"));
        let many: String = (0..=HEADERS_MAX).map(|n| format!("h{n}: x\r\n")).collect();
        let long = format!("h: {}\r\n", "x".repeat(HEAD_BYTES_MAX));
        for headers in [many, long] {
            let answer = exchange(addr, &format!("GET / HTTP/1.1\r\n{headers}\r\n")).await;
            assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
        }
    }

    #[tokio::test]
    async fn a_head_that_never_ends_is_given_up() {
        let (addr, _stop, _task) = start(hello()).await;
        let began = Instant::now();
        let answer = exchange(addr, "GET / HTTP/1.1\r\nhost:").await;
        assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(began.elapsed() >= HEAD_DEADLINE - Duration::from_millis(100));
    }

    #[tokio::test]
    async fn stopping_closes_idle_connections_and_the_listener() {
        let (addr, stop, task) = start(hello()).await;
        let mut idle = TcpStream::connect(addr).await.unwrap();
        idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        idle.readable().await.unwrap();
        stop.send(true).unwrap();
        timeout(Duration::from_secs(2), task).await.expect("the listener should stop").unwrap();
        timeout(Duration::from_secs(2), idle.read_to_end(&mut Vec::new())).await.unwrap().unwrap();
        assert!(TcpStream::connect(addr).await.is_err());
    }
}
