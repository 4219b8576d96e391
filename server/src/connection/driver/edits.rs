//! The edits lanes of a connection: whose document each is about, and what waits until that is loaded. Apart from the
//! driver, which hands it what comes.

use std::sync::Arc;
use std::time::Duration;

use hither_protocol::RoomHandle;
use hither_protocol::message::Refusal;
use hither_protocol::message::edits::{AskHistory, EditsToClient, Open};
use hither_transport::{RecvStream, SendStream};
use tokio::sync::Notify;
use tokio::time::sleep;

use super::super::lanes::{LaneEvent, run_edits_lane};
use super::Connection;
use crate::outbox::{LaneSender, lane};

/// An edits lane; before its `open` it has no room.
pub(super) struct EditsLane {
    pub(super) room: Option<RoomHandle>,
    /// While the document is loaded.
    open: Option<Open>,
    /// Told when its next message may be read.
    read_on: Arc<Notify>,
    pub(super) sender: LaneSender,
}

impl EditsLane {
    fn read_on_after(&self, pause: Duration) {
        if pause.is_zero() {
            return self.read_on.notify_one();
        }
        let read_on = self.read_on.clone();
        tokio::spawn(async move {
            sleep(pause).await;
            read_on.notify_one();
        });
    }
}

impl Connection {
    pub(super) fn open_lane(&mut self, send: SendStream, recv: RecvStream) {
        let number = self.next_lane;
        self.next_lane += 1;
        let (sender, receiver) = lane(&self.budget);
        let events = self.lane_sender.clone();
        let read_on = Arc::new(Notify::new());
        tokio::spawn(run_edits_lane(number, send, recv, receiver, events, read_on.clone()));
        self.lanes.insert(number, EditsLane { room: None, open: None, read_on, sender });
    }

    pub(super) fn handle_lane(&mut self, number: u64, event: LaneEvent) {
        let Some(lane) = self.lanes.get_mut(&number) else { return };
        match (event, lane.room) {
            (LaneEvent::Message(message), Some(room)) => {
                let now = self.shared.clock.now();
                if let Some(pause) = self.session.handle_edits(now, room, &message) {
                    lane.read_on_after(pause);
                }
            }
            (LaneEvent::Message(message), None) => self.handle_open(number, &message),
            (LaneEvent::Loaded(is_loaded), _) => self.handle_loaded(number, is_loaded),
            (LaneEvent::Malformed(error), _) => self.session.handle_malformed(error),
            (LaneEvent::Ended, room) => {
                self.lanes.remove(&number);
                if let Some(member) = room.and_then(|room| self.members.get(&room)) {
                    member.joined.cell.close_edits(member.joined.slot);
                }
            }
        }
    }

    /// The first message of an edits lane. A lane for a room that the session is not in, or that has a lane, ends. The
    /// first to open a document has it loaded.
    fn handle_open(&mut self, number: u64, message: &[u8]) {
        let open = self.session.handle_open(self.now(), message);
        let open = open.filter(|open| self.lanes.values().all(|lane| lane.room != Some(open.room)));
        let member = open.and_then(|open| Some((self.members.get(&open.room)?, open)));
        let (Some((member, open)), Some(lane)) = (member, self.lanes.get_mut(&number)) else {
            self.lanes.remove(&number);
            return;
        };
        lane.room = Some(open.room);
        lane.open = Some(open);
        let cell = member.joined.cell.clone();
        if cell.is_loaded() {
            return self.handle_loaded(number, true);
        }
        let events = self.lane_sender.clone();
        tokio::spawn(async move {
            let is_loaded = match cell.load().await {
                Ok(()) => true,
                Err(error) => {
                    tracing::error!(room = %cell.id().name, %error, "its document can't be had");
                    false
                }
            };
            // The connection may have gone meanwhile.
            let _ = events.send((number, LaneEvent::Loaded(is_loaded))).await;
        });
    }

    /// Has earlier edits of a room looked up, and said on its lane.
    pub(super) fn look_up(&mut self, room: RoomHandle, ask: AskHistory) {
        let lane = self.lanes.values().find(|lane| lane.room == Some(room));
        let Some((lane, member)) = lane.zip(self.members.get(&room)) else { return };
        let (cell, sender) = (member.joined.cell.clone(), lane.sender.clone());
        let read_on = lane.read_on.clone();
        tokio::spawn(async move {
            let answer = cell.history(ask).await;
            sender.push(EditsToClient::History(answer).encode());
            read_on.notify_one();
        });
    }

    fn handle_loaded(&mut self, number: u64, is_loaded: bool) {
        let Some(lane) = self.lanes.get_mut(&number) else { return };
        let Some(open) = lane.open.take() else { return };
        let Some(member) = self.members.get_mut(&open.room) else { return };
        if is_loaded {
            let cell = &member.joined.cell;
            member.is_loading |= cell.open_edits(&open, lane.sender.clone());
            lane.read_on.notify_one();
            self.load_on();
        } else {
            self.lanes.remove(&number);
            self.session.handle_refused(open.room, Refusal::Unavailable);
        }
    }

    /// Drops the lanes of a room; each ends once what is queued is written.
    pub(super) fn close_lanes(&mut self, room: RoomHandle) {
        self.lanes.retain(|_, lane| lane.room != Some(room));
    }
}
