//! A room's motion: the newest sample of each member, the viewers, and the frames of each tick and their repeats.
//!
//! A sample is O(1): it is stored and its slot marked. The tick drains the marks into the tracks, then gives each viewer
//! the parts in which somebody else moved since what it has acked, so a lost frame is made good by the next tick, or by
//! a repeat when everybody rests (M11, M12).

use std::collections::VecDeque;
use std::time::Duration;

use hither_protocol::motion::upward::{Ack, Sample};
use hither_protocol::motion::{Axes, Point, Position, Track};
use hither_protocol::{Epoch, Generation, RoomHandle, Slot, Tick, Timestamp};

use super::Output;
use super::fanout::{Fanout, Movers, PartKey};
use super::viewer::Viewer;

/// How soon, and how often, a viewer that has not acked is sent the same again.
const REPEAT_EVERY: Duration = Duration::from_millis(16);
/// After so long without any ack a viewer is taken to be gone for now, and gets repeats at the slower pace.
const SILENT_AFTER: Duration = Duration::from_millis(300);
const REPEAT_SILENT_EVERY: Duration = Duration::from_millis(250);
/// How many past ticks' times are kept to measure round trips.
const TICK_TIMES_MAX: usize = 64;

/// A slot's motion.
#[derive(Debug, Default)]
pub(super) struct Mover {
    generation: Option<Generation>,
    number: Option<u32>,
    pending: Option<Position>,
    track: Track,
}

impl Mover {
    /// Where it is, as of the last tick.
    pub(super) fn latest(&self) -> Option<&Point> {
        self.track.latest()
    }

    /// Where it was at a tick.
    pub(super) fn at(&self, tick: Tick) -> Option<&Point> {
        self.track.at(tick)
    }
}

/// All motion of a room.
#[derive(Debug)]
pub(super) struct Motion {
    axes: Axes,
    movers: Vec<Mover>,
    dirty: Vec<Slot>,
    /// By part: the last tick in which somebody in it moved.
    changed: Vec<Option<Tick>>,
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
            changed: Vec::new(),
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
            self.changed.resize(index / self.axes.slots_per_part() + 1, None);
        }
        self.movers[index] = Mover { generation: Some(generation), ..Mover::default() };
        self.viewers[index] = Some(Viewer::new(now));
    }

    /// A member is gone: no later frame has its slot until it is given again.
    pub(super) fn remove_member(&mut self, slot: Slot) {
        if let Some(mover) = self.movers.get_mut(slot.index()) {
            *mover = Mover::default();
        }
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
        self.repeat_due = self.next_repeat(now);
    }

    /// When somebody may need a repeat.
    pub(super) fn repeat_due(&self) -> Option<Timestamp> {
        self.repeat_due
    }

    /// Sends again what viewers should have acked by now and somebody still rests at; returns how many frames.
    pub(super) fn repeat(&mut self, now: Timestamp, outputs: &mut VecDeque<Output>) -> u64 {
        let mut repeated = 0;
        for index in 0..self.viewers.len() {
            if self.is_overdue(now, index) && self.send(now, Slot(index as u16), outputs) {
                repeated += 1;
            }
        }
        self.repeat_due = self.next_repeat(now);
        repeated
    }

    fn drain(&mut self, tick: Tick) {
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
            self.changed[slot.index() / self.axes.slots_per_part()] = Some(tick);
        }
    }

    /// Gives a viewer the parts that it lacks; false if it lacks none.
    fn send(&mut self, now: Timestamp, to: Slot, outputs: &mut VecDeque<Output>) -> bool {
        let Some(Some(viewer)) = self.viewers.get_mut(to.index()) else { return false };
        if viewer.away {
            return false;
        }
        self.keys.clear();
        for (part, &changed) in self.changed.iter().enumerate() {
            if changed.is_none() || viewer.acked(part) >= changed {
                continue;
            }
            let key = (part as u16, viewer.baseline(part));
            match self.fanout.movers(key, &self.movers) {
                Movers::Nobody => {}
                Movers::Only(slot) if slot == to => {}
                _ => self.keys.push(key),
            }
        }
        for &(part, _) in &self.keys {
            viewer.handle_sent(now, usize::from(part), self.tick);
        }
        for datagram in self.fanout.datagrams(&self.keys) {
            outputs.push_back(Output::Datagram(to, datagram.clone()));
        }
        !self.keys.is_empty()
    }

    /// Whether a viewer should have acked a place where somebody rests, and has not.
    fn is_overdue(&self, now: Timestamp, viewer: usize) -> bool {
        let Some(Some(viewer)) = self.viewers.get(viewer) else { return false };
        if viewer.is_settled() || viewer.away {
            return false;
        }
        let before = now - viewer.ack_expected_after().max(REPEAT_EVERY);
        let expected = self.tick_times.iter().rev().find(|(_, sent)| *sent <= before);
        let Some(&(expected, _)) = expected else { return false };
        let slots = self.axes.slots_per_part();
        self.movers.chunks(slots).enumerate().any(|(part, movers)| {
            let acked = viewer.acked(part);
            acked < self.changed[part]
                && movers
                    .iter()
                    .filter_map(Mover::latest)
                    .any(|latest| Some(latest.tick) > acked && latest.tick <= expected)
        })
    }

    fn next_repeat(&self, now: Timestamp) -> Option<Timestamp> {
        let waiting = self.viewers.iter().flatten().filter(|viewer| !viewer.is_settled());
        let pause = |viewer: &Viewer| {
            if viewer.silence(now) > SILENT_AFTER { REPEAT_SILENT_EVERY } else { REPEAT_EVERY }
        };
        waiting.map(pause).min().map(|pause| now + pause)
    }
}
