//! A room's document: records by id, and what an edit does to them. Server and clients apply the same edits alike.

use std::collections::BTreeMap;

use crate::message::edits::{Op, OpKind, Record, Snapshot};
use crate::message::{Map, Refusal, Value};

/// Records by id, and the sequence number of the last edit in them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    sequence: u64,
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

    /// Whether every operation can be applied, in their order, to the document as it is (rule D2).
    ///
    /// # Errors
    /// `NoRecord` if a patch finds no record, then or after the operations before it.
    pub fn check(&self, ops: &[Op]) -> Result<(), Refusal> {
        for (index, op) in ops.iter().enumerate() {
            if op.kind != OpKind::Patch {
                continue;
            }
            let earlier = ops[..index].iter().rev().find(|earlier| earlier.record == op.record);
            let exists = match earlier {
                Some(earlier) => earlier.kind != OpKind::Remove,
                None => self.records.contains_key(&op.record),
            };
            if !exists {
                return Err(Refusal::NoRecord);
            }
        }
        Ok(())
    }

    /// Applies the edit of the next place. Operations on records that are not there do nothing: [`Self::check`] decides.
    pub fn apply(&mut self, sequence: u64, ops: &[Op]) {
        debug_assert_eq!(sequence, self.sequence + 1);
        self.sequence = sequence;
        for op in ops {
            match op.kind {
                OpKind::Put => {
                    let fields = op.fields.clone();
                    self.records.insert(op.record.clone(), Entry { version: sequence, fields });
                }
                OpKind::Patch => {
                    if let Some(entry) = self.records.get_mut(&op.record) {
                        entry.version = sequence;
                        patch(&mut entry.fields, &op.fields);
                    }
                }
                OpKind::Remove => {
                    self.records.remove(&op.record);
                }
            }
        }
    }

    /// Takes a page of a snapshot; the first page of one replaces what was there.
    pub fn load(&mut self, page: Snapshot, first: bool) {
        if first {
            self.records.clear();
        }
        self.sequence = page.sequence;
        self.records.extend(
            page.records.into_iter().map(|record| {
                (record.id, Entry { version: record.version, fields: record.fields })
            }),
        );
    }
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
        let patch = op(OpKind::Patch, "a", &[]);
        let put = op(OpKind::Put, "a", &[]);
        let remove = op(OpKind::Remove, "a", &[]);
        assert_eq!(document.check(std::slice::from_ref(&patch)), Err(Refusal::NoRecord));
        assert_eq!(document.check(&[put.clone(), patch.clone()]), Ok(()));
        assert_eq!(document.check(&[put, remove, patch]), Err(Refusal::NoRecord));
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
}
