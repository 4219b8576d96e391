//! Two thousand clients that connect and never say a word, against the binary, whose memory is looked at.

use std::time::Duration;

use hither_client::{Position, Transport};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::support::{Foreign, Process, enter, find, slot, until};

const MUTE: usize = 2_000;
const SOCKETS: usize = 4;

// proves H2, H6
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_mute_connections_cost_nobody_anything_that_lasts() {
    let server = Process::start();
    let (ada, bob) =
        (server.client(Transport::Quic).await, server.client(Transport::WebTransport).await);
    let (here, there) = (enter(&ada, "default:calm").await, enter(&bob, "default:calm").await);
    let before = server.rss_kb();
    let start = Instant::now();
    let sockets: Vec<Foreign> = (0..SOCKETS)
        .map(|number| Foreign::bind(if number % 2 == 0 { b"h3" } else { b"hither/1" }))
        .collect();
    let mut connecting = JoinSet::new();
    for number in 0..MUTE {
        let (foreign, quic) = (sockets[number % SOCKETS].clone(), server.quic);
        connecting.spawn(async move { foreign.connect(quic).await });
    }
    let mut connections = Vec::new();
    let mut step = 0;
    while let Some(connection) = connecting.join_next().await {
        connections.push(connection.unwrap());
        step += 1;
    }
    println!("all in {:?} steps {step}", start.elapsed());
    println!("rss {} -> {}", before, server.rss_kb());
    let open = connections.iter().filter(|c| c.close_reason().is_none()).count();
    println!("open {open}");
    for connection in &connections {
        connection.closed().await;
    }
    println!("closed {:?}", start.elapsed());
    drop(connections);
    for _ in 0..10 {
        println!("rss {}", server.rss_kb());
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    here.set_motion(Position::xy(1, 1));
    until("x", || there.position(slot(&here)).is_some()).await;
    find("x", async || Some(())).await;
}
