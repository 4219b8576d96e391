//! The durable store on this machine's disk: edits that wait for one commit together, and the load of a large room.

use std::sync::Arc;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hither_core::room::LoggedEdit;
use hither_protocol::message::Map;
use hither_protocol::message::edits::{Edit, Op, OpKind};
use hither_protocol::{DocumentId, EditorId, Generation, RoomName, Slot, Timestamp};
use hither_server::store::{SqliteOptions, SqliteStore, Store};
use hither_transport::Clock;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Records of the room that is loaded, and how many of them an edit puts.
const RECORDS: u64 = 10_000;
const RECORDS_PER_EDIT: u64 = 50;

criterion_group!(benches, appends, loads);
criterion_main!(benches);

#[expect(clippy::expect_used, reason = "without a disk there is nothing to measure")]
fn open() -> (TempDir, SqliteStore, Runtime) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(folder.path(), SqliteOptions::default(), Arc::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    (folder, store.expect("a store"), runtime.expect("a runtime"))
}

#[expect(clippy::expect_used, reason = "letters, a colon and a hyphen make a room's name")]
fn room() -> RoomName {
    "bench:a".parse().expect("a name")
}

fn edit(sequence: u64, records: std::ops::Range<u64>, now: Timestamp) -> LoggedEdit {
    let fields =
        Map::from([("x".into(), 100.into()), ("text".into(), "a note of some length".into())]);
    let put = |record: u64| Op::new(OpKind::Put, format!("record-{record}"), fields.clone());
    let edit = Edit {
        sequence,
        time_ms: now.as_millis(),
        user: "bench".to_owned(),
        slot: Slot(0),
        generation: Generation(0),
        number: sequence,
        ops: records.map(put).collect(),
    };
    LoggedEdit { document: DocumentId(1), editor: EditorId([1; 16]), edit: edit.into() }
}

fn appends(criterion: &mut Criterion) {
    let now = Clock::start().now();
    let mut group = criterion.benchmark_group("store append");
    for size in [1, 10, 100] {
        let (_folder, store, runtime) = open();
        let (room, mut sequence) = (room(), 0);
        group.throughput(Throughput::Elements(size));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            let setup = || {
                sequence += size;
                let sequences = sequence - size + 1..=sequence;
                sequences.map(|at| edit(at, at % 100..at % 100 + 1, now)).collect::<Vec<_>>()
            };
            let store_all = |edits: Vec<_>| {
                let pending: Vec<_> =
                    edits.into_iter().map(|edit| store.append(&room, edit)).collect();
                runtime.block_on(async {
                    for stored in pending {
                        assert_eq!(stored.await, Ok(()));
                    }
                });
            };
            bencher.iter_batched(setup, store_all, BatchSize::PerIteration);
        });
    }
}

fn loads(criterion: &mut Criterion) {
    let now = Clock::start().now();
    let (_folder, store, runtime) = open();
    let room = room();
    for at in 0..RECORDS / RECORDS_PER_EDIT {
        let records = at * RECORDS_PER_EDIT..(at + 1) * RECORDS_PER_EDIT;
        let stored = runtime.block_on(store.append(&room, edit(at + 1, records, now)));
        assert_eq!(stored, Ok(()));
    }
    criterion.bench_function("store load/10000 records", |bencher| {
        bencher.iter(|| {
            let loaded = runtime.block_on(store.load(&room));
            assert!(loaded.is_ok_and(|saved| saved.document.len() as u64 == RECORDS));
        });
    });
}
