//! A room's motion: the newest sample of each member, the viewers, and the frames of each tick and their repeats.
//!
//! A sample is O(1): it is stored and its slot marked. The tick drains the marks into the tracks, then gives each
//! viewer the parts in which somebody else moved since what it has acked, so a lost frame is made good by the next
//! tick, or by a repeat when somebody rests (M11, M12).

use std::collections::VecDeque;

use hither_protocol::motion::upward::{Ack, Sample};
use hither_protocol::motion::{Axes, Point};
use hither_protocol::{Epoch, Generation, RoomHandle, Slot, Tick, Timestamp};

use super::Output;
use super::fanout::{Fanout, Movers, PartKey};
use super::mover::Mover;
use super::viewer::Viewer;

/// How many past ticks' times are kept to measure round trips.
const TICK_TIMES_MAX: usize = 64;

/// All motion of a room.
#[derive(Debug)]
pub(super) struct Motion {
    axes: Axes,
    movers: Vec<Mover>,
    dirty: Vec<Slot>,
    parts: Vec<Stops>,
    viewers: Vec<Option<Viewer>>,
    fanout: Fanout,
    tick: Tick,
    tick_times: VecDeque<(Tick, Timestamp)>,
    repeat_due: Option<Timestamp>,
    keys: Vec<PartKey>,
}

impl Motion {
    pub(super) fn new(room: RoomHandle, epoch: Epoch, axes: Axes) -> Self {
        Self {
            axes,
            movers: Vec::new(),
            dirty: Vec::new(),
            parts: Vec::new(),
            viewers: Vec::new(),
            fanout: Fanout::new(room, epoch.check(), axes),
            tick: Tick(0),
            tick_times: VecDeque::with_capacity(TICK_TIMES_MAX),
            repeat_due: None,
            keys: Vec::new(),
        }
    }

    /// A member is there; as a viewer it begins with nothing acked.
    pub(super) fn add_member(&mut self, now: Timestamp, slot: Slot, generation: Generation) {
        let index = slot.index();
        if index >= self.movers.len() {
            self.movers.resize_with(index + 1, Mover::default);
            self.viewers.resize_with(index + 1, || None);
            self.parts.resize_with(index / self.axes.slots_per_part() + 1, Stops::default);
        }
        self.movers[index] = Mover { generation: Some(generation), ..Mover::default() };
        self.viewers[index] = Some(Viewer::new(now));
    }

    /// A member is gone: no later frame has its slot until it is given again.
    pub(super) fn remove_member(&mut self, slot: Slot) {
        if let Some(mover) = self.movers.get_mut(slot.index()) {
            *mover = Mover::default();
        }
        self.stopped(slot.index() / self.axes.slots_per_part());
        self.remove_viewer(slot);
    }

    /// A member's connection is gone; the others still see where it was.
    pub(super) fn remove_viewer(&mut self, slot: Slot) {
        if let Some(viewer) = self.viewers.get_mut(slot.index()) {
            *viewer = None;
        }
    }

    /// A viewer looks away, or back; then it begins anew, since what it holds is old.
    pub(super) fn set_away(&mut self, now: Timestamp, slot: Slot, away: bool) {
        if let Some(Some(viewer)) = self.viewers.get_mut(slot.index())
            && viewer.away != away
        {
            *viewer = Viewer::new(now);
            viewer.away = away;
        }
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
        true
    }

    /// Whether a sample waits for the tick.
    pub(super) fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Takes an ack; one of what was never sent means nothing.
    pub(super) fn handle_ack(&mut self, now: Timestamp, slot: Slot, ack: &Ack) {
        let Some(Some(viewer)) = self.viewers.get_mut(slot.index()) else { return };
        let sent = self.tick_times.iter().rev().find(|(tick, _)| *tick == ack.tick);
        let round_trip = sent.map(|(_, sent)| now.since(*sent));
        viewer.handle_ack(now, ack.tick, ack.parts, round_trip);
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
        for index in 0..self.viewers.len() {
            self.send(now, Slot(index as u16), outputs);
        }
        self.repeat_due = self.next_repeat();
    }

    /// When somebody may need a repeat.
    pub(super) fn repeat_due(&self) -> Option<Timestamp> {
        self.repeat_due
    }

    /// Sends again where somebody rests to those who should have acked it by now; returns how many frames.
    pub(super) fn repeat(&mut self, now: Timestamp, outputs: &mut VecDeque<Output>) -> u64 {
        let mut repeated = 0;
        for index in 0..self.viewers.len() {
            let due = self.viewers[index].as_ref().and_then(|viewer| self.repeat_at(viewer));
            if due.is_some_and(|due| due <= now) && self.send(now, Slot(index as u16), outputs) {
                repeated += 1;
            }
        }
        self.repeat_due = self.next_repeat();
        repeated
    }

    fn drain(&mut self, tick: Tick) {
        let slots = self.axes.slots_per_part();
        let mut changed: u128 = 0;
        for slot in self.dirty.drain(..) {
            let Some(mover) = self.movers.get_mut(slot.index()) else { continue };
            let (Some(position), Some(generation)) = (mover.pending.take(), mover.generation)
            else {
                continue;
            };
            if mover.latest().is_some_and(|latest| latest.position == position) {
                continue;
            }
            mover.track.record(Point { tick, generation: generation.low(), position });
            changed |= 1 << (slot.index() / slots);
        }
        for part in (0..self.parts.len()).filter(|part| changed >> part & 1 == 1) {
            self.stopped(part);
        }
    }

    /// Notes anew where the slots of a part stopped last.
    fn stopped(&mut self, part: usize) {
        let slots = self.axes.slots_per_part();
        let movers = self.movers.chunks(slots).nth(part).unwrap_or_default();
        if let Some(stops) = self.parts.get_mut(part) {
            stops.set(movers.iter().filter_map(Mover::latest).map(|point| point.tick));
        }
    }

    /// Gives a viewer the parts that it lacks; false if it lacks none.
    fn send(&mut self, now: Timestamp, to: Slot, outputs: &mut VecDeque<Output>) -> bool {
        let Some(Some(viewer)) = self.viewers.get_mut(to.index()) else { return false };
        if viewer.away {
            return false;
        }
        self.keys.clear();
        for (part, stops) in self.parts.iter().enumerate() {
            let key = (part as u16, viewer.baseline(part));
            let lacks = stops.after(viewer.acked(part)).is_some()
                && match self.fanout.movers(key, &self.movers) {
                    Movers::Nobody => false,
                    Movers::Only(slot) => slot != to,
                    Movers::Several => true,
                };
            if lacks {
                self.keys.push(key);
                viewer.handle_sent(now, part, self.tick);
            } else {
                viewer.handle_obsolete(part);
            }
        }
        for datagram in self.fanout.datagrams(&self.keys) {
            outputs.push_back(Output::Datagram(to, datagram.clone()));
        }
        !self.keys.is_empty()
    }

    /// When a viewer is to be sent something again; `None` if it has acked all that is still of use.
    fn repeat_at(&self, viewer: &Viewer) -> Option<Timestamp> {
        let stops = viewer.unacked().filter_map(|part| self.parts[part].after(viewer.acked(part)));
        stops.min().map(|stop| viewer.repeat_at(self.time_of(stop)))
    }

    fn next_repeat(&self) -> Option<Timestamp> {
        self.viewers.iter().flatten().filter_map(|viewer| self.repeat_at(viewer)).min()
    }

    /// When a tick was; of one long ago, when the oldest known one was.
    fn time_of(&self, tick: Tick) -> Timestamp {
        let place = self.tick_times.partition_point(|(known, _)| *known < tick);
        self.tick_times.get(place).map_or(Timestamp::default(), |(_, time)| *time)
    }
}

/// The ticks in which the slots of a part moved last, each once, in order.
#[derive(Debug, Default)]
struct Stops(Vec<Tick>);

impl Stops {
    fn set(&mut self, ticks: impl Iterator<Item = Tick>) {
        self.0.clear();
        self.0.extend(ticks);
        self.0.sort_unstable();
        self.0.dedup();
    }

    /// The first stop after a tick, which a viewer that has acked that tick lacks.
    fn after(&self, acked: Option<Tick>) -> Option<Tick> {
        self.0.get(self.0.partition_point(|stop| Some(*stop) <= acked)).copied()
    }
}
