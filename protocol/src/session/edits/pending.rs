//! One's own edits that the document does not have yet, and what it shows with them. Apart from the lane, which has
//! only to know what is to be sent.

use std::collections::{BTreeSet, VecDeque};

use crate::document::{Document, Overlay};
use crate::limits::EDITS_UNANSWERED_MAX;
use crate::message::edits::{Ack, Op, OpKind, Submit};
use crate::message::{Map, Value, encoded_len};

/// Decides between one's own value of a field and another's: record, field, own value, and the other.
pub type Resolve = dyn Fn(&str, &str, &Value, &Value) -> Value + Send;

/// Edits in the order of their numbers.
#[derive(Default)]
pub(super) struct Pending {
    edits: VecDeque<PendingEdit>,
    /// What they change of the document, each whole or not at all, as the server is going to see them.
    shown: Overlay,
    /// How many lanes there were.
    lane: u32,
    resolve: Option<Box<Resolve>>,
}

#[derive(Debug)]
struct PendingEdit {
    submit: Submit,
    bytes: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// For a lane, or until fewer are unanswered.
    Waiting,
    Sent,
    /// It has this place, as was said on the lane of that number, and comes with the edits of a tick.
    Acked {
        sequence: u64,
        lane: u32,
    },
}

impl Pending {
    /// How many are not answered.
    pub(super) fn len(&self) -> usize {
        self.edits.iter().filter(|edit| edit.is_unanswered()).count()
    }

    /// The bytes of those that are not answered.
    pub(super) fn bytes(&self) -> usize {
        self.edits.iter().filter(|edit| edit.is_unanswered()).map(|edit| edit.bytes).sum()
    }

    /// The records that those are about which the document does not have, shown or not.
    pub(super) fn ids(&self) -> impl Iterator<Item = String> {
        let ops = self.edits.iter().flat_map(|edit| &edit.submit.ops);
        ops.map(|op| op.record.clone())
    }

    /// The document as it is with them.
    pub(super) fn shown(&self) -> &Overlay {
        &self.shown
    }

    pub(super) fn set_resolver(&mut self, resolve: Option<Box<Resolve>>) {
        self.resolve = resolve;
    }

    /// Adds an edit; gives the operations that take it back, if it can be shown.
    pub(super) fn push(&mut self, submit: Submit, document: Option<&Document>) -> Vec<Op> {
        let shown = document.and_then(|document| self.shown.commit(document, &submit.ops).ok());
        let bytes = encoded_len(&submit.ops);
        self.edits.push_back(PendingEdit { submit, bytes, state: State::Waiting });
        shown.unwrap_or_default()
    }

    /// The edits to be sent now: those that wait, while fewer than 64 are unanswered (D7).
    pub(super) fn take_sendable(&mut self) -> impl Iterator<Item = &Submit> {
        let unanswered = self.edits.iter_mut().filter(|edit| edit.is_unanswered());
        let waiting = unanswered.take(EDITS_UNANSWERED_MAX).filter(|e| e.state == State::Waiting);
        waiting.map(|edit| {
            edit.state = State::Sent;
            &edit.submit
        })
    }

    /// There is another lane: what was sent and not answered is to be sent again. Gives its numbers.
    pub(super) fn send_again(&mut self) -> Vec<u64> {
        self.lane += 1;
        let sent = self.edits.iter_mut().filter(|edit| edit.state == State::Sent);
        sent.map(|edit| {
            edit.state = State::Waiting;
            edit.submit.number
        })
        .collect()
    }

    /// Takes out what was sent and not answered; gives its numbers.
    pub(super) fn forget_sent(&mut self) -> Vec<u64> {
        let numbers = self.edits.iter().filter(|edit| edit.state == State::Sent);
        let numbers = numbers.map(|edit| edit.submit.number).collect();
        self.edits.retain(|edit| edit.state != State::Sent);
        numbers
    }

    /// An edit has its place; true if it had no answer before.
    pub(super) fn handle_ack(&mut self, ack: Ack) -> bool {
        let Ack { number, sequence, .. } = ack;
        let unanswered = self.edits.iter_mut().filter(|edit| edit.is_unanswered());
        let edit = unanswered.rev().find(|edit| edit.submit.number == number);
        edit.map(|edit| edit.state = State::Acked { sequence, lane: self.lane }).is_some()
    }

    /// An edit has no effect; takes it out, if it had no answer before.
    pub(super) fn handle_reject(&mut self, number: u64) -> Option<Submit> {
        let is_it = |edit: &PendingEdit| edit.is_unanswered() && edit.submit.number == number;
        let at = self.edits.iter().position(is_it)?;
        self.edits.remove(at).map(|edit| edit.submit)
    }

    /// Another's edit has come, or one's own: where fields that wait have other values now, the resolver decides.
    pub(super) fn resolve(&mut self, document: &Document, ops: &[Op]) {
        let Some(resolve) = &self.resolve else { return };
        let waiting = self.edits.iter_mut().filter(|edit| edit.state == State::Waiting);
        for own in waiting.flat_map(|edit| &mut edit.submit.ops) {
            let others = ops.iter().filter(|op| op.record == own.record);
            let fields = others.flat_map(|op| op.fields.keys()).collect::<BTreeSet<_>>();
            if own.kind == OpKind::Patch {
                let remote = document.get(&own.record);
                decide(&own.record, &mut own.fields, &fields, remote, resolve);
            }
        }
    }

    /// The document has changed: what it has is not pending any more, and the rest is laid over it anew.
    pub(super) fn rebuild(&mut self, document: &Document) {
        let place = document.sequence();
        let is_missing =
            |state| !matches!(state, State::Acked { sequence, .. } if sequence <= place);
        self.edits.retain(|edit| is_missing(edit.state));
        self.shown = Overlay::default();
        for edit in &self.edits {
            // One that the server is going to reject shows nothing until then.
            let _ = self.shown.commit(document, &edit.submit.ops);
        }
    }

    /// The document of this lane is another one: what has its place in the one before is gone with it.
    pub(super) fn forget_acked_before(&mut self) {
        let now = self.lane;
        let is_gone = |state| matches!(state, State::Acked { lane, .. } if lane < now);
        self.edits.retain(|edit| !is_gone(edit.state));
    }
}

impl PendingEdit {
    fn is_unanswered(&self) -> bool {
        !matches!(self.state, State::Acked { .. })
    }
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pending").field("edits", &self.edits).finish_non_exhaustive()
    }
}

fn decide(
    record: &str,
    own: &mut Map,
    changed: &BTreeSet<&String>,
    remote: Option<&Map>,
    resolve: &Resolve,
) {
    for (field, value) in own.iter_mut().filter(|(field, _)| changed.contains(field)) {
        let remote = remote.and_then(|fields| fields.get(field)).unwrap_or(&Value::Nil);
        if value != remote {
            *value = resolve(record, field, value, remote);
        }
    }
}
