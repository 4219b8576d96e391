//! The half of the bridge that reads the WebSocket: each message goes to the stream of its lane. While a stream takes
//! no more, nothing is read, which TCP tells the peer.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use hither_protocol::message::frame;
use hither_protocol::{CloseCode, RoomHandle, limits};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite;

use super::Shared;
use super::bridge::End;
use super::message::{Message, Violation};
use super::writer::Opened;
use crate::bounds::{SILENCE, Side};
use crate::memory::MemoryLink;
use crate::stream::SendStream;

/// Edits lanes that a client has open at a time, its control lane apart.
const LANES_MAX: usize = limits::STREAMS_MAX as usize - 1;

/// A lane that this end's application opened: where its peer's messages go.
pub(super) struct Answers {
    /// `None` for the control lane.
    pub(super) room: Option<RoomHandle>,
    pub(super) stream: SendStream,
}

pub(super) struct Reader<'a> {
    side: Side,
    far: &'a MemoryLink,
    shared: &'a Shared,
    control: Option<SendStream>,
    /// The lanes of each room that the peer has not ended, the oldest first: what comes is that one's.
    lanes: BTreeMap<RoomHandle, VecDeque<SendStream>>,
    from_writer: mpsc::Receiver<Answers>,
    to_writer: mpsc::Sender<Opened>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        side: Side,
        far: &'a MemoryLink,
        shared: &'a Shared,
        from_writer: mpsc::Receiver<Answers>,
        to_writer: mpsc::Sender<Opened>,
    ) -> Self {
        let (control, lanes) = (None, BTreeMap::new());
        Self { side, far, shared, control, lanes, from_writer, to_writer }
    }

    pub(super) async fn run(
        &mut self,
        mut source: impl Stream<Item = tungstenite::Result<tungstenite::Message>> + Unpin,
    ) -> End {
        use tungstenite::Message as Any;
        loop {
            let message = match self.next(&mut source).await {
                Some(Some(Ok(message))) => message,
                Some(Some(Err(error))) => return error.into(),
                Some(None) => return End::Broken("the stream ended without a close".into()),
                None => return End::TimedOut,
            };
            let handled = match message {
                Any::Binary(message) => self.handle(message).await,
                Any::Text(_) => Err(Violation("a text message").into()),
                Any::Pong(payload) => {
                    self.measure(&payload);
                    Ok(())
                }
                Any::Close(frame) => Err(frame.into()),
                Any::Ping(_) | Any::Frame(_) => Ok(()), // the library answers
            };
            if let Err(end) = handled {
                return end;
            }
        }
    }

    /// What comes next; `None` if the peer was not heard for too long, though this end listened.
    async fn next<S: Stream + Unpin>(&self, source: &mut S) -> Option<Option<S::Item>> {
        let mut since = Instant::now();
        loop {
            if let Ok(next) = timeout_at(since + SILENCE, source.next()).await {
                return Some(next);
            }
            let heard = self.shared.heard.last();
            if heard <= since {
                return None;
            }
            since = heard;
        }
    }

    async fn handle(&mut self, message: Bytes) -> Result<(), End> {
        let message = Message::read(message)?;
        if message.is_too_long() {
            return Err(End::Violation(CloseCode::TooLarge, "too long"));
        }
        while let Ok(Answers { room, stream }) = self.from_writer.try_recv() {
            match room {
                None => self.control = Some(stream),
                Some(room) => self.lanes.entry(room).or_default().push_back(stream),
            }
        }
        match message {
            // Before the datagram stands its lane, where a link has its reserved byte. One that is too long is dropped.
            Message::Motion(datagram) => drop(self.far.send_datagram(&datagram)),
            Message::Control(message) => {
                if self.control.is_none() && self.side == Side::Server {
                    self.control = Some(self.open(None).await?);
                }
                if let Some(stream) = &mut self.control {
                    pass_on(stream, &message).await;
                }
            }
            Message::Edits(room, message) => self.handle_edits(room, &message).await?,
        }
        Ok(())
    }

    async fn handle_edits(&mut self, room: RoomHandle, message: &[u8]) -> Result<(), End> {
        let is_known = self.lanes.contains_key(&room);
        if message.is_empty() {
            if let Some(lanes) = self.lanes.get_mut(&room) {
                lanes.pop_front(); // which ends the stream
            }
            self.lanes.retain(|_, lanes| !lanes.is_empty());
            return Ok(());
        }
        if !is_known && self.side == Side::Server {
            if self.control.is_none() {
                return Err(Violation("edits before the control lane").into());
            }
            if self.lanes.len() >= LANES_MAX {
                return Err(Violation("too many lanes").into());
            }
            let stream = self.open(Some(room)).await?;
            self.lanes.entry(room).or_default().push_back(stream);
        }
        if let Some(stream) = self.lanes.get_mut(&room).and_then(VecDeque::front_mut) {
            pass_on(stream, message).await;
        }
        Ok(())
    }

    /// A lane that the peer opened: a stream for the application, whose answers are the writer's.
    async fn open(&self, room: Option<RoomHandle>) -> Result<SendStream, End> {
        // Lanes that have ended give their places back once what they said is written.
        let opened = timeout(SILENCE, self.far.open_stream()).await;
        let opened = opened.map_err(|_| End::from(Violation("too many lanes")))?;
        let (send, recv) = opened.map_err(|_| End::Closed)?;
        // It fails if the writer has ended, and the bridge with it.
        let _ = self.to_writer.send(Opened { room, send: None, recv }).await;
        Ok(send)
    }

    /// A ping of ours has come back, unless the peer made it up.
    fn measure(&self, payload: &[u8]) {
        let sent = payload.try_into().map(u64::from_be_bytes).ok();
        let took =
            sent.and_then(|sent| self.shared.heard.now().checked_sub(Duration::from_micros(sent)));
        if let Some(took) = took.filter(|took| *took < SILENCE) {
            self.shared.round_trip.fetch_min(took.as_micros() as u64, Ordering::Relaxed);
        }
    }
}

/// Hands a message to the application, or the end of its lane. What it does not read any more is dropped.
async fn pass_on(stream: &mut SendStream, message: &[u8]) {
    if message.is_empty() {
        stream.finish();
    } else {
        let _ = stream.write_chunk(frame(message)).await;
    }
}
