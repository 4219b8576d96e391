//! Clients and a server in trouble, by a seed: paths that are cut, lossy and change, a server that stands still, is
//! stopped and killed, members that come and go. After each round all is quiet, and then every promise is checked.
//!
//! Two rounds of one seed gate; `cargo xtask soak` goes on for as long as it is told, from a fresh seed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hither_client::{
    Client, ClientEndpoint, ClientTls, ConnectionStatus, Event, Position, Room, Status, Transport,
    Value,
};
use hither_transport::relay::{Impairment, Relay};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::support::{ALL, Process, Target, field, soak_minutes, soon};

const ROOM: &str = "default:soak";
const SEED: u64 = 5;
const GUESTS: usize = 12;
/// How long there is trouble in a round, and how long all may take to be well again.
const TROUBLE: Duration = Duration::from_secs(6);
const QUIET: Duration = Duration::from_secs(30);
/// After how long a connection is no failure any more.
const STABLE: Duration = Duration::from_secs(5);
/// How long an application may take to hear what its client knows.
const SOON: Duration = Duration::from_secs(2);
/// A path is cut for less than it takes a connection to die, and once in a round, so that hardly anybody is away for
/// longer than the grace.
const CUT_MAX_MS: u64 = 1_900;
/// Who was away for longer, from when the client knew, may be another member then: it was silent for up to half of the
/// grace before.
const AWAY_MAX: Duration = Duration::from_millis(2_500);
/// What the server's memory may grow by, round by round: the allocator's own, in KiB.
const GROWTH_KB: u64 = 4_096;

/// A member that comes back by itself, and what it has seen.
struct Guest {
    id: u64,
    client: Client,
    room: Arc<Room>,
    /// Its address at the relay; none over WebSocket.
    path: Option<SocketAddr>,
    seen: Arc<Mutex<Seen>>,
    tasks: [AbortHandle; 2],
    /// The number of its last event, and where it went last.
    last: u64,
    at: Position,
    /// Whether its path was cut in this round.
    is_cut: bool,
}

#[derive(Default)]
struct Seen {
    /// The numbers of each other's events.
    events: BTreeMap<u64, Vec<u64>>,
    /// Whether events were lost, by the server's word.
    has_gap: bool,
    /// How many were seen to leave.
    leaves: usize,
    /// How often it came back as a new member.
    renewed: usize,
    /// For how long it had no connection, the longest time.
    away: Duration,
}

impl Seen {
    fn handle(&mut self, event: Event) {
        match event {
            Event::Broadcast { data: Value::Array(data), .. } => {
                let [Value::Int(from), Value::Int(number)] = data[..] else { return };
                self.events.entry(from as u64).or_default().push(number as u64);
            }
            Event::EventsLost { .. } => self.has_gap = true,
            Event::Entered { events_lost, resumed, .. } => {
                self.has_gap |= events_lost;
                self.renewed += usize::from(!resumed);
            }
            Event::MemberLeft { .. } => self.leaves += 1,
            _ => {}
        }
    }
}

impl Guest {
    fn end(&self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

/// Notes for how long a client is away.
async fn watch(client: Client, seen: Arc<Mutex<Seen>>) {
    let (mut status, mut gone) = (ConnectionStatus::Connected, None);
    while status != ConnectionStatus::Disconnected {
        status = client.status_after(status).await;
        if status != ConnectionStatus::Connected {
            gone.get_or_insert_with(Instant::now);
        } else if let Some(gone) = gone.take() {
            let mut seen = seen.lock().unwrap();
            seen.away = seen.away.max(gone.elapsed());
        }
    }
}

/// What a round has put the guests through.
#[derive(Debug, Default)]
struct Trouble {
    is_restarted: bool,
    left: usize,
    acts: Vec<&'static str>,
}

struct World {
    rng: StdRng,
    server: Process,
    relay: Relay,
    guests: Vec<Guest>,
    next_guest: u64,
}

impl World {
    async fn new(dir: &Path, seed: u64) -> Self {
        let server = Process::lasting(dir);
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let relay = Relay::bind(any, server.quic, seed, Impairment::default()).unwrap();
        let rng = StdRng::seed_from_u64(seed);
        let mut world = Self { rng, server, relay, guests: Vec::new(), next_guest: 0 };
        for _ in 0..GUESTS {
            world.invite().await;
        }
        world
    }

    /// One more guest, over the transport whose turn it is.
    async fn invite(&mut self) {
        let id = self.next_guest;
        self.next_guest += 1;
        let on = ALL[id as usize % ALL.len()];
        let endpoint = ClientEndpoint::bind(ClientTls::Hash(self.server.cert_sha256)).unwrap();
        let is_relayed = on != Transport::WebSocket;
        let quic = if is_relayed { self.relay.local_addr() } else { self.server.quic };
        let target = Target { quic, endpoint, ..self.server.clone() };
        let before = self.relay.clients();
        let connect = async || {
            let client = target.builder(on).reconnect(true).connect().await.ok()?;
            Some((client.enter(ROOM, field("id", id as i64)).await.ok()?, client))
        };
        // A first connection is not tried again by itself, and there may be trouble.
        let (room, client) = crate::support::find("a guest comes", connect).await;
        let path = self.relay.clients().into_iter().find(|path| !before.contains(path));
        let room = Arc::new(room);
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let hearing = {
            let (room, seen) = (room.clone(), seen.clone());
            tokio::spawn(async move {
                while let Some(event) = room.next_event().await {
                    seen.lock().unwrap().handle(event);
                }
            })
        };
        let coming = tokio::spawn(watch(client.clone(), seen.clone()));
        let tasks = [hearing, coming].map(|task| task.abort_handle());
        let at = Position::xy(0, 0);
        let path = path.filter(|_| is_relayed);
        let (last, is_cut) = (0, false);
        self.guests.push(Guest { id, client, room, path, seen, tasks, last, at, is_cut });
    }

    /// Everybody says and moves something.
    fn live(&mut self) {
        for guest in &mut self.guests {
            guest.at = Position::xy(self.rng.random_range(0..999), guest.id as i32);
            guest.room.set_motion(guest.at);
            let data = Value::Array(vec![(guest.id as i64).into(), (guest.last as i64 + 1).into()]);
            if guest.room.broadcast("n", data).is_ok() {
                guest.last += 1;
            }
            let _ = guest.room.update_presence(field("last", guest.last as i64)); // refused if too much waits
        }
    }

    /// Trouble for a while; in some rounds the server goes, too.
    async fn trouble(&mut self, round: u64, dir: &Path) -> Trouble {
        let mut trouble = Trouble::default();
        let end = Instant::now() + TROUBLE;
        let mut next_act = Instant::now();
        let mut restart = (round % 3 == 1).then(|| Instant::now() + TROUBLE / 2);
        while Instant::now() < end {
            self.live();
            if restart.is_some_and(|at| Instant::now() >= at) {
                restart = None;
                trouble.is_restarted = true;
                trouble.acts.push(self.restart(dir).await);
            }
            if Instant::now() >= next_act {
                next_act += Duration::from_millis(self.rng.random_range(100..600));
                trouble.acts.push(self.act(&mut trouble.left).await);
            }
            sleep(Duration::from_millis(100)).await;
        }
        self.relay.set_impairment(Impairment::default());
        self.live();
        trouble
    }

    async fn restart(&mut self, dir: &Path) -> &'static str {
        let is_kill = self.rng.random_bool(0.5);
        if is_kill {
            self.server.kill();
        } else {
            self.server.terminate();
            assert!(self.server.ended().await.status.success());
        }
        sleep(Duration::from_millis(self.rng.random_range(0..1_500))).await;
        self.server = self.server.again(dir);
        if is_kill { "kill" } else { "stop" }
    }

    async fn act(&mut self, left: &mut usize) -> &'static str {
        let chosen = self.rng.random_range(0..self.guests.len());
        let Guest { path, is_cut, .. } = self.guests[chosen];
        match (self.rng.random_range(0..100), path) {
            (0..30, Some(path)) if !is_cut => {
                self.guests[chosen].is_cut = true;
                let cut = Duration::from_millis(self.rng.random_range(100..CUT_MAX_MS));
                self.relay.cut(path, cut);
                "cut"
            }
            (30..50, Some(path)) => {
                self.relay.rebind(path);
                "rebind"
            }
            (50..70, _) => {
                let loss = self.rng.random_range(0.0..0.2);
                let delay = Duration::from_millis(self.rng.random_range(0..40));
                let jitter = Duration::from_millis(self.rng.random_range(0..20));
                let impairment = Impairment { loss, delay, jitter, duplicate: 0.02 };
                self.relay.set_impairment(impairment);
                "impair"
            }
            (70..75, _) => {
                self.server.pause();
                sleep(Duration::from_millis(self.rng.random_range(50..700))).await;
                self.server.go_on();
                "pause"
            }
            (75..80, _) if self.guests.len() > GUESTS / 2 => {
                let guest = self.guests.swap_remove(chosen);
                guest.end();
                let _ = timeout(Duration::from_secs(5), guest.client.close()).await; // by its grace, else
                *left += 1;
                "leave"
            }
            (80..90, _) if self.guests.len() < GUESTS * 2 => {
                self.invite().await;
                "come"
            }
            (90..100, _) => {
                self.guests[chosen].client.link().close(0, "");
                "break"
            }
            _ => "nothing",
        }
    }

    /// Waits until every guest is connected and sees all that is so; else says what is not.
    async fn until_well(&self) -> Result<(), String> {
        let deadline = Instant::now() + QUIET;
        loop {
            let Err(wrong) = self.check() else { return Ok(()) };
            if Instant::now() > deadline {
                return Err(wrong);
            }
            sleep_until(Instant::now() + Duration::from_millis(20)).await;
        }
    }

    fn check(&self) -> Result<(), String> {
        let all: BTreeMap<_, _> =
            self.guests.iter().map(|guest| (guest.room.slot(), guest)).collect();
        for guest in &self.guests {
            let name = format!("guest {}", guest.id);
            if guest.client.status() != ConnectionStatus::Connected {
                return Err(format!("{name} is {:?}", guest.client.status()));
            }
            let members = guest.room.members();
            if members.len() != self.guests.len() {
                let (has, wants) = (members.len(), self.guests.len());
                return Err(format!("{name} sees {has} members of {wants}"));
            }
            for member in members {
                let Some(other) = all.get(&Some(member.slot)) else {
                    return Err(format!("{name} sees a ghost: {member:?}"));
                };
                let mut presence = field("id", other.id as i64);
                presence.extend(field("last", other.last as i64));
                if member.presence != presence || member.status != Status::Active {
                    return Err(format!("{name} sees {member:?} of guest {}", other.id));
                }
                let position = guest.room.position(member.slot);
                if other.id != guest.id && position != Some(other.at) {
                    let at = other.at;
                    return Err(format!("{name} sees {} at {position:?}, not {at:?}", other.id));
                }
            }
        }
        Ok(())
    }

    /// What was broken of the promises that hold over a round.
    fn broken(&self, trouble: &Trouble) -> Vec<String> {
        let mut broken = Vec::new();
        let renewed: usize = self.guests.iter().map(|g| g.seen.lock().unwrap().renewed).sum();
        for guest in &self.guests {
            let seen = guest.seen.lock().unwrap();
            if !trouble.is_restarted && seen.leaves > trouble.left + renewed {
                broken.push(format!("guest {} saw {} leaves", guest.id, seen.leaves));
            }
            if !trouble.is_restarted && seen.renewed > 0 && seen.away < AWAY_MAX {
                let (id, away) = (guest.id, seen.away);
                broken.push(format!("guest {id} was away for {away:?} and is another member"));
            }
            for other in self.guests.iter().filter(|other| other.id != guest.id) {
                let numbers = seen.events.get(&other.id).cloned().unwrap_or_default();
                let is_whole = numbers.windows(2).all(|pair| pair[1] == pair[0] + 1);
                let is_all = numbers.last().is_none_or(|last| *last == other.last);
                let may_lack =
                    trouble.is_restarted || seen.has_gap || other.seen.lock().unwrap().has_gap;
                if !(may_lack || is_whole && is_all) {
                    let (id, from, last) = (guest.id, other.id, other.last);
                    broken.push(format!("guest {id} has of {from}'s {last} events {numbers:?}"));
                }
            }
        }
        broken
    }

    fn forget(&mut self) {
        for guest in &mut self.guests {
            guest.is_cut = false;
            *guest.seen.lock().unwrap() = Seen::default();
        }
    }
}

// proves S1, S4, S5, R7, V5
#[tokio::test]
async fn every_promise_holds_after_every_round_of_trouble() {
    let minutes = soak_minutes();
    let seed = std::env::var("HITHER_SOAK_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or(SEED);
    println!("seed {seed}");
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path(), seed).await;
    world.live();
    world.until_well().await.unwrap();
    let end = minutes.map(|minutes| Instant::now() + Duration::from_secs(60 * minutes));
    let (mut count, mut first_rss) = (0, None);
    for round in 0.. {
        if end.map_or(round == 2, |end| Instant::now() >= end) {
            break;
        }
        world.forget();
        let trouble = world.trouble(round, dir.path()).await;
        let mut broken = Vec::from_iter(world.until_well().await.err());
        if trouble.is_restarted {
            // Pauses grow with failures until a connection was well for so long (C3).
            sleep(STABLE).await;
        }
        // Who sees all may not have taken the last events yet.
        let deadline = Instant::now() + SOON;
        while !world.broken(&trouble).is_empty() && Instant::now() < deadline {
            sleep(Duration::from_millis(20)).await;
        }
        broken.extend(world.broken(&trouble));
        let rss = world.server.rss_kb();
        let first = match first_rss {
            Some(first) if !trouble.is_restarted => first,
            _ => *first_rss.insert(rss),
        };
        if rss > first + first / 10 + GROWTH_KB {
            broken.push(format!("the server has {rss} KiB, and had {first}"));
        }
        println!("round {round}: {} guests, {rss} KiB, {trouble:?}", world.guests.len());
        for (guest, seen) in world.guests.iter().map(|g| (g.id, g.seen.lock().unwrap())) {
            if !trouble.is_restarted && seen.renewed > 0 && seen.away >= AWAY_MAX {
                println!("  guest {guest} was away for {:?}, and is another member", seen.away);
            }
        }
        for promise in &broken {
            println!("  broken: {promise}");
        }
        count += broken.len();
    }
    assert_eq!(count, 0, "promises were broken, seed {seed}");
    for guest in world.guests.drain(..) {
        guest.end();
        soon(guest.client.close()).await;
    }
    world.server.metric_until("hither_members", |members| members == 0).await;
}
