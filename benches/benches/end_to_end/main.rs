//! End to end: a whole server in this process, native clients over loopback, one move to everybody.

mod host;

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures_util::future::join_all;
use hither_client::{Client, Position, Room, Transport};

use host::Host;

criterion_group!(
    name = benches;
    config = Criterion::default().sample_size(30).measurement_time(Duration::from_secs(3));
    targets = moves
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
            if shown == Some(position) {
                return;
            }
        }
    }))
    .await;
}
