//! Stories of one session: what a client sends, and what the session wants done about it.

mod hello;
mod lanes;
mod rates;
mod rooms;

use std::time::Duration;

use hither_protocol::message::control::{
    AskKept, Join, Kept, Leave, Ping, Presence, SendEvent, SetStatus,
};
use hither_protocol::message::edits::{Op, OpKind, Open, Submit};
use hither_protocol::message::{Map, Value};
use hither_protocol::motion::Position;
use hither_protocol::motion::upward::{Ack, Sample};

use super::*;
use crate::grant::{Pattern, RoomGrant};
use crate::policy::Rates;

const ROOM: RoomHandle = RoomHandle(7);

/// A session, a clock, and what a driver does with it.
struct Stage {
    session: Session,
    now: Timestamp,
}

impl Stage {
    /// A session that nobody has said anything to.
    fn new() -> Self {
        let now = Timestamp::from_millis(1_000_000);
        let policy = SessionPolicy { hello_deadline: Duration::from_secs(5), rooms_max: 2 };
        Self { session: Session::new(policy, now), now }
    }

    /// A session that was welcomed with these rights in every room.
    fn welcome(rights: Rights) -> Self {
        Self::welcome_with(grant(&[("*", rights)]))
    }

    fn welcome_with(grant: Grant) -> Self {
        let mut stage = Self::new();
        stage.say(hello());
        stage.session.handle_granted(stage.now, grant, begun());
        stage.effects();
        stage
    }

    /// A welcomed session that is in the room `ROOM`, in slot 3, with these rights and the policy's own rates.
    fn joined(rights: Rights, policy: &RoomPolicy) -> Self {
        let mut stage = Self::welcome(rights);
        stage.join("test:a", ROOM, Slot(3), policy);
        stage
    }

    /// A joined session with all rights.
    fn with_all() -> Self {
        Self::joined(Rights::ALL, &RoomPolicy::default())
    }

    fn join(&mut self, name: &str, room: RoomHandle, slot: Slot, policy: &RoomPolicy) {
        self.say(join(1, name));
        let effects = self.effects();
        assert!(matches!(&effects[..], [Effect::Join { .. }]), "{effects:?}");
        self.session.handle_joined(self.now, room, slot, policy);
    }

    fn say(&mut self, message: ToServer) {
        self.session.handle_control(self.now, &message.encode());
    }

    fn open_lane(&mut self, message: &[u8]) -> Option<Open> {
        self.session.handle_open(self.now, after_prefix(message))
    }

    fn say_on_edits(&mut self, room: RoomHandle, message: &EditsToServer) -> Option<Duration> {
        self.session.handle_edits(self.now, room, after_prefix(&message.encode()))
    }

    fn pass(&mut self, ms: u64) -> Vec<Motion> {
        self.now = self.now + Duration::from_millis(ms);
        let mut motions = Vec::new();
        self.session.handle_timeout(self.now, |motion| motions.push(motion));
        motions
    }

    fn datagram(&mut self, bytes: &[u8]) -> (Vec<Motion>, Result<(), DecodeError>) {
        let mut motions = Vec::new();
        let read = self.session.handle_datagram(self.now, bytes, |motion| motions.push(motion));
        (motions, read)
    }

    fn effects(&mut self) -> Vec<Effect> {
        std::iter::from_fn(|| self.session.poll_effect()).collect()
    }

    /// What the session answered on the control lane; nothing else may be wanted.
    fn answers(&mut self) -> Vec<ToClient> {
        let answer = |effect| match effect {
            Effect::Send(bytes) => Some(ToClient::decode(after_prefix(&bytes)).unwrap().unwrap()),
            Effect::Refused(_) => None,
            other => panic!("{other:?}"),
        };
        self.effects().into_iter().filter_map(answer).collect()
    }

    /// The one refusal that the session answered with.
    fn refusal(&mut self) -> ErrorMessage {
        let mut answers = self.answers();
        assert_eq!(answers.len(), 1, "{answers:?}");
        let Some(ToClient::Error(error)) = answers.pop() else { panic!("no error") };
        error
    }

    /// The code with which the session closed, last of all.
    fn close_code(&mut self) -> u32 {
        let effects = self.effects();
        let Some(Effect::Close(bye)) = effects.last() else { panic!("{effects:?}") };
        let code = bye.code;
        self.say(ToServer::Ping(Ping { token: 1 }));
        assert_eq!(self.session.poll_effect(), None, "nothing comes after a close");
        assert_eq!(self.session.poll_timeout(), None);
        code
    }
}

/// A session that is new.
fn begun() -> Begun {
    Begun { id: SessionId(5), resume_token: "next".into(), resumed: false }
}

fn hello() -> ToServer {
    ToServer::Hello(Hello { version: VERSION, ..Hello::default() })
}

fn join(request: u32, name: &str) -> ToServer {
    ToServer::Join(Join { request, room: name.into(), ..Join::default() })
}

fn grant(rooms: &[(&str, Rights)]) -> Grant {
    let room = |(pattern, rights): &(&str, Rights)| RoomGrant {
        pattern: Pattern::parse(pattern).unwrap(),
        rights: *rights,
    };
    let rooms = rooms.iter().map(room).collect();
    Grant { user_id: "ann".into(), name: Some("Ann".into()), expires_ms: None, rooms }
}

/// A message without the length before it.
fn after_prefix(framed: &[u8]) -> &[u8] {
    let prefix = framed.iter().take_while(|byte| **byte & 0x80 != 0).count() + 1;
    &framed[prefix..]
}

/// Arrays within arrays, so many deep.
fn nested(depth: usize) -> Value {
    (0..depth).fold(1.into(), |value, _| Value::Array(vec![value]))
}
