//! One client of the relay: its two paths, and the task that carries between them and the sockets. It stands apart
//! because a client comes, falls silent and goes by itself.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hither_protocol::Timestamp;
use tokio::net::UdpSocket;
use tokio::sync::Notify;
use tokio::time::sleep_until;

use super::path::{Impairment, Path, PathCounters};
use super::random::Random;
use super::{DATAGRAM_BYTES_MAX, READ_AT_ONCE, Shared, tokio_socket};

/// Bytes on their way in one direction: a third of a second of 50 members' largest datagrams at 60 Hz.
const PATH_BYTES_MAX: usize = 1 << 20;

/// A client silent both ways for so long is gone. QUIC's own silence is far shorter.
const IDLE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Client {
    pub(super) address: SocketAddr,
    /// How many came before it.
    pub(super) number: u64,
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Debug)]
struct State {
    up: Path,
    down: Path,
    heard: Timestamp,
    rebind: bool,
}

impl Client {
    pub(super) fn new(now: Timestamp, address: SocketAddr, number: u64, seed: u64) -> Self {
        let path = |way| Path::new(Random::new(seed, 2 * number + way), PATH_BYTES_MAX);
        let state = State { up: path(0), down: path(1), heard: now, rebind: false };
        Self { address, number, state: Mutex::new(state), wake: Notify::new() }
    }

    /// The client sent this.
    pub(super) fn handle_up(&self, now: Timestamp, impairment: Impairment, datagram: Bytes) {
        let mut state = self.lock();
        state.heard = now;
        state.up.handle_datagram(now, impairment, datagram);
        self.wake.notify_one();
    }

    pub(super) fn cut(&self, until: Timestamp) {
        let mut state = self.lock();
        state.up.cut(until);
        state.down.cut(until);
    }

    pub(super) fn rebind(&self) {
        self.lock().rebind = true;
        self.wake.notify_one();
    }

    pub(super) fn counters(&self) -> (PathCounters, PathCounters) {
        let state = self.lock();
        (state.up.counters(), state.down.counters())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what has arrived at the end of its way. A socket that takes no more loses it, as a router would.
    fn send_due(&self, now: Timestamp, to_client: &UdpSocket, to_server: &UdpSocket) {
        let State { up, down, .. } = &mut *self.lock();
        while let Some(datagram) = up.poll_datagram(now) {
            if to_server.try_send(&datagram).is_err() {
                up.handle_unsent();
            }
        }
        while let Some(datagram) = down.poll_datagram(now) {
            if to_client.try_send_to(&datagram, self.address).is_err() {
                down.handle_unsent();
            }
        }
    }

    /// When there is something to do: a datagram arrives, or the client has been silent for too long.
    fn poll_timeout(&self) -> Timestamp {
        let state = self.lock();
        let due = [state.up.poll_timeout(), state.down.poll_timeout(), Some(state.heard + IDLE)];
        due.into_iter().flatten().min().unwrap_or_default()
    }

    fn is_idle(&self, now: Timestamp) -> bool {
        now.since(self.lock().heard) >= IDLE
    }
}

/// Carries for this client until it is silent, or the system gives it no socket.
pub(super) async fn run(shared: Arc<Shared>, client: Arc<Client>) {
    if carry(&shared, &client).await.is_err() {
        shared.lock().gone.refused += 1;
    }
    shared.remove(&client);
}

async fn carry(shared: &Shared, client: &Client) -> io::Result<()> {
    let mut upstream = connect(shared.server).await?;
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        let now = shared.clock.now();
        client.send_due(now, &shared.socket, &upstream);
        if client.is_idle(now) {
            return Ok(());
        }
        tokio::select! {
            _ = upstream.readable() => read(shared, client, &upstream, &mut buffer),
            () = client.wake.notified() => {}
            () = sleep_until(shared.clock.instant(client.poll_timeout())) => {}
        }
        if std::mem::take(&mut client.lock().rebind) {
            upstream = connect(shared.server).await?;
        }
    }
}

/// Takes what the server has sent so far.
fn read(shared: &Shared, client: &Client, upstream: &UdpSocket, buffer: &mut [u8]) {
    let (now, impairment) = (shared.clock.now(), shared.impairment());
    for _ in 0..READ_AT_ONCE {
        // Besides "nothing there", an error says that the server's port is closed: the client will miss it by itself.
        let Ok(length) = upstream.try_recv(buffer) else { return };
        let mut state = client.lock();
        state.heard = now;
        state.down.handle_datagram(now, impairment, Bytes::copy_from_slice(&buffer[..length]));
    }
}

/// A socket of its own towards the server, ready to send.
async fn connect(server: SocketAddr) -> io::Result<UdpSocket> {
    let any = match server {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let socket = tokio_socket(any)?;
    socket.connect(server).await?;
    socket.writable().await?;
    Ok(socket)
}
