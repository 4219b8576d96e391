//! The polled client from plain threads, in real time: every loop ends by what it waits for, or fails at a deadline.

use std::time::{Duration, Instant};

use hither_client::{
    Client, ConnectError, Event, Map, Polled, PolledState, Position, RoomHandle, SendError, Status,
};
use hither_protocol::Tick;
use hither_protocol::message::control::{Diff, Kept, ToClient, ToServer, Welcome};
use hither_protocol::message::edits::{EditsToServer, Op, OpKind};
use hither_protocol::motion::upward::Upward;
use hither_transport::memory;
use tokio::runtime::Runtime;

use crate::server::{Lane, OTHER, OWN, ROOM, Server};

/// Turns a loop until `done` has something.
pub(crate) fn turn<T>(net: &mut Polled, mut done: impl FnMut(&mut Polled) -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        net.update();
        if let Some(value) = done(net) {
            return value;
        }
        net.flush();
        assert!(Instant::now() < deadline, "it never came");
        std::thread::yield_now();
    }
}

pub(crate) fn entered(net: &mut Polled) -> Option<RoomHandle> {
    match net.poll_event()? {
        Event::Entered { room, .. } => Some(room),
        other => panic!("not entered: {other:?}"),
    }
}

/// What the server does while the loop turns; it ends with the client's bye.
async fn serve(mut server: Server) {
    server.admit(ROOM).await;
    assert!(matches!(server.next().await, ToServer::Presence(_)));
    server.frame(ROOM, 101, &[(OWN, Position::xy(0, 0)), (OTHER, Position::xy(3, 4))]);
    loop {
        // Acks and repeats are none of this test's business.
        let records = server.next_datagram().await;
        let moved = |record: &Upward| matches!(record, Upward::Sample(s) if s.position == Position::xy(8, 9));
        if records.iter().any(moved) {
            break;
        }
    }
    let leaves = vec![OTHER];
    server.diff(Diff { room: ROOM, tick: Tick(102), leaves, ..Diff::default() }).await;
    assert!(matches!(server.next().await, ToServer::Event(event) if event.name == "wave"));
    assert!(
        matches!(server.next().await, ToServer::Status(status) if status.status == Status::Away)
    );
    let mut lane = Lane::accept(&server.link).await;
    assert!(matches!(lane.next_edits().await, EditsToServer::Open(_)));
    assert!(matches!(lane.next_edits().await, EditsToServer::Submit(submit) if submit.number == 1));
    let ToServer::Kept(ask) = server.next().await else { panic!("not asked for kept events") };
    let kept = Kept { request: ask.request, room: ROOM, ..Kept::default() };
    server.send(ToClient::Kept(kept)).await;
    assert!(matches!(server.next().await, ToServer::Bye(_)));
    server.link.close(4000, "");
}

#[test]
fn a_plain_loop_enters_moves_sees_and_closes() {
    let runtime = Runtime::new().unwrap();
    let (client, server) = runtime.block_on(async {
        let (here, there) = memory::pair();
        tokio::join!(Client::builder("memory").connect_over(here), Server::welcoming(there))
    });
    let serving = runtime.spawn(serve(server));
    let mut net = client.unwrap().into_polled();
    assert!(matches!(net.state(), PolledState::Connected));

    let request = net.enter("default:arena".parse().unwrap(), Map::new()).unwrap();
    assert_eq!(request, 1);
    let room = turn(&mut net, entered);
    net.update_presence(room, Map::from([("ready".into(), true.into())])).unwrap();
    let seen = turn(&mut net, |net| net.positions(room).next());
    assert_eq!(seen, (OTHER, Position::xy(3, 4)));
    assert_eq!(net.positions(room).count(), 1, "the own position is not among the others'");
    assert_eq!(net.read(room, |room| room.members().count()), Some(2));

    net.set_motion(room, Position::xy(1, 1));
    net.set_motion(room, Position::xy(8, 9));
    let left = turn(&mut net, |net| net.poll_event());
    assert!(matches!(left, Event::MemberLeft { .. }), "{left:?}");
    turn(&mut net, |net| net.positions(room).next().is_none().then_some(()));

    net.send_to(room, Vec::new(), "to nobody", 1).unwrap();
    net.broadcast(room, "wave", 1).unwrap();
    net.set_status(Status::Away).unwrap();
    let op = Op::new(OpKind::Remove, "a", Map::new());
    assert_eq!(net.submit(room, vec![op]), Ok(1));
    net.begin_group(room).unwrap();
    net.end_group(room).unwrap();
    // Before the document is there nobody knows what to take back.
    assert_eq!((net.undo(room), net.redo(room)), (Ok(false), Ok(false)));
    let nowhere = RoomHandle(99);
    assert_eq!(net.undo(nowhere), Err(SendError::NotInRoom));
    assert_eq!(net.broadcast(nowhere, "wave", 1), Err(SendError::NotInRoom));
    let asked = net.event_history(room, None, 5).unwrap();
    let request = turn(&mut net, |net| match net.poll_event()? {
        Event::Kept { kept, .. } => Some(kept.request),
        other => panic!("not what was asked for: {other:?}"),
    });
    assert_eq!(request, asked);
    net.close();
    let code = turn(&mut net, |net| match net.state() {
        PolledState::Closed(closed) => Some(closed.code),
        _ => None,
    });
    assert_eq!(code, Some(4000));
    runtime.block_on(serving).unwrap();
}

#[test]
fn connecting_returns_at_once_and_tells_its_failure_later() {
    let mut net = Polled::connect(Client::builder("ftp://127.0.0.1").cert_sha256([0; 32])).unwrap();
    assert!(matches!(net.state(), PolledState::Connecting));
    assert_eq!(net.enter("default:a".parse().unwrap(), Map::new()), Err(SendError::Closed));
    turn(&mut net, |net| {
        matches!(net.state(), PolledState::Failed(ConnectError::Unreachable(_))).then_some(())
    });
}

#[test]
fn a_runtime_that_goes_away_is_a_closed_connection() {
    let runtime = Runtime::new().unwrap();
    let (client, _server) = runtime.block_on(async {
        let (here, there) = memory::pair();
        let welcome = async {
            let (mut server, _hello) = Server::accept(there).await;
            let user = Default::default();
            server
                .send(ToClient::Welcome(Welcome {
                    version: 1,
                    user,
                    time_ms: 5,
                    ..Welcome::default()
                }))
                .await;
            server
        };
        tokio::join!(Client::builder("memory").connect_over(here), welcome)
    });
    let mut net = client.unwrap().into_polled();
    drop(runtime);
    turn(&mut net, |net| matches!(net.state(), PolledState::Closed(_)).then_some(()));
}
