//! Whose edits have which numbers, and what became of the latest: a number that comes again is answered again, and not
//! applied (D7). Apart from the log, since it outlives the process with the document.

use std::collections::{BTreeMap, VecDeque};

use hither_protocol::EditorId;
use hither_protocol::limits::{EDITOR_MS, EDITS_UNANSWERED_MAX};
use hither_protocol::message::Refusal;
use hither_protocol::message::edits::{Ack, Edit, EditsToClient, Reject};
use serde::{Deserialize, Serialize};

/// So many editors of one document are remembered at most; the one that was silent for longest goes first. One costs
/// some 2 KiB at most.
const EDITORS_MAX: usize = 1_024;

/// The editors of a document, each with the last of its numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Editors {
    editors: BTreeMap<EditorId, Editor>,
}

/// What is kept of an editor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedEditor {
    /// Who it is.
    pub id: EditorId,
    /// Its latest acks, 1 to 64, in the order of their numbers.
    pub acks: Vec<Ack>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Editor {
    last: u64,
    /// The time of its last edit.
    time_ms: u64,
    latest: VecDeque<(u64, Fate)>,
}

/// What became of an edit.
#[derive(Clone, Debug, PartialEq)]
enum Fate {
    /// It is on its way to the store.
    Ordered,
    Acked(Ack),
    Rejected(Reject),
}

impl Editors {
    /// Takes back what was kept of an editor.
    pub fn restore(&mut self, saved: SavedEditor) {
        let SavedEditor { id, acks } = saved;
        let (last, time_ms) = acks.last().map_or((0, 0), |ack| (ack.number, ack.time_ms));
        let latest = acks.into_iter().map(|ack| (ack.number, Fate::Acked(ack))).collect();
        self.editors.insert(id, Editor { last, time_ms, latest });
    }

    /// What is to be kept of each, those aside that have no acks, or edited nothing for 24 hours before `now_ms`.
    pub fn save(&self, now_ms: u64) -> impl Iterator<Item = SavedEditor> {
        let is_kept = move |(_, editor): &(_, &Editor)| editor.time_ms + EDITOR_MS > now_ms;
        let acked = |(_, fate): &(u64, Fate)| match fate {
            Fate::Acked(ack) => Some(*ack),
            Fate::Ordered | Fate::Rejected(_) => None,
        };
        let saved = self.editors.iter().filter(is_kept).map(move |(id, editor)| SavedEditor {
            id: *id,
            acks: editor.latest.iter().filter_map(acked).collect(),
        });
        saved.filter(|saved| !saved.acks.is_empty())
    }

    /// An edit of the log, which is durable.
    pub fn apply(&mut self, id: EditorId, edit: &Edit) {
        self.order(id, edit.number, edit.time_ms);
        self.ack(id, Ack { number: edit.number, sequence: edit.sequence, time_ms: edit.time_ms });
    }

    /// Whether a number has come before.
    pub(super) fn has_had(&self, id: EditorId, number: u64) -> bool {
        self.editors.get(&id).is_some_and(|editor| (1..=editor.last).contains(&number))
    }

    /// A number has come, of an edit that is on its way now.
    pub(super) fn order(&mut self, id: EditorId, number: u64, time_ms: u64) {
        if !self.editors.contains_key(&id) && self.editors.len() == EDITORS_MAX {
            let silent = self.editors.iter().min_by_key(|(_, editor)| editor.time_ms);
            let silent = silent.map(|(id, _)| *id);
            silent.and_then(|id| self.editors.remove(&id));
        }
        let editor = self.editors.entry(id).or_default();
        editor.last = number.max(editor.last);
        editor.time_ms = time_ms;
        if editor.latest.len() == EDITS_UNANSWERED_MAX {
            editor.latest.pop_front();
        }
        editor.latest.push_back((number, Fate::Ordered));
    }

    /// An edit is durable.
    pub(super) fn ack(&mut self, id: EditorId, ack: Ack) {
        self.settle(id, ack.number, Fate::Acked(ack));
    }

    /// An edit has no effect.
    pub(super) fn reject(&mut self, id: EditorId, reject: Reject) {
        self.settle(id, reject.number, Fate::Rejected(reject));
    }

    /// The answer to a number that has come before; nothing while its edit is on its way to the store. An answer that
    /// is not known any more was no ack: a server that is started again knows those.
    pub(super) fn again(&self, id: EditorId, number: u64) -> Option<EditsToClient> {
        let latest = self.editors.get(&id).map(|editor| &editor.latest);
        match latest.and_then(|latest| latest.iter().find(|(of, _)| *of == number)) {
            Some((_, Fate::Ordered)) => None,
            Some((_, Fate::Acked(ack))) => Some(EditsToClient::Ack(*ack)),
            Some((_, Fate::Rejected(reject))) => Some(EditsToClient::Reject(reject.clone())),
            None => {
                let message = "it was rejected, or is too long ago".to_owned();
                let reject = Reject::new(number, Refusal::Unavailable.into(), message);
                Some(EditsToClient::Reject(reject))
            }
        }
    }

    fn settle(&mut self, id: EditorId, number: u64, fate: Fate) {
        let latest = self.editors.get_mut(&id).map(|editor| &mut editor.latest);
        let found = latest.and_then(|latest| latest.iter_mut().rfind(|(of, _)| *of == number));
        if let Some((_, old)) = found {
            *old = fate;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ack(number: u64) -> Ack {
        Ack { number, sequence: number + 10, time_ms: 5 }
    }

    fn id(number: u64) -> EditorId {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&number.to_be_bytes());
        EditorId(id)
    }

    #[test]
    fn d7_acks_outlive_the_process_and_what_is_unknown_then_was_rejected() {
        let mut editors = Editors::default();
        for number in [1, 2, 4] {
            editors.order(id(1), number, 5);
        }
        editors.ack(id(1), ack(1));
        editors.reject(id(1), Reject::new(2, Refusal::NoRecord.into(), String::new()));
        assert_eq!(editors.again(id(1), 4), None, "its ack is under way");
        editors.ack(id(1), ack(4));

        let mut later = Editors::default();
        editors.save(6).for_each(|saved| later.restore(saved));
        assert_eq!(later.again(id(1), 1), Some(EditsToClient::Ack(ack(1))));
        assert!(later.has_had(id(1), 2) && !later.has_had(id(1), 5));
        let Some(EditsToClient::Reject(reject)) = later.again(id(1), 2) else { panic!() };
        assert_eq!(reject.code, Refusal::Unavailable);
        assert_eq!(editors.save(5 + EDITOR_MS).count(), 0);
    }

    #[test]
    fn d7_the_editor_that_was_silent_for_longest_is_forgotten_first() {
        let mut editors = Editors::default();
        for number in 0..=EDITORS_MAX as u64 {
            editors.order(id(number), 1, number);
        }
        assert!(!editors.has_had(id(0), 1) && editors.has_had(id(1), 1));
        assert_eq!(editors.editors.len(), EDITORS_MAX);
    }
}
