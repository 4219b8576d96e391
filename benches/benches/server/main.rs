//! A whole server in this process, with native clients over loopback: one move to everybody, and
//! members that come and go.

mod host;

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures_util::future::join_all;
use hither_client::{Client, Map, Position, Room, Transport};

use host::Host;

criterion_group!(
    name = benches;
    config = Criterion::default().sample_size(30).measurement_time(Duration::from_secs(3));
    targets = moves, joins
);
criterion_main!(benches);

/// From a mover's `set_motion` until each of K viewers has it: a wait for the tick (a millisecond at
/// most, see [`Host`]), and K datagrams.
fn moves(criterion: &mut Criterion) {
    let host = Host::start();
    let mut group = criterion.benchmark_group("end to end");
    for transport in [Transport::Quic, Transport::WebTransport] {
        for viewers in [1, 10, 100] {
            group.throughput(Throughput::Elements(viewers));
            let room = format!("bench:{transport}-{viewers}");
            let crowd = host.block_on(host.crowd(transport, &room, 1 + viewers as usize));
            let mut x = 0;
            group.bench_function(BenchmarkId::new(transport.as_str(), viewers), |bencher| {
                bencher.iter(|| {
                    x += 1;
                    host.block_on(one_move(&crowd, Position::xy(x, 0)));
                });
            });
        }
    }
}

async fn one_move(crowd: &[(Client, Room)], position: Position) {
    let Some(((_, mover), viewers)) = crowd.split_first() else { return };
    mover.set_motion(position);
    join_all(viewers.iter().map(|(_, viewer)| async {
        while let Some((_, shown)) = viewer.next_motion().await {
            if shown == position {
                return;
            }
        }
    }))
    .await;
}

/// Sixteen clients that enter a room and leave it again, all at once: each a room of its own, which
/// the registry opens and closes, or all the same one. It has the messages' way there and back in
/// it, which is the same for both; what differs is the registry and the room.
fn joins(criterion: &mut Criterion) {
    const CLIENTS: usize = 16;
    let host = Host::start();
    let clients = host.block_on(host.clients(Transport::Quic, CLIENTS));
    let mut group = criterion.benchmark_group("registry");
    group.throughput(Throughput::Elements(CLIENTS as u64));
    for (name, is_hot) in [("many rooms", false), ("one hot room", true)] {
        let room = |index| format!("bench:{}", if is_hot { 0 } else { index });
        let rooms: Vec<String> = (0..CLIENTS).map(room).collect();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let visits = clients.iter().zip(&rooms).map(|(client, room)| visit(client, room));
                host.block_on(join_all(visits))
            });
        });
    }
}

#[expect(clippy::expect_used, reason = "a bench whose server fails has no figure")]
async fn visit(client: &Client, room: &str) {
    let room = client.enter(room, Map::new()).await.expect("the room is open to all");
    room.leave().await.expect("the connection lives");
}
