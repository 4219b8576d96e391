//! A connection's looks at kept events: one after the other, and only while the client takes what it is sent, so that
//! answers never fill the queue of what happens meanwhile. Apart from the driver, which hands it what is asked.

use std::collections::VecDeque;
use std::sync::Arc;

use hither_protocol::message::Refusal;
use hither_protocol::message::control::{AskKept, Kept, ToClient};
use tokio::sync::Notify;

use super::Connection;

/// The most looks that wait for their turn; more are refused.
const LOOKS_MAX: usize = 32;
/// When a client may ask again that has asked for too much at once.
const RETRY_MS: u64 = 1_000;

/// What was asked for and not looked up yet.
#[derive(Debug, Default)]
pub(super) struct Looks {
    waiting: VecDeque<AskKept>,
    /// Whether one is under way.
    is_looking: bool,
    /// Told when it is done.
    done: Arc<Notify>,
}

impl Looks {
    pub(super) fn done(&self) -> Arc<Notify> {
        self.done.clone()
    }
}

impl Connection {
    pub(super) fn ask_kept(&mut self, ask: AskKept) {
        if self.looks.waiting.len() < LOOKS_MAX {
            self.looks.waiting.push_back(ask);
            return self.look_on();
        }
        self.count_refusal(Refusal::RateLimited);
        let AskKept { request, room, .. } = ask;
        let (refused, retry_after_ms) = (Some(Refusal::RateLimited), Some(RETRY_MS));
        let answer = Kept { request, room, events: Vec::new(), refused, retry_after_ms };
        self.outlet.control.push(ToClient::Kept(answer).encode());
    }

    pub(super) fn handle_looked(&mut self) {
        self.looks.is_looking = false;
        self.look_on();
    }

    /// Begins the next look, if there is room for its answer. What was asked of a room that was left is dropped.
    pub(super) fn look_on(&mut self) {
        while !self.looks.is_looking
            && self.budget.has_room_for_page()
            && let Some(ask) = self.looks.waiting.pop_front()
        {
            let Some(member) = self.members.get(&ask.room) else { continue };
            let cell = member.joined.cell.clone();
            let (control, done) = (self.outlet.control.clone(), self.looks.done());
            self.looks.is_looking = true;
            tokio::spawn(async move {
                control.push(ToClient::Kept(cell.kept(ask).await).encode());
                done.notify_one();
            });
        }
    }
}
