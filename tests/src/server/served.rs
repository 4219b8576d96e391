//! One room under the driver, and what is true of it, kept apart from what the room itself knows.

use std::collections::{BTreeMap, BTreeSet};

use hither_core::{Recipient, Room};
use hither_protocol::document::Document;
use hither_protocol::message::control::SendEvent;
use hither_protocol::message::edits::Edit;
use hither_protocol::{Generation, Slot};

use super::ConnectionId;

/// A room, and what is true of it.
#[derive(Debug)]
pub struct Served {
    /// The room itself.
    pub room: Room,
    /// The connected members.
    pub viewers: BTreeMap<Slot, ConnectionId>,
    /// Those whose edits lane is open.
    pub(super) lanes: BTreeSet<Slot>,
    /// All edits that were stored, applied in their order.
    pub document: Document,
    /// Who made each edit, and its number there.
    pub edits: Vec<(Slot, Generation, u64)>,
    /// The senders of the events to all, in the order in which they were taken.
    pub events: Vec<(Slot, Generation, SendEvent)>,
    /// The events to each member by name, in the order in which they were taken.
    pub directs: BTreeMap<Slot, Vec<SendEvent>>,
}

impl Served {
    pub(super) fn new(room: Room) -> Self {
        Self {
            room,
            viewers: BTreeMap::new(),
            lanes: BTreeSet::new(),
            document: Document::default(),
            edits: Vec::new(),
            events: Vec::new(),
            directs: BTreeMap::new(),
        }
    }

    pub(super) fn recipients(&self, to: Recipient) -> Vec<ConnectionId> {
        match to {
            Recipient::One(slot) => self.viewers.get(&slot).copied().into_iter().collect(),
            Recipient::All => self.viewers.values().copied().collect(),
        }
    }

    pub(super) fn editors(&self, to: Recipient) -> Vec<ConnectionId> {
        match to {
            Recipient::One(slot) => self.recipients(Recipient::One(slot)),
            Recipient::All => {
                self.lanes.iter().filter_map(|slot| self.viewers.get(slot)).copied().collect()
            }
        }
    }

    pub(super) fn store(&mut self, edit: &Edit) {
        self.document.apply(edit.sequence, &edit.ops);
        self.edits.push((edit.slot, edit.generation, edit.number));
    }
}
