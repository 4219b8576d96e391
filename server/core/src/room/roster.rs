//! Who is in a room: slots and their generations, presence, status, and the pages of a new member's roster.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use hither_protocol::document;
use hither_protocol::limits::MEMBERS_MAX;
use hither_protocol::message::control::{self, Seen, Status, User};
use hither_protocol::message::{Map, Refusal, Rights, encoded_len};
use hither_protocol::{Generation, RoomHandle, Slot, Tick, Timestamp};

use super::saved::{SavedMember, SavedRoom};
use crate::session::SessionId;

/// How long a slot stays empty after a leave. With the byte of the generation in motion, no frame of its old member can
/// be taken for one of the new: a generation's byte comes again after 256 of these pauses at the earliest (R8).
const QUARANTINE: Duration = Duration::from_secs(1);

/// The most bytes of members in one page of a roster, so that a page fits a message.
const PAGE_BYTES_MAX: usize = 48 * 1024;

/// A session that joins a room.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewMember {
    /// Who it is.
    pub user: User,
    /// What it may do.
    pub rights: Rights,
    /// Its first presence.
    pub presence: Map,
    /// Whether its user is there.
    pub status: Status,
    /// The last event that it has seen of this room.
    pub seen: Option<Seen>,
    /// Its session: a lost member of the same one is taken back. Without one it is always new.
    pub session: Option<SessionId>,
}

/// A member of a room.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) generation: Generation,
    pub(super) user: User,
    pub(super) presence: Map,
    pub(super) status: Status,
    session: Option<SessionId>,
    /// When its grace ends, while it is lost.
    expiry: Option<Timestamp>,
    /// The slot from which its roster goes on; `None` when it has all.
    roster_from: Option<u16>,
}

/// The members by slot.
#[derive(Debug)]
pub(super) struct Roster {
    members_max: usize,
    slots: Vec<Option<Member>>,
    generations: Vec<u32>,
    len: usize,
    /// Freed slots with the time from which they may be given again, the oldest first.
    free: VecDeque<(Timestamp, Slot)>,
    /// Lost members by the end of their grace.
    lost: BTreeSet<(Timestamp, Slot)>,
}

impl Roster {
    pub(super) fn new(members_max: usize) -> Self {
        Self {
            members_max,
            slots: Vec::new(),
            generations: Vec::new(),
            len: 0,
            free: VecDeque::new(),
            lost: BTreeSet::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn get(&self, slot: Slot) -> Option<&Member> {
        self.slots.get(slot.index())?.as_ref()
    }

    pub(super) fn contains(&self, slot: Slot) -> bool {
        self.get(slot).is_some()
    }

    /// Gives a member a slot; `None` if the room is full.
    pub(super) fn add(&mut self, now: Timestamp, new: NewMember) -> Option<Slot> {
        let slot = self.take_slot(now)?;
        self.len += 1;
        self.slots[slot.index()] = Some(Member {
            generation: Generation(self.generations[slot.index()]),
            user: new.user,
            presence: new.presence,
            status: new.status,
            session: new.session,
            expiry: None,
            roster_from: Some(0),
        });
        Some(slot)
    }

    /// The lost member of a session (S4).
    pub(super) fn find_lost(&self, session: Option<SessionId>) -> Option<Slot> {
        let session = session?;
        let is_its = |slot: &Slot| self.get(*slot).is_some_and(|m| m.session == Some(session));
        self.lost.iter().map(|(_, slot)| *slot).find(is_its)
    }

    /// Takes a lost member back as who it is now; true if its presence is another one than before.
    pub(super) fn take_back(&mut self, slot: Slot, new: NewMember) -> bool {
        let Some(Some(member)) = self.slots.get_mut(slot.index()) else { return false };
        if let Some(expiry) = member.expiry.take() {
            self.lost.remove(&(expiry, slot));
        }
        let is_changed = member.presence != new.presence || member.user != new.user;
        member.user = new.user;
        member.presence = new.presence;
        member.status = new.status;
        member.roster_from = Some(0);
        is_changed
    }

    /// Takes a member out; false if there was none.
    pub(super) fn remove(&mut self, now: Timestamp, slot: Slot) -> bool {
        let Some(member) = self.slots.get_mut(slot.index()).and_then(Option::take) else {
            return false;
        };
        self.len -= 1;
        if let Some(expiry) = member.expiry {
            self.lost.remove(&(expiry, slot));
        }
        self.generations[slot.index()] = member.generation.0.wrapping_add(1);
        self.free.push_back((now + QUARANTINE, slot));
        true
    }

    /// Marks a member as lost until `expiry`; false if it was already, or is not there.
    pub(super) fn lose(&mut self, slot: Slot, expiry: Timestamp) -> bool {
        match self.slots.get_mut(slot.index()) {
            Some(Some(member)) if member.expiry.is_none() => {
                member.status = Status::Lost;
                member.expiry = Some(expiry);
                self.lost.insert((expiry, slot))
            }
            _ => false,
        }
    }

    /// The first lost member whose grace has ended; it is still there.
    pub(super) fn expired(&self, now: Timestamp) -> Option<Slot> {
        self.lost.first().filter(|(expiry, _)| *expiry <= now).map(|(_, slot)| *slot)
    }

    pub(super) fn next_expiry(&self) -> Option<Timestamp> {
        self.lost.first().map(|lost| lost.0)
    }

    /// Sets a member's status; false if that changes nothing.
    pub(super) fn set_status(&mut self, slot: Slot, status: Status) -> bool {
        match self.slots.get_mut(slot.index()) {
            Some(Some(member)) if member.status != status => {
                member.status = status;
                true
            }
            _ => false,
        }
    }

    /// Patches a member's presence, if the whole stays within `bytes_max`.
    pub(super) fn patch(
        &mut self,
        slot: Slot,
        patch: &Map,
        bytes_max: usize,
    ) -> Result<(), Refusal> {
        let Some(Some(member)) = self.slots.get_mut(slot.index()) else {
            return Err(Refusal::NotFound);
        };
        let mut presence = member.presence.clone();
        document::patch(&mut presence, patch);
        if encoded_len(&presence) > bytes_max {
            return Err(Refusal::TooLarge);
        }
        member.presence = presence;
        Ok(())
    }

    /// All that is kept of the members.
    pub(super) fn save(&self) -> SavedRoom {
        let saved = |(index, member): (usize, &Option<Member>)| {
            let Member { generation, user, presence, session, .. } = member.as_ref()?;
            let (user, presence) = (user.clone(), presence.clone());
            let (slot, generation, session) = (Slot(index as u16), *generation, (*session)?);
            Some(SavedMember { slot, generation, session, user, presence })
        };
        let members = self.slots.iter().enumerate().filter_map(saved).collect();
        // Who is not kept has had its generation.
        let is_left_out =
            |slot: &Option<Member>| slot.as_ref().is_some_and(|m| m.session.is_none());
        let slots = self.slots.iter().zip(&self.generations);
        let generations =
            slots.map(|(slot, generation)| generation.wrapping_add(is_left_out(slot).into()));
        SavedRoom { members, generations: generations.collect() }
    }

    /// Puts members that were kept into an empty roster, lost until `expiry`; returns who they are. Slots without one
    /// are free. What can't have been kept by this is left out.
    pub(super) fn restore(
        &mut self,
        now: Timestamp,
        expiry: Timestamp,
        saved: SavedRoom,
    ) -> Vec<(Slot, Generation)> {
        self.generations = saved.generations;
        self.generations.truncate(MEMBERS_MAX);
        self.slots.resize_with(self.generations.len(), || None);
        let mut restored = Vec::new();
        for SavedMember { slot, generation, session, user, presence } in saved.members {
            let Some(place @ None) = self.slots.get_mut(slot.index()) else { continue };
            self.generations[slot.index()] = generation.0;
            let (status, session, expiry) = (Status::Lost, Some(session), Some(expiry));
            let roster_from = None;
            let member =
                Member { generation, user, presence, status, session, expiry, roster_from };
            *place = Some(member);
            restored.push((slot, generation));
        }
        self.len = restored.len();
        self.lost = restored.iter().map(|(slot, _)| (expiry, *slot)).collect();
        let free = (0..self.slots.len()).filter(|index| self.slots[*index].is_none());
        self.free = free.map(|index| (now + QUARANTINE, Slot(index as u16))).collect();
        restored
    }

    /// A member as others see it.
    pub(super) fn describe(&self, slot: Slot) -> Option<control::Member> {
        self.get(slot).map(|member| control::Member {
            slot,
            generation: member.generation,
            user: member.user.clone(),
            presence: member.presence.clone(),
            status: member.status,
        })
    }

    /// Whether the member at `to` lacks a part of the roster.
    pub(super) fn is_loading(&self, to: Slot) -> bool {
        self.get(to).is_some_and(|member| member.roster_from.is_some())
    }

    /// The next page of the roster of the member at `to`.
    pub(super) fn page(
        &mut self,
        to: Slot,
        room: RoomHandle,
        tick: Tick,
    ) -> Option<control::Roster> {
        let from = self.get(to)?.roster_from?;
        let mut page = control::Roster { room, tick, members: Vec::new(), more: false };
        let mut bytes = 0;
        let mut next = None;
        for index in from..self.slots.len() as u16 {
            let Some(member) = self.describe(Slot(index)) else { continue };
            bytes += encoded_len(&member);
            if bytes > PAGE_BYTES_MAX && !page.members.is_empty() {
                next = Some(index);
                break;
            }
            page.members.push(member);
        }
        page.more = next.is_some();
        if let Some(Some(member)) = self.slots.get_mut(to.index()) {
            member.roster_from = next;
        }
        Some(page)
    }

    fn take_slot(&mut self, now: Timestamp) -> Option<Slot> {
        if self.len >= self.members_max {
            return None;
        }
        let free = self.free.front().filter(|(from, _)| *from <= now).map(|(_, slot)| *slot);
        if free.is_some() {
            self.free.pop_front();
            return free;
        }
        if self.slots.len() >= MEMBERS_MAX {
            return None;
        }
        self.slots.push(None);
        self.generations.push(0);
        Some(Slot((self.slots.len() - 1) as u16))
    }
}
