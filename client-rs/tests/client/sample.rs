//! Where a member is to be drawn, from both handles of a room: what playback decides is tested where it is decided.

use std::time::{Duration, Instant};

use hither_client::{Client, Map, Position, Slot};
use hither_protocol::limits::AXES_MAX;
use hither_transport::memory;
use tokio::runtime::Runtime;

use crate::polled::{entered as entered_room, turn};
use crate::server::{OTHER, ROOM, Server, entered, soon};

type Sample = Option<[f64; AXES_MAX]>;

fn from() -> Position {
    Position::xy(5, 6)
}

fn to() -> Position {
    Position::xy(65, 6)
}

fn drawn_at(position: Position) -> Sample {
    Some(position.axes().map(f64::from))
}

/// Draws the way from [`from`] to [`to`], which has just come: it is gone in a tick of 33 ms, and ends where it ends.
fn check_way(sample: impl Fn(Instant) -> Sample) {
    let now = Instant::now();
    let drawn = |step: u32| sample(now + step * Duration::from_millis(4)).unwrap();
    let way: Vec<[f64; AXES_MAX]> = (0..100).map(drawn).collect();
    assert!(way.windows(2).all(|pair| pair[0][0] <= pair[1][0]), "{way:?}");
    assert!(way.iter().any(|at| 6.0 < at[0] && at[0] < 64.0), "{way:?}");
    assert!(way.iter().all(|at| at[1..] == [6.0, 0.0, 0.0]), "{way:?}");
    assert_eq!(way.last().copied(), drawn_at(to()));
}

#[tokio::test(start_paused = true)]
async fn a_room_draws_a_member_on_its_way_and_nobody_else() {
    let (_client, room, server) = entered().await;
    let now = Instant::now();
    assert_eq!(room.sample(OTHER, now), None);
    server.frame(ROOM, 101, &[(OTHER, from())]);
    assert_eq!(soon(room.next_motion()).await, Some((OTHER, Some(from()))));
    assert_eq!(room.sample(OTHER, now), drawn_at(from()));
    server.frame(ROOM, 102, &[(OTHER, from())]);
    server.frame(ROOM, 103, &[(OTHER, to())]);
    while soon(room.next_motion()).await != Some((OTHER, Some(to()))) {}
    check_way(|at| room.sample(OTHER, at));
    assert_eq!(room.sample(Slot(9), Instant::now()), None);
    server.frame(ROOM, 104, &[]);
    assert_eq!(soon(room.next_motion()).await, Some((OTHER, None)));
    assert_eq!(room.sample(OTHER, Instant::now()), None);
}

#[test]
fn a_polled_client_draws_a_member_on_its_way_and_nobody_else() {
    let runtime = Runtime::new().unwrap();
    let (client, server) = runtime.block_on(async {
        let (here, there) = memory::pair();
        tokio::join!(Client::builder("memory").connect_over(here), Server::welcoming(there))
    });
    let (mut net, mut server) = (client.unwrap().into_polled(), server);
    net.enter("default:arena".parse().unwrap(), Map::new()).unwrap();
    runtime.block_on(server.admit(ROOM));
    assert_eq!(turn(&mut net, entered_room), ROOM);
    for (tick, at) in [(101, from()), (102, from()), (103, to())] {
        server.frame(ROOM, tick, &[(OTHER, at)]);
        turn(&mut net, |net| (net.positions(ROOM).next() == Some((OTHER, at))).then_some(()));
        let drawn = net.sample(ROOM, OTHER, Instant::now());
        assert!(at == to() || drawn == drawn_at(at), "{drawn:?}");
    }
    check_way(|at| net.sample(ROOM, OTHER, at));
    assert_eq!(net.sample(ROOM, Slot(9), Instant::now()), None);
    server.frame(ROOM, 104, &[]);
    turn(&mut net, |net| net.positions(ROOM).next().is_none().then_some(()));
    assert_eq!(net.sample(ROOM, OTHER, Instant::now()), None);
}
