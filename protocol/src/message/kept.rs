//! What messages say of events that a server keeps (V6): who asks for them, and how they are told. Apart from the
//! control lane's other messages, since they are about what was before a member came.

use serde::{Deserialize, Serialize};

use super::control::User;
use super::{Refusal, Value};
use crate::ids::{Epoch, RoomHandle};

/// Which event it is, among all that a room ever had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EventId {
    /// The room's life in which it was sent. Which of two epochs was earlier, their numbers do not say.
    #[serde(rename = "e")]
    pub epoch: Epoch,
    /// Its number in that epoch, from 1.
    #[serde(rename = "n")]
    pub number: u64,
}

/// Asks for events that the server keeps (V6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskKept {
    /// The client's number for this, which the answer repeats.
    #[serde(rename = "i")]
    pub request: u32,
    /// The room.
    #[serde(rename = "h")]
    pub room: RoomHandle,
    /// Those before this one; without it the latest.
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    pub before: Option<EventId>,
    /// So many at most, 1 to 100.
    #[serde(rename = "l")]
    pub limit: u32,
}

/// Events that the server keeps (V6).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// The request that it answers.
    #[serde(rename = "i")]
    pub request: u32,
    /// The room.
    #[serde(rename = "h")]
    pub room: RoomHandle,
    /// The latest of those that were asked for, in their order; none if there are no earlier ones any more.
    #[serde(rename = "e", default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<KeptEvent>,
    /// Why there are none, if they can't be had now.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refusal>,
    /// When to ask again then, in milliseconds from now.
    #[serde(rename = "ra", default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// An event as it is kept: it names its sender, who may be gone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptEvent {
    /// Which one it is; the same as when it was told.
    #[serde(rename = "i")]
    pub id: EventId,
    /// Who sent it, as the server knew the user then.
    #[serde(rename = "u")]
    pub user: User,
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
