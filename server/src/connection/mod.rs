//! Connections: from a client's first packet to its end, one task each.
//!
//! `admission` bounds those who have not said hello; `upgrade` lets WebSockets in; `arrivals` is what a connection
//! waits for; `driver` moves bytes between the link, the session and its rooms; `lanes` has the loops of the streams.

mod admission;
mod arrivals;
mod driver;
mod lanes;
mod upgrade;

pub(crate) use admission::Admission;
pub(crate) use upgrade::{Place, admit};

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use hither_core::SessionPolicy;
use hither_transport::{Incoming, Link, Reject, Request, Transport};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::auth::Authenticator;
use crate::config::{LimitsConfig, Origins};
use crate::metrics::{self, Metrics, RejectCause};
use crate::rooms::Rooms;
use crate::sessions::Sessions;
use admission::Pending;
use hither_transport::Clock;

/// What all connections of a server share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) rooms: Arc<Rooms>,
    pub(crate) authenticator: Authenticator,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) origins: Origins,
    pub(crate) limits: LimitsConfig,
    pub(crate) policy: SessionPolicy,
    pub(crate) clock: Clock,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) admission: Arc<Admission>,
    /// True once the server is going away.
    pub(crate) draining: watch::Receiver<bool>,
}

/// What is known of a client before it says a word.
#[derive(Clone, Copy, Debug)]
struct Peer {
    is_loopback: bool,
    is_own_origin: bool,
}

impl Shared {
    /// Whether a client that asks for `path`, from a page of `origin` if it is one, may come in. Who may not is
    /// counted.
    fn examine(&self, path: &str, origin: Option<&str>, address: IpAddr) -> Result<Peer, Reject> {
        let (cause, reject) = if path != hither_protocol::PATH {
            (RejectCause::Version, Reject::NotFound)
        } else if origin.is_some_and(|origin| !self.origins.allows(origin)) {
            (RejectCause::Origin, Reject::Forbidden)
        } else if *self.draining.borrow() {
            (RejectCause::Draining, Reject::TooManyRequests)
        } else {
            return Ok(Peer {
                is_loopback: address.to_canonical().is_loopback(),
                is_own_origin: origin.is_some_and(|origin| self.origins.is_own(origin)),
            });
        };
        self.metrics.rejects[cause].inc();
        Err(reject)
    }
}

/// Takes a client from its first packet to its end.
pub(crate) async fn run_incoming(shared: Arc<Shared>, incoming: Incoming) {
    let address = incoming.remote_address().ip();
    if shared.admission.is_busy() && !incoming.is_validated() {
        // A forged address does not come back, and so takes no place.
        return incoming.retry();
    }
    let Some(pending) = shared.admission.admit(address) else {
        shared.metrics.rejects[RejectCause::PendingLimit].inc();
        return incoming.refuse();
    };
    let deadline = Duration::from_millis(shared.limits.hello_deadline_ms);
    let Ok(handshake) = timeout(deadline, incoming.handshake()).await else {
        shared.metrics.rejects[RejectCause::ConnectDeadline].inc();
        return;
    };
    match handshake {
        Ok(request) => run_request(&shared, request, address, pending).await,
        Err(error) => {
            shared.metrics.rejects[RejectCause::Malformed].inc();
            tracing::debug!(%address, %error, "no connection");
        }
    }
}

async fn run_request(shared: &Arc<Shared>, request: Request, address: IpAddr, pending: Pending) {
    let deadline = Duration::from_millis(shared.limits.hello_deadline_ms);
    let peer = match shared.examine(request.path(), request.origin(), address) {
        Ok(peer) => peer,
        Err(reject) => {
            // A client that does not take the answer in time is dropped without it.
            let _ = timeout(deadline, request.reject(reject)).await;
            return;
        }
    };
    if let Ok(Ok(link)) = timeout(deadline, request.accept()).await {
        run_link(shared.clone(), link, peer, pending).await;
    }
}

/// Runs the server's end of a link within this process, as one to a client of this machine.
pub(crate) async fn run_local(shared: Arc<Shared>, link: Link) {
    let address = IpAddr::from(Ipv4Addr::LOCALHOST);
    if let Some(pending) = shared.admission.admit(address) {
        run_link(shared, link, Peer { is_loopback: true, is_own_origin: false }, pending).await;
    }
}

async fn run_link(shared: Arc<Shared>, link: Link, peer: Peer, pending: Pending) {
    let gauge = match link.transport() {
        Transport::WebTransport => metrics::Transport::WebTransport,
        Transport::WebSocket => metrics::Transport::WebSocket,
        Transport::Quic => metrics::Transport::Quic,
        Transport::Memory => metrics::Transport::Memory,
    };
    shared.metrics.connections[gauge].inc();
    driver::run_connection(&shared, &link, peer, pending).await;
    shared.metrics.connections[gauge].dec();
    let dropped = link.stats().datagrams_dropped;
    shared.metrics.datagrams_dropped[metrics::DropCause::BufferFull].inc_by(dropped);
}

#[cfg(test)]
pub(crate) mod tests;
