//! Two thousand clients that connect and never say a word, against the binary, whose memory is looked at.

use std::convert::Infallible;
use std::sync::Arc;

use hither_client::{Position, Room, Transport};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::support::{Foreign, Process, enter, find, slot, until};

/// As many as may be pending at a time, but for 48.
const MUTE: usize = 2_000;
const SOCKETS: usize = 4;
/// Handshakes at a time. In a debug build one takes a millisecond of each end.
const AT_A_TIME: usize = 64;
/// What a second wave may add to the memory that the first has left: less than a quarter of what a wave needs while
/// it is open.
const MARGIN_KB: u64 = 16 * 1024;
/// What one may need while it is open, for a second wave of which more are open at once than of the first.
const EACH_KB: u64 = 48;

// proves H2, H6
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_mute_connections_leave_nothing_and_their_neighbours_feel_nothing() {
    let mut server = Process::start();
    let ada = server.client(Transport::Quic).await;
    let bob = server.client(Transport::WebTransport).await;
    let members = [enter(&ada, "default:calm").await, enter(&bob, "default:calm").await];
    let waves = async { [send_wave(&server, 1).await, send_wave(&server, 2).await] };
    let [first, second] = tokio::select! {
        never = walk(&members) => match never {},
        waves = waves => waves,
    };
    println!("{first:?}, then {second:?}");
    // The allocator keeps what the first wave took, and the second finds its place in it.
    let more = second.open.saturating_sub(first.open) as u64;
    assert!(second.left_kb <= first.left_kb + MARGIN_KB + more * EACH_KB, "it leaves memory taken");

    ada.close().await;
    bob.close().await;
    for gauge in ["hither_members", "hither_rooms"] {
        server.metric_until(gauge, |count| count == 0).await;
    }
    server.terminate();
    let ended = server.ended().await;
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
}

/// Two members move for ever, and each sees each step of the other.
async fn walk([here, there]: &[Room; 2]) -> Infallible {
    let mut step = 0;
    loop {
        step += 1;
        let (mine, yours) = (Position::xy(step, 0), Position::xy(0, step));
        here.set_motion(mine);
        there.set_motion(yours);
        until("the neighbours see each other", || {
            there.position(slot(here)) == Some(mine) && here.position(slot(there)) == Some(yours)
        })
        .await;
    }
}

/// What became of a wave.
#[derive(Debug)]
struct Wave {
    /// How many were open at once, when the last of them was connected: all of them, unless the machine is so busy
    /// that the first have been closed by then.
    open: usize,
    /// What the server had resident when all were closed.
    left_kb: u64,
}

/// Connects them all, and waits until the server has closed and counted each.
async fn send_wave(server: &Process, number: usize) -> Wave {
    let sockets: Vec<Foreign> = (0..SOCKETS)
        .map(|number| Foreign::bind(if number % 2 == 0 { b"h3" } else { b"hither/1" }))
        .collect();
    let places = Arc::new(Semaphore::new(AT_A_TIME));
    let mut connecting = JoinSet::new();
    for number in 0..MUTE {
        let (socket, quic) = (sockets[number % SOCKETS].clone(), server.quic);
        let places = places.clone();
        connecting.spawn(async move {
            let _place = places.acquire().await;
            socket.connect(quic).await
        });
    }
    let connections = connecting.join_all().await;
    let open = connections.iter().flatten().filter(|open| open.close_reason().is_none()).count();
    let of =
        async |cause| server.metric(&format!("hither_rejects_total{{cause=\"{cause}\"}}")).await;
    find("each is closed when its time is over, and counted", async || {
        // Half of them stop before CONNECT, and half before hello, or before that if the machine is very busy.
        let closed = of("connect_deadline").await + of("hello_deadline").await;
        (closed == (number * MUTE) as u64).then_some(())
    })
    .await;
    Wave { open, left_kb: server.rss_kb() }
}
