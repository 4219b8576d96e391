//! What of a room's edits outlives the process, as a store gives it back: the fold of its log.

use std::collections::VecDeque;
use std::sync::Arc;

use hither_protocol::document::Document;
use hither_protocol::message::edits::Edit;
use hither_protocol::message::encoded_len;
use hither_protocol::{DocumentId, EditorId};

use super::editors::Editors;

/// The most bytes of latest edits that are kept for those who come back, as they are encoded; they are sent at once.
pub const RECENT_BYTES_MAX: usize = 48 * 1024;

/// An edit as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedEdit {
    /// The document that it is of; with its first edit it begins.
    pub document: DocumentId,
    /// Whose number it has.
    pub editor: EditorId,
    /// What all are told of it; shared, since it waits in the room while the store has it.
    pub edit: Arc<Edit>,
}

/// A document with all that a room knows of its edits, as of the last of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SavedDocument {
    /// The records.
    pub document: Document,
    /// Who has edited it.
    pub editors: Editors,
    /// The latest edits, as far as they are known.
    pub recent: Recent,
    /// The time of the last edit, which no later one falls below, in milliseconds since the Unix epoch.
    pub time_ms: u64,
}

/// The latest edits of a document, without gaps, as many as have 48 KiB together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recent {
    edits: VecDeque<(usize, Edit)>,
    bytes: usize,
}

impl SavedDocument {
    /// One without edits.
    pub fn new(id: DocumentId) -> Self {
        Self { document: Document::new(id), ..Self::default() }
    }

    /// Takes the edit of the next place.
    pub fn apply(&mut self, logged: LoggedEdit) {
        let LoggedEdit { editor, edit, document: _ } = logged;
        self.document.apply(edit.sequence, &edit.ops);
        self.editors.apply(editor, &edit);
        self.time_ms = edit.time_ms;
        self.recent.push(Arc::unwrap_or_clone(edit));
    }
}

impl Recent {
    /// Adds the edit of the next place; the oldest go.
    pub fn push(&mut self, edit: Edit) {
        let bytes = encoded_len(&edit);
        self.bytes += bytes;
        self.edits.push_back((bytes, edit));
        while self.bytes > RECENT_BYTES_MAX {
            let Some((bytes, _)) = self.edits.pop_front() else { break };
            self.bytes -= bytes;
        }
    }

    /// The last edits before a place, or the latest, `limit` at most.
    pub fn before(&self, before: Option<u64>, limit: usize) -> Vec<Edit> {
        let is_before = |edit: &&Edit| before.is_none_or(|before| edit.sequence < before);
        let edits = self.edits.iter().rev().map(|(_, edit)| edit).filter(is_before);
        let mut edits: Vec<Edit> = edits.take(limit).cloned().collect();
        edits.reverse();
        edits
    }

    /// The last `count` edits; `None` if there are not as many.
    pub(super) fn last(&self, count: usize) -> Option<Vec<Edit>> {
        let from = self.edits.len().checked_sub(count)?;
        Some(self.edits.range(from..).map(|(_, edit)| edit.clone()).collect())
    }
}
