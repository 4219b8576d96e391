//! The promise of the motion lane over real sockets, through a relay that loses datagrams. The simulation measures it
//! in many more worlds; this is that sockets, QUIC's own pace and timers with a grain change nothing.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use hither_client::{Client, ClientEndpoint, ClientTls, Position, Room, Transport};
use hither_transport::relay::{Impairment, Relay};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::{Instant, sleep, sleep_until};

use crate::support::{Host, Target, enter, on_udp, slot};

/// A mover at rest is right at every viewer within this.
const PROMISE: Duration = Duration::from_millis(300);
const RESTS: u64 = 20;
const VIEWERS: usize = 3;
/// Decides where the mover goes; the relay's seed, the transport's number more, what is lost.
const SEED: u64 = 30;

/// A client with a socket of its own, so that its losses are its own, in a room of 30 ticks a second.
async fn member(server: &Host, relay: &Relay, on: Transport) -> (Client, Room) {
    let endpoint = ClientEndpoint::bind(ClientTls::Hash(server.cert_sha256)).unwrap();
    let target = Target { quic: relay.local_addr(), endpoint, ..Target::clone(server) };
    let client = target.client(on).await;
    let room = enter(&client, "hz30:a").await;
    (client, room)
}

/// Moves for some looks, 60 a second, and rests; returns how long it took until each viewer had the last position.
async fn rest(rng: &mut StdRng, mover: &Room, viewers: &[(Client, Room)]) -> Vec<Duration> {
    let mut place = || Position::xy(rng.random_range(-9_999..=9_999), rng.random_range(0..=9_999));
    let mut last = place();
    for _ in 0..12 {
        mover.set_motion(last);
        sleep(Duration::from_micros(16_667)).await;
        last = place();
    }
    mover.set_motion(last);
    let since = Instant::now();
    let mut times: Vec<Option<Duration>> = vec![None; viewers.len()];
    while times.contains(&None) && since.elapsed() < 10 * PROMISE {
        for ((_, viewer), time) in viewers.iter().zip(&mut times) {
            let is_there = viewer.position(slot(mover)) == Some(last);
            *time = time.or_else(|| is_there.then(|| since.elapsed()));
        }
        sleep(Duration::from_millis(1)).await;
    }
    sleep_until(since + PROMISE + Duration::from_millis(rng.random_range(0..100))).await;
    times.into_iter().map(|time| time.unwrap_or(Duration::MAX)).collect()
}

#[tokio::test]
async fn m11_at_30_percent_loss_a_rest_is_right_at_every_viewer_within_300_ms() {
    // TCP loses nothing, and its packets do not pass a relay of UDP.
    on_udp(async |on| {
        let seed = SEED + u64::from(on == Transport::WebTransport);
        let server = Host::start().await;
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let relay = Relay::bind(any, server.quic, seed, Impairment::default()).unwrap();
        let (_client, mover) = member(&server, &relay, on).await;
        let mut viewers = Vec::new();
        for _ in 0..VIEWERS {
            viewers.push(member(&server, &relay, on).await);
        }
        relay.set_impairment(Impairment { loss: 0.3, ..Impairment::default() });
        let mut rng = StdRng::seed_from_u64(SEED);
        let mut times = Vec::new();
        for _ in 0..RESTS {
            times.extend(rest(&mut rng, &mover, &viewers).await);
        }
        times.sort_unstable();
        let (median, longest) = (times[times.len() / 2], times[times.len() - 1]);
        println!("{on}, relay seed {seed}: seen after {median:.0?}, {longest:.0?} at most");
        assert!(longest <= PROMISE, "relay seed {seed}: {times:.0?}");
        let stats = relay.stats();
        assert!(stats.up.lost > 100 && stats.down.lost > 100, "{stats:?}");
    })
    .await;
}
