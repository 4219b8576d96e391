//! A room's document as a member has it: what is confirmed, its own edits on top of that, and the lane that carries
//! both. Apart from the room, since all but the lane outlives a connection.

mod pending;
mod undo;

pub use pending::Resolve;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::event::{Event, Transmit};
use crate::document::{Document, Overlay};
use crate::ids::{EditorId, RoomHandle, Slot};
use crate::limits::{EDIT_OPS_MAX, RECORD_BYTES_MAX};
use crate::message::edits::{
    AskHistory, Edit, EditsToClient, EditsToServer, History, Op, OpKind, Open, Snapshot, Submit,
};
use crate::message::{FrameBuffer, Map, MessageError, Refusal, encoded_len};
use crate::time::Timestamp;
use pending::Pending;
use undo::Undo;
pub(super) use undo::Way;

/// How long a client waits before it opens a lane again that the server has ended.
const REOPEN_AFTER: Duration = Duration::from_secs(1);

/// The document of a room that its member has opened, over all its connections.
#[derive(Debug)]
pub(super) struct Edits {
    /// By which the application names the room.
    room: RoomHandle,
    editor: EditorId,
    buffer: FrameBuffer,
    /// As the server has it.
    document: Option<Document>,
    /// The pages of the next one that have come.
    loading: Option<Document>,
    /// Whether the lane is open on the present connection.
    is_open: bool,
    /// When it is to be opened again, if the server has ended it.
    reopen_at: Option<Timestamp>,
    /// What was asked of the lane and not answered.
    asked: Vec<u32>,
    pending: Pending,
    undo: Undo,
}

/// A document as it is shown: what the server has, and one's own edits that it does not have yet.
#[derive(Clone, Copy, Debug)]
pub struct Records<'a> {
    document: &'a Document,
    shown: &'a Overlay,
}

impl<'a> Records<'a> {
    /// A record's fields.
    pub fn get(&self, id: &str) -> Option<&'a Map> {
        self.shown.get(self.document, id)
    }

    /// All records, an id and fields each, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a Map)> + use<'a> {
        self.shown.records(self.document)
    }

    /// The number of the edit that changed a record last, as far as the server has said: for conditions. `None` if the
    /// server has no such record.
    pub fn version(&self, id: &str) -> Option<u64> {
        self.document.version(id)
    }

    /// As the server has them.
    pub fn confirmed(&self) -> &'a Document {
        self.document
    }
}

impl Edits {
    pub(super) fn new(room: RoomHandle, editor: EditorId) -> Self {
        Self {
            room,
            editor,
            buffer: FrameBuffer::default(),
            document: None,
            loading: None,
            is_open: false,
            reopen_at: None,
            asked: Vec::new(),
            pending: Pending::default(),
            undo: Undo::default(),
        }
    }

    /// What is shown; `None` until the document is loaded.
    pub(super) fn records(&self) -> Option<Records<'_>> {
        let document = self.document.as_ref()?;
        Some(Records { document, shown: self.pending.shown() })
    }

    /// How many edits are not answered.
    pub(super) fn unanswered(&self) -> usize {
        self.pending.len()
    }

    /// The bytes of edits that are not answered.
    pub(super) fn unanswered_bytes(&self) -> usize {
        self.pending.bytes()
    }

    pub(super) fn undo(&mut self) -> &mut Undo {
        &mut self.undo
    }

    pub(super) fn can(&self, way: Way) -> bool {
        self.undo.can(way)
    }

    pub(super) fn set_resolver(&mut self, resolve: Option<Box<Resolve>>) {
        self.pending.set_resolver(resolve);
    }

    /// Submits an edit under a number, now or once there is a lane and fewer than 64 are unanswered. It is shown at
    /// once.
    pub(super) fn submit(
        &mut self,
        number: u64,
        ops: Vec<Op>,
        transmits: &mut VecDeque<Transmit>,
        events: &mut VecDeque<Event>,
    ) {
        let inverse = self.push(number, ops, transmits, events);
        self.undo.remember(Way::Do, vec![(number, inverse)]);
    }

    /// Asks for earlier edits; false if there is no lane. They are answered, if only by the lane's end.
    pub(super) fn ask_history(
        &mut self,
        ask: AskHistory,
        transmits: &mut VecDeque<Transmit>,
    ) -> bool {
        if self.is_open {
            self.asked.push(ask.request);
            transmits.push_back(Transmit::Edits(self.room, EditsToServer::History(ask).encode()));
        }
        self.is_open
    }

    /// Undoes, or redoes, the last group by edits of its own, whose numbers `next_number` gives; returns these, or
    /// nothing if there is no group. What would be done to a record that somebody has removed is left out.
    pub(super) fn go(
        &mut self,
        way: Way,
        mut next_number: impl FnMut() -> u64,
        transmits: &mut VecDeque<Transmit>,
        events: &mut VecDeque<Event>,
    ) -> Option<Vec<u64>> {
        let ops = self.undo.take(way)?;
        let mut steps = Vec::new();
        for ops in in_edits(self.without_missing(ops)) {
            let number = next_number();
            steps.push((number, self.push(number, ops, transmits, events)));
        }
        let numbers = steps.iter().map(|(number, _)| *number).collect();
        self.undo.remember(way, steps);
        Some(numbers)
    }

    /// Opens the lane on a connection, for a member that the server calls so: for the edits since the last one (D3).
    pub(super) fn open(
        &mut self,
        (wire, slot): (RoomHandle, Slot),
        transmits: &mut VecDeque<Transmit>,
    ) {
        self.is_open = true;
        self.reopen_at = None;
        let after = self.document.as_ref().map(Document::place);
        let unanswered = self.pending.send_again();
        let open = Open { room: wire, slot, editor: self.editor, after, unanswered };
        transmits.push_back(Transmit::Edits(self.room, EditsToServer::Open(open).encode()));
        self.send(transmits);
    }

    /// Opens another lane: what was sent and not answered is sent again, unless that is too long ago (D7).
    pub(super) fn open_again(
        &mut self,
        now: Timestamp,
        member: (RoomHandle, Slot),
        transmits: &mut VecDeque<Transmit>,
        events: &mut VecDeque<Event>,
    ) {
        let room = self.room;
        let ids = self.pending.ids().collect();
        for number in self.pending.forget_old(now) {
            self.undo.forget(number);
            events.push_back(Event::EditUnanswered { room, number });
        }
        self.change(ids, events, |edits, _| edits.rebuild());
        self.open(member, transmits);
    }

    /// What was said on the lane goes to the server now.
    pub(super) fn handle_transmit(&mut self, now: Timestamp) {
        self.pending.handle_transmit(now);
    }

    /// The server has ended the lane alone: it can't have the document now (D1).
    pub(super) fn handle_ended(&mut self, now: Timestamp, events: &mut VecDeque<Event>) {
        self.close(events);
        self.reopen_at = Some(now + REOPEN_AFTER);
    }

    /// When the lane is to be opened again.
    pub(super) fn reopen_at(&self) -> Option<Timestamp> {
        self.reopen_at
    }

    /// The connection is gone.
    pub(super) fn close(&mut self, events: &mut VecDeque<Event>) {
        let room = self.room;
        for request in self.asked.drain(..) {
            let refused = Some(Refusal::Unavailable);
            let history = History { request, refused, ..History::default() };
            events.push_back(Event::History { room, history });
        }
        self.is_open = false;
        self.reopen_at = None;
        self.buffer = FrameBuffer::default();
        // A snapshot that came in part is none.
        self.loading = None;
    }

    /// Takes the next bytes of the lane.
    pub(super) fn handle_chunk(
        &mut self,
        chunk: &[u8],
        transmits: &mut VecDeque<Transmit>,
        events: &mut VecDeque<Event>,
    ) -> Result<(), MessageError> {
        self.buffer.push(chunk);
        while let Some(message) = self.buffer.pop()? {
            if let Some(message) = EditsToClient::decode(&message)? {
                self.handle_message(message, events);
            }
        }
        self.send(transmits);
        Ok(())
    }

    fn push(
        &mut self,
        number: u64,
        ops: Vec<Op>,
        transmits: &mut VecDeque<Transmit>,
        events: &mut VecDeque<Event>,
    ) -> Vec<Op> {
        let inverse = self.change(ids(&ops), events, |edits, _| {
            edits.pending.push(Submit { number, ops }, edits.document.as_ref())
        });
        self.send(transmits);
        inverse
    }

    fn send(&mut self, transmits: &mut VecDeque<Transmit>) {
        if !self.is_open {
            return;
        }
        let submits = self.pending.take_sendable().map(|submit| {
            Transmit::Edits(self.room, EditsToServer::Submit(submit.clone()).encode())
        });
        transmits.extend(submits);
    }

    fn without_missing(&self, ops: Vec<Op>) -> Vec<Op> {
        let Some(records) = self.records() else { return ops };
        let mut there = BTreeSet::new();
        let is_possible = |op: &Op| match op.kind {
            OpKind::Put => {
                there.insert(op.record.clone());
                true
            }
            OpKind::Remove => true,
            OpKind::Patch | OpKind::Increment => {
                there.contains(&op.record) || records.get(&op.record).is_some()
            }
        };
        ops.into_iter().filter(is_possible).collect()
    }

    fn handle_message(&mut self, message: EditsToClient, events: &mut VecDeque<Event>) {
        let room = self.room;
        match message {
            EditsToClient::Snapshot(page) => self.handle_snapshot(page, events),
            EditsToClient::Edits(batch) => self.handle_edits(batch.edits, events),
            EditsToClient::Ack(ack) => {
                if self.pending.handle_ack(ack) {
                    events.push_back(Event::EditAcked { room, ack });
                }
            }
            EditsToClient::History(history) => {
                self.asked.retain(|request| *request != history.request);
                events.push_back(Event::History { room, history });
            }
            EditsToClient::Reject(reject) => {
                let number = reject.number;
                let Some(submit) = self.pending.handle_reject(number) else { return };
                self.undo.forget(number);
                events.push_back(Event::EditRejected { room, reject });
                self.change(ids(&submit.ops), events, |edits, _| edits.rebuild());
            }
        }
    }

    fn handle_edits(&mut self, batch: Vec<Edit>, events: &mut VecDeque<Event>) {
        if let Some(loading) = &mut self.loading {
            for edit in batch {
                if edit.sequence == loading.sequence() + 1 {
                    loading.apply(edit.sequence, &edit.ops);
                }
            }
            return;
        }
        let changed = batch.iter().flat_map(|edit| ids(&edit.ops)).collect();
        self.change(changed, events, |edits, events| {
            let Some(document) = &mut edits.document else { return };
            for edit in batch {
                // What the snapshot has comes again if it was under way.
                if edit.sequence == document.sequence() + 1 {
                    document.apply(edit.sequence, &edit.ops);
                    edits.pending.resolve(document, &edit.ops);
                    events.push_back(Event::Edited { room: edits.room, edit });
                }
            }
            edits.rebuild();
        });
    }

    fn handle_snapshot(&mut self, page: Snapshot, events: &mut VecDeque<Event>) {
        let (more, first) = (page.more, self.loading.is_none());
        let mut document = self.loading.take().unwrap_or_default();
        document.load(page, first);
        if more {
            self.loading = Some(document);
            return;
        }
        if self.document.as_ref().is_some_and(|old| old.id() != document.id()) {
            self.pending.forget_acked_before();
        }
        self.document = Some(document);
        self.rebuild();
        events.push_back(Event::DocumentLoaded { room: self.room });
    }

    fn rebuild(&mut self) {
        if let Some(document) = &self.document {
            self.pending.rebuild(document);
        }
    }

    /// Changes records with these ids, and tells which of them, and of those with own edits, are shown otherwise then:
    /// what comes may make an own edit possible that was not.
    fn change<T>(
        &mut self,
        mut ids: BTreeSet<String>,
        events: &mut VecDeque<Event>,
        act: impl FnOnce(&mut Self, &mut VecDeque<Event>) -> T,
    ) -> T {
        ids.extend(self.pending.ids());
        let before: Vec<_> = ids.iter().map(|id| self.fields(id)).collect();
        let done = act(self, events);
        let is_changed = |(id, before): &(String, _)| self.fields(id) != *before;
        let changed = ids.into_iter().zip(before).filter(is_changed).map(|(id, _)| id);
        let records: Vec<String> = changed.collect();
        if !records.is_empty() {
            events.push_back(Event::RecordsChanged { room: self.room, records });
        }
        done
    }

    fn fields(&self, id: &str) -> Option<Arc<Map>> {
        self.pending.shown().share(self.document.as_ref()?, id)
    }
}

/// The records that operations are about.
fn ids(ops: &[Op]) -> BTreeSet<String> {
    ops.iter().map(|op| op.record.clone()).collect()
}

/// Operations as edits that are not too large (D2).
fn in_edits(ops: Vec<Op>) -> Vec<Vec<Op>> {
    let mut edits: Vec<Vec<Op>> = Vec::new();
    let mut bytes = 0;
    for op in ops {
        let len = encoded_len(&op);
        // The list's own head has three bytes.
        let fits =
            |edit: &&mut Vec<Op>| edit.len() < EDIT_OPS_MAX && bytes + len < RECORD_BYTES_MAX;
        match edits.last_mut().filter(fits) {
            Some(edit) => {
                edit.push(op);
                bytes += len;
            }
            None => {
                edits.push(vec![op]);
                bytes = 3 + len;
            }
        }
    }
    edits
}
