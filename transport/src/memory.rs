//! A link within one process, for bots in the server and for tests: the same semantics as over
//! the network, without packets, loss or delay.

pub(crate) mod pipe;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, watch};

use crate::bounds::{DATAGRAM_BUFFER, STREAMS};
use crate::link::{Closed, Link, LinkStats, SendDatagramError};
use crate::stream::{RecvStream, SendStream};

/// Makes a connection, and gives both of its ends.
pub fn pair() -> (Link, Link) {
    let (a, b) = ends(DATAGRAM_BUFFER);
    (a.into(), b.into())
}

/// Both ends as they are. At most `datagram_bytes` of datagrams wait on their way from the first to the second.
pub(crate) fn ends(datagram_bytes: usize) -> (MemoryLink, MemoryLink) {
    let close = Arc::new(watch::Sender::new(None));
    let (to_b, at_b) = lane(datagram_bytes);
    let (to_a, at_a) = lane(DATAGRAM_BUFFER);
    let end = |side, out, arriving| MemoryLink { side, out, arriving, close: Arc::clone(&close) };
    (end(Side::A, to_b, at_a), end(Side::B, to_a, at_b))
}

/// The largest datagram, in bytes, not counting the reserved byte: as on a path of 1,280 bytes.
pub(crate) const MAX_DATAGRAM_SIZE: usize = 1_200;

/// One end of a pair.
pub(crate) struct MemoryLink {
    side: Side,
    out: Outgoing,
    arriving: Arriving,
    close: Arc<CloseCell>,
}

impl MemoryLink {
    pub(crate) fn send_datagram(&self, datagram: &Bytes) -> Result<(), SendDatagramError> {
        let payload = datagram.slice(datagram.len().min(1)..);
        if self.close.borrow().is_some() {
            return Err(SendDatagramError::Closed);
        }
        if payload.len() > MAX_DATAGRAM_SIZE {
            return Err(SendDatagramError::TooLarge {
                size: payload.len(),
                max: MAX_DATAGRAM_SIZE,
            });
        }
        self.out.datagrams.push(payload);
        Ok(())
    }

    /// Bytes of datagrams that the other end has not taken.
    pub(crate) fn unsent_datagram_bytes(&self) -> usize {
        self.out.datagrams.lock().bytes
    }

    /// A datagram that has arrived, if one has.
    pub(crate) fn try_recv_datagram(&self) -> Option<Bytes> {
        self.arriving.datagrams.pop()
    }

    pub(crate) async fn recv_datagram(&self) -> Result<Bytes, Closed> {
        loop {
            if let Some(datagram) = self.arriving.datagrams.pop() {
                return Ok(datagram);
            }
            tokio::select! {
                () = self.arriving.datagrams.arrived.notified() => {}
                closed = self.closed() => return self.arriving.datagrams.pop().ok_or(closed),
            }
        }
    }

    pub(crate) async fn open_stream(&self) -> Result<(SendStream, RecvStream), Closed> {
        let permit = tokio::select! {
            biased;
            closed = self.closed() => return Err(closed),
            permit = Arc::clone(&self.out.stream_permits).acquire_owned() => permit,
        };
        // All four halves hold the permit, so the number of open streams is bounded.
        let permit = Arc::new(permit.map_err(|_| Closed::Local)?);
        let (there, here) = (self.pipe(&permit), self.pipe(&permit));
        let theirs = (SendStream::memory(here.0), RecvStream::memory(there.1));
        match self.out.streams.try_send(theirs) {
            Ok(()) => Ok((SendStream::memory(there.0), RecvStream::memory(here.1))),
            Err(_) => Err(self.closed().await), // as many fit as there are permits
        }
    }

    pub(crate) async fn accept_stream(&self) -> Result<(SendStream, RecvStream), Closed> {
        let mut streams = self.arriving.streams.lock().await;
        tokio::select! {
            biased;
            closed = self.closed() => Err(closed),
            Some(stream) = streams.recv() => Ok(stream),
            else => Err(self.closed().await),
        }
    }

    pub(crate) fn close(&self, code: u32, reason: &str) {
        let close = Close { by: self.side, code, reason: reason.into() };
        self.close.send_if_modified(|closed| {
            let first = closed.is_none();
            closed.get_or_insert(close);
            first
        });
    }

    pub(crate) async fn closed(&self) -> Closed {
        let mut closes = self.close.subscribe();
        match closes.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(close)) if close.by != self.side => {
                Closed::Peer { code: close.code.into(), reason: close.reason.to_string() }
            }
            _ => Closed::Local,
        }
    }

    pub(crate) fn stats(&self) -> LinkStats {
        let sent = self.out.datagrams.lock().counts;
        let received = self.arriving.datagrams.lock().counts;
        LinkStats {
            datagrams_sent: sent.pushed - sent.dropped,
            datagrams_dropped: sent.dropped,
            datagrams_received: received.pushed - received.dropped,
            datagrams_taken: received.popped,
            ..LinkStats::default()
        }
    }

    fn pipe(&self, permit: &Arc<OwnedSemaphorePermit>) -> (pipe::Writer, pipe::Reader) {
        pipe::pipe(&self.close, permit)
    }
}

impl Drop for MemoryLink {
    fn drop(&mut self) {
        self.close(0, "");
    }
}

/// Who closed the pair, with what; nothing while it is open.
pub(crate) type CloseCell = watch::Sender<Option<Close>>;

#[derive(Debug)]
pub(crate) struct Close {
    by: Side,
    code: u32,
    reason: Box<str>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Side {
    A,
    B,
}

type Stream = (SendStream, RecvStream);

struct Outgoing {
    datagrams: Arc<Datagrams>,
    streams: mpsc::Sender<Stream>,
    stream_permits: Arc<Semaphore>,
}

struct Arriving {
    datagrams: Arc<Datagrams>,
    streams: tokio::sync::Mutex<mpsc::Receiver<Stream>>,
}

/// One direction between the ends.
fn lane(datagram_bytes: usize) -> (Outgoing, Arriving) {
    let datagrams = Arc::new(Datagrams::new(datagram_bytes));
    let (sender, receiver) = mpsc::channel(STREAMS as usize);
    let stream_permits = Arc::new(Semaphore::new(STREAMS as usize));
    let out = Outgoing { datagrams: Arc::clone(&datagrams), streams: sender, stream_permits };
    (out, Arriving { datagrams, streams: receiver.into() })
}

/// Datagrams on their way, bounded in bytes; the oldest go first.
struct Datagrams {
    bytes_max: usize,
    queue: Mutex<Queue>,
    arrived: Notify,
}

#[derive(Default)]
struct Queue {
    datagrams: VecDeque<Bytes>,
    bytes: usize,
    counts: Counts,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    pushed: u64,
    popped: u64,
    dropped: u64,
}

impl Datagrams {
    fn new(bytes_max: usize) -> Self {
        Self { bytes_max, queue: Mutex::default(), arrived: Notify::new() }
    }

    fn push(&self, datagram: Bytes) {
        let mut queue = self.lock();
        queue.counts.pushed += 1;
        queue.bytes += cost(&datagram);
        queue.datagrams.push_back(datagram);
        while queue.bytes > self.bytes_max {
            let Some(oldest) = queue.datagrams.pop_front() else { break };
            queue.bytes -= cost(&oldest);
            queue.counts.dropped += 1;
        }
        drop(queue);
        self.arrived.notify_one();
    }

    fn pop(&self) -> Option<Bytes> {
        let mut queue = self.lock();
        let datagram = queue.datagrams.pop_front()?;
        queue.bytes -= cost(&datagram);
        queue.counts.popped += 1;
        Some(datagram)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Queue> {
        // Nothing under this lock can panic halfway, so a poisoned queue is still whole.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A handle costs memory too, so empty ones are not free.
pub(crate) fn cost(bytes: &Bytes) -> usize {
    bytes.len() + size_of::<Bytes>()
}
