//! What the scenarios share: where they run, how they wait, and whom they wait with.

mod files;
mod foreign;
mod http;
mod process;
mod raw;
mod server;
mod token;

pub(crate) use files::put_certificate;
pub(crate) use foreign::Foreign;
pub(crate) use http::get;
pub(crate) use process::Process;
pub(crate) use raw::{EditsLane, Lane, Raw, close_code};
pub(crate) use server::{Host, Target};
pub(crate) use token::{Issuer, now_s};

use std::time::Duration;

use hither_client::{Client, Event, Map, Room, Slot, Transport, Value};
use tokio::time::{Instant, sleep, timeout};

/// Every wait of a test. Long, since a busy machine is slow; whoever waits in vain has failed.
const DEADLINE: Duration = Duration::from_secs(15);

/// Every transport that has a network.
pub(crate) const ALL: [Transport; 3] =
    [Transport::Quic, Transport::WebTransport, Transport::WebSocket];

/// Whether lanes are streams of bytes, so that half a message, or a length without one, can be said at all. On
/// WebSocket what is said is whole messages.
pub(crate) fn has_streams(on: Transport) -> bool {
    on != Transport::WebSocket
}

/// Runs a scenario over each transport in turn.
pub(crate) async fn on_all(scenario: impl AsyncFn(Transport)) {
    for on in ALL {
        let _named = Named(on);
        scenario(on).await;
    }
}

/// Runs a scenario over each transport that has datagrams of its own.
pub(crate) async fn on_udp(scenario: impl AsyncFn(Transport)) {
    for on in ALL.into_iter().filter(|on| has_streams(*on)) {
        let _named = Named(on);
        scenario(on).await;
    }
}

/// Says, when a test fails, over which transport.
struct Named(Transport);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this was over {}", self.0);
        }
    }
}

/// For how many minutes `cargo xtask soak` has a test go on, with as many trials and members as were promised; `None`
/// in the gate.
pub(crate) fn soak_minutes() -> Option<u64> {
    std::env::var("HITHER_SOAK_MINUTES").ok()?.parse().ok()
}

/// Fails a test that would hang.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.expect("it never came")
}

/// Looks again and again until `look` finds something.
pub(crate) async fn find<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "this never happened: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// Looks again and again until it is so.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    find(what, async || is_so().then_some(())).await;
}

/// Looks again and again for `time`, in which it must stay so.
pub(crate) async fn stays(what: &str, time: Duration, is_so: impl Fn() -> bool) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        assert!(is_so(), "this ended: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// The next event of a room that `pick` takes; others before it are passed over.
pub(crate) async fn event<T>(room: &Room, pick: impl Fn(Event) -> Option<T>) -> T {
    let picked = async {
        loop {
            let event = room.next_event().await.expect("the room is over");
            if let Some(picked) = pick(event) {
                return picked;
            }
        }
    };
    soon(picked).await
}

/// A map of one field.
pub(crate) fn field(name: &str, value: impl Into<Value>) -> Map {
    Map::from([(name.into(), value.into())])
}

/// Enters with an empty presence.
pub(crate) async fn enter(client: &Client, room: &str) -> Room {
    soon(client.enter(room, Map::new())).await.expect("the room should take us")
}

pub(crate) fn slot(room: &Room) -> Slot {
    room.slot().expect("still in the room")
}
