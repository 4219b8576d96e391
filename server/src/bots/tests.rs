//! Crowds over links in memory, in a time that jumps from timer to timer.

use tokio::time::{Duration, sleep};

use super::*;
use crate::connection::tests::{Client, Full, shared};
use crate::metrics::Transport;

fn room(name: &str) -> RoomName {
    format!("default:{name}").parse().unwrap()
}

async fn seconds(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn bots_stay_while_somebody_else_is_there_and_go_10_s_later() {
    let (shared, _stopping) = shared(Full);
    let bots = Bots::new(shared.clone());
    assert_eq!(bots.set(&room("a"), 50), Some(50));
    let mut person = Client::connect(&shared).await;
    person.join(1).await.unwrap();
    for _ in 0..10 {
        seconds(6).await;
        assert_eq!(shared.metrics.members.get(), 51);
    }
    drop(person); // lost, and gone after its grace of 5 s
    seconds(14).await;
    assert_eq!(shared.metrics.members.get(), 50);
    seconds(2).await;
    assert_eq!(shared.metrics.members.get(), 0);
    assert!(bots.lock().is_empty(), "the crowd's task has ended");
}

#[tokio::test(start_paused = true)]
async fn bots_come_and_go_as_they_are_wanted() {
    let (shared, _stopping) = shared(Full);
    let bots = Bots::new(shared.clone());
    let mut person = Client::connect(&shared).await;
    person.join(1).await.unwrap();
    for wanted in [20, 5, 30, 0, 0, 7] {
        assert_eq!(bots.set(&room("a"), wanted), Some(wanted));
        seconds(1).await;
        assert_eq!(shared.metrics.members.get(), 1 + wanted as i64);
        assert_eq!(shared.metrics.connections[Transport::Memory].get(), 1 + wanted as i64);
    }
}

#[tokio::test(start_paused = true)]
async fn there_are_at_most_200_bots_in_a_room_and_400_in_all() {
    let (shared, _stopping) = shared(Full);
    let bots = Bots::new(shared.clone());
    let set = |name: &str, count: usize| bots.set(&room(name), count).unwrap();
    assert_eq!(set("a", usize::MAX), 200);
    assert_eq!(set("b", 201), 200);
    assert_eq!(set("c", 1), 0);
    assert_eq!(set("a", 150), 150);
    assert_eq!(set("c", 200), 50);
    seconds(5).await;
    assert_eq!(shared.metrics.members.get(), 400);
    let elsewhere = "elsewhere:a".parse().unwrap();
    assert_eq!(bots.set(&elsewhere, 1), None, "a namespace that is not served");
}

#[tokio::test(start_paused = true)]
async fn bots_go_when_the_server_stops() {
    let (shared, stopping) = shared(Full);
    let bots = Bots::new(shared.clone());
    bots.set(&room("a"), 10);
    seconds(1).await;
    assert_eq!(shared.metrics.connections[Transport::Memory].get(), 10);
    stopping.send_replace(true);
    seconds(1).await;
    assert_eq!(shared.metrics.connections[Transport::Memory].get(), 0);
    assert!(bots.lock().is_empty());
}
