//! A room's document: records by id, and what an edit does to them. Server and clients apply the same edits alike.

mod entry;
mod overlay;

pub use overlay::Overlay;

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::ids::DocumentId;
use crate::message::edits::{Op, OpKind, Place, Record, Snapshot};
use crate::message::{Map, Refusal, Value};
use entry::Entry;

/// Records by id, and the sequence number of the last edit in them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    id: DocumentId,
    sequence: u64,
    bytes: usize,
    records: BTreeMap<String, Entry>,
}

/// The most that a document may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Bytes of one record: its id and fields, as they are encoded.
    pub record_bytes: usize,
    /// Bytes of all records.
    pub document_bytes: usize,
    /// Records.
    pub records: usize,
}

/// Why an edit has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The kind of it.
    pub refusal: Refusal,
    /// What it is over.
    pub limit: Option<u64>,
    /// What that would be with it; of a condition, the version that the record has.
    pub value: Option<u64>,
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, limit: None, value: None }
    }
}

/// What an edit has changed, as it was before. It costs the memory of those records.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Before(Vec<(String, Option<Entry>)>);

impl Before {
    /// The bytes of those records, ids and fields.
    pub fn bytes(&self) -> usize {
        self.0.iter().filter_map(|(_, entry)| entry.as_ref()).map(|entry| entry.bytes).sum()
    }
}

impl Document {
    /// An empty one.
    pub fn new(id: DocumentId) -> Self {
        Self { id, ..Self::default() }
    }

    /// Which document it is.
    pub fn id(&self) -> DocumentId {
        self.id
    }

    /// Where in the order of its edits it is.
    pub fn place(&self) -> Place {
        Place { document: self.id, sequence: self.sequence }
    }

    /// The place of the last applied edit; 0 before the first.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// A record's fields.
    pub fn get(&self, id: &str) -> Option<&Map> {
        self.records.get(id).map(|entry| &*entry.fields)
    }

    /// The number of the edit that changed a record last.
    pub fn version(&self, id: &str) -> Option<u64> {
        self.records.get(id).map(|entry| entry.version)
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// The bytes of all records, ids and fields.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The ids, versions and fields of the records, in the order of their ids.
    pub fn records(&self) -> impl Iterator<Item = (&str, u64, &Map)> {
        self.records.iter().map(|(id, entry)| (id.as_str(), entry.version, &*entry.fields))
    }

    /// Applies the edit of the next place whole, or not at all (rule D2); gives what was there before.
    ///
    /// # Errors
    /// What an operation needs is not there, then or after the operations before it, or there would be more than `caps`
    /// says. Nothing has changed then.
    pub fn commit(&mut self, ops: &[Op], caps: Caps) -> Result<Before, Failure> {
        let mut before = Vec::new();
        for op in ops {
            let done = self.perform(op, &mut before);
            if let Err(failure) = done.and_then(|()| self.check(op, caps)) {
                for (id, entry) in before.into_iter().rev() {
                    self.put(&id, entry);
                }
                return Err(failure);
            }
        }
        self.finish(self.sequence + 1, ops);
        Ok(Before(before))
    }

    /// Applies the edit of the next place as the server has committed it. An operation does nothing where its record
    /// has it already, as it may in a later page of a snapshot (D3).
    pub fn apply(&mut self, sequence: u64, ops: &[Op]) {
        debug_assert_eq!(sequence, self.sequence + 1);
        for op in ops {
            if self.records.get(&op.record).is_none_or(|entry| entry.version < sequence) {
                // What it needs is missing where a later place has removed it; its condition held then.
                let op = Op { if_version: None, ..op.clone() };
                let _ = self.perform(&op, &mut Vec::new());
            }
        }
        self.finish(sequence, ops);
    }

    /// Takes a page of a snapshot; the first page of one replaces what was there.
    pub fn load(&mut self, page: Snapshot, first: bool) {
        if first {
            *self = Self { sequence: page.sequence, ..Self::new(page.document) };
        }
        for record in page.records {
            self.insert(record);
        }
    }

    /// Puts a record in as it is, in the place of one with its id.
    pub fn insert(&mut self, record: Record) {
        let Record { id, version, fields } = record;
        self.put(&id, Some(Entry::new(&id, version, fields)));
    }

    fn perform(
        &mut self,
        op: &Op,
        before: &mut Vec<(String, Option<Entry>)>,
    ) -> Result<(), Failure> {
        let entry = entry::perform(self.records.get(&op.record), op)?;
        let old = self.put(&op.record, entry);
        if before.iter().all(|(id, _)| *id != op.record) {
            before.push((op.record.clone(), old));
        }
        Ok(())
    }

    /// What only removes is taken even where there is too much.
    fn check(&self, op: &Op, caps: Caps) -> Result<(), Failure> {
        let record = self.records.get(&op.record).map_or(0, |entry| entry.bytes);
        let sizes = [
            (record, caps.record_bytes),
            (self.bytes, caps.document_bytes),
            (self.records.len(), caps.records),
        ];
        match sizes.into_iter().find(|(size, cap)| size > cap) {
            Some((size, cap)) if op.kind != OpKind::Remove => Err(Failure {
                refusal: Refusal::TooLarge,
                limit: Some(cap as u64),
                value: Some(size as u64),
            }),
            _ => Ok(()),
        }
    }

    fn finish(&mut self, sequence: u64, ops: &[Op]) {
        self.sequence = sequence;
        for op in ops {
            if let Some(entry) = self.records.get_mut(&op.record) {
                entry.version = entry.version.max(sequence);
            }
        }
    }

    /// Puts or takes out a record; returns what was there.
    fn put(&mut self, id: &str, entry: Option<Entry>) -> Option<Entry> {
        self.bytes += entry.as_ref().map_or(0, |entry| entry.bytes);
        let old = match entry {
            Some(entry) => self.records.insert(id.to_owned(), entry),
            None => self.records.remove(id),
        };
        self.bytes -= old.as_ref().map_or(0, |old| old.bytes);
        old
    }
}

/// The ids that come after one, or all.
fn from(after: Option<&str>) -> (Bound<&str>, Bound<&str>) {
    (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded)
}

/// Applies a patch by top-level field, of a presence or of a record: nil removes, anything else replaces (P1, D2).
pub fn patch(fields: &mut Map, patch: &Map) {
    for (name, value) in patch {
        if *value == Value::Nil {
            fields.remove(name);
        } else {
            fields.insert(name.clone(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::message::encoded_len;

    fn op(kind: OpKind, record: &str, fields: &[(&str, Value)]) -> Op {
        let fields = fields.iter().map(|(name, value)| ((*name).into(), value.clone())).collect();
        Op::new(kind, record, fields)
    }

    #[test]
    fn d2_put_patch_and_remove() {
        let mut document = Document::default();
        document.apply(1, &[op(OpKind::Put, "a", &[("x", 1.into()), ("y", 2.into())])]);
        document.apply(2, &[op(OpKind::Patch, "a", &[("x", Value::Nil), ("z", 3.into())])]);
        let expected = Map::from([("y".into(), 2.into()), ("z".into(), 3.into())]);
        assert_eq!(document.get("a"), Some(&expected));
        document.apply(3, &[op(OpKind::Remove, "a", &[])]);
        assert!(document.is_empty());
        assert_eq!(document.sequence(), 3);
    }

    const CAPS: Caps = Caps { record_bytes: 1000, document_bytes: 1000, records: 10 };

    fn refusal(document: &mut Document, ops: &[Op], caps: Caps) -> Option<Refusal> {
        document.commit(ops, caps).err().map(|failure| failure.refusal)
    }

    #[test]
    fn d2_a_patch_needs_its_record_even_within_one_edit() {
        let patch = op(OpKind::Patch, "a", &[]);
        let put = op(OpKind::Put, "a", &[]);
        let remove = op(OpKind::Remove, "a", &[]);
        let commit = |ops: &[Op]| refusal(&mut Document::default(), ops, CAPS);
        assert_eq!(commit(std::slice::from_ref(&patch)), Some(Refusal::NoRecord));
        assert_eq!(commit(&[put.clone(), patch.clone()]), None);
        assert_eq!(commit(&[put, remove, patch]), Some(Refusal::NoRecord));
    }

    #[test]
    fn d2_increments_add_up_and_need_numbers() {
        let mut document = Document::default();
        document.commit(&[op(OpKind::Put, "a", &[("s", "1".into())])], CAPS).unwrap();
        let add = |name, by: Value| [op(OpKind::Increment, "a", &[(name, by)])];
        document.commit(&add("n", 2.into()), CAPS).unwrap();
        document.commit(&add("n", Value::Float(0.5)), CAPS).unwrap();
        assert_eq!(document.get("a").unwrap()["n"], Value::Float(2.5));
        assert_eq!(refusal(&mut document, &add("s", 1.into()), CAPS), Some(Refusal::BadRequest));
        assert_eq!(refusal(&mut document, &add("n", "1".into()), CAPS), Some(Refusal::BadRequest));
        let missing = [op(OpKind::Increment, "b", &[("n", 1.into())])];
        assert_eq!(refusal(&mut document, &missing, CAPS), Some(Refusal::NoRecord));
    }

    #[test]
    fn d2_a_condition_is_on_the_version_that_the_record_had_before_the_edit() {
        let mut document = Document::default();
        let put = |if_version| Op { if_version: Some(if_version), ..op(OpKind::Put, "a", &[]) };
        let conflict =
            |value| Err(Failure { refusal: Refusal::Conflict, limit: None, value: Some(value) });
        assert_eq!(document.commit(&[put(1)], CAPS), conflict(0));
        document.commit(&[put(0)], CAPS).unwrap();
        assert_eq!(document.commit(&[put(0)], CAPS), conflict(1));
        document.commit(&[put(1), put(1)], CAPS).unwrap();
        assert_eq!(document.commit(&[put(1)], CAPS), conflict(2));
    }

    #[test]
    fn d2_an_edit_that_fails_leaves_no_trace() {
        let mut document = Document::default();
        let first = [op(OpKind::Put, "a", &[("x", 1.into()), ("y", 2.into())])];
        document.commit(&first, CAPS).unwrap();
        let before = document.clone();
        let edit = [
            op(OpKind::Patch, "a", &[("x", Value::Nil), ("z", "new".into())]),
            op(OpKind::Put, "a", &[]),
            op(OpKind::Remove, "a", &[]),
            op(OpKind::Put, "b", &[]),
            op(OpKind::Patch, "missing", &[]),
        ];
        assert_eq!(refusal(&mut document, &edit, CAPS), Some(Refusal::NoRecord));
        assert_eq!(document, before);
    }

    #[test]
    fn d2_records_and_documents_have_a_largest_size() {
        let mut document = Document::default();
        let put = |id: &str| op(OpKind::Put, id, &[("x", "0123456789".into())]);
        document.commit(&[put("a")], CAPS).unwrap();
        let len = document.bytes();
        let caps = |record_bytes, document_bytes| Caps { record_bytes, document_bytes, ..CAPS };
        let commit = |ops: &[Op], caps| document.clone().commit(ops, caps).err();
        let too_large = |limit: usize, value: usize| {
            let (limit, value) = (Some(limit as u64), Some(value as u64));
            Some(Failure { refusal: Refusal::TooLarge, limit, value })
        };
        assert_eq!(commit(&[put("a")], caps(len, len)), None);
        assert_eq!(commit(&[put("a")], caps(len - 1, len)), too_large(len - 1, len));
        assert_eq!(commit(&[put("b")], caps(len, len)), too_large(len, 2 * len));
        assert_eq!(commit(&[put("b")], Caps { records: 1, ..CAPS }), too_large(1, 2));
        let longer = op(OpKind::Patch, "a", &[("x", "0123456789a".into())]);
        assert_eq!(commit(&[longer], caps(len, len)), too_large(len, len + 1));
        let remove = op(OpKind::Remove, "a", &[]);
        assert_eq!(commit(&[remove.clone(), put("b")], caps(len, len)), None);
        document.commit(&[remove], CAPS).unwrap();
        assert_eq!(document.bytes(), 0);
    }

    fn page(source: &Document, after: Option<&str>) -> Snapshot {
        let (records, _) = Overlay::default().page_after(source, after, usize::MAX);
        let (document, sequence) = (source.id(), source.sequence());
        Snapshot { document, sequence, records, more: false }
    }

    /// The first page ends with the record `last`.
    fn load_in_two_pages(copy: &mut Document, source: &Document, last: &str) {
        let mut first = page(source, None);
        first.records.retain(|record| record.id.as_str() <= last);
        copy.load(first, true);
        copy.load(page(source, Some(last)), false);
    }

    #[test]
    fn d3_pages_of_a_snapshot_make_the_document() {
        let mut source = Document::default();
        for (index, id) in ["a", "b", "c"].into_iter().enumerate() {
            source.apply(index as u64 + 1, &[op(OpKind::Put, id, &[])]);
        }
        let mut copy = Document::default();
        copy.apply(1, &[op(OpKind::Put, "old", &[])]);
        load_in_two_pages(&mut copy, &source, "b");
        assert_eq!(copy, source);
    }

    #[test]
    fn d3_edits_between_pages_are_applied_once() {
        let mut source = Document::default();
        source.apply(1, &[op(OpKind::Put, "a", &[])]);
        source.apply(2, &[op(OpKind::Put, "b", &[])]);
        let mut copy = Document::default();
        let mut first = page(&source, None);
        first.records.truncate(1);
        copy.load(first, true);
        let edits = [
            op(OpKind::Patch, "a", &[("x", 1.into())]),
            op(OpKind::Put, "b", &[("y", 1.into())]),
            op(OpKind::Increment, "b", &[("y", 2.into())]),
        ];
        for (sequence, edit) in (3..).zip(&edits) {
            source.apply(sequence, std::slice::from_ref(edit));
        }
        let rest = Snapshot { sequence: 2, ..page(&source, Some("a")) };
        copy.load(rest, false);
        for (sequence, edit) in (3..).zip(&edits) {
            copy.apply(sequence, std::slice::from_ref(edit));
        }
        assert_eq!(copy, source);
    }

    #[test]
    fn an_overlay_shows_what_is_laid_over_a_document() {
        let mut document = Document::default();
        for id in ["a", "b", "c", "d"] {
            document.commit(&[op(OpKind::Put, id, &[("n", 1.into())])], CAPS).unwrap();
        }
        let mut overlay = Overlay::default();
        let edit = [op(OpKind::Remove, "b", &[]), op(OpKind::Increment, "c", &[("n", 1.into())])];
        overlay.commit(&document, &edit).unwrap();
        let failing = [op(OpKind::Remove, "a", &[]), op(OpKind::Patch, "b", &[])];
        assert_eq!(overlay.commit(&document, &failing), Err(Refusal::NoRecord.into()));
        overlay.commit(&document, &[op(OpKind::Put, "e", &[])]).unwrap();
        let all: Vec<_> = overlay.records(&document).map(|(id, _)| id).collect();
        assert_eq!(all, ["a", "c", "d", "e"]);
        assert_eq!(overlay.get(&document, "c").unwrap()["n"], Value::Int(2));
        let (rest, _) = overlay.page_after(&document, Some("c"), usize::MAX);
        assert_eq!(rest.into_iter().map(|record| record.id).collect::<Vec<_>>(), ["d", "e"]);
        let on_its_version = Op { if_version: Some(3), ..op(OpKind::Put, "c", &[]) };
        assert!(
            overlay.commit(&document, &[on_its_version]).is_err(),
            "the version will be another"
        );
    }

    #[test]
    fn what_was_before_is_a_document_again() {
        let mut document = Document::default();
        document.commit(&[op(OpKind::Put, "a", &[]), op(OpKind::Put, "b", &[])], CAPS).unwrap();
        let durable = document.clone();
        let edits = [
            op(OpKind::Remove, "a", &[]),
            op(OpKind::Put, "a", &[("x", 1.into())]),
            op(OpKind::Patch, "b", &[("x", 1.into())]),
            op(OpKind::Put, "c", &[]),
        ];
        let mut overlay = Overlay::default();
        for edit in edits {
            overlay.restore(&document.commit(&[edit], CAPS).unwrap());
        }
        let told = |document, overlay: &Overlay| overlay.page_after(document, None, usize::MAX);
        assert_eq!(told(&document, &overlay), told(&durable, &Overlay::default()));
    }

    #[test]
    fn d3_pages_have_each_record_once_and_no_more_bytes_than_they_may() {
        let mut document = Document::default();
        for number in 0..100 {
            let id = "x".repeat(1 + number % 128) + &number.to_string();
            let fields =
                (0..number % 40).map(|field| (field.to_string(), Value::Int(number as i64)));
            let fields = Arc::new(fields.collect());
            let version = u64::MAX >> (number % 64);
            document.insert(Record { id, version, fields });
        }
        let (all, _) = Overlay::default().page_after(&document, None, usize::MAX);
        assert_eq!(all.len(), 100);
        for bytes_max in [0, 100, 1_000, 10_000] {
            let (mut paged, mut more, mut pages) = (Vec::<Record>::new(), true, 0);
            while more {
                let after = paged.last().map(|record| record.id.as_str());
                let page;
                (page, more) = Overlay::default().page_after(&document, after, bytes_max);
                let bytes: usize = page.iter().map(encoded_len).sum();
                assert!(bytes <= bytes_max || page.len() == 1, "{bytes} of {bytes_max}");
                paged.extend(page);
                pages += 1;
            }
            assert_eq!(paged, all);
            let bytes: usize = all.iter().map(encoded_len).sum();
            assert!(bytes_max < 1_000 || pages <= 2 * bytes / bytes_max, "{pages} pages");
        }
    }
}
