//! The messages of the control lane, the first bidirectional stream: hello, rooms, roster, presence, events, errors.
//!
//! Fields have the wire's short keys as serde names; `docs/PROTOCOL.md` gives their ranges. Options are absent when
//! they are empty.

use serde::{Deserialize, Serialize};

pub use super::kept::{AskKept, EventId, Kept, KeptEvent};
pub use super::motion::{AxisFormat, MotionBytes, MotionFormat, SetViewport, Viewport};
use super::{Map, Refusal, Rights, Value, messages};
use crate::close::CloseCode;
use crate::ids::{Epoch, Generation, RoomHandle, Slot, Tick};

messages! {
    /// What a client sends on the control lane.
    ToServer {
        /// The first message of a connection.
        1 => Hello(Hello),
        /// Asks to be a member of a room.
        2 => Join(Join),
        /// Ends a membership.
        3 => Leave(Leave),
        /// Patches the member's own presence.
        4 => Presence(Presence),
        /// Sends an event.
        5 => Event(SendEvent),
        /// Says whether the user is there, for all rooms of the session.
        6 => Status(SetStatus),
        /// Asks for a `pong`.
        7 => Ping(Ping),
        /// Leaves every room and ends the session.
        8 => Bye(Bye),
        /// Says whose motion the member wants to see.
        9 => Viewport(SetViewport),
        /// What a datagram would carry, of a session that asked for that.
        10 => Motion(MotionBytes),
        /// The resume token of the welcome has come.
        11 => Resumable(Resumable),
        /// Asks for events that the server keeps.
        12 => Kept(AskKept),
    }
}

messages! {
    /// What a server sends on the control lane.
    ToClient {
        /// Answers `hello`.
        1 => Welcome(Welcome),
        /// Answers `join`; the roster follows in one or more `roster` messages.
        2 => Joined(Joined),
        /// Some members of a room just joined, in the order of their slots.
        3 => Roster(Roster),
        /// Answers `leave`, or says that the server ended the membership.
        4 => Left(Left),
        /// What changed in a room in one tick.
        5 => Diff(Diff),
        /// An event directed to this member.
        6 => Direct(Direct),
        /// A refusal.
        7 => Error(ErrorMessage),
        /// Answers `ping`.
        8 => Pong(Pong),
        /// Comes before the server closes the connection.
        9 => Bye(Bye),
        /// What a datagram would carry, to a session that asked for that.
        10 => Motion(MotionBytes),
        /// Answers `kept`.
        11 => Kept(Kept),
    }
}

/// The client's first message (H2).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// The protocol version that the client speaks.
    #[serde(rename = "v")]
    pub version: u32,
    /// The token, where the server wants one; at most 8 KiB.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The name that an anonymous user would like to have; a token's name goes before it. At most 64 bytes.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether motion goes over the control lane, where every loss holds up all that follows: for a network without
    /// datagrams, and to compare.
    #[serde(rename = "m", default, skip_serializing_if = "std::ops::Not::not")]
    pub reliable_motion: bool,
    /// The resume token of the session to go on with (S1); at most 1 KiB.
    #[serde(rename = "rt", default, skip_serializing_if = "Option::is_none")]
    pub resume_token: Option<String>,
}

/// The server's answer to `hello`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// The protocol version of this connection.
    #[serde(rename = "v")]
    pub version: u32,
    /// The user that the server stamped this session with.
    #[serde(rename = "u")]
    pub user: User,
    /// The server's time in milliseconds since the Unix epoch.
    #[serde(rename = "t")]
    pub time_ms: u64,
    /// What this session can be resumed with, once its connection has ended (S2); at most 1 KiB.
    #[serde(rename = "rt", default, skip_serializing_if = "Option::is_none")]
    pub resume_token: Option<String>,
    /// Whether this is the session of the hello's resume token.
    #[serde(rename = "rs", default, skip_serializing_if = "std::ops::Not::not")]
    pub resumed: bool,
}

/// The client has the resume token of its welcome: the one before may be refused from now on (S2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumable {}

/// The identity behind members; a client can't write it (H5).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The token's subject, or a made-up id for an anonymous user. At most 128 bytes.
    #[serde(rename = "i")]
    pub id: String,
    /// The display name, if there is one. At most 64 bytes.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A client asks to be a member of a room (R2).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Join {
    /// The client's number for this request; the answer repeats it.
    #[serde(rename = "i")]
    pub request: u32,
    /// The room's full name.
    #[serde(rename = "r")]
    pub room: String,
    /// The member's first presence; at most 4 KiB.
    #[serde(rename = "p", default, skip_serializing_if = "Map::is_empty")]
    pub presence: Map,
    /// The last event that the client has seen of this room, to be sent what came after it.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
}

/// The place of a client in a room's events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The epoch whose numbers these are.
    #[serde(rename = "e")]
    pub epoch: Epoch,
    /// The number of the last event seen.
    #[serde(rename = "n")]
    pub number: u64,
}

/// The server's answer to `join` (R3).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Joined {
    /// The request that this answers.
    #[serde(rename = "i")]
    pub request: u32,
    /// The room's number on this connection.
    #[serde(rename = "h")]
    pub room: RoomHandle,
    /// The room's present life.
    #[serde(rename = "e")]
    pub epoch: Epoch,
    /// The member's own slot.
    #[serde(rename = "s")]
    pub slot: Slot,
    /// The member's own generation.
    #[serde(rename = "g")]
    pub generation: Generation,
    /// The room's tick at the join.
    #[serde(rename = "k")]
    pub tick: Tick,
    /// What this member may do here.
    #[serde(rename = "x")]
    pub rights: Rights,
    /// How the room's motion is coded.
    #[serde(rename = "m")]
    pub motion: MotionFormat,
    /// The number of the room's last event; 0 before the first.
    #[serde(rename = "ev")]
    pub event_last: u64,
    /// The events after `seen`, if it was given and nothing is missing.
    #[serde(rename = "er", default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Event>,
    /// Whether events after `seen` are lost (V4).
    #[serde(rename = "eg", default, skip_serializing_if = "std::ops::Not::not")]
    pub events_lost: bool,
    /// Whether the room took back the member that this session was there (S4).
    #[serde(rename = "rs", default, skip_serializing_if = "std::ops::Not::not")]
    pub resumed: bool,
}

/// A member as others see it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// The member's slot.
    #[serde(rename = "s")]
    pub slot: Slot,
    /// The slot's generation.
    #[serde(rename = "g")]
    pub generation: Generation,
    /// Who it is.
    #[serde(rename = "u")]
    pub user: User,
    /// Its whole presence.
    #[serde(rename = "p", default, skip_serializing_if = "Map::is_empty")]
    pub presence: Map,
    /// Whether it is there.
    #[serde(rename = "a", default, skip_serializing_if = "Status::is_active")]
    pub status: Status,
}

/// Whether a member is there. Unknown numbers of later versions read as active.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "u8", from = "u8")]
pub enum Status {
    /// 0. Connected, and its user is looking.
    #[default]
    Active,
    /// 1. Connected, but hidden or idle. It gets no motion.
    Away,
    /// 2. Its connection is gone and its grace is running.
    Lost,
}

impl Status {
    fn is_active(&self) -> bool {
        *self == Self::Active
    }
}

impl From<Status> for u8 {
    fn from(status: Status) -> Self {
        match status {
            Status::Active => 0,
            Status::Away => 1,
            Status::Lost => 2,
        }
    }
}

impl From<u8> for Status {
    fn from(number: u8) -> Self {
        match number {
            1 => Self::Away,
            2 => Self::Lost,
            _ => Self::Active,
        }
    }
}

/// A page of a room's members (R4).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Roster {
    /// The room.
    #[serde(rename = "h")]
    pub room: RoomHandle,
    /// The tick whose changes, and all before them, are in this page.
    #[serde(rename = "k")]
    pub tick: Tick,
    /// Members in the order of their slots, the receiver's own too.
    #[serde(rename = "m")]
    pub members: Vec<Member>,
    /// Whether more pages follow.
    #[serde(rename = "c", default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// Ends a membership.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leave {
    /// The room to leave.
    #[serde(rename = "h")]
    pub room: RoomHandle,
}

/// A membership has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// The room that was left.
    #[serde(rename = "h")]
    pub room: RoomHandle,
    /// Why, if the client did not ask for it.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Refusal>,
}

/// Patches the sender's presence: each field replaces that of its name, nil removes it (P1).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Presence {
    /// The room whose presence it is.
    #[serde(rename = "h")]
    pub room: RoomHandle,
    /// The fields that change.
    #[serde(rename = "p")]
    pub patch: Map,
}

/// An event on its way to the server (V1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SendEvent {
    /// The room.
    #[serde(rename = "h")]
    pub room: RoomHandle,
    /// What happened, in the application's words; 1 to 64 bytes.
    #[serde(rename = "k")]
    pub name: String,
    /// Its data; at most 16 KiB.
    #[serde(rename = "d")]
    pub data: Value,
    /// The members that it is for, at most 64; absent: everyone in the room.
    #[serde(rename = "to", default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<Slot>,
}

/// An event as the room has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its number in the room's epoch, from 1, without gaps.
    #[serde(rename = "n")]
    pub number: u64,
    /// The slot of the member that sent it.
    #[serde(rename = "f")]
    pub from: Slot,
    /// The generation of that slot.
    #[serde(rename = "g")]
    pub generation: Generation,
    /// What happened.
    #[serde(rename = "k")]
    pub name: String,
    /// Its data.
    #[serde(rename = "d")]
    pub data: Value,
    /// When the server got it, in milliseconds since the Unix epoch.
    #[serde(rename = "t")]
    pub time_ms: u64,
}

/// An event directed to this member; it has no number and is never replayed (V3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Direct {
    /// The room.
    #[serde(rename = "h")]
    pub room: RoomHandle,
    /// The slot of the member that sent it.
    #[serde(rename = "f")]
    pub from: Slot,
    /// The generation of that slot.
    #[serde(rename = "g")]
    pub generation: Generation,
    /// What happened.
    #[serde(rename = "k")]
    pub name: String,
    /// Its data.
    #[serde(rename = "d")]
    pub data: Value,
    /// When the server got it, in milliseconds since the Unix epoch.
    #[serde(rename = "t")]
    pub time_ms: u64,
}

/// Says whether the user is there (P4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetStatus {
    /// `Active` or `Away`.
    #[serde(rename = "a")]
    pub status: Status,
}

/// What changed in a room in one tick, merged; the same bytes go to every member (R5).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Diff {
    /// The room.
    #[serde(rename = "h")]
    pub room: RoomHandle,
    /// The tick.
    #[serde(rename = "k")]
    pub tick: Tick,
    /// Slots whose members left. They are to be taken out before `joins` are put in.
    #[serde(rename = "l", default, skip_serializing_if = "Vec::is_empty")]
    pub leaves: Vec<Slot>,
    /// Members that are new, whole.
    #[serde(rename = "j", default, skip_serializing_if = "Vec::is_empty")]
    pub joins: Vec<Member>,
    /// Patches of presence.
    #[serde(rename = "p", default, skip_serializing_if = "Vec::is_empty")]
    pub presence: Vec<(Slot, Map)>,
    /// New statuses.
    #[serde(rename = "a", default, skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<(Slot, Status)>,
    /// Events, in order.
    #[serde(rename = "e", default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Event>,
}

/// A refusal (E1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorMessage {
    /// The `join` request that it answers, if it answers one.
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub request: Option<u32>,
    /// The room that it is about, if there is one.
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub room: Option<RoomHandle>,
    /// Why.
    #[serde(rename = "c")]
    pub code: Refusal,
    /// A sentence for the developer, not for the program.
    #[serde(rename = "m")]
    pub message: String,
    /// When to try again, in milliseconds from now.
    #[serde(rename = "ra", default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// Asks for a `pong`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping {
    /// Anything; the answer repeats it.
    #[serde(rename = "t")]
    pub token: u64,
}

/// Answers `ping`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pong {
    /// What the `ping` had.
    #[serde(rename = "t")]
    pub token: u64,
    /// The server's time in milliseconds since the Unix epoch.
    #[serde(rename = "s")]
    pub time_ms: u64,
}

/// The connection is about to close (C1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bye {
    /// The close code's number.
    #[serde(rename = "c")]
    pub code: u32,
    /// A sentence for the developer.
    #[serde(rename = "m", default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// When to come back, in milliseconds from now, for the codes that ask for it.
    #[serde(rename = "ra", default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl Bye {
    /// A close with this code and sentence.
    pub fn new(code: CloseCode, reason: impl Into<String>) -> Self {
        Self { code: code.number(), reason: reason.into(), retry_after_ms: None }
    }
}
