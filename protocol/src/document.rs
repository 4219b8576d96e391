//! A room's document: records by id, and what an edit does to them. Server and clients apply the same edits alike.

use std::collections::BTreeMap;

use crate::message::edits::{Op, OpKind, Record, Snapshot};
use crate::message::{Map, Refusal, Value, encoded_len};

/// Records by id, and the sequence number of the last edit in them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    sequence: u64,
    bytes: usize,
    records: BTreeMap<String, Entry>,
}

/// The most bytes of a record, and of a document: ids and fields, as they are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Of one record.
    pub record_bytes: usize,
    /// Of all records.
    pub document_bytes: usize,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Entry {
    version: u64,
    /// Of its id and its fields, kept up to date so that an edit costs by its own size and not by its record's.
    bytes: usize,
    fields: Map,
}

impl Document {
    /// The place of the last applied edit; 0 before the first.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// A record's fields.
    pub fn get(&self, id: &str) -> Option<&Map> {
        self.records.get(id).map(|entry| &entry.fields)
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

    /// The records whose ids come after `after`, in the order of their ids.
    pub fn records_after<'a>(
        &'a self,
        after: Option<&'a str>,
    ) -> impl Iterator<Item = Record> + 'a {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        self.records.range::<str, _>((from, Unbounded)).map(|(id, entry)| Record {
            id: id.clone(),
            version: entry.version,
            fields: entry.fields.clone(),
        })
    }

    /// Applies the edit of the next place whole, or not at all (rule D2).
    ///
    /// # Errors
    /// `NoRecord` if a patch finds no record, then or after the operations before it; `TooLarge` beyond `caps`. Nothing
    /// has changed then.
    pub fn commit(&mut self, ops: &[Op], caps: Caps) -> Result<(), Refusal> {
        let mut undo = Vec::new();
        for op in ops {
            let done = self.perform(op, &mut undo).and_then(|()| {
                let bytes = self.records.get(&op.record).map_or(0, |entry| entry.bytes);
                let fits = bytes <= caps.record_bytes && self.bytes <= caps.document_bytes;
                // What only removes is taken even where there is too much.
                if fits || op.kind == OpKind::Remove { Ok(()) } else { Err(Refusal::TooLarge) }
            });
            if let Err(refusal) = done {
                undo.into_iter().rev().for_each(|step| self.undo(step));
                return Err(refusal);
            }
        }
        self.finish(self.sequence + 1, ops);
        Ok(())
    }

    /// Applies the edit of the next place as the server has committed it. An operation does nothing where its record is
    /// of a later place already, as it may be in a later page of a snapshot (D3).
    pub fn apply(&mut self, sequence: u64, ops: &[Op]) {
        debug_assert_eq!(sequence, self.sequence + 1);
        for op in ops {
            if self.records.get(&op.record).is_none_or(|entry| entry.version <= sequence) {
                // A patch without its record is of one that a later place has removed.
                let _ = self.perform(op, &mut Vec::new());
            }
        }
        self.finish(sequence, ops);
    }

    /// Takes a page of a snapshot; the first page of one replaces what was there.
    pub fn load(&mut self, page: Snapshot, first: bool) {
        if first {
            *self = Self { sequence: page.sequence, ..Self::default() };
        }
        for Record { id, version, fields } in page.records {
            self.put(&id, Some(Entry::new(&id, version, fields)));
        }
    }

    fn perform(&mut self, op: &Op, undo: &mut Vec<Undo>) -> Result<(), Refusal> {
        let id = op.record.as_str();
        match op.kind {
            OpKind::Put => {
                // The version stays until the whole edit is in.
                let version = self.records.get(id).map_or(0, |entry| entry.version);
                let entry = Entry::new(id, version, op.fields.clone());
                undo.push(Undo::Record(id.to_owned(), self.put(id, Some(entry))));
            }
            OpKind::Remove => undo.push(Undo::Record(id.to_owned(), self.put(id, None))),
            OpKind::Patch => {
                if !self.records.contains_key(id) {
                    return Err(Refusal::NoRecord);
                }
                for (name, value) in &op.fields {
                    let value = (*value != Value::Nil).then(|| value.clone());
                    let old = self.set_field(id, name, value);
                    undo.push(Undo::Field(id.to_owned(), name.clone(), old));
                }
            }
        }
        Ok(())
    }

    fn undo(&mut self, step: Undo) {
        match step {
            Undo::Record(id, entry) => {
                self.put(&id, entry);
            }
            Undo::Field(id, name, value) => {
                self.set_field(&id, &name, value);
            }
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

    /// Sets or removes a field of a record that is there; returns what was there.
    fn set_field(&mut self, id: &str, name: &str, value: Option<Value>) -> Option<Value> {
        let entry = self.records.get_mut(id)?;
        let added = value.as_ref().map_or(0, |value| field_len(name, value));
        let old = match value {
            Some(value) => entry.fields.insert(name.to_owned(), value),
            None => entry.fields.remove(name),
        };
        let removed = old.as_ref().map_or(0, |old| field_len(name, old));
        entry.bytes = entry.bytes + added - removed;
        self.bytes = self.bytes + added - removed;
        old
    }
}

/// One step back.
enum Undo {
    Record(String, Option<Entry>),
    Field(String, String, Option<Value>),
}

impl Entry {
    fn new(id: &str, version: u64, fields: Map) -> Self {
        let of_fields = fields.iter().map(|(name, value)| field_len(name, value));
        let bytes = id.len() + of_fields.sum::<usize>();
        Self { version, bytes, fields }
    }
}

/// The bytes that count for a field.
fn field_len(name: &str, value: &Value) -> usize {
    encoded_len(&name) + encoded_len(value)
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
    use super::*;

    fn op(kind: OpKind, record: &str, fields: &[(&str, Value)]) -> Op {
        let fields = fields.iter().map(|(name, value)| ((*name).into(), value.clone())).collect();
        Op { kind, record: record.into(), fields }
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

    const CAPS: Caps = Caps { record_bytes: 1000, document_bytes: 1000 };

    #[test]
    fn d2_a_patch_needs_its_record_even_within_one_edit() {
        let patch = op(OpKind::Patch, "a", &[]);
        let put = op(OpKind::Put, "a", &[]);
        let remove = op(OpKind::Remove, "a", &[]);
        let commit = |ops: &[Op]| Document::default().commit(ops, CAPS);
        assert_eq!(commit(std::slice::from_ref(&patch)), Err(Refusal::NoRecord));
        assert_eq!(commit(&[put.clone(), patch.clone()]), Ok(()));
        assert_eq!(commit(&[put, remove, patch]), Err(Refusal::NoRecord));
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
        assert_eq!(document.commit(&edit, CAPS), Err(Refusal::NoRecord));
        assert_eq!(document, before);
    }

    #[test]
    fn d2_records_and_documents_have_a_largest_size() {
        let mut document = Document::default();
        let put = |id: &str| op(OpKind::Put, id, &[("x", "0123456789".into())]);
        document.commit(&[put("a")], CAPS).unwrap();
        let len = document.bytes();
        let caps = |record_bytes, document_bytes| Caps { record_bytes, document_bytes };
        let commit = |ops: &[Op], caps| document.clone().commit(ops, caps);
        assert_eq!(commit(&[put("a")], caps(len, len)), Ok(()));
        assert_eq!(commit(&[put("a")], caps(len - 1, len)), Err(Refusal::TooLarge));
        assert_eq!(commit(&[put("b")], caps(len, len)), Err(Refusal::TooLarge));
        let longer = op(OpKind::Patch, "a", &[("x", "0123456789a".into())]);
        assert_eq!(commit(&[longer], caps(len, len)), Err(Refusal::TooLarge));
        let remove = op(OpKind::Remove, "a", &[]);
        assert_eq!(commit(&[remove.clone(), put("b")], caps(len, len)), Ok(()));
        document.commit(&[remove], CAPS).unwrap();
        assert_eq!(document.bytes(), 0);
    }

    #[test]
    fn d3_pages_of_a_snapshot_make_the_document() {
        let mut source = Document::default();
        for (index, id) in ["a", "b", "c"].into_iter().enumerate() {
            source.apply(index as u64 + 1, &[op(OpKind::Put, id, &[])]);
        }
        let mut copy = Document::default();
        copy.apply(1, &[op(OpKind::Put, "old", &[])]);
        let first = source.records_after(None).take(2).collect();
        copy.load(Snapshot { sequence: 3, records: first, more: true }, true);
        let rest = source.records_after(Some("b")).collect();
        copy.load(Snapshot { sequence: 3, records: rest, more: false }, false);
        assert_eq!(copy, source);
    }

    #[test]
    fn d3_edits_between_pages_are_applied_once() {
        let mut source = Document::default();
        source.apply(1, &[op(OpKind::Put, "a", &[])]);
        source.apply(2, &[op(OpKind::Put, "b", &[])]);
        let mut copy = Document::default();
        let first = source.records_after(None).take(1).collect();
        copy.load(Snapshot { sequence: 2, records: first, more: true }, true);
        let edits = [
            op(OpKind::Patch, "a", &[("x", 1.into())]),
            op(OpKind::Put, "b", &[("y", 1.into())]),
            op(OpKind::Patch, "b", &[("y", 2.into())]),
        ];
        for (sequence, edit) in (3..).zip(&edits) {
            source.apply(sequence, std::slice::from_ref(edit));
        }
        let rest = source.records_after(Some("a")).collect();
        copy.load(Snapshot { sequence: 2, records: rest, more: false }, false);
        for (sequence, edit) in (3..).zip(&edits) {
            copy.apply(sequence, std::slice::from_ref(edit));
        }
        assert_eq!(copy, source);
    }
}
