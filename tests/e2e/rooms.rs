//! Members of a room: how they come and go, what they say of themselves, and who is told.

use std::time::{Duration, Instant};

use hither_client::{Event, Map, Refusal, Room, Slot, Status, Transport, Value};
use hither_protocol::message::control::ToClient;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::support::{Host, Target, enter, event, field, on_all, slot, soon, until};

async fn joined(room: &Room) -> Slot {
    event(room, |event| match event {
        Event::MemberJoined { slot, .. } => Some(slot),
        _ => None,
    })
    .await
}

async fn left(room: &Room) -> Slot {
    event(room, |event| match event {
        Event::MemberLeft { member, .. } => Some(member.slot),
        _ => None,
    })
    .await
}

/// Waits until a member is seen with a status.
async fn seen(room: &Room, who: Slot, status: Status) {
    until("the status is seen", || room.member(who).is_some_and(|seen| seen.status == status))
        .await;
}

// proves R2, R3, R4, R5, R6
#[tokio::test]
async fn members_come_and_go_and_the_others_are_told() {
    on_all(async |on| {
        let server = Host::start().await;
        let (ada, bob) = (server.client(on).await, server.client(on).await);
        let here = soon(ada.enter("default:a", field("color", "red"))).await.unwrap();
        assert_eq!(here.others(), []);
        let there = soon(bob.enter("default:a", field("color", "blue"))).await.unwrap();

        let [seen] = &there.others()[..] else { panic!("{:?}", there.others()) };
        assert_eq!((seen.slot, &seen.presence), (slot(&here), &field("color", "red")));
        assert_eq!(seen.user, ada.user());
        assert_eq!(joined(&here).await, slot(&there));
        let [seen] = &here.others()[..] else { panic!("{:?}", here.others()) };
        assert_eq!((&seen.user, &seen.presence), (&bob.user(), &field("color", "blue")));

        let gone = slot(&there);
        soon(there.leave()).await.unwrap();
        assert_eq!(left(&here).await, gone);
        assert_eq!(here.others(), []);
        let again = enter(&bob, "default:a").await;
        assert_ne!(again.slot(), Some(gone), "no frame may be taken for the old member's");
    })
    .await;
}

// proves R4, R5
#[tokio::test]
async fn a_roster_and_the_diffs_after_it_leave_nobody_out() {
    const MEMBERS: i32 = 16;
    on_all(async |on| {
        let server = Host::start().await;
        let mut entering = JoinSet::new();
        for number in 0..MEMBERS {
            let server = Target::clone(&server);
            entering.spawn(async move {
                let client = server.client(on).await;
                let room = soon(client.enter("default:storm", field("a", number))).await.unwrap();
                room.update_presence(field("b", -number)).unwrap();
                (client, room)
            });
        }
        let entered = soon(entering.join_all()).await;
        let mut rooms = entered.iter().map(|(_, room)| room);
        let view = |room: &Room| {
            let members = room.members();
            members.into_iter().map(|member| (member.slot, member.user, member.presence))
        };
        let first = rooms.next().unwrap();
        until("everyone sees everyone's newest presence", || {
            first.members().len() == MEMBERS as usize
                && first.members().iter().all(|member| member.presence.len() == 2)
                && rooms.clone().all(|room| view(room).eq(view(first)))
        })
        .await;
    })
    .await;
}

// proves P1, P2
#[tokio::test]
async fn presence_is_patched_by_field_and_nil_removes() {
    on_all(async |on| {
        let server = Host::start().await;
        let (ada, bob) = (server.client(on).await, server.client(on).await);
        let here = soon(ada.enter("default:a", field("color", "red"))).await.unwrap();
        let there = enter(&bob, "default:a").await;
        let seen = || there.member(slot(&here)).map(|member| member.presence);
        here.update_presence(field("tool", "pen")).unwrap();
        let both = Map::from([("color".into(), "red".into()), ("tool".into(), "pen".into())]);
        until("a field is added", || seen() == Some(both.clone())).await;
        for tool in 0..20 {
            here.update_presence(field("tool", tool)).unwrap();
        }
        here.update_presence(field("color", Value::Nil)).unwrap();
        until("the newest wins, and nil removes", || seen() == Some(field("tool", 19))).await;
        assert_eq!(here.member(slot(&here)).unwrap().presence, field("tool", 19));
    })
    .await;
}

// proves P3
#[tokio::test]
async fn a_presence_over_its_size_is_refused_and_nothing_changes() {
    on_all(async |on| {
        let server = Host::start().await;
        let (ada, bob) = (server.client(on).await, server.client(on).await);
        let (here, there) = (enter(&ada, "default:a").await, enter(&bob, "default:a").await);
        // Each patch is small enough; the whole is not.
        for name in ["a", "b"] {
            here.update_presence(field(name, "x".repeat(3_000))).unwrap();
        }
        let refused = event(&here, |event| match event {
            Event::Refused(error) => Some(error.code),
            _ => None,
        });
        assert_eq!(refused.await, Refusal::TooLarge);
        here.update_presence(field("last", 1)).unwrap();
        until("what is small enough arrives", || {
            let seen = there.member(slot(&here)).unwrap().presence;
            seen.contains_key("a") && !seen.contains_key("b") && seen.contains_key("last")
        })
        .await;
    })
    .await;
}

// proves P4, M12
#[tokio::test]
async fn who_is_away_is_told_to_all_and_gets_no_motion_until_back() {
    on_all(async |on| {
        let server = Host::start().await;
        let (ada, bob, eve) =
            (server.client(on).await, server.client(on).await, server.client(on).await);
        let here = enter(&ada, "default:a").await;
        let (away, third) = (enter(&bob, "default:a").await, enter(&eve, "default:a").await);
        let at = |x| hither_client::Position::xy(x, 0);
        bob.set_status(Status::Away).unwrap();
        seen(&here, slot(&away), Status::Away).await;

        here.set_motion(at(1));
        until("who looks sees it", || third.position(slot(&here)) == Some(at(1))).await;
        here.broadcast("now", 0).unwrap();
        event(&away, |event| matches!(event, Event::Broadcast { .. }).then_some(())).await;
        assert_eq!(away.position(slot(&here)), None, "a hidden page gets no motion");

        bob.set_status(Status::Active).unwrap();
        seen(&here, slot(&away), Status::Active).await;
        here.set_motion(at(2));
        until("who is back sees it", || away.position(slot(&here)) == Some(at(2))).await;
    })
    .await;
}

// proves R2, E1
#[tokio::test]
async fn one_connection_is_in_several_rooms_and_in_no_more_than_it_may() {
    on_all(async |on| {
        let server = Host::with(|config| config.limits.rooms_per_session_max = 3).await;
        let (ada, bob) = (server.client(on).await, server.client(on).await);
        let names = ["default:a", "hz10:b", "hz60:c"];
        let (mut here, mut there) = (Vec::new(), Vec::new());
        for name in names {
            here.push(enter(&ada, name).await);
            there.push(enter(&bob, name).await);
        }
        for (number, room) in (0..).zip(&here) {
            room.update_presence(field("room", number)).unwrap();
            room.set_motion(hither_client::Position::xy(number, -number));
            room.broadcast("from", number).unwrap();
        }
        for (number, (here, there)) in (0..).zip(here.iter().zip(&there)) {
            until("each room has what was said in it", || {
                let seen = there.member(slot(here)).unwrap().presence;
                let position = there.position(slot(here));
                seen == field("room", number)
                    && position == Some(hither_client::Position::xy(number, -number))
            })
            .await;
            let data = event(there, |event| match event {
                Event::Broadcast { data, .. } => Some(data),
                _ => None,
            });
            assert_eq!(data.await, number.into());
        }
        soon(here.remove(0).leave()).await.unwrap();
        left(&there[0]).await;
        here[0].broadcast("still", 0).unwrap();
        event(&there[1], |event| matches!(event, Event::Broadcast { .. }).then_some(())).await;

        let mut raw = server.welcomed(on).await;
        for name in names {
            raw.join(name, None).await;
        }
        for (name, code) in [
            ("default:d", Refusal::TooManyRooms),
            ("default:a", Refusal::AlreadyJoined),
            ("no colon", Refusal::BadRequest),
        ] {
            assert_eq!(refused_join(&mut raw, name).await, code, "{name}");
        }
        let mut raw = server.welcomed(on).await;
        assert_eq!(refused_join(&mut raw, "nowhere:a").await, Refusal::NotFound);
        raw.ping().await;
    })
    .await;
}

async fn refused_join(raw: &mut crate::support::Raw, room: &str) -> Refusal {
    raw.ask_to_join(room, Map::new(), None).await;
    let refused = raw.pick(|message| match message {
        ToClient::Error(error) if error.request.is_some() => Some(error.code),
        ToClient::Joined(_) => panic!("joined {room}"),
        _ => None,
    });
    refused.await
}

// proves R2
#[tokio::test]
async fn a_full_room_takes_nobody_until_somebody_leaves() {
    on_all(async |on| {
        let server = Host::with(|config| {
            config.namespaces.get_mut("default").unwrap().members_max = 2;
        })
        .await;
        let mut members = Vec::new();
        for _ in 0..2 {
            let mut raw = server.welcomed(on).await;
            raw.join("default:a", None).await;
            members.push(raw);
        }
        let mut third = server.welcomed(on).await;
        assert_eq!(refused_join(&mut third, "default:a").await, Refusal::RoomFull);
        assert_eq!(server.metric("hither_rejects_total{cause=\"room\"}").await, 1);
        third.join("default:b", None).await;
    })
    .await;
}

/// A server in whose rooms the lost stay for so long.
async fn with_grace(grace_ms: u64) -> Host {
    Host::with(|config| config.namespaces.get_mut("default").unwrap().grace_ms = grace_ms).await
}

// proves R7
#[tokio::test]
async fn a_connection_that_breaks_is_lost_at_once_and_gone_after_its_grace() {
    on_all(async |on| {
        const GRACE: Duration = Duration::from_millis(700);
        let server = with_grace(GRACE.as_millis() as u64).await;
        let (ada, bob) = (server.client(on).await, server.client(on).await);
        let here = enter(&ada, "default:a").await;
        let there = soon(bob.enter("default:a", field("color", "blue"))).await.unwrap();
        let who = slot(&there);
        let broken = Instant::now();
        bob.link().close(0, "");
        seen(&here, who, Status::Lost).await;
        let late = enter(&server.client(on).await, "default:a").await;
        let seen = late.member(who).expect("the lost are in the roster");
        assert_eq!((seen.status, seen.presence), (Status::Lost, field("color", "blue")));
        assert_eq!(left(&here).await, who);
        assert!(broken.elapsed() >= GRACE, "gone after {:?}", broken.elapsed());
    })
    .await;
}

// proves R7
#[tokio::test]
async fn a_client_that_falls_silent_is_lost_and_gone_after_its_grace() {
    const IDLE: Duration = hither_transport::IDLE_TIMEOUT;
    const KEEP_ALIVE: Duration = Duration::from_millis(500);
    const GRACE: Duration = Duration::from_secs(4);
    let silent = async |on| {
        let server = with_grace(GRACE.as_millis() as u64).await;
        let ada = server.client(on).await;
        let here = enter(&ada, "default:a").await;
        let (who, silence, _end) = fall_silent(&server, on).await;
        seen(&here, who, Status::Lost).await;
        let lost_after = silence.elapsed();
        assert_eq!(left(&here).await, who);
        let gone_after = silence.elapsed();
        assert!(lost_after >= IDLE, "over {on} lost after {lost_after:?}");
        // The grace counts from the last packet, not from when its lack was noticed.
        assert!(
            gone_after >= GRACE - KEEP_ALIVE && gone_after < IDLE + GRACE,
            "over {on} gone after {gone_after:?}"
        );
    };
    tokio::join!(
        silent(Transport::Quic),
        silent(Transport::WebTransport),
        silent(Transport::WebSocket)
    );
}

/// Enters a room with a client whose packets then stop, while its socket stays open: nothing runs its runtime any
/// more. Returns its slot, the moment, and what ends it when it is dropped.
async fn fall_silent(
    server: &Target,
    on: Transport,
) -> (Slot, Instant, std::sync::mpsc::Sender<()>) {
    let (entered, slot_then) = oneshot::channel();
    let (end, ended) = std::sync::mpsc::channel();
    let (url, hash) = (server.url(), server.cert_sha256);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _kept = runtime.block_on(async {
            let builder = hither_client::Client::builder(url).transport(on).cert_sha256(hash);
            let client = builder.connect().await.unwrap();
            let room = enter(&client, "default:a").await;
            entered.send((slot(&room), Instant::now())).unwrap();
            (client, room)
        });
        let _ = ended.recv();
    });
    let (slot, since) = soon(slot_then).await.unwrap();
    (slot, since, end)
}
