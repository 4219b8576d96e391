//! The server of one room: core's room, and a store that makes edits durable later, keeps them for a while, or loses
//! with the process what it has not made durable.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use hither_core::room::{LoggedEdit, SavedDocument};
use hither_core::{
    NewMember, Output, Proposal, Recipient, Room, RoomId, RoomPolicy, SessionId, Validator,
};
use hither_protocol::message::control::{ToClient, ToServer, User, Welcome};
use hither_protocol::message::edits::EditsToServer;
use hither_protocol::message::{FrameBuffer, Rights, Value};
use hither_protocol::{DocumentId, Epoch, RoomHandle, Slot, Timestamp};

use crate::world::Fault;

pub(crate) const NAME: &str = "sim:room";
const HANDLE: RoomHandle = RoomHandle(1);

/// A lane of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    Control,
    Edits,
}

/// The server.
pub(crate) struct Host {
    room: Room,
    fault: Option<Fault>,
    epoch: u64,
    connections: BTreeMap<usize, Connection>,
    /// What is durable, in the order of the room.
    pub(crate) log: Vec<LoggedEdit>,
    /// What the store was given and has not made durable.
    pub(crate) waiting: VecDeque<LoggedEdit>,
    pub(crate) is_store_up: bool,
    /// What is to be sent, by the editor's number.
    pub(crate) sendings: Vec<(usize, Lane, Bytes)>,
}

struct Connection {
    slot: Option<Slot>,
    control: FrameBuffer,
    edits: FrameBuffer,
    has_lane: bool,
}

impl Host {
    pub(crate) fn new(now: Timestamp, fault: Option<Fault>) -> Self {
        let (log, waiting) = (Vec::new(), VecDeque::new());
        let (room, connections) = (room(now, 1), BTreeMap::new());
        let (sendings, is_store_up) = (Vec::new(), true);
        let mut host =
            Self { room, fault, epoch: 1, connections, log, waiting, is_store_up, sendings };
        host.room.handle_loaded(host.saved());
        host
    }

    /// The document that a store has after so many edits.
    pub(crate) fn saved(&self) -> SavedDocument {
        let mut saved = SavedDocument::new(DocumentId(7));
        self.log.iter().cloned().for_each(|logged| saved.apply(logged));
        if self.fault == Some(Fault::ForgetsEditors) {
            saved.editors = Default::default();
        }
        saved
    }

    /// The process is killed and started again: what is not durable is gone.
    pub(crate) fn restart(&mut self, now: Timestamp) {
        self.waiting.clear();
        self.connections.clear();
        self.sendings.clear();
        self.epoch += 1;
        self.room = room(now, self.epoch);
        self.room.handle_loaded(self.saved());
    }

    pub(crate) fn connect(&mut self, editor: usize) {
        let (control, edits) = (FrameBuffer::default(), FrameBuffer::default());
        let connection = Connection { slot: None, control, edits, has_lane: false };
        self.connections.insert(editor, connection);
    }

    pub(crate) fn lose(&mut self, now: Timestamp, editor: usize) {
        let connection = self.connections.remove(&editor);
        if let Some(slot) = connection.and_then(|connection| connection.slot) {
            self.room.handle_lost(slot, now);
            self.drain();
        }
    }

    pub(crate) fn handle(&mut self, now: Timestamp, editor: usize, lane: Lane, bytes: &[u8]) {
        let Some(connection) = self.connections.get_mut(&editor) else { return };
        let buffer = match lane {
            Lane::Control => &mut connection.control,
            Lane::Edits => &mut connection.edits,
        };
        buffer.push(bytes);
        let mut messages = Vec::new();
        while let Some(message) = buffer.pop().expect("a client keeps to the protocol") {
            messages.push(message);
        }
        for message in messages {
            match lane {
                Lane::Control => self.handle_control(now, editor, &message),
                Lane::Edits => self.handle_edits(now, editor, &message),
            }
            self.drain();
        }
    }

    fn handle_control(&mut self, now: Timestamp, editor: usize, message: &[u8]) {
        match ToServer::decode(message).expect("a client keeps to the protocol") {
            Some(ToServer::Hello(_)) => {
                let user = User { id: format!("user-{editor}"), name: None };
                let welcome = Welcome { version: 1, user, ..Welcome::default() };
                self.sendings.push((editor, Lane::Control, ToClient::Welcome(welcome).encode()));
            }
            Some(ToServer::Join(join)) => {
                let member = NewMember {
                    user: User { id: format!("user-{editor}"), name: None },
                    rights: Rights::ALL,
                    presence: join.presence,
                    seen: join.seen,
                    session: Some(SessionId(editor as u128)),
                    ..NewMember::default()
                };
                let slot = self.room.handle_join(now, join.request, member).expect("there is room");
                let connection = self.connections.get_mut(&editor).expect("it has just spoken");
                connection.slot = Some(slot);
                self.drain();
                while let Some(page) = self.room.poll_roster(slot) {
                    self.sendings.push((editor, Lane::Control, page));
                }
            }
            _ => {}
        }
    }

    fn handle_edits(&mut self, now: Timestamp, editor: usize, message: &[u8]) {
        let connection = self.connections.get_mut(&editor).expect("it has just spoken");
        let slot = connection.slot.expect("who edits has joined");
        match EditsToServer::decode(message).expect("a client keeps to the protocol") {
            Some(EditsToServer::Open(open)) => {
                connection.has_lane = true;
                self.room.handle_open(&open);
                self.drain();
                while let Some(page) = self.room.poll_snapshot(slot) {
                    self.sendings.push((editor, Lane::Edits, page));
                }
            }
            Some(EditsToServer::Submit(submit)) => {
                self.room.handle_store_state(self.is_store_up);
                self.room.handle_submit(now, slot, submit, None);
            }
            Some(EditsToServer::History(_)) | None => {}
        }
    }

    /// Makes so many of the waiting edits durable.
    pub(crate) fn store(&mut self, count: usize) {
        let count = count.min(self.waiting.len());
        self.log.extend(self.waiting.drain(..count));
        if let Some(last) = self.log.last() {
            self.room.handle_stored(last.edit.sequence);
            self.drain();
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Timestamp) {
        if self.room.poll_timeout().is_some_and(|due| due <= now) {
            self.room.handle_timeout(now);
            self.drain();
        }
    }

    /// Whether nothing is to be done any more.
    pub(crate) fn is_quiet(&self) -> bool {
        self.waiting.is_empty() && self.room.poll_timeout().is_none()
    }

    fn drain(&mut self) {
        while let Some(output) = self.room.poll_output() {
            match output {
                Output::Control(to, bytes) => self.send(to, Lane::Control, &bytes),
                Output::Edits(to, bytes) => self.send(to, Lane::Edits, &bytes),
                Output::Datagram(..) | Output::Keep(_) => {}
                Output::Store(logged) => {
                    self.waiting.push_back(logged);
                    if self.fault == Some(Fault::AcksBeforeItIsDurable) {
                        let last = self.waiting.back().map_or(0, |last| last.edit.sequence);
                        self.room.handle_stored(last);
                    }
                }
            }
        }
    }

    fn send(&mut self, to: Recipient, lane: Lane, bytes: &Bytes) {
        for (editor, connection) in &self.connections {
            let is_meant = match to {
                Recipient::One(slot) => connection.slot == Some(slot),
                Recipient::All => connection.slot.is_some(),
            };
            if is_meant && (lane == Lane::Control || connection.has_lane) {
                self.sendings.push((*editor, lane, bytes.clone()));
            }
        }
    }
}

/// A room whose rules want no record to say 13.
fn room(now: Timestamp, epoch: u64) -> Room {
    let id = RoomId { name: NAME.parse().expect("a name"), handle: HANDLE, epoch: Epoch(epoch) };
    let is_unlucky = |value: &Value| *value == Value::Int(13);
    let rule = move |proposal: &Proposal<'_>| {
        let says = proposal.ops.iter().flat_map(|op| op.fields.values()).any(is_unlucky);
        if says { Err("unlucky".to_owned()) } else { Ok(()) }
    };
    let policy = RoomPolicy { validator: Some(Validator::new(rule)), ..RoomPolicy::default() };
    Room::new(id, policy, now, std::time::Duration::ZERO)
}
