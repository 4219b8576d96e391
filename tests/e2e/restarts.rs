//! A server that is stopped or killed, and started again behind the same port, with clients that come back by
//! themselves.

use std::path::Path;
use std::time::Duration;

use hither_client::{Client, ConnectionStatus, Event, Position, Room, Status};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::lifelines::lasting;
use crate::support::{ALL, Process, Target, slot, soak_minutes, soon, until};

/// Everybody in one room, a third of them over each transport.
async fn crowd(server: &Target, count: usize) -> Vec<(Client, Room)> {
    let mut entering = JoinSet::new();
    for number in 0..count {
        let server = server.clone();
        let on = ALL[number % 3];
        entering.spawn(async move { lasting(&server, on).await });
    }
    let crowd = soon(entering.join_all()).await;
    until("all see all", || crowd.iter().all(|(_, room)| room.others().len() == count - 1)).await;
    for (_, room) in &crowd {
        while tokio::time::timeout(Duration::ZERO, room.next_event()).await.is_ok() {}
    }
    crowd
}

/// Waits until the server has written down who is there.
async fn until_saved(dir: &Path, crowd: &[(Client, Room)]) {
    let users: Vec<String> = crowd.iter().map(|(client, _)| client.user().id).collect();
    until("all are saved", || {
        let saved = std::fs::read(dir.join("data/sessions.save")).unwrap_or_default();
        let saved = String::from_utf8_lossy(&saved);
        users.iter().all(|user| saved.contains(user))
    })
    .await;
}

/// Waits until everybody is in the room again, and checks that nobody saw anybody leave or come; returns after how long
/// each was back.
async fn all_are_back(crowd: &[(Client, Room)], since: Instant) -> Vec<Duration> {
    let mut times = Vec::new();
    for (client, room) in crowd {
        let back = async {
            loop {
                match room.next_event().await.expect("the room goes on") {
                    Event::Entered { resumed, .. } => {
                        assert!(resumed, "{} of {}", slot(room), crowd.len());
                        return since.elapsed();
                    }
                    event @ (Event::MemberLeft { .. } | Event::MemberJoined { .. }) => {
                        panic!("{event:?}")
                    }
                    _ => {}
                }
            }
        };
        times.push(soon(back).await);
        assert_eq!(client.status(), ConnectionStatus::Connected);
    }
    until("all see all", || {
        let is_there = |room: &Room| {
            let others = room.others();
            others.len() == crowd.len() - 1
                && others.iter().all(|member| member.status == Status::Active)
        };
        crowd.iter().all(|(_, room)| is_there(room))
    })
    .await;
    for (_, room) in crowd {
        while let Ok(event) = tokio::time::timeout(Duration::ZERO, room.next_event()).await {
            let is_flap =
                matches!(event, Some(Event::MemberLeft { .. } | Event::MemberJoined { .. }));
            assert!(!is_flap, "{event:?}");
        }
    }
    times
}

fn walk(crowd: &[(Client, Room)], step: i32) {
    for (_, room) in crowd {
        room.set_motion(Position::xy(step, i32::from(slot(room).0)));
    }
}

async fn until_seen(crowd: &[(Client, Room)], step: i32) {
    until("all see where all are", || {
        crowd.iter().all(|(_, room)| {
            let is_there = |member: &hither_client::Member| {
                room.position(member.slot) == Some(Position::xy(step, i32::from(member.slot.0)))
            };
            room.others().iter().all(is_there)
        })
    })
    .await;
}

// proves S5, C1, C2
#[tokio::test]
async fn a_rolling_restart_is_no_leave_to_anyone() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Process::lasting(dir.path());
    let crowd = crowd(&server, 12).await;
    for round in 1..=2 {
        walk(&crowd, round);
        until_seen(&crowd, round).await;
        server.terminate();
        for (client, _) in &crowd {
            soon(client.status_after(ConnectionStatus::Connected)).await;
        }
        assert!(server.ended().await.status.success());
        server = server.again(dir.path());
        all_are_back(&crowd, Instant::now()).await;
        // Where everybody was is said again.
        until_seen(&crowd, round).await;
    }
}

// proves S5
#[tokio::test]
async fn a_crowd_that_loses_its_server_at_once_is_back_within_ten_seconds() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Process::lasting(dir.path());
    let crowd = crowd(&server, if soak_minutes().is_some() { 200 } else { 60 }).await;
    until_saved(dir.path(), &crowd).await;
    server.kill();
    let server = server.again(dir.path());
    let times = all_are_back(&crowd, Instant::now()).await;
    let longest = times.iter().max().unwrap();
    println!("{} are back, the last after {longest:?}", times.len());
    assert!(*longest < Duration::from_secs(10), "{longest:?}");
    drop(server);
}
