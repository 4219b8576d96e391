//! Motion: whatever was in between, everyone ends where everyone else came to rest.

use std::time::Duration;

use hither_client::{Client, Position, Room};
use hither_protocol::message::control::{SetStatus, Status, ToServer};
use tokio::time::sleep;

use crate::support::{Host, enter, on_all, slot, stays, until};

/// A place that no two members and no two steps share.
fn place(member: usize, step: i32) -> Position {
    let member = member as i32;
    Position::xy(1_000 * member + step, -step * (member + 1))
}

// proves M9, M10, M11
#[tokio::test]
async fn after_a_burst_each_viewer_has_exactly_the_last_position() {
    const MEMBERS: usize = 5;
    const STEPS: i32 = 60;
    on_all(async |on| {
        let server = Host::start().await;
        let mut members: Vec<(Client, Room)> = Vec::new();
        for _ in 0..MEMBERS {
            let client = server.client(on).await;
            let room = enter(&client, "hz60:a").await;
            members.push((client, room));
        }
        for step in 0..=STEPS {
            for (number, (_, room)) in members.iter().enumerate() {
                room.set_motion(place(number, step));
            }
            sleep(Duration::from_millis(3)).await;
        }
        let is_right = || {
            let mut pairs = members.iter().flat_map(|(_, viewer)| {
                members.iter().enumerate().map(move |mover| (viewer, mover))
            });
            pairs.all(|(viewer, (number, (_, mover)))| {
                let shown = viewer.position(slot(mover));
                shown == Some(place(number, STEPS)) || slot(viewer) == slot(mover)
            })
        };
        until("everyone is where it came to rest", is_right).await;
        let repeats = Duration::from_millis(400);
        stays("repeats and late frames do not undo it", repeats, is_right).await;
    })
    .await;
}

// proves M6
#[tokio::test]
async fn who_comes_late_sees_those_who_rest() {
    on_all(async |on| {
        let server = Host::start().await;
        let ada = server.client(on).await;
        let here = enter(&ada, "default:a").await;
        let bob = server.client(on).await;
        let there = enter(&bob, "default:a").await;
        here.set_motion(Position::xy(-5, 70_000));
        until("it is seen", || there.position(slot(&here)) == Some(Position::xy(-5, 70_000))).await;
        let late = server.client(on).await;
        let late = enter(&late, "default:a").await;
        until("it is seen by who comes late, though nobody moves", || {
            late.position(slot(&here)) == Some(Position::xy(-5, 70_000))
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn m9_the_highest_number_wins_whatever_the_order() {
    on_all(async |on| {
        let server = Host::start().await;
        let mut raw = server.welcomed(on).await;
        let (joined, _) = raw.join("default:a", None).await;
        let viewer = server.client(on).await;
        let viewer = enter(&viewer, "default:a").await;
        // Ten in one tick, the newest in the middle.
        for number in [3, 1, 4, 9, 2, 6, 5, 3, 8, 7] {
            raw.sample(joined.room, number, Position::xy(number as i32, 0));
        }
        until("the newest sample", || viewer.position(joined.slot) == Some(Position::xy(9, 0)))
            .await;
        raw.sample(joined.room, 8, Position::xy(-1, -1));
        server
            .metric_until("hither_datagrams_dropped_total{cause=\"stale\"}", |stale| stale >= 7)
            .await;
        raw.sample(joined.room, 10, Position::xy(10, 0));
        until("a newer one", || viewer.position(joined.slot) == Some(Position::xy(10, 0))).await;
        // A status that no client may claim is taken for away.
        raw.say(ToServer::Status(SetStatus { status: Status::Lost })).await;
        until("away", || viewer.member(joined.slot).unwrap().status == Status::Away).await;
    })
    .await;
}
