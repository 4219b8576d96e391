//! A room's document as a member has it, and the edits that it has submitted and knows nothing of yet. Apart from the
//! room, since both outlive a connection.

use std::collections::VecDeque;

use bytes::Bytes;

use super::event::{Event, Transmit};
use crate::document::Document;
use crate::ids::{RoomHandle, Slot};
use crate::message::edits::{Edit, EditsToClient, EditsToServer, Op, Open, Snapshot, Submit};
use crate::message::{FrameBuffer, MessageError};

/// So many edits are sent and unanswered at most: no more answers does a server repeat (D7).
const EDITS_UNANSWERED_MAX: usize = 64;

/// The edits lane of a room that its member has opened, over all its connections.
#[derive(Debug)]
pub(super) struct Edits {
    /// By which the application names the room.
    room: RoomHandle,
    buffer: FrameBuffer,
    document: Option<Document>,
    /// The pages of the next one that have come.
    loading: Option<Document>,
    /// Whether the document is of an earlier epoch, and shown until there is another.
    is_stale: bool,
    /// Whether the lane is open on the present connection.
    is_open: bool,
    last_number: u64,
    /// In the order of their numbers; those that were sent are the first.
    unanswered: VecDeque<Unanswered>,
}

/// What the server knows of a member that joins again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// Its document is the one that it was, by the numbers of its edits.
    pub(super) is_same_epoch: bool,
    /// The member is the one that it was; its edits' numbers are known only in the same epoch.
    pub(super) is_resumed: bool,
}

/// An edit without an ack or a reject.
#[derive(Debug)]
struct Unanswered {
    number: u64,
    submit: Bytes,
    is_sent: bool,
}

impl Edits {
    pub(super) fn new(room: RoomHandle) -> Self {
        Self {
            room,
            buffer: FrameBuffer::default(),
            document: None,
            loading: None,
            is_stale: false,
            is_open: false,
            last_number: 0,
            unanswered: VecDeque::new(),
        }
    }

    /// The document; `None` until it is loaded.
    pub(super) fn document(&self) -> Option<&Document> {
        self.document.as_ref()
    }

    /// The bytes of edits that nothing is known of yet.
    pub(super) fn unanswered_bytes(&self) -> usize {
        self.unanswered.iter().map(|edit| edit.submit.len()).sum()
    }

    /// Submits an edit, now or once there is a lane and fewer than 64 are unanswered; returns its number.
    pub(super) fn submit(&mut self, ops: Vec<Op>, transmits: &mut VecDeque<Transmit>) -> u64 {
        self.last_number += 1;
        let number = self.last_number;
        let submit = EditsToServer::Submit(Submit { number, ops }).encode();
        self.unanswered.push_back(Unanswered { number, submit, is_sent: false });
        self.send_waiting(transmits);
        number
    }

    /// Opens the lane on a connection, for a member that the server calls so: for the edits since the last one, if that
    /// is of the same epoch (D3). What was sent before and not answered is sent again if the server knows the numbers
    /// (D7); else nobody knows what became of it.
    pub(super) fn open(
        &mut self,
        (wire, slot): (RoomHandle, Slot),
        known: Known,
        transmits: &mut VecDeque<Transmit>,
        events: &mut VecDeque<Event>,
    ) {
        self.is_open = true;
        self.is_stale |= !known.is_same_epoch;
        let after = self.current().map(|document| document.sequence());
        let open = EditsToServer::Open(Open { room: wire, slot, after });
        transmits.push_back(Transmit::Edits(self.room, open.encode()));
        if !(known.is_resumed && known.is_same_epoch) {
            let room = self.room;
            let lost = self.unanswered.iter().filter(|edit| edit.is_sent);
            events.extend(lost.map(|edit| Event::EditUnanswered { room, number: edit.number }));
            self.unanswered.retain(|edit| !edit.is_sent);
        }
        for edit in &mut self.unanswered {
            edit.is_sent = false;
        }
        self.send_waiting(transmits);
    }

    /// Sends what waits for a lane and for answers to what was sent: a server repeats the latest answers alone (D7).
    fn send_waiting(&mut self, transmits: &mut VecDeque<Transmit>) {
        if !self.is_open {
            return;
        }
        for edit in self.unanswered.iter_mut().take(EDITS_UNANSWERED_MAX).filter(|e| !e.is_sent) {
            edit.is_sent = true;
            transmits.push_back(Transmit::Edits(self.room, edit.submit.clone()));
        }
    }

    /// The document that the server's next edits are for.
    fn current(&mut self) -> Option<&mut Document> {
        self.document.as_mut().filter(|_| !self.is_stale)
    }

    /// The connection is gone.
    pub(super) fn close(&mut self) {
        self.is_open = false;
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
        self.send_waiting(transmits);
        Ok(())
    }

    fn handle_message(&mut self, message: EditsToClient, events: &mut VecDeque<Event>) {
        let room = self.room;
        match message {
            EditsToClient::Snapshot(page) => self.handle_snapshot(page, events),
            EditsToClient::Edits(batch) => {
                let is_loading = self.loading.is_some();
                for Edit { sequence, ops, .. } in batch.edits {
                    let document = if is_loading { self.loading.as_mut() } else { self.current() };
                    // What the snapshot has comes again if it was under way, and may come before its first page.
                    let Some(document) = document.filter(|d| d.sequence() + 1 == sequence) else {
                        continue;
                    };
                    document.apply(sequence, &ops);
                    if !is_loading {
                        events.push_back(Event::DocumentChanged { room, sequence });
                    }
                }
            }
            EditsToClient::Ack(ack) => {
                if self.handle_answer(ack.number) {
                    events.push_back(Event::EditAcked { room, ack });
                }
            }
            EditsToClient::Reject(reject) => {
                if self.handle_answer(reject.number) {
                    events.push_back(Event::EditRejected { room, reject });
                }
            }
        }
    }

    /// Whether this is the first answer to a number: one may come again (D7).
    fn handle_answer(&mut self, number: u64) -> bool {
        let before = self.unanswered.len();
        self.unanswered.retain(|edit| edit.number != number);
        self.unanswered.len() != before
    }

    fn handle_snapshot(&mut self, page: Snapshot, events: &mut VecDeque<Event>) {
        let (more, first) = (page.more, self.loading.is_none());
        let mut document = self.loading.take().unwrap_or_default();
        document.load(page, first);
        if more {
            self.loading = Some(document);
        } else {
            self.document = Some(document);
            self.is_stale = false;
            events.push_back(Event::DocumentLoaded { room: self.room });
        }
    }
}
