//! Documents and what may happen to them: servers that are killed, connections that break, and in the end every edit
//! that was acked is there, once, and everybody has seen the same order.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hither_client::{
    Client, ClientEndpoint, ClientTls, Event, Map, Op, OpKind, Room, SubmitError, Transport, Value,
};
use hither_transport::relay::{Impairment, Relay};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::support::{ALL, Host, Process, Target, enter, field, soak_minutes, soon, until};

const ROOM: &str = "default:document";
/// So many edits of an editor are unanswered at most here.
const UNANSWERED: usize = 40;

/// What became of an editor's edits, by their index: when each was submitted, and its place and when that was known, or
/// `None` if it was rejected.
type Answers = BTreeMap<i64, (Instant, Option<(u64, Instant)>)>;

/// Submits edits to a record of one's own: `count` of them, or until `is_over`, some milliseconds apart.
async fn edit(room: Arc<Room>, id: usize, count: i64, pause: Duration, op: OpKind) -> Answers {
    let mut answers = Answers::new();
    let mut waiting = JoinSet::new();
    let mut index = 0;
    while index < count || !waiting.is_empty() {
        if index < count && waiting.len() < UNANSWERED {
            let fields = if op == OpKind::Increment { field("n", 1) } else { field("n", index) };
            let submitted = Instant::now();
            let edit = room.submit(vec![Op::new(op, format!("r{id}"), fields)]);
            waiting.spawn(async move { (index, submitted, edit.await, Instant::now()) });
            index += 1;
            sleep(pause).await;
        } else if let Some(answer) = waiting.join_next().await {
            let (index, submitted, answer, at) = answer.unwrap();
            let place = match answer {
                Ok(ack) => Some((ack.sequence, at)),
                Err(SubmitError::Rejected(_)) => None,
                Err(error) => panic!("edit {index} of {id}: {error}"),
            };
            answers.insert(index, (submitted, place));
        }
    }
    answers
}

/// A client that comes back as soon as it can.
async fn stubborn(server: &Target, on: Transport) -> (Client, Arc<Room>) {
    let client = soon(server.builder(on).reconnect(true).random(|| 0.0).connect()).await.unwrap();
    let room = enter(&client, ROOM).await;
    (client, Arc::new(room))
}

fn acked(answers: &Answers) -> usize {
    answers.values().filter(|(_, place)| place.is_some()).count()
}

fn number(room: &Room, record: &str) -> Option<i64> {
    let look = |room: &hither_client::session::Room| match room.records()?.get(record)?.get("n") {
        Some(Value::Int(number)) => Some(*number),
        _ => None,
    };
    room.read(look).flatten()
}

// proves D5, D7, S5
#[tokio::test]
async fn every_acked_edit_is_there_once_after_every_kill() {
    let kills = if soak_minutes().is_some() { 1_000 } else { 20 };
    let dir = tempfile::tempdir().unwrap();
    let mut server = Process::lasting(dir.path());
    let mut rng = StdRng::seed_from_u64(1);
    let mut clients = Vec::new();
    let mut editing = JoinSet::new();
    let is_over = Arc::new(Mutex::new(false));
    for id in 0..6 {
        let (client, room) = stubborn(&server, ALL[id % 3]).await;
        soon(room.submit(vec![Op::new(OpKind::Put, format!("r{id}"), field("n", 0))]))
            .await
            .unwrap();
        let (there, is_over) = (room.clone(), is_over.clone());
        editing.spawn(async move {
            let mut sum = (0, 0);
            while !*is_over.lock().unwrap() {
                let pause = Duration::from_millis(12);
                let answers = edit(there.clone(), id, 60, pause, OpKind::Increment).await;
                sum = (sum.0 + acked(&answers), sum.1 + answers.len());
            }
            (id, sum)
        });
        clients.push((client, room));
    }
    for _ in 0..kills {
        sleep(Duration::from_millis(rng.random_range(50..400))).await;
        server.kill();
        server = server.again(dir.path());
    }
    *is_over.lock().unwrap() = true;
    let reader = server.client(Transport::Quic).await;
    let there = enter(&reader, ROOM).await;
    there.open_document().unwrap();
    let mut edits = 0;
    while let Some(edited) = soon(editing.join_next()).await {
        let (id, (acked, all)) = edited.unwrap();
        let record = format!("r{id}");
        until("its edits are there", || number(&there, &record) >= Some(acked as i64)).await;
        assert_eq!(number(&there, &record), Some(acked as i64), "{id}: {all} edits, {acked} acked");
        until("it shows them", || number(&clients[id].1, &record) == Some(acked as i64)).await;
        edits += acked;
    }
    println!("{kills} kills, {edits} acked edits");
    assert!(edits > kills * 10, "{edits} edits");
}

/// What an observer was told: the record and its number, by place.
#[derive(Default)]
struct Seen {
    edits: BTreeMap<u64, (String, Value)>,
    /// Places that were told again, or out of order.
    disorder: Vec<u64>,
    last: u64,
}

impl Seen {
    fn handle(&mut self, event: Event) {
        let Event::Edited { edit, .. } = event else { return };
        if edit.sequence <= self.last {
            self.disorder.push(edit.sequence);
        }
        self.last = edit.sequence;
        let op = &edit.ops[0];
        self.edits.insert(edit.sequence, (op.record.clone(), op.fields["n"].clone()));
    }
}

// proves D4, D5, D7
#[tokio::test]
async fn many_editors_on_bad_networks_agree_on_one_order() {
    const EDITORS: usize = 50;
    let (edits, pause_ms) = if soak_minutes().is_some() { (1_000_000, 12) } else { (10_000, 25) };
    let each = (edits / EDITORS) as i64;
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let server = Host::with(|config| config.data = Some(data)).await;
    let impairment = Impairment { loss: 0.1, ..Impairment::default() };
    let relay = Relay::bind(([127, 0, 0, 1], 0).into(), server.quic, 1, Impairment::default());
    let relay = relay.unwrap();
    let watcher = server.client(Transport::Quic).await;
    let watched = Arc::new(enter(&watcher, ROOM).await);
    watched.open_document().unwrap();
    let mut seen = vec![watch(&watched)];
    let mut clients = Vec::new();
    let mut editing = JoinSet::new();
    for id in 0..EDITORS {
        let on = ALL[id % 3];
        let endpoint = ClientEndpoint::bind(ClientTls::Hash(server.cert_sha256)).unwrap();
        let is_relayed = on != Transport::WebSocket;
        let quic = if is_relayed { relay.local_addr() } else { server.quic };
        let (client, room) = stubborn(&Target { quic, endpoint, ..server.clone() }, on).await;
        seen.push(watch(&room));
        clients.push(client);
        let pause = Duration::from_millis(pause_ms);
        editing.spawn(async move { (id, edit(room, id, each, pause, OpKind::Put).await) });
    }
    relay.set_impairment(impairment);
    let mut rng = StdRng::seed_from_u64(1);
    let mut answers = BTreeMap::new();
    let began = Instant::now();
    let mut storms = [1, 3].map(Duration::from_secs).into_iter().peekable();
    while let Some(edited) = {
        tokio::select! {
            edited = editing.join_next() => edited.map(Some),
            () = sleep(Duration::from_millis(100)) => Some(None),
        }
    } {
        answers.extend(edited.map(Result::unwrap));
        if storms.next_if(|at| began.elapsed() >= *at).is_some() {
            clients.iter().for_each(|client| client.link().close(0, ""));
        } else {
            clients[rng.random_range(0..EDITORS)].link().close(0, "");
        }
    }
    let total: usize = answers.values().map(acked).sum();
    println!("{total} of {edits} edits are acked, in {:?}", began.elapsed());
    assert!(storms.next().is_none(), "it was over before the second storm");
    until("the watcher has seen all", || seen[0].lock().unwrap().edits.len() == total).await;
    let order = seen[0].lock().unwrap().edits.clone();
    check_order(&order, &answers);
    for (observer, seen) in seen.iter().enumerate() {
        let seen = seen.lock().unwrap();
        assert!(seen.disorder.is_empty(), "observer {observer}: {:?}", seen.disorder);
        let differs = seen.edits.iter().find(|(place, edit)| order.get(place) != Some(edit));
        assert_eq!(differs, None, "observer {observer}");
    }
}

fn watch(room: &Arc<Room>) -> Arc<Mutex<Seen>> {
    let seen = Arc::<Mutex<Seen>>::default();
    let (room, noted) = (room.clone(), seen.clone());
    tokio::spawn(async move {
        while let Some(event) = room.next_event().await {
            noted.lock().unwrap().handle(event);
        }
    });
    seen
}

/// In one pass: the places have no gaps, each edit has one and the one that its ack said, and none was submitted after
/// one that has a later place was acked.
fn check_order(order: &BTreeMap<u64, (String, Value)>, answers: &BTreeMap<usize, Answers>) {
    assert!(order.keys().copied().eq(1..=order.len() as u64), "there are gaps");
    let mut earliest_ack: Option<Instant> = None;
    for (place, (record, index)) in order.iter().rev() {
        let id: usize = record.trim_start_matches('r').parse().unwrap();
        let Value::Int(index) = index else { panic!("{index:?}") };
        let (submitted, known) = answers[&id][index];
        let (at, acked) = known.expect("what is in the order was acked");
        assert_eq!(at, *place, "edit {index} of {id} is there twice");
        assert!(earliest_ack.is_none_or(|earliest| submitted <= earliest), "{place} is too early");
        earliest_ack = Some(earliest_ack.map_or(acked, |earliest| earliest.min(acked)));
    }
}

// proves D1, D3
#[tokio::test]
async fn a_document_is_there_after_a_stop_and_whoever_had_it_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Process::lasting(dir.path());
    let (_client, room) = stubborn(&server, Transport::Quic).await;
    for index in 0..20 {
        let put = Op::new(OpKind::Put, format!("r{index}"), field("n", index));
        soon(room.submit(vec![put])).await.unwrap();
    }
    // In flight when the server is asked to stop: acked, or submitted again to the next one.
    let last = room.submit(vec![Op::new(OpKind::Put, "last", Map::new())]);
    server.terminate();
    assert!(server.ended().await.status.success());
    server = server.again(dir.path());
    soon(last).await.unwrap();
    let reader = server.client(Transport::WebSocket).await;
    let there = enter(&reader, ROOM).await;
    there.open_document().unwrap();
    let count = |room: &Room| room.read(|room| room.records().map(|all| all.iter().count()));
    until("all is there", || count(&there) == Some(Some(21))).await;
    assert_eq!(count(&room), Some(Some(21)));
    let documents = |room: &Room| room.read(|room| room.records().unwrap().confirmed().id());
    assert_eq!(documents(&room), documents(&there));
}

// proves D8
#[tokio::test]
async fn the_edits_of_a_room_can_be_looked_up_over_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Process::lasting(dir.path());
    let client = server.client(Transport::Quic).await;
    let room = enter(&client, ROOM).await;
    for index in 0..150 {
        soon(room.submit(vec![Op::new(OpKind::Put, "r", field("n", index))])).await.unwrap();
    }
    server.kill();
    server = server.again(dir.path());
    for on in ALL {
        let client = server.client(on).await;
        let room = enter(&client, ROOM).await;
        let mut edits = Vec::new();
        loop {
            let before = edits.first().map(|edit: &hither_client::Edit| edit.sequence);
            let page = soon(room.history(before, 60)).await.unwrap();
            if page.is_empty() {
                break;
            }
            assert!(page.len() <= 60);
            edits.splice(0..0, page);
        }
        let places: Vec<u64> = edits.iter().map(|edit| edit.sequence).collect();
        assert_eq!(places, (1..=150).collect::<Vec<_>>());
        assert_eq!(edits[149].ops[0].fields["n"], Value::Int(149));
    }
}
