//! Bots: company for whoever tries Hither alone. They are clients like any other, by the protocol's own session over a
//! link in memory, so that what a page shows with them is what it would show with people.
//!
//! [`Bots`] says how many are wanted where, and holds the bounds; `crowd` drives those of one room in one task; `bot`
//! is one client, `hand` its movements.

mod bot;
mod crowd;
mod hand;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hither_protocol::RoomName;
use tokio::task::unconstrained;

use crate::connection::Shared;

/// Bots in one room.
pub(crate) const BOTS_PER_ROOM_MAX: usize = 200;
/// Bots in all rooms together.
pub(crate) const BOTS_MAX: usize = 400;

/// The bots of a server: how many each room is to have.
#[derive(Debug)]
pub(crate) struct Bots {
    shared: Arc<Shared>,
    /// One entry for each crowd whose task runs.
    wanted: Mutex<BTreeMap<RoomName, usize>>,
}

impl Bots {
    /// None yet.
    pub(crate) fn new(shared: Arc<Shared>) -> Arc<Self> {
        Arc::new(Self { shared, wanted: Mutex::default() })
    }

    /// Has a room end up with `count` bots, or as many as the bounds leave it, and returns how many that are. They come
    /// and go within seconds. `None` if the room's namespace is not served.
    pub(crate) fn set(self: &Arc<Self>, room: &RoomName, count: usize) -> Option<usize> {
        if !self.shared.rooms.has_namespace(room.namespace()) {
            return None;
        }
        let mut wanted = self.lock();
        let elsewhere: usize =
            wanted.iter().filter(|(other, _)| *other != room).map(|(_, count)| count).sum();
        let count = count.min(BOTS_PER_ROOM_MAX).min(BOTS_MAX.saturating_sub(elsewhere));
        if wanted.contains_key(room) || count > 0 {
            let is_new = wanted.insert(room.clone(), count).is_none();
            if is_new {
                // A round looks at many links, ready or not, which is not to be taken for a task that never yields.
                tokio::spawn(unconstrained(crowd::run_crowd(self.clone(), room.clone())));
            }
        }
        Some(count)
    }

    fn wanted(&self, room: &RoomName) -> usize {
        self.lock().get(room).copied().unwrap_or(0)
    }

    /// So many bots of a room have gone, or are to go; they do not come again by themselves.
    fn handle_ended(&self, room: &RoomName, ended: usize) {
        if let Some(wanted) = self.lock().get_mut(room) {
            *wanted = wanted.saturating_sub(ended);
        }
    }

    /// Ends a crowd that has nobody left, unless somebody is wanted by now; true if it has ended.
    fn end(&self, room: &RoomName) -> bool {
        let mut wanted = self.lock();
        let is_over = wanted.get(room).is_none_or(|wanted| *wanted == 0);
        if is_over {
            wanted.remove(room);
        }
        is_over
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RoomName, usize>> {
        // Nothing under this lock can panic halfway, so poisoned counts are still whole.
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
