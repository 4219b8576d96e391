//! One room as a member sees it: who is there, what they say, where they point, and its document.

mod events;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::again::Standing;
use super::beat::{Beat, Path};
use super::edits::{Edits, Records, Way};
use super::event::{Event, Transmit};
use super::motion::Mover;
use crate::document;
use crate::ids::{EditorId, Epoch, Generation, RoomHandle, RoomName, Slot, Tick};
use crate::limits::AXES_MAX;
use crate::message::control::{
    self, Diff, Direct, ErrorMessage, Joined, Member, MotionFormat, Roster, Seen,
};
use crate::message::{Map, MessageError, Refusal, Rights};
use crate::motion::frame::FrameHeader;
use crate::motion::{Axes, DecodeError, Position, Received, View};
use crate::playback::Playback;
use crate::time::Timestamp;
use crate::varint::Reader;

/// A room that the session is a member of.
#[derive(Debug)]
pub struct Room {
    name: RoomName,
    /// By which the application names it, and by which the server does.
    handle: RoomHandle,
    wire: RoomHandle,
    request: u32,
    epoch: Epoch,
    slot: Slot,
    generation: Generation,
    rights: Rights,
    format: MotionFormat,
    tick: Tick,
    event_last: u64,
    missed: Vec<control::Event>,
    /// Those for this member alone that came before all others were known.
    early: Vec<Direct>,
    events_lost: bool,
    resumed: bool,
    /// The last event that was looked at for being one's own when the room was joined again.
    confirmed: u64,
    entered: bool,
    leaving: bool,
    members: BTreeMap<Slot, Member>,
    view: View,
    /// Whose motion is not told yet, and whose was told: who is told to be gone was there.
    moved: BTreeSet<Slot>,
    pub(super) shown: BTreeSet<Slot>,
    /// From the first sample on: who asks for none pays for none.
    playback: Option<Box<Playback>>,
    pub(super) edits: Option<Edits>,
    pub(super) standing: Standing,
    pub(super) mover: Mover,
    pub(super) beat: Beat,
}

impl Room {
    pub(super) fn new(name: RoomName, presence: Map, joined: Joined) -> Self {
        let format = joined.motion.format();
        Self {
            name,
            handle: joined.room,
            wire: joined.room,
            request: joined.request,
            epoch: joined.epoch,
            slot: joined.slot,
            generation: joined.generation,
            rights: joined.rights,
            format: joined.motion,
            tick: joined.tick,
            event_last: joined
                .events
                .first()
                .map_or(joined.event_last, |first| first.number.saturating_sub(1)),
            missed: joined.events,
            early: Vec::new(),
            events_lost: joined.events_lost,
            resumed: joined.resumed,
            confirmed: 0,
            entered: false,
            leaving: false,
            members: BTreeMap::new(),
            view: View::new(format, joined.epoch),
            moved: BTreeSet::new(),
            shown: BTreeSet::new(),
            playback: None,
            edits: None,
            standing: Standing::new(presence),
            mover: Mover::new(Duration::from_secs(1) / format.tick_hz),
            beat: Beat::new(format.tick_hz),
        }
    }

    /// Its full name.
    pub fn name(&self) -> &RoomName {
        &self.name
    }

    /// This member's own slot.
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// The generation of this member's own slot.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// What this member may do here.
    pub fn rights(&self) -> Rights {
        self.rights
    }

    /// How the room's motion is coded, and how often it ticks.
    pub fn motion_format(&self) -> &MotionFormat {
        &self.format
    }

    /// Whether it is a room of the present connection. If not, what is known of it is as the last one left it, and what
    /// is done in it waits.
    pub fn is_attached(&self) -> bool {
        self.standing.is_attached
    }

    /// Whether the server took this member back when it joined last (S4).
    pub fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// The last tick that the control lane brought.
    pub fn tick(&self) -> Tick {
        self.tick
    }

    /// Whether the roster is whole.
    pub fn is_entered(&self) -> bool {
        self.entered
    }

    /// The place in the room's events, for `enter` to go on from.
    pub fn seen(&self) -> Seen {
        Seen { epoch: self.epoch, number: self.event_last }
    }

    /// All members, this one too, in the order of their slots.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.known().values()
    }

    /// The member of a slot.
    pub fn member(&self, slot: Slot) -> Option<&Member> {
        self.known().get(&slot)
    }

    /// Where a member is; `None` if it is not in the room or has not moved yet. The own position comes back, too.
    pub fn position(&self, slot: Slot) -> Option<Position> {
        let generation = self.known().get(&slot)?.generation;
        let before = || self.standing.places.get(&slot).filter(|(of, _)| *of == generation);
        self.view.position(slot, generation).or_else(|| before().map(|(_, place)| *place))
    }

    /// The records of its document with this session's own edits; `None` until they are loaded.
    pub fn records(&self) -> Option<Records<'_>> {
        self.edits.as_ref()?.records()
    }

    /// How many edits of this session wait to be sent, or for their answer.
    pub fn unanswered_edits(&self) -> usize {
        self.edits.as_ref().map_or(0, Edits::unanswered)
    }

    /// Whether there is something to undo.
    pub fn can_undo(&self) -> bool {
        self.edits.as_ref().is_some_and(|edits| edits.can(Way::Undo))
    }

    /// Whether there is something to redo.
    pub fn can_redo(&self) -> bool {
        self.edits.as_ref().is_some_and(|edits| edits.can(Way::Redo))
    }

    /// Where a member is to be seen at `now`; what that takes is kept from the first call on.
    pub(super) fn sample(&mut self, now: Timestamp, slot: Slot) -> Option<[f64; AXES_MAX]> {
        let position = self.position(slot)?;
        let generation = self.known().get(&slot)?.generation;
        let playback = self.playback.get_or_insert_with(|| Box::new(Playback::new(&self.format)));
        let sample = playback.sample(slot, generation, now);
        Some(sample.unwrap_or_else(|| position.axes().map(f64::from)))
    }

    /// What the application is told when the membership has ended; before its roster was whole, the entry has failed.
    pub(super) fn ended(self, reason: Option<Refusal>) -> Event {
        if self.was_entered() {
            return Event::Left { room: self.handle, reason };
        }
        Event::Refused(ErrorMessage {
            request: Some(self.request),
            room: Some(self.handle),
            code: reason.unwrap_or(Refusal::RoomClosed),
            message: "the membership ended before the roster was whole".to_owned(),
            retry_after_ms: None,
        })
    }

    /// Whether it was entered, over this connection or one before.
    pub(super) fn was_entered(&self) -> bool {
        self.entered || self.standing.before.is_some()
    }

    /// The number of the entry that it came to be by.
    pub(super) fn request(&self) -> u32 {
        self.request
    }

    /// By which it is named on the wire of the present connection.
    pub(super) fn wire(&self) -> RoomHandle {
        self.wire
    }

    pub(super) fn handle(&self) -> RoomHandle {
        self.handle
    }

    pub(super) fn set_handle(&mut self, handle: RoomHandle) {
        self.handle = handle;
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Those of the connection before, until this one has brought all.
    fn known(&self) -> &BTreeMap<Slot, Member> {
        let before = self.standing.before.as_ref().filter(|_| !self.entered);
        before.unwrap_or(&self.members)
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.leaving
    }

    pub(super) fn leave(&mut self) {
        self.leaving = true;
        self.mover.stop();
    }

    pub(super) fn set_motion(&mut self, now: Timestamp, position: Position) {
        if !self.leaving {
            self.mover.set(now, self.axes().bring(position));
        }
    }

    pub(super) fn patch_self(&mut self, patch: &Map) {
        if let Some(member) = self.members.get_mut(&self.slot) {
            document::patch(&mut member.presence, patch);
        }
    }

    pub(super) fn handle_roster(&mut self, page: Roster, events: &mut VecDeque<Event>) {
        self.tick = page.tick;
        for mut member in page.members {
            if member.slot == self.slot {
                // Its own patches may be ahead.
                member.presence = self.standing.presence.clone();
            }
            self.put(member);
        }
        if !page.more && !self.entered {
            self.entered = true;
            events.push_back(Event::Entered {
                request: self.request,
                room: self.handle,
                resumed: self.resumed,
                events_lost: self.events_lost,
            });
            self.tell_changes(events);
            for event in std::mem::take(&mut self.missed) {
                self.handle_event(event, events);
            }
            events.extend(std::mem::take(&mut self.early).into_iter().map(Event::Direct));
        }
    }

    /// Applies a tick's changes. Before the roster is whole, changes of members that have not come yet are in the page
    /// that brings them (rule R5).
    pub(super) fn handle_diff(&mut self, diff: Diff, events: &mut VecDeque<Event>) {
        self.tick = diff.tick;
        for slot in diff.leaves {
            if let Some(playback) = &mut self.playback {
                playback.forget(slot);
            }
            if self.shown.contains(&slot) {
                self.moved.insert(slot);
            }
            if let Some(member) = self.members.remove(&slot)
                && self.entered
            {
                events.push_back(Event::MemberLeft { room: self.handle, member });
            }
        }
        let mut changed = BTreeSet::new();
        for member in diff.joins {
            let slot = member.slot;
            // The own join comes back, too, perhaps from before a patch that is applied here already.
            if slot == self.slot
                && let Some(own) = self.members.get_mut(&slot)
            {
                own.status = member.status;
                continue;
            }
            if !self.put(member) {
                // A page had it already, perhaps without its last patch.
                changed.insert(slot);
            } else if self.entered && slot != self.slot {
                events.push_back(Event::MemberJoined { room: self.handle, slot });
            }
        }
        for (slot, patch) in diff.presence {
            if let Some(member) = self.members.get_mut(&slot)
                && slot != self.slot
            {
                document::patch(&mut member.presence, &patch);
                changed.insert(slot);
            }
        }
        for (slot, status) in diff.statuses {
            if let Some(member) = self.members.get_mut(&slot) {
                member.status = status;
                changed.insert(slot);
            }
        }
        changed.remove(&self.slot);
        if self.entered {
            let room = self.handle;
            events.extend(changed.into_iter().map(|slot| Event::MemberChanged { room, slot }));
        }
        for event in diff.events {
            if self.entered {
                self.handle_event(event, events);
            } else {
                self.missed.push(event);
            }
        }
    }

    /// How its positions are made.
    pub(super) fn axes(&self) -> &Axes {
        &self.view.format().axes
    }

    /// Appends the own sample, if one is due.
    pub(super) fn poll_sample(
        &mut self,
        now: Timestamp,
        path: Path,
        last_number: &mut u32,
        out: &mut Vec<u8>,
    ) {
        if self.sample_due(path).is_some_and(|due| due <= now) {
            let axes = &self.view.format().axes;
            let news = self.mover.poll_sample(now, self.wire, axes, last_number, out);
            if let Some((position, tells)) = news {
                self.beat.handle_sent(now, tells.then_some(position));
            }
        }
    }

    pub(super) fn handle_timeout(
        &mut self,
        now: Timestamp,
        transmits: &mut VecDeque<Transmit>,
        events: &mut VecDeque<Event>,
    ) {
        self.mover.handle_timeout(now);
        self.beat.handle_timeout(now);
        let edits = self.edits.as_mut();
        if let Some(edits) = edits.filter(|e| e.reopen_at().is_some_and(|at| at <= now)) {
            edits.open_again(now, (self.wire, self.slot), transmits, events);
        }
    }

    /// When something of this room is due.
    pub(super) fn due(&self, path: Path) -> impl Iterator<Item = Timestamp> {
        let reopen = self.edits.as_ref().and_then(Edits::reopen_at);
        self.sample_due(path).into_iter().chain(self.beat.due()).chain(reopen)
    }

    /// When the own sample is due, if there is one.
    pub(super) fn sample_due(&self, path: Path) -> Option<Timestamp> {
        if !self.standing.is_attached {
            return None;
        }
        self.mover.due(|time| self.beat.slot_after(time, path))
    }

    pub(super) fn handle_frame(
        &mut self,
        now: Timestamp,
        header: &FrameHeader,
        reader: Reader<'_>,
    ) -> Result<Received, DecodeError> {
        let Self { view, moved, shown, mover, beat, playback, standing, .. } = self;
        let (own, generation) = (&self.slot, &self.generation);
        let mut playback = playback.as_mut().filter(|_| header.epoch_check == self.epoch.check());
        if let Some(playback) = &mut playback {
            playback.handle_frame(now, header.tick);
        }
        let received = view.handle_frame(header, reader, |slot, point| {
            if slot != *own {
                moved.insert(slot);
                if let Some(playback) = &mut playback {
                    playback.handle_point(slot, point);
                }
            } else if let Some(place) = point.place.filter(|at| at.generation == generation.low()) {
                mover.handle_echo(place.position);
            }
        })?;
        let slots = view.format().axes.slots_per_part();
        if received.parts != 0 && !standing.places.is_empty() {
            // Frames say now who of these parts is still to be seen.
            let is_told = |slot: &Slot| received.parts >> (slot.index() / slots) & 1 == 1;
            standing.places.retain(|slot, _| !is_told(slot));
            moved.extend(shown.iter().filter(|slot| is_told(slot)));
        }
        let part = own.index() / view.format().axes.slots_per_part();
        if received.parts >> part & 1 == 1
            && let Some(position) = view.position(*own, *generation)
        {
            beat.handle_shown(header.tick, position);
        }
        Ok(received)
    }

    /// Nothing while what has come is old: a client that wakes up goes on where the others are now (M16).
    pub(super) fn poll_motion(&mut self) -> Option<(Slot, Option<Position>)> {
        if self.beat.is_stale() {
            return None;
        }
        while let Some(slot) = self.moved.pop_first() {
            let position = self.position(slot);
            let is_news = position.is_some() || self.shown.remove(&slot);
            if position.is_some() {
                self.shown.insert(slot);
            }
            if is_news {
                return Some((slot, position));
            }
        }
        None
    }

    pub(super) fn open_document(
        &mut self,
        editor: EditorId,
        transmits: &mut VecDeque<Transmit>,
    ) -> &mut Edits {
        let Self { edits, handle, wire, slot, standing, .. } = self;
        edits.get_or_insert_with(|| {
            let mut edits = Edits::new(*handle, editor);
            if standing.is_attached {
                edits.open((*wire, *slot), transmits);
            }
            edits
        })
    }

    pub(super) fn handle_edits(
        &mut self,
        chunk: &[u8],
        transmits: &mut VecDeque<Transmit>,
        events: &mut VecDeque<Event>,
    ) -> Result<(), MessageError> {
        self.edits.as_mut().map_or(Ok(()), |edits| edits.handle_chunk(chunk, transmits, events))
    }

    pub(super) fn handle_edits_ended(&mut self, now: Timestamp, events: &mut VecDeque<Event>) {
        if let Some(edits) = &mut self.edits {
            edits.handle_ended(now, events);
        }
    }

    /// Keeps a member; true if it was not there before.
    fn put(&mut self, member: Member) -> bool {
        let generation = member.generation;
        let slot = member.slot;
        let old = self.members.insert(slot, member);
        let new = old.is_none_or(|old| old.generation != generation);
        // A frame may have come before the control lane brought its member.
        if new && slot != self.slot && self.view.position(slot, generation).is_some() {
            self.moved.insert(slot);
        }
        new
    }
}
