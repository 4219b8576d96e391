//! The polled client, for game loops: nothing waits, everything is asked for.
//!
//! The connection runs on a thread of its own with a small runtime, not inside `update`: acks must leave when frames
//! come, or the server's deltas grow, and a loop that stands still while a level loads must not lose its connection.
//! State and positions change only in [`Polled::update`], so that one picture is drawn from one moment.

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;
use std::time::Instant;

use hither_protocol::limits::AXES_MAX;
use hither_protocol::message::control::{EventId, Status, Viewport};
use hither_protocol::message::edits::Op;
use hither_protocol::message::{Map, Value};
use hither_protocol::motion::Position;
use hither_protocol::reconnect::Status as ConnectionStatus;
use hither_protocol::session::{self, Event, Session};
use hither_protocol::{RoomHandle, RoomName, Slot};
use hither_transport::Link;

use crate::client::{Client, Connection};
use crate::closed::Closed;
use crate::connect::{ConnectError, ConnectOptions};
use crate::outgoing::{SendError, check_edit, check_presence};

/// A connection that is looked after once per turn of a loop.
///
/// ```no_run
/// use hither_client::{Client, Event, Polled, PolledState, Position};
///
/// let mut net = Polled::connect(Client::builder("https://127.0.0.1:4433"))?;
/// let mut arena = None;
/// let mut asked = false;
/// loop {
///     match net.update() {
///         PolledState::Failed(error) => panic!("{error}"),
///         PolledState::Closed(closed) => panic!("{closed}"),
///         PolledState::Connected if !asked => {
///             asked = true;
///             net.enter("default:arena".parse()?, Default::default())?;
///         }
///         _ => {}
///     }
///     while let Some(event) = net.poll_event() {
///         if let Event::Entered { room, .. } = event {
///             arena = Some(room);
///         }
///     }
///     if let Some(room) = arena {
///         net.set_motion(room, Position::xy(10, 20));
///         for (slot, position) in net.positions(room) {
///             println!("draw {slot} at {} {}", position.x(), position.y());
///         }
///     }
///     net.flush();
///     // draw, and wait for the next picture
/// }
/// # #[allow(unreachable_code)]
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Polled {
    state: PolledState,
    connecting: Option<Receiver<Result<Client, ConnectError>>>,
    client: Option<Client>,
    positions: BTreeMap<RoomHandle, Vec<(Slot, Position)>>,
    motion: BTreeMap<RoomHandle, Position>,
}

/// How far a polled connection is.
#[derive(Debug)]
pub enum PolledState {
    /// No welcome yet.
    Connecting,
    /// Rooms can be entered.
    Connected,
    /// The connection is lost and made again; rooms stay entered meanwhile.
    Reconnecting,
    /// It never came to be; the last state.
    Failed(ConnectError),
    /// It has ended; the last state.
    Closed(Closed),
}

impl Polled {
    /// Begins to connect on a thread of its own and returns at once; [`Self::update`] says when it is done.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn connect(options: ConnectOptions) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (sender, receiver) = sync_channel(1);
        let run = async move {
            let client = match options.connect().await {
                Ok(client) => client,
                Err(error) => return drop(sender.send(Err(error))),
            };
            let life = client.connection().life.clone();
            drop(sender.send(Ok(client))); // closes the connection if nobody wants it any more
            life.ended().await;
        };
        thread::Builder::new().name("hither-client".into()).spawn(move || runtime.block_on(run))?;
        Ok(Self { connecting: Some(receiver), ..Self::empty() })
    }

    pub(crate) fn new(client: Client) -> Self {
        Self { state: PolledState::Connected, client: Some(client), ..Self::empty() }
    }

    /// Takes what has arrived since the last call: the state and all positions are as of now.
    pub fn update(&mut self) -> &PolledState {
        self.take_client();
        if let Some(client) = &self.client {
            update_positions(client.connection(), &mut self.positions);
            let life = &client.connection().life;
            self.state = match life.ended_now() {
                Some(closed) => PolledState::Closed(closed),
                None if life.status() == ConnectionStatus::Reconnecting => {
                    PolledState::Reconnecting
                }
                None => PolledState::Connected,
            };
        }
        &self.state
    }

    /// The state as of the last update.
    pub fn state(&self) -> &PolledState {
        &self.state
    }

    /// The next event of all rooms that were entered here. What holds for
    /// [`Room::next_event`](crate::Room::next_event) holds here, room by room.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.client.as_ref()?.connection().mailbox.pop_polled()
    }

    /// Asks to enter a room with a first presence; [`Event::Entered`] or [`Event::Refused`] repeats the number
    /// returned.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn enter(&mut self, room: RoomName, presence: Map) -> Result<u32, SendError> {
        check_presence(&presence)?;
        let connection = self.connection()?;
        connection.check()?;
        Ok(connection.handle.with(|session, _now| session.enter(room, presence, None)))
    }

    /// Leaves a room; answered by [`Event::Left`].
    ///
    /// # Errors
    /// [`SendError`].
    pub fn leave(&mut self, room: RoomHandle) -> Result<(), SendError> {
        let connection = self.connection()?;
        connection.act(room, |_session| ())?;
        connection.leave(room);
        Ok(())
    }

    /// Sets this member's newest position; it goes out with [`Self::flush`].
    pub fn set_motion(&mut self, room: RoomHandle, position: Position) {
        if self.client.is_some() {
            self.motion.insert(room, position);
        }
    }

    /// Hands the positions set since the last call to the connection, which sends them by the rooms' ticks.
    pub fn flush(&mut self) {
        let motion = std::mem::take(&mut self.motion);
        if let Some(client) = self.client.as_ref().filter(|_| !motion.is_empty()) {
            client.connection().handle.with(|session, now| {
                for (room, position) in motion {
                    session.set_motion(now, room, position);
                }
            });
        }
    }

    /// Where the other members of a room are, as of the last update, in the order of their slots; those that have not
    /// moved yet are left out.
    pub fn positions(&self, room: RoomHandle) -> impl Iterator<Item = (Slot, Position)> + '_ {
        self.positions.get(&room).into_iter().flatten().copied()
    }

    /// Asks to be sent the motion in a rectangle only, as [`Room::set_viewport`](crate::Room::set_viewport).
    ///
    /// # Errors
    /// [`SendError`].
    pub fn set_viewport(
        &mut self,
        room: RoomHandle,
        viewport: Option<Viewport>,
        follow: Option<Slot>,
    ) -> Result<(), SendError> {
        self.connection()?.set_viewport(room, viewport, follow)
    }

    /// Where another member is to be drawn at `at`, as [`Room::sample`](crate::Room::sample), by what has come until
    /// now and not as of the last update.
    pub fn sample(&self, room: RoomHandle, slot: Slot, at: Instant) -> Option<[f64; AXES_MAX]> {
        self.client.as_ref()?.connection().handle.sample(room, slot, at)
    }

    /// Patches this member's presence, as [`Room::update_presence`](crate::Room::update_presence).
    ///
    /// # Errors
    /// [`SendError`].
    pub fn update_presence(&mut self, room: RoomHandle, patch: Map) -> Result<(), SendError> {
        self.connection()?.update_presence(room, patch)
    }

    /// Sends an event to everyone else in the room, as [`Room::broadcast`](crate::Room::broadcast).
    ///
    /// # Errors
    /// [`SendError`].
    pub fn broadcast(
        &mut self,
        room: RoomHandle,
        name: &str,
        data: impl Into<Value>,
    ) -> Result<(), SendError> {
        self.connection()?.send_event(room, name, data.into(), Vec::new())
    }

    /// Sends an event to the members of these slots alone, as [`Room::send_to`](crate::Room::send_to).
    ///
    /// # Errors
    /// [`SendError`].
    pub fn send_to(
        &mut self,
        room: RoomHandle,
        to: Vec<Slot>,
        name: &str,
        data: impl Into<Value>,
    ) -> Result<(), SendError> {
        self.connection()?.send_to(room, to, name, data.into())
    }

    /// Looks up events that the server keeps, as [`Room::event_history`](crate::Room::event_history); [`Event::Kept`]
    /// repeats the number returned.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn event_history(
        &mut self,
        room: RoomHandle,
        before: Option<EventId>,
        limit: u32,
    ) -> Result<u32, SendError> {
        let ask = |session: &mut Session| session.kept_events(room, before, limit);
        self.connection()?.act(room, ask)?.ok_or(SendError::Closed)
    }

    /// Says to all rooms whether the user is there, as [`Client::set_status`].
    ///
    /// # Errors
    /// [`SendError`].
    pub fn set_status(&mut self, status: Status) -> Result<(), SendError> {
        self.connection()?.set_status(status)
    }

    /// Opens a room's document, as [`Room::open_document`](crate::Room::open_document).
    ///
    /// # Errors
    /// [`SendError`].
    pub fn open_document(&mut self, room: RoomHandle) -> Result<(), SendError> {
        self.connection()?.open_document(room)
    }

    /// Submits an edit, as [`Room::submit`](crate::Room::submit); [`Event::EditAcked`] or [`Event::EditRejected`]
    /// repeats the number returned.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn submit(&mut self, room: RoomHandle, ops: Vec<Op>) -> Result<u64, SendError> {
        check_edit(&ops)?;
        let submitted = self.connection()?.act(room, |session| session.submit(room, ops))?;
        submitted.ok_or(SendError::NotInRoom)
    }

    /// Takes back the last own edit of a room, or group of them, as [`Room::undo`](crate::Room::undo).
    ///
    /// # Errors
    /// [`SendError`].
    pub fn undo(&mut self, room: RoomHandle) -> Result<bool, SendError> {
        self.connection()?.act(room, |session| session.undo(room).is_some())
    }

    /// Does again what was taken back last, as [`Room::redo`](crate::Room::redo).
    ///
    /// # Errors
    /// [`SendError`].
    pub fn redo(&mut self, room: RoomHandle) -> Result<bool, SendError> {
        self.connection()?.act(room, |session| session.redo(room).is_some())
    }

    /// Has edits undone together from now on, as [`Room::begin_group`](crate::Room::begin_group).
    ///
    /// # Errors
    /// [`SendError`].
    pub fn begin_group(&mut self, room: RoomHandle) -> Result<(), SendError> {
        self.connection()?.act(room, |session| session.begin_group(room))
    }

    /// Ends what [`Self::begin_group`] began.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn end_group(&mut self, room: RoomHandle) -> Result<(), SendError> {
        self.connection()?.act(room, |session| session.end_group(room))
    }

    /// Looks at everything that is known of a room, now and not as of the last update. `None` if this session is not in
    /// it. `look` must not call anything of this client.
    pub fn read<T>(&self, room: RoomHandle, look: impl FnOnce(&session::Room) -> T) -> Option<T> {
        let connection = self.client.as_ref()?.connection();
        connection.handle.with(|session, _now| session.room(room).map(look))
    }

    /// The link under the connection, for its round trip and its counters; `None` before it is connected.
    pub fn link(&self) -> Option<Link> {
        self.client.as_ref().map(Client::link)
    }

    /// Says bye and returns at once; [`Self::update`] says when the connection has closed, after a second at most.
    /// Dropping the client does the same.
    pub fn close(&mut self) {
        if let Some(client) = &self.client {
            client.connection().close();
        }
    }

    fn empty() -> Self {
        Self {
            state: PolledState::Connecting,
            connecting: None,
            client: None,
            positions: BTreeMap::new(),
            motion: BTreeMap::new(),
        }
    }

    fn take_client(&mut self) {
        let Some(connecting) = &self.connecting else { return };
        match connecting.try_recv() {
            Ok(Ok(client)) => {
                self.client = Some(client);
                self.state = PolledState::Connected;
            }
            Ok(Err(error)) => self.state = PolledState::Failed(error),
            Err(TryRecvError::Empty) => return,
            Err(TryRecvError::Disconnected) => {
                self.state = PolledState::Closed(Closed::abandoned());
            }
        }
        self.connecting = None;
    }

    fn connection(&self) -> Result<&Connection, SendError> {
        self.client.as_ref().map(Client::connection).ok_or(SendError::Closed)
    }
}

/// Reads all positions anew: a few microseconds for 100 members, and never a ghost of one who left.
fn update_positions(
    connection: &Connection,
    positions: &mut BTreeMap<RoomHandle, Vec<(Slot, Position)>>,
) {
    let rooms = connection.mailbox.polled_rooms();
    positions.retain(|room, _| rooms.contains(room));
    connection.handle.with(|session, _now| {
        for handle in rooms {
            let Some(room) = session.room(handle) else {
                positions.remove(&handle);
                continue;
            };
            let seen = positions.entry(handle).or_default();
            seen.clear();
            let others = room.members().filter(|member| member.slot != room.slot());
            seen.extend(others.filter_map(|m| Some((m.slot, room.position(m.slot)?))));
        }
    });
}
