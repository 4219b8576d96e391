//! How a member's connection is lost, and what the others see of it: nothing, or that it is lost and then gone, in the
//! time that was promised. Times are those of the longest of many trials.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hither_client::{
    Client, ClientEndpoint, ClientTls, Event, Map, Position, Room, Slot, Status, Transport,
};
use hither_transport::relay::{Impairment, Relay};
use tokio::time::{Instant, sleep};

use crate::support::{ALL, Host, Target, enter, find, on_udp, slot, soak_minutes, soon, until};

const ROOM: &str = "default:a";
/// The latest at which a dead member is seen as lost, and as gone, after its last packet, as it was promised (R7).
const LOST: Duration = Duration::from_millis(2_500);
const GONE: Duration = Duration::from_millis(5_500);
/// What a busy machine may be late by when it looks.
const LOOKS: Duration = Duration::from_millis(300);

/// How often each is tried in the gate.
const TRIALS: usize = 20;

/// How often each is tried.
fn trials() -> usize {
    if soak_minutes().is_some() { 10 * TRIALS } else { TRIALS }
}

fn relay(server: SocketAddr, impairment: Impairment) -> Relay {
    Relay::bind((Ipv4Addr::LOCALHOST, 0).into(), server, 1, impairment).unwrap()
}

/// Where clients with sockets of their own find a relay.
fn through(relay: &Relay, server: &Target) -> Target {
    let endpoint = ClientEndpoint::bind(ClientTls::Hash(server.cert_sha256)).unwrap();
    Target { quic: relay.local_addr(), endpoint, ..server.clone() }
}

/// When each of these was first seen as lost, and as gone.
async fn watch(room: &Room, slots: &[Slot]) -> BTreeMap<Slot, (Option<Instant>, Instant)> {
    let mut lost = BTreeMap::new();
    let mut gone = BTreeMap::new();
    find("all are gone", async || {
        for slot in slots {
            match room.member(*slot) {
                Some(member) if member.status == Status::Lost => {
                    lost.entry(*slot).or_insert_with(Instant::now);
                }
                Some(_) => {}
                None => drop(gone.entry(*slot).or_insert_with(Instant::now)),
            }
        }
        (gone.len() == slots.len()).then_some(())
    })
    .await;
    gone.into_iter().map(|(slot, at)| (slot, (lost.get(&slot).copied(), at))).collect()
}

/// Checks the longest of the trials that began at these times.
fn check(
    what: &str,
    began: &BTreeMap<Slot, Instant>,
    seen: &BTreeMap<Slot, (Option<Instant>, Instant)>,
) {
    let lost = |slot| seen[slot].0.map_or(Duration::MAX, |at: Instant| at - began[slot]);
    let lost = began.keys().map(lost).max().unwrap();
    let gone = began.keys().map(|slot| seen[slot].1 - began[slot]).max().unwrap();
    println!("{what}: lost after {lost:?}, gone after {gone:?} at most, of {} trials", began.len());
    assert!(lost <= LOST + LOOKS, "{what}: lost after {lost:?}");
    assert!(gone <= GONE, "{what}: gone after {gone:?}");
    let first = began.keys().map(|slot| seen[slot].1 - began[slot]).min().unwrap();
    assert!(first >= LOST, "{what}: gone after {first:?}, before its grace was over");
}

// proves R7
#[tokio::test]
async fn a_silent_death_is_seen_as_lost_in_two_and_a_half_seconds_and_as_a_leave_in_five() {
    let server = Host::start().await;
    let watcher = server.client(Transport::Quic).await;
    let room = enter(&watcher, ROOM).await;
    let relay = relay(server.quic, Impairment::default());
    let mut members = Vec::new();
    for trial in 0..trials() {
        let on = [Transport::Quic, Transport::WebTransport][trial % 2];
        let client = through(&relay, &server).client(on).await;
        let room = enter(&client, ROOM).await;
        members.push((slot(&room), client, room));
    }
    until("all are there", || room.others().len() == trials()).await;
    let clients = relay.clients();
    assert_eq!(clients.len(), trials());
    let slots: Vec<Slot> = members.iter().map(|(slot, ..)| *slot).collect();
    let mut began = BTreeMap::new();
    // At different times of their keep-alives.
    let cut = async {
        for (client, slot) in clients.into_iter().zip(&slots) {
            sleep(Duration::from_millis(23)).await;
            relay.cut(client, Duration::from_secs(3_600));
            began.insert(*slot, Instant::now());
        }
    };
    let (seen, ()) = tokio::join!(watch(&room, &slots), cut);
    check("silent", &began, &seen);
}

// proves R7
#[tokio::test]
async fn a_client_that_is_killed_is_lost_and_then_gone() {
    let server = Host::start().await;
    let watcher = server.client(Transport::Quic).await;
    let room = enter(&watcher, ROOM).await;
    // More processes at once would measure how long the machine takes to start them.
    for _ in 0..trials() / TRIALS {
        let mut children: Vec<Child> = (0..TRIALS).map(|_| spawn_member(&server)).collect();
        until("all are there", || room.others().len() == TRIALS).await;
        let slots: Vec<Slot> = room.others().iter().map(|member| member.slot).collect();
        let kill = async {
            let began = Instant::now();
            for child in &mut children {
                child.kill().unwrap();
                child.wait().unwrap();
            }
            slots.iter().map(|slot| (*slot, began)).collect::<BTreeMap<_, _>>()
        };
        let (seen, began) = tokio::join!(watch(&room, &slots), kill);
        check("killed", &began, &seen);
    }
}

/// The environment of a process that is no test but a member.
const MEMBER_OF: &str = "HITHER_E2E_MEMBER_OF";

/// A process of this executable that is a member until it is killed.
fn spawn_member(server: &Target) -> Child {
    let hash: String = server.cert_sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "lifelines::a_member_in_a_process_of_its_own"]);
    command.env(MEMBER_OF, format!("{} {hash}", server.quic));
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Nothing, but for [`spawn_member`].
#[tokio::test]
async fn a_member_in_a_process_of_its_own() {
    let Ok(server) = std::env::var(MEMBER_OF) else { return };
    let (quic, hash) = server.split_once(' ').unwrap();
    let quic: SocketAddr = quic.parse().unwrap();
    let target = Target::new(quic, quic, quic, hash);
    let client = target.client(Transport::Quic).await;
    let room = enter(&client, ROOM).await;
    while room.next_event().await.is_some() {}
}

// proves R7
#[tokio::test]
async fn a_connection_that_is_closed_is_lost_at_once_and_gone_after_its_grace() {
    let server = Host::start().await;
    let watcher = server.client(Transport::Quic).await;
    let room = enter(&watcher, ROOM).await;
    let mut members = Vec::new();
    for trial in 0..trials() {
        let on = ALL[trial % 3];
        let client = server.client(on).await;
        let room = enter(&client, ROOM).await;
        members.push((slot(&room), client, room));
    }
    until("all are there", || room.others().len() == trials()).await;
    let slots: Vec<Slot> = members.iter().map(|(slot, ..)| *slot).collect();
    let began = Instant::now();
    for (_, client, _) in &members {
        client.link().close(0, "");
    }
    let seen = watch(&room, &slots).await;
    let lost = seen.values().map(|(lost, _)| lost.unwrap() - began).max().unwrap();
    let gone = seen.values().map(|(_, gone)| *gone - began);
    println!("closed: lost after {lost:?}, gone after {:?} at most", gone.clone().max());
    assert!(lost <= LOOKS, "{lost:?}");
    assert!(gone.clone().max().unwrap() <= GONE);
    assert!(gone.min().unwrap() >= GONE - Duration::from_millis(600));
}

/// Fails if anybody was seen to leave or to be lost; `room` is asked before its events are too many.
async fn nothing_is_seen(room: &Room, members: &[Slot], time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        while let Ok(event) = tokio::time::timeout(Duration::ZERO, room.next_event()).await {
            let event = event.expect("the room goes on");
            assert!(!matches!(event, Event::MemberLeft { .. }), "{event:?}");
        }
        for slot in members {
            let status = room.member(*slot).map(|member| member.status);
            assert_eq!(status, Some(Status::Active), "{slot}");
        }
        sleep(Duration::from_millis(5)).await;
    }
}

// proves R7
#[tokio::test]
async fn a_minute_of_20_percent_loss_is_no_leave_and_nobody_is_lost() {
    let server = Host::start().await;
    let watcher = server.client(Transport::Quic).await;
    let room = enter(&watcher, ROOM).await;
    let relay = relay(server.quic, Impairment::default());
    let mut members = Vec::new();
    for on in [Transport::Quic, Transport::WebTransport].repeat(3) {
        let client = through(&relay, &server).client(on).await;
        let room = enter(&client, ROOM).await;
        members.push((client, room));
    }
    until("all are there", || room.others().len() == members.len()).await;
    relay.set_impairment(Impairment { loss: 0.2, ..Impairment::default() });
    let slots: Vec<Slot> = members.iter().map(|(_, room)| slot(room)).collect();
    let time = Duration::from_secs(if soak_minutes().is_some() { 600 } else { 60 });
    // One of each kind moves, the others say nothing.
    let walk = async {
        for step in 0.. {
            for (_, room) in &members[..2] {
                room.set_motion(Position::xy(step, 0));
            }
            sleep(Duration::from_millis(33)).await;
        }
    };
    tokio::select! {
        () = nothing_is_seen(&room, &slots, time) => {}
        () = walk => {}
    }
    let lost = relay.stats().up.lost + relay.stats().down.lost;
    assert!(lost > 500, "{lost} datagrams were lost");
}

#[tokio::test]
async fn a_client_whose_address_changes_is_noticed_by_nobody() {
    on_udp(async |on| {
        let server = Host::start().await;
        let watcher = server.client(Transport::Quic).await;
        let room = enter(&watcher, ROOM).await;
        let relay = relay(server.quic, Impairment::default());
        let client = through(&relay, &server).client(on).await;
        let there = soon(client.enter(ROOM, Map::new())).await.unwrap();
        let member = slot(&there);
        until("it is there", || room.member(member).is_some()).await;
        let generation = room.member(member).unwrap().generation;
        let [address] = relay.clients()[..] else { panic!("{:?}", relay.clients()) };
        for step in 1..=5 {
            relay.rebind(address);
            let (mine, yours) = (Position::xy(step, 0), Position::xy(0, step));
            there.set_motion(mine);
            room.set_motion(yours);
            until("both see each other move", || {
                room.position(member) == Some(mine) && there.position(slot(&room)) == Some(yours)
            })
            .await;
            nothing_is_seen(&room, &[member], Duration::from_millis(200)).await;
        }
        assert_eq!(room.member(member).unwrap().generation, generation);
    })
    .await;
}

/// A member that comes back by itself.
pub(crate) async fn lasting(server: &Target, on: Transport) -> (Client, Room) {
    let client = soon(server.builder(on).reconnect(true).connect()).await.unwrap();
    let room = enter(&client, ROOM).await;
    (client, room)
}

// proves S1, S3, S4
#[tokio::test]
async fn a_client_that_lost_its_path_comes_back_as_the_same_member() {
    on_udp(async |on| {
        let server = Host::start().await;
        let watcher = server.client(Transport::Quic).await;
        let room = enter(&watcher, ROOM).await;
        let relay = relay(server.quic, Impairment::default());
        let (client, there) = lasting(&through(&relay, &server), on).await;
        let member = slot(&there);
        let user = client.user();
        until("it is there", || room.member(member).is_some()).await;
        let seen = room.member(member).unwrap();
        for (round, cut_ms) in [3_000, 100, 2_900].into_iter().enumerate() {
            let address = *relay.clients().last().unwrap();
            relay.cut(address, Duration::from_millis(cut_ms));
            let mine = Position::xy(round as i32, 7);
            there.set_motion(mine);
            there.broadcast("still here", round as i64).unwrap();
            until("it is seen", || room.position(member) == Some(mine)).await;
            until("it is active", || {
                room.member(member).is_some_and(|member| member.status == Status::Active)
            })
            .await;
            let event = crate::support::event(&room, |event| match event {
                Event::Broadcast { name, data, .. } => Some((name, data)),
                Event::MemberLeft { .. } => panic!("{event:?}"),
                _ => None,
            });
            assert_eq!(event.await, ("still here".to_owned(), (round as i64).into()));
        }
        let now = room.member(member).unwrap();
        assert_eq!((now.generation, now.user), (seen.generation, user));
    })
    .await;
}
