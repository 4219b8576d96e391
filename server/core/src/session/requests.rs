//! What a client asks of rooms: whether it may, in what rate, and whether it is of a size. Apart from the session's own
//! life, since each of them is one question with one answer.

use hither_protocol::limits::{
    DEPTH_MAX, EVENT_NAME_BYTES_MAX, EVENT_TARGETS_MAX, KEPT_EVENTS_MAX,
};
use hither_protocol::message::control::{
    AskKept, Join, Kept, Presence, SendEvent, SetViewport, ToClient, User,
};
use hither_protocol::message::{Map, Refusal, Rights, Value};
use hither_protocol::{RoomName, Timestamp};

use super::membership::rate_limited;
use super::{Effect, Session, State};
use crate::room::NewMember;

impl Session {
    pub(super) fn handle_join(&mut self, now: Timestamp, join: Join) {
        let request = join.request;
        if let Err(pause) = self.requests.take(now) {
            return self.refuse_until(Some(request), None, rate_limited(pause));
        }
        let Ok(name) = join.room.parse::<RoomName>() else {
            return self.refuse(Some(request), None, Refusal::BadRequest);
        };
        let rights = self.rights_in(&name);
        let refusal = if self.rooms.values().any(|member| member.name == name) {
            Some(Refusal::AlreadyJoined)
        } else if self.rooms.len() >= self.policy.rooms_max {
            Some(Refusal::TooManyRooms)
        } else if !rights.contains(Rights::JOIN)
            || (!join.presence.is_empty() && !rights.contains(Rights::PRESENCE))
        {
            Some(Refusal::Forbidden)
        } else if is_too_deep(&join.presence) {
            Some(Refusal::TooLarge)
        } else {
            None
        };
        if let Some(code) = refusal {
            return self.refuse(Some(request), None, code);
        }
        let State::Welcome { grant, id } = &self.state else { return };
        let member = NewMember {
            user: User { id: grant.user_id.clone(), name: grant.name.clone() },
            rights,
            presence: join.presence,
            status: self.status,
            seen: join.seen,
            session: Some(*id),
        };
        self.joining = Some(name.clone());
        self.effects.push_back(Effect::Join { request, name, member });
    }

    pub(super) fn handle_presence(&mut self, now: Timestamp, presence: Presence) {
        let Presence { room, patch } = presence;
        let Some(member) = self.rooms.get_mut(&room) else {
            return self.refuse(None, Some(room), Refusal::NotFound);
        };
        let slot = member.slot;
        let taken = match member.take_presence(now, &mut self.allowances[member.allowance]) {
            Ok(()) if is_too_deep(&patch) => Err((Refusal::TooLarge, None)),
            taken => taken,
        };
        match taken {
            Ok(()) => self.effects.push_back(Effect::Presence { room, slot, patch }),
            Err(not_taken) => self.refuse_until(None, Some(room), not_taken),
        }
    }

    pub(super) fn handle_event(&mut self, now: Timestamp, event: SendEvent) {
        let room = event.room;
        let Some(member) = self.rooms.get_mut(&room) else {
            return self.refuse(None, Some(room), Refusal::NotFound);
        };
        let slot = member.slot;
        let taken = match member.take_event(now, &mut self.allowances[member.allowance]) {
            Ok(()) if event.name.is_empty() => Err((Refusal::BadRequest, None)),
            Ok(())
                if event.name.len() > EVENT_NAME_BYTES_MAX
                    || event.to.len() > EVENT_TARGETS_MAX
                    || event.data.depth() > DEPTH_MAX =>
            {
                Err((Refusal::TooLarge, None))
            }
            taken => taken,
        };
        match taken {
            Ok(()) => self.effects.push_back(Effect::Event { room, slot, event }),
            Err(not_taken) => self.refuse_until(None, Some(room), not_taken),
        }
    }

    /// Any member may look at what is kept. Whatever comes of it, there is one answer (V6).
    pub(super) fn handle_ask_kept(&mut self, now: Timestamp, ask: AskKept) {
        let AskKept { request, room, limit, .. } = ask;
        let refusal = match self.requests.take(now) {
            Err(pause) => Some(rate_limited(pause)),
            Ok(()) => (!self.rooms.contains_key(&room)).then_some((Refusal::NotFound, None)),
        };
        let Some((code, retry_after_ms)) = refusal else {
            let limit = limit.clamp(1, KEPT_EVENTS_MAX as u32);
            return self.effects.push_back(Effect::Kept(AskKept { limit, ..ask }));
        };
        self.effects.push_back(Effect::Refused(code));
        let (events, refused) = (Vec::new(), Some(code));
        self.send(&ToClient::Kept(Kept { request, room, events, refused, retry_after_ms }));
    }

    pub(super) fn handle_viewport(&mut self, now: Timestamp, view: &SetViewport) {
        let SetViewport { room, viewport, follow } = *view;
        let Some(member) = self.rooms.get_mut(&room) else {
            return self.refuse(None, Some(room), Refusal::NotFound);
        };
        let slot = member.slot;
        match self.allowances[member.allowance].take_view(now) {
            Ok(()) => self.effects.push_back(Effect::Viewport { room, slot, viewport, follow }),
            Err(not_taken) => self.refuse_until(None, Some(room), not_taken),
        }
    }
}

fn is_too_deep(map: &Map) -> bool {
    map.values().map(Value::depth).max().unwrap_or(0) > DEPTH_MAX
}
