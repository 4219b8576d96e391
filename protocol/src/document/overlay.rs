//! Records that differ from a document's: a client shows its own edits on top of what is confirmed, and a server tells
//! what is durable of a document that is ahead of it.

use std::collections::BTreeMap;
use std::iter;
use std::sync::Arc;

use super::entry::{self, Entry};
use super::{Before, Document, Failure};
use crate::message::Map;
use crate::message::edits::{Op, Record};

/// The version of a record as an edit makes it that has no number yet: no condition on a version holds for it.
const NO_VERSION: u64 = u64::MAX;

/// What an encoded record takes besides its id's characters and its fields, in bytes at most: the record's three keys
/// and its own head, the heads of the id and of the fields, and the version.
const AROUND_BYTES_MAX: usize = 3 * 2 + 1 + 2 + 5 + 9;

/// What some of a document's records are instead.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overlay {
    records: BTreeMap<String, Option<Entry>>,
}

impl Overlay {
    /// Whether the document is as it is.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The ids of the records that may differ, in their order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.records.keys().map(String::as_str)
    }

    /// A record's fields, with what is laid over the document.
    pub fn get<'a>(&'a self, document: &'a Document, id: &str) -> Option<&'a Map> {
        Some(&self.entry(document, id)?.fields)
    }

    /// The same, to be kept.
    pub fn share(&self, document: &Document, id: &str) -> Option<Arc<Map>> {
        Some(self.entry(document, id)?.fields.clone())
    }

    /// All records, with what is laid over the document, in the order of their ids.
    pub fn records<'a>(
        &'a self,
        document: &'a Document,
    ) -> impl Iterator<Item = (&'a str, &'a Map)> {
        self.entries_after(document, None).map(|(id, entry)| (id, &*entry.fields))
    }

    /// Those after `after`, as a page of a snapshot has them, as many as take at most `bytes_max` encoded, but at
    /// least one; and whether there are more.
    pub fn page_after(
        &self,
        document: &Document,
        after: Option<&str>,
        bytes_max: usize,
    ) -> (Vec<Record>, bool) {
        let (mut records, mut bytes) = (Vec::new(), 0);
        for (id, entry) in self.entries_after(document, after) {
            bytes += entry.bytes + AROUND_BYTES_MAX;
            if bytes > bytes_max && !records.is_empty() {
                return (records, true);
            }
            let (id, fields) = (id.to_owned(), entry.fields.clone());
            records.push(Record { id, version: entry.version, fields });
        }
        (records, false)
    }

    /// Lays an edit over the document and what is there already: whole, or not at all. Gives the operations that take
    /// it back.
    ///
    /// # Errors
    /// [`Failure`]; sizes are not looked at.
    pub fn commit(&mut self, document: &Document, ops: &[Op]) -> Result<Vec<Op>, Failure> {
        let mut changed = Self::default();
        let mut inverse = Vec::new();
        for op in ops {
            let old = match changed.records.get(&op.record) {
                Some(entry) => entry.as_ref(),
                None => self.entry(document, &op.record),
            };
            let new = entry::perform(old, op)?;
            inverse.extend(entry::inverse(old, op));
            changed.records.insert(op.record.clone(), new);
        }
        for entry in changed.records.values_mut().flatten() {
            entry.version = NO_VERSION;
        }
        self.records.append(&mut changed.records);
        inverse.reverse();
        Ok(inverse)
    }

    /// Lays what was before an edit over the document; of a record that is here already, an earlier edit has the word.
    pub fn restore(&mut self, before: &Before) {
        for (id, entry) in &before.0 {
            self.records.entry(id.clone()).or_insert_with(|| entry.clone());
        }
    }

    fn entries_after<'a>(
        &'a self,
        document: &'a Document,
        after: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a str, &'a Entry)> {
        let mut here = self.records.range::<str, _>(super::from(after)).peekable();
        let mut there = document.records.range::<str, _>(super::from(after)).peekable();
        let next = move || {
            loop {
                let is_here = match (here.peek(), there.peek()) {
                    (Some((here, _)), Some((there, _))) => here <= there,
                    (here, _) => here.is_some(),
                };
                if !is_here {
                    return there.next();
                }
                let (id, entry) = here.next()?;
                there.next_if(|(there, _)| *there == id);
                if let Some(entry) = entry {
                    return Some((id, entry));
                }
            }
        };
        iter::from_fn(next).map(|(id, entry)| (id.as_str(), entry))
    }

    fn entry<'a>(&'a self, document: &'a Document, id: &str) -> Option<&'a Entry> {
        match self.records.get(id) {
            Some(entry) => entry.as_ref(),
            None => document.records.get(id),
        }
    }
}
