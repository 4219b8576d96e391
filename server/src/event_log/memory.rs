//! The log that forgets: events live as long as the process. For tests, and for servers without a data directory.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::future::ready;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hither_protocol::RoomName;
use hither_protocol::message::control::{EventId, KeptEvent};
use hither_protocol::message::encoded_len;

use super::{EventLog, Found, Page, Retentions};

/// What an event counts for beside its own bytes.
const EVENT_BYTES: usize = 256;

/// Events in memory, up to a bound of all their bytes: beyond it the oldest go, of whichever room.
#[derive(Debug)]
pub struct MemoryEventLog {
    retentions: Retentions,
    bytes_max: usize,
    kept: Mutex<Kept>,
}

/// Each event has a place, in the order in which all of them came.
#[derive(Debug, Default)]
struct Kept {
    events: BTreeMap<u64, (RoomName, KeptEvent)>,
    rooms: HashMap<RoomName, VecDeque<u64>>,
    last: u64,
    bytes: usize,
}

impl MemoryEventLog {
    /// Keeps at most `bytes_max` bytes, and no event of a namespace without a retention.
    pub fn new(retentions: Retentions, bytes_max: usize) -> Self {
        Self { retentions, bytes_max, kept: Mutex::default() }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventLog for MemoryEventLog {
    fn keep(&self, room: &RoomName, event: KeptEvent) {
        let Some(retention) = self.retentions.get(room.namespace()) else { return };
        let mut kept = self.kept();
        kept.add(room, event);
        let since_ms = retention.since_ms();
        while let Some((count, oldest)) = kept.oldest(room)
            && (count as u64 > retention.events || oldest.time_ms < since_ms)
        {
            kept.forget_oldest(room);
        }
        while kept.bytes > self.bytes_max
            && let Some((room, _)) = kept.events.values().next()
        {
            let room = room.clone();
            kept.forget_oldest(&room);
        }
    }

    fn latest(&self, room: &RoomName, before: Option<EventId>, limit: usize) -> Found {
        let mut page = Page::new(limit);
        if let Some(retention) = self.retentions.get(room.namespace()) {
            let (kept, since_ms) = (self.kept(), retention.since_ms());
            let young = kept.before(room, before).filter(|event| event.time_ms >= since_ms);
            let _ = young.take_while(|event| page.add((*event).clone())).count();
        }
        Box::pin(ready(Ok(page.finish())))
    }
}

impl Kept {
    fn add(&mut self, room: &RoomName, event: KeptEvent) {
        self.last += 1;
        self.bytes += bytes(&event);
        self.events.insert(self.last, (room.clone(), event));
        self.rooms.entry(room.clone()).or_default().push_back(self.last);
    }

    /// A room's events before one, or all, from the newest on.
    fn before(&self, room: &RoomName, before: Option<EventId>) -> impl Iterator<Item = &KeptEvent> {
        static NONE: VecDeque<u64> = VecDeque::new();
        let places = self.rooms.get(room).unwrap_or(&NONE);
        let event = |place: &u64| self.events.get(place).map(|(_, event)| event);
        let end = before.map_or(places.len(), |id| {
            let is_of_epoch = |place: &u64| event(place).is_some_and(|of| of.id.epoch == id.epoch);
            let is_behind = |place: &u64| {
                is_of_epoch(place) && event(place).is_some_and(|of| of.id.number >= id.number)
            };
            let first_behind = places.iter().position(is_behind);
            let behind_epoch = || Some(places.iter().rposition(is_of_epoch)? + 1);
            first_behind.or_else(behind_epoch).unwrap_or(0)
        });
        places.range(..end).rev().filter_map(event)
    }

    /// How many a room has, and its oldest.
    fn oldest(&self, room: &RoomName) -> Option<(usize, &KeptEvent)> {
        let places = self.rooms.get(room)?;
        Some((places.len(), &self.events.get(places.front()?)?.1))
    }

    fn forget_oldest(&mut self, room: &RoomName) {
        let Some(places) = self.rooms.get_mut(room) else { return };
        let place = places.pop_front();
        if places.is_empty() {
            self.rooms.remove(room);
        }
        if let Some((_, event)) = place.and_then(|place| self.events.remove(&place)) {
            self.bytes -= bytes(&event);
        }
    }
}

fn bytes(event: &KeptEvent) -> usize {
    EVENT_BYTES + encoded_len(event)
}

#[cfg(test)]
mod tests {
    use super::super::contract::{self, event, numbers, retentions, room};
    use super::*;

    #[tokio::test]
    async fn the_contract_holds() {
        contract::run(&MemoryEventLog::new(retentions(), 1 << 20)).await;
    }

    #[tokio::test]
    async fn a_full_log_forgets_the_oldest_of_any_room() {
        let log = MemoryEventLog::new(retentions(), 3 * bytes(&event(1, 1)));
        log.keep(&room("default:a"), event(1, 1));
        (1..=3).for_each(|number| log.keep(&room("default:b"), event(1, number)));
        assert_eq!(numbers(&log, "default:a", None, 10).await, []);
        assert_eq!(numbers(&log, "default:b", None, 10).await, [(1, 1), (1, 2), (1, 3)]);
        assert!(
            !log.kept().rooms.contains_key(&room("default:a")),
            "a room without events is none"
        );
    }
}
