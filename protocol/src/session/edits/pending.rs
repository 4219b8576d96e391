//! One's own edits that the document does not have yet, and what it shows with them. Apart from the lane, which has
//! only to know what is to be sent.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use crate::document::{Document, Overlay};
use crate::limits::{EDITOR_MS, EDITS_UNANSWERED_MAX, RECORD_BYTES_MAX};
use crate::message::edits::{Ack, EditsToServer, Op, OpKind, Submit};
use crate::message::{FrameBuffer, Value, encoded_len};
use crate::time::Timestamp;

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
    /// When it went to the server first: from then on it may have its effect.
    sent_at: Option<Timestamp>,
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
        self.edits.push_back(PendingEdit { submit, bytes, state: State::Waiting, sent_at: None });
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

    /// What was to be sent goes now.
    pub(super) fn handle_transmit(&mut self, now: Timestamp) {
        for edit in self.edits.iter_mut().take_while(|edit| edit.state != State::Waiting) {
            edit.sent_at.get_or_insert(now);
        }
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

    /// Takes out those that were sent so long ago that nobody knows what became of them (D7); gives their numbers.
    pub(super) fn forget_old(&mut self, now: Timestamp) -> Vec<u64> {
        let is_old = |edit: &PendingEdit| {
            let age = edit.sent_at.map_or(Duration::ZERO, |at| now.since(at));
            edit.is_unanswered() && age >= Duration::from_millis(EDITOR_MS)
        };
        let old = self.edits.iter().filter(|edit| is_old(edit));
        let numbers = old.map(|edit| edit.submit.number).collect();
        self.edits.retain(|edit| !is_old(edit));
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

    /// The document's last edit has come, with these operations. If it is another's, the resolver decides where fields
    /// that wait have other values now. One's own says nothing new: what waits was made knowing it.
    pub(super) fn resolve(&mut self, document: &Document, ops: &[Op]) {
        let place = document.sequence();
        let is_it = |state| matches!(state, State::Acked { sequence, .. } if sequence == place);
        let Some(resolve) = &self.resolve else { return };
        if self.edits.iter().any(|own| is_it(own.state)) {
            return;
        }
        for own in self.edits.iter_mut().filter(|own| own.state == State::Waiting) {
            let mut submit = own.submit.clone();
            for op in submit.ops.iter_mut().filter(|op| op.kind == OpKind::Patch) {
                decide(op, ops, document, resolve);
            }
            if submit != own.submit && is_sendable(&submit) {
                own.bytes = encoded_len(&submit.ops);
                own.submit = submit;
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

/// Has the resolver decide for the fields of an own patch that the operations of others have named.
fn decide(own: &mut Op, others: &[Op], document: &Document, resolve: &Resolve) {
    let others = others.iter().filter(|op| op.record == own.record);
    let changed = others.flat_map(|op| op.fields.keys()).collect::<BTreeSet<_>>();
    let remote = document.get(&own.record);
    for (field, value) in own.fields.iter_mut().filter(|(field, _)| changed.contains(field)) {
        let remote = remote.and_then(|fields| fields.get(field)).unwrap_or(&Value::Nil);
        if value != remote {
            *value = resolve(&own.record, field, value, remote);
        }
    }
}

/// Whether the server takes an edit for one: what a resolver makes up may be too large, or too deep.
fn is_sendable(submit: &Submit) -> bool {
    let mut lane = FrameBuffer::default();
    lane.push(&EditsToServer::Submit(submit.clone()).encode());
    let message = lane.pop().ok().flatten();
    encoded_len(&submit.ops) <= RECORD_BYTES_MAX
        && message.is_some_and(|message| EditsToServer::decode(&message).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;
    use crate::message::Map;

    /// One's own edit of a field, which waits, and a resolver that gives what `answer` makes of both values.
    struct Stage {
        document: Document,
        pending: Pending,
    }

    impl Stage {
        fn new(answer: impl Fn(&Value, &Value) -> Value + Send + 'static) -> Self {
            let mut stage = Self { document: Document::default(), pending: Pending::default() };
            stage.document.apply(1, &[op(OpKind::Put, "first")]);
            stage.pending.set_resolver(Some(Box::new(move |_, _, own, other| answer(own, other))));
            stage.push(1, "mine");
            stage
        }

        fn push(&mut self, number: u64, value: &str) {
            let submit = Submit { number, ops: vec![op(OpKind::Patch, value)] };
            self.pending.push(submit, Some(&self.document));
        }

        fn hear(&mut self, value: &str) {
            let (sequence, ops) = (self.document.sequence() + 1, [op(OpKind::Patch, value)]);
            self.document.apply(sequence, &ops);
            self.pending.resolve(&self.document, &ops);
            self.pending.rebuild(&self.document);
        }

        fn shown(&self) -> Option<&Value> {
            self.pending.shown().get(&self.document, "r")?.get("f")
        }
    }

    fn op(kind: OpKind, value: &str) -> Op {
        Op::new(kind, "r", Map::from([("f".into(), text(value))]))
    }

    fn text(value: &str) -> Value {
        Value::String(value.into())
    }

    #[test]
    fn the_resolver_decides_between_what_waits_and_what_comes_from_others() {
        let both = |own: &Value, other: &Value| match (own, other) {
            (Value::String(own), Value::String(other)) => text(&format!("{other}+{own}")),
            _ => Value::Nil,
        };
        let mut stage = Stage::new(both);
        stage.hear("theirs");
        assert_eq!(stage.shown(), Some(&text("theirs+mine")));
        stage.hear("theirs+mine");
        assert_eq!(stage.shown(), Some(&text("theirs+mine")), "it is the same already");
        let sent: Vec<_> = stage.pending.take_sendable().cloned().collect();
        assert_eq!(sent[0].ops, [op(OpKind::Patch, "theirs+mine")]);
        stage.hear("late");
        assert_eq!(stage.shown(), Some(&text("theirs+mine")), "what was sent stays as it was");
    }

    #[test]
    fn the_resolver_is_not_asked_about_what_one_has_done_oneself() {
        let mut stage = Stage::new(|_, other| other.clone());
        assert_eq!(stage.pending.take_sendable().count(), 1);
        stage.push(2, "later");
        stage.pending.handle_ack(Ack { number: 1, sequence: 2, time_ms: 0 });
        stage.hear("mine");
        assert_eq!(stage.shown(), Some(&text("later")));
    }

    // proves D2
    #[test]
    fn a_resolver_decides_for_nothing_that_an_edit_has_no_place_for() {
        let deep = (0..20).fold(Value::Nil, |inner, _| Value::Array(vec![inner]));
        for answer in [text(&"x".repeat(RECORD_BYTES_MAX)), deep, Value::Int(1 << 60)] {
            let mut stage = Stage::new(move |_, _| answer.clone());
            stage.hear("theirs");
            assert_eq!(stage.shown(), Some(&text("mine")));
        }
    }
}
