//! Whose edits have which numbers, and what became of the latest: a number that comes again is answered again, and not
//! applied (D7). Apart from the log, since it outlives the process with the document.

use std::collections::{BTreeMap, VecDeque};

use hither_protocol::EditorId;
use hither_protocol::limits::{EDITOR_MS, EDITS_UNANSWERED_MAX};
use hither_protocol::message::Refusal;
use hither_protocol::message::edits::{Ack, Edit, EditsToClient, Reject};
use serde::{Deserialize, Serialize};

/// So many editors of one document are remembered at most; the one that was silent for longest goes first.
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
    /// All that are on their way, and the latest 64 of each kind that are answered: what a client lacks of its acks is
    /// the last of them, whatever was rejected since.
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
        if self.is_full_for(id) {
            let is_idle = |(_, editor): &(_, &Editor)| editor.count(Fate::is_ordered) == 0;
            // Those who have edited nothing go first: to be rejected costs nobody anything.
            let age = |(_, editor): &(_, &Editor)| (editor.count(Fate::is_ack) > 0, editor.time_ms);
            let silent = self.editors.iter().filter(is_idle).min_by_key(age).map(|(id, _)| *id);
            silent.and_then(|id| self.editors.remove(&id));
        }
        let editor = self.editors.entry(id).or_default();
        editor.last = number.max(editor.last);
        editor.time_ms = time_ms;
        editor.latest.push_back((number, Fate::Ordered));
    }

    /// An edit is durable.
    pub(super) fn ack(&mut self, id: EditorId, ack: Ack) {
        self.settle(id, ack.number, Fate::Acked(ack));
    }

    /// A number has come whose edit has no effect. Where all are known that may be, a new editor is not: nobody is
    /// forgotten for what is rejected.
    pub(super) fn reject(&mut self, id: EditorId, reject: Reject, time_ms: u64) {
        if !self.is_full_for(id) {
            self.order(id, reject.number, time_ms);
            self.settle(id, reject.number, Fate::Rejected(reject));
        }
    }

    fn is_full_for(&self, id: EditorId) -> bool {
        self.editors.len() >= EDITORS_MAX && !self.editors.contains_key(&id)
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
        let Some(editor) = self.editors.get_mut(&id) else { return };
        let Some((_, old)) = editor.latest.iter_mut().rfind(|(of, _)| *of == number) else {
            return;
        };
        let is_kind = if fate.is_ack() { Fate::is_ack } else { Fate::is_reject };
        *old = fate;
        if editor.count(is_kind) > EDITS_UNANSWERED_MAX
            && let Some(oldest) = editor.latest.iter().position(|(_, fate)| is_kind(fate))
        {
            editor.latest.remove(oldest);
        }
    }
}

impl Editor {
    fn count(&self, is_kind: fn(&Fate) -> bool) -> usize {
        self.latest.iter().filter(|(_, fate)| is_kind(fate)).count()
    }
}

impl Fate {
    fn is_ordered(&self) -> bool {
        matches!(self, Self::Ordered)
    }

    fn is_ack(&self) -> bool {
        matches!(self, Self::Acked(_))
    }

    fn is_reject(&self) -> bool {
        matches!(self, Self::Rejected(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ack(number: u64) -> Ack {
        Ack { number, sequence: number + 10, time_ms: 5 }
    }

    fn reject(number: u64) -> Reject {
        Reject::new(number, Refusal::NoRecord.into(), String::new())
    }

    fn id(number: u64) -> EditorId {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&number.to_be_bytes());
        EditorId(id)
    }

    #[test]
    fn d7_acks_outlive_the_process_and_what_is_unknown_then_was_rejected() {
        let mut editors = Editors::default();
        editors.order(id(1), 1, 5);
        editors.reject(id(1), reject(2), 5);
        editors.order(id(1), 4, 5);
        editors.ack(id(1), ack(1));
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
    fn d7_what_is_rejected_has_nothing_forgotten_that_was_acked_or_is_on_its_way() {
        let mut editors = Editors::default();
        editors.order(id(1), 1, 5);
        editors.order(id(1), 2, 5);
        editors.ack(id(1), ack(1));
        (3..500).for_each(|number| editors.reject(id(1), reject(number), 5));
        for number in 0..2 * EDITORS_MAX as u64 {
            editors.reject(id(1_000 + number), reject(1), 9);
        }
        assert_eq!(editors.again(id(1), 1), Some(EditsToClient::Ack(ack(1))));
        assert_eq!(editors.again(id(1), 2), None, "its ack is under way");
        editors.ack(id(1), ack(2));
        assert_eq!(editors.again(id(1), 2), Some(EditsToClient::Ack(ack(2))));
        assert!(editors.editors.len() <= EDITORS_MAX);
        // Who edits is known all the same, in the place of one who was only rejected.
        editors.order(id(7), 1, 1);
        editors.ack(id(7), ack(1));
        assert!(editors.has_had(id(7), 1) && editors.has_had(id(1), 2));
        assert!(editors.editors[&id(1)].latest.len() <= 2 * EDITS_UNANSWERED_MAX);
    }

    #[test]
    fn d7_the_editor_that_was_silent_for_longest_is_forgotten_first() {
        let mut editors = Editors::default();
        for number in 0..=EDITORS_MAX as u64 {
            editors.order(id(number), 1, number);
            editors.ack(id(number), ack(1));
        }
        assert!(!editors.has_had(id(0), 1) && editors.has_had(id(1), 1));
        assert_eq!(editors.editors.len(), EDITORS_MAX);
    }
}
