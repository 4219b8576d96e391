//! The edits lane: opening, submitting, what the server answers, and a lane that ends.

use std::time::Duration;

use hither_client::{Ack, Event, HistoryError, Map, Op, OpKind, Refusal, Room, SubmitError};
use hither_protocol::message::control::{Left, ToClient};
use hither_protocol::message::edits::{
    Edit, Edits, EditsToClient, EditsToServer, Reject, Snapshot, Submit,
};

use crate::server::{Lane, OWN, ROOM, Server, entered, soon};

fn put(record: &str) -> Vec<Op> {
    vec![Op::new(OpKind::Put, record, Map::from([("x".into(), 1.into())]))]
}

async fn open(server: &Server) -> Lane {
    let mut lane = Lane::accept(&server.link).await;
    assert!(matches!(lane.next_edits().await, EditsToServer::Open(open) if open.room == ROOM));
    lane
}

async fn next_submit(lane: &mut Lane) -> Submit {
    match lane.next_edits().await {
        EditsToServer::Submit(submit) => submit,
        other => panic!("not a submit: {other:?}"),
    }
}

fn has_record(room: &Room, id: &str) -> bool {
    room.read(|room| room.records().is_some_and(|records| records.get(id).is_some())).unwrap()
}

// proves D1, D3, D4, D5
#[tokio::test(start_paused = true)]
async fn a_submit_opens_the_document_and_returns_when_it_is_durable() {
    let (_client, room, server) = entered().await;
    let ack = Ack { number: 1, sequence: 1, time_ms: 3 };
    let script = async {
        let mut lane = open(&server).await;
        let submit = next_submit(&mut lane).await;
        lane.send_edits(EditsToClient::Snapshot(Snapshot::default())).await;
        lane.send_edits(EditsToClient::Ack(ack)).await;
        let edit = Edit {
            sequence: 1,
            time_ms: 3,
            user: "u1".into(),
            slot: OWN,
            generation: Default::default(),
            number: submit.number,
            ops: submit.ops,
        };
        lane.send_edits(EditsToClient::Edits(Edits { edits: vec![edit.clone()] })).await;
        (lane, edit)
    };
    let (submitted, (_lane, edit)) = tokio::join!(room.submit(put("a")), script);
    assert_eq!(submitted, Ok(ack));
    assert_eq!(soon(room.next_event()).await, Some(Event::DocumentLoaded { room: ROOM }));
    assert_eq!(soon(room.next_event()).await, Some(Event::Edited { room: ROOM, edit }));
    assert!(has_record(&room, "a") && !has_record(&room, "b"));
}

// proves D6
#[tokio::test(start_paused = true)]
async fn a_rejected_edit_says_why() {
    let (_client, room, server) = entered().await;
    let script = async {
        let mut lane = open(&server).await;
        for code in [Refusal::NoRecord, Refusal::Forbidden] {
            let number = next_submit(&mut lane).await.number;
            let reject = Reject::new(number, code.into(), "no".to_owned());
            lane.send_edits(EditsToClient::Reject(reject)).await;
        }
        lane
    };
    let submits = async { (room.submit(put("a")).await, room.submit(put("b")).await) };
    let ((first, second), _lane) = tokio::join!(submits, script);
    let code = |result| match result {
        Err(SubmitError::Rejected(refused)) => refused.code,
        other => panic!("not rejected: {other:?}"),
    };
    assert_eq!((code(first), code(second)), (Refusal::NoRecord, Refusal::Forbidden));
}

// proves D1, D7
#[tokio::test(start_paused = true)]
async fn a_lane_that_the_server_ends_is_opened_again_and_edits_go_on_there() {
    let (_client, room, server) = entered().await;
    let ack = Ack { number: 1, sequence: 1, time_ms: 3 };
    let script = async {
        let mut lane = open(&server).await;
        next_submit(&mut lane).await;
        lane.send.reset(4204);
        lane.recv.stop(4204);
        let mut again = open(&server).await;
        assert_eq!(next_submit(&mut again).await.number, 1);
        again.send_edits(EditsToClient::Ack(ack)).await;
        again
    };
    let (submitted, _lane) = tokio::join!(soon(room.submit(put("a"))), script);
    assert_eq!(submitted, Ok(ack));
}

#[tokio::test(start_paused = true)]
async fn edits_show_at_once_and_are_undone_and_rolled_back() {
    let (_client, room, server) = entered().await;
    room.open_document().unwrap();
    let mut lane = open(&server).await;
    lane.send_edits(EditsToClient::Snapshot(Snapshot::default())).await;
    assert_eq!(soon(room.next_event()).await, Some(Event::DocumentLoaded { room: ROOM }));
    let rejected = room.submit(put("a"));
    assert!(has_record(&room, "a"));
    let shown = Event::RecordsChanged { room: ROOM, records: vec!["a".into()] };
    assert_eq!(soon(room.next_event()).await, Some(shown.clone()));
    drop(room.submit(put("b")));
    assert!(room.undo().unwrap());
    assert!(!has_record(&room, "b"));
    assert!(room.redo().unwrap());
    assert!(has_record(&room, "b") && !room.redo().unwrap());
    for number in 1..=4 {
        assert_eq!(next_submit(&mut lane).await.number, number);
    }
    let reject = Reject::new(1, Refusal::Conflict.into(), "no".to_owned());
    lane.send_edits(EditsToClient::Reject(reject)).await;
    let Err(SubmitError::Rejected(refused)) = soon(rejected).await else { panic!() };
    assert_eq!(refused.code, Refusal::Conflict);
    assert!(!has_record(&room, "a") && has_record(&room, "b"));
    assert!(room.undo().unwrap() && !room.undo().unwrap(), "what had no effect is not undone");
}

// proves D1
#[tokio::test(start_paused = true)]
async fn leaving_ends_the_lane_and_every_wait_for_an_answer() {
    let (client, room, mut server) = entered().await;
    let script = async {
        let mut lane = open(&server).await;
        next_submit(&mut lane).await;
        server.send(ToClient::Left(Left { room: ROOM, reason: None })).await;
        assert_eq!(soon(lane.next()).await, None);
    };
    let (submitted, ()) = tokio::join!(soon(room.submit(put("a"))), script);
    assert_eq!(submitted, Err(SubmitError::Unanswered));

    let (again, _join) =
        tokio::join!(client.enter("default:lobby", Map::new()), server.admit(ROOM));
    let again = again.unwrap();
    again.open_document().unwrap();
    let mut lane = open(&server).await;
    lane.send_edits(EditsToClient::Snapshot(Snapshot::default())).await;
    assert_eq!(soon(again.next_event()).await, Some(Event::DocumentLoaded { room: ROOM }));
}

// proves D8
#[tokio::test(start_paused = true)]
async fn who_asks_for_earlier_edits_is_told_at_once_that_the_lane_has_ended() {
    let (_client, room, server) = entered().await;
    room.open_document().unwrap();
    let mut lane = open(&server).await;
    let script = async {
        assert!(matches!(lane.next_edits().await, EditsToServer::History(_)));
        drop(lane);
    };
    let before = tokio::time::Instant::now();
    let (history, ()) = tokio::join!(soon(room.history(None, 10)), script);
    let Err(HistoryError::Refused(refused)) = history else { panic!("{history:?}") };
    assert_eq!(refused.code, Refusal::Unavailable);
    assert!(before.elapsed() < Duration::from_millis(10), "not when the lane is opened again");
}

// proves D1
#[tokio::test(start_paused = true)]
async fn the_late_end_of_a_lane_does_not_end_the_next_one_of_the_room() {
    let (client, room, mut server) = entered().await;
    // More than the lane's window, so that the lane hangs until the server gives it up.
    let large = Map::from([("x".into(), "x".repeat(50_000).into())]);
    let op = Op::new(OpKind::Put, "a", large);
    let submits =
        async { tokio::join!(room.submit(vec![op.clone()]), room.submit(vec![op.clone()])) };
    let script = async {
        let old = Lane::accept(&server.link).await;
        server.send(ToClient::Left(Left { room: ROOM, reason: None })).await;
        old
    };
    let (submitted, old) = tokio::join!(soon(submits), script);
    assert_eq!(submitted, (Err(SubmitError::Unanswered), Err(SubmitError::Unanswered)));

    let (again, _join) =
        tokio::join!(client.enter("default:lobby", Map::new()), server.admit(ROOM));
    let again = again.unwrap();
    again.open_document().unwrap();
    let mut lane = open(&server).await;
    drop(old);
    tokio::time::sleep(Duration::from_millis(1)).await; // paused time passes when the driver has seen the end
    let ack = |number| Ack { number, sequence: 1, time_ms: 3 };
    let script = async {
        let number = next_submit(&mut lane).await.number;
        lane.send_edits(EditsToClient::Ack(ack(number))).await;
    };
    let (submitted, ()) = tokio::join!(soon(again.submit(put("b"))), script);
    assert_eq!(submitted, Ok(ack(3)));
}
