//! One connection's loop: what arrives goes to the session, what the session wants goes to rooms and streams. It
//! decides nothing.

mod edits;
mod kept;
mod pages;

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use hither_core::session::{Dropped, Motion};
use hither_core::{Effect, Session};
use hither_protocol::message::Refusal;
use hither_protocol::message::control::{Bye, ToClient};
use hither_protocol::motion::DecodeError;
use hither_protocol::{CloseCode, RoomHandle, Timestamp};
use hither_transport::{Closed, Link, RecvStream, SILENCE};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep_until, timeout};

use super::admission::Pending;
use super::arrivals::{Arrival, Bells, arrivals};
use super::lanes::{LaneEvent, write_lane};
use super::{Peer, Shared};
use crate::auth::{Applicant, AuthError};
use crate::metrics::{DropCause, RejectCause};
use crate::outbox::{Budget, lane};
use crate::registry::Closable;
use crate::rooms::{Joined, Outlet};
use crate::sessions::Attachment;
use edits::EditsLane;
use kept::Looks;

/// How long a closing connection has for its bye to arrive, and for the client to go by itself.
const BYE_DEADLINE: Duration = Duration::from_secs(1);
/// How many messages of edits lanes wait for the session.
const LANE_EVENTS_MAX: usize = 8;

/// Runs a connection that was let in, to its end.
pub(super) async fn run_connection(
    shared: &Arc<Shared>,
    link: &Link,
    peer: Peer,
    pending: Pending,
) {
    let session = Session::new(shared.policy.clone(), shared.clock.now());
    let deadline = shared.policy.hello_deadline;
    let Ok(opened) = timeout(deadline, link.accept_stream()).await else {
        shared.metrics.rejects[RejectCause::HelloDeadline].inc();
        return link.close(CloseCode::HelloTimeout.number(), "no hello in time");
    };
    let Ok((send, recv)) = opened else { return };
    let budget = Budget::new(shared.limits.viewer_queue_bytes_max);
    let (control, control_out) = lane(&budget);
    let (lane_sender, lane_events) = mpsc::channel(LANE_EVENTS_MAX);
    let connection = Connection {
        shared: shared.clone(),
        session,
        outlet: Outlet { link: link.clone(), reliable_motion: false, control, edits: None },
        budget,
        peer,
        pending: Some(pending),
        members: BTreeMap::new(),
        lanes: BTreeMap::new(),
        next_lane: 0,
        lane_sender,
        pages_due: None,
        looks: Looks::default(),
        closing: None,
        silence: Duration::ZERO,
        take_over: Arc::default(),
        attachment: None,
    };
    let driver = pin!(connection.drive(recv, lane_events));
    // Polled only when it has woken itself, which a plain future beside the driver would not be.
    let mut writer = FuturesUnordered::from_iter([write_lane(send, control_out)]);
    let (bye, _pending) = match select(driver, writer.next()).await {
        Either::Left((end, _)) => end,
        Either::Right((_, driver)) => {
            // A client that takes no more of its control lane is gone.
            link.close(CloseCode::Done.number(), "");
            driver.await
        }
    };
    if let Some(bye) = bye {
        // A client that gets its bye closes the connection itself; one that does not is closed. Until then it counts as
        // pending if it never said hello.
        let _ = timeout(BYE_DEADLINE, async { tokio::join!(writer.next(), link.closed()) }).await;
        link.close(bye.code, &bye.reason);
    }
}

/// The state of the loop.
struct Connection {
    shared: Arc<Shared>,
    session: Session,
    outlet: Outlet,
    budget: Arc<Budget>,
    peer: Peer,
    /// Given back when the session is welcome.
    pending: Option<Pending>,
    members: BTreeMap<RoomHandle, Member>,
    /// The ways to write on edits lanes, and whose documents they are about.
    lanes: BTreeMap<u64, EditsLane>,
    next_lane: u64,
    lane_sender: mpsc::Sender<(u64, LaneEvent)>,
    /// When the next pages are sent; they wait for the client's queue first if it is full.
    pages_due: Option<Timestamp>,
    looks: Looks,
    closing: Option<Bye>,
    /// How long nothing had been heard when the connection ended.
    silence: Duration,
    /// Rings when another connection has resumed the session.
    take_over: Arc<Notify>,
    /// The hold on the session, given back after the members are lost.
    attachment: Option<Attachment>,
}

/// A room that the session is in.
struct Member {
    joined: Joined,
    /// Whether pages of the roster or the document are still to be sent.
    is_loading: bool,
}

impl Connection {
    /// Runs until the connection has ended or is to be closed; then says how.
    async fn drive(
        mut self,
        control: RecvStream,
        lane_events: mpsc::Receiver<(u64, LaneEvent)>,
    ) -> (Option<Bye>, Option<Pending>) {
        let link = self.outlet.link.clone();
        let draining = self.shared.draining.clone();
        let bells = Bells {
            budget: self.budget.clone(),
            looked: self.looks.done(),
            take_over: self.take_over.clone(),
        };
        let mut arrivals = arrivals(&link, control, lane_events, draining, bells);
        let mut timer = pin!(sleep_until(Instant::now()));
        let mut timer_at = None;
        while self.closing.is_none() {
            let due = self.poll_timeout();
            if due != timer_at
                && let Some(due) = due
            {
                timer.as_mut().reset(self.shared.clock.instant(due));
                timer_at = Some(due);
            }
            tokio::select! {
                datagram = link.recv_datagram() => match datagram {
                    Ok(datagram) => self.handle_datagram(&datagram),
                    Err(_) => break,
                },
                Some(arrival) = arrivals.next() => match arrival {
                    Arrival::Control(Ok(Some(chunk))) => self.handle_control(&chunk),
                    Arrival::Control(Ok(None)) => self.session.handle_control_end(),
                    Arrival::Control(Err(_)) | Arrival::Closed => break,
                    Arrival::Stream(send, recv) => self.open_lane(send, recv),
                    Arrival::Lane(number, event) => self.handle_lane(number, event),
                    Arrival::Budget => self.handle_budget(),
                    Arrival::Looked => self.handle_looked(),
                    Arrival::Draining => self.handle_draining(),
                    Arrival::TakenOver => {
                        self.session.close(CloseCode::TakenOver, "the session goes on elsewhere");
                    }
                },
                () = timer.as_mut(), if due.is_some() => {
                    timer_at = None;
                    self.handle_timeout();
                }
            }
            self.carry_out().await;
        }
        if self.closing.is_none() {
            // For a client that reset its control lane; a connection that is closed stays as it was closed.
            link.close(CloseCode::Done.number(), "");
            if link.closed().await == Closed::TimedOut {
                self.silence = SILENCE;
            }
        }
        self.count_close();
        (self.closing.take(), self.pending.take())
    }

    fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        [self.session.poll_timeout(), self.pages_due].into_iter().flatten().min()
    }

    fn handle_control(&mut self, chunk: &[u8]) {
        // A room that was closed has said so, and the client may be asking to join it anew.
        self.drop_closed_rooms();
        self.session.handle_control(self.now(), chunk);
    }

    fn handle_datagram(&mut self, datagram: &[u8]) {
        self.shared.metrics.datagrams_in.inc();
        let now = self.now();
        let Self { session, members, .. } = self;
        let read = session.handle_datagram(now, datagram, |motion| hand_over(members, motion));
        if let Err(error) = read {
            let cause = match error {
                DecodeError::Room => DropCause::UnknownRoom,
                DecodeError::TooLong => DropCause::TooLarge,
                _ => DropCause::Malformed,
            };
            self.shared.metrics.datagrams_dropped[cause].inc();
        }
        let dropped = self.session.take_dropped();
        if dropped != Dropped::default() {
            let counters = &self.shared.metrics.datagrams_dropped;
            counters[DropCause::Rate].inc_by(dropped.rate);
            counters[DropCause::NoRight].inc_by(dropped.no_right);
        }
    }

    fn handle_timeout(&mut self) {
        let now = self.now();
        let Self { session, members, .. } = self;
        session.handle_timeout(now, |motion| hand_over(members, motion));
        if self.pages_due.is_some_and(|due| due <= now) {
            self.send_pages();
        }
    }

    fn handle_draining(&mut self) {
        let bye = Bye::new(CloseCode::GoingAway, "the server is going away");
        self.session.close_with(Bye { retry_after_ms: Some(spread_ms()), ..bye });
    }

    fn handle_budget(&mut self) {
        if self.budget.is_exceeded() {
            self.session.close(CloseCode::TooSlow, "too much waits to be read");
            return;
        }
        self.load_on();
        self.look_on();
    }

    async fn carry_out(&mut self) {
        while let Some(effect) = self.session.poll_effect() {
            match effect {
                Effect::Authenticate { token, name, resume_token } => {
                    self.authenticate(token, name, resume_token).await;
                }
                Effect::Resumable => {
                    self.attachment.iter().for_each(Attachment::handle_resumable);
                }
                Effect::Over => self.attachment.iter().for_each(Attachment::handle_over),
                Effect::Send(bytes) => self.outlet.control.push(bytes),
                Effect::Join { request, name, member } => {
                    let reliable_motion = self.session.has_reliable_motion();
                    let outlet = Outlet { reliable_motion, ..self.outlet.clone() };
                    let joined = self.shared.rooms.join(&name, request, member, outlet);
                    self.handle_join(request, joined);
                }
                Effect::Leave { room, .. } => {
                    if let Some(Member { joined, .. }) = self.members.remove(&room) {
                        joined.cell.leave(joined.slot);
                        self.shared.rooms.close_if_empty(&joined.cell);
                        self.close_lanes(room);
                    }
                }
                Effect::Presence { room, slot, patch } => {
                    self.ask(room, |room, _| room.handle_presence(slot, patch));
                }
                Effect::Event { room, slot, event } => {
                    self.shared.metrics.events.inc();
                    self.ask(room, |room, now| room.handle_event(now, slot, event));
                }
                Effect::Status { room, slot, status } => {
                    self.ask(room, |room, now| {
                        room.handle_status(now, slot, status);
                        Ok(())
                    });
                }
                Effect::Viewport { room, slot, viewport, follow } => {
                    self.ask(room, |room, _| {
                        room.handle_viewport(slot, viewport, follow);
                        Ok(())
                    });
                }
                Effect::Datagram(datagram) => self.handle_datagram(&datagram),
                Effect::Submit { room, slot, submit, refused } => {
                    if let Some(member) = self.members.get(&room) {
                        member.joined.cell.submit(slot, submit, refused);
                    }
                }
                Effect::History { room, ask } => self.look_up(room, ask),
                Effect::Kept(ask) => self.ask_kept(ask),
                Effect::SendEdits(room, bytes) => {
                    let lane = self.lanes.values().find(|lane| lane.room == Some(room));
                    if let Some(lane) = lane {
                        lane.sender.push(bytes);
                    }
                }
                Effect::Refused(refusal) => self.count_refusal(refusal),
                Effect::Close(bye) => {
                    self.outlet.control.push_last(ToClient::Bye(bye.clone()).encode());
                    self.closing = Some(bye);
                }
            }
        }
        if self.session.is_welcome() {
            self.pending = None;
        }
    }

    async fn authenticate(
        &mut self,
        token: Option<String>,
        name: Option<String>,
        resume_token: Option<String>,
    ) {
        if let Err(pause) = self.shared.admission.take_hello(self.now()) {
            return self.session.close_with(overloaded(pause));
        }
        let applicant = Applicant {
            token: token.as_deref(),
            name: name.as_deref(),
            is_loopback: self.peer.is_loopback,
            is_own_origin: self.peer.is_own_origin,
            now_ms: self.now().as_millis(),
        };
        let Shared { authenticator, sessions, .. } = &*self.shared;
        match authenticator.authenticate(&applicant) {
            Ok(mut grant) => {
                let (is_made_up, resume_token) =
                    (authenticator.makes_up_users(), resume_token.as_deref());
                let begun =
                    sessions.begin(&mut grant, is_made_up, resume_token, &self.take_over).await;
                self.attachment = Some(begun.1);
                self.session.handle_granted(self.now(), grant, begun.0);
            }
            Err(error) => {
                let code = match error {
                    AuthError::Expired => CloseCode::TokenExpired,
                    AuthError::NotLocal => CloseCode::Origin,
                    AuthError::BadName => CloseCode::Malformed,
                    _ => CloseCode::TokenInvalid,
                };
                self.session.close(code, error.to_string());
            }
        }
    }

    fn handle_join(&mut self, request: u32, joined: Result<Joined, Refusal>) {
        let now = self.now();
        match joined {
            Ok(joined) => {
                let (room, slot) = (joined.cell.id().handle, joined.slot);
                self.session.handle_joined(now, room, slot, joined.cell.policy());
                self.members.insert(room, Member { joined, is_loading: true });
                self.load_on();
            }
            Err(refusal) => self.session.handle_join_refused(now, request, refusal),
        }
    }

    /// Hands something to a room, and what it refuses to the session. A room that is closed has told the client.
    fn ask(
        &mut self,
        room: RoomHandle,
        ask: impl FnOnce(&mut hither_core::Room, Timestamp) -> Result<(), Refusal>,
    ) {
        let Some(member) = self.members.get(&room) else { return };
        match member.joined.cell.with(ask) {
            Some(Ok(())) => {}
            Some(Err(refusal)) => self.session.handle_refused(room, refusal),
            None => self.drop_closed_rooms(),
        }
    }

    /// Forgets the rooms that the server has closed, so that they can be joined again.
    fn drop_closed_rooms(&mut self) {
        let closed = |(_, member): &(&RoomHandle, &Member)| member.joined.cell.is_closed();
        while let Some((&room, _)) = self.members.iter().find(closed) {
            self.members.remove(&room);
            self.session.handle_removed(room);
            self.close_lanes(room);
        }
    }

    fn count_refusal(&self, refusal: Refusal) {
        let cause = match refusal {
            Refusal::Forbidden => RejectCause::NoRight,
            Refusal::RateLimited => RejectCause::Rate,
            Refusal::TooLarge => RejectCause::TooLarge,
            Refusal::BadRequest => RejectCause::Malformed,
            _ => RejectCause::Room,
        };
        self.shared.metrics.rejects[cause].inc();
    }

    /// Counts a close that this end decided.
    fn count_close(&self) {
        let Some(bye) = &self.closing else { return };
        let cause = match CloseCode::from_number(bye.code) {
            Some(CloseCode::Malformed) => RejectCause::Malformed,
            Some(CloseCode::TooLarge) => RejectCause::TooLarge,
            Some(CloseCode::TooSlow) => RejectCause::SlowViewer,
            Some(CloseCode::HelloTimeout) => RejectCause::HelloDeadline,
            Some(CloseCode::Version) => RejectCause::Version,
            Some(CloseCode::TokenInvalid | CloseCode::TokenExpired | CloseCode::Origin) => {
                RejectCause::Auth
            }
            Some(CloseCode::GoingAway) => RejectCause::Draining,
            Some(CloseCode::Overloaded) => RejectCause::PendingLimit,
            _ => return,
        };
        self.shared.metrics.rejects[cause].inc();
    }
}

impl Drop for Connection {
    /// However the connection ended, its members are lost, unless they left.
    fn drop(&mut self) {
        for (_, Member { joined, .. }) in std::mem::take(&mut self.members) {
            joined.cell.lose(joined.slot, self.silence);
        }
    }
}

/// What those are told for whom there is no room now.
fn overloaded(pause: Duration) -> Bye {
    let retry_after_ms = Some(pause.as_millis() as u64 + spread_ms());
    Bye { retry_after_ms, ..Bye::new(CloseCode::Overloaded, "too many come at once") }
}

/// A random time below two seconds, so that those who come back do not come at once.
fn spread_ms() -> u64 {
    u64::from(rand::random::<u16>()) * 2_000 / (1 << 16)
}

/// The hot path: one move, one room lock.
fn hand_over(members: &BTreeMap<RoomHandle, Member>, motion: Motion) {
    let Some(member) = members.get(&motion.room()) else { return };
    member.joined.cell.with(|room, now| match motion {
        Motion::Sample { slot, sample } => room.handle_sample(slot, &sample),
        Motion::Ack { slot, ack } => room.handle_ack(now, slot, &ack),
    });
}
