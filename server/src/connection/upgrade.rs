//! WebSockets on their way in: whether a client may come in is answered by HTTP, before there is a link, so it stands
//! apart from the handshakes of QUIC.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hither_transport::{Link, Reject};
use tokio::time::timeout;

use super::admission::Pending;
use super::{Peer, Shared, run_link};
use crate::metrics::RejectCause;

/// A client that may come in, among those who have not said hello.
#[derive(Debug)]
pub(crate) struct Admitted {
    peer: Peer,
    pending: Pending,
}

/// A client's place among those who have not said hello, from its first packet on. It is given back with the last
/// clone, unless the client was let in.
#[derive(Clone, Debug)]
pub(crate) struct Place(Arc<Mutex<Option<Pending>>>);

impl Place {
    /// `None` if there is none; that is counted.
    pub(crate) fn find(shared: &Shared, address: IpAddr) -> Option<Self> {
        Some(Self(Arc::new(Mutex::new(Some(pending(shared, address)?)))))
    }

    fn take(&self) -> Option<Pending> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

fn pending(shared: &Shared, address: IpAddr) -> Option<Pending> {
    let pending = shared.admission.admit(address);
    if pending.is_none() {
        shared.metrics.rejects[RejectCause::PendingLimit].inc();
    }
    pending
}

/// Lets in a client at `address` that asks for `path`, from a page of `origin` if it is one, to the `place` that it
/// has, or to one that is free.
///
/// # Errors
/// What to answer it instead. It is counted.
pub(crate) fn admit(
    shared: &Arc<Shared>,
    path: &str,
    origin: Option<&str>,
    address: IpAddr,
    place: Option<&Place>,
) -> Result<Admitted, Reject> {
    let peer = shared.examine(path, origin, address)?;
    let pending = place.and_then(Place::take).or_else(|| pending(shared, address));
    Ok(Admitted { peer, pending: pending.ok_or(Reject::TooManyRequests)? })
}

impl Admitted {
    /// Runs the connection to its end, once `link` is there.
    pub(crate) async fn run(self, shared: Arc<Shared>, link: impl Future<Output = Option<Link>>) {
        let deadline = Duration::from_millis(shared.limits.hello_deadline_ms);
        match timeout(deadline, link).await {
            Ok(Some(link)) => run_link(shared, link, self.peer, self.pending).await,
            Ok(None) => {} // the client has gone
            Err(_) => {
                shared.metrics.rejects[RejectCause::ConnectDeadline].inc();
            }
        }
    }
}
