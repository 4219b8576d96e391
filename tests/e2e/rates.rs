//! Rates: what is over them is refused with the time to try again, and motion is thinned out without losing its end.

use std::time::Duration;

use hither_client::{CloseCode, Event, Hello, Op, OpKind, Position, Room};
use hither_protocol::message::control::{ToClient, ToServer};
use tokio::time::{Instant, sleep};

use crate::support::{Host, enter, event, field, find, on_all, slot, soon, until};

/// A server whose members may do everything twice at once, and then once a second.
async fn slow_server() -> Host {
    Host::with(|config| {
        let namespace = config.namespaces.get_mut("default").unwrap();
        namespace.presence_per_s = 1;
        namespace.events_per_s = 1;
        namespace.edits_per_s = 1;
        namespace.motion_per_s = 5;
    })
    .await
}

/// Waits for a refusal for the rate, and returns what it says of the time.
async fn refused(room: &Room) -> Duration {
    let error = event(room, |event| match event {
        Event::Refused(error) => Some(error),
        _ => None,
    });
    let error = error.await;
    assert_eq!(error.code, hither_client::Refusal::RateLimited);
    retry_after(Duration::from_millis(error.retry_after_ms.expect("it says when")))
}

fn retry_after(pause: Duration) -> Duration {
    assert!(pause > Duration::ZERO && pause <= Duration::from_millis(1_001), "{pause:?}");
    pause
}

// proves E2
#[tokio::test]
async fn what_is_over_a_rate_is_refused_until_the_time_it_says() {
    on_all(async |on| {
        let server = slow_server().await;
        let (ada, bob) = (server.client(on).await, server.client(on).await);
        let (here, there) = (enter(&ada, "default:a").await, enter(&bob, "default:a").await);
        for number in 1..=3 {
            here.update_presence(field("n", number)).unwrap();
        }
        let pause = refused(&here).await;
        sleep(pause).await;
        here.update_presence(field("m", 4)).unwrap();
        until("a patch in time is taken", || {
            let seen = there.member(slot(&here)).unwrap().presence;
            seen.get("n") == Some(&2.into()) && seen.get("m") == Some(&4.into())
        })
        .await;

        for number in 1..=3 {
            here.broadcast("n", number).unwrap();
        }
        let pause = refused(&here).await;
        sleep(pause).await;
        here.broadcast("n", 4).unwrap();
        for number in [1, 2, 4] {
            let data = event(&there, |event| match event {
                Event::Broadcast { data, .. } => Some(data),
                _ => None,
            });
            assert_eq!(data.await, number.into());
        }
        assert_eq!(server.metric("hither_rejects_total{cause=\"rate\"}").await, 2);
    })
    .await;
}

// proves E2
#[tokio::test]
async fn edits_over_their_rate_wait_for_their_turn_in_their_order() {
    on_all(async |on| {
        let server = slow_server().await;
        let here = enter(&server.client(on).await, "default:a").await;
        let start = Instant::now();
        let put = |x| vec![Op::new(OpKind::Put, "a", field("x", x))];
        let submitted: Vec<_> = (1..=5).map(|x| here.submit(put(x))).collect();
        // Two at once, one ahead, and two that wait for a second each.
        for (sequence, answer) in (1..).zip(submitted) {
            assert_eq!(soon(answer).await.unwrap().sequence, sequence);
        }
        assert!(start.elapsed() >= Duration::from_millis(1_900), "{:?}", start.elapsed());
    })
    .await;
}

// proves E2, M10
#[tokio::test]
async fn motion_over_its_rate_is_thinned_out_and_ends_in_the_right_place() {
    on_all(async |on| {
        let server = slow_server().await;
        let viewer = enter(&server.client(on).await, "default:a").await;
        let mut raw = server.welcomed(on).await;
        let (joined, _) = raw.join("default:a", None).await;
        // Each sample once: the last must come through without a repeat.
        for number in 1..=100 {
            raw.sample(joined.room, number, Position::xy(number as i32, 0));
        }
        until("the last position", || viewer.position(joined.slot) == Some(Position::xy(100, 0)))
            .await;
        let dropped = server.metric("hither_datagrams_dropped_total{cause=\"rate\"}").await;
        assert!(dropped >= 80, "{dropped} of 100 were over the rate");
        raw.ping().await;
    })
    .await;
}

// proves H6
#[tokio::test]
async fn more_hellos_than_may_come_in_a_second_are_told_when_to_come_back() {
    on_all(async |on| {
        let server = Host::with(|config| config.limits.hellos_per_s = 5).await;
        let mut raws = Vec::new();
        for _ in 0..15 {
            let mut raw = server.raw(on).await;
            raw.say(ToServer::Hello(Hello { version: 1, ..Hello::default() })).await;
            raws.push(raw);
        }
        let (mut welcome, mut refused) = (0, 0);
        for raw in &mut raws {
            match raw.next().await {
                Some(ToClient::Welcome(_)) => welcome += 1,
                Some(ToClient::Bye(bye)) => {
                    assert_eq!(bye.code, CloseCode::Overloaded.number());
                    assert!(bye.retry_after_ms.is_some_and(|ms| ms <= 2_500), "{bye:?}");
                    refused += 1;
                }
                other => panic!("{other:?}"),
            }
        }
        // Two seconds' worth, and what came meanwhile.
        assert!((10..15).contains(&welcome) && welcome + refused == 15, "{welcome} of 15");
        find("there is room again", async || {
            let mut raw = server.raw(on).await;
            raw.say(ToServer::Hello(Hello { version: 1, ..Hello::default() })).await;
            matches!(raw.next().await, Some(ToClient::Welcome(_))).then_some(())
        })
        .await;
    })
    .await;
}
