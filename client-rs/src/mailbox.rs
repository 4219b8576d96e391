//! Where what arrives waits for the application: events by room, and answers for those who wait for one. It stands
//! between the driver, which must never wait for the application, and handles, which may be slow.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hither_protocol::RoomHandle;
use hither_protocol::message::control::{ErrorMessage, Kept};
use hither_protocol::message::edits::{Ack, History, Reject};
use hither_protocol::message::{Value, encoded_len};
use hither_protocol::reconnect::LostConnection;
use hither_protocol::session::{Event, Session};
use tokio::sync::{Notify, oneshot};

use crate::driver::Activity;
use crate::outgoing::SendError;

/// Most bytes of events that wait in one room for the application, each counted as its data's encoded size and 64
/// bytes. Then the oldest go, and [`Event::EventsLost`] stands in their place.
pub const EVENTS_BYTES_MAX: usize = 256 * 1024;

/// Most edits of one client that wait for their answer.
const SUBMITS_MAX: usize = 1024;

/// The events and answers of one client.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    state: Mutex<State>,
    /// Waiters for events and for ends look again.
    events: Notify,
    /// Waiters for motion look again.
    motion: Notify,
}

#[derive(Debug, Default)]
struct State {
    ended: bool,
    welcome: Option<oneshot::Sender<()>>,
    entering: BTreeMap<u32, oneshot::Sender<Result<RoomHandle, ErrorMessage>>>,
    submitting: BTreeMap<(RoomHandle, u64), oneshot::Sender<Result<Ack, Reject>>>,
    asking: BTreeMap<(RoomHandle, u32), oneshot::Sender<History>>,
    asking_kept: BTreeMap<(RoomHandle, u32), oneshot::Sender<Kept>>,
    rooms: BTreeMap<RoomHandle, Inbox>,
    /// Events of no room, for the polled client.
    others: Inbox,
}

/// What became of a look into an inbox.
pub(crate) enum Popped {
    Event(Event),
    /// Nothing now.
    Empty,
    /// Nothing, and never again.
    Over,
}

impl Mailbox {
    pub(crate) fn expect_welcome(&self) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.lock();
        state.welcome = (!state.ended).then_some(sender);
        receiver
    }

    /// Registers who waits for the answer to an entry; must be called under the session's lock, before it can come.
    pub(crate) fn expect_entry(
        &self,
        request: u32,
    ) -> oneshot::Receiver<Result<RoomHandle, ErrorMessage>> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.lock();
        if !state.ended {
            state.entering.insert(request, sender);
        }
        receiver
    }

    /// Registers who waits for the answer to an edit; must be called under the session's lock, before it can come.
    pub(crate) fn expect_answer(
        &self,
        room: RoomHandle,
        number: u64,
    ) -> oneshot::Receiver<Result<Ack, Reject>> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.lock();
        if !state.ended {
            state.submitting.insert((room, number), sender);
        }
        receiver
    }

    /// Registers who waits for earlier edits; must be called under the session's lock, before they can come.
    pub(crate) fn expect_history(
        &self,
        room: RoomHandle,
        request: u32,
    ) -> oneshot::Receiver<History> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.lock();
        state.asking.retain(|_, waiter| !waiter.is_closed());
        if !state.ended {
            state.asking.insert((room, request), sender);
        }
        receiver
    }

    /// Registers who waits for kept events; must be called under the session's lock, before they can come.
    pub(crate) fn expect_kept(&self, room: RoomHandle, request: u32) -> oneshot::Receiver<Kept> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.lock();
        state.asking_kept.retain(|_, waiter| !waiter.is_closed());
        if !state.ended {
            state.asking_kept.insert((room, request), sender);
        }
        receiver
    }

    /// Whether one more edit may wait for its answer.
    pub(crate) fn check_submits(&self) -> Result<(), SendError> {
        let mut state = self.lock();
        state.submitting.retain(|_, waiter| !waiter.is_closed());
        if state.submitting.len() < SUBMITS_MAX { Ok(()) } else { Err(SendError::Backlogged) }
    }

    /// The next event of a membership, told from a later one in the same room by its request.
    pub(crate) fn pop(&self, room: RoomHandle, request: u32) -> Popped {
        let mut state = self.lock();
        let ended = state.ended;
        match state.rooms.get_mut(&room) {
            Some(inbox) if inbox.request == request => match inbox.pop(room) {
                Some(event) => Popped::Event(event),
                None if inbox.left || ended => Popped::Over,
                None => Popped::Empty,
            },
            _ => Popped::Over,
        }
    }

    /// The next event of the rooms without a handle of their own, and of no room.
    pub(crate) fn pop_polled(&self) -> Option<Event> {
        let mut state = self.lock();
        let State { rooms, others, .. } = &mut *state;
        if let Some(event) = others.take() {
            return Some(event);
        }
        let mut polled = rooms.iter_mut().filter(|(_, inbox)| inbox.polled);
        let event = polled.find_map(|(room, inbox)| inbox.pop(*room));
        rooms.retain(|_, inbox| !(inbox.polled && inbox.left && inbox.queue.is_empty()));
        event
    }

    /// The rooms without a handle of their own.
    pub(crate) fn polled_rooms(&self) -> Vec<RoomHandle> {
        let state = self.lock();
        state.rooms.iter().filter(|(_, inbox)| inbox.polled).map(|(room, _)| *room).collect()
    }

    /// Whether a membership is still one.
    pub(crate) fn is_live(&self, room: RoomHandle, request: u32) -> bool {
        let state = self.lock();
        let inbox = state.rooms.get(&room).filter(|inbox| inbox.request == request);
        !state.ended && inbox.is_some_and(|inbox| !inbox.left)
    }

    /// Whether the client's connection has ended for good.
    pub(crate) fn has_ended(&self) -> bool {
        self.lock().ended
    }

    /// Forgets a membership; true if it had not ended.
    pub(crate) fn release(&self, room: RoomHandle, request: u32) -> bool {
        let mut state = self.lock();
        let Some(inbox) = state.rooms.get(&room).filter(|inbox| inbox.request == request) else {
            return false;
        };
        let live = !inbox.left && !state.ended;
        state.rooms.remove(&room);
        live
    }

    /// Looks with `look` until it finds something, now and after whatever could change the answer.
    pub(crate) async fn wait_event<T>(&self, look: impl FnMut() -> Option<T>) -> T {
        wait(&self.events, look).await
    }

    /// As [`Self::wait_event`], for motion, and for the end of the client or of a room.
    pub(crate) async fn wait_motion<T>(&self, look: impl FnMut() -> Option<T>) -> T {
        wait(&self.motion, look).await
    }

    /// Takes what has happened to the session.
    pub(crate) fn handle(&self, session: &mut Session, activity: Activity) {
        match activity {
            Activity::Datagrams => self.motion.notify_waiters(),
            Activity::Event(event) => {
                // A frame may have come before the member that it moves, and who leaves is gone.
                let moves = matches!(
                    event,
                    Event::MemberJoined { .. } | Event::MemberLeft { .. } | Event::Left { .. }
                );
                self.route(session, event);
                self.events.notify_waiters();
                if moves {
                    self.motion.notify_waiters();
                }
            }
        }
    }

    fn route(&self, session: &mut Session, event: Event) {
        let mut state = self.lock();
        match event {
            Event::Welcome { .. } => {
                if let Some(waiter) = state.welcome.take() {
                    let _ = waiter.send(()); // nobody waits any more
                }
            }
            Event::Entered { request, room, .. } => match state.entering.remove(&request) {
                Some(waiter) if waiter.is_closed() => session.leave(room),
                Some(waiter) => {
                    let mut inbox = Inbox { request, ..Inbox::default() };
                    // Said by the entry itself, except for what is lost.
                    if let Event::Entered { events_lost: true, .. } = event {
                        inbox.push(Event::EventsLost { room });
                    }
                    state.rooms.insert(room, inbox);
                    let _ = waiter.send(Ok(room)); // one that closed just now takes its answer back
                }
                None if state.rooms.get(&room).is_some_and(|inbox| !inbox.left) => {
                    state.deliver(room, event);
                }
                None => {
                    let mut inbox = Inbox { request, polled: true, ..Inbox::default() };
                    inbox.push(event);
                    state.rooms.insert(room, inbox);
                }
            },
            Event::Refused(error) => {
                match error.request.and_then(|request| state.entering.remove(&request)) {
                    Some(waiter) => drop(waiter.send(Err(error))),
                    None => state.deliver_refusal(error),
                }
            }
            Event::EditAcked { room, ack } => match state.submitting.remove(&(room, ack.number)) {
                Some(waiter) => drop(waiter.send(Ok(ack))),
                None => state.deliver(room, event),
            },
            Event::EditRejected { room, ref reject } => {
                match state.submitting.remove(&(room, reject.number)) {
                    Some(waiter) => drop(waiter.send(Err(reject.clone()))),
                    None => state.deliver(room, event),
                }
            }
            Event::History { room, ref history } => {
                match state.asking.remove(&(room, history.request)) {
                    Some(waiter) => drop(waiter.send(history.clone())),
                    None => state.deliver(room, event),
                }
            }
            Event::Kept { room, ref kept } => {
                match state.asking_kept.remove(&(room, kept.request)) {
                    Some(waiter) => drop(waiter.send(kept.clone())),
                    None => state.deliver(room, event),
                }
            }
            Event::EditUnanswered { room, number } => {
                // Dropping its sender tells the waiter.
                if state.submitting.remove(&(room, number)).is_none() {
                    state.deliver(room, event);
                }
            }
            Event::Left { room, .. } => {
                state.submitting.retain(|(of, _), _| *of != room);
                state.asking.retain(|(of, _), _| *of != room);
                state.asking_kept.retain(|(of, _), _| *of != room);
                state.deliver(room, event);
                if let Some(inbox) = state.rooms.get_mut(&room) {
                    inbox.left = true;
                }
            }
            // Both are for the connection as a whole: `Client::closed` says the one, nobody here asks for the other.
            Event::Bye(_) | Event::Pong(_) => {}
            event => {
                if let Some(room) = room_of(&event) {
                    state.deliver(room, event);
                }
            }
        }
    }

    /// Takes what an act on the session has to tell: without a connection nothing else would.
    pub(crate) fn drain(&self, session: &mut Session) {
        while let Some(event) = session.poll_event() {
            self.handle(session, Activity::Event(event));
        }
    }

    /// Tells every room what became of the connection.
    pub(crate) fn tell_lost(&self, change: LostConnection) {
        let mut state = self.lock();
        for inbox in state.rooms.values_mut().filter(|inbox| !inbox.polled && !inbox.left) {
            inbox.push(Event::LostConnection(change));
        }
        state.others.push(Event::LostConnection(change));
        drop(state);
        self.events.notify_waiters();
    }

    /// There will be no connection any more: every waiter learns of it.
    pub(crate) fn end(&self) {
        let mut state = self.lock();
        state.ended = true;
        state.welcome = None;
        state.entering.clear();
        state.submitting.clear();
        state.asking.clear();
        state.asking_kept.clear();
        drop(state);
        self.events.notify_waiters();
        self.motion.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing under this lock can panic halfway, so a poisoned state is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Nobody hears the events of a room that is being left.
    fn deliver(&mut self, room: RoomHandle, event: Event) {
        if let Some(inbox) = self.rooms.get_mut(&room) {
            inbox.push(event);
        }
    }

    /// A refusal that names no room is about the session, so about each of its rooms.
    fn deliver_refusal(&mut self, error: ErrorMessage) {
        match error.room {
            Some(room) => self.deliver(room, Event::Refused(error)),
            None => {
                for inbox in self.rooms.values_mut().filter(|inbox| !inbox.polled) {
                    inbox.push(Event::Refused(error.clone()));
                }
                self.others.push(Event::Refused(error));
            }
        }
    }
}

/// The events of one membership that the application has not taken yet.
#[derive(Debug, Default)]
struct Inbox {
    request: u32,
    /// Without a handle of its own.
    polled: bool,
    left: bool,
    lost: bool,
    bytes: usize,
    queue: VecDeque<Event>,
}

impl Inbox {
    fn push(&mut self, event: Event) {
        self.bytes += cost(&event);
        self.queue.push_back(event);
        while self.bytes > EVENTS_BYTES_MAX {
            let Some(oldest) = self.queue.pop_front() else { break };
            self.bytes -= cost(&oldest);
            self.lost = true;
        }
    }

    fn pop(&mut self, room: RoomHandle) -> Option<Event> {
        if std::mem::take(&mut self.lost) {
            return Some(Event::EventsLost { room });
        }
        self.take()
    }

    fn take(&mut self) -> Option<Event> {
        let event = self.queue.pop_front()?;
        self.bytes -= cost(&event);
        Some(event)
    }
}

fn cost(event: &Event) -> usize {
    const EACH: usize = 64;
    let data = |data: &Value| encoded_len(data);
    EACH + match event {
        Event::Broadcast { name, data: value, .. } => name.len() + data(value),
        Event::Direct(direct) => direct.name.len() + data(&direct.data),
        Event::MemberLeft { member, .. } => encoded_len(member),
        Event::Refused(error) => error.message.len(),
        Event::EditRejected { reject, .. } => reject.message.len(),
        Event::Edited { edit, .. } => encoded_len(edit),
        Event::History { history, .. } => encoded_len(&history.edits),
        Event::Kept { kept, .. } => encoded_len(&kept.events),
        Event::RecordsChanged { records, .. } => encoded_len(records),
        _ => 0,
    }
}

/// The room of an event that is about one and has no route of its own.
fn room_of(event: &Event) -> Option<RoomHandle> {
    match event {
        Event::MemberJoined { room, .. }
        | Event::MemberLeft { room, .. }
        | Event::MemberChanged { room, .. }
        | Event::Broadcast { room, .. }
        | Event::EventsLost { room }
        | Event::DocumentLoaded { room }
        | Event::Edited { room, .. }
        | Event::RecordsChanged { room, .. } => Some(*room),
        Event::Direct(direct) => Some(direct.room),
        _ => None,
    }
}

async fn wait<T>(notify: &Notify, mut look: impl FnMut() -> Option<T>) -> T {
    loop {
        let mut notified = std::pin::pin!(notify.notified());
        notified.as_mut().enable();
        if let Some(found) = look() {
            return found;
        }
        notified.await;
    }
}
