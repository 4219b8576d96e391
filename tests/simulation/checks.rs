//! What has to be true once a world is quiet: every client's view of each of its rooms is the room's own.

use std::collections::BTreeMap;

use hither_protocol::message::Value;
use hither_protocol::message::control::{Member, Status};
use hither_protocol::motion::{Axis, Position};
use hither_protocol::session::Room;
use hither_protocol::{RoomHandle, Slot};

use crate::client::{Client, Stay};
use crate::world::{World, holds};
use hither_tests::server::{ConnectionId, Served};

/// A room that is written down grows with what it keeps: some events and edits, a document of eight records, and
/// for each slot its presence and its last steps.
const TEXT_MAX: usize = 100_000;
const TEXT_PER_SLOT_MAX: usize = 8_000;
/// And for each viewer with a viewport the last steps that it was sent of each slot in sight.
const TEXT_PER_SIGHT_MAX: usize = 2_000;

impl World {
    /// Everything that is wrong with a world that has run; empty if it kept all promises.
    pub(crate) fn check(&mut self) -> Vec<String> {
        let mut findings = std::mem::take(&mut self.findings);
        findings.extend(self.check_idle());
        let clients: Vec<(usize, &Client)> = self
            .users
            .iter()
            .enumerate()
            .filter_map(|(at, user)| Some((at, user.client.as_ref()?)))
            .collect();
        for (user, client) in &clients {
            if !client.entering.is_empty() {
                findings.push(format!("user {user}: no answer to {:?}", client.entering));
            }
            for (handle, stay) in &client.stays {
                let served = &self.server.rooms[handle];
                let wrong = self.check_stay(client, *handle, stay, served);
                findings.extend(
                    wrong.into_iter().map(|wrong| format!("user {user}, {}: {wrong}", stay.name)),
                );
            }
        }
        findings
    }

    /// An idle room has no timer, and has kept nothing that is of no use any more.
    fn check_idle(&self) -> Vec<String> {
        let mut findings = Vec::new();
        for served in self.server.rooms.values() {
            if served.room.poll_timeout().is_some() {
                findings.push(format!("{} still waits for something", served.room.id().name));
            }
            let slots = served.viewers.keys().next_back().map_or(0, |slot| slot.index() + 1);
            let handle = served.room.id().handle;
            let clients = self.users.iter().filter_map(|user| user.client.as_ref());
            let stays = clients.filter_map(|client| client.stays.get(&handle));
            let sights = stays.filter(|stay| stay.viewport.is_some()).count();
            let text = format!("{:?}", served.room).len();
            let per_slot = TEXT_PER_SLOT_MAX + sights * TEXT_PER_SIGHT_MAX;
            if text > TEXT_MAX + slots * per_slot {
                findings.push(format!("{text} bytes to write down what {slots} slots need"));
            }
            if served.room.len() != served.viewers.len() {
                let (len, viewers) = (served.room.len(), served.viewers.len());
                findings.push(format!("{len} members, {viewers} of them connected"));
            }
        }
        findings
    }

    fn check_stay(
        &self,
        client: &Client,
        handle: RoomHandle,
        stay: &Stay,
        served: &Served,
    ) -> Vec<String> {
        if stay.leaving {
            return vec!["the room was left, and never answered".into()];
        }
        let view = client.session.room(handle).expect("an entered room");
        let own = (view.slot(), view.generation());
        let mut findings = self.check_members(client, handle, view, served);
        let from = self.server.connections[&client.connection].joins[&handle].1;
        let events = (1..).zip(&served.events).skip(from as usize);
        let expected: Vec<(u64, Slot, Value)> = events
            .filter(|(_, (slot, generation, _))| (*slot, *generation) != own)
            .map(|(number, (slot, _, event))| (number, *slot, event.data.clone()))
            .collect();
        if stay.events != expected {
            findings.push(format!("events {:?}, not {expected:?}", stay.events));
        }
        let directs = served.directs.get(&own.0).into_iter().flatten().map(|event| &event.data);
        if !stay.directs.iter().eq(directs) {
            findings.push(format!("directs {:?}", stay.directs));
        }
        if stay.answers.len() as u64 != stay.submitted {
            findings.push(format!("{} edits, {} answers", stay.submitted, stay.answers.len()));
        }
        let mine = (1..).zip(&served.edits).filter(|(_, edit)| (edit.0, edit.1) == own);
        let mine: BTreeMap<u64, u64> = mine.map(|(sequence, edit)| (edit.2, sequence)).collect();
        let acked: BTreeMap<u64, u64> = stay
            .answers
            .iter()
            .filter_map(|(number, sequence)| Some((*number, (*sequence)?)))
            .collect();
        if mine != acked {
            findings.push(format!("acked edits {acked:?}, stored {mine:?}"));
        }
        if stay.loaded {
            let records = view.records().expect("it is loaded");
            let (has, wants) = (records.confirmed(), &served.document);
            if has != wants {
                findings.push(format!("document {has:?}, not {wants:?}"));
            }
            if !records.iter().eq(wants.records().map(|(id, _, fields)| (id, fields))) {
                findings.push(format!("records {records:?}, not {wants:?}"));
            }
        }
        if !stay.loaded && stay.submitted > 0 {
            findings.push("the document never came".into());
        }
        findings
    }

    fn check_members(
        &self,
        client: &Client,
        handle: RoomHandle,
        view: &Room,
        served: &Served,
    ) -> Vec<String> {
        let mut findings = Vec::new();
        let slots: Vec<Slot> = view.members().map(|member| member.slot).collect();
        let format = view.motion_format().format();
        let axes = format.axes.axes();
        let others = slots.iter().copied().filter(|slot| *slot != view.slot());
        let places = others.filter_map(|slot| Some((slot, view.position(slot)?)));
        let places: BTreeMap<Slot, Position> = places.collect();
        let told = &client.stays[&handle].told;
        if *told != places {
            findings.push(format!("told of {told:?}, and {places:?} is so"));
        }
        let expected: Vec<Slot> = served.viewers.keys().copied().collect();
        if slots != expected {
            return vec![format!("members {slots:?}, not {expected:?}")];
        }
        for (&slot, &id) in &served.viewers {
            let Some(other) = self.client_of(id) else { continue };
            let Some(theirs) = other.session.room(handle) else { continue };
            let (seen, true_one) = (view.member(slot), own_member(other, theirs));
            if seen != true_one.as_ref() {
                findings.push(format!("member {seen:?}, not {true_one:?}"));
            }
            let position = other.stays.get(&handle).and_then(|stay| stay.position);
            let is_unsure = position.is_none() && other.left.contains(&handle);
            let stay = &client.stays[&handle];
            let seen = view.position(slot);
            let is_right = match sight_of(stay, slot, axes, position) {
                Sight::In => seen == position,
                Sight::Either => seen == position || seen.is_none(),
                Sight::Out => seen.is_none(),
            };
            if client.status == Status::Active && slot != view.slot() && !is_right && !is_unsure {
                let looks = (&stay.viewport, &stay.follow);
                findings.push(format!("slot {slot} at {seen:?}, not {position:?}; {looks:?}"));
            }
        }
        findings
    }

    fn client_of(&self, id: ConnectionId) -> Option<&Client> {
        self.users.iter().filter_map(|user| user.client.as_ref()).find(|one| one.connection == id)
    }
}

/// Whether a member is to be seen (M13).
enum Sight {
    In,
    /// In the margin, where it depends on where it came from.
    Either,
    Out,
}

fn sight_of(stay: &Stay, slot: Slot, axes: &[Axis], position: Option<Position>) -> Sight {
    let (Some(viewport), Some(position)) = (&stay.viewport, position) else { return Sight::In };
    let is_within = |part: i64| holds(viewport, Some(part), axes, position);
    if stay.follow == Some(slot) || is_within(10) {
        Sight::In
    } else if is_within(4) {
        Sight::Either
    } else {
        Sight::Out
    }
}

/// A member as it knows itself.
fn own_member(client: &Client, view: &Room) -> Option<Member> {
    let member = view.member(view.slot())?.clone();
    Some(Member { status: client.status, generation: view.generation(), ..member })
}
