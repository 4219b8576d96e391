//! What members look up of a room's past. Apart from the room under its lock, since both ask the disk alone.

use hither_protocol::message::control::{AskKept, Kept};
use hither_protocol::message::edits::{AskHistory, Edit, History};
use hither_protocol::message::{Refusal, encoded_len};

use super::RoomCell;
use crate::store::HISTORY_BYTES;

/// When a client may ask again for what can't be had.
const RETRY_MS: u64 = 1_000;

impl RoomCell {
    /// Earlier edits, as many as fit a message.
    pub(crate) async fn history(&self, ask: AskHistory) -> History {
        let AskHistory { request, before, limit } = ask;
        let mut answer = History { request, ..History::default() };
        match self.node.store.history(&self.id.name, before, limit as usize).await {
            Ok(mut edits) => {
                let mut bytes = 0;
                let mut fits = |edit: &Edit| {
                    bytes += encoded_len(edit);
                    bytes <= HISTORY_BYTES
                };
                let count = edits.iter().rev().take_while(|edit| fits(edit)).count().max(1);
                answer.edits = edits.split_off(edits.len().saturating_sub(count));
            }
            Err(error) => {
                tracing::warn!(room = %self.id.name, %error, "its history can't be had");
                answer.refused = Some(Refusal::Unavailable);
                answer.retry_after_ms = Some(RETRY_MS);
            }
        }
        answer
    }

    /// Events that are kept, the last before one or the latest; none where the namespace keeps none.
    pub(crate) async fn kept(&self, ask: AskKept) -> Kept {
        let AskKept { request, room, before, limit } = ask;
        let mut answer = Kept { request, room, ..Kept::default() };
        if !self.policy.keeps_events {
            return answer;
        }
        match self.node.event_log.latest(&self.id.name, before, limit as usize).await {
            Ok(events) => answer.events = events,
            Err(error) => {
                tracing::debug!(room = %self.id.name, %error, "its kept events can't be had");
                answer.refused = Some(Refusal::Unavailable);
                answer.retry_after_ms = Some(RETRY_MS);
            }
        }
        answer
    }
}
