//! The loops of a connection's streams: the control lane's writer, and one task for each edits lane.

use std::sync::Arc;

use bytes::Bytes;
use hither_protocol::message::{FrameBuffer, MessageError};
use hither_transport::{ReadError, RecvStream, SendStream};
use tokio::sync::{Notify, mpsc};

use crate::outbox::LaneReceiver;

/// The most bytes that are read from a stream at once.
pub(super) const CHUNK_BYTES: usize = 16 * 1024;

/// What an edits lane tells its connection.
#[derive(Debug)]
pub(super) enum LaneEvent {
    /// A message came.
    Message(Bytes),
    /// The document that it opens is there, or can't be had now.
    Loaded(bool),
    /// What came is no message; the lane has ended.
    Malformed(MessageError),
    /// The client ended the lane.
    Ended,
}

/// Writes what is queued for a lane until its senders are gone or the peer takes no more.
pub(super) async fn write_lane(mut send: SendStream, mut lane: LaneReceiver) {
    while let Some(queued) = lane.pop().await {
        if send.write_chunk(queued.bytes()).await.is_err() {
            return;
        }
    }
    send.finish();
}

/// Runs an edits lane: its messages go to `events` under the lane's `number`, what is queued goes out, also after the
/// client has said its last. After each message nothing more is read until `read_on` says that it is done with: the
/// document there, the rate kept to, the question answered. Nor is it while the client does not take what it is sent.
pub(super) async fn run_edits_lane(
    number: u64,
    mut send: SendStream,
    mut recv: RecvStream,
    mut lane: LaneReceiver,
    events: mpsc::Sender<(u64, LaneEvent)>,
    read_on: Arc<Notify>,
) {
    let mut buffer = FrameBuffer::default();
    let mut last = Ok(Some(Bytes::new()));
    let (mut is_waiting, mut has_ended) = (false, false);
    loop {
        if !is_waiting
            && !has_ended
            && let Some(event) = next_event(&mut buffer, &last)
        {
            is_waiting = matches!(event, LaneEvent::Message(_));
            has_ended = !is_waiting;
            if events.send((number, event)).await.is_err() {
                return;
            }
        }
        tokio::select! {
            queued = lane.pop() => {
                let Some(queued) = queued else { break };
                if send.write_chunk(queued.bytes()).await.is_err() {
                    break;
                }
            }
            chunk = recv.read_chunk(CHUNK_BYTES), if !is_waiting && !has_ended => {
                last = chunk;
                if let Ok(Some(chunk)) = &last {
                    buffer.push(chunk);
                }
            }
            () = read_on.notified(), if is_waiting => is_waiting = false,
        }
    }
    send.finish();
    // The connection may have gone before its lane.
    let _ = events.send((number, LaneEvent::Ended)).await;
}

/// What the bytes of a lane amount to, once `last` has been pushed.
fn next_event(
    buffer: &mut FrameBuffer,
    last: &Result<Option<Bytes>, ReadError>,
) -> Option<LaneEvent> {
    match (buffer.pop(), last) {
        (Ok(Some(message)), _) => Some(LaneEvent::Message(message)),
        (Err(error), _) => Some(LaneEvent::Malformed(error)),
        (Ok(None), Ok(Some(_))) => None,
        (Ok(None), Ok(None)) if !buffer.is_empty() => {
            Some(LaneEvent::Malformed(MessageError::Truncated))
        }
        (Ok(None), _) => Some(LaneEvent::Ended),
    }
}
