//! WebSockets on their way in: whether a client may come in is answered by HTTP, before there is a link, so it stands
//! apart from the handshakes of QUIC.

use std::net::IpAddr;
use std::sync::Arc;
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

/// Lets in a client at `address` that asks for `path`, from a page of `origin` if it is one.
///
/// # Errors
/// What to answer it instead. It is counted.
pub(crate) fn admit(
    shared: &Arc<Shared>,
    path: &str,
    origin: Option<&str>,
    address: IpAddr,
) -> Result<Admitted, Reject> {
    let peer = shared.examine(path, origin, address)?;
    let Some(pending) = shared.admission.admit(address) else {
        shared.metrics.rejects[RejectCause::PendingLimit].inc();
        return Err(Reject::TooManyRequests);
    };
    Ok(Admitted { peer, pending })
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
