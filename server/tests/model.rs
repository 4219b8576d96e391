//! The gate of rooms and their alarm under loom, which runs them in every order that threads and memory may take:
//! nobody gets into a closed room, and no wake-up is lost. Around them stand the few lines of the registry and of the
//! ticker that use them, with loom's locks for a map and for tokio's `Notify`.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a model that breaks its rules fails")]

use loom::sync::{Arc, Condvar};
use loom::thread;

use gate::{Alarm, Gate};
use sync::Mutex;

#[path = "../src/rooms/gate.rs"]
mod gate;

mod sync {
    pub(crate) use loom::sync::atomic::{AtomicBool, Ordering};
    pub(crate) use loom::sync::{Mutex, MutexGuard};
    pub(crate) use std::sync::PoisonError;
}

/// Every order in which no more than three threads are stopped in the middle: that takes a second, and all a minute.
fn model(run: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(run);
}

/// A registry of one name. Its rooms count their members.
#[derive(Default)]
struct Registry(Mutex<Option<Arc<Gate<usize>>>>);

impl Registry {
    /// As `Registry::get_or_open` and `Rooms::join` do it.
    fn join(&self) -> Arc<Gate<usize>> {
        loop {
            let room = {
                let mut entry = self.0.lock().unwrap();
                let open = entry.take().filter(|room| !room.is_closed());
                entry.insert(open.unwrap_or_else(|| Arc::new(Gate::new(0)))).clone()
            };
            let joined = room.enter().map(|mut members| *members += 1);
            if joined.is_some() {
                return room;
            }
        }
    }

    /// As `Rooms::close_if_empty` does it.
    fn leave(&self, room: &Arc<Gate<usize>>) {
        *room.enter().expect("a room with a member is open") -= 1;
        if let Some(members) = room.enter()
            && *members == 0
        {
            members.close();
        }
        if room.is_closed() {
            let mut entry = self.0.lock().unwrap();
            entry.take_if(|found| Arc::ptr_eq(found, room));
        }
    }

    fn names(&self, room: &Arc<Gate<usize>>) -> bool {
        self.0.lock().unwrap().as_ref().is_some_and(|found| Arc::ptr_eq(found, room))
    }
}

#[test]
fn nobody_joins_a_room_that_closes() {
    model(|| {
        let registry = Arc::new(Registry::default());
        let stay = |registry: &Registry| {
            let room = registry.join();
            assert!(!room.is_closed() && registry.names(&room), "a member's room is the room");
            room
        };
        let guest = thread::spawn({
            let registry = registry.clone();
            move || registry.leave(&stay(&registry))
        });
        let room = stay(&registry);
        guest.join().unwrap();
        assert!(!room.is_closed() && registry.names(&room), "and stays it");
        assert_eq!(*room.enter().unwrap(), 1);
        registry.leave(&room);
        assert!(room.is_closed() && room.enter().is_none());
        assert!(registry.0.lock().unwrap().is_none(), "nothing is left of it");
    });
}

/// `tokio::sync::Notify`, as far as the ticker uses it: a wake-up that nobody waits for is kept, one of them.
#[derive(Default)]
struct Notify {
    kept: Mutex<bool>,
    changed: Condvar,
}

impl Notify {
    fn notify_one(&self) {
        *self.kept.lock().unwrap() = true;
        self.changed.notify_one();
    }

    fn notified(&self) {
        let mut kept = self.kept.lock().unwrap();
        while !std::mem::take(&mut *kept) {
            kept = self.changed.wait(kept).unwrap();
        }
    }
}

/// A time at which nothing happens while the model runs, and one that has come.
const LATER: u64 = 1_000;
const NOW: u64 = 1;

/// A room, of which only matters when it is due.
struct Room {
    gate: Gate<State>,
    wake: Notify,
}

struct State {
    due: Option<u64>,
    alarm: Alarm<u64>,
    ticks: usize,
    events: usize,
}

impl Room {
    fn new(due: Option<u64>) -> Arc<Self> {
        let state = State { due, alarm: Alarm::default(), ticks: 0, events: 0 };
        Arc::new(Self { gate: Gate::new(state), wake: Notify::default() })
    }

    /// As `RoomCell::with_state` does it.
    fn handle_event(&self) {
        let Some(mut state) = self.gate.enter() else { return };
        state.events += 1;
        state.due = Some(NOW);
        if state.alarm.is_late_for(Some(NOW)) {
            self.wake.notify_one();
        }
    }

    fn close(&self) {
        if let Some(state) = self.gate.enter() {
            state.close();
            self.wake.notify_one();
        }
    }

    /// As `run_ticker` does it; ends when the room is closed, or this many events have had their tick.
    fn run_ticker(&self, events: usize) {
        let mut ticked = 0;
        while !self.gate.is_closed() && ticked < events {
            let due = self.gate.enter().and_then(|mut state| {
                let due = state.due;
                state.alarm.set(due)
            });
            if due != Some(NOW) {
                self.wake.notified();
            } else if let Some(mut state) = self.gate.enter() {
                state.due = None;
                state.ticks += 1;
                ticked = state.events;
            }
        }
    }
}

#[test]
fn every_event_has_its_tick() {
    for rests_until in [None, Some(LATER)] {
        model(move || {
            let room = Room::new(rests_until);
            let others = [(); 2].map(|()| {
                let room = room.clone();
                thread::spawn(move || room.handle_event())
            });
            // Loom says so if this waits for ever.
            room.run_ticker(2);
            others.into_iter().for_each(|other| other.join().unwrap());
            let state = room.gate.enter().unwrap();
            assert!((1..=2).contains(&state.ticks) && state.due.is_none());
        });
    }
}

#[test]
fn a_ticker_ends_with_its_room() {
    model(|| {
        let room = Room::new(None);
        let others = [Room::close, Room::handle_event].map(|act| {
            let room = room.clone();
            thread::spawn(move || act(&room))
        });
        room.run_ticker(usize::MAX);
        others.into_iter().for_each(|other| other.join().unwrap());
    });
}
