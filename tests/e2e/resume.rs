//! Sessions that outlive their connections: what is given back, what is not, and what the others see of it.
//!
//! The first seven are the cases of Socket.IO's suite for connection state recovery, as they are here.

use std::time::Duration;

use hither_client::{Client, Event, Room, Slot, Status, Transport};
use hither_protocol::message::control::{
    Hello, Join, Joined, Presence, Resumable, Seen, SendEvent, ToClient, ToServer, Welcome,
};
use hither_protocol::message::{Map, Value};
use serde_json::json;

use crate::support::{
    Host, Issuer, Process, Raw, Target, enter, field, find, now_s, on_all, slot, soon, stays, until,
};

const ROOM: &str = "default:a";

/// A member of [`ROOM`] that keeps its resume token, and somebody who watches it.
struct Stage {
    raw: Raw,
    welcome: Welcome,
    joined: Joined,
    _watching: Client,
    watcher: Room,
}

impl Stage {
    async fn new(server: &Target, on: Transport) -> Self {
        let watching = server.client(on).await;
        let watcher = enter(&watching, ROOM).await;
        let mut raw = server.raw(on).await;
        let welcome = raw.hello(None).await;
        assert!(!welcome.resumed);
        let (joined, _) = raw.join(ROOM, None).await;
        let stage = Self { raw, welcome, joined, _watching: watching, watcher };
        stage.until_seen(Status::Active).await;
        stage
    }

    /// Its connection ends, and everybody has seen it.
    async fn lose(&self) {
        self.raw.link.close(0, "");
        self.until_seen(Status::Lost).await;
    }

    async fn until_seen(&self, status: Status) {
        let slot = self.joined.slot;
        until("the status is seen", || self.status() == Some(status)).await;
        assert_eq!(self.watcher.member(slot).unwrap().generation, self.joined.generation);
    }

    fn status(&self) -> Option<Status> {
        self.watcher.member(self.joined.slot).map(|member| member.status)
    }

    /// What the watcher was told of joins and leaves.
    async fn comings_and_goings(&self) -> usize {
        self.watcher.broadcast("to nobody", Value::Nil).unwrap();
        let mut count = 0;
        while let Ok(Some(event)) =
            tokio::time::timeout(Duration::from_millis(200), self.watcher.next_event()).await
        {
            let counts = matches!(event, Event::MemberJoined { .. } | Event::MemberLeft { .. });
            count += usize::from(counts);
        }
        count
    }
}

async fn join_with(raw: &mut Raw, presence: Map, seen: Option<Seen>) -> Joined {
    let join = Join { request: 90, room: ROOM.into(), presence, seen };
    raw.say(ToServer::Join(join)).await;
    raw.pick(|message| match message {
        ToClient::Joined(joined) => Some(joined),
        ToClient::Error(error) => panic!("not joined: {error:?}"),
        _ => None,
    })
    .await
}

// proves S1, S4
#[tokio::test]
async fn one_the_session_and_the_missed_events_come_back() {
    on_all(async |on| {
        let server = Host::start().await;
        let stage = Stage::new(&server, on).await;
        let mut raw = server.raw(on).await;
        stage.lose().await;
        stage.watcher.broadcast("missed", 7).unwrap();
        let welcome = raw.resume(&stage.welcome.resume_token).await;
        assert!(welcome.resumed);
        assert_eq!(welcome.user, stage.welcome.user);
        assert_ne!(welcome.resume_token, stage.welcome.resume_token);
        let seen = Seen { epoch: stage.joined.epoch, number: stage.joined.event_last };
        let mut joined = join_with(&mut raw, Map::new(), Some(seen)).await;
        assert!(joined.resumed && !joined.events_lost);
        // Its tick may have been before the join, or after.
        let missed = match joined.events.pop() {
            Some(event) => event,
            None => {
                raw.pick(|message| match message {
                    ToClient::Diff(mut diff) => diff.events.pop(),
                    _ => None,
                })
                .await
            }
        };
        assert_eq!((missed.name.as_str(), missed.number), ("missed", seen.number + 1));
        stage.until_seen(Status::Active).await;
    })
    .await;
}

// proves S4, R7
#[tokio::test]
async fn two_rooms_slots_and_presence_come_back_and_the_others_see_no_leave() {
    on_all(async |on| {
        let server = Host::start().await;
        let mut stage = Stage::new(&server, on).await;
        let room = stage.joined.room;
        let patch = field("color", "red");
        stage.raw.say(ToServer::Presence(Presence { room, patch: patch.clone() })).await;
        let slot = stage.joined.slot;
        until("the presence is seen", || stage.watcher.member(slot).unwrap().presence == patch)
            .await;
        let comings = stage.comings_and_goings().await;
        stage.lose().await;
        let mut raw = server.raw(on).await;
        raw.resume(&stage.welcome.resume_token).await;
        let joined = join_with(&mut raw, patch.clone(), None).await;
        assert!(joined.resumed);
        assert_eq!((joined.slot, joined.generation), (slot, stage.joined.generation));
        assert_eq!((joined.room, joined.epoch), (room, stage.joined.epoch));
        stage.until_seen(Status::Active).await;
        assert_eq!(stage.watcher.member(slot).unwrap().presence, patch);
        assert_eq!((comings, stage.comings_and_goings().await), (1, 0));
        // Longer than the grace that had begun.
        stays("it is a member", Duration::from_millis(5_500), || {
            stage.status() == Some(Status::Active)
        })
        .await;
    })
    .await;
}

// proves S1, H4
#[tokio::test]
async fn three_and_four_who_resumes_needs_a_token_all_the_same_and_has_the_rights_of_that_one() {
    on_all(async |on| {
        let issuer = Issuer::new();
        let server = Host::with(|config| issuer.configure(config)).await;
        let token = |changes| Some(issuer.token("ada", &["join", "broadcast"], changes));
        let mut first = server.raw(on).await;
        let welcome = first.hello(token(json!({}))).await;
        let (room, _) = first.join(ROOM, None).await;
        first.link.close(0, "");
        for (token, code) in [(None, 4100), (token(json!({ "exp": now_s() - 1.0 })), 4101)] {
            let mut raw = server.raw(on).await;
            let resume_token = welcome.resume_token.clone();
            let hello = Hello { version: 1, token, resume_token, ..Hello::default() };
            raw.say(ToServer::Hello(hello)).await;
            assert_eq!(raw.dismissed().await, code);
        }
        let mut raw = server.raw(on).await;
        let token = token(json!({ "rooms": { "*": ["join"] } }));
        let resume_token = welcome.resume_token;
        let again = raw.hello_with(Hello { token, resume_token, ..Hello::default() }).await;
        assert!(again.resumed);
        let joined = join_with(&mut raw, Map::new(), None).await;
        assert!(joined.resumed && joined.rights.0 < room.rights.0);
        let (name, data) = ("late".to_owned(), Value::Nil);
        raw.say(ToServer::Event(SendEvent { room: joined.room, name, data, to: vec![] })).await;
        let refused = raw.pick(|message| match message {
            ToClient::Error(error) => Some(error.code),
            _ => None,
        });
        assert_eq!(refused.await, hither_client::Refusal::Forbidden);
    })
    .await;
}

// proves S1
#[tokio::test]
async fn five_a_session_that_is_not_known_is_a_new_one_and_nobody_is_turned_away() {
    on_all(async |on| {
        let (server, other) = (Host::start().await, Host::start().await);
        let mut elsewhere = other.raw(on).await;
        let theirs = elsewhere.hello(None).await.resume_token.unwrap();
        let mut changed = theirs.clone();
        changed.truncate(theirs.len() - 3);
        for token in [theirs, changed, "nonsense".to_owned(), String::new(), "x".repeat(1_024)] {
            let mut raw = server.raw(on).await;
            let welcome = raw.resume(&Some(token)).await;
            assert!(!welcome.resumed && welcome.resume_token.is_some());
            let (joined, _) = raw.join(ROOM, None).await;
            assert!(!joined.resumed);
        }
        let mut raw = server.raw(on).await;
        let resume_token = Some("x".repeat(1_025));
        raw.say(ToServer::Hello(Hello { version: 1, resume_token, ..Hello::default() })).await;
        assert_eq!(raw.dismissed().await, 4004);
    })
    .await;
}

// proves S1
#[tokio::test]
async fn six_who_shows_no_token_is_a_new_member_beside_the_lost_one() {
    on_all(async |on| {
        let server = Host::start().await;
        let stage = Stage::new(&server, on).await;
        stage.lose().await;
        let mut raw = server.raw(on).await;
        let welcome = raw.hello(None).await;
        assert!(!welcome.resumed);
        assert_ne!(welcome.user, stage.welcome.user);
        let joined = join_with(&mut raw, Map::new(), None).await;
        assert!(!joined.resumed);
        assert_ne!(joined.slot, stage.joined.slot);
        assert_eq!(stage.status(), Some(Status::Lost));
    })
    .await;
}

// proves S1
#[tokio::test]
async fn seven_nothing_is_kept_of_who_has_said_bye() {
    on_all(async |on| {
        let server = Host::start().await;
        let mut stage = Stage::new(&server, on).await;
        stage.raw.leave_all().await;
        until("it has left", || stage.status().is_none()).await;
        let mut raw = server.raw(on).await;
        assert!(!raw.resume(&stage.welcome.resume_token).await.resumed);
    })
    .await;
}

// proves S2
#[tokio::test]
async fn a_token_is_good_until_the_next_one_has_arrived() {
    on_all(async |on| {
        let server = Host::start().await;
        let stage = Stage::new(&server, on).await;
        let mut tokens = vec![stage.welcome.resume_token.clone()];
        // This welcome is lost on its way.
        let mut raw = server.raw(on).await;
        assert!(raw.resume(&tokens[0]).await.resumed);
        let mut raw = server.raw(on).await;
        let welcome = raw.resume(&tokens[0]).await;
        assert!(welcome.resumed);
        tokens.push(welcome.resume_token);
        raw.say(ToServer::Resumable(Resumable {})).await;
        raw.ping().await;
        let mut replayed = server.raw(on).await;
        assert!(!replayed.resume(&tokens[0]).await.resumed, "a replay takes nothing over");
        raw.ping().await;
        let mut raw = server.raw(on).await;
        assert!(raw.resume(&tokens[1]).await.resumed);
    })
    .await;
}

// proves S3
#[tokio::test]
async fn a_connection_with_the_newest_token_takes_over_from_one_that_is_half_open() {
    on_all(async |on| {
        let server = Host::start().await;
        let mut stage = Stage::new(&server, on).await;
        let before = stage.comings_and_goings().await;
        let mut raw = server.raw(on).await;
        let welcome = raw.resume(&stage.welcome.resume_token).await;
        assert!(welcome.resumed);
        let joined = join_with(&mut raw, Map::new(), None).await;
        assert!(joined.resumed);
        assert_eq!((joined.slot, joined.generation), (stage.joined.slot, stage.joined.generation));
        assert_eq!(stage.raw.bye().await.code, 4005);
        // What the old one still says moves nobody.
        stage.raw.sample(joined.room, 1_000, hither_client::Position::xy(9, 9));
        raw.sample(joined.room, 1, hither_client::Position::xy(1, 1));
        let at = |x, y| Some(hither_client::Position::xy(x, y));
        until("it is seen", || stage.watcher.position(joined.slot) == at(1, 1)).await;
        stage.raw.link.close(0, "");
        stays("it is there", Duration::from_secs(1), || stage.status() == Some(Status::Active))
            .await;
        assert_eq!((before, stage.comings_and_goings().await), (1, 0));
        let mut replayed = server.raw(on).await;
        raw.say(ToServer::Resumable(Resumable {})).await;
        raw.ping().await;
        assert!(!replayed.resume(&stage.welcome.resume_token).await.resumed);
        raw.ping().await;
    })
    .await;
}

// proves S1
#[tokio::test]
async fn a_token_of_another_user_is_no_token() {
    on_all(async |on| {
        let issuer = Issuer::new();
        let server = Host::with(|config| issuer.configure(config)).await;
        let token = |user| Some(issuer.token(user, &["join"], json!({})));
        let mut ada = server.raw(on).await;
        let resume_token = ada.hello(token("ada")).await.resume_token;
        ada.join(ROOM, None).await;
        let mut eve = server.raw(on).await;
        let hello = Hello { token: token("eve"), resume_token, ..Hello::default() };
        let welcome = eve.hello_with(hello).await;
        assert!(!welcome.resumed);
        assert_eq!(welcome.user.id, "eve");
        ada.ping().await;
        assert!(!join_with(&mut eve, Map::new(), None).await.resumed);
    })
    .await;
}

// proves S4, V4
#[tokio::test]
async fn a_gap_that_can_t_be_filled_is_signalled() {
    on_all(async |on| {
        let server = Host::start().await;
        let stage = Stage::new(&server, on).await;
        stage.lose().await;
        // More than the 48 KiB that are kept.
        for _ in 0..8 {
            stage.watcher.broadcast("much", "x".repeat(10_000)).unwrap();
        }
        let last = stage.joined.event_last;
        let seen = Seen { epoch: stage.joined.epoch, number: last };
        let joined = find("the gap", async || {
            let mut raw = server.raw(on).await;
            raw.resume(&stage.welcome.resume_token).await;
            let joined = join_with(&mut raw, Map::new(), Some(seen)).await;
            (joined.event_last == last + 8).then_some(joined)
        })
        .await;
        assert!(joined.resumed && joined.events_lost && joined.events.is_empty());
    })
    .await;
}

// proves S4
#[tokio::test]
async fn after_its_grace_a_session_comes_back_as_a_new_member() {
    on_all(async |on| {
        let server =
            Host::with(|config| config.namespaces.get_mut("default").unwrap().grace_ms = 300).await;
        let stage = Stage::new(&server, on).await;
        stage.raw.link.close(0, "");
        until("its grace is over", || stage.status().is_none()).await;
        let mut raw = server.raw(on).await;
        let welcome = raw.resume(&stage.welcome.resume_token).await;
        assert!(welcome.resumed);
        assert_eq!(welcome.user, stage.welcome.user);
        assert!(!join_with(&mut raw, Map::new(), None).await.resumed);
    })
    .await;
}

/// How a server ends.
enum End {
    Drained,
    Killed,
}

// proves S5
#[tokio::test]
async fn a_server_that_is_started_again_takes_its_sessions_and_members_up() {
    for end in [End::Drained, End::Killed] {
        let data = tempfile::tempdir().unwrap();
        let mut server = Process::lasting(data.path());
        let on = Transport::Quic;
        let mut raws = Vec::new();
        for name in ["ada", "bob"] {
            let mut raw = server.raw(on).await;
            let hello = Hello { name: Some(name.to_owned()), ..Hello::default() };
            let welcome = raw.hello_with(hello).await;
            let joined = join_with(&mut raw, field("name", name), None).await;
            raws.push((raw, welcome, joined));
        }
        let saved = data.path().join("data/sessions.save");
        let is_saved = || {
            let saved = std::fs::read(&saved).unwrap_or_default();
            let text = String::from_utf8_lossy(&saved).into_owned();
            raws.iter().all(|(_, welcome, _)| text.matches(&welcome.user.id).count() == 1)
        };
        until("both members are saved", is_saved).await;
        match end {
            End::Drained => {
                server.terminate();
                for (raw, ..) in &mut raws {
                    assert_eq!(raw.dismissed().await, 4200);
                }
                assert!(server.ended().await.status.success());
            }
            End::Killed => server.kill(),
        }
        let server = server.again(data.path());

        let watching = server.client(on).await;
        let watcher = enter(&watching, ROOM).await;
        let seen = |slot: Slot| watcher.member(slot).map(|member| member.status);
        for (_, welcome, before) in &raws {
            assert_eq!(seen(before.slot), Some(Status::Lost));
            let mut raw = server.raw(on).await;
            let again = raw.resume(&welcome.resume_token).await;
            assert!(again.resumed);
            assert_eq!(again.user, welcome.user);
            let joined = join_with(&mut raw, field("name", "new"), None).await;
            assert!(joined.resumed);
            assert_eq!((joined.slot, joined.generation), (before.slot, before.generation));
            assert_ne!(joined.epoch, before.epoch);
            until("it is back", || seen(before.slot) == Some(Status::Active)).await;
            raw.say(ToServer::Resumable(Resumable {})).await;
            raw.ping().await;
            let mut replayed = server.raw(on).await;
            assert!(!replayed.resume(&welcome.resume_token).await.resumed);
        }
        assert_ne!(watcher.slot(), Some(raws[0].2.slot), "a slot that somebody may come back to");
        drop(soon(watcher.leave()).await);
    }
}

// proves S5
#[tokio::test]
async fn who_does_not_come_back_to_a_server_that_was_killed_leaves_with_its_grace() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Process::lasting(data.path());
    let mut raw = server.raw(Transport::Quic).await;
    let id = raw.hello(None).await.user.id;
    let (joined, _) = raw.join(ROOM, None).await;
    let saved = data.path().join("data/sessions.save");
    until("it is saved", || {
        String::from_utf8_lossy(&std::fs::read(&saved).unwrap_or_default()).contains(&id)
    })
    .await;
    server.kill();
    let server = server.again(data.path());
    let ada = server.client(Transport::Quic).await;
    let room = enter(&ada, ROOM).await;
    assert_eq!(room.member(joined.slot).unwrap().status, Status::Lost);
    assert_ne!(slot(&room), joined.slot);
    until("its grace is over", || room.member(joined.slot).is_none()).await;
    server.metric_until("hither_members", |members| members == 1).await;
}

// proves S5
#[tokio::test]
async fn clients_of_a_server_that_was_killed_see_it_as_soon_as_the_next_one_hears_them() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Process::lasting(data.path());
    let raw = server.welcomed(Transport::Quic).await;
    server.kill();
    let _next = server.again(data.path());
    raw.datagram(&[0; 200]);
    let closed = soon(raw.link.closed()).await;
    assert!(matches!(closed, hither_transport::Closed::Broken(_)), "{closed}");
}
