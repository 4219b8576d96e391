//! The half of the bridge that writes the WebSocket: in each turn one message of a stream, then the newest motion, so
//! that neither waits for more of the other than is under way already.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, SelectAll};
use futures_util::{Sink, SinkExt, StreamExt};
use hither_protocol::RoomHandle;
use hither_protocol::message::FrameBuffer;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_tungstenite::tungstenite;

use super::Shared;
use super::bridge::End;
use super::message::{Message, newest_downward, newest_upward, room_of};
use super::reader::Answers;
use crate::bounds::{KEEP_ALIVE, Side};
use crate::memory::MemoryLink;
use crate::stream::{ReadError, RecvStream, SendStream};

/// Most bytes that are read from a stream at once.
const CHUNK_BYTES_MAX: usize = 16 * 1024;

/// A stream whose messages are to be written.
pub(super) struct Opened {
    /// Of an edits lane, as far as it is known: who opens one says it in its first message.
    pub(super) room: Option<RoomHandle>,
    /// Where the peer's messages go, until the reader has it.
    pub(super) send: Option<SendStream>,
    pub(super) recv: RecvStream,
}

pub(super) struct Writer<'a> {
    side: Side,
    far: &'a MemoryLink,
    shared: &'a Shared,
    /// Messages by the number of their stream; `None` at its end.
    messages: SelectAll<BoxStream<'static, (u64, Option<Bytes>)>>,
    lanes: BTreeMap<u64, Lane>,
    next_lane: u64,
    /// When something was written last.
    wrote: Instant,
    from_reader: mpsc::Receiver<Opened>,
    to_reader: mpsc::Sender<Answers>,
}

/// An edits lane that this end has not ended.
struct Lane {
    room: Option<RoomHandle>,
    send: Option<SendStream>,
}

/// How long the reader has to find out why nothing can be written.
const REASON_DEADLINE: Duration = Duration::from_millis(200);

/// The number of the first stream.
const CONTROL: u64 = 0;

impl<'a> Writer<'a> {
    pub(super) fn new(
        side: Side,
        far: &'a MemoryLink,
        shared: &'a Shared,
        from_reader: mpsc::Receiver<Opened>,
        to_reader: mpsc::Sender<Answers>,
    ) -> Self {
        Self {
            side,
            far,
            shared,
            messages: SelectAll::new(),
            lanes: BTreeMap::new(),
            next_lane: CONTROL,
            wrote: Instant::now(),
            from_reader,
            to_reader,
        }
    }

    pub(super) async fn run(&mut self, mut sink: impl Out) -> End {
        match self.drive(&mut sink).await {
            Ok(()) => End::Closed,
            Err(error) => {
                // Mostly the peer has closed, and the reader is about to find its close, with a code.
                sleep(REASON_DEADLINE).await;
                error.into()
            }
        }
    }

    /// Runs until the application has closed the link, and what it wrote before is written.
    async fn drive(&mut self, sink: &mut impl Out) -> tungstenite::Result<()> {
        let mut keep_alive = interval(KEEP_ALIVE);
        keep_alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_first = true;
        loop {
            let mut motion = Vec::new();
            tokio::select! {
                biased;
                _ = keep_alive.tick() => {
                    if std::mem::take(&mut is_first) || self.is_quiet() {
                        let now = self.shared.heard.now().as_micros() as u64;
                        let payload = Bytes::copy_from_slice(&now.to_be_bytes());
                        sink.feed(tungstenite::Message::Ping(payload)).await?;
                    }
                }
                Some(opened) = self.from_reader.recv() => self.add(opened).await,
                Ok((send, recv)) = self.far.accept_stream(), if self.side == Side::Client => {
                    self.add(Opened { room: None, send: Some(send), recv }).await;
                }
                Some((number, message)) = self.messages.next() => {
                    self.feed(sink, number, message).await?;
                }
                Ok(datagram) = self.far.recv_datagram() => motion.push(datagram),
                _ = self.far.closed() => return Ok(()),
            }
            self.feed_motion(sink, motion).await?;
            sink.flush().await?;
            self.wrote = Instant::now();
        }
    }

    /// Whether the peer is not heard, or does not hear us, so that one of us may be taken for dead.
    fn is_quiet(&self) -> bool {
        let before = Instant::now() - KEEP_ALIVE + KEEP_ALIVE_SLACK;
        self.wrote < before || self.shared.heard.last() < before
    }

    async fn add(&mut self, opened: Opened) {
        let number = self.next_lane;
        self.next_lane += 1;
        self.messages.push(messages(number, opened.recv));
        if number == CONTROL {
            self.answer(None, opened.send).await;
        } else {
            self.lanes.insert(number, Lane { room: opened.room, send: opened.send });
        }
    }

    /// Tells the reader where the peer's messages go, if this end opened the lane.
    async fn answer(&mut self, room: Option<RoomHandle>, send: Option<SendStream>) {
        if let Some(stream) = send {
            // It fails if the reader has ended, and the bridge with it.
            let _ = self.to_reader.send(Answers { room, stream }).await;
        }
    }

    /// Writes a message of a lane, or its end.
    async fn feed(
        &mut self,
        sink: &mut impl Out,
        number: u64,
        message: Option<Bytes>,
    ) -> tungstenite::Result<()> {
        if number == CONTROL {
            return feed(sink, Message::Control(message.unwrap_or_default())).await;
        }
        // A lane may have been ended for one that came after it.
        let Some(lane) = self.lanes.get_mut(&number) else { return Ok(()) };
        let Some(message) = message else {
            let room = lane.room;
            self.lanes.remove(&number);
            return match room {
                Some(room) => feed(sink, Message::Edits(room, Bytes::new())).await,
                None => Ok(()), // nothing was ever said on it
            };
        };
        let room = *lane.room.get_or_insert_with(|| room_of(&message));
        let send = lane.send.take();
        self.answer(Some(room), send).await;
        // Each lane of a room is ended before anything of the next one is said (W3).
        let is_older = |lane: &Lane| lane.room == Some(room);
        while let Some((&older, _)) = self.lanes.range(..number).find(|(_, lane)| is_older(lane)) {
            self.lanes.remove(&older);
            feed(sink, Message::Edits(room, Bytes::new())).await?;
        }
        feed(sink, Message::Edits(room, message)).await
    }

    /// Writes of the motion that waits what is not old.
    async fn feed_motion(
        &mut self,
        sink: &mut impl Out,
        mut waiting: Vec<Bytes>,
    ) -> tungstenite::Result<()> {
        while let Some(datagram) = self.far.try_recv_datagram() {
            waiting.push(datagram);
        }
        let before = waiting.len();
        match self.side {
            Side::Server => newest_downward(&mut waiting),
            Side::Client => newest_upward(&mut waiting),
        }
        let dropped = (before - waiting.len()) as u64;
        self.shared.datagrams_dropped.fetch_add(dropped, Ordering::Relaxed);
        for datagram in waiting {
            feed(sink, Message::Motion(datagram)).await?;
        }
        Ok(())
    }
}

/// What a timer may be early by, against a pulse that is just as old as its interval.
const KEEP_ALIVE_SLACK: Duration = Duration::from_millis(100);

/// Where messages go.
pub(super) trait Out:
    Sink<tungstenite::Message, Error = tungstenite::Error> + Unpin
{
}

impl<S: Sink<tungstenite::Message, Error = tungstenite::Error> + Unpin> Out for S {}

async fn feed(sink: &mut impl Out, message: Message) -> tungstenite::Result<()> {
    sink.feed(tungstenite::Message::Binary(message.put())).await
}

/// A stream's messages, without their lengths, and then its end. What can't be cut into messages ends it, too: no
/// session writes that.
fn messages(number: u64, recv: RecvStream) -> BoxStream<'static, (u64, Option<Bytes>)> {
    let state = Some((recv, FrameBuffer::default()));
    let next = move |state: Option<(RecvStream, FrameBuffer)>| async move {
        let (mut recv, mut buffer) = state?;
        loop {
            match buffer.pop() {
                Ok(Some(message)) => return Some(((number, Some(message)), Some((recv, buffer)))),
                Ok(None) => {}
                Err(_) => return Some(((number, None), None)),
            }
            match recv.read_chunk(CHUNK_BYTES_MAX).await {
                Ok(Some(chunk)) => buffer.push(&chunk),
                Err(ReadError::Closed) => return None, // it ends with the connection, which says so itself
                Ok(None) | Err(_) => return Some(((number, None), None)),
            }
        }
    };
    stream::unfold(state, next).boxed()
}
