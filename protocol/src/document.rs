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

#[derive(Clone, Debug, PartialEq)]
struct Entry {
    version: u64,
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

    /// Whether an edit can be applied to the document as it is, all of its operations in their order (rule D2).
    ///
    /// # Errors
    /// `NoRecord` if a patch finds no record, then or after the operations before it; `TooLarge` if a record would have
    /// more than `record_bytes_max` bytes, or the document more than `document_bytes_max`.
    pub fn check(
        &self,
        ops: &[Op],
        record_bytes_max: usize,
        document_bytes_max: usize,
    ) -> Result<(), Refusal> {
        let mut bytes = self.bytes;
        let mut staged: BTreeMap<&str, Option<Map>> = BTreeMap::new();
        for op in ops {
            let current = match staged.remove(op.record.as_str()) {
                Some(fields) => fields,
                None => self.get(&op.record).cloned(),
            };
            bytes -= current.as_ref().map_or(0, |fields| record_len(&op.record, fields));
            let fields = op_result(op, current)?;
            if let Some(fields) = &fields {
                let len = record_len(&op.record, fields);
                bytes += len;
                if len > record_bytes_max || bytes > document_bytes_max {
                    return Err(Refusal::TooLarge);
                }
            }
            staged.insert(&op.record, fields);
        }
        Ok(())
    }

    /// Applies the edit of the next place. An operation does nothing where [`Self::check`] would refuse it, or where
    /// its record is of a later place already, as it may be in a later page of a snapshot (D3).
    pub fn apply(&mut self, sequence: u64, ops: &[Op]) {
        debug_assert_eq!(sequence, self.sequence + 1);
        self.sequence = sequence;
        for op in ops {
            let current = self.records.get(&op.record);
            if current.is_some_and(|entry| entry.version > sequence) {
                continue;
            }
            if let Ok(fields) = op_result(op, current.map(|entry| entry.fields.clone())) {
                self.set(&op.record, fields.map(|fields| Entry { version: sequence, fields }));
            }
        }
    }

    /// Takes a page of a snapshot; the first page of one replaces what was there.
    pub fn load(&mut self, page: Snapshot, first: bool) {
        if first {
            *self = Self { sequence: page.sequence, ..Self::default() };
        }
        for record in page.records {
            let entry = Entry { version: record.version, fields: record.fields };
            self.set(&record.id, Some(entry));
        }
    }

    fn set(&mut self, id: &str, entry: Option<Entry>) {
        self.bytes += entry.as_ref().map_or(0, |entry| record_len(id, &entry.fields));
        let old = match entry {
            Some(entry) => self.records.insert(id.to_owned(), entry),
            None => self.records.remove(id),
        };
        self.bytes -= old.map_or(0, |old| record_len(id, &old.fields));
    }
}

/// What one operation makes of a record; `None` is no record.
fn op_result(op: &Op, current: Option<Map>) -> Result<Option<Map>, Refusal> {
    match op.kind {
        OpKind::Put => Ok(Some(op.fields.clone())),
        OpKind::Remove => Ok(None),
        OpKind::Patch => {
            let mut fields = current.ok_or(Refusal::NoRecord)?;
            patch(&mut fields, &op.fields);
            Ok(Some(fields))
        }
    }
}

/// The bytes that count for a record: its id's and its fields'.
fn record_len(id: &str, fields: &Map) -> usize {
    id.len() + encoded_len(fields)
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

    #[test]
    fn d2_a_patch_needs_its_record_even_within_one_edit() {
        let document = Document::default();
        let check = |ops: &[Op]| document.check(ops, 1000, 1000);
        let patch = op(OpKind::Patch, "a", &[]);
        let put = op(OpKind::Put, "a", &[]);
        let remove = op(OpKind::Remove, "a", &[]);
        assert_eq!(check(std::slice::from_ref(&patch)), Err(Refusal::NoRecord));
        assert_eq!(check(&[put.clone(), patch.clone()]), Ok(()));
        assert_eq!(check(&[put, remove, patch]), Err(Refusal::NoRecord));
    }

    #[test]
    fn d2_records_and_documents_have_a_largest_size() {
        let mut document = Document::default();
        let put = |id: &str| op(OpKind::Put, id, &[("x", "0123456789".into())]);
        document.apply(1, &[put("a")]);
        let len = document.bytes();
        assert_eq!(document.check(&[put("a")], len, len), Ok(()));
        assert_eq!(document.check(&[put("a")], len - 1, len), Err(Refusal::TooLarge));
        assert_eq!(document.check(&[put("b")], len, len), Err(Refusal::TooLarge));
        let remove = op(OpKind::Remove, "a", &[]);
        assert_eq!(document.check(&[remove.clone(), put("b")], len, len), Ok(()));
        document.apply(2, &[remove]);
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
