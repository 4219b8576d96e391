//! The tasks of streams: writing waits for the peer, and may not be broken off halfway, so it can't be one of the
//! driver's choices. Reading the control lane can, and is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use hither_protocol::RoomHandle;
use hither_transport::{Link, RecvStream, SendStream};
use tokio::sync::mpsc;

/// Most bytes that are read from a stream at once.
pub(super) const CHUNK_BYTES_MAX: usize = 16 * 1024;

/// Makes a lane's queue of frames; those that wait in it count in `waiting`, the sum of all lanes in bytes.
pub(super) fn queue(waiting: &Arc<AtomicUsize>) -> (FrameQueue, Frames) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let frames = Frames { receiver, waiting: Arc::clone(waiting) };
    (FrameQueue { sender, waiting: Arc::clone(waiting) }, frames)
}

/// The end that fills a lane's queue. Its bound in bytes is the caller's: see `Handle::is_backlogged`.
pub(super) struct FrameQueue {
    sender: mpsc::UnboundedSender<Bytes>,
    waiting: Arc<AtomicUsize>,
}

impl FrameQueue {
    pub(super) fn push(&self, frame: Bytes) {
        let bytes = frame.len();
        self.waiting.fetch_add(bytes, Ordering::Relaxed);
        if self.sender.send(frame).is_err() {
            self.waiting.fetch_sub(bytes, Ordering::Relaxed); // its stream has ended
        }
    }
}

/// The end that empties a lane's queue. What is left in it when it is dropped will never be written.
pub(super) struct Frames {
    receiver: mpsc::UnboundedReceiver<Bytes>,
    waiting: Arc<AtomicUsize>,
}

impl Frames {
    /// `None` once nobody can fill the queue any more.
    async fn next(&mut self) -> Option<Bytes> {
        let frame = self.receiver.recv().await?;
        self.waiting.fetch_sub(frame.len(), Ordering::Relaxed);
        Some(frame)
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        self.receiver.close();
        while let Ok(frame) = self.receiver.try_recv() {
            self.waiting.fetch_sub(frame.len(), Ordering::Relaxed);
        }
    }
}

/// A lane whose stream the driver is to open.
pub(super) struct Opening {
    pub(super) room: RoomHandle,
    /// Tells the lane from an earlier one of the same room.
    pub(super) lane: u64,
    pub(super) frames: Frames,
}

/// What came on an edits lane.
pub(super) struct Chunk {
    pub(super) room: RoomHandle,
    pub(super) lane: u64,
    /// `None` at its end.
    pub(super) bytes: Option<Bytes>,
}

/// Writes frames until nobody can queue any more, which finishes the stream, or until the peer takes no more.
pub(super) async fn run_writer(mut stream: SendStream, mut frames: Frames) {
    while let Some(frame) = frames.next().await {
        if stream.write_chunk(frame).await.is_err() {
            return;
        }
    }
    stream.finish();
}

/// Runs the edits lane of a room, from opening its stream to its end, which is told as a chunk without bytes.
pub(super) async fn run_edits(link: Link, opening: Opening, chunks: mpsc::Sender<Chunk>) {
    let Opening { room, lane, frames } = opening;
    if let Ok((send, recv)) = link.open_stream().await {
        tokio::select! {
            () = run_writer(send, frames) => {}
            () = run_reader(recv, room, lane, &chunks) => {}
        }
    }
    // It fails if the driver has ended, and then nobody wants to know.
    let _ = chunks.send(Chunk { room, lane, bytes: None }).await;
}

async fn run_reader(
    mut stream: RecvStream,
    room: RoomHandle,
    lane: u64,
    chunks: &mpsc::Sender<Chunk>,
) {
    while let Ok(Some(bytes)) = stream.read_chunk(CHUNK_BYTES_MAX).await {
        if chunks.send(Chunk { room, lane, bytes: Some(bytes) }).await.is_err() {
            return;
        }
    }
}
