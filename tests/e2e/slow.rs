//! A viewer that does not read: it is sent away, and nobody waits for it.

use hither_client::{Event, Position};

use crate::support::{Host, enter, event, has_streams, on_all, slot, soon, until};

// proves L1, C2
#[tokio::test]
async fn who_does_not_read_is_closed_as_too_slow_and_the_others_get_everything() {
    const EVENTS: u64 = 60;
    on_all(async |on| {
        let server = Host::start().await;
        let here = enter(&server.client(on).await, "default:a").await;
        let there = enter(&server.client(on).await, "default:a").await;
        let mut slow = server.welcomed(on).await;
        slow.join("default:a", None).await;
        // 900 KB: more than the windows of the connection and its queue hold together.
        for number in 1..=EVENTS {
            here.broadcast("big", "x".repeat(15_000)).unwrap();
            here.set_motion(Position::xy(number as i32, 0));
            let heard = event(&there, |event| match event {
                Event::Broadcast { id, .. } => Some(id.number),
                Event::EventsLost { .. } => panic!("the others lose events"),
                _ => None,
            });
            assert_eq!(heard.await, number);
        }
        until("the others see its motion, too", || {
            there.position(slot(&here)) == Some(Position::xy(EVENTS as i32, 0))
        })
        .await;
        if has_streams(on) {
            assert_eq!(slow.closed().await, 4202);
        } else {
            // Behind what it does not read, a close does not arrive either.
            soon(slow.link.closed()).await;
        }
        server
            .metric_until("hither_rejects_total{cause=\"slow_viewer\"}", |closed| closed == 1)
            .await;
    })
    .await;
}
