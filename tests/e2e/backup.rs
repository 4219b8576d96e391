//! `hither backup` of a server that is in use, and another server with the copy.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use hither_client::{Edit, Event, Map, Op, OpKind, Room, Transport};
use hither_protocol::DocumentId;
use serde_json::Value;
use tokio::task::{JoinSet, spawn_blocking};

use crate::support::{ALL, Process, enter, field, soon, until};

const ROOM: &str = "default:document";
const EDITORS: usize = 8;
/// Enough for a history that a copy may end in.
const EDITS_BEFORE: u64 = 200;

// proves D1, D5
#[tokio::test]
async fn a_copy_of_a_server_under_edits_has_a_prefix_with_all_that_was_acked_before() {
    let (dir, copies) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Process::lasting(dir.path());
    let (acked, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let watcher = server.client(Transport::Quic).await;
    let watched = Arc::new(enter(&watcher, ROOM).await);
    watched.open_document().unwrap();
    let seen = watch(&watched);
    let mut editing = JoinSet::new();
    for id in 0..EDITORS {
        let client = server.client(ALL[id % 3]).await;
        let room = enter(&client, ROOM).await;
        let (acked, is_over) = (acked.clone(), is_over.clone());
        editing.spawn(async move {
            let _client = client;
            for index in 0.. {
                let put = Op::new(OpKind::Put, format!("r{id}"), field("n", index));
                let ack = soon(room.submit(vec![put])).await.unwrap();
                acked.fetch_max(ack.sequence, Ordering::SeqCst);
                if is_over.load(Ordering::SeqCst) {
                    break;
                }
            }
        });
    }
    let mut copied = Vec::new();
    for copy in 0..3 {
        let already = acked.load(Ordering::SeqCst);
        until("they edit", || acked.load(Ordering::SeqCst) >= already + EDITS_BEFORE).await;
        let before = acked.load(Ordering::SeqCst);
        let to = copies.path().join(format!("{copy}.db"));
        let command = Process::back_up(dir.path(), &to);
        let output = spawn_blocking(|| command.wait_with_output().unwrap()).await.unwrap();
        assert!(output.status.success(), "{output:?}");
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&said["rooms"], &said["records"]), (&1.into(), &EDITORS.into()));
        copied.push((to, before));
    }
    is_over.store(true, Ordering::SeqCst);
    while let Some(editor) = soon(editing.join_next()).await {
        editor.unwrap();
    }
    let last = acked.load(Ordering::SeqCst);
    until("all is seen", || seen.lock().unwrap().len() as u64 >= last).await;
    let order = seen.lock().unwrap().clone();
    assert!(order.iter().map(|edit| edit.sequence).eq(1..=last));
    let mut documents = vec![document(&watched)];
    for (copy, before) in copied {
        let restored = tempfile::tempdir().unwrap();
        fs::create_dir(restored.path().join("data")).unwrap();
        fs::copy(copy, restored.path().join("data/documents.db")).unwrap();
        let server = Process::lasting(restored.path());
        let client = server.client(Transport::WebTransport).await;
        let room = enter(&client, ROOM).await;
        room.open_document().unwrap();
        until("it has the document", || records(&room).len() == EDITORS).await;
        let edits = room.read(|room| room.records().unwrap().confirmed().sequence()).unwrap();
        println!("{edits} edits in a copy that was begun behind {before}");
        assert!(edits >= before, "{edits} edits, and {before} were acked before");
        assert_eq!(records(&room), fold(&order, edits), "the first {edits} edits");
        assert!(!documents.contains(&document(&room)), "a document that is known already");
        documents.push(document(&room));
    }
}

/// All edits of a room from now on, as they come.
fn watch(room: &Arc<Room>) -> Arc<Mutex<Vec<Edit>>> {
    let order = Arc::<Mutex<Vec<_>>>::default();
    let (room, seen) = (room.clone(), order.clone());
    tokio::spawn(async move {
        while let Some(event) = room.next_event().await {
            if let Event::Edited { edit, .. } = event {
                seen.lock().unwrap().push(edit);
            }
        }
    });
    order
}

/// What the first edits make of the records.
fn fold(order: &[Edit], edits: u64) -> BTreeMap<String, Map> {
    let ops = order.iter().take(edits as usize).flat_map(|edit| &edit.ops);
    ops.map(|op| (op.record.clone(), op.fields.clone())).collect()
}

fn records(room: &Room) -> BTreeMap<String, Map> {
    let look = |room: &hither_client::session::Room| {
        Some(room.records()?.iter().map(|(id, fields)| (id.to_owned(), fields.clone())).collect())
    };
    room.read(look).flatten().unwrap_or_default()
}

fn document(room: &Room) -> DocumentId {
    room.read(|room| room.records().unwrap().confirmed().id()).unwrap()
}
