//! What changed since the last tick, merged by member: the next diff. What does not fit one tick waits for the next.

use std::collections::{BTreeMap, BTreeSet};

use hither_protocol::message::control::{Diff, Status};
use hither_protocol::message::{Map, encoded_len};
use hither_protocol::{RoomHandle, Slot, Tick};

use super::replay::Replay;
use super::roster::Roster;

/// The most bytes of changes in one message, with room to spare for what is around them.
const MESSAGE_BYTES: usize = 32 * 1024;
/// The most bytes of changes in one tick; half of what may wait for a viewer, so that one tick never makes it too slow.
const TICK_BYTES: usize = 128 * 1024;

/// Changes that no diff has carried yet. Each member has at most one of each kind, so they are bounded by the roster.
#[derive(Debug, Default)]
pub(super) struct Changes {
    leaves: BTreeSet<Slot>,
    joins: BTreeSet<Slot>,
    presence: BTreeMap<Slot, Map>,
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

    /// The join of the same tick carries the whole presence already.
    pub(super) fn presence(&mut self, slot: Slot, patch: Map) {
        if !self.joins.contains(&slot) {
            self.presence.entry(slot).or_default().extend(patch);
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
        while let Some((slot, patch)) = self.presence.pop_first() {
            let bytes = 4 + encoded_len(&patch);
            if !diffs.has_room(bytes) {
                self.presence.insert(slot, patch);
                return;
            }
            diffs.next(bytes).presence.push((slot, patch));
        }
        while let Some((slot, status)) = self.statuses.pop_first() {
            diffs.next(5).statuses.push((slot, status));
        }
        while let Some((bytes, event)) = replay.flush(diffs.room_left()) {
            diffs.next(bytes).events.push(event);
        }
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
