//! Bad input on every lane: each client gets its code, or what it sent is dropped and counted; its neighbours notice
//! nothing.

use hither_client::{Client, Map, Position, Refusal, Room, RoomHandle, Transport};
use hither_protocol::Slot;
use hither_protocol::limits::MESSAGE_BYTES_MAX;
use hither_protocol::message::control::{Hello, Leave, Ping, ToClient, ToServer};
use hither_protocol::message::edits::{EditsToClient, EditsToServer, Op, OpKind, Open, Submit};
use hither_protocol::message::frame;
use hither_transport::ConnectError;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::support::{
    EditsLane, Foreign, Host, Lane, Raw, Target, enter, field, has_streams, on_all, slot, soon,
    until,
};

/// Two members in a room of their own.
struct Neighbours {
    rooms: [Room; 2],
    _clients: [Client; 2],
    steps: i32,
}

impl Neighbours {
    async fn enter(server: &Target, on: Transport) -> Self {
        let clients = [server.client(on).await, server.client(on).await];
        let [ada, bob] = &clients;
        let rooms = [enter(ada, "default:calm").await, enter(bob, "default:calm").await];
        Self { rooms, _clients: clients, steps: 0 }
    }

    /// Both move, and see each other move.
    async fn feel_nothing(&mut self) {
        self.steps += 1;
        let place = |of: usize| Position::xy(self.steps, of as i32);
        let [ada, bob] = &self.rooms;
        ada.set_motion(place(0));
        bob.set_motion(place(1));
        until("the neighbours see each other", || {
            bob.position(slot(ada)) == Some(place(0)) && ada.position(slot(bob)) == Some(place(1))
        })
        .await;
    }
}

/// Bytes that are no message, and the code that they earn on a lane.
fn no_messages(on: Transport) -> Vec<(&'static str, Vec<u8>, u32)> {
    let whole = ToServer::Ping(Ping { token: 7 }).encode();
    let message = &whole[1..];
    let mut random = [0; 1_000];
    SmallRng::seed_from_u64(2).fill(&mut random);
    random[0] = 0xc1;
    let framed = |bytes: &[u8]| frame(bytes).to_vec();
    let mut all = vec![
        ("garbage", framed(&random), 4001),
        ("no array", framed(&[0x80]), 4001),
        ("cut short", framed(&message[..message.len() - 1]), 4001),
        ("bytes behind it", framed(&[message, &[0]].concat()), 4001),
        ("a wrong shape", framed(&[0x92, 1, 0x81, 0xa1, b'v', 0xa1, b'x']), 4001),
        ("an ext type", framed(&[0x92, 7, 0x81, 0xa1, b't', 0xd4, 1, 1]), 4001),
        ("2^53", framed(&[0x92, 7, 0x81, 0xa1, b't', 0xcf, 0, 0x20, 0, 0, 0, 0, 0, 0]), 4001),
        ("no UTF-8", framed(&[0x92, 7, 0x81, 0xa1, 0xff, 1]), 4001),
        ("a length bomb", framed(&[0xdd, 0xff, 0xff, 0xff, 0xff]), 4001),
        ("a depth bomb", framed(&[0x91; 60_000]), 4001),
    ];
    if has_streams(on) {
        all.push(("nothing at all", framed(&[]), 4001));
        all.push(("an endless length", vec![0xff; 16], 4004));
        all.push(("a length over the cap", vec![0x81, 0x80, 0x04], 4004));
    }
    all
}

/// Counts what the server counted as bad: malformed, and too large.
async fn rejects(server: &Target) -> [u64; 2] {
    let of =
        async |cause| server.metric(&format!("hither_rejects_total{{cause=\"{cause}\"}}")).await;
    [of("malformed").await, of("too_large").await]
}

// proves F1, F3, F4, C1
#[tokio::test]
async fn what_is_no_message_ends_the_control_lane_with_its_code() {
    on_all(async |on| {
        let server = Host::start().await;
        let mut neighbours = Neighbours::enter(&server, on).await;
        let mut expected = [0, 0];
        for greeted in [false, true] {
            for (name, bytes, code) in no_messages(on) {
                let mut raw = server.raw(on).await;
                if greeted {
                    raw.hello(None).await;
                }
                raw.control.write(&bytes).await;
                assert_eq!(raw.dismissed().await, code, "{name}, greeted: {greeted}");
                expected[usize::from(code == 4004)] += 1;
                neighbours.feel_nothing().await;
            }
        }
        assert_eq!(rejects(&server).await, expected);
    })
    .await;
}

// proves H2
#[tokio::test]
async fn hello_comes_first_and_once() {
    on_all(async |on| {
        let server = Host::start().await;
        let hello = || ToServer::Hello(Hello { version: 1, ..Hello::default() });
        let ping = || ToServer::Ping(Ping { token: 1 });
        let unknown = || frame(&[0x92, 0x64, 0x80]).to_vec();
        let leave = || ToServer::Leave(Leave { room: RoomHandle(1) });
        for (name, bytes) in [
            ("ping first", ping().encode().to_vec()),
            ("leave first", leave().encode().to_vec()),
            ("an unknown kind first", unknown()),
            ("hello twice", [hello().encode(), hello().encode()].concat()),
            ("hello again, later", [hello().encode(), ping().encode(), hello().encode()].concat()),
        ] {
            let mut raw = server.raw(on).await;
            raw.control.write(&bytes).await;
            assert_eq!(raw.dismissed().await, 4001, "{name}");
        }
        assert_eq!(rejects(&server).await, [5, 0]);
        for (code, hello) in [
            (4002, Hello { version: 2, ..Hello::default() }),
            (4001, Hello { version: 1, name: Some("a\nb".into()), ..Hello::default() }),
            (4004, Hello { version: 1, name: Some("x".repeat(65)), ..Hello::default() }),
            (4004, Hello { version: 1, token: Some("x".repeat(8_193)), ..Hello::default() }),
        ] {
            let mut raw = server.raw(on).await;
            raw.say(ToServer::Hello(hello.clone())).await;
            assert_eq!(raw.dismissed().await, code, "{hello:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn f5_unknown_kinds_and_keys_are_skipped() {
    on_all(async |on| {
        let server = Host::start().await;
        let mut raw = server.welcomed(on).await;
        let (joined, _) = raw.join("default:a", None).await;
        raw.control.write(&frame(&[0x92, 0x64, 0x80])).await;
        raw.control.write(&frame(&[0x93, 0xcd, 0x03, 0xe8, 0x80, 0xc0])).await;
        // A ping with a key, and an element behind its body, of a later version.
        raw.control.write(&frame(&[0x93, 7, 0x82, 0xa1, b't', 9, 0xa1, b'z', 0x90, 0xc0])).await;
        let pong = raw.pick(|message| match message {
            ToClient::Pong(pong) => Some(pong.token),
            _ => None,
        });
        assert_eq!(pong.await, 9);
        let mut lane = raw.open_edits(joined.room, joined.slot, None).await;
        lane.0.write(&frame(&[0x92, 0x64, 0x80])).await;
        lane.submit(1, vec![put("a")]).await;
        assert!(matches!(lane.next().await, Some(EditsToClient::Snapshot(_))));
        assert!(matches!(lane.next().await, Some(EditsToClient::Ack(ack)) if ack.sequence == 1));
    })
    .await;
}

fn put(record: &str) -> Op {
    Op::new(OpKind::Put, record, field("x", 1))
}

/// A member, and an edits lane of its room that may be open already.
async fn with_lane(server: &Target, on: Transport, opened: bool) -> (Raw, EditsLane) {
    let mut raw = server.welcomed(on).await;
    let (joined, _) = raw.join("default:a", None).await;
    let lane = if opened {
        raw.open_edits(joined.room, joined.slot, None).await
    } else {
        EditsLane(Lane::open(&raw.link).await)
    };
    (raw, lane)
}

// proves D1, F1, F4
#[tokio::test]
async fn what_is_no_message_on_an_edits_lane_ends_the_connection_with_its_code() {
    on_all(async |on| {
        let server = Host::start().await;
        let mut neighbours = Neighbours::enter(&server, on).await;
        let mut expected = [0, 0];
        for opened in [false, true] {
            for (name, bytes, code) in no_messages(on) {
                let (mut raw, mut lane) = with_lane(&server, on, opened).await;
                lane.0.write(&bytes).await;
                assert_eq!(raw.dismissed().await, code, "{name}, opened: {opened}");
                expected[usize::from(code == 4004)] += 1;
                neighbours.feel_nothing().await;
            }
        }
        let submit = EditsToServer::Submit(Submit { number: 1, ops: vec![put("a")] });
        let open = EditsToServer::Open(Open::default());
        for (opened, message) in [(false, submit), (true, open)] {
            let (mut raw, mut lane) = with_lane(&server, on, opened).await;
            lane.say(message).await;
            assert_eq!(raw.dismissed().await, 4001, "out of order, opened: {opened}");
            expected[0] += 1;
        }
        assert_eq!(rejects(&server).await, expected);
    })
    .await;
}

// proves D1, D6, E1
#[tokio::test]
async fn what_makes_no_sense_is_refused_and_the_connection_lives() {
    on_all(async |on| {
        let server = Host::start().await;
        let (mut raw, mut lane) = with_lane(&server, on, true).await;
        assert!(matches!(lane.next().await, Some(EditsToClient::Snapshot(_))));
        let long = "r".repeat(129);
        let many = (0..65).map(|_| put("a")).collect();
        let deep = (0..9).fold(1.into(), |inner, _| hither_client::Value::Array(vec![inner]));
        let deep = Op::new(OpKind::Put, "a", field("x", deep));
        let big = "x".repeat(MESSAGE_BYTES_MAX - 1_000);
        let big = Op::new(OpKind::Put, "a", field("x", big));
        for (number, (ops, code)) in (1..).zip([
            (vec![], Refusal::BadRequest),
            (vec![put("")], Refusal::BadRequest),
            (vec![put(&long)], Refusal::BadRequest),
            (many, Refusal::TooLarge),
            (vec![deep], Refusal::TooLarge),
            (vec![big], Refusal::TooLarge),
        ]) {
            lane.submit(number, ops).await;
            match lane.next().await {
                Some(EditsToClient::Reject(reject)) => {
                    assert_eq!((reject.number, reject.code), (number, code));
                }
                other => panic!("not rejected: {other:?}"),
            }
        }
        let mut elsewhere = raw.open_edits(RoomHandle(9_999), Slot(0), None).await;
        assert_eq!(elsewhere.next().await, None, "the lane of a room it is not in is ended");
        raw.say(ToServer::Leave(Leave { room: RoomHandle(9_999) })).await;
        let refused = raw.pick(|message| match message {
            ToClient::Error(error) => Some(error.code),
            _ => None,
        });
        assert_eq!(refused.await, Refusal::NotFound);
        raw.ask_to_join(&"n".repeat(300), Map::new(), None).await;
        let refused = raw.pick(|message| match message {
            ToClient::Error(error) => Some(error.code),
            _ => None,
        });
        assert_eq!(refused.await, Refusal::BadRequest);
        raw.ping().await;
    })
    .await;
}

#[tokio::test]
async fn m1_bad_datagrams_are_dropped_and_counted() {
    on_all(async |on| {
        let server = Host::start().await;
        let mut neighbours = Neighbours::enter(&server, on).await;
        let mut raw = server.welcomed(on).await;
        let (joined, _) = raw.join("default:a", None).await;
        let of = |cause| format!("hither_datagrams_dropped_total{{cause=\"{cause}\"}}");
        let mut random = SmallRng::seed_from_u64(3);
        for len in 0..200 {
            let mut bytes = vec![0; len];
            random.fill(&mut bytes[..]);
            if let Some(kind) = bytes.first_mut() {
                *kind |= 0x80;
            }
            raw.datagram(&bytes);
            if len % 20 == 0 {
                raw.ping().await; // more at once than wait for the server are dropped unseen
            }
        }
        let malformed = server.metric_until(&of("malformed"), |count| count >= 150).await;
        assert!(malformed <= 199, "the empty one holds nothing wrong");
        raw.sample(RoomHandle(joined.room.0 + 1), 1, Position::xy(1, 1));
        server.metric_until(&of("unknown_room"), |count| count == 1).await;
        raw.datagram(&[0x02, joined.room.0 as u8, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0]);
        server.metric_until(&of("malformed"), |count| count > malformed).await;
        raw.datagram(&[0x02; 1_001]);
        server.metric_until(&of("too_large"), |count| count == 1).await;
        if has_streams(on) {
            // Before hello there are no rooms.
            let mut early = server.raw(on).await;
            early.control.write(&[9]).await;
            early.datagram(&[0x02, joined.room.0 as u8, 9, 2, 2]);
            server.metric_until(&of("unknown_room"), |count| count == 2).await;
        }
        neighbours.feel_nothing().await;
        raw.sample(joined.room, 1, Position::xy(5, 5));
        raw.ping().await;
    })
    .await;
}

// proves H2, H6
#[tokio::test]
async fn who_says_nothing_is_closed_when_its_time_is_over() {
    on_all(async |on| {
        let server = Host::with(|config| config.limits.hello_deadline_ms = 300).await;
        let of = |cause| format!("hither_rejects_total{{cause=\"{cause}\"}}");
        let silent = server.link(on).await;
        let mut half = server.raw(on).await;
        let hello = ToServer::Hello(Hello { version: 1, ..Hello::default() }).encode();
        half.control.write(&hello[..3]).await;
        assert_eq!(crate::support::close_code(&silent).await, 4203);
        if has_streams(on) {
            assert_eq!(half.dismissed().await, 4203);
        } else {
            assert_eq!(half.closed().await, 4203);
        }
        assert_eq!(server.metric(&of("hello_deadline")).await, 2);

        let foreign = Foreign::bind(b"h3").connect(server.quic).await.unwrap();
        soon(foreign.closed()).await;
        server.metric_until(&of("connect_deadline"), |count| count == 1).await;
    })
    .await;
}

// proves H6
#[tokio::test]
async fn more_than_may_be_pending_are_refused() {
    on_all(async |on| {
        let server = Host::with(|config| config.limits.pending_hellos_max = 3).await;
        let mut pending = Vec::new();
        for _ in 0..3 {
            pending.push(server.raw(on).await);
        }
        let refused = soon(server.endpoint.connect(&server.url(), on)).await;
        let is_refused = matches!(refused, Err(ConnectError::Refused | ConnectError::Tcp(_)));
        assert!(is_refused, "{refused:?}");
        assert_eq!(server.metric("hither_rejects_total{cause=\"pending_limit\"}").await, 1);
        pending[0].hello(None).await;
        server.welcomed(on).await;
    })
    .await;
}

#[tokio::test]
async fn a_control_lane_that_ends_ends_the_connection() {
    on_all(async |on| {
        let server = Host::start().await;
        let mut raw = server.welcomed(on).await;
        raw.control.send.finish();
        assert_eq!(raw.dismissed().await, 4000);
        if has_streams(on) {
            let mut raw = server.welcomed(on).await;
            raw.control.write(&[9, 0x92]).await;
            raw.control.send.finish();
            assert_eq!(raw.dismissed().await, 4001, "in the middle of a message");
        }
    })
    .await;
}

#[tokio::test]
async fn c1_who_ignores_its_bye_is_closed_with_the_same_code() {
    on_all(async |on| {
        let server = Host::start().await;
        let mut raw = server.raw(on).await;
        raw.say(ToServer::Ping(Ping { token: 1 })).await;
        let bye = raw.bye().await;
        assert_eq!(bye.code, 4001);
        assert_eq!(raw.closed().await, 4001);
    })
    .await;
}
