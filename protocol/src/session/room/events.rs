//! A room's events as a member hears them: in order, once each, and with every gap told. Apart from the room's state,
//! which they change nothing of.

use std::collections::VecDeque;

use super::Room;
use crate::message::control::{self, Direct, EventId};
use crate::session::event::Event;

impl Room {
    /// Takes an event for this member alone; it is told once those are known who may have sent it.
    pub(in crate::session) fn handle_direct(
        &mut self,
        direct: Direct,
        events: &mut VecDeque<Event>,
    ) {
        if self.entered {
            events.push_back(Event::Direct(direct));
        } else {
            self.early.push(direct);
        }
    }

    /// The old room was joined again, too, and ended before that could be told.
    pub(in crate::session) fn take_over_untold(&mut self, old: &Self) {
        self.events_lost |= old.events_lost;
        self.resumed &= old.resumed;
    }

    /// Finds the own events among those that came with the join.
    pub(in crate::session) fn find_own_events(
        &mut self,
        old: &Self,
        found: impl FnMut(&control::Event),
    ) {
        let own = (old.slot, old.generation);
        let is_own = |event: &&control::Event| (event.from, event.generation) == own;
        self.missed.iter().filter(is_own).for_each(found);
        self.confirmed = self.missed.last().map_or(0, |event| event.number);
    }

    pub(in crate::session) fn has_lost_events(&self) -> bool {
        self.events_lost
    }

    pub(super) fn handle_event(&mut self, event: control::Event, events: &mut VecDeque<Event>) {
        if event.number <= self.event_last {
            return;
        }
        if event.number != self.event_last + 1 {
            events.push_back(Event::EventsLost { room: self.handle });
        }
        self.event_last = event.number;
        if event.from == self.slot && event.generation == self.generation {
            if event.number > self.confirmed {
                self.confirm(&event);
            }
            return;
        }
        events.push_back(Event::Broadcast {
            room: self.handle,
            from: event.from,
            id: EventId { epoch: self.epoch, number: event.number },
            name: event.name,
            data: event.data,
            time_ms: event.time_ms,
        });
    }
}
