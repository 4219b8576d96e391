//! A room's document as a member has it, and the edits that it has submitted and knows nothing of yet. Apart from the
//! room, since both outlive a connection.

use std::collections::VecDeque;

use bytes::Bytes;

use super::event::{Event, Transmit};
use crate::document::Document;
use crate::ids::{RoomHandle, Slot};
use crate::message::edits::{EditsToClient, EditsToServer, Op, Open, Snapshot, Submit};
use crate::message::{FrameBuffer, MessageError};

/// The edits lane of a room that its member has opened, over all its connections.
#[derive(Debug)]
pub(super) struct Edits {
    /// By which the application names the room.
    room: RoomHandle,
    buffer: FrameBuffer,
    document: Document,
    loaded: bool,
    loading: bool,
    /// Whether the lane is open on the present connection.
    is_open: bool,
    last_number: u64,
    unanswered: VecDeque<Unanswered>,
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
            document: Document::default(),
            loaded: false,
            loading: false,
            is_open: false,
            last_number: 0,
            unanswered: VecDeque::new(),
        }
    }

    /// The document; `None` until it is loaded.
    pub(super) fn document(&self) -> Option<&Document> {
        self.loaded.then_some(&self.document)
    }

    /// The bytes of edits that nothing is known of yet.
    pub(super) fn unanswered_bytes(&self) -> usize {
        self.unanswered.iter().map(|edit| edit.submit.len()).sum()
    }

    /// Submits an edit, now or once there is a lane; returns its number.
    pub(super) fn submit(&mut self, ops: Vec<Op>, transmits: &mut VecDeque<Transmit>) -> u64 {
        self.last_number += 1;
        let number = self.last_number;
        let submit = EditsToServer::Submit(Submit { number, ops }).encode();
        if self.is_open {
            transmits.push_back(Transmit::Edits(self.room, submit.clone()));
        }
        self.unanswered.push_back(Unanswered { number, submit, is_sent: self.is_open });
        number
    }

    /// Opens the lane on a connection, for a member that the server calls so. What was sent before and not answered is
    /// sent again if the server has `resumed` the member, which knows the numbers (D7); else nobody knows what became
    /// of it.
    pub(super) fn open(
        &mut self,
        (wire, slot): (RoomHandle, Slot),
        resumed: bool,
        transmits: &mut VecDeque<Transmit>,
        events: &mut VecDeque<Event>,
    ) {
        self.is_open = true;
        let after = self.loaded.then(|| self.document.sequence());
        let open = EditsToServer::Open(Open { room: wire, slot, after });
        transmits.push_back(Transmit::Edits(self.room, open.encode()));
        if !resumed {
            let room = self.room;
            let lost = self.unanswered.iter().filter(|edit| edit.is_sent);
            events.extend(lost.map(|edit| Event::EditUnanswered { room, number: edit.number }));
            self.unanswered.retain(|edit| !edit.is_sent);
        }
        for edit in &mut self.unanswered {
            edit.is_sent = true;
            transmits.push_back(Transmit::Edits(self.room, edit.submit.clone()));
        }
    }

    /// The connection is gone.
    pub(super) fn close(&mut self) {
        self.is_open = false;
        self.buffer = FrameBuffer::default();
        // A snapshot that came in part is none.
        self.loaded &= !self.loading;
        self.loading = false;
    }

    /// Takes the next bytes of the lane.
    pub(super) fn handle_chunk(
        &mut self,
        chunk: &[u8],
        events: &mut VecDeque<Event>,
    ) -> Result<(), MessageError> {
        self.buffer.push(chunk);
        while let Some(message) = self.buffer.pop()? {
            if let Some(message) = EditsToClient::decode(&message)? {
                self.handle_message(message, events);
            }
        }
        Ok(())
    }

    fn handle_message(&mut self, message: EditsToClient, events: &mut VecDeque<Event>) {
        let room = self.room;
        match message {
            EditsToClient::Snapshot(page) => self.handle_snapshot(page, events),
            EditsToClient::Edits(batch) => {
                for edit in batch.edits {
                    // What the snapshot has comes again if it was under way, and may come before its first page.
                    let has_begun = self.loaded || self.loading;
                    if has_begun && edit.sequence == self.document.sequence() + 1 {
                        self.document.apply(edit.sequence, &edit.ops);
                        let sequence = edit.sequence;
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
        let more = page.more;
        self.document.load(page, !self.loading);
        self.loading = more;
        if !more {
            self.loaded = true;
            events.push_back(Event::DocumentLoaded { room: self.room });
        }
    }
}
