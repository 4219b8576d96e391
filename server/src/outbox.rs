//! What waits to be written on a viewer's streams: one queue a lane, one bound in bytes for all lanes of a connection.
//!
//! Rooms push without waiting; each lane's writer pops. A viewer over its bound is too slow, and is closed by its own
//! connection, so that it never holds up a room.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::{Notify, mpsc};

/// The bytes that wait on all lanes of one connection.
#[derive(Debug)]
pub(crate) struct Budget {
    bytes_max: usize,
    bytes: AtomicUsize,
    changed: Notify,
}

impl Budget {
    /// At most `bytes_max` wait.
    pub(crate) fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self { bytes_max, bytes: AtomicUsize::new(0), changed: Notify::new() })
    }

    /// Whether more was pushed than may wait.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) > self.bytes_max
    }

    /// Whether a page of a roster or a document may be pushed: half of the bound is kept for what happens meanwhile.
    pub(crate) fn has_room_for_page(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) < self.bytes_max / 4
    }

    /// Waits until a page may be pushed, or the bound is exceeded.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn add(&self, bytes: usize) {
        if self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > self.bytes_max {
            self.changed.notify_one();
        }
    }

    fn remove(&self, bytes: usize) {
        let before = self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        if before >= self.bytes_max / 4 && before - bytes < self.bytes_max / 4 {
            self.changed.notify_one();
        }
    }
}

/// A lane's queue; its other end belongs to the lane's writer.
pub(crate) fn lane(budget: &Arc<Budget>) -> (LaneSender, LaneReceiver) {
    // Unbounded in messages, bounded in bytes by the budget.
    let (sender, receiver) = mpsc::unbounded_channel();
    let budget = budget.clone();
    (LaneSender { sender, budget: budget.clone() }, LaneReceiver { receiver, budget })
}

/// The end that rooms push to.
#[derive(Clone, Debug)]
pub(crate) struct LaneSender {
    sender: mpsc::UnboundedSender<Bytes>,
    budget: Arc<Budget>,
}

impl LaneSender {
    /// Queues a message. One for a writer that has gone, or over the bound, is dropped: the connection is ending.
    pub(crate) fn push(&self, message: Bytes) {
        if self.budget.is_exceeded() {
            return;
        }
        let bytes = message.len();
        if self.sender.send(message).is_ok() {
            self.budget.add(bytes);
        }
    }

    /// The bound that this lane shares.
    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }
}

/// The end that the writer pops from.
#[derive(Debug)]
pub(crate) struct LaneReceiver {
    receiver: mpsc::UnboundedReceiver<Bytes>,
    budget: Arc<Budget>,
}

impl LaneReceiver {
    /// The next message; `None` when every sender has gone and all is popped. Cancel safe.
    pub(crate) async fn pop(&mut self) -> Option<Bytes> {
        self.receiver.recv().await
    }

    /// A popped message is written, so its bytes count no more.
    pub(crate) fn written(&self, bytes: usize) {
        self.budget.remove(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_queue_is_bounded_in_bytes_over_all_lanes() {
        let budget = Budget::new(100);
        let (control, mut control_out) = lane(&budget);
        let (edits, mut edits_out) = lane(&budget);
        control.push(Bytes::from(vec![0; 60]));
        assert!(!budget.is_exceeded());
        edits.push(Bytes::from(vec![0; 60]));
        assert!(budget.is_exceeded());
        budget.changed().await;
        edits.push(Bytes::from(vec![0; 1000]));

        assert_eq!(control_out.pop().await.map(|bytes| bytes.len()), Some(60));
        control_out.written(60);
        assert_eq!(edits_out.pop().await.map(|bytes| bytes.len()), Some(60));
        edits_out.written(60);
        budget.changed().await;
        assert!(budget.has_room_for_page());
        drop(edits);
        assert_eq!(edits_out.pop().await, None, "what came over the bound is gone");
    }
}
