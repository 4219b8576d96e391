//! A room under its lock, with the way to each member. A move takes this lock once, for O(1); what a room wants to be
//! sent reliably is queued under the lock, so that its order is the room's, and datagrams are sent outside it.

mod lookup;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hither_core::room::{Counters, SavedRoom};
use hither_core::{NewMember, Output, Recipient, Room, RoomId, RoomPolicy};
use hither_protocol::limits::MOTION_DATAGRAM_BYTES_MAX;
use hither_protocol::message::Refusal;
use hither_protocol::message::control::{MotionBytes, ToClient};
use hither_protocol::message::edits::{Open, Submit};
use hither_protocol::{Slot, Timestamp};
use hither_transport::{Link, SendDatagramError};
use tokio::sync::{Notify, OnceCell};

use super::Node;
use super::gate::{Alarm, Gate, Inside};
use crate::metrics::DropCause;
use crate::outbox::LaneSender;
use crate::registry::Closable;
use crate::store::{Pending, StoreError};

/// A room that a connection is in, and its member's slot there.
#[derive(Clone, Debug)]
pub(crate) struct Joined {
    pub(crate) cell: Arc<RoomCell>,
    pub(crate) slot: Slot,
}

/// The way to one member.
#[derive(Clone, Debug)]
pub(crate) struct Outlet {
    pub(crate) link: Link,
    /// Whether motion goes over the control lane, too.
    pub(crate) reliable_motion: bool,
    pub(crate) control: LaneSender,
    /// The lane of edits, once it is open.
    pub(crate) edits: Option<LaneSender>,
}

/// Why nobody joined.
#[derive(Debug)]
pub(super) enum JoinError {
    /// The room is on its way out: look it up again.
    Closed,
    /// The room does not want this member.
    Refused(Refusal),
}

/// One room of the node.
#[derive(Debug)]
pub(crate) struct RoomCell {
    id: RoomId,
    policy: RoomPolicy,
    node: Node,
    loaded: OnceCell<()>,
    /// How often the document could not be loaded, and why the last time.
    failed: Mutex<(u64, Option<StoreError>)>,
    wake: Notify,
    gate: Gate<State>,
}

#[derive(Debug)]
struct State {
    room: Room,
    outlets: Vec<Option<Outlet>>,
    alarm: Alarm<Timestamp>,
    members: usize,
}

/// What is to be done outside the lock.
#[derive(Default)]
struct Outside {
    datagrams: Vec<(Slot, Link, Bytes)>,
    stores: Vec<(u64, Pending<()>)>,
}

impl RoomCell {
    pub(super) fn open(id: RoomId, policy: RoomPolicy, phase: Duration, node: Node) -> Arc<Self> {
        let room = Room::new(id.clone(), policy.clone(), node.clock.now(), phase);
        node.metrics.rooms.inc();
        let state = State { room, outlets: Vec::new(), alarm: Alarm::default(), members: 0 };
        Arc::new(Self {
            id,
            policy,
            node,
            loaded: OnceCell::new(),
            failed: Mutex::default(),
            wake: Notify::new(),
            gate: Gate::new(state),
        })
    }

    /// What the room is called.
    pub(crate) fn id(&self) -> &RoomId {
        &self.id
    }

    /// Its namespace's policy.
    pub(crate) fn policy(&self) -> &RoomPolicy {
        &self.policy
    }

    /// Loads the document, once, for the first member that opens it. All who ask meanwhile have the same answer; after
    /// one that failed, who asks next has it tried again.
    pub(crate) async fn load(&self) -> Result<(), StoreError> {
        let failed = || self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let failures = failed().0;
        let load = || async {
            if let (now, Some(error)) = &*failed()
                && *now > failures
            {
                return Err(error.clone());
            }
            let loaded = self.node.store.load(&self.id.name).await;
            let saved = loaded.inspect_err(|error| {
                let (failures, why) = &mut *failed();
                *failures += 1;
                *why = Some(error.clone());
            })?;
            if let Some(mut state) = self.gate.enter() {
                state.room.handle_loaded(saved);
            }
            Ok(())
        };
        self.loaded.get_or_try_init(load).await.copied()
    }

    /// Whether the document is there.
    pub(crate) fn is_loaded(&self) -> bool {
        self.loaded.initialized()
    }

    /// Takes a member in; its roster follows by [`Self::send_page`].
    pub(super) fn join(
        self: &Arc<Self>,
        request: u32,
        member: NewMember,
        outlet: Outlet,
    ) -> Result<Slot, JoinError> {
        let slot = self.with_state(|state, now| {
            let slot = state.room.handle_join(now, request, member)?;
            let index = slot.index();
            if index >= state.outlets.len() {
                state.outlets.resize_with(index + 1, || None);
            }
            state.outlets[index] = Some(outlet);
            self.node.changed.notify_one();
            Ok(slot)
        });
        match slot {
            None => Err(JoinError::Closed),
            Some(Err(refusal)) => Err(JoinError::Refused(refusal)),
            Some(Ok(slot)) => Ok(slot),
        }
    }

    /// Puts the members of an earlier process into the room, which is new.
    pub(super) fn restore(self: &Arc<Self>, saved: SavedRoom) {
        self.with(|room, now| room.handle_restored(now, saved));
    }

    /// Its members, to be saved; `None` if it is closed.
    pub(super) fn save(&self) -> Option<SavedRoom> {
        Some(self.gate.enter()?.room.save())
    }

    /// Ends a membership at its member's wish.
    pub(crate) fn leave(self: &Arc<Self>, slot: Slot) {
        self.with(|room, now| room.handle_leave(now, slot));
        self.remove_outlet(slot);
    }

    /// A member's connection is gone, and was last heard of `silence` ago.
    pub(crate) fn lose(self: &Arc<Self>, slot: Slot, silence: Duration) {
        self.remove_outlet(slot);
        self.with(|room, now| room.handle_lost(slot, now - silence));
    }

    /// Opens a member's edits lane, and begins to send it the document; true if pages are still to come.
    pub(crate) fn open_edits(self: &Arc<Self>, open: &Open, lane: LaneSender) -> bool {
        self.with_state(|state, _| {
            let outlet = state.outlets.get_mut(open.slot.index())?.as_mut()?;
            outlet.edits = Some(lane);
            state.room.handle_open(open);
            Some(state.room.is_loading(open.slot))
        })
        .flatten()
        .unwrap_or(false)
    }

    /// Hands a member's edit to the room.
    pub(crate) fn submit(self: &Arc<Self>, slot: Slot, submit: Submit, refused: Option<Refusal>) {
        let is_available = self.node.store.is_available();
        self.with(|room, now| {
            room.handle_store_state(is_available);
            room.handle_submit(now, slot, submit, refused);
        });
    }

    /// A member's edits lane has ended by its client.
    pub(crate) fn close_edits(self: &Arc<Self>, slot: Slot) {
        self.with_state(|state, _| {
            if let Some(Some(outlet)) = state.outlets.get_mut(slot.index()) {
                outlet.edits = None;
            }
            state.room.handle_edits_closed(slot);
        });
    }

    /// Hands something to the room, and does what comes of it. `None` if the room is closed.
    pub(crate) fn with<R>(
        self: &Arc<Self>,
        handle: impl FnOnce(&mut Room, Timestamp) -> R,
    ) -> Option<R> {
        self.with_state(|state, now| handle(&mut state.room, now))
    }

    /// Queues the next page of a member's roster, else of its document; true if more are to come.
    pub(crate) fn send_page(self: &Arc<Self>, slot: Slot) -> bool {
        self.with_state(|state, _| {
            let outlet = state.outlets.get(slot.index())?.as_ref()?;
            if let Some(page) = state.room.poll_roster(slot) {
                outlet.control.push(page);
            } else if let Some(lane) = &outlet.edits
                && let Some(page) = state.room.poll_snapshot(slot)
            {
                lane.push(page);
            }
            Some(state.room.is_loading(slot))
        })
        .flatten()
        .unwrap_or(false)
    }

    /// Does what is due, and tells the room first what the tick before took, which this returns if there was one.
    pub(super) fn tick(self: &Arc<Self>, took_before: Option<Duration>) -> Option<Duration> {
        let start = self.node.clock.now();
        let (is_tick, is_worn_out) = self.with(|room, now| {
            if let Some(took) = took_before {
                room.handle_tick_took(took);
            }
            (room.handle_timeout(now), room.is_worn_out())
        })?;
        if is_worn_out && let Some(mut state) = self.gate.enter() {
            tracing::info!(room = %self.id.name, "its ticks are used up; the room begins anew");
            self.end(&mut state, Refusal::Unavailable);
        }
        let took = self.node.clock.now().since(start);
        self.node.metrics.tick_seconds.observe(took.as_secs_f64());
        is_tick.then_some(took)
    }

    /// When the ticker is to call [`Self::tick`]; from now on an earlier time wakes it.
    pub(super) fn schedule(&self) -> Option<Timestamp> {
        let mut state = self.gate.enter()?;
        let due = state.room.poll_timeout();
        state.alarm.set(due)
    }

    /// Waits until the schedule has changed, or the room is closed.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Closes the room if it has no members; true if it is closed, now or before.
    pub(super) fn close_if_empty(&self) -> bool {
        if let Some(state) = self.gate.enter()
            && state.room.is_empty()
        {
            self.close(&state);
        }
        self.is_closed()
    }

    fn close(&self, state: &Inside<'_, State>) {
        state.close();
        self.node.metrics.rooms.dec();
        self.wake.notify_one();
    }

    /// Runs `handle` under the lock and carries out what the room wants. A room that panics is broken: it is closed,
    /// its members are told, and the process and its other rooms go on.
    fn with_state<R>(
        self: &Arc<Self>,
        handle: impl FnOnce(&mut State, Timestamp) -> R,
    ) -> Option<R> {
        let now = self.node.clock.now();
        let mut outside = Outside::default();
        let result = {
            let mut state = self.gate.enter()?;
            let handled = catch_unwind(AssertUnwindSafe(|| {
                let result = handle(&mut state, now);
                self.carry_out(&mut state, &mut outside);
                result
            }));
            match handled {
                Ok(result) => result,
                Err(_) => {
                    self.close_broken(&mut state);
                    return None;
                }
            }
        };
        self.carry_out_outside(outside);
        Some(result)
    }

    fn carry_out(&self, state: &mut State, outside: &mut Outside) {
        let State { room, outlets, alarm, members } = state;
        while let Some(output) = room.poll_output() {
            match output {
                Output::Control(to, bytes) => {
                    for outlet in recipients(outlets, to) {
                        outlet.control.push(bytes.clone());
                    }
                }
                Output::Edits(to, bytes) => {
                    for lane in recipients(outlets, to).filter_map(|outlet| outlet.edits.as_ref()) {
                        lane.push(bytes.clone());
                    }
                }
                Output::Datagram(to, bytes) => {
                    if let Some(Some(outlet)) = outlets.get(to.index()) {
                        if outlet.reliable_motion {
                            self.queue_motion(outlet, &bytes);
                        } else {
                            outside.datagrams.push((to, outlet.link.clone(), bytes));
                        }
                    }
                }
                Output::Keep(event) => self.node.event_log.keep(&self.id.name, event),
                Output::Store(logged) => {
                    let sequence = logged.edit.sequence;
                    let pending = self.node.store.append(&self.id.name, logged);
                    outside.stores.push((sequence, pending));
                }
            }
        }
        if *members != room.len() {
            self.node.metrics.members.inc_by(room.len() as i64 - *members as i64);
            *members = room.len();
            self.node.changed.notify_one();
        }
        let counters = room.take_counters();
        if counters != Counters::default() {
            self.node.metrics.datagrams_dropped[DropCause::Stale].inc_by(counters.samples_stale);
            self.node.metrics.frames_repeated.inc_by(counters.frames_repeated);
            self.node.metrics.frames_paced.inc_by(counters.frames_paced);
            self.node.metrics.ticks_skipped.inc_by(counters.ticks_skipped);
        }
        if alarm.is_late_for(room.poll_timeout()) {
            self.wake.notify_one();
        }
    }

    /// Motion that waits would be late when it comes: with a queue it is dropped, and the next tick has all of it.
    fn queue_motion(&self, outlet: &Outlet, datagram: &Bytes) {
        if outlet.control.budget().has_room_for_motion() {
            let datagram = datagram[1..].to_vec();
            outlet.control.push(ToClient::Motion(MotionBytes { datagram }).encode());
            self.node.metrics.datagrams_out.inc();
        } else {
            self.node.metrics.datagrams_dropped[DropCause::BufferFull].inc();
        }
    }

    fn carry_out_outside(self: &Arc<Self>, outside: Outside) {
        let mut observed = std::ptr::null();
        let mut last = None;
        for (to, link, datagram) in outside.datagrams {
            // A path that has not taken the ticks before gets no more of them: the next tick says all of it, newer.
            let is_free = match last {
                Some((slot, is_free)) if slot == to => is_free,
                _ => link.unsent_datagram_bytes() <= MOTION_DATAGRAM_BYTES_MAX,
            };
            last = Some((to, is_free));
            if !is_free {
                self.node.metrics.datagrams_dropped[DropCause::BufferFull].inc();
                continue;
            }
            // Viewers who share a datagram mostly follow one another, and the histogram takes a lock.
            if observed != datagram.as_ptr() {
                observed = datagram.as_ptr();
                self.node.metrics.frame_bytes.observe(datagram.len() as f64);
            }
            match link.send_datagram(datagram) {
                Ok(()) => {
                    self.node.metrics.datagrams_out.inc();
                }
                Err(SendDatagramError::TooLarge { .. }) => {
                    self.node.metrics.datagrams_dropped[DropCause::TooLarge].inc();
                }
                // The connection is gone, and its own task is about to say so.
                Err(_) => {}
            }
        }
        for (sequence, stored) in outside.stores {
            tokio::spawn(self.clone().run_stored(sequence, stored));
        }
    }

    /// Waits until an edit is durable. A store that fails leaves the room without a truth, so the room is closed.
    async fn run_stored(self: Arc<Self>, sequence: u64, stored: Pending<()>) {
        match stored.await {
            Ok(()) => {
                self.node.metrics.edits.inc();
                self.with(|room, _| room.handle_stored(sequence));
            }
            Err(error) => {
                tracing::error!(room = %self.id.name, %error, "the store failed; the room is closed");
                if let Some(mut state) = self.gate.enter() {
                    self.end(&mut state, Refusal::Unavailable);
                }
            }
        }
    }

    fn close_broken(&self, state: &mut Inside<'_, State>) {
        tracing::error!(room = %self.id.name, "the room is broken and closed");
        self.end(state, Refusal::RoomClosed);
    }

    /// Tells every member that the room is no more, and closes it.
    fn end(&self, state: &mut Inside<'_, State>, reason: Refusal) {
        // Closed before anybody knows, so that who hears of it and asks again is not taken for a member still.
        self.close(state);
        let left = Room::closing(&self.id, reason);
        for outlet in state.outlets.iter().flatten() {
            outlet.control.push(left.clone());
        }
        state.outlets.clear();
        self.node.metrics.members.dec_by(state.members as i64);
    }

    fn remove_outlet(&self, slot: Slot) {
        let Some(mut state) = self.gate.enter() else { return };
        if let Some(outlet) = state.outlets.get_mut(slot.index()) {
            *outlet = None;
        }
    }
}

impl Closable for RoomCell {
    fn is_closed(&self) -> bool {
        self.gate.is_closed()
    }
}

fn recipients(outlets: &[Option<Outlet>], to: Recipient) -> impl Iterator<Item = &Outlet> {
    let range = match to {
        Recipient::One(slot) => outlets.get(slot.index()..=slot.index()).unwrap_or_default(),
        Recipient::All => outlets,
    };
    range.iter().flatten()
}
