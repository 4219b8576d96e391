//! Documents: what an edit costs to apply, to lay over a document, to encode and to read, and a snapshot of many
//! records to make and to take.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use hither_protocol::document::{Caps, Document, Overlay};
use hither_protocol::message::edits::{
    Edit, Edits, EditsToClient, Op, OpKind, Record, Snapshot, Submit,
};
use hither_protocol::message::{FrameBuffer, Map, Value};
use hither_protocol::{DocumentId, Generation, Slot};

const RECORDS: usize = 10_000;
const CAPS: Caps = Caps { record_bytes: 60 << 10, document_bytes: 16 << 20, records: 1 << 16 };

criterion_group!(benches, applies, encodes, snapshots);
criterion_main!(benches);

fn note(number: usize) -> Record {
    let fields = [
        ("x", Value::Int(number as i64)),
        ("y", Value::Int(40)),
        ("text", "a note of some length".into()),
    ];
    let fields = Map::from(fields.map(|(name, value)| (name.to_owned(), value))).into();
    Record { id: format!("note-{number:05}"), version: 1, fields }
}

fn document() -> Document {
    let mut document = Document::new(DocumentId(1));
    (0..RECORDS).for_each(|number| document.insert(note(number)));
    document
}

/// A note that is dragged.
fn drag() -> Vec<Op> {
    let fields = Map::from([("x".into(), 7.into()), ("y".into(), 9.into())]);
    vec![Op::new(OpKind::Patch, note(RECORDS / 2).id, fields)]
}

fn edit(number: u64) -> Edit {
    Edit {
        sequence: number,
        time_ms: 1_700_000_000_000,
        user: "auth|4711".to_owned(),
        slot: Slot(3),
        generation: Generation(1),
        number,
        ops: drag(),
    }
}

#[expect(clippy::expect_used, reason = "the record is there")]
fn applies(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("edit, of 10,000 records");
    let (document, drag) = (document(), drag());
    let mut server = document.clone();
    group.bench_function("commit", |bencher| {
        bencher.iter(|| server.commit(&drag, CAPS).expect("the record is there"));
    });
    let mut client = document.clone();
    group.bench_function("apply", |bencher| {
        bencher.iter(|| client.apply(client.sequence() + 1, &drag));
    });
    group.bench_function("overlay of one", |bencher| {
        let lay = |mut overlay: Overlay| {
            overlay.commit(&document, &drag).expect("the record is there");
            overlay
        };
        bencher.iter_batched(Overlay::default, lay, BatchSize::SmallInput);
    });
}

#[expect(clippy::expect_used, reason = "what was encoded can be read")]
fn encodes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("edits, encoded");
    let submit =
        hither_protocol::message::edits::EditsToServer::Submit(Submit { number: 1, ops: drag() });
    group.bench_function("submit", |bencher| bencher.iter(|| submit.encode()));
    let tick = EditsToClient::Edits(Edits { edits: (1..=30).map(edit).collect() });
    group.bench_function("tick of 30", |bencher| bencher.iter(|| tick.encode()));
    let bytes = unframed(&tick.encode());
    group.bench_function("tick of 30, read", |bencher| {
        bencher.iter(|| EditsToClient::decode(&bytes).expect("it was written here"));
    });
}

fn snapshots(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("snapshot of 10,000 records");
    let (document, overlay) = (document(), Overlay::default());
    let make = || {
        let (records, more) = overlay.page_after(&document, None, usize::MAX);
        Snapshot { document: document.id(), sequence: 1, records, more }
    };
    group.bench_function("make", |bencher| bencher.iter(make));
    let made = EditsToClient::Snapshot(make());
    group.bench_function("encode", |bencher| bencher.iter(|| made.encode()));
    group.bench_function("load", |bencher| {
        let load = |snapshot| {
            let mut document = Document::default();
            document.load(snapshot, true);
            document
        };
        bencher.iter_batched(make, load, BatchSize::LargeInput);
    });
}

#[expect(clippy::expect_used, reason = "a whole message was pushed")]
fn unframed(bytes: &[u8]) -> Vec<u8> {
    let mut buffer = FrameBuffer::default();
    buffer.push(bytes);
    buffer.pop().expect("it is short").expect("it is whole").to_vec()
}
