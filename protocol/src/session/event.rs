//! What a session gives out: events for the application, transmits for the transport.

use bytes::Bytes;

use crate::ids::{RoomHandle, Slot};
use crate::message::control::{Bye, Direct, ErrorMessage, EventId, Kept, Member, Pong};
use crate::message::edits::{Ack, Edit, History, Reject};
use crate::message::{Refusal, Value};
use crate::reconnect::LostConnection;

/// What the application should know. Motion is not among them: it has its own poll, where the newest wins.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The server took the hello.
    Welcome {
        /// The server's time in milliseconds since the Unix epoch.
        time_ms: u64,
        /// Whether the hello's resume token was good (S1): this user has been here before.
        resumed: bool,
    },
    /// A room was entered: its roster is whole.
    Entered {
        /// The number that `enter` returned.
        request: u32,
        /// The room, to be named so from now on.
        room: RoomHandle,
        /// Whether the room took back the member that this session was there (S4).
        resumed: bool,
        /// Whether events after the ones seen are lost.
        events_lost: bool,
    },
    /// Something was refused: an entry if it has a request, else something about a room.
    Refused(ErrorMessage),
    /// A membership of this session has ended.
    Left {
        /// The room.
        room: RoomHandle,
        /// Why, if the session did not ask for it.
        reason: Option<Refusal>,
    },
    /// Another member is new in a room.
    MemberJoined {
        /// The room.
        room: RoomHandle,
        /// The member's slot; the room has the rest.
        slot: Slot,
    },
    /// Another member is gone.
    MemberLeft {
        /// The room.
        room: RoomHandle,
        /// The member as it was.
        member: Member,
    },
    /// Another member's presence or status changed.
    MemberChanged {
        /// The room.
        room: RoomHandle,
        /// The member's slot; the room has the rest.
        slot: Slot,
    },
    /// Another member sent an event to the room.
    Broadcast {
        /// The room.
        room: RoomHandle,
        /// The sender's slot.
        from: Slot,
        /// Which event it is; the server keeps it under the same id, if it keeps it (V6).
        id: EventId,
        /// What happened.
        name: String,
        /// Its data.
        data: Value,
        /// When the server got it, in milliseconds since the Unix epoch.
        time_ms: u64,
    },
    /// Events of a room are lost: the next number is not the one that follows the last.
    EventsLost {
        /// The room.
        room: RoomHandle,
    },
    /// Another member sent an event to this one.
    Direct(Direct),
    /// The room's document is whole, for the first time or anew: all records may be shown otherwise.
    DocumentLoaded {
        /// The room.
        room: RoomHandle,
    },
    /// An edit has its place, one's own or another's, and the document has it; [`Self::RecordsChanged`] follows.
    Edited {
        /// The room.
        room: RoomHandle,
        /// Its place, who made it and what it does.
        edit: Edit,
    },
    /// Records are shown otherwise now, maybe, by edits with or without their place, or since one was rejected.
    RecordsChanged {
        /// The room.
        room: RoomHandle,
        /// Their ids, in order.
        records: Vec<String>,
    },
    /// An edit of this session is durable.
    EditAcked {
        /// The room.
        room: RoomHandle,
        /// Its number, place and time.
        ack: Ack,
    },
    /// An edit of this session was sent and not answered, and no server knows its number any more (D7): it may have its
    /// effect or not.
    EditUnanswered {
        /// The room.
        room: RoomHandle,
        /// Its number.
        number: u64,
    },
    /// An edit of this session has no effect, and is not shown any more.
    EditRejected {
        /// The room.
        room: RoomHandle,
        /// Its number and why.
        reject: Reject,
    },
    /// The answer to `history`.
    History {
        /// The room.
        room: RoomHandle,
        /// The number that `history` returned, and the edits or why there are none.
        history: History,
    },
    /// The answer to `kept_events`.
    Kept {
        /// The room.
        room: RoomHandle,
        /// The number that `kept_events` returned, and the events or why there are none.
        kept: Kept,
    },
    /// The answer to a ping.
    Pong(Pong),
    /// The server is about to close the connection.
    Bye(Bye),
    /// The connection has been gone for a while, is there again, or is not tried for any more. No session says so, but
    /// who keeps one connected, in the same row.
    LostConnection(LostConnection),
}

/// What the transport is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transmit {
    /// Write these bytes to the control lane.
    Control(Bytes),
    /// Send this datagram. Its first byte is 0 and reserved for the transport.
    Datagram(Bytes),
    /// Write these bytes to the room's edits lane; the first time, open its stream.
    Edits(RoomHandle, Bytes),
    /// Finish the room's edits lane, if it was opened.
    CloseEdits(RoomHandle),
}
