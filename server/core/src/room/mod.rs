//! A room: its members, what they say, where they point and what they change, merged tick by tick.
//!
//! This file is the room's front: each `handle_*` is one event of one member, and names the part that knows about it.
//! `roster` has the members and their presence, `motion` the frames, `document` the edits; `changes` merges what goes
//! out in the tick. All of them are bounded, and a handler on the hot path, [`Room::handle_sample`], is O(1).

mod changes;
mod directs;
mod edits;
mod motion;
mod pace;
mod replay;
mod roster;
mod saved;
mod schedule;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use hither_protocol::message::control::{
    Direct, Event, EventId, Joined, KeptEvent, Left, SendEvent, Status, ToClient, Viewport,
};
use hither_protocol::message::edits::{EditsToClient, Open, Submit};
use hither_protocol::message::{Map, Refusal, encoded_len};
use hither_protocol::motion::upward::{Ack, Sample};
use hither_protocol::{Epoch, Generation, RoomHandle, RoomName, Slot, Tick, Timestamp};

use crate::policy::RoomPolicy;
use changes::Changes;
use directs::Directs;
use edits::{Author, EditLog};
pub use edits::{Editors, LoggedEdit, RECENT_BYTES_MAX, Recent, SavedDocument, SavedEditor};
use motion::Motion;
use pace::Pace;
use replay::Replay;
pub use roster::NewMember;
use roster::Roster;
pub use saved::{SavedMember, SavedRoom};
use schedule::Schedule;

/// The least grace of members whose server is a new process: it takes up to 2.5 s until all have noticed, and a crowd
/// that comes back at once some seconds to come in.
const RESTORED_GRACE: Duration = Duration::from_secs(10);

/// What a room is called, and which of its lives this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomId {
    /// Its full name.
    pub name: RoomName,
    /// Its number on this node.
    pub handle: RoomHandle,
    /// This life of it.
    pub epoch: Epoch,
}

/// What a room wants to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send this on the control lane. Reliable; in this order.
    Control(Recipient, Bytes),
    /// Send this on the edits lane of the room. Reliable; in this order.
    Edits(Recipient, Bytes),
    /// Send this datagram, whose first byte is reserved for the transport.
    Datagram(Slot, Bytes),
    /// Make this edit durable, after those before it, then call [`Room::handle_stored`].
    Store(LoggedEdit),
    /// Keep this event, after those before it, if that can be; nobody waits for it.
    Keep(KeptEvent),
}

/// Whom an output is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// One member.
    One(Slot),
    /// Every connected member; on the edits lane, every one whose lane is open.
    All,
}

/// What a room counted since it was last asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Samples that came after a newer one of their member.
    pub samples_stale: u64,
    /// Frames that were sent again since they were not acked.
    pub frames_repeated: u64,
    /// Frames that were put off, since the viewer's path is congested or it does not answer (M14).
    pub frames_paced: u64,
    /// Ticks that were left out since the room's ticks took too long (M14).
    pub ticks_skipped: u64,
}

/// A room of one node in one epoch.
#[derive(Debug)]
pub struct Room {
    id: RoomId,
    policy: RoomPolicy,
    schedule: Schedule,
    tick: Tick,
    /// Whether the next tick has something to do.
    dirty: bool,
    pace: Pace,
    roster: Roster,
    motion: Motion,
    changes: Changes,
    replay: Replay,
    directs: Directs,
    edits: EditLog,
    last_time_ms: u64,
    outputs: VecDeque<Output>,
    counters: Counters,
}

impl Room {
    /// An empty room. `phase` moves its ticks within their period, so that a node's rooms do not all tick at once.
    pub fn new(id: RoomId, policy: RoomPolicy, now: Timestamp, phase: Duration) -> Self {
        let motion = Motion::new(id.handle, id.epoch, policy.format());
        Self {
            schedule: Schedule::new(now - policy.tick_period() + phase, policy.format().tick_hz),
            tick: Tick(0),
            dirty: false,
            pace: Pace::default(),
            roster: Roster::new(policy.members_max),
            motion,
            changes: Changes::default(),
            replay: Replay::default(),
            directs: Directs::default(),
            edits: EditLog::default(),
            last_time_ms: 0,
            outputs: VecDeque::new(),
            counters: Counters::default(),
            id,
            policy,
        }
    }

    /// What it is called.
    pub fn id(&self) -> &RoomId {
        &self.id
    }

    /// Its namespace's policy.
    pub fn policy(&self) -> &RoomPolicy {
        &self.policy
    }

    /// Whether it has no members, lost ones counted as members.
    pub fn is_empty(&self) -> bool {
        self.roster.is_empty()
    }

    /// How many members it has.
    pub fn len(&self) -> usize {
        self.roster.len()
    }

    /// Takes its counters, which start again from 0.
    pub fn take_counters(&mut self) -> Counters {
        std::mem::take(&mut self.counters)
    }

    /// Takes in a member, answers it with `joined`, and tells the others in the tick. Then pull its roster with
    /// [`Self::poll_roster`]. A lost member of the same session is taken back: it never left (S4).
    ///
    /// # Errors
    /// `RoomFull`, or `TooLarge` for the presence.
    pub fn handle_join(
        &mut self,
        now: Timestamp,
        request: u32,
        member: NewMember,
    ) -> Result<Slot, Refusal> {
        if encoded_len(&member.presence) > self.policy.presence_bytes_max {
            return Err(Refusal::TooLarge);
        }
        let (rights, seen) = (member.rights, member.seen);
        let status = member.status;
        let lost = self.roster.find_lost(member.session);
        let slot = match lost {
            Some(slot) => {
                if self.roster.take_back(slot, member) {
                    self.changes.join(slot);
                } else {
                    self.changes.status(slot, status);
                }
                slot
            }
            None => {
                let slot = self.roster.add(now, member).ok_or(Refusal::RoomFull)?;
                self.changes.join(slot);
                slot
            }
        };
        let generation = self.generation(slot);
        self.motion.add_member(now, slot, generation);
        self.motion.set_away(now, slot, status == Status::Away);
        self.dirty = true;
        let (events, events_lost) = self.replay.after(self.id.epoch, seen);
        // One that has been told of events that wait for their tick is not told of them again.
        let seen = seen.filter(|_| !events_lost).map_or(0, |seen| seen.number);
        let joined = Joined {
            request,
            room: self.id.handle,
            epoch: self.id.epoch,
            slot,
            generation,
            tick: self.tick,
            rights,
            motion: self.policy.motion.clone(),
            event_last: self.replay.last_flushed().max(seen),
            events,
            events_lost,
            resumed: lost.is_some(),
        };
        self.control(Recipient::One(slot), &ToClient::Joined(joined));
        Ok(slot)
    }

    /// Puts the members that an earlier process has left into a room that is new. They are lost, and their grace begins
    /// now; it is 10 s at least (S5).
    pub fn handle_restored(&mut self, now: Timestamp, saved: SavedRoom) {
        let expiry = now + self.policy.grace.max(RESTORED_GRACE);
        for (slot, generation) in self.roster.restore(now, expiry, saved) {
            self.motion.add_member(now, slot, generation);
            self.motion.remove_viewer(slot);
        }
    }

    /// Its members, to be kept for [`Self::handle_restored`]; those without a session are left out.
    pub fn save(&self) -> SavedRoom {
        self.roster.save()
    }

    /// Ends a membership that its member ends, and answers it with `left`.
    pub fn handle_leave(&mut self, now: Timestamp, slot: Slot) {
        let left = Left { room: self.id.handle, reason: None };
        self.control(Recipient::One(slot), &ToClient::Left(left));
        self.remove(now, slot);
    }

    /// A member's connection is gone: it is lost at once, and removed when its grace, which began with the last packet
    /// heard, is over (R7).
    pub fn handle_lost(&mut self, slot: Slot, last_heard: Timestamp) {
        if self.roster.lose(slot, last_heard + self.policy.grace) {
            self.motion.remove_viewer(slot);
            self.edits.close_lane(slot);
            self.changes.status(slot, Status::Lost);
            self.dirty = true;
        }
    }

    /// A member's user is there, or is not (P4).
    pub fn handle_status(&mut self, now: Timestamp, slot: Slot, status: Status) {
        let status = if status == Status::Lost { Status::Away } else { status };
        if self.roster.set_status(slot, status) {
            self.motion.set_away(now, slot, status == Status::Away);
            self.changes.status(slot, status);
            self.dirty = true;
        }
    }

    /// Patches a member's presence (P1, P3).
    ///
    /// # Errors
    /// `TooLarge` if the patch is or the whole would be, `RateLimited` if the tick has all that it can carry of this
    /// member; nothing is changed then.
    pub fn handle_presence(&mut self, slot: Slot, patch: Map) -> Result<(), Refusal> {
        let bytes_max = self.policy.presence_bytes_max;
        let pending = self.changes.check_presence(slot, &patch, bytes_max)?;
        self.roster.patch(slot, &patch, bytes_max)?;
        self.changes.presence(slot, patch, pending);
        self.dirty = true;
        Ok(())
    }

    /// Takes an event, for all or for those named; it goes out in the tick (V1, V3). One for all is kept before anybody
    /// is told of it, where the namespace keeps events (V6).
    ///
    /// # Errors
    /// `TooLarge`, `NotFound` when a member named is not there, `BadRequest` when it is named twice, or
    /// `RateLimited` when the tick has all that it can carry.
    pub fn handle_event(
        &mut self,
        now: Timestamp,
        slot: Slot,
        event: SendEvent,
    ) -> Result<(), Refusal> {
        if encoded_len(&event.data) > self.policy.event_bytes_max {
            return Err(Refusal::TooLarge);
        }
        let time_ms = self.time_ms(now);
        let SendEvent { name, data, to, .. } = event;
        let (from, generation) = (slot, self.generation(slot));
        if to.is_empty() {
            let number = self.replay.next_number();
            let event = Event { number, from, generation, name, data, time_ms };
            let kept = self.policy.keeps_events.then(|| self.kept(&event)).flatten();
            self.replay.push(event)?;
            self.outputs.extend(kept.map(Output::Keep));
        } else {
            if to.iter().any(|slot| !self.roster.contains(*slot)) {
                return Err(Refusal::NotFound);
            }
            let room = self.id.handle;
            let direct = ToClient::Direct(Direct { room, from, generation, name, data, time_ms });
            self.directs.push(to, direct.encode())?;
        }
        self.dirty = true;
        Ok(())
    }

    /// Takes a motion sample: the newest of its member wins (M9). O(1).
    pub fn handle_sample(&mut self, slot: Slot, sample: &Sample) {
        if self.motion.handle_sample(slot, sample) {
            self.dirty |= self.motion.is_dirty();
        } else {
            self.counters.samples_stale += 1;
        }
    }

    /// A member wants to see only what lies in a rectangle, or all of the room again, and follows somebody (M13).
    pub fn handle_viewport(
        &mut self,
        slot: Slot,
        viewport: Option<Viewport>,
        follow: Option<Slot>,
    ) {
        self.motion.set_viewport(slot, viewport, follow);
        self.dirty |= self.motion.is_dirty();
    }

    /// Takes a viewer's ack of parts of a frame (M7).
    pub fn handle_ack(&mut self, now: Timestamp, slot: Slot, ack: &Ack) {
        self.motion.handle_ack(now, slot, ack);
    }

    /// A member's edits lane has ended, by its client.
    pub fn handle_edits_closed(&mut self, slot: Slot) {
        self.edits.close_lane(slot);
    }

    /// Opens a member's edits lane: what the first page lacks of the document follows by [`Self::poll_snapshot`].
    pub fn handle_open(&mut self, open: &Open) {
        self.edits.open(open.slot, open, &mut self.outputs);
    }

    /// Takes an edit: orders it and asks for it to be stored; it is answered by ack or reject (D2, D5 to D7). Nothing
    /// happens if the member has no edits lane. `refused` is what its session has against it: it is rejected for that,
    /// unless it has come before.
    pub fn handle_submit(
        &mut self,
        now: Timestamp,
        slot: Slot,
        submit: Submit,
        refused: Option<Refusal>,
    ) {
        let time_ms = self.time_ms(now);
        let Some(member) = self.roster.get(slot) else { return };
        let (generation, user) = (member.generation, member.user.clone());
        let author = Author { slot, generation, user, refused };
        self.edits.submit(author, submit, time_ms, &self.policy, &mut self.outputs);
    }

    /// Whether the store takes edits: while it does not, they are rejected as unavailable, and those that it was given
    /// before wait.
    pub fn handle_store_state(&mut self, is_available: bool) {
        self.edits.set_refusing(!is_available);
    }

    /// The store has all edits up to `sequence`: they are acked at once and told to all in the tick.
    pub fn handle_stored(&mut self, sequence: u64) {
        if self.edits.stored(sequence, &mut self.outputs) {
            self.dirty = true;
        }
    }

    /// Puts the document as the store has it into a room that is new.
    pub fn handle_loaded(&mut self, saved: SavedDocument) {
        self.last_time_ms = self.last_time_ms.max(saved.time_ms);
        self.edits.load(saved);
    }

    /// What members are told when their room is of no use any more, as a message of the control lane.
    pub fn closing(id: &RoomId, reason: Refusal) -> Bytes {
        ToClient::Left(Left { room: id.handle, reason: Some(reason) }).encode()
    }

    /// Does what is due: the tick, repeats, the end of graces. True if there was a tick.
    pub fn handle_timeout(&mut self, now: Timestamp) -> bool {
        while let Some(slot) = self.roster.expired(now) {
            self.remove(now, slot);
        }
        let is_tick = self.dirty && now >= self.next_tick();
        if is_tick {
            self.handle_tick(now);
        } else if self.motion.repeat_due().is_some_and(|due| now >= due) {
            self.counters.frames_repeated += self.motion.repeat(now, &mut self.outputs);
            self.dirty |= self.motion.is_dirty();
        }
        is_tick
    }

    /// Whether its ticks are used up: after 198 days at 250 in a second, or two years at 60. It can tell no motion from
    /// then on; who holds it ends it, and its next life begins at tick 0.
    pub fn is_worn_out(&self) -> bool {
        self.tick == Tick(u32::MAX)
    }

    /// What [`Self::handle_timeout`], and sending what came of it, took: a room whose ticks take too much of their time
    /// ticks more seldom (M14).
    pub fn handle_tick_took(&mut self, took: Duration) {
        self.counters.ticks_skipped += self.pace.handle_tick_took(took, self.policy.tick_period());
    }

    /// When [`Self::handle_timeout`] has something to do next; `None` for an idle room.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let tick = self.dirty.then(|| self.next_tick());
        [tick, self.motion.repeat_due(), self.roster.next_expiry()].into_iter().flatten().min()
    }

    /// The next thing to be done. Drain it after every `handle_*`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The next page of a new member's roster, at most 48 KiB; `None` once it has all. Take one whenever the member's
    /// queue has room, and send it in order with the room's other control messages.
    pub fn poll_roster(&mut self, slot: Slot) -> Option<Bytes> {
        let page = self.roster.page(slot, self.id.handle, self.tick)?;
        Some(ToClient::Roster(page).encode())
    }

    /// The next page of the document for a member whose edits lane was opened, at most 32 KiB; `None` once it has all.
    pub fn poll_snapshot(&mut self, slot: Slot) -> Option<Bytes> {
        Some(EditsToClient::Snapshot(self.edits.page(slot)?).encode())
    }

    /// Whether a member lacks pages of the roster, or of a document that it has opened.
    pub fn is_loading(&self, slot: Slot) -> bool {
        self.roster.is_loading(slot) || self.edits.is_loading(slot)
    }

    fn handle_tick(&mut self, now: Timestamp) {
        self.tick = self.schedule.tick_at(now);
        self.edits.flush(&mut self.outputs);
        for diff in self.changes.flush(self.id.handle, self.tick, &self.roster, &mut self.replay) {
            self.control(Recipient::All, &ToClient::Diff(diff));
        }
        self.directs.flush(&mut self.outputs);
        self.motion.tick(now, self.tick, &mut self.outputs);
        self.counters.frames_paced += self.motion.take_paced();
        self.dirty = !self.changes.is_empty()
            || self.replay.has_pending()
            || self.edits.has_pending()
            || self.motion.is_dirty();
    }

    fn remove(&mut self, now: Timestamp, slot: Slot) {
        if self.roster.remove(now, slot) {
            self.motion.remove_member(slot);
            self.edits.close_lane(slot);
            self.directs.remove(slot);
            self.changes.leave(slot);
            self.dirty = true;
        }
    }

    fn control(&mut self, to: Recipient, message: &ToClient) {
        self.outputs.push_back(Output::Control(to, message.encode()));
    }

    /// An event as it is kept, with who its sender is now.
    fn kept(&self, event: &Event) -> Option<KeptEvent> {
        let Event { number, from, name, data, time_ms, .. } = event.clone();
        let user = self.roster.get(from)?.user.clone();
        let id = EventId { epoch: self.id.epoch, number };
        Some(KeptEvent { id, user, name, data, time_ms })
    }

    fn generation(&self, slot: Slot) -> Generation {
        self.roster.get(slot).map_or(Generation(0), |member| member.generation)
    }

    fn next_tick(&self) -> Timestamp {
        self.schedule.start_of(Tick(self.tick.0.saturating_add(self.pace.stride())))
    }

    /// Milliseconds since the Unix epoch that never fall within a room.
    fn time_ms(&mut self, now: Timestamp) -> u64 {
        self.last_time_ms = self.last_time_ms.max(now.as_millis());
        self.last_time_ms
    }
}

#[cfg(test)]
mod tests;
