//! Rooms and their registry, without connections: rooms that break, that empty, and that many come to and leave at
//! once.

use std::future::ready;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, Weak};
use std::time::Duration;

use futures_util::FutureExt;
use hither_core::room::{LoggedEdit, SavedDocument};
use hither_protocol::Slot;
use hither_protocol::message::control::{Status, ToClient};
use hither_protocol::message::edits::{Edit, Op, OpKind, Open, Submit};
use hither_protocol::message::{FrameBuffer, Rights};
use hither_transport::{Link, memory};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::event_log::{MemoryEventLog, Retentions};
use crate::outbox::{Budget, LaneReceiver, lane};
use crate::registry::Closable;
use crate::store::{MemoryStore, Pending, StoreError};

const GRACE: Duration = Duration::from_millis(50);

/// The rooms of a server, whose lost members stay for [`GRACE`].
fn rooms(store: impl Store + 'static) -> Arc<Rooms> {
    let policy = RoomPolicy { grace: GRACE, ..RoomPolicy::default() };
    let policies = BTreeMap::from([("default".to_owned(), policy)]);
    let (clock, store) = (Clock::start(), Arc::new(store));
    let event_log = Arc::new(MemoryEventLog::new(Retentions::new(), 0));
    let node = Node { clock, store, event_log, metrics: Arc::default(), changed: Arc::default() };
    Rooms::new(policies, node)
}

fn working() -> Arc<Rooms> {
    rooms(MemoryStore::new(1 << 20))
}

fn name(name: &str) -> RoomName {
    format!("default:{name}").parse().unwrap()
}

/// A member-to-be, and what it is sent.
struct Guest {
    outlet: Outlet,
    control: LaneReceiver,
    _peer: Link,
}

impl Guest {
    fn new() -> Self {
        let (link, _peer) = memory::pair();
        let (sender, control) = lane(&Budget::new(1 << 20));
        let outlet = Outlet { link, reliable_motion: false, control: sender, edits: None };
        Self { outlet, control, _peer }
    }

    fn join(&self, rooms: &Arc<Rooms>, room: &RoomName) -> Result<Joined, Refusal> {
        let member = NewMember { rights: Rights::ALL, ..NewMember::default() };
        rooms.join(room, 1, member, self.outlet.clone())
    }

    /// Waits until it is told that its membership has ended, and why.
    async fn left(&mut self) -> Option<Refusal> {
        loop {
            let queued = soon(self.control.pop()).await.expect("the outlet is still there");
            let mut buffer = FrameBuffer::default();
            buffer.push(&queued.bytes());
            let message = buffer.pop().unwrap().expect("whole messages are queued");
            if let Some(ToClient::Left(left)) = ToClient::decode(&message).unwrap() {
                return left.reason;
            }
        }
    }
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(10), future).await.expect("it never came")
}

/// Looks again and again until it is so.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !is_so() {
        assert!(Instant::now() < deadline, "this never happened: {what}");
        sleep(Duration::from_millis(1)).await;
    }
}

/// Waits until nobody holds a room any more: neither the registry nor its ticker.
async fn freed(cell: Weak<RoomCell>) {
    until("the room is freed", || cell.upgrade().is_none()).await;
}

fn gauges(rooms: &Rooms) -> (i64, i64) {
    (rooms.node.metrics.rooms.get(), rooms.node.metrics.members.get())
}

#[tokio::test]
async fn a_room_that_panics_is_closed_and_the_others_go_on() {
    let rooms = working();
    let (broken, whole) = (name("broken"), name("whole"));
    let (mut ada, mut bob, eve) = (Guest::new(), Guest::new(), Guest::new());
    let joined = ada.join(&rooms, &broken).unwrap();
    bob.join(&rooms, &broken).unwrap();
    let other = eve.join(&rooms, &whole).unwrap();
    assert_eq!(gauges(&rooms), (2, 3));
    // An idle room's ticker has no timer that would wake it.
    until("the room is idle", || joined.cell.schedule().is_none()).await;

    assert!(joined.cell.with(|_, _| -> () { panic!("as a fault in a room would") }).is_none());
    assert!(joined.cell.is_closed());
    assert_eq!(joined.cell.with(|room, _| room.len()), None, "nobody looks at it again");
    for guest in [&mut ada, &mut bob] {
        assert_eq!(guest.left().await, Some(Refusal::RoomClosed));
    }
    assert_eq!(gauges(&rooms), (1, 1));
    assert_eq!(other.cell.with(|room, _| room.len()), Some(1));

    let again = ada.join(&rooms, &broken).unwrap();
    assert_ne!(again.cell.id().handle, joined.cell.id().handle);
    assert_ne!(again.cell.id().epoch, joined.cell.id().epoch);
    let cell = Arc::downgrade(&joined.cell);
    joined.cell.leave(joined.slot); // as its connection does when it ends
    drop(joined);
    freed(cell).await;
    assert_eq!(gauges(&rooms), (2, 2));
}

#[tokio::test]
async fn a_room_that_panics_on_another_thread_is_closed_and_ticks_no_more() {
    let rooms = working();
    let mut guest = Guest::new();
    let joined = guest.join(&rooms, &name("a")).unwrap();
    let cell = joined.cell.clone();
    let broken =
        std::thread::spawn(move || cell.with(|_, _| -> () { panic!("on another thread") }));
    assert_eq!(broken.join().unwrap(), None);
    assert_eq!(guest.left().await, Some(Refusal::RoomClosed));
    joined.cell.tick(None);
    assert_eq!(gauges(&rooms), (0, 0));
}

#[tokio::test]
async fn a_room_goes_with_its_last_member_however_it_goes() {
    let rooms = working();
    for lost in [false, true] {
        let (ada, bob) = (Guest::new(), Guest::new());
        let first = ada.join(&rooms, &name("a")).unwrap();
        let second = bob.join(&rooms, &name("a")).unwrap();
        assert!(Arc::ptr_eq(&first.cell, &second.cell));
        first.cell.leave(first.slot);
        rooms.close_if_empty(&first.cell);
        assert!(!first.cell.is_closed(), "somebody is there");
        if lost {
            second.cell.lose(second.slot, Duration::ZERO);
        } else {
            second.cell.leave(second.slot);
            rooms.close_if_empty(&second.cell);
        }
        let cell = Arc::downgrade(&first.cell);
        drop((first, second));
        freed(cell).await;
        assert_eq!(gauges(&rooms), (0, 0));
    }
}

/// Loads when it is let, and then finds nothing, or fails the first time.
#[derive(Debug)]
struct Gated {
    loads: Arc<AtomicUsize>,
    gate: Arc<Semaphore>,
    fails_first: bool,
}

impl Store for Gated {
    fn is_available(&self) -> bool {
        true
    }

    fn load(&self, _room: &RoomName) -> Pending<SavedDocument> {
        let fails = self.loads.fetch_add(1, Ordering::SeqCst) == 0 && self.fails_first;
        let gate = self.gate.clone();
        Box::pin(async move {
            gate.acquire().await.unwrap().forget();
            let failed = || Err(StoreError::Unavailable("full".to_owned()));
            if fails { failed() } else { Ok(SavedDocument::default()) }
        })
    }

    fn history(&self, _room: &RoomName, _before: Option<u64>, _limit: usize) -> Pending<Vec<Edit>> {
        Box::pin(ready(Err(StoreError::Unavailable("full".to_owned()))))
    }

    fn append(&self, _room: &RoomName, _edit: LoggedEdit) -> Pending<()> {
        Box::pin(ready(Ok(())))
    }
}

#[tokio::test]
async fn a_document_is_loaded_once_for_who_opens_it_first() {
    let (loads, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let rooms = rooms(Gated { loads: loads.clone(), gate: gate.clone(), fails_first: false });
    let joined = Guest::new().join(&rooms, &name("a")).unwrap();
    assert_eq!(loads.load(Ordering::SeqCst), 0, "who only looks and points pays for no document");
    let load = || {
        let cell = joined.cell.clone();
        tokio::spawn(async move { cell.load().await })
    };
    let (first, second) = (load(), load());
    gate.add_permits(1);
    assert_eq!(soon(first).await.unwrap(), Ok(()));
    assert_eq!(soon(second).await.unwrap(), Ok(()));
    assert!(joined.cell.is_loaded());
    assert_eq!(loads.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_load_that_fails_does_so_for_all_who_wait_and_the_next_to_ask_has_it_tried_again() {
    let (loads, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let rooms = rooms(Gated { loads: loads.clone(), gate: gate.clone(), fails_first: true });
    let joined = Guest::new().join(&rooms, &name("a")).unwrap();
    let mut asked = (0..3).map(|_| Box::pin(joined.cell.load())).collect::<Vec<_>>();
    for load in &mut asked {
        assert!(load.now_or_never().is_none(), "it waits");
    }
    gate.add_permits(1);
    for load in asked {
        assert_eq!(soon(load).await, Err(StoreError::Unavailable("full".to_owned())));
    }
    assert_eq!(loads.load(Ordering::SeqCst), 1);
    gate.add_permits(1);
    assert_eq!(soon(joined.cell.load()).await, Ok(()));
    assert_eq!(loads.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_join_that_meets_a_room_on_its_way_out_looks_it_up_again() {
    let rooms = working();
    let room = name("a");
    let first = Guest::new().join(&rooms, &room).unwrap();
    // Closed, and not taken out yet.
    first.cell.leave(first.slot);
    assert!(first.cell.close_if_empty());
    let guest = Guest::new();
    let joined = guest.join(&rooms, &room).unwrap();
    assert!(!Arc::ptr_eq(&joined.cell, &first.cell));
    assert_eq!(joined.cell.with(|room, _| room.len()), Some(1));
    assert_eq!(gauges(&rooms), (1, 1));
}

/// Loads well or fails, and never takes an edit.
#[derive(Debug)]
struct Failing {
    loads: bool,
}

impl Store for Failing {
    fn is_available(&self) -> bool {
        true
    }

    fn load(&self, _room: &RoomName) -> Pending<SavedDocument> {
        let found = if self.loads {
            Ok(SavedDocument::default())
        } else {
            Err(StoreError::Unavailable("full".to_owned()))
        };
        Box::pin(ready(found))
    }

    fn history(&self, _room: &RoomName, _before: Option<u64>, _limit: usize) -> Pending<Vec<Edit>> {
        Box::pin(ready(Err(StoreError::Unavailable("full".to_owned()))))
    }

    fn append(&self, _room: &RoomName, _edit: LoggedEdit) -> Pending<()> {
        Box::pin(ready(Err(StoreError::Unavailable("full".to_owned()))))
    }
}

#[tokio::test]
async fn a_store_that_does_not_load_lets_members_in_all_the_same() {
    let rooms = rooms(Failing { loads: false });
    let joined = Guest::new().join(&rooms, &name("a")).unwrap();
    assert!(joined.cell.load().await.is_err() && !joined.cell.is_loaded());
    let refused = Guest::new().join(&rooms, &"nowhere:a".parse().unwrap());
    assert_eq!(refused.map(|_| ()), Err(Refusal::NotFound));
    assert_eq!(gauges(&rooms), (1, 1));
}

#[tokio::test]
async fn a_store_that_fails_closes_the_room_as_unavailable() {
    let rooms = rooms(Failing { loads: true });
    let (mut ada, mut bob) = (Guest::new(), Guest::new());
    let joined = ada.join(&rooms, &name("a")).unwrap();
    bob.join(&rooms, &name("a")).unwrap();
    let put = Op::new(OpKind::Put, "r", Default::default());
    let submit = Submit { number: 1, ops: vec![put] };
    let open = Open { slot: joined.slot, ..Open::default() };
    joined.cell.open_edits(&open, lane(&Budget::new(1 << 20)).0);
    joined.cell.submit(joined.slot, submit, None);
    for guest in [&mut ada, &mut bob] {
        assert_eq!(guest.left().await, Some(Refusal::Unavailable));
    }
    let cell = Arc::downgrade(&joined.cell);
    drop(joined);
    freed(cell).await;
    assert_eq!(gauges(&rooms), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn m3_a_room_whose_ticks_are_used_up_begins_anew() {
    let rooms = working();
    let mut ada = Guest::new();
    let joined = ada.join(&rooms, &name("a")).unwrap();
    // 30 ticks a second.
    for (years, status, is_over) in [(4, Status::Away, false), (1, Status::Active, true)] {
        tokio::time::advance(Duration::from_secs(years * 366 * 86_400)).await;
        joined.cell.with(|room, now| room.handle_status(now, joined.slot, status));
        joined.cell.tick(None);
        assert_eq!(joined.cell.is_closed(), is_over, "after {years} more years");
    }
    assert_eq!(ada.left().await, Some(Refusal::Unavailable));
    let again = Guest::new().join(&rooms, &name("a")).unwrap();
    assert_ne!(again.cell.id().epoch, joined.cell.id().epoch);
}

/// Whether a member is in its room, and whoever asks for the room by its name comes to the same one.
fn is_in(rooms: &Rooms, joined: &Joined) -> bool {
    let found = rooms.cells.get_or_open(&joined.cell.id().name, || panic!("it has a member"));
    Arc::ptr_eq(&found, &joined.cell) && joined.cell.with(|room, _| !room.is_empty()) == Some(true)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_who_come_and_go_lose_no_member_and_leave_no_room() {
    const TASKS: usize = 8;
    const ROUNDS: usize = 250;
    let rooms = working();
    let cells: Arc<Mutex<Vec<Weak<RoomCell>>>> = Arc::default();
    let come_and_go = |task: usize| {
        let (rooms, cells) = (rooms.clone(), cells.clone());
        async move {
            for round in 0..ROUNDS {
                let guest = Guest::new();
                // Few names for many tasks: most joins meet a room that somebody just leaves.
                let joined = guest.join(&rooms, &name(["a", "b", "c"][round % 3])).unwrap();
                assert!(is_in(&rooms, &joined), "task {task} in round {round}");
                cells.lock().unwrap().push(Arc::downgrade(&joined.cell));
                if round % 4 == 0 {
                    tokio::task::yield_now().await;
                    assert!(is_in(&rooms, &joined), "task {task} in round {round}");
                }
                if round % 5 == 0 {
                    joined.cell.lose(joined.slot, GRACE);
                } else {
                    joined.cell.leave(joined.slot);
                    rooms.close_if_empty(&joined.cell);
                }
            }
        }
    };
    let tasks: Vec<_> = (0..TASKS).map(|task| tokio::spawn(come_and_go(task))).collect();
    for task in tasks {
        timeout(Duration::from_secs(60), task).await.expect("no task hangs").unwrap();
    }
    let cells = std::mem::take(&mut *cells.lock().unwrap());
    assert_eq!(cells.len(), TASKS * ROUNDS);
    for cell in cells {
        freed(cell).await;
    }
    assert_eq!(gauges(&rooms), (0, 0));
}

#[tokio::test]
async fn every_life_of_a_room_has_a_handle_of_its_own() {
    let rooms = working();
    let mut handles = Vec::new();
    for _ in 0..3 {
        let joined = Guest::new().join(&rooms, &name("a")).unwrap();
        assert_eq!(joined.slot, Slot(0));
        handles.push(joined.cell.id().handle.0);
        joined.cell.leave(joined.slot);
        rooms.close_if_empty(&joined.cell);
    }
    assert_eq!(handles, [1, 2, 3]);
}
