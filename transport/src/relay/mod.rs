//! A bad network on demand: a UDP relay before one server, which loses, delays, reorders and doubles datagrams by a
//! seed. It stands apart from links: they never know of it, and it knows nothing of QUIC.
//!
//! `path` decides, `client` carries, and this file is the relay as others hold it.

mod client;
mod path;
mod random;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::UdpSocket;
use tokio::task::{AbortHandle, JoinSet};

pub use path::{Impairment, PathCounters};

use crate::clock::Clock;
use crate::socket;
use client::Client;

/// A relay in front of one server; clients connect to [`Self::local_addr`] instead. Each way of each client is
/// impaired by itself. Dropping the relay ends it, and loses what is on its way.
///
/// Timers have a grain of a millisecond, by which a datagram may be later than the impairment says.
#[derive(Debug)]
pub struct Relay {
    shared: Arc<Shared>,
    local_addr: SocketAddr,
    task: AbortHandle,
}

/// What became of the datagrams of all clients, those that are gone too; all only grow.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RelayStats {
    /// From clients to the server.
    pub up: PathCounters,
    /// From the server to clients.
    pub down: PathCounters,
    /// Datagrams of clients that were not taken, because 256 were there already or the system gave no socket.
    pub refused: u64,
}

/// Clients, told apart by their address, that a relay carries for at once. Each may cost 2 MiB of waiting datagrams and
/// a socket.
const CLIENTS_MAX: usize = 256;

/// Datagrams read from a socket in one go, before others get their turn.
const READ_AT_ONCE: usize = 64;

/// The largest datagram that UDP has.
const DATAGRAM_BYTES_MAX: usize = 65_535;

impl Relay {
    /// Binds `listen` (port 0 takes a free one) and carries for `server` from now on. The order in which clients come
    /// and `seed` decide every fate. Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// The operator's: `listen` is taken, or not one of this machine's.
    pub fn bind(
        listen: SocketAddr,
        server: SocketAddr,
        seed: u64,
        impairment: Impairment,
    ) -> io::Result<Self> {
        let socket = tokio_socket(listen)?;
        let local_addr = socket.local_addr()?;
        let shared = Arc::new(Shared {
            socket,
            server,
            seed,
            clock: Clock::start(),
            state: Mutex::new(State { impairment, ..State::default() }),
        });
        let task = tokio::spawn(run(Arc::clone(&shared))).abort_handle();
        Ok(Self { shared, local_addr, task })
    }

    /// The address that clients connect to.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Impairs what comes from now on so; what is on its way already stays as it is.
    pub fn set_impairment(&self, impairment: Impairment) {
        self.shared.lock().impairment = impairment;
    }

    /// How what comes now is impaired.
    pub fn impairment(&self) -> Impairment {
        self.shared.impairment()
    }

    /// The addresses of the clients of now, the first that came first. One that was silent both ways for 30 s is gone.
    pub fn clients(&self) -> Vec<SocketAddr> {
        let state = self.shared.lock();
        let mut clients: Vec<_> = state.clients.values().collect();
        clients.sort_by_key(|client| client.number);
        clients.into_iter().map(|client| client.address).collect()
    }

    /// Loses all datagrams of this client, both ways, for `duration`, and those on their way now.
    pub fn cut(&self, client: SocketAddr, duration: Duration) {
        let until = self.shared.clock.now() + duration;
        if let Some(client) = self.shared.lock().clients.get(&client) {
            client.cut(until);
        }
    }

    /// Gives this client another socket towards the server, as a NAT does that forgot it: the server sees its next
    /// datagram come from another port, and what it sends to the old one is lost.
    pub fn rebind(&self, client: SocketAddr) {
        if let Some(client) = self.shared.lock().clients.get(&client) {
            client.rebind();
        }
    }

    /// What has passed so far.
    pub fn stats(&self) -> RelayStats {
        let state = self.shared.lock();
        state.clients.values().fold(state.gone, |stats, client| stats.with(client))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl RelayStats {
    fn with(mut self, client: &Client) -> Self {
        let (up, down) = client.counters();
        self.up.add(up);
        self.down.add(down);
        self
    }
}

/// What the relay's handle and its tasks share.
#[derive(Debug)]
struct Shared {
    /// Towards clients.
    socket: UdpSocket,
    server: SocketAddr,
    seed: u64,
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    impairment: Impairment,
    clients: BTreeMap<SocketAddr, Arc<Client>>,
    /// How many clients there were.
    numbers: u64,
    /// The counts of clients that are gone, and of the refused.
    gone: RelayStats,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under the lock panics half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn impairment(&self) -> Impairment {
        self.lock().impairment
    }

    /// The client of this address, and whether it is new; None when there are too many.
    fn client(&self, address: SocketAddr) -> Option<(Arc<Client>, bool)> {
        let state = &mut *self.lock();
        if let Some(client) = state.clients.get(&address) {
            return Some((Arc::clone(client), false));
        }
        if state.clients.len() == CLIENTS_MAX {
            state.gone.refused += 1;
            return None;
        }
        let client = Arc::new(Client::new(self.clock.now(), address, state.numbers, self.seed));
        state.numbers += 1;
        state.clients.insert(address, Arc::clone(&client));
        Some((client, true))
    }

    fn remove(&self, client: &Client) {
        let state = &mut *self.lock();
        state.clients.remove(&client.address);
        state.gone = state.gone.with(client);
    }
}

/// Takes what clients send, each to its own task, until the relay is dropped.
async fn run(shared: Arc<Shared>) {
    let mut carriers = JoinSet::new(); // ends them with this task
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        tokio::select! {
            _ = shared.socket.readable() => {}
            Some(_) = carriers.join_next() => continue,
        }
        for _ in 0..READ_AT_ONCE {
            // An error is either that nothing is there, or that of one datagram.
            let Ok((length, from)) = shared.socket.try_recv_from(&mut buffer) else { break };
            let Some((client, new)) = shared.client(from) else { continue };
            if new {
                carriers.spawn(client::run(Arc::clone(&shared), Arc::clone(&client)));
            }
            let datagram = Bytes::copy_from_slice(&buffer[..length]);
            client.handle_up(shared.clock.now(), shared.impairment(), datagram);
        }
        tokio::task::yield_now().await;
    }
}

/// A socket with the buffers that endpoints have.
fn tokio_socket(address: SocketAddr) -> io::Result<UdpSocket> {
    let (socket, _) = socket::bind(address)?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}

#[cfg(test)]
mod tests;
