//! What waits to be written on a viewer's streams: one queue a lane, one bound in bytes for all lanes of a connection.
//!
//! Rooms push without waiting; each lane's writer pops. A viewer over its bound is too slow, and is closed by its own
//! connection, so that it never holds up a room.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use hither_protocol::limits;
use tokio::sync::{Notify, mpsc};

/// The bytes that wait on all lanes of one connection.
#[derive(Debug)]
pub(crate) struct Budget {
    bytes_max: usize,
    bytes: AtomicUsize,
    /// Something was dropped, so the lanes have a hole, and nothing makes that good.
    exceeded: AtomicBool,
    changed: Notify,
}

impl Budget {
    /// At most `bytes_max` wait.
    pub(crate) fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self {
            bytes_max,
            bytes: AtomicUsize::new(0),
            exceeded: AtomicBool::new(false),
            changed: Notify::new(),
        })
    }

    /// Whether more was pushed than may wait, now or before.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.exceeded.load(Ordering::Relaxed)
    }

    /// Whether a page of a roster or a document may be pushed: the rest is kept for what happens meanwhile.
    pub(crate) fn has_room_for_page(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) < self.pages_max()
    }

    /// Whether motion may be pushed: little enough waits for it to be fresh when it is written.
    pub(crate) fn has_room_for_motion(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) < limits::VIEWER_MOTION_QUEUE_BYTES_MAX
    }

    /// Waits until a page may be pushed, or the bound is exceeded.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn pages_max(&self) -> usize {
        self.bytes_max / 4
    }

    /// Makes room for a message; false if there is none.
    fn add(&self, bytes: usize) -> bool {
        if self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes <= self.bytes_max {
            return true;
        }
        self.remove(bytes);
        self.exceeded.store(true, Ordering::Relaxed);
        self.changed.notify_one();
        false
    }

    fn remove(&self, bytes: usize) {
        let before = self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        if before >= self.pages_max() && before - bytes < self.pages_max() {
            self.changed.notify_one();
        }
    }
}

/// A lane's queue; its other end belongs to the lane's writer.
pub(crate) fn lane(budget: &Arc<Budget>) -> (LaneSender, LaneReceiver) {
    // Unbounded in messages, bounded in bytes by the budget.
    let (sender, receiver) = mpsc::unbounded_channel();
    (LaneSender { sender, budget: budget.clone() }, LaneReceiver { receiver })
}

/// The end that rooms push to.
#[derive(Clone, Debug)]
pub(crate) struct LaneSender {
    sender: mpsc::UnboundedSender<Queued>,
    budget: Arc<Budget>,
}

impl LaneSender {
    /// Queues a message. One over the bound is dropped, and so is what comes after it: the connection is ending.
    pub(crate) fn push(&self, message: Bytes) {
        if !self.budget.is_exceeded() && self.budget.add(message.len()) {
            self.queue(message);
        }
    }

    /// Queues the connection's last message, even over the bound.
    pub(crate) fn push_last(&self, message: Bytes) {
        self.budget.bytes.fetch_add(message.len(), Ordering::Relaxed);
        self.queue(message);
    }

    /// The bound that this lane shares.
    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    fn queue(&self, message: Bytes) {
        // If the writer has gone the message comes back, and is dropped with its part of the budget.
        let _ = self.sender.send(Queued { message, budget: self.budget.clone() });
    }
}

/// A message that counts in the budget until it is dropped.
#[derive(Debug)]
pub(crate) struct Queued {
    message: Bytes,
    budget: Arc<Budget>,
}

impl Queued {
    /// Its bytes.
    pub(crate) fn bytes(&self) -> Bytes {
        self.message.clone()
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.budget.remove(self.message.len());
    }
}

/// The end that the writer pops from. What it leaves is dropped with it.
#[derive(Debug)]
pub(crate) struct LaneReceiver {
    receiver: mpsc::UnboundedReceiver<Queued>,
}

impl LaneReceiver {
    /// The next message, to be held until it is written; `None` when every sender has gone and all is popped. Cancel
    /// safe.
    pub(crate) async fn pop(&mut self) -> Option<Queued> {
        self.receiver.recv().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(bytes: usize) -> Bytes {
        Bytes::from(vec![0; bytes])
    }

    #[tokio::test]
    async fn a_queue_is_bounded_in_bytes_over_all_lanes() {
        let budget = Budget::new(100);
        let (control, mut control_out) = lane(&budget);
        let (edits, mut edits_out) = lane(&budget);
        control.push(message(60));
        assert!(!budget.is_exceeded());
        edits.push(message(60));
        budget.changed().await;
        drop(control_out.pop().await);
        edits.push(message(1));
        assert!(budget.is_exceeded(), "a hole in a lane is not made good by room");
        control.push_last(message(7));
        assert_eq!(control_out.pop().await.map(|queued| queued.bytes().len()), Some(7));
        drop(edits);
        assert!(edits_out.pop().await.is_none(), "what came over the bound is gone");
    }

    #[tokio::test]
    async fn a_lane_that_ends_gives_back_what_it_held() {
        let budget = Budget::new(100);
        let (edits, mut edits_out) = lane(&budget);
        edits.push(message(40));
        edits.push(message(40));
        let in_flight = edits_out.pop().await;
        assert!(!budget.has_room_for_page());
        drop(edits_out);
        edits.push(message(30));
        drop(in_flight);
        budget.changed().await;
        assert_eq!(budget.bytes.load(Ordering::Relaxed), 0);
    }
}
