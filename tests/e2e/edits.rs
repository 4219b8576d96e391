//! Edits: one order for all, durable before the ack, whole or not at all.

use hither_client::{Map, Op, OpKind, Refusal, Room, SubmitError, Transport};
use hither_protocol::message::edits::{Edit, EditsToClient, Place};
use hither_server::{Proposal, Validator};

use crate::support::{EditsLane, Host, enter, field, on_all, slot, soon, until};

fn op(kind: OpKind, record: &str, fields: Map) -> Op {
    Op::new(kind, record, fields)
}

fn put(record: &str, value: i32) -> Op {
    op(OpKind::Put, record, field("v", value))
}

async fn sequence(room: &Room, ops: Vec<Op>) -> u64 {
    soon(room.submit(ops)).await.expect("the edit should be taken").sequence
}

async fn refusal(room: &Room, ops: Vec<Op>) -> Refusal {
    match soon(room.submit(ops)).await {
        Err(SubmitError::Rejected(refused)) => refused.code,
        other => panic!("not rejected: {other:?}"),
    }
}

fn record(room: &Room, id: &str) -> Option<Map> {
    room.read(|room| room.records()?.get(id).cloned()).flatten()
}

fn last(room: &Room) -> Option<u64> {
    room.read(|room| Some(room.records()?.confirmed().sequence())).flatten()
}

/// Takes edits until the one at this place has come.
async fn edits_until(lane: &mut EditsLane, last: u64) -> Vec<Edit> {
    let mut edits: Vec<Edit> = Vec::new();
    while edits.last().is_none_or(|edit| edit.sequence < last) {
        match lane.next().await.expect("the lane ended") {
            EditsToClient::Edits(batch) => edits.extend(batch.edits),
            EditsToClient::Ack(_) | EditsToClient::Snapshot(_) | EditsToClient::History(_) => {}
            EditsToClient::Reject(reject) => panic!("{reject:?}"),
        }
    }
    edits
}

// proves D2, D3, D5, D6
#[tokio::test]
async fn edits_are_applied_in_order_whole_or_not_at_all() {
    on_all(async |on| {
        let server = Host::start().await;
        let (ada, bob) = (server.client(on).await, server.client(on).await);
        let (here, there) = (enter(&ada, "default:a").await, enter(&bob, "default:a").await);
        there.open_document().unwrap();
        assert_eq!(sequence(&here, vec![put("a", 1), put("b", 1)]).await, 1);
        let patch = |id: &str, value: i32| op(OpKind::Patch, id, field("w", value));
        assert_eq!(sequence(&here, vec![patch("a", 2)]).await, 2);
        assert_eq!(sequence(&there, vec![op(OpKind::Remove, "b", Map::new())]).await, 3);

        assert_eq!(refusal(&here, vec![patch("b", 3)]).await, Refusal::NoRecord);
        assert_eq!(refusal(&here, vec![put("c", 1), patch("no", 3)]).await, Refusal::NoRecord);
        assert_eq!(refusal(&here, vec![]).await, Refusal::BadRequest);
        assert_eq!(sequence(&here, vec![put("d", 4)]).await, 4, "a rejected edit has no place");

        let late = server.client(on).await;
        let late = enter(&late, "default:a").await;
        late.open_document().unwrap();
        let a = Map::from([("v".into(), 1.into()), ("w".into(), 2.into())]);
        for room in [&here, &there, &late] {
            until("everyone has the same document", || last(room) == Some(4)).await;
            assert_eq!(record(room, "a"), Some(a.clone()));
            assert_eq!(record(room, "b"), None);
            assert_eq!(record(room, "c"), None, "an edit is whole or not at all");
            assert_eq!(record(room, "d"), Some(field("v", 4)));
        }
        assert_eq!(server.metric("hither_edits_total").await, 4);
    })
    .await;
}

// proves D4
#[tokio::test]
async fn every_observer_sees_one_order_without_gaps() {
    const EDITS: u64 = 30;
    on_all(async |on| {
        let server = Host::start().await;
        let mut observers = Vec::new();
        for _ in 0..2 {
            let mut raw = server.welcomed(on).await;
            let (joined, _) = raw.join("default:a", None).await;
            let mut lane = raw.open_edits(joined.room, joined.slot, None).await;
            assert!(matches!(lane.next().await, Some(EditsToClient::Snapshot(page)) if !page.more));
            observers.push((raw, lane));
        }
        let (ada, bob) = (server.client(on).await, server.client(on).await);
        let (here, there) = (enter(&ada, "default:a").await, enter(&bob, "default:a").await);
        let submit = async |room: &Room, id: &str| {
            for value in 0..EDITS as i32 {
                sequence(room, vec![put(id, value), put("both", value)]).await;
            }
        };
        tokio::join!(submit(&here, "ada"), submit(&there, "bob"));

        let mut orders = Vec::new();
        for (_, lane) in &mut observers {
            let edits = edits_until(lane, 2 * EDITS).await;
            let places: Vec<u64> = edits.iter().map(|edit| edit.sequence).collect();
            assert_eq!(places, (1..=2 * EDITS).collect::<Vec<_>>());
            for (room, user) in [(&here, ada.user()), (&there, bob.user())] {
                let own = edits.iter().filter(|edit| edit.slot == slot(room));
                assert!(own.clone().all(|edit| edit.user == user.id), "the server says whose");
                let numbers: Vec<u64> = own.map(|edit| edit.number).collect();
                assert_eq!(numbers, (1..=EDITS).collect::<Vec<_>>());
            }
            orders.push(edits);
        }
        assert_eq!(orders[0], orders[1]);
        until("both have it all", || [&here, &there].iter().all(|r| last(r) == Some(2 * EDITS)))
            .await;
        assert_eq!(record(&here, "both"), record(&there, "both"));
    })
    .await;
}

// proves D1, D7
#[tokio::test]
async fn who_opens_again_gets_what_it_lacks_and_a_number_is_answered_again() {
    on_all(async |on| {
        let server = Host::start().await;
        let mut raw = server.welcomed(on).await;
        let (joined, _) = raw.join("default:a", None).await;
        let mut lane = raw.open_edits(joined.room, joined.slot, None).await;
        let Some(EditsToClient::Snapshot(page)) = lane.next().await else { panic!("no snapshot") };
        for number in 1..=3 {
            lane.submit(number, vec![put("a", number as i32)]).await;
        }
        edits_until(&mut lane, 3).await;
        lane.submit(2, vec![put("a", 99)]).await;
        let Some(EditsToClient::Ack(again)) = lane.next().await else { panic!("not an ack") };
        assert_eq!((again.number, again.sequence), (2, 2));

        let mut other = server.welcomed(on).await;
        let (joined, _) = other.join("default:a", None).await;
        let after = Place { document: page.document, sequence: 1 };
        let mut lane = other.open_edits(joined.room, joined.slot, Some(after)).await;
        let Some(EditsToClient::Edits(missed)) = lane.next().await else { panic!("no edits") };
        let places: Vec<u64> = missed.edits.iter().map(|edit| edit.sequence).collect();
        assert_eq!(places, [2, 3]);
        assert_eq!(missed.edits[1].ops, vec![put("a", 3)], "applied once");
    })
    .await;
}

#[tokio::test]
async fn d3_a_document_of_many_pages_comes_whole() {
    on_all(async |on| {
        let server = Host::start().await;
        let ada = server.client(on).await;
        let here = enter(&ada, "default:a").await;
        for record in 0..12 {
            let fields = field("text", "x".repeat(50_000));
            let put = op(OpKind::Put, &format!("r{record:02}"), fields);
            let place = sequence(&here, vec![put]).await;
            until("the room has told it", || last(&here) == Some(place)).await;
        }
        let bob = server.client(on).await;
        let there = enter(&bob, "default:a").await;
        there.open_document().unwrap();
        // More than may wait for one viewer: it comes as the viewer takes it.
        until("the snapshot is whole", || {
            there.read(|room| room.records().map(|records| records.iter().count())).flatten()
                == Some(12)
        })
        .await;
        assert_eq!(last(&there), Some(12));
    })
    .await;
}

// proves D6
#[tokio::test]
async fn a_program_that_has_the_server_built_in_has_rules_of_its_own_for_edits() {
    let rule = |proposal: &Proposal<'_>| {
        let is_short = proposal.ops.iter().all(|op| op.record.len() < 4);
        if is_short { Ok(()) } else { Err("ids are short here".to_owned()) }
    };
    let server = Host::with(|config| {
        let namespace = config.namespaces.get_mut("default").expect("it is there by default");
        namespace.validator = Some(Validator::new(rule));
    });
    let server = server.await;
    let client = server.client(Transport::Quic).await;
    let room = enter(&client, "default:a").await;
    soon(room.submit(vec![put("abc", 1)])).await.unwrap();
    let Err(SubmitError::Rejected(refused)) = soon(room.submit(vec![put("abcd", 1)])).await else {
        panic!("it was taken")
    };
    assert_eq!((refused.code, refused.message.as_str()), (Refusal::Invalid, "ids are short here"));
}
