//! The messages of the edits lane, one bidirectional stream per joined room: a document's snapshot, edits and acks.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Map, Refusal, messages};
use crate::document::Failure;
use crate::ids::{DocumentId, EditorId, Generation, RoomHandle, Slot};

messages! {
    /// What a client sends on an edits lane.
    EditsToServer {
        /// The first message: whose document this stream is about.
        1 => Open(Open),
        /// An edit.
        2 => Submit(Submit),
        /// Asks for earlier edits.
        3 => History(AskHistory),
    }
}

messages! {
    /// What a server sends on an edits lane.
    EditsToClient {
        /// A page of the document as it is.
        1 => Snapshot(Snapshot),
        /// Edits in the room's order, this member's own too.
        2 => Edits(Edits),
        /// An edit of this member is durable.
        3 => Ack(Ack),
        /// An edit of this member has no effect, and never will.
        4 => Reject(Reject),
        /// Answers `history`.
        5 => History(History),
    }
}

/// Opens the edits lane of a room (D1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// The room, which this session has joined.
    #[serde(rename = "h")]
    pub room: RoomHandle,
    /// The member's own slot, so that a stream of an earlier membership that comes late is not taken for one of this.
    #[serde(rename = "s")]
    pub slot: Slot,
    /// Whose numbers the edits of this lane have.
    #[serde(rename = "e")]
    pub editor: EditorId,
    /// The last edit that the client has applied, to be sent what came after it instead of a snapshot.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Place>,
    /// The editor's numbers that were submitted and not answered, rising: answers that there are come first (D7).
    #[serde(rename = "u", default, skip_serializing_if = "Vec::is_empty")]
    pub unanswered: Vec<u64>,
}

/// A place in the order of a document's edits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The document.
    #[serde(rename = "d")]
    pub document: DocumentId,
    /// The number of the edit.
    #[serde(rename = "q")]
    pub sequence: u64,
}

/// An edit on its way to the server (D2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Submit {
    /// The editor's number for this edit, from 1, rising; a number that came before is answered again.
    #[serde(rename = "n")]
    pub number: u64,
    /// 1 to 64 operations, applied whole or not at all.
    #[serde(rename = "o")]
    pub ops: Vec<Op>,
}

/// One operation on one record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Op {
    /// What is done.
    #[serde(rename = "k")]
    pub kind: OpKind,
    /// The record's id; 1 to 128 bytes.
    #[serde(rename = "i")]
    pub record: String,
    /// The fields of put and patch, and the numbers to be added by increment.
    #[serde(rename = "f", default, skip_serializing_if = "Map::is_empty")]
    pub fields: Map,
    /// The condition: the version that the record has, or 0 if there must be none. Else the edit has no effect.
    #[serde(rename = "v", default, skip_serializing_if = "Option::is_none")]
    pub if_version: Option<u64>,
}

impl Op {
    /// An operation without a condition.
    pub fn new(kind: OpKind, record: impl Into<String>, fields: Map) -> Self {
        Self { kind, record: record.into(), fields, if_version: None }
    }
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub enum OpKind {
    /// 1. The record is these fields, new or not.
    Put,
    /// 2. Each field replaces that of its name, nil removes it; the record must exist.
    Patch,
    /// 3. The record is no more; it need not exist.
    Remove,
    /// 4. Each number is added to the field of its name, which is 0 where it is missing; the record must exist.
    Increment,
}

impl From<OpKind> for u8 {
    fn from(kind: OpKind) -> Self {
        match kind {
            OpKind::Put => 1,
            OpKind::Patch => 2,
            OpKind::Remove => 3,
            OpKind::Increment => 4,
        }
    }
}

impl TryFrom<u8> for OpKind {
    type Error = &'static str;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        match number {
            1 => Ok(Self::Put),
            2 => Ok(Self::Patch),
            3 => Ok(Self::Remove),
            4 => Ok(Self::Increment),
            _ => Err("an operation of a later version"),
        }
    }
}

/// A page of the document (D3).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Which document it is.
    #[serde(rename = "d")]
    pub document: DocumentId,
    /// The sequence number of the last edit that is in the first page; the same in every page. Records of later pages
    /// may be of later versions, whose edits come, too.
    #[serde(rename = "q")]
    pub sequence: u64,
    /// Records in the order of their ids.
    #[serde(rename = "r")]
    pub records: Vec<Record>,
    /// Whether more pages follow.
    #[serde(rename = "c", default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// A record as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Its id.
    #[serde(rename = "i")]
    pub id: String,
    /// The sequence number of the edit that changed it last.
    #[serde(rename = "v")]
    pub version: u64,
    /// Its fields, which a document shares with the pages that tell of it: copies of ten thousand take milliseconds.
    #[serde(rename = "f")]
    pub fields: Arc<Map>,
}

/// Edits of one tick, in order and without gaps (D4).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Edits {
    /// The edits.
    #[serde(rename = "e")]
    pub edits: Vec<Edit>,
}

/// An edit that has its place in the room's order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Edit {
    /// Its place, from 1, without gaps.
    #[serde(rename = "q")]
    pub sequence: u64,
    /// When the server took it, in milliseconds since the Unix epoch; never falls within a room.
    #[serde(rename = "t")]
    pub time_ms: u64,
    /// The id of the user who made it.
    #[serde(rename = "u")]
    pub user: String,
    /// The slot of the member who made it, in the epoch in which it was made.
    #[serde(rename = "s")]
    pub slot: Slot,
    /// The generation of that slot.
    #[serde(rename = "g")]
    pub generation: Generation,
    /// Its editor's number for it.
    #[serde(rename = "n")]
    pub number: u64,
    /// What it does.
    #[serde(rename = "o")]
    pub ops: Vec<Op>,
}

/// Asks for edits as they were made (D8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskHistory {
    /// The client's number for this, which the answer repeats.
    #[serde(rename = "i")]
    pub request: u32,
    /// Those before this place; without it the latest.
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// So many at most, 1 to 100.
    #[serde(rename = "l")]
    pub limit: u32,
}

/// Edits as they were made (D8).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// The request that it answers.
    #[serde(rename = "i")]
    pub request: u32,
    /// The latest of those that were asked for, in their order, without gaps; none if there are no earlier ones any
    /// more.
    #[serde(rename = "e", default, skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<Edit>,
    /// Why there are none, if they can't be had now.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refusal>,
    /// When to ask again then, in milliseconds from now.
    #[serde(rename = "ra", default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// An edit is durable (D5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// The editor's number for it.
    #[serde(rename = "n")]
    pub number: u64,
    /// Its place in the room's order.
    #[serde(rename = "q")]
    pub sequence: u64,
    /// When the server took it, in milliseconds since the Unix epoch.
    #[serde(rename = "t")]
    pub time_ms: u64,
}

/// An edit has no effect (D6).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reject {
    /// The editor's number for it.
    #[serde(rename = "n")]
    pub number: u64,
    /// Why.
    #[serde(rename = "c")]
    pub code: Refusal,
    /// A sentence for the developer.
    #[serde(rename = "m")]
    pub message: String,
    /// What it is over, where it is over a size, a depth or a count.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// What that would be with this edit; where a condition does not hold, the record's version, 0 for none.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub value: Option<u64>,
    /// When to try again under a new number, in milliseconds from now.
    #[serde(rename = "ra", default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl Reject {
    /// Says why an edit has no effect.
    pub fn new(number: u64, failure: Failure, message: String) -> Self {
        let Failure { refusal: code, limit, value } = failure;
        Self { number, code, message, limit, value, retry_after_ms: None }
    }
}
