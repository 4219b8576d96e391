//! A room's motion: the newest sample of each member, the viewers, and the frames of each tick and their repeats.
//!
//! A sample is O(1): it is stored and its slot marked. The tick drains the marks into the tracks, then gives each
//! viewer the parts in which somebody else moved since what it has acked, so a lost frame is made good by the next
//! tick, or by a repeat when somebody rests (M11, M12). Viewers of the whole room share what is encoded; one with a
//! viewport has a `sight` of its own (M13).

mod buffer;
mod fanout;
mod grid;
mod mover;
mod news;
mod patience;
mod rectangle;
mod round_trip;
mod sight;
mod stops;
mod viewer;

use std::collections::VecDeque;
use std::time::Duration;

use hither_protocol::message::control::Viewport;
use hither_protocol::motion::Format;
use hither_protocol::motion::frame::PartHeader;
use hither_protocol::motion::upward::{Ack, Sample};
use hither_protocol::{Epoch, Generation, RoomHandle, Slot, Tick, Timestamp};

use super::Output;
use fanout::Fanout;
use grid::Grid;
use mover::Mover;
use patience::Patience;
use rectangle::Rectangle;
use sight::{Sight, Space};
use stops::Stops;
use viewer::Viewer;

/// How many past ticks' times are kept to measure round trips.
const TICK_TIMES_MAX: usize = 64;

/// Of how long a slot's momentum is taken, in milliseconds: at 60 ticks a second each other one says something new.
const MOMENTUM_MS: u32 = 34;

/// All motion of a room.
#[derive(Debug)]
pub(super) struct Motion {
    format: Format,
    tick_period: Duration,
    /// How many ticks before a baseline its reference lies at least.
    lag: u32,
    movers: Vec<Mover>,
    dirty: Vec<Slot>,
    parts: Vec<Stops>,
    /// Nothing before this tick can be a baseline of all: a slot's points of then are forgotten.
    horizon: Tick,
    viewers: Vec<Option<Viewer>>,
    fanout: Fanout,
    grid: Grid,
    scratch: sight::Scratch,
    tick: Tick,
    tick_times: VecDeque<(Tick, Timestamp)>,
    repeat_due: Option<Timestamp>,
    patience: Patience,
    has_backlog: bool,
    headers: Vec<PartHeader>,
    /// Frames that were not sent since their viewer's path is congested, or since it is silent.
    paced: u64,
}

/// Why a viewer is sent a frame.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reason {
    Tick,
    Repeat,
}

impl Motion {
    pub(super) fn new(room: RoomHandle, epoch: Epoch, format: Format) -> Self {
        Self {
            format,
            tick_period: Duration::from_secs(1) / format.tick_hz,
            lag: (MOMENTUM_MS * format.tick_hz / 1_000).max(1),
            movers: Vec::new(),
            dirty: Vec::new(),
            parts: Vec::new(),
            horizon: Tick(0),
            viewers: Vec::new(),
            fanout: Fanout::new(room, epoch.check()),
            grid: Grid::default(),
            scratch: sight::Scratch::default(),
            tick: Tick(0),
            tick_times: VecDeque::with_capacity(TICK_TIMES_MAX),
            repeat_due: None,
            patience: Patience::default(),
            has_backlog: false,
            headers: Vec::new(),
            paced: 0,
        }
    }

    /// A member is there, or is again; as a viewer it begins with nothing acked, and where it was it still is.
    pub(super) fn add_member(&mut self, now: Timestamp, slot: Slot, generation: Generation) {
        let index = slot.index();
        if index >= self.movers.len() {
            let parts = index / self.format.axes.slots_per_part() + 1;
            self.movers.resize_with(index + 1, Mover::default);
            self.viewers.resize_with(index + 1, || None);
            self.parts.resize_with(parts.max(self.parts.len()), Stops::default);
        }
        self.movers[index].begin(generation);
        self.viewers[index] = Some(Viewer::new(now));
    }

    /// A member is gone: the next frame to those who know where it was says so.
    pub(super) fn remove_member(&mut self, slot: Slot) {
        if let Some(mover) = self.movers.get_mut(slot.index()) {
            mover.end();
            self.dirty.push(slot);
        }
        self.remove_viewer(slot);
    }

    /// A member's connection is gone; the others still see where it was.
    pub(super) fn remove_viewer(&mut self, slot: Slot) {
        if let Some(viewer) = self.viewers.get_mut(slot.index()) {
            *viewer = None;
        }
    }

    /// A viewer looks away, or back; then it is told what it missed.
    pub(super) fn set_away(&mut self, now: Timestamp, slot: Slot, away: bool) {
        if let Some(Some(viewer)) = self.viewers.get_mut(slot.index())
            && viewer.away != away
        {
            viewer.set_away(now, away);
            self.has_backlog |= !away;
        }
    }

    /// A viewer wants to see a part of the room, or all of it again; its next frame says what comes and goes by that.
    pub(super) fn set_viewport(
        &mut self,
        slot: Slot,
        viewport: Option<Viewport>,
        follow: Option<Slot>,
    ) {
        let Some(Some(viewer)) = self.viewers.get_mut(slot.index()) else { return };
        if viewport.is_none() && viewer.sight.is_none() {
            return;
        }
        self.has_backlog = true;
        let rectangle = viewport.map(|viewport| Rectangle::new(&viewport, &self.format.axes));
        if let Some(rectangle) = &rectangle {
            self.grid.suit(rectangle);
        }
        let has = if viewer.was_sent_any() { self.movers.as_slice() } else { &[] };
        let sight = viewer.sight.get_or_insert_with(|| Box::new(Sight::new(has, self.horizon)));
        sight.look(rectangle, follow);
    }

    /// Keeps a sample if it is its member's newest; false if it is not.
    pub(super) fn handle_sample(&mut self, slot: Slot, sample: &Sample) -> bool {
        let Some(mover) = self.movers.get_mut(slot.index()) else { return false };
        if mover.generation.is_none() {
            return false;
        }
        if mover.number.is_some_and(|number| sample.number <= number) {
            // The repeat of the newest is no news, but not stale either.
            return mover.number == Some(sample.number);
        }
        mover.number = Some(sample.number);
        if mover.pending.is_none() {
            self.dirty.push(slot);
        }
        mover.pending = Some(sample.position);
        if let Some(Some(viewer)) = self.viewers.get_mut(slot.index()) {
            viewer.handle_sign_of_life();
        }
        true
    }

    /// Whether something waits for the tick.
    pub(super) fn is_dirty(&self) -> bool {
        self.has_backlog || !self.dirty.is_empty()
    }

    /// Takes an ack; one of what was never sent means nothing.
    pub(super) fn handle_ack(&mut self, now: Timestamp, slot: Slot, ack: &Ack) {
        let Some(Some(viewer)) = self.viewers.get_mut(slot.index()) else { return };
        let sent = self.tick_times.iter().rev().find(|(tick, _)| *tick == ack.tick);
        if viewer.handle_ack(now, ack.tick, ack.parts, sent.map(|(_, sent)| *sent)) {
            self.patience.handle_ack();
        }
    }

    /// Moves what waits into the tracks, and gives every viewer its frame.
    pub(super) fn tick(&mut self, now: Timestamp, tick: Tick, outputs: &mut VecDeque<Output>) {
        self.tick = tick;
        if self.tick_times.len() == TICK_TIMES_MAX {
            self.tick_times.pop_front();
        }
        self.tick_times.push_back((tick, now));
        self.drain(tick);
        self.fanout.begin(tick);
        self.has_backlog = false;
        for index in 0..self.viewers.len() {
            self.send(now, Slot(index as u16), Reason::Tick, outputs);
        }
        self.repeat_due = self.next_repeat();
    }

    /// When somebody may need a repeat, or a frame that was put off.
    pub(super) fn repeat_due(&self) -> Option<Timestamp> {
        self.repeat_due
    }

    /// Sends again where somebody rests to those who should have acked it by now, and what was put off; returns how
    /// many frames were sent again.
    pub(super) fn repeat(&mut self, now: Timestamp, outputs: &mut VecDeque<Output>) -> u64 {
        // What was encoded for one moment is not kept for the next, which may be long before a tick.
        self.fanout.begin(self.tick);
        let mut repeated = 0;
        for index in 0..self.viewers.len() {
            let slot = Slot(index as u16);
            if self.repeat_at(slot).is_some_and(|due| due <= now) {
                repeated += u64::from(self.send_again(now, slot, outputs));
            }
        }
        self.repeat_due = self.next_repeat();
        repeated
    }

    /// How many frames were not sent for the viewer's pace since this was last asked.
    pub(super) fn take_paced(&mut self) -> u64 {
        std::mem::take(&mut self.paced)
    }

    fn drain(&mut self, tick: Tick) {
        let slots = self.format.axes.slots_per_part();
        let mut changed: u128 = 0;
        for slot in self.dirty.drain(..) {
            let Some(mover) = self.movers.get_mut(slot.index()) else { continue };
            if mover.drain(tick) {
                changed |= 1 << (slot.index() / slots);
                self.horizon = self.horizon.max(mover.track.horizon());
            }
        }
        if changed != 0 {
            self.grid.expire();
        }
        for part in (0..self.parts.len()).filter(|part| changed >> part & 1 == 1) {
            let movers = self.movers.chunks(slots).nth(part).unwrap_or_default();
            self.parts[part].set(part * slots, movers);
        }
    }

    /// Gives a viewer what is due; true if that was sent before.
    fn send_again(&mut self, now: Timestamp, slot: Slot, outputs: &mut VecDeque<Output>) -> bool {
        let Some(Some(viewer)) = self.viewers.get_mut(slot.index()) else { return false };
        let was_put_off = viewer.is_put_off();
        if !was_put_off && viewer.note_late(now, self.tick) {
            self.patience.handle_late();
        }
        if !viewer.was_sent(self.tick) {
            viewer.handle_delayed(now, self.tick);
        }
        self.send(now, slot, Reason::Repeat, outputs) && !was_put_off
    }

    /// Gives a viewer the parts that it lacks; false if it lacks none, or is better sent nothing now.
    fn send(
        &mut self,
        now: Timestamp,
        to: Slot,
        reason: Reason,
        outputs: &mut VecDeque<Output>,
    ) -> bool {
        let Some(Some(viewer)) = self.viewers.get_mut(to.index()) else { return false };
        if viewer.away {
            return false;
        }
        viewer.set_put_off(reason == Reason::Tick && now < viewer.next_at(self.tick_period));
        if viewer.is_put_off() {
            self.paced += 1;
            return false;
        }
        if let Some(sight) = &viewer.sight {
            // All frames of a tick say the same, so what was asked since the first counts from the next tick on.
            if sight.is_over() && !viewer.was_sent(self.tick) {
                viewer.see_all(now);
            } else {
                return self.send_own(now, to, reason, outputs);
            }
        }
        self.headers.clear();
        for (part, stops) in self.parts.iter_mut().enumerate() {
            if stops.after(viewer.acked(part), to).is_some() {
                self.headers.push(viewer.header(part, self.lag, self.horizon));
                viewer.handle_sent(now, part, self.tick);
            } else {
                viewer.handle_obsolete(part);
            }
        }
        if self.headers.is_empty() {
            return false;
        }
        for datagram in self.fanout.shared(&self.format, &self.headers, &self.movers) {
            outputs.push_back(Output::Datagram(to, datagram.clone()));
        }
        true
    }

    /// The same for a viewer with a sight of its own.
    fn send_own(
        &mut self,
        now: Timestamp,
        to: Slot,
        reason: Reason,
        outputs: &mut VecDeque<Output>,
    ) -> bool {
        let (slots, lag) = (self.format.axes.slots_per_part(), self.lag);
        let Some(Some(viewer)) = self.viewers.get_mut(to.index()) else { return false };
        let Some(mut sight) = viewer.sight.take() else { return false };
        let mut is_news = reason == Reason::Repeat;
        if !viewer.was_sent(self.tick) {
            let begin = sight.begin;
            let state = |slot: Slot| {
                let part = slot.index() / slots;
                (viewer.header(part, lag, begin).baseline, viewer.is_waited_for(part))
            };
            let (axes, movers) = (&self.format.axes, self.movers.as_slice());
            let space = Space { tick: self.tick, own: to, axes, movers };
            let (grid, scratch) = (&mut self.grid, &mut self.scratch);
            is_news |= sight.update(space, grid, scratch, state);
        }
        self.has_backlog |= sight.has_backlog;
        self.headers.clear();
        if is_news {
            for part in 0..self.parts.len() {
                let range = part * slots..(part + 1) * slots;
                let header = viewer.header(part, lag, sight.horizon(range.clone()));
                if sight.has_news(range, header.baseline, to) {
                    self.headers.push(header);
                    viewer.handle_sent(now, part, self.tick);
                } else {
                    viewer.handle_obsolete(part);
                }
            }
        }
        let fill = |part: PartHeader, known: &mut Vec<_>, entries: &mut Vec<_>| {
            let first = usize::from(part.index) * slots;
            sight.fill(first..first + slots, part, known, entries);
        };
        if !self.headers.is_empty() {
            let mut bytes = 0;
            self.fanout.own(&self.format, &self.headers, fill, |datagram| {
                bytes += datagram.len();
                outputs.push_back(Output::Datagram(to, datagram));
            });
            sight.handle_encoded(bytes);
        }
        sight.forget(&mut self.scratch, |slot| {
            let part = slot.index() / slots;
            (viewer.oldest(part, lag), viewer.acked(part))
        });
        viewer.sight = Some(sight);
        !self.headers.is_empty()
    }

    /// When a viewer is to be sent something again, or at last; `None` if it has acked all that is still of use.
    fn repeat_at(&mut self, slot: Slot) -> Option<Timestamp> {
        let slots = self.format.axes.slots_per_part();
        let viewer = self.viewers.get_mut(slot.index())?.as_mut().filter(|viewer| !viewer.away)?;
        if viewer.is_put_off() {
            return Some(viewer.next_at(self.tick_period));
        }
        let mut first: Option<Tick> = None;
        for part in viewer.unacked() {
            let acked = viewer.acked(part);
            let stop = match &viewer.sight {
                Some(sight) => sight.stop_after(part * slots..(part + 1) * slots, acked, slot),
                None => self.parts[part].after(acked, slot),
            };
            first = [first, stop].into_iter().flatten().min();
        }
        let Some(stop) = first else {
            // Whoever lacks nothing is not waited for, nor taken to be silent when there is something again.
            viewer.handle_all_obsolete();
            return None;
        };
        let stopped_at = time_of(&self.tick_times, stop);
        Some(viewer.repeat_at(stopped_at, self.patience.pause(), self.tick_period))
    }

    fn next_repeat(&mut self) -> Option<Timestamp> {
        (0..self.viewers.len()).filter_map(|index| self.repeat_at(Slot(index as u16))).min()
    }
}

/// When a tick was; of one long ago, when the oldest known one was.
fn time_of(tick_times: &VecDeque<(Tick, Timestamp)>, tick: Tick) -> Timestamp {
    let place = tick_times.partition_point(|(known, _)| *known < tick);
    tick_times.get(place).map_or(Timestamp::default(), |(_, time)| *time)
}
