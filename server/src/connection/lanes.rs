//! The loops of a connection's streams: the control lane's writer, and one task for each edits lane.

use bytes::Bytes;
use hither_protocol::message::{FrameBuffer, MessageError};
use hither_transport::{RecvStream, SendStream};
use tokio::sync::mpsc;

use crate::outbox::LaneReceiver;

/// The most bytes that are read from a stream at once.
pub(super) const CHUNK_BYTES: usize = 16 * 1024;

/// What an edits lane tells its connection.
#[derive(Debug)]
pub(super) enum LaneEvent {
    /// A message came.
    Message(Bytes),
    /// What came is no message; the lane has ended.
    Malformed(MessageError),
    /// The client ended the lane.
    Ended,
}

/// Writes what is queued for a lane until its senders are gone or the peer takes no more.
pub(super) async fn write_lane(mut send: SendStream, mut lane: LaneReceiver) {
    while let Some(bytes) = lane.pop().await {
        let len = bytes.len();
        if send.write_chunk(bytes).await.is_err() {
            return;
        }
        lane.written(len);
    }
    send.finish();
}

/// Runs an edits lane: its messages go to `events` under the lane's `number`, what is queued goes out. While the client
/// does not take what it is sent, nothing more is read of it.
pub(super) async fn run_edits_lane(
    number: u64,
    mut send: SendStream,
    mut recv: RecvStream,
    mut lane: LaneReceiver,
    events: mpsc::Sender<(u64, LaneEvent)>,
) {
    let mut buffer = FrameBuffer::default();
    loop {
        tokio::select! {
            bytes = lane.pop() => {
                let Some(bytes) = bytes else { break };
                let len = bytes.len();
                if send.write_chunk(bytes).await.is_err() {
                    break;
                }
                lane.written(len);
            }
            chunk = recv.read_chunk(CHUNK_BYTES) => {
                let Ok(Some(chunk)) = chunk else { break };
                buffer.push(&chunk);
                loop {
                    let event = match buffer.pop() {
                        Ok(None) => break,
                        Ok(Some(message)) => LaneEvent::Message(message),
                        Err(error) => LaneEvent::Malformed(error),
                    };
                    let is_last = matches!(event, LaneEvent::Malformed(_));
                    if events.send((number, event)).await.is_err() || is_last {
                        return;
                    }
                }
            }
        }
    }
    send.finish();
    // The connection may have gone before its lane.
    let _ = events.send((number, LaneEvent::Ended)).await;
}
