//! The loop of a connection: takes what arrives to the session and tells the observer, until the connection ends.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use hither_protocol::message::MessageError;
use hither_protocol::message::control::Bye;
use hither_protocol::session::{Event, Session};
use hither_protocol::{CloseCode, RoomHandle, Timestamp};
use hither_transport::{Link, RecvStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Sleep, sleep};

use super::handle::{Shared, State};
use super::lanes::{self, CHUNK_BYTES_MAX, Chunk, Frames};
use crate::closed::Closed;

/// Chunks of edits lanes that wait for the driver; further ones stay in their streams, at the server's cost.
const CHUNKS_MAX: usize = 8;

/// Most datagrams that are taken before they are acked together. They come at once when a room has several parts.
const DATAGRAMS_AT_ONCE: usize = 16;

/// How often the session is told the round trip, which QUIC measures all the time.
const ROUND_TRIP_EVERY: Duration = Duration::from_millis(500);

/// What has just happened to a session, for the observer of [`Driver::run`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Activity {
    /// Datagrams arrived and are decoded: [`Session::poll_motion`] has what they moved.
    Datagrams,
    /// The session gave out this event.
    Event(Event),
}

/// The task of one connection. If it is dropped before its end, the connection closes.
pub struct Driver {
    shared: Arc<Shared>,
    link: Link,
    control_frames: Option<Frames>,
    streams: JoinSet<()>,
    chunks_sender: mpsc::Sender<Chunk>,
    chunks: mpsc::Receiver<Chunk>,
    bye: Option<Bye>,
    /// When the session is told the round trip next.
    round_trip_due: Timestamp,
}

enum Input {
    Datagram(Bytes),
    Control(Option<Bytes>),
    Edits(Chunk),
    Woken,
    Ended(hither_transport::Closed),
}

impl Driver {
    pub(super) fn new(shared: Arc<Shared>, link: Link, control_frames: Frames) -> Self {
        let (chunks_sender, chunks) = mpsc::channel(CHUNKS_MAX);
        let control_frames = Some(control_frames);
        Self {
            shared,
            link,
            control_frames,
            streams: JoinSet::new(),
            chunks_sender,
            chunks,
            bye: None,
            round_trip_due: Timestamp::default(),
        }
    }

    /// Runs the connection to its end and returns its cause. `observe` is called after each thing that arrived, under
    /// the session's lock: it may act on the session, must be quick, and must not call a [`Handle`](super::Handle) of
    /// it.
    ///
    /// Must be called within a tokio runtime with time enabled; streams get tasks of their own.
    pub async fn run(mut self, mut observe: impl FnMut(&mut Session, Activity)) -> Closed {
        let closed = self.drive(&mut observe).await;
        self.link.close(closed.code.unwrap_or(CloseCode::Done.number()), "");
        self.shared.closed.send_replace(Some(closed.clone()));
        closed
    }

    async fn drive(&mut self, observe: &mut impl FnMut(&mut Session, Activity)) -> Closed {
        let mut control = match self.link.open_stream().await {
            Ok((send, recv)) => {
                if let Some(frames) = self.control_frames.take() {
                    self.streams.spawn(lanes::run_writer(send, frames));
                }
                recv
            }
            Err(closed) => return closed.into(),
        };
        let mut timer = pin!(sleep(Duration::ZERO));
        let mut control_ended = false;
        let mut late = None;
        loop {
            let armed = self.arm(timer.as_mut());
            let input = tokio::select! {
                datagram = self.link.recv_datagram() => datagram.map_or_else(Input::Ended, Input::Datagram),
                chunk = read(&mut control), if !control_ended => Input::Control(chunk),
                Some(chunk) = self.chunks.recv() => Input::Edits(chunk),
                () = self.shared.wake.notified() => Input::Woken,
                () = timer.as_mut(), if armed => Input::Woken,
            };
            let handled = match input {
                Input::Datagram(datagram) => {
                    self.handle_datagrams(&datagram, observe);
                    Ok(())
                }
                Input::Control(Some(bytes)) => {
                    self.handle_stream(observe, |session, now| session.handle_control(now, &bytes))
                }
                Input::Control(None) => {
                    // The server closes the connection next, and its code is worth a second's patience.
                    control_ended = true;
                    late = self.shared.close_soon().then(Closed::control_ended);
                    Ok(())
                }
                Input::Edits(chunk) => self.handle_edits(chunk, observe),
                Input::Woken if self.handle_time(observe) => {
                    return self.cause(late.unwrap_or_else(Closed::by_this_end));
                }
                Input::Woken => Ok(()),
                Input::Ended(closed) => {
                    // A bye may have come with the close.
                    while let Some(Some(bytes)) = ready(read(&mut control)) {
                        let take = |session: &mut Session, now| session.handle_control(now, &bytes);
                        if self.handle_stream(observe, take).is_err() {
                            break;
                        }
                    }
                    return self.cause(closed.into());
                }
            };
            if let Err(error) = handled {
                return self.cause(Closed::by_protocol(error));
            }
            // Who gets a bye closes the connection (C1).
            if let Some(bye) = self.bye.take() {
                return Closed::by_bye(bye);
            }
        }
    }

    /// Sets the timer and opens the lanes that were asked for. False if nothing is due.
    fn arm(&mut self, timer: Pin<&mut Sleep>) -> bool {
        let mut state = self.shared.lock();
        let due = state.session.poll_timeout();
        let due = due.into_iter().chain(state.closing).min();
        if due != state.armed
            && let Some(due) = due
        {
            timer.reset(self.shared.clock().instant(due));
        }
        state.armed = due;
        for opening in state.opening.drain(..) {
            let edits = lanes::run_edits(self.link.clone(), opening, self.chunks_sender.clone());
            self.streams.spawn(edits);
        }
        due.is_some()
    }

    /// Tells the session the time; true when it is time to close.
    fn handle_time(&mut self, observe: &mut impl FnMut(&mut Session, Activity)) -> bool {
        self.act(observe, |state, now| {
            if state.session.poll_timeout().is_some_and(|due| due <= now) {
                state.session.handle_timeout(now);
            }
            state.closing.is_some_and(|at| at <= now)
        })
    }

    fn handle_datagrams(&mut self, first: &[u8], observe: &mut impl FnMut(&mut Session, Activity)) {
        let now = self.shared.clock().now();
        let mut state = self.shared.lock();
        if now >= self.round_trip_due {
            self.round_trip_due = now + ROUND_TRIP_EVERY;
            if let Some(round_trip) = self.link.round_trip() {
                state.session.handle_round_trip(round_trip);
            }
        }
        state.session.handle_datagram(now, first);
        for _ in 1..DATAGRAMS_AT_ONCE {
            // An end of the connection is found again by the loop.
            let Some(Ok(datagram)) = ready(self.link.recv_datagram()) else { break };
            state.session.handle_datagram(now, &datagram);
        }
        observe(&mut state.session, Activity::Datagrams);
        self.shared.flush(&mut state, now);
    }

    fn handle_stream(
        &mut self,
        observe: &mut impl FnMut(&mut Session, Activity),
        handle: impl FnOnce(&mut Session, Timestamp) -> Result<(), MessageError>,
    ) -> Result<(), MessageError> {
        // What came before an error stands, a bye above all.
        self.act(observe, |state, now| handle(&mut state.session, now))
    }

    /// Has something handled, tells the application what comes of it, and sends what is to be sent then.
    fn act<T>(
        &mut self,
        observe: &mut impl FnMut(&mut Session, Activity),
        handle: impl FnOnce(&mut State, Timestamp) -> T,
    ) -> T {
        let Self { shared, bye, .. } = self;
        let now = shared.clock().now();
        let mut state = shared.lock();
        let handled = handle(&mut state, now);
        while let Some(event) = state.session.poll_event() {
            if let Event::Bye(said) = &event {
                *bye = Some(said.clone());
            }
            observe(&mut state.session, Activity::Event(event));
        }
        // Motion may have come over a stream, too (M15), and what was held back as old may be shown now (M16).
        observe(&mut state.session, Activity::Datagrams);
        shared.flush(&mut state, now);
        handled
    }

    fn handle_edits(
        &mut self,
        Chunk { room, lane, bytes }: Chunk,
        observe: &mut impl FnMut(&mut Session, Activity),
    ) -> Result<(), MessageError> {
        if let Some(bytes) = bytes {
            let mine = is_open(&self.shared.lock(), room, lane);
            return if mine {
                self.handle_stream(observe, |session, _now| session.handle_edits(room, &bytes))
            } else {
                Ok(())
            };
        }
        while self.streams.try_join_next().is_some() {}
        if ready(self.link.closed()).is_some() {
            // The connection has ended, and the session may go on over another.
            return Ok(());
        }
        self.act(observe, |state, now| {
            if is_open(state, room, lane) {
                state.edits.remove(&room);
                state.session.handle_edits_ended(now, room);
            }
        });
        Ok(())
    }

    /// What the server said itself goes before what can be seen from here.
    fn cause(&mut self, seen: Closed) -> Closed {
        self.bye.take().map_or(seen, Closed::by_bye)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.shared.handle_disconnected();
        self.shared.closed.send_if_modified(|closed| {
            let abandoned = closed.is_none();
            closed.get_or_insert_with(Closed::abandoned);
            abandoned
        });
        self.link.close(CloseCode::Done.number(), ""); // without effect on a closed one
    }
}

/// Whether this is the room's lane, and not one from before the room was left and entered again.
fn is_open(state: &State, room: RoomHandle, lane: u64) -> bool {
    state.edits.get(&room).is_some_and(|open| open.number == lane)
}

/// The next bytes of the control lane; `None` at its end, of whatever kind.
async fn read(control: &mut RecvStream) -> Option<Bytes> {
    control.read_chunk(CHUNK_BYTES_MAX).await.ok().flatten()
}

/// What a cancel-safe future has ready now.
fn ready<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
