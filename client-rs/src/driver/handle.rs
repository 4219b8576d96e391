//! The side of a connection that everybody may hold: acts on the session and puts what comes of it on its lanes.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hither_protocol::limits::AXES_MAX;
use hither_protocol::message::control::Hello;
use hither_protocol::session::{Session, Transmit};
use hither_protocol::{EditorId, RoomHandle, Slot, Timestamp};
use hither_transport::Link;
use tokio::sync::{Notify, watch};

use super::lanes::{self, FrameQueue, Opening};
use super::run::Driver;
use crate::closed::Closed;
use hither_transport::Clock;

/// Most bytes that wait to be written to streams before [`Handle::is_backlogged`] says so: as much as the server keeps
/// for one viewer. It costs as much memory for a connection that stands still.
pub const OUTGOING_BYTES_MAX: usize = 256 * 1024;

/// How long the server may take to close the connection after a bye.
const CLOSE_GRACE: Duration = Duration::from_secs(1);

/// Begins a session over `link`. Nothing is sent until the driver runs.
pub fn start(link: Link, hello: Hello) -> (Handle, Driver) {
    let outgoing_bytes = Arc::new(AtomicUsize::new(0));
    let (control, control_frames) = lanes::queue(&outgoing_bytes);
    let mut session = Session::new(hello, EditorId(rand::random()));
    if let Some(delay) = link.ack_delay() {
        session.set_ack_delay(delay);
    }
    let state = State {
        link: link.clone(),
        session,
        control,
        edits: BTreeMap::new(),
        opening: Vec::new(),
        lanes_opened: 0,
        armed: None,
        closing: None,
        datagrams_unsent: 0,
        is_closed: false,
    };
    let shared = Arc::new(Shared {
        clock: Mutex::new(Clock::start()),
        state: Mutex::new(state),
        wake: Notify::new(),
        outgoing_bytes,
        closed: watch::Sender::new(None),
    });
    let handle = Handle(Arc::clone(&shared));
    handle.with(|_session, _now| ()); // puts the hello on its lane
    (handle, Driver::new(shared, link, control_frames))
}

/// Acts on a connection's session. Cheap to clone; it does not keep the connection open once the driver has ended.
#[derive(Clone)]
pub struct Handle(pub(super) Arc<Shared>);

impl Handle {
    /// Acts on the session, then sends what comes of it: datagrams at once, the rest by the driver. Never waits but for
    /// the lock, which no one holds for longer than such a call or the observer takes; `act` must not call this handle.
    ///
    /// Ask [`Self::is_backlogged`] before an act that writes to a stream: what is over it is kept in memory all the
    /// same.
    pub fn with<T>(&self, act: impl FnOnce(&mut Session, Timestamp) -> T) -> T {
        let now = self.0.clock().now();
        let mut state = self.0.lock();
        let result = act(&mut state.session, now);
        if self.0.flush(&mut state, now) {
            self.0.wake.notify_one();
        }
        result
    }

    /// Where a member is to be seen at `at`, see [`Session::sample`].
    pub fn sample(&self, room: RoomHandle, slot: Slot, at: Instant) -> Option<[f64; AXES_MAX]> {
        let now = self.0.clock().time_of(at);
        self.0.lock().session.sample(now, room, slot)
    }

    /// Whether more than [`OUTGOING_BYTES_MAX`] bytes wait for the server to take them, or of edits to answer.
    pub fn is_backlogged(&self) -> bool {
        // What the session keeps until it is answered is mostly the same as what waits to be written.
        let kept = self.0.lock().session.waiting_bytes();
        self.0.outgoing_bytes.load(Ordering::Relaxed).max(kept) > OUTGOING_BYTES_MAX
    }

    /// Datagrams that the session made and the transport did not take, since the beginning.
    pub fn datagrams_unsent(&self) -> u64 {
        self.0.lock().datagrams_unsent
    }

    /// Goes on with the session over another link, once the driver before has ended; with `token` if there is a new
    /// one. Nothing is sent until the driver runs.
    pub fn begin_again(&self, link: Link, token: Option<String>) -> Driver {
        let (control, control_frames) = lanes::queue(&self.0.outgoing_bytes);
        let mut state = self.0.lock();
        state.link = link.clone();
        state.control = control;
        state.armed = None;
        if let Some(delay) = link.ack_delay() {
            state.session.set_ack_delay(delay);
        }
        // The machine may have slept for a day, and then nobody knows of edits what became of them (D7).
        self.0.clock().catch_up();
        let now = self.0.clock().now();
        state.session.begin_again(token);
        self.0.flush(&mut state, now);
        drop(state);
        self.0.closed.send_replace(None);
        Driver::new(Arc::clone(&self.0), link, control_frames)
    }

    /// The newest link, for its counters, its round trip and its address.
    pub fn link(&self) -> Link {
        self.0.lock().link.clone()
    }

    /// Whether [`Self::close`] was called.
    pub(crate) fn is_closing(&self) -> bool {
        self.0.lock().is_closed
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.clock().now()
    }

    pub(crate) fn instant(&self, at: Timestamp) -> tokio::time::Instant {
        self.0.clock().instant(at)
    }

    /// Says bye and lets the server close the connection; after a second this end does. Returns at once; a second call
    /// does nothing.
    pub fn close(&self) {
        self.0.lock().is_closed = true;
        if self.0.close_soon() {
            self.with(|session, _now| session.bye());
            self.0.wake.notify_one();
        }
    }

    /// How the connection ended, if it has.
    pub fn closed_now(&self) -> Option<Closed> {
        self.0.closed.borrow().clone()
    }

    /// Waits for the end of the connection; ready at once from then on.
    pub async fn closed(&self) -> Closed {
        let mut closed = self.0.closed.subscribe();
        let closed = closed.wait_for(Option::is_some).await.ok().and_then(|closed| closed.clone());
        closed.unwrap_or_else(Closed::abandoned)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("link", &self.link())
            .field("closed", &self.closed_now())
            .finish_non_exhaustive()
    }
}

/// What the driver and the handles share.
pub(super) struct Shared {
    clock: Mutex<Clock>,
    state: Mutex<State>,
    /// Tells the driver that a timer is due earlier than it knows, that a lane is to be opened, or that it is to close.
    pub(super) wake: Notify,
    outgoing_bytes: Arc<AtomicUsize>,
    pub(super) closed: watch::Sender<Option<Closed>>,
}

pub(super) struct State {
    link: Link,
    pub(super) session: Session,
    control: FrameQueue,
    pub(super) edits: BTreeMap<RoomHandle, EditsLane>,
    pub(super) opening: Vec<Opening>,
    lanes_opened: u64,
    /// When the driver wakes up by itself.
    pub(super) armed: Option<Timestamp>,
    /// When this end closes the connection if the server has not.
    pub(super) closing: Option<Timestamp>,
    datagrams_unsent: u64,
    /// Whether the application wants no connection any more.
    is_closed: bool,
}

pub(super) struct EditsLane {
    /// Tells the lane from an earlier one of the same room.
    pub(super) number: u64,
    frames: FrameQueue,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // The session's methods do not panic, so a panic in an act or the observer leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn clock(&self) -> MutexGuard<'_, Clock> {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection has ended: what the session has is kept for the next.
    pub(super) fn handle_disconnected(&self) {
        let mut state = self.lock();
        state.session.handle_disconnected();
        state.edits.clear();
        state.opening.clear();
        state.closing = None;
    }

    /// Sets the time at which this end closes the connection; false if it was set before.
    pub(super) fn close_soon(&self) -> bool {
        let at = self.clock().now() + CLOSE_GRACE;
        let mut state = self.lock();
        let first = state.closing.is_none();
        state.closing.get_or_insert(at);
        first
    }

    /// Drains the session's transmits to their lanes; true if the driver must be told of something.
    pub(super) fn flush(&self, state: &mut State, now: Timestamp) -> bool {
        while let Some(transmit) = state.session.poll_transmit(now) {
            match transmit {
                Transmit::Datagram(datagram) => {
                    let sent = state.link.send_datagram(datagram);
                    state.datagrams_unsent += u64::from(sent.is_err());
                }
                Transmit::Control(frame) => state.control.push(frame),
                Transmit::Edits(room, frame) => {
                    self.edits_lane(state, room).frames.push(frame);
                }
                Transmit::CloseEdits(room) => {
                    state.edits.remove(&room);
                }
            }
        }
        let due = state.session.poll_timeout();
        let earlier = due.is_some_and(|due| state.armed.is_none_or(|armed| due < armed));
        earlier || !state.opening.is_empty()
    }

    /// The room's edits lane; asks the driver to open it if there is none.
    fn edits_lane<'a>(&self, state: &'a mut State, room: RoomHandle) -> &'a EditsLane {
        match state.edits.entry(room) {
            Entry::Occupied(lane) => lane.into_mut(),
            Entry::Vacant(vacant) => {
                let (queue, frames) = lanes::queue(&self.outgoing_bytes);
                state.lanes_opened += 1;
                let lane = state.lanes_opened;
                state.opening.push(Opening { room, lane, frames });
                vacant.insert(EditsLane { number: lane, frames: queue })
            }
        }
    }
}
