//! What a session wants to be done: to its own connection, or to a room that it is in.

use bytes::Bytes;
use hither_protocol::message::control::{AskKept, Bye, SendEvent, Status, Viewport};
use hither_protocol::message::edits::{AskHistory, Submit};
use hither_protocol::message::{Map, Refusal};
use hither_protocol::motion::upward::{Ack, Sample};
use hither_protocol::{RoomHandle, RoomName, Slot};

use super::SessionId;
use crate::room::NewMember;

/// An effect of a session, in the order in which they are to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Find out who this is, then call `handle_granted`, or `close` with a code of the range 4100.
    Authenticate {
        /// What the client gave to prove who it is.
        token: Option<String>,
        /// The name that it would like to have.
        name: Option<String>,
        /// The resume token of the session that it would like to go on with (S1).
        resume_token: Option<String>,
    },
    /// The resume token of the welcome has arrived: the one before is good no longer (S2).
    Resumable,
    /// The client has said bye: this session can't be resumed.
    Over,
    /// Send this on the control lane.
    Send(Bytes),
    /// Take the session into a room, then call `handle_joined` or `handle_join_refused`.
    Join {
        /// The client's number for its request.
        request: u32,
        /// The room.
        name: RoomName,
        /// The member to be.
        member: NewMember,
    },
    /// Call `Room::handle_leave`; the session has forgotten the room already.
    Leave {
        /// The room.
        room: RoomHandle,
        /// The member's slot.
        slot: Slot,
    },
    /// Call `Room::handle_presence`.
    Presence {
        /// The room.
        room: RoomHandle,
        /// The member's slot.
        slot: Slot,
        /// The fields that change.
        patch: Map,
    },
    /// Call `Room::handle_event`.
    Event {
        /// The room.
        room: RoomHandle,
        /// The member's slot.
        slot: Slot,
        /// The event.
        event: SendEvent,
    },
    /// Call `Room::handle_status`.
    Status {
        /// The room.
        room: RoomHandle,
        /// The member's slot.
        slot: Slot,
        /// The new status.
        status: Status,
    },
    /// Call `Room::handle_viewport`.
    Viewport {
        /// The room.
        room: RoomHandle,
        /// The member's slot.
        slot: Slot,
        /// What it looks at; `None` for all of the room.
        viewport: Option<Viewport>,
        /// Whom it wants to see wherever that is.
        follow: Option<Slot>,
    },
    /// Handle this as a datagram that has come (M15).
    Datagram(Vec<u8>),
    /// Call `Room::handle_submit`: the room knows whether the edit has come before, which is answered as it was then.
    Submit {
        /// The room.
        room: RoomHandle,
        /// The member's slot.
        slot: Slot,
        /// The edit.
        submit: Submit,
        /// Why it is to be rejected if it is new.
        refused: Option<Refusal>,
    },
    /// Look up a room's earlier edits, and say the answer on the room's edits lane.
    History {
        /// The room.
        room: RoomHandle,
        /// What is asked for; the limit is one that may be.
        ask: AskHistory,
    },
    /// Look up the events that are kept of a room, and say the answer on the control lane.
    Kept(AskKept),
    /// Send this on the room's edits lane.
    SendEdits(RoomHandle, Bytes),
    /// Count this refusal; its answer is an effect of its own.
    Refused(Refusal),
    /// Send this bye on the control lane whatever waits there, and close the connection once it is sent (C1). Nothing
    /// comes after.
    Close(Bye),
}

/// The session that a hello begins, or goes on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// Its id.
    pub id: SessionId,
    /// What it can be resumed with from now on.
    pub resume_token: String,
    /// Whether it goes on.
    pub resumed: bool,
}

/// What a datagram holds for a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Motion {
    /// Call `Room::handle_sample`.
    Sample {
        /// The member's slot.
        slot: Slot,
        /// Its sample.
        sample: Sample,
    },
    /// Call `Room::handle_ack`.
    Ack {
        /// The member's slot.
        slot: Slot,
        /// Its ack.
        ack: Ack,
    },
}

impl Motion {
    /// The room that it is for.
    pub fn room(&self) -> RoomHandle {
        match self {
            Self::Sample { sample, .. } => sample.room,
            Self::Ack { ack, .. } => ack.room,
        }
    }
}
