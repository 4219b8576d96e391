//! An editor: a client's session, over one connection after the other, and what became of each of its edits.

use std::collections::BTreeMap;

use bytes::Bytes;
use hither_protocol::message::control::Hello;
use hither_protocol::message::edits::{Op, OpKind};
use hither_protocol::message::{Map, Value};
use hither_protocol::session::{Event, Session, Transmit};
use hither_protocol::{EditorId, RoomHandle, Timestamp};
use rand::RngExt;
use rand::rngs::StdRng;

use crate::host::{Lane, NAME};

/// What became of an edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// At this place, and known so at this time.
    Acked(u64, Timestamp),
    Rejected,
    Unanswered,
}

/// A person with a client.
pub(crate) struct Editor {
    pub(crate) id: EditorId,
    pub(crate) session: Session,
    pub(crate) room: Option<RoomHandle>,
    pub(crate) is_connected: bool,
    /// By number: when it was submitted.
    pub(crate) submitted: BTreeMap<u64, Timestamp>,
    pub(crate) fates: BTreeMap<u64, Fate>,
    /// Edits that were answered twice.
    pub(crate) twice: usize,
    /// The places of all edits that it was told, one document after the other.
    pub(crate) told: Vec<u64>,
    pub(crate) undone: usize,
    in_group: bool,
}

impl Editor {
    pub(crate) fn new(number: usize) -> Self {
        let id = EditorId((number as u128 + 1).to_be_bytes());
        let mut session = Session::new(Hello::default(), id);
        session.enter(NAME.parse().expect("a name"), Map::new(), None);
        Self {
            id,
            session,
            room: None,
            is_connected: true,
            submitted: BTreeMap::new(),
            fates: BTreeMap::new(),
            twice: 0,
            told: Vec::new(),
            undone: 0,
            in_group: false,
        }
    }

    pub(crate) fn disconnect(&mut self, now: Timestamp) {
        self.is_connected = false;
        self.session.handle_disconnected();
        self.take_events(now);
    }

    pub(crate) fn connect(&mut self) {
        self.is_connected = true;
        self.session.begin_again(None);
    }

    pub(crate) fn handle(&mut self, now: Timestamp, lane: Lane, bytes: &[u8]) {
        let handled = match (lane, self.room) {
            (Lane::Control, _) => self.session.handle_control(now, bytes),
            (Lane::Edits, Some(room)) => self.session.handle_edits(room, bytes),
            (Lane::Edits, None) => return,
        };
        handled.expect("a server keeps to the protocol");
        self.take_events(now);
    }

    /// What is to be sent.
    pub(crate) fn sendings(&mut self, now: Timestamp) -> Vec<(Lane, Bytes)> {
        let mut sendings = Vec::new();
        while let Some(transmit) = self.session.poll_transmit(now) {
            match transmit {
                Transmit::Control(bytes) => sendings.push((Lane::Control, bytes)),
                Transmit::Edits(_, bytes) => sendings.push((Lane::Edits, bytes)),
                Transmit::Datagram(_) | Transmit::CloseEdits(_) => {}
            }
        }
        sendings
    }

    /// Does something to the document.
    pub(crate) fn act(&mut self, now: Timestamp, rng: &mut StdRng) {
        let Some(room) = self.room else { return };
        match rng.random_range(0..20) {
            0 | 1 => {
                let numbers = self.session.undo(room).unwrap_or_default();
                self.undone += usize::from(!numbers.is_empty());
                self.submitted.extend(numbers.into_iter().map(|number| (number, now)));
            }
            2 => {
                let numbers = self.session.redo(room).unwrap_or_default();
                self.submitted.extend(numbers.into_iter().map(|number| (number, now)));
            }
            3 => {
                self.in_group = !self.in_group;
                match self.in_group {
                    true => self.session.begin_group(room),
                    false => self.session.end_group(room),
                }
            }
            _ => {
                let count = if rng.random_bool(0.2) { rng.random_range(2..5) } else { 1 };
                let ops = (0..count).map(|_| self.op(room, rng)).collect();
                let number = self.session.submit(room, ops).expect("it is in the room");
                self.submitted.insert(number, now);
            }
        }
        self.take_events(now);
    }

    fn op(&self, room: RoomHandle, rng: &mut StdRng) -> Op {
        let record = format!("r{}", rng.random_range(0..6));
        let kinds = [OpKind::Put, OpKind::Patch, OpKind::Patch, OpKind::Increment, OpKind::Remove];
        let kind = kinds[rng.random_range(0..kinds.len())];
        let name = format!("f{}", rng.random_range(0..3));
        // Now and then a 13, which the room's rules do not like.
        let value = Value::Int(rng.random_range(0..40));
        let fields = match kind {
            OpKind::Remove => Map::new(),
            OpKind::Patch if rng.random_bool(0.2) => Map::from([(name, Value::Nil)]),
            _ => Map::from([(name, value)]),
        };
        let records = self.session.room(room).and_then(|room| room.records());
        let version = records.and_then(|records| records.version(&record)).unwrap_or(0);
        let if_version = rng.random_bool(0.15).then_some(version);
        Op { if_version, ..Op::new(kind, record, fields) }
    }

    fn take_events(&mut self, now: Timestamp) {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Entered { room, .. } => {
                    if self.room.is_none() {
                        self.session.open_document(room);
                    }
                    self.room = Some(room);
                }
                Event::EditAcked { ack, .. } => {
                    self.settle(ack.number, Fate::Acked(ack.sequence, now));
                }
                Event::EditRejected { reject, .. } => self.settle(reject.number, Fate::Rejected),
                Event::EditUnanswered { number, .. } => self.settle(number, Fate::Unanswered),
                Event::Edited { edit, .. } => self.told.push(edit.sequence),
                Event::DocumentLoaded { .. } => self.told.clear(),
                _ => {}
            }
        }
    }

    fn settle(&mut self, number: u64, fate: Fate) {
        self.twice += usize::from(self.fates.insert(number, fate).is_some());
    }
}
