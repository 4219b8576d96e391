//! All rooms of the node: looked up in the registry when a member joins, never on the path of a move.

mod cell;
mod gate;
mod ticker;

pub(crate) use cell::{Joined, Outlet, RoomCell};

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use hither_core::room::SavedRoom;
use hither_core::{NewMember, RoomId, RoomPolicy};
use hither_protocol::message::Refusal;
use hither_protocol::{Epoch, RoomHandle, RoomName};

use tokio::sync::Notify;

use crate::event_log::EventLog;
use crate::metrics::Metrics;
use crate::registry::Registry;
use crate::store::Store;
use cell::JoinError;
use hither_transport::Clock;

/// All rooms of the node that have members, by name.
///
/// An empty room is closed under its own lock and then taken out, and a join that meets a closed room looks it up
/// again; so nobody joins a room that is on its way out.
#[derive(Debug)]
pub(crate) struct Rooms {
    cells: Registry<RoomName, RoomCell>,
    next_handle: AtomicU32,
    policies: BTreeMap<String, RoomPolicy>,
    node: Node,
}

/// What all rooms of a node share.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) clock: Clock,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) event_log: Arc<dyn EventLog>,
    pub(crate) metrics: Arc<Metrics>,
    /// Told when members of any room come and go.
    pub(crate) changed: Arc<Notify>,
}

impl Rooms {
    /// No rooms yet. `policies` are the namespaces by name.
    pub(crate) fn new(policies: BTreeMap<String, RoomPolicy>, node: Node) -> Arc<Self> {
        let (cells, next_handle) = (Registry::default(), AtomicU32::new(1));
        Arc::new(Self { cells, next_handle, policies, node })
    }

    /// Takes a member into a room, which is opened if it has none.
    ///
    /// # Errors
    /// `NotFound` for a namespace that the config does not name, and what the room itself refuses.
    pub(crate) fn join(
        self: &Arc<Self>,
        name: &RoomName,
        request: u32,
        member: NewMember,
        outlet: Outlet,
    ) -> Result<Joined, Refusal> {
        let policy = self.policies.get(name.namespace()).ok_or(Refusal::NotFound)?;
        loop {
            let cell = self.cells.get_or_open(name, || self.open(name, policy));
            match cell.join(request, member.clone(), outlet.clone()) {
                Ok(slot) => return Ok(Joined { cell, slot }),
                Err(JoinError::Closed) => {}
                Err(JoinError::Refused(refusal)) => {
                    self.close_if_empty(&cell);
                    return Err(refusal);
                }
            }
        }
    }

    /// Takes up the rooms of an earlier process. Those of namespaces that there are no more are left out.
    pub(crate) fn restore(self: &Arc<Self>, saved: Vec<(String, SavedRoom)>) {
        for (name, saved) in saved {
            let Ok(name) = name.parse::<RoomName>() else { continue };
            let Some(policy) = self.policies.get(name.namespace()) else { continue };
            self.cells.get_or_open(&name, || self.open(&name, policy)).restore(saved);
        }
    }

    /// The members of all rooms that have some, to be saved, by the room's name.
    pub(crate) fn save(&self) -> Vec<(String, SavedRoom)> {
        let saved = |cell: Arc<RoomCell>| Some((cell.id().name.to_string(), cell.save()?));
        let rooms = self.cells.all().into_iter().filter_map(saved);
        rooms.filter(|(_, room)| !room.members.is_empty()).collect()
    }

    /// Whether rooms of this namespace can be joined.
    pub(crate) fn has_namespace(&self, namespace: &str) -> bool {
        self.policies.contains_key(namespace)
    }

    /// Closes a room if it is empty, and takes a closed one out.
    pub(crate) fn close_if_empty(&self, cell: &Arc<RoomCell>) {
        if cell.close_if_empty() {
            self.cells.remove(&cell.id().name, cell);
        }
    }

    fn open(self: &Arc<Self>, name: &RoomName, policy: &RoomPolicy) -> Arc<RoomCell> {
        let handle = RoomHandle(self.next_handle.fetch_add(1, Ordering::Relaxed));
        // Below 2^53, and not to be met again: a room that is closed and opened again begins anew.
        let epoch = Epoch(rand::random::<u64>() >> 11);
        let id = RoomId { name: name.clone(), handle, epoch };
        // The golden ratio spreads consecutive rooms evenly over the tick.
        let spread = handle.0.wrapping_mul(0x9e37_79b9);
        let phase = policy.tick_period() * (spread >> 16) / (1 << 16);
        let cell = RoomCell::open(id, policy.clone(), phase, self.node.clone());
        tokio::spawn(ticker::run_ticker(self.clone(), cell.clone()));
        cell
    }
}

#[cfg(test)]
mod tests;
