//! What changed since the last tick, merged by member: the next diff. What does not fit one tick waits for the next.

use std::collections::{BTreeMap, BTreeSet};

use hither_protocol::message::control::{Diff, Status};
use hither_protocol::message::{Map, Refusal, encoded_len};
use hither_protocol::{RoomHandle, Slot, Tick};

use super::replay::Replay;
use super::roster::Roster;

/// The most bytes of changes in one message, with room to spare for what is around them.
const MESSAGE_BYTES: usize = 32 * 1024;
/// The most bytes of changes in one tick; half of what may wait for a viewer, so that one tick never makes it too slow.
const TICK_BYTES: usize = 128 * 1024;

/// How much of a tick presence may take while events wait.
const PRESENCE_BYTES: usize = TICK_BYTES / 4 * 3;
/// How many times its largest presence a member's patches of one tick may be.
const PATCHES_MAX: usize = 4;

/// Changes that no diff has carried yet. Each member has at most one of each kind, bounded in bytes.
#[derive(Debug, Default)]
pub(super) struct Changes {
    leaves: BTreeSet<Slot>,
    joins: BTreeSet<Slot>,
    /// Merged patches and the bytes of all that were merged.
    presence: BTreeMap<Slot, (usize, Map)>,
    /// The slot whose presence is next, so that the first slots do not always go first.
    presence_next: Slot,
    statuses: BTreeMap<Slot, Status>,
}

impl Changes {
    /// The whole member is told: what waits of it is in that.
    pub(super) fn join(&mut self, slot: Slot) {
        self.presence.remove(&slot);
        self.statuses.remove(&slot);
        self.joins.insert(slot);
    }

    /// A leave is told even if its join was not: a page of a roster may have shown the member between them.
    pub(super) fn leave(&mut self, slot: Slot) {
        self.presence.remove(&slot);
        self.statuses.remove(&slot);
        self.joins.remove(&slot);
        self.leaves.insert(slot);
    }

    /// Whether a patch can be taken; then the bytes that wait of this member with it.
    ///
    /// # Errors
    /// `TooLarge`, or `RateLimited` until the next tick.
    pub(super) fn check_presence(
        &self,
        slot: Slot,
        patch: &Map,
        bytes_max: usize,
    ) -> Result<usize, Refusal> {
        let bytes = encoded_len(patch);
        if bytes > bytes_max {
            return Err(Refusal::TooLarge);
        }
        let pending = bytes + self.presence.get(&slot).map_or(0, |(bytes, _)| *bytes);
        if pending > bytes_max * PATCHES_MAX { Err(Refusal::RateLimited) } else { Ok(pending) }
    }

    /// Merges a patch that was checked. The join of the same tick carries the whole presence already.
    pub(super) fn presence(&mut self, slot: Slot, patch: Map, pending: usize) {
        if !self.joins.contains(&slot) {
            let (bytes, merged) = self.presence.entry(slot).or_default();
            *bytes = pending;
            merged.extend(patch);
        }
    }

    pub(super) fn status(&mut self, slot: Slot, status: Status) {
        if !self.joins.contains(&slot) {
            self.statuses.insert(slot, status);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.leaves.is_empty()
            && self.joins.is_empty()
            && self.presence.is_empty()
            && self.statuses.is_empty()
    }

    /// The diffs of one tick, in the order in which they are to be sent.
    pub(super) fn flush(
        &mut self,
        room: RoomHandle,
        tick: Tick,
        roster: &Roster,
        replay: &mut Replay,
    ) -> Vec<Diff> {
        let mut diffs = Diffs::new(Diff { room, tick, ..Diff::default() });
        while let Some(slot) = self.leaves.pop_first() {
            diffs.next(3).leaves.push(slot);
        }
        while let Some(&slot) = self.joins.first() {
            if let Some(member) = roster.describe(slot) {
                let bytes = encoded_len(&member);
                if !diffs.has_room(bytes) {
                    break;
                }
                diffs.next(bytes).joins.push(member);
            }
            self.joins.pop_first();
        }
        // What comes after may speak of members whose joins wait, so it waits, too.
        if self.joins.is_empty() {
            self.flush_members(&mut diffs, replay);
        }
        diffs.finish()
    }

    fn flush_members(&mut self, diffs: &mut Diffs, replay: &mut Replay) {
        while let Some((slot, status)) = self.statuses.pop_first() {
            diffs.next(5).statuses.push((slot, status));
        }
        let kept_for_events = if replay.has_pending() { TICK_BYTES - PRESENCE_BYTES } else { 0 };
        while let Some((slot, bytes)) = self.next_presence() {
            if !diffs.has_room(bytes + kept_for_events) {
                break;
            }
            if let Some((_, patch)) = self.presence.remove(&slot) {
                diffs.next(bytes).presence.push((slot, patch));
            }
            self.presence_next = Slot(slot.0 + 1);
        }
        while let Some((bytes, event)) = replay.flush(diffs.room_left()) {
            diffs.next(bytes).events.push(event);
        }
    }

    /// The next slot whose presence goes out, going round, and how many bytes it takes.
    fn next_presence(&self) -> Option<(Slot, usize)> {
        let rest = self.presence.range(self.presence_next..).next();
        let (slot, (_, patch)) = rest.or_else(|| self.presence.first_key_value())?;
        Some((*slot, 4 + encoded_len(patch)))
    }
}

/// The diffs of one tick as they fill up.
struct Diffs {
    empty: Diff,
    done: Vec<Diff>,
    open: Option<Diff>,
    open_bytes: usize,
    bytes: usize,
}

impl Diffs {
    fn new(empty: Diff) -> Self {
        Self { empty, done: Vec::new(), open: None, open_bytes: 0, bytes: 0 }
    }

    fn room_left(&self) -> usize {
        TICK_BYTES.saturating_sub(self.bytes)
    }

    fn has_room(&self, bytes: usize) -> bool {
        bytes <= self.room_left()
    }

    /// The diff into which something of so many bytes goes.
    fn next(&mut self, bytes: usize) -> &mut Diff {
        if self.open_bytes + bytes > MESSAGE_BYTES {
            self.done.extend(self.open.take());
            self.open_bytes = 0;
        }
        self.open_bytes += bytes;
        self.bytes += bytes;
        self.open.get_or_insert_with(|| self.empty.clone())
    }

    fn finish(mut self) -> Vec<Diff> {
        self.done.extend(self.open);
        self.done
    }
}

#[cfg(test)]
mod tests {
    use hither_protocol::message::Value;
    use hither_protocol::message::control::Event;
    use hither_protocol::{Generation, Timestamp};

    use super::super::NewMember;
    use super::*;

    const PRESENCE_MAX: usize = 4_096;

    fn roster(members: usize) -> Roster {
        let mut roster = Roster::new(members);
        for _ in 0..members {
            roster.add(Timestamp::from_millis(1), NewMember::default()).unwrap();
        }
        roster
    }

    fn patch(name: &str, bytes: usize) -> Map {
        Map::from([(name.to_owned(), Value::String("x".repeat(bytes)))])
    }

    fn put(changes: &mut Changes, slot: Slot, patch: Map) -> Result<(), Refusal> {
        let pending = changes.check_presence(slot, &patch, PRESENCE_MAX)?;
        changes.presence(slot, patch, pending);
        Ok(())
    }

    fn flush(changes: &mut Changes, roster: &Roster, replay: &mut Replay) -> Vec<Diff> {
        changes.flush(RoomHandle(1), Tick(1), roster, replay)
    }

    #[test]
    fn p3_patches_are_bounded_even_if_they_remove() {
        let mut changes = Changes::default();
        let nils = |name: &str| Map::from([(name.repeat(5_000), Value::Nil)]);
        assert_eq!(put(&mut changes, Slot(0), nils("a")), Err(Refusal::TooLarge));
        for _ in 0..4 {
            assert_eq!(put(&mut changes, Slot(0), patch("x", 4_000)), Ok(()));
        }
        assert_eq!(put(&mut changes, Slot(0), patch("y", 4_000)), Err(Refusal::RateLimited));
        assert_eq!(put(&mut changes, Slot(1), patch("y", 4_000)), Ok(()));
    }

    #[test]
    fn r5_what_does_not_fit_a_tick_waits_and_nobody_is_left_out() {
        let roster = roster(100);
        let mut changes = Changes::default();
        let mut replay = Replay::default();
        let mut told = BTreeSet::new();
        for round in 0..8 {
            for slot in 0..100 {
                // Those whose turn has not come for some ticks are refused, and try again.
                let _ = put(&mut changes, Slot(slot), patch("x", 4_000));
            }
            let diffs = flush(&mut changes, &roster, &mut replay);
            let slots = diffs.iter().flat_map(|diff| diff.presence.iter().map(|(slot, _)| *slot));
            told.extend(slots);
            let bytes: usize = diffs.iter().map(encoded_len).sum();
            assert!(bytes <= TICK_BYTES + 1_000, "round {round}: {bytes}");
            assert!(diffs.iter().all(|diff| encoded_len(diff) < 60_000), "a diff fits a message");
        }
        assert_eq!(told.len(), 100, "low slots do not always go first");
    }

    #[test]
    fn v1_presence_leaves_room_for_events() {
        let roster = roster(100);
        let mut changes = Changes::default();
        let mut replay = Replay::default();
        for slot in 0..100 {
            put(&mut changes, Slot(slot), patch("x", 4_000)).unwrap();
        }
        let event = Event {
            number: replay.next_number(),
            from: Slot(0),
            generation: Generation(0),
            name: "wave".into(),
            data: Value::Nil,
            time_ms: 1,
        };
        replay.push(event.clone()).unwrap();
        let diffs = flush(&mut changes, &roster, &mut replay);
        let events: Vec<_> = diffs.into_iter().flat_map(|diff| diff.events).collect();
        assert_eq!(events, [event]);
    }

    #[test]
    fn r6_a_leave_is_told_even_if_its_join_was_not() {
        let roster = roster(1);
        let mut changes = Changes::default();
        changes.join(Slot(5));
        changes.leave(Slot(5));
        let diffs = flush(&mut changes, &roster, &mut Replay::default());
        assert_eq!(diffs.len(), 1);
        assert_eq!((diffs[0].leaves.as_slice(), diffs[0].joins.len()), ([Slot(5)].as_slice(), 0));
    }
}
