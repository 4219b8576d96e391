//! What of a room outlives the process: its members and their slots, apart from the roster that makes it (S5).

use hither_protocol::message::Map;
use hither_protocol::message::control::User;
use hither_protocol::{Generation, Slot};
use serde::{Deserialize, Serialize};

use crate::session::SessionId;

/// The members of a room as they are kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SavedRoom {
    /// Those with a session, in the order of their slots.
    pub members: Vec<SavedMember>,
    /// By slot, the generation of its member here, or of its next one.
    pub generations: Vec<u32>,
}

/// A member as it is kept: all that the others see of it but its status.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedMember {
    /// Its slot.
    pub slot: Slot,
    /// The slot's generation.
    pub generation: Generation,
    /// Its session, which alone can have it back.
    pub session: SessionId,
    /// Who it is.
    pub user: User,
    /// Its whole presence.
    pub presence: Map,
}
