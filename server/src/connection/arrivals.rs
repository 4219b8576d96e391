//! What a connection waits for besides datagrams, each polled only when it has woken itself. Apart because a connection
//! wakes for every datagram, and would look at each of these twice for nothing: they cost a fifteenth of the server's
//! CPU.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, SelectAll, StreamExt};
use hither_transport::{Link, ReadError, RecvStream, SendStream};
use tokio::sync::{Notify, mpsc, watch};

use super::lanes::{CHUNK_BYTES, LaneEvent};
use crate::outbox::Budget;

/// Something that came.
pub(super) enum Arrival {
    /// Bytes of the control lane, its end, or why there are no more; after these two it says nothing more.
    Control(Result<Option<Bytes>, ReadError>),
    /// A stream that the client opened.
    Stream(SendStream, RecvStream),
    /// A message or the end of the edits lane with this number.
    Lane(u64, LaneEvent),
    /// The budget has room again, or is exceeded.
    Budget,
    /// A look at kept events is done.
    Looked,
    /// The server is going away.
    Draining,
    /// Another connection has resumed the session.
    TakenOver,
    /// The connection has ended.
    Closed,
}

/// What rings from within the server.
pub(super) struct Bells {
    pub(super) budget: Arc<Budget>,
    pub(super) looked: Arc<Notify>,
    pub(super) take_over: Arc<Notify>,
}

/// All that arrives, in turns.
pub(super) type Arrivals = SelectAll<BoxStream<'static, Arrival>>;

/// What arrives at `link`, its `control` lane and its edits lanes.
pub(super) fn arrivals(
    link: &Link,
    control: RecvStream,
    lanes: mpsc::Receiver<(u64, LaneEvent)>,
    mut draining: watch::Receiver<bool>,
    bells: Bells,
) -> Arrivals {
    let Bells { budget, looked, take_over } = bells;
    let control = stream::unfold(Some(control), |control| async {
        let mut control = control?;
        let chunk = control.read_chunk(CHUNK_BYTES).await;
        let control = matches!(chunk, Ok(Some(_))).then_some(control);
        Some((Arrival::Control(chunk), control))
    });
    let streams = stream::unfold(link.clone(), |link| async {
        let (send, recv) = link.accept_stream().await.ok()?;
        Some((Arrival::Stream(send, recv), link))
    });
    let lanes = stream::unfold(lanes, |mut lanes| async {
        let (number, event) = lanes.recv().await?;
        Some((Arrival::Lane(number, event), lanes))
    });
    let budget = stream::unfold(budget, |budget| async {
        budget.changed().await;
        Some((Arrival::Budget, budget))
    });
    let looked = stream::unfold(looked, |looked| async {
        looked.notified().await;
        Some((Arrival::Looked, looked))
    });
    let draining = stream::once(async move {
        // A server whose sender is gone is going away, too.
        let _ = draining.wait_for(|draining| *draining).await;
        Arrival::Draining
    });
    let taken_over = stream::once(async move {
        take_over.notified().await;
        Arrival::TakenOver
    });
    let link = link.clone();
    let closed = stream::once(async move {
        link.closed().await;
        Arrival::Closed
    });
    stream::select_all([
        control.boxed(),
        streams.boxed(),
        lanes.boxed(),
        budget.boxed(),
        looked.boxed(),
        draining.boxed(),
        taken_over.boxed(),
        closed.boxed(),
    ])
}
