//! A client over one connection after the other: a server of the test's makes and breaks them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hither_client::{
    Client, ConnectError, ConnectOptions, ConnectionStatus, Event, Link, LostConnection, Map, Op,
    OpKind, Position, Room, SendError,
};
use hither_protocol::message::control::{Bye, Hello, ToClient, ToServer, Welcome};
use hither_protocol::message::edits::{Ack, EditsToClient, EditsToServer};
use hither_protocol::motion::upward::Upward;
use hither_transport::memory;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::server::{Lane, OTHER, ROOM, Server, member, soon};

/// The other ends of the links that a client makes.
struct Dials {
    links: mpsc::UnboundedReceiver<Link>,
    /// Whether attempts fail.
    is_down: Arc<Mutex<bool>>,
}

impl Dials {
    /// Options whose client reaches this.
    fn new() -> (ConnectOptions, Self) {
        let (sender, links) = mpsc::unbounded_channel();
        let is_down = Arc::new(Mutex::new(false));
        let down = Arc::clone(&is_down);
        let options = Client::builder("memory").connector(move || {
            let (here, there) = memory::pair();
            let failed = *down.lock().unwrap();
            let _ = sender.send(there); // the test may be over
            async move { if failed { Err(ConnectError::NoWay) } else { Ok(here) } }
        });
        (options, Self { links, is_down })
    }

    async fn next(&mut self) -> Link {
        soon(self.links.recv()).await.unwrap()
    }

    async fn accept(&mut self) -> (Server, Hello) {
        let link = self.next().await;
        Server::accept(link).await
    }

    fn set_down(&self, is_down: bool) {
        *self.is_down.lock().unwrap() = is_down;
    }
}

async fn welcome(server: &mut Server, token: &str, resumed: bool) {
    let user = hither_client::User { id: "u1".into(), name: None };
    let (time_ms, resume_token) = (5, Some(token.to_owned()));
    let welcome = Welcome { version: 1, user, time_ms, resume_token, resumed };
    server.send(ToClient::Welcome(welcome)).await;
}

/// The next message but for those that say that a token has come.
async fn next(server: &mut Server) -> ToServer {
    loop {
        match server.next().await {
            ToServer::Resumable(_) => {}
            other => return other,
        }
    }
}

/// A client in a room, over a connection that can be broken.
async fn entered(options: ConnectOptions, dials: &mut Dials) -> (Client, Room, Server) {
    let (client, mut server) = tokio::join!(options.connect(), async {
        let (mut server, _) = dials.accept().await;
        welcome(&mut server, "first", false).await;
        server
    });
    let client = client.unwrap();
    let (room, _) = tokio::join!(client.enter("default:lobby", Map::new()), async {
        assert!(matches!(server.next().await, ToServer::Resumable(_)));
        server.admit(ROOM).await
    });
    (client, room.unwrap(), server)
}

async fn event(room: &Room) -> Event {
    soon(room.next_event()).await.unwrap()
}

// proves S1, S4
#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_is_made_again_and_rooms_stay() {
    let (options, mut dials) = Dials::new();
    let (client, room, server) = entered(options, &mut dials).await;
    assert_eq!(client.status(), ConnectionStatus::Connected);
    room.set_motion(Position::xy(3, 4));
    assert!(matches!(server.next_datagram().await[..], [Upward::Sample(_)]));
    server.link.close(0, "");
    assert_eq!(
        soon(client.status_after(ConnectionStatus::Connected)).await,
        ConnectionStatus::Reconnecting
    );
    room.update_presence(Map::from([("zoom".into(), 2.into())])).unwrap();
    room.broadcast("late", 1).unwrap();
    assert_eq!(room.members().len(), 2);

    let (mut server, hello) = dials.accept().await;
    assert_eq!(hello.resume_token.as_deref(), Some("first"));
    welcome(&mut server, "second", true).await;
    let join = server.next_join().await;
    assert!(join.presence.len() == 1 && join.seen.is_some(), "{join:?}");
    server.admit_as(join.request, ROOM, true).await;
    assert!(matches!(next(&mut server).await, ToServer::Event(event) if event.name == "late"));
    let samples = server.next_datagram().await;
    assert!(
        matches!(&samples[..], [Upward::Sample(sample)] if sample.position == Position::xy(3, 4))
    );
    assert!(matches!(event(&room).await, Event::Entered { .. }));
    assert_eq!(client.status(), ConnectionStatus::Connected);
    assert_eq!(room.others(), [member(OTHER)]);
    soon(async {
        tokio::join!(room.leave(), async {
            assert!(matches!(next(&mut server).await, ToServer::Leave(_)));
            server.link.close(4000, "");
        })
    })
    .await
    .0
    .unwrap();
    assert_eq!(soon(client.closed()).await.code, Some(4000));
}

// proves C2, C3
#[tokio::test(start_paused = true)]
async fn attempts_go_on_until_one_is_welcome_and_the_loss_is_told_after_five_seconds() {
    let (options, mut dials) = Dials::new();
    let (client, room, server) = entered(options, &mut dials).await;
    dials.set_down(true);
    server.link.close(0, "");
    let lost = Instant::now();
    assert!(matches!(event(&room).await, Event::LostConnection(LostConnection::Lost)));
    assert_eq!(lost.elapsed().as_secs(), 5);
    tokio::time::sleep(Duration::from_secs(60)).await;
    dials.set_down(false);
    let mut attempts = 0;
    let mut server = loop {
        let link = dials.next().await;
        // That of an attempt that failed is closed already.
        if tokio::time::timeout(Duration::from_millis(1), link.closed()).await.is_err() {
            let (mut server, _) = Server::accept(link).await;
            welcome(&mut server, "second", true).await;
            break server;
        }
        attempts += 1;
    };
    assert!((4..100).contains(&attempts), "{attempts} attempts");
    assert!(matches!(event(&room).await, Event::LostConnection(LostConnection::Restored)));
    assert_eq!(client.status(), ConnectionStatus::Connected);
    server.send(ToClient::Bye(Bye::new(hither_client::CloseCode::TakenOver, "gone"))).await;
    assert_eq!(soon(client.closed()).await.code, Some(4005));
    assert_eq!(client.status(), ConnectionStatus::Disconnected);
    assert_eq!(room.broadcast("n", 1), Err(SendError::Closed));
}

// proves C3
#[tokio::test(start_paused = true)]
async fn an_attempt_without_a_welcome_ends_after_five_seconds_and_a_pause_is_as_long_as_advised() {
    let (options, mut dials) = Dials::new();
    let (_client, _room, mut server) = entered(options, &mut dials).await;
    let bye =
        Bye { retry_after_ms: Some(3_000), ..Bye::new(hither_client::CloseCode::GoingAway, "") };
    server.send(ToClient::Bye(bye)).await;
    let began = Instant::now();
    let (mute, _) = dials.accept().await;
    assert!((3_000..3_300).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    let began = Instant::now();
    soon(mute.link.closed()).await;
    assert_eq!(began.elapsed().as_secs(), 5);
    dials.accept().await;
}

// proves H4, C2
#[tokio::test(start_paused = true)]
async fn a_new_token_is_got_when_the_server_wants_one() {
    let (options, mut dials) = Dials::new();
    let asked = Arc::new(Mutex::new(0));
    let options = options.auth({
        let asked = Arc::clone(&asked);
        move || {
            let mut asked = asked.lock().unwrap();
            *asked += 1;
            let token = format!("t{asked}");
            async move { Ok(token) }
        }
    });
    let (client, _room, mut server) = entered(options, &mut dials).await;
    server.send(ToClient::Bye(Bye::new(hither_client::CloseCode::TokenExpired, ""))).await;
    let (server, hello) = dials.accept().await;
    assert_eq!((hello.token.as_deref(), *asked.lock().unwrap()), (Some("t2"), 2));
    server.link.close(0, "");
    let (_server, hello) = dials.accept().await;
    assert_eq!((hello.token.as_deref(), *asked.lock().unwrap()), (Some("t2"), 2));
    drop(client);
}

// proves D7
#[tokio::test(start_paused = true)]
async fn an_edit_without_an_answer_is_submitted_again_whatever_the_member_is_then() {
    for resumed in [true, false] {
        let (options, mut dials) = Dials::new();
        let (_client, room, server) = entered(options, &mut dials).await;
        let op = Op::new(OpKind::Put, "r", Map::new());
        let mut submit = room.submit(vec![op]);
        let script = async {
            let mut lane = Lane::accept(&server.link).await;
            assert!(matches!(lane.next_edits().await, EditsToServer::Open(_)));
            assert!(matches!(lane.next_edits().await, EditsToServer::Submit(_)));
            server.link.close(0, "");
            let (mut server, _) = dials.accept().await;
            welcome(&mut server, "second", true).await;
            let request = server.next_join().await.request;
            server.admit_as(request, ROOM, resumed).await;
            let mut lane = Lane::accept(&server.link).await;
            assert!(matches!(lane.next_edits().await, EditsToServer::Open(_)));
            let EditsToServer::Submit(submit) = lane.next_edits().await else { panic!() };
            let ack = Ack { number: submit.number, sequence: 5, time_ms: 1 };
            lane.send_edits(EditsToClient::Ack(ack)).await;
            (server, lane)
        };
        let (submitted, _server) = soon(async { tokio::join!(&mut submit, script) }).await;
        assert_eq!(submitted.map(|ack| ack.sequence), Ok(5));
    }
}

#[tokio::test(start_paused = true)]
async fn closing_ends_the_attempts_and_leaving_needs_no_server() {
    let (options, mut dials) = Dials::new();
    let (client, room, server) = entered(options, &mut dials).await;
    dials.set_down(true);
    server.link.close(0, "");
    soon(client.status_after(ConnectionStatus::Connected)).await;
    soon(room.leave()).await.unwrap();
    let closed = soon(client.close()).await;
    assert_eq!(closed.code, Some(4000));
}

#[tokio::test(start_paused = true)]
async fn who_wants_no_second_connection_hears_of_the_end_of_the_first() {
    let (options, mut dials) = Dials::new();
    let (client, room, server) = entered(options.reconnect(false), &mut dials).await;
    server.link.close(4200, "");
    assert_eq!(soon(client.closed()).await.code, Some(4200));
    assert_eq!(soon(room.next_event()).await, None);
}
