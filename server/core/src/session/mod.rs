//! The server's end of a session: reads what the client sends, checks rights, rates and sizes, and says what to do.
//!
//! Every effect that names a room has been checked against this session's rights there, so that rooms check none.

mod effect;
mod id;
mod membership;
mod requests;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use hither_protocol::limits::{
    DATAGRAM_RECORDS_MAX, HISTORY_EDITS_MAX, MOTION_DATAGRAM_BYTES_MAX, REQUESTS_PER_SECOND,
    RESUME_TOKEN_BYTES_MAX, TOKEN_BYTES_MAX, USER_NAME_BYTES_MAX,
};
use hither_protocol::message::control::{
    Bye, ErrorMessage, Hello, Pong, Status, ToClient, ToServer, User, Welcome,
};
use hither_protocol::message::edits::{AskHistory, EditsToClient, EditsToServer, History, Open};
use hither_protocol::message::{FrameBuffer, MessageError, Refusal, Rights};
use hither_protocol::motion::DecodeError;
use hither_protocol::motion::upward::{self, Upward};
use hither_protocol::{CloseCode, RoomHandle, RoomName, Slot, Timestamp, VERSION};

use crate::grant::Grant;
use crate::policy::{RoomPolicy, SessionPolicy};
use crate::rate::Bucket;
pub use effect::{Begun, Effect, Motion};
pub use id::SessionId;
pub use membership::Dropped;
use membership::{Allowance, Membership, NotTaken, rate_limited};

/// When to try again what a room refused because its tick is full, in milliseconds: about a tick.
const RETRY_AFTER_MS: u64 = 100;
/// The same, of what the server can't do now.
const UNAVAILABLE_MS: u64 = 1_000;

/// One connection's session.
#[derive(Debug)]
pub struct Session {
    policy: SessionPolicy,
    state: State,
    control: FrameBuffer,
    status: Status,
    reliable_motion: bool,
    /// The room that it has asked to join; what it sent after that is read once it is answered.
    joining: Option<RoomName>,
    requests: Bucket,
    allowances: Vec<Allowance>,
    rooms: BTreeMap<RoomHandle, Membership>,
    effects: VecDeque<Effect>,
    dropped: Dropped,
}

#[derive(Debug)]
enum State {
    /// Nothing has come yet.
    New { deadline: Timestamp },
    /// The hello is being looked at.
    Greeted,
    /// The user is known.
    Welcome { grant: Grant, id: SessionId },
    /// The session has ended; what still comes is ignored.
    Closed,
}

impl Session {
    /// A session whose client has to say hello from now on.
    pub fn new(policy: SessionPolicy, now: Timestamp) -> Self {
        let deadline = now + policy.hello_deadline;
        Self {
            policy,
            state: State::New { deadline },
            control: FrameBuffer::default(),
            status: Status::Active,
            reliable_motion: false,
            joining: None,
            requests: Bucket::new(REQUESTS_PER_SECOND),
            allowances: Vec::new(),
            rooms: BTreeMap::new(),
            effects: VecDeque::new(),
            dropped: Dropped::default(),
        }
    }

    /// Whether the hello was taken.
    pub fn is_welcome(&self) -> bool {
        matches!(self.state, State::Welcome { .. })
    }

    /// Whether its client wants motion on the control lane (M15).
    pub fn has_reliable_motion(&self) -> bool {
        self.reliable_motion
    }

    /// The rooms that it is in, with its slots.
    pub fn memberships(&self) -> impl Iterator<Item = (RoomHandle, Slot)> + '_ {
        self.rooms.iter().map(|(room, membership)| (*room, membership.slot))
    }

    /// Takes the next bytes of the control lane.
    pub fn handle_control(&mut self, now: Timestamp, chunk: &[u8]) {
        self.control.push(chunk);
        self.read_control(now);
    }

    /// The client has ended the control lane, and with it the session.
    pub fn handle_control_end(&mut self) {
        if self.control.is_empty() {
            self.close(CloseCode::Done, "");
        } else {
            self.handle_malformed(MessageError::Truncated);
        }
    }

    /// Reads the messages that have come. Those behind a hello or a join wait until it is answered, so that a client
    /// need not wait for the answers (H2).
    fn read_control(&mut self, now: Timestamp) {
        while matches!(self.state, State::New { .. } | State::Welcome { .. })
            && self.joining.is_none()
        {
            match self
                .control
                .pop()
                .and_then(|message| message.map(|message| ToServer::decode(&message)).transpose())
            {
                Ok(None) => return,
                Ok(Some(None)) => self.handle_unknown(),
                Ok(Some(Some(message))) => self.handle_message(now, message),
                Err(error) => self.handle_malformed(error),
            }
        }
    }

    /// The hello's token, or its lack, was found good: answers [`Effect::Authenticate`].
    pub fn handle_granted(&mut self, now: Timestamp, grant: Grant, begun: Begun) {
        let Begun { id, resume_token, resumed } = begun;
        let user = User { id: grant.user_id.clone(), name: grant.name.clone() };
        let (time_ms, resume_token) = (now.as_millis(), Some(resume_token));
        let welcome = Welcome { version: VERSION, user, time_ms, resume_token, resumed };
        self.send(&ToClient::Welcome(welcome));
        self.state = State::Welcome { grant, id };
        self.read_control(now);
    }

    /// A room has taken this session in: answers [`Effect::Join`].
    pub fn handle_joined(
        &mut self,
        now: Timestamp,
        room: RoomHandle,
        slot: Slot,
        policy: &RoomPolicy,
    ) {
        let Some(name) = self.joining.take() else { return };
        let rights = self.rights_in(&name);
        let allowance = Allowance::of(&mut self.allowances, name.namespace(), &policy.rates);
        self.rooms
            .insert(room, Membership::new(name, slot, rights, policy.format().axes, allowance));
        self.read_control(now);
    }

    /// A room has not taken this session in: answers [`Effect::Join`].
    pub fn handle_join_refused(&mut self, now: Timestamp, request: u32, code: Refusal) {
        self.joining = None;
        self.refuse(Some(request), None, code);
        self.read_control(now);
    }

    /// A room refused what an effect asked of it.
    pub fn handle_refused(&mut self, room: RoomHandle, code: Refusal) {
        let retry_after_ms = match code {
            Refusal::RateLimited => Some(RETRY_AFTER_MS),
            Refusal::Unavailable => Some(UNAVAILABLE_MS),
            _ => None,
        };
        self.refuse_until(None, Some(room), (code, retry_after_ms));
    }

    /// A room has ended this session's membership.
    pub fn handle_removed(&mut self, room: RoomHandle) {
        self.rooms.remove(&room);
    }

    /// Takes the first message of an edits lane, which says whose document it is about: call `Room::handle_open`.
    /// `None`: the lane is to be ended, as the session is not in that room, maybe not any more, or in another slot by
    /// now, or asks for too much.
    pub fn handle_open(&mut self, now: Timestamp, message: &[u8]) -> Option<Open> {
        match EditsToServer::decode(message) {
            Ok(Some(EditsToServer::Open(open))) => {
                let member = self.rooms.get(&open.room)?;
                if open.slot != member.slot {
                    return None;
                }
                let taken = self.requests.take(now).map_err(rate_limited);
                return match taken {
                    Ok(()) => Some(open),
                    Err(not_taken) => {
                        self.refuse_until(None, Some(open.room), not_taken);
                        None
                    }
                };
            }
            Ok(_) => {
                self.close(CloseCode::Malformed, "the first message of an edits lane is open");
            }
            Err(error) => self.handle_malformed(error),
        }
        None
    }

    /// Takes a later message of the edits lane of a room. Returns how long the lane is not to be read then, mostly
    /// zero: edits over the rate wait there, so that they keep their order (E2). `None`: until [`Effect::History`] is
    /// answered.
    pub fn handle_edits(
        &mut self,
        now: Timestamp,
        room: RoomHandle,
        message: &[u8],
    ) -> Option<Duration> {
        match EditsToServer::decode(message) {
            Ok(Some(EditsToServer::Submit(submit))) => {
                let Some(member) = self.rooms.get(&room) else { return Some(Duration::ZERO) };
                let slot = member.slot;
                let pause = self.allowances[member.allowance].take_edit(now, message.len());
                let refused = (!member.may_edit()).then_some(Refusal::Forbidden);
                self.effects.extend(refused.map(Effect::Refused));
                self.effects.push_back(Effect::Submit { room, slot, submit, refused });
                return Some(pause);
            }
            Ok(Some(EditsToServer::History(ask))) => return self.handle_history(now, room, ask),
            Ok(None) => {}
            Ok(Some(EditsToServer::Open(_))) => {
                self.close(CloseCode::Malformed, "open came twice on an edits lane");
            }
            Err(error) => self.handle_malformed(error),
        }
        Some(Duration::ZERO)
    }

    /// A member asks for earlier edits of a document that it has open (D8).
    fn handle_history(
        &mut self,
        now: Timestamp,
        room: RoomHandle,
        ask: AskHistory,
    ) -> Option<Duration> {
        if let Err(pause) = self.requests.take(now) {
            let (code, retry_after_ms) = rate_limited(pause);
            self.effects.push_back(Effect::Refused(code));
            let (request, edits) = (ask.request, Vec::new());
            let answer = History { request, edits, refused: Some(code), retry_after_ms };
            let answer = EditsToClient::History(answer).encode();
            self.effects.push_back(Effect::SendEdits(room, answer));
            return Some(Duration::ZERO);
        }
        let limit = ask.limit.clamp(1, HISTORY_EDITS_MAX as u32);
        self.effects.push_back(Effect::History { room, ask: AskHistory { limit, ..ask } });
        None
    }

    /// A stream brought what is no message.
    pub fn handle_malformed(&mut self, error: MessageError) {
        let code = match error {
            MessageError::TooLong => CloseCode::TooLarge,
            _ => CloseCode::Malformed,
        };
        self.close(code, error.to_string());
    }

    /// Takes a datagram, without the byte reserved for the transport. `motion` is called with what it holds for the
    /// session's rooms, at once and without a queue: this is the hot path.
    ///
    /// # Errors
    /// The datagram, or its rest, is of no use; it is to be counted, and is no reason to close (M1).
    pub fn handle_datagram(
        &mut self,
        now: Timestamp,
        datagram: &[u8],
        mut motion: impl FnMut(Motion),
    ) -> Result<(), DecodeError> {
        let mut reader = hither_protocol::varint::Reader::new(datagram);
        if datagram.len() > MOTION_DATAGRAM_BYTES_MAX {
            return Err(DecodeError::TooLong);
        }
        let Self { rooms, dropped, allowances, .. } = self;
        for _ in 0..DATAGRAM_RECORDS_MAX {
            let axes_of = |room| rooms.get(&room).map(|member| member.axes);
            let Some(record) = upward::read(&mut reader, axes_of)? else { return Ok(()) };
            match record {
                // An ack for a room just left is nothing wrong.
                Upward::Ack(ack) => {
                    if let Some(member) = rooms.get(&ack.room) {
                        motion(Motion::Ack { slot: member.slot, ack });
                    }
                }
                Upward::Sample(sample) => {
                    let member = rooms.get_mut(&sample.room).ok_or(DecodeError::Room)?;
                    let allowance = &mut allowances[member.allowance];
                    if let Some(sample) = member.take_sample(now, sample, allowance, dropped) {
                        motion(Motion::Sample { slot: member.slot, sample });
                    }
                }
            }
        }
        if reader.is_empty() { Ok(()) } else { Err(DecodeError::Range) }
    }

    /// What was dropped since it was last asked.
    pub fn take_dropped(&mut self) -> Dropped {
        std::mem::take(&mut self.dropped)
    }

    /// Does what is due. `motion` is called with samples that waited for their rate.
    pub fn handle_timeout(&mut self, now: Timestamp, mut motion: impl FnMut(Motion)) {
        match &self.state {
            State::New { deadline } if now >= *deadline => {
                self.close(CloseCode::HelloTimeout, "no hello in time");
            }
            State::Welcome { grant, .. } if grant.has_expired(now.as_millis()) => {
                self.close(CloseCode::TokenExpired, "the token has expired");
            }
            _ => {}
        }
        for member in self.rooms.values_mut() {
            if let Some(sample) = member.poll_sample(now, &mut self.allowances[member.allowance]) {
                motion(Motion::Sample { slot: member.slot, sample });
            }
        }
    }

    /// When [`Self::handle_timeout`] has something to do next.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let state = match &self.state {
            State::New { deadline } => Some(*deadline),
            State::Welcome { grant, .. } => grant.expires_ms.map(Timestamp::from_millis),
            State::Greeted | State::Closed => None,
        };
        let samples = self.rooms.values().filter_map(Membership::sample_due).min();
        [state, samples].into_iter().flatten().min()
    }

    /// The next thing to be done. Drain it after every `handle_*`.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Ends the session from the server's side: a `bye`, then the close (C1).
    pub fn close(&mut self, code: CloseCode, reason: impl Into<String>) {
        self.close_with(Bye::new(code, reason));
    }

    /// Ends the session from the server's side, with advice when to come back.
    pub fn close_with(&mut self, bye: Bye) {
        if !matches!(self.state, State::Closed) {
            self.state = State::Closed;
            self.effects.push_back(Effect::Close(bye));
        }
    }

    fn handle_unknown(&mut self) {
        if matches!(self.state, State::New { .. }) {
            self.close(CloseCode::Malformed, "the first message is hello");
        }
    }

    fn handle_message(&mut self, now: Timestamp, message: ToServer) {
        match (message, &self.state) {
            (ToServer::Hello(hello), State::New { .. }) => self.handle_hello(hello),
            (ToServer::Hello(_), _) => self.close(CloseCode::Malformed, "hello came twice"),
            (message, State::Welcome { .. }) => self.handle_welcomed(now, message),
            _ => self.close(CloseCode::Malformed, "the first message is hello"),
        }
    }

    fn handle_hello(&mut self, hello: Hello) {
        if hello.version != VERSION {
            self.close(CloseCode::Version, format!("this server speaks version {VERSION}"));
        } else if hello.token.as_ref().is_some_and(|token| token.len() > TOKEN_BYTES_MAX)
            || hello.name.as_ref().is_some_and(|name| name.len() > USER_NAME_BYTES_MAX)
            || hello.resume_token.as_ref().is_some_and(|token| token.len() > RESUME_TOKEN_BYTES_MAX)
        {
            self.close(CloseCode::TooLarge, "a token or the name is too long");
        } else {
            self.state = State::Greeted;
            let Hello { token, name, reliable_motion, resume_token, .. } = hello;
            self.reliable_motion = reliable_motion;
            self.effects.push_back(Effect::Authenticate { token, name, resume_token });
        }
    }

    fn handle_welcomed(&mut self, now: Timestamp, message: ToServer) {
        match message {
            ToServer::Hello(_) => {}
            ToServer::Join(join) => self.handle_join(now, join),
            ToServer::Leave(leave) => match self.rooms.remove(&leave.room) {
                Some(member) => {
                    let (room, slot) = (leave.room, member.slot);
                    self.effects.push_back(Effect::Leave { room, slot });
                }
                None => self.refuse(None, Some(leave.room), Refusal::NotFound),
            },
            ToServer::Presence(presence) => self.handle_presence(now, presence),
            ToServer::Viewport(view) => self.handle_viewport(now, &view),
            ToServer::Motion(motion) => {
                self.effects.push_back(Effect::Datagram(motion.datagram));
            }
            ToServer::Event(event) => self.handle_event(now, event),
            ToServer::Kept(ask) => self.handle_ask_kept(now, ask),
            ToServer::Status(status) => {
                if let Err(pause) = self.requests.take(now) {
                    return self.refuse_until(None, None, rate_limited(pause));
                }
                self.status = status.status;
                for (room, slot) in self.memberships().collect::<Vec<_>>() {
                    let status = self.status;
                    self.effects.push_back(Effect::Status { room, slot, status });
                }
            }
            ToServer::Ping(ping) => {
                let pong = Pong { token: ping.token, time_ms: now.as_millis() };
                self.send(&ToClient::Pong(pong));
            }
            ToServer::Resumable(_) => self.effects.push_back(Effect::Resumable),
            ToServer::Bye(_) => {
                for (room, slot) in self.memberships().collect::<Vec<_>>() {
                    self.effects.push_back(Effect::Leave { room, slot });
                }
                self.rooms.clear();
                self.effects.push_back(Effect::Over);
                self.close(CloseCode::Done, "");
            }
        }
    }

    fn rights_in(&self, name: &RoomName) -> Rights {
        match &self.state {
            State::Welcome { grant, .. } => grant.rights_in(name.as_str()),
            _ => Rights::NONE,
        }
    }

    fn refuse(&mut self, request: Option<u32>, room: Option<RoomHandle>, code: Refusal) {
        self.refuse_until(request, room, (code, None));
    }

    fn refuse_until(
        &mut self,
        request: Option<u32>,
        room: Option<RoomHandle>,
        (code, retry_after_ms): NotTaken,
    ) {
        let message = code.name().to_owned();
        self.effects.push_back(Effect::Refused(code));
        self.send(&ToClient::Error(ErrorMessage { request, room, code, message, retry_after_ms }));
    }

    fn send(&mut self, message: &ToClient) {
        self.effects.push_back(Effect::Send(message.encode()));
    }
}

#[cfg(test)]
mod tests;
