//! A room's document: order, durability, answers, snapshots and what comes after them (D1 to D7).

use super::*;
use hither_protocol::document::Document;
use hither_protocol::message::edits::{Op, OpKind, Open, Place, Reject};
use hither_protocol::{DocumentId, EditorId};

fn op(kind: OpKind, record: &str, fields: Map) -> Op {
    Op::new(kind, record, fields)
}

fn put(record: &str, x: i32) -> Vec<Op> {
    vec![op(OpKind::Put, record, Map::from([("x".into(), x.into())]))]
}

fn acks(told: &[EditsToClient]) -> Vec<(u64, u64)> {
    let ack = |message: &EditsToClient| match message {
        EditsToClient::Ack(ack) => Some((ack.number, ack.sequence)),
        _ => None,
    };
    told.iter().filter_map(ack).collect()
}

fn rejects(told: &[EditsToClient]) -> Vec<(u64, Refusal)> {
    let reject = |message: &EditsToClient| match message {
        EditsToClient::Reject(Reject { number, code, .. }) => Some((*number, *code)),
        _ => None,
    };
    told.iter().filter_map(reject).collect()
}

/// The places of the edits that a member was told.
fn places(told: &[EditsToClient]) -> Vec<u64> {
    let edits = |message: &EditsToClient| match message {
        EditsToClient::Edits(batch) => batch.edits.iter().map(|edit| edit.sequence).collect(),
        _ => Vec::new(),
    };
    told.iter().flat_map(edits).collect()
}

impl Stage {
    fn with_editors() -> (Self, Slot, Slot) {
        let mut stage = Self::at_20_hz();
        let (ann, ben) = (stage.join("ann"), stage.join("ben"));
        stage.tick();
        stage.open(ann);
        stage.open(ben);
        (stage, ann, ben)
    }

    /// Opens a member's edits lane and gives it the whole document.
    fn open(&mut self, slot: Slot) {
        self.begin_open(slot);
        while self.snapshot_page(slot) {}
    }

    fn begin_open(&mut self, slot: Slot) {
        self.seats.get_mut(&slot).unwrap().client.open_document(HANDLE);
        self.open_after(slot, None);
    }

    /// Opens a member's edits lane, as the editor that each member here is.
    fn open_after(&mut self, slot: Slot, after: Option<u64>) {
        let document = DocumentId::default();
        let after = after.map(|sequence| Place { document, sequence });
        let editor = EditorId([slot.0 as u8; 16]);
        self.room.handle_open(&Open { room: HANDLE, slot, editor, after, unanswered: Vec::new() });
        self.drain();
    }

    fn snapshot_page(&mut self, slot: Slot) -> bool {
        let page = self.room.poll_snapshot(slot);
        if let Some(bytes) = &page {
            self.seats.get_mut(&slot).unwrap().tell_edits(bytes);
        }
        page.is_some()
    }

    fn submit(&mut self, slot: Slot, number: u64, ops: Vec<Op>) {
        self.room.handle_submit(self.now, slot, Submit { number, ops }, None);
        self.drain();
    }

    /// The store has everything that it was given.
    fn store_all(&mut self) {
        let Some(last) = self.stored.last() else { return };
        self.room.handle_stored(last.edit.sequence);
        self.drain();
    }

    fn document(&self, slot: Slot) -> &Document {
        self.view(slot).records().unwrap().confirmed()
    }
}

#[test]
fn d4_edits_have_one_order_which_everyone_gets_in_the_tick_their_own_too() {
    let (mut stage, ann, ben) = Stage::with_editors();
    stage.submit(ann, 1, put("a", 1));
    stage.submit(ben, 1, put("a", 2));
    stage.submit(ann, 2, put("b", 3));
    stage.store_all();
    assert!(places(&stage.told_on_edits(ann)).is_empty(), "not before the tick");
    stage.tick();
    assert_eq!(places(&stage.told_on_edits(ann)), [1, 2, 3]);
    assert_eq!(places(&stage.told_on_edits(ben)), [1, 2, 3]);
    let edit = &stage.stored[1].edit;
    assert_eq!((edit.user.as_str(), edit.slot, edit.number), ("ben", ben, 1));
    assert_eq!(stage.document(ann), stage.document(ben));
    assert_eq!(stage.document(ann).get("a").unwrap()["x"], 2.into());
}

#[test]
fn d5_an_edit_is_acked_and_told_only_once_it_is_stored() {
    let (mut stage, ann, ben) = Stage::with_editors();
    stage.told_on_edits(ann);
    stage.submit(ann, 1, put("a", 1));
    stage.submit(ann, 2, put("b", 1));
    stage.pass(100);
    assert!(stage.told_on_edits(ann).is_empty());
    assert!(places(&stage.told_on_edits(ben)).is_empty());
    stage.room.handle_stored(1);
    stage.drain();
    assert_eq!(acks(&stage.told_on_edits(ann)), [(1, 1)], "at once, before the tick");
    stage.tick();
    assert_eq!(places(&stage.told_on_edits(ben)), [1], "and no more than is stored");
    stage.store_all();
    assert_eq!(acks(&stage.told_on_edits(ann)), [(2, 2)]);
}

#[test]
fn d6_an_edit_that_cannot_be_is_rejected_at_once_and_has_no_effect() {
    let (mut stage, ann, _) = Stage::with_editors();
    stage.told_on_edits(ann);
    let deep =
        (0..10).fold(1.into(), |value, _| hither_protocol::message::Value::Array(vec![value]));
    let cases: Vec<(Vec<Op>, Refusal)> = vec![
        (vec![op(OpKind::Patch, "missing", Map::new())], Refusal::NoRecord),
        ([put("a", 1), vec![op(OpKind::Patch, "missing", Map::new())]].concat(), Refusal::NoRecord),
        (Vec::new(), Refusal::BadRequest),
        (put("", 1), Refusal::BadRequest),
        (put(&"x".repeat(129), 1), Refusal::BadRequest),
        (vec![put("a", 1).remove(0); 65], Refusal::TooLarge),
        (vec![op(OpKind::Put, "a", padded(61_500))], Refusal::TooLarge),
        (vec![op(OpKind::Put, "a", Map::from([("x".into(), deep)]))], Refusal::TooLarge),
    ];
    for (number, (ops, code)) in (1..).zip(cases) {
        stage.submit(ann, number, ops);
        assert_eq!(rejects(&stage.told_on_edits(ann)), [(number, code)]);
    }
    assert!(stage.stored.is_empty());
    stage.submit(ann, 9, put("a", 1));
    assert_eq!(stage.stored[0].edit.sequence, 1, "rejects take no place");
}

#[test]
fn d6_a_record_over_the_namespaces_size_is_rejected() {
    let mut stage = Stage::new(RoomPolicy { record_bytes_max: 100, ..RoomPolicy::default() });
    let ann = stage.join("ann");
    stage.open(ann);
    stage.submit(ann, 1, vec![op(OpKind::Put, "a", padded(100))]);
    assert_eq!(rejects(&stage.told_on_edits(ann)), [(1, Refusal::TooLarge)]);
}

#[test]
fn d7_a_number_that_came_before_is_answered_again_and_not_applied_again() {
    let (mut stage, ann, _) = Stage::with_editors();
    stage.submit(ann, 1, put("a", 1));
    stage.submit(ann, 2, vec![op(OpKind::Patch, "missing", Map::new())]);
    stage.told_on_edits(ann);
    stage.submit(ann, 1, put("a", 9));
    assert!(stage.told_on_edits(ann).is_empty(), "it is on its way to the store");
    stage.store_all();
    assert_eq!(acks(&stage.told_on_edits(ann)), [(1, 1)]);
    stage.submit(ann, 1, put("a", 9));
    stage.submit(ann, 2, put("a", 9));
    let told = stage.told_on_edits(ann);
    assert_eq!((acks(&told), rejects(&told)), (vec![(1, 1)], vec![(2, Refusal::NoRecord)]));
    assert_eq!(stage.stored.len(), 1);
    stage.submit(ann, 5, put("a", 2));
    assert_eq!(stage.stored.len(), 2, "numbers may skip");
}

#[test]
fn d7_two_members_numbers_are_their_own() {
    let (mut stage, ann, ben) = Stage::with_editors();
    stage.submit(ann, 1, put("a", 1));
    stage.submit(ben, 1, put("b", 1));
    stage.store_all();
    assert_eq!(acks(&stage.told_on_edits(ann)), [(1, 1)]);
    assert_eq!(acks(&stage.told_on_edits(ben)), [(1, 2)]);
}

#[test]
fn d5_an_edit_of_a_member_who_is_gone_is_still_told() {
    let (mut stage, ann, ben) = Stage::with_editors();
    stage.submit(ann, 1, put("a", 1));
    stage.lose(ann);
    stage.store_all();
    stage.tick();
    assert_eq!(stage.document(ben).get("a").unwrap()["x"], 1.into());
}

#[test]
fn d3_a_snapshot_comes_in_pages_with_edits_in_between() {
    let (mut stage, ann, _) = Stage::with_editors();
    for number in 1..=30 {
        let record = format!("record-{number:02}");
        stage.submit(ann, number, vec![op(OpKind::Put, &record, padded(5_000))]);
        stage.store_all();
        stage.tick();
    }
    let late = stage.join("late");
    stage.begin_open(late);
    assert!(stage.view(late).records().is_none(), "not before the last page");
    let first = op(OpKind::Patch, "record-01", Map::from([("x".into(), 1.into())]));
    let last = op(OpKind::Patch, "record-30", Map::from([("x".into(), 1.into())]));
    stage.submit(ann, 31, vec![first, last]);
    stage.submit(ann, 32, vec![op(OpKind::Remove, "record-02", Map::new())]);
    stage.submit(ann, 33, vec![op(OpKind::Remove, "record-29", Map::new())]);
    stage.store_all();
    stage.tick();
    let mut pages = 1;
    while stage.snapshot_page(late) {
        pages += 1;
        stage.submit(ann, 33 + pages, put("record-00", pages as i32));
        stage.store_all();
        stage.tick();
    }
    assert!(pages >= 3, "{pages}");
    assert_eq!(stage.document(late), stage.document(ann));
    assert_eq!(stage.document(late).len(), 29);
}

#[test]
fn d3_a_snapshot_has_what_is_durable_and_the_rest_comes_in_the_tick() {
    let (mut stage, ann, ben) = Stage::with_editors();
    stage.submit(ann, 1, put("a", 1));
    stage.submit(ben, 1, put("b", 1));
    stage.room.handle_stored(1);
    let late = stage.join("late");
    stage.open(late);
    assert_eq!((stage.document(late).sequence(), stage.document(late).len()), (1, 1));
    stage.tick();
    assert_eq!(places(&stage.told_on_edits(late)), [1], "what the page has comes again");
    stage.store_all();
    stage.submit(ann, 2, put("a", 2));
    stage.store_all();
    stage.tick();
    assert_eq!(stage.document(late).sequence(), 3);
    assert_eq!(stage.document(late), stage.document(ann));
}

#[test]
fn d3_who_comes_back_gets_the_edits_after_its_last() {
    let (mut stage, ann, ben) = Stage::with_editors();
    for number in 1..=5 {
        stage.submit(ann, number, put("a", number as i32));
        stage.store_all();
        stage.tick();
    }
    stage.submit(ann, 6, put("a", 6));
    stage.told_on_edits(ben);
    stage.open_after(ben, Some(3));
    assert_eq!(places(&stage.told_on_edits(ben)), [4, 5], "told ones at once");
    assert_eq!(stage.room.poll_snapshot(ben), None);
    stage.store_all();
    stage.tick();
    assert_eq!(places(&stage.told_on_edits(ben)), [6], "the rest when it is due");
    stage.open_after(ben, Some(6));
    assert!(stage.told_on_edits(ben).is_empty(), "nothing is missing");
    assert_eq!(stage.room.poll_snapshot(ben), None);
}

#[test]
fn d3_who_was_away_too_long_or_in_another_life_gets_a_snapshot() {
    let (mut stage, ann, ben) = Stage::with_editors();
    for number in 1..=10 {
        stage.submit(ann, number, vec![op(OpKind::Put, "a", padded(8_000))]);
        stage.store_all();
        stage.tick();
    }
    for after in [1, 11, u64::MAX] {
        stage.told_on_edits(ben);
        stage.open_after(ben, Some(after));
        let told = stage.told_on_edits(ben);
        assert!(matches!(told[..], [EditsToClient::Snapshot(_)]), "{after}");
    }
    stage.open_after(ben, Some(8));
    assert_eq!(places(&stage.told_on_edits(ben)), [9, 10]);
}

#[test]
fn d3_a_room_goes_on_from_the_document_that_the_store_has() {
    let mut before = Stage::with_editors();
    before.0.submit(before.1, 7, put("a", 1));
    before.0.submit(before.1, 8, put("b", 2));
    let mut saved = SavedDocument::default();
    before.0.stored.drain(..).for_each(|logged| saved.apply(logged));
    let document = saved.document.clone();
    let mut stage = Stage::at_20_hz();
    stage.room.handle_loaded(saved);
    let ann = stage.join("ann");
    stage.open(ann);
    assert_eq!(stage.document(ann), &document);
    stage.submit(ann, 8, put("c", 3));
    assert_eq!(stage.stored, [], "it had that number in its earlier life");
    assert!(acks(&stage.told_on_edits(ann)).ends_with(&[(8, 2)]));
    stage.submit(ann, 9, put("c", 3));
    assert_eq!(stage.stored[0].edit.sequence, 3);
    stage.open_after(ann, Some(1));
    assert_eq!(places(&stage.told_on_edits(ann)), [2], "the latest edits are known, too");
}

#[test]
fn d4_more_edits_than_a_tick_carries_go_out_in_the_next_ones_in_order() {
    let (mut stage, ann, ben) = Stage::with_editors();
    for number in 1..=6 {
        stage.submit(ann, number, vec![op(OpKind::Put, "a", padded(30_000))]);
    }
    stage.store_all();
    stage.told_on_edits(ben);
    stage.tick();
    let first = places(&stage.told_on_edits(ben));
    assert_eq!(first, [1, 2]);
    stage.pass(500);
    assert_eq!(places(&stage.told_on_edits(ben)), [3, 4, 5, 6]);
    assert_eq!(stage.document(ann), stage.document(ben));
}

#[test]
fn d6_edits_beyond_what_may_wait_for_the_store_are_rejected_with_a_time() {
    let (mut stage, ann, _) = Stage::with_editors();
    stage.told_on_edits(ann);
    for number in 1..=60 {
        stage.submit(ann, number, vec![op(OpKind::Put, "a", padded(50_000))]);
    }
    let told = stage.told_on_edits(ann);
    let EditsToClient::Reject(reject) = &told[0] else { panic!("{told:?}") };
    assert_eq!(reject.code, Refusal::RateLimited);
    assert!(reject.retry_after_ms.is_some());
    assert_eq!(stage.stored.len() + told.len(), 60);
    stage.store_all();
    stage.pass(2_000);
    stage.told_on_edits(ann);
    stage.submit(ann, 61, put("a", 1));
    assert_eq!(stage.stored.last().unwrap().edit.number, 61, "there is room again");
}
