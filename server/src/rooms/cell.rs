//! A room under its lock, with the way to each member. A move takes this lock once, for O(1); what a room wants to be
//! sent reliably is queued under the lock, so that its order is the room's, and datagrams are sent outside it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hither_core::room::Counters;
use hither_core::{NewMember, Output, Recipient, Room, RoomId, RoomPolicy};
use hither_protocol::message::Refusal;
use hither_protocol::{Slot, Timestamp};
use hither_transport::{Link, SendDatagramError};
use tokio::sync::{Notify, OnceCell};

use crate::metrics::{DropCause, Metrics};
use crate::outbox::LaneSender;
use crate::registry::Closable;
use crate::store::{Pending, Store, StoreError};
use hither_transport::Clock;

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
    clock: Clock,
    store: Arc<dyn Store>,
    metrics: Arc<Metrics>,
    loaded: OnceCell<()>,
    closed: AtomicBool,
    wake: Notify,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    room: Room,
    outlets: Vec<Option<Outlet>>,
    /// When the ticker will call next.
    scheduled: Option<Timestamp>,
    members: usize,
}

/// What is to be done outside the lock.
#[derive(Default)]
struct Outside {
    datagrams: Vec<(Link, Bytes)>,
    stores: Vec<(u64, Pending<()>)>,
}

impl RoomCell {
    pub(super) fn open(
        id: RoomId,
        policy: RoomPolicy,
        phase: Duration,
        clock: Clock,
        store: Arc<dyn Store>,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        let room = Room::new(id.clone(), policy.clone(), clock.now(), phase);
        metrics.rooms.inc();
        let state = State { room, outlets: Vec::new(), scheduled: None, members: 0 };
        Arc::new(Self {
            id,
            policy,
            clock,
            store,
            metrics,
            loaded: OnceCell::new(),
            closed: AtomicBool::new(false),
            wake: Notify::new(),
            state: Mutex::new(state),
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

    /// Loads the document, once.
    pub(super) async fn load(&self) -> Result<(), StoreError> {
        let load = || async {
            let document = self.store.load(&self.id.name).await?;
            self.lock().room.handle_loaded(document);
            Ok(())
        };
        self.loaded.get_or_try_init(load).await.copied()
    }

    /// Takes a member in; its roster follows by [`Self::send_pages`].
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
            Ok(slot)
        });
        match slot {
            None => Err(JoinError::Closed),
            Some(Err(refusal)) => Err(JoinError::Refused(refusal)),
            Some(Ok(slot)) => Ok(slot),
        }
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
    pub(crate) fn open_edits(
        self: &Arc<Self>,
        slot: Slot,
        after: Option<u64>,
        lane: LaneSender,
    ) -> bool {
        self.with_state(|state, _| {
            if let Some(Some(outlet)) = state.outlets.get_mut(slot.index()) {
                outlet.edits = Some(lane);
                state.room.handle_open(slot, after);
            }
        });
        self.send_pages(slot)
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

    /// Queues as many pages of a member's roster and document as its queue has room for; true if more are to come.
    pub(crate) fn send_pages(self: &Arc<Self>, slot: Slot) -> bool {
        self.with_state(|state, _| {
            let Some(Some(outlet)) = state.outlets.get(slot.index()) else { return false };
            while outlet.control.budget().has_room_for_page() {
                if let Some(page) = state.room.poll_roster(slot) {
                    outlet.control.push(page);
                } else if let Some(lane) = &outlet.edits
                    && let Some(page) = state.room.poll_snapshot(slot)
                {
                    lane.push(page);
                } else {
                    return false;
                }
            }
            true
        })
        .unwrap_or(false)
    }

    /// Does what is due.
    pub(super) fn tick(self: &Arc<Self>) {
        let start = self.clock.now();
        self.with(|room, now| room.handle_timeout(now));
        self.metrics.tick_seconds.observe(self.clock.now().since(start).as_secs_f64());
    }

    /// When the ticker is to call [`Self::tick`]; from now on an earlier time wakes it.
    pub(super) fn schedule(&self) -> Option<Timestamp> {
        let mut state = self.lock();
        state.scheduled = state.room.poll_timeout();
        state.scheduled
    }

    /// Waits until the schedule has changed, or the room is closed.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Closes the room if it has no members; true if it is closed, now or before.
    pub(super) fn close_if_empty(&self) -> bool {
        let state = self.lock();
        if state.room.is_empty() && !self.is_closed() {
            self.close();
        }
        self.is_closed()
    }

    fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.metrics.rooms.dec();
        self.wake.notify_one();
    }

    /// Runs `handle` under the lock and carries out what the room wants. A room that panics is broken: it is closed,
    /// its members are told, and the process and its other rooms go on.
    fn with_state<R>(
        self: &Arc<Self>,
        handle: impl FnOnce(&mut State, Timestamp) -> R,
    ) -> Option<R> {
        let now = self.clock.now();
        let mut outside = Outside::default();
        let result = {
            let mut state = self.lock();
            if self.is_closed() {
                return None;
            }
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
        let State { room, outlets, scheduled, members } = state;
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
                        outside.datagrams.push((outlet.link.clone(), bytes));
                    }
                }
                Output::Store(edit) => {
                    let pending = self.store.append(&self.id.name, &edit);
                    outside.stores.push((edit.sequence, pending));
                }
            }
        }
        if *members != room.len() {
            self.metrics.members.inc_by(room.len() as i64 - *members as i64);
            *members = room.len();
        }
        let counters = room.take_counters();
        if counters != Counters::default() {
            self.metrics.datagrams_dropped[DropCause::Stale].inc_by(counters.samples_stale);
            self.metrics.frames_repeated.inc_by(counters.frames_repeated);
        }
        let due = room.poll_timeout();
        if due.is_some_and(|due| scheduled.is_none_or(|scheduled| due < scheduled)) {
            *scheduled = due;
            self.wake.notify_one();
        }
    }

    fn carry_out_outside(self: &Arc<Self>, outside: Outside) {
        let mut observed = std::ptr::null();
        for (link, datagram) in outside.datagrams {
            // Viewers who share a datagram mostly follow one another, and the histogram takes a lock.
            if observed != datagram.as_ptr() {
                observed = datagram.as_ptr();
                self.metrics.frame_bytes.observe(datagram.len() as f64);
            }
            match link.send_datagram(datagram) {
                Ok(()) => {
                    self.metrics.datagrams_out.inc();
                }
                Err(SendDatagramError::TooLarge { .. }) => {
                    self.metrics.datagrams_dropped[DropCause::TooLarge].inc();
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
                self.metrics.edits.inc();
                self.with(|room, _| room.handle_stored(sequence));
            }
            Err(error) => {
                tracing::error!(room = %self.id.name, %error, "the store failed; the room is closed");
                let mut state = self.lock();
                if !self.is_closed() {
                    self.end(&mut state, Refusal::Unavailable);
                }
            }
        }
    }

    fn close_broken(&self, state: &mut State) {
        tracing::error!(room = %self.id.name, "the room is broken and closed");
        self.end(state, Refusal::RoomClosed);
    }

    /// Tells every member that the room is no more, and closes it.
    fn end(&self, state: &mut State, reason: Refusal) {
        // Closed before anybody knows, so that who hears of it and asks again is not taken for a member still.
        self.close();
        let left = Room::closing(&self.id, reason);
        for outlet in state.outlets.iter().flatten() {
            outlet.control.push(left.clone());
        }
        state.outlets.clear();
        self.metrics.members.dec_by(state.members as i64);
    }

    fn remove_outlet(&self, slot: Slot) {
        if let Some(outlet) = self.lock().outlets.get_mut(slot.index()) {
            *outlet = None;
        }
    }

    /// A panic under the lock closes the room before the lock is free, so what a poisoned lock holds is never used.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Closable for RoomCell {
    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

fn recipients(outlets: &[Option<Outlet>], to: Recipient) -> impl Iterator<Item = &Outlet> {
    let range = match to {
        Recipient::One(slot) => outlets.get(slot.index()..=slot.index()).unwrap_or_default(),
        Recipient::All => outlets,
    };
    range.iter().flatten()
}
