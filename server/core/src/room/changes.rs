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
    pub(super) fn join(&mut self, slot: Slot) {
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

    /// The next slot whose presence goes out, going round, and about how many bytes it takes.
    fn next_presence(&self) -> Option<(Slot, usize)> {
        let rest = self.presence.range(self.presence_next..).next();
        let (slot, (bytes, _)) = rest.or_else(|| self.presence.first_key_value())?;
        Some((*slot, 4 + bytes))
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
