//! The loop that gives a room its ticks: one task a room, asleep without a timer while the room is idle.

use std::sync::Arc;

use super::{RoomCell, Rooms};
use crate::registry::Closable;

/// Calls a room when something of it is due, until it is closed.
pub(super) async fn run_ticker(rooms: Arc<Rooms>, cell: Arc<RoomCell>) {
    let mut took = None;
    while !cell.is_closed() {
        match cell.schedule() {
            None => cell.woken().await,
            Some(due) => tokio::select! {
                () = cell.woken() => {}
                () = tokio::time::sleep_until(rooms.node.clock.instant(due)) => {
                    took = cell.tick(took);
                    rooms.close_if_empty(&cell);
                }
            },
        }
    }
    // Also for a room that was closed because it is broken.
    rooms.close_if_empty(&cell);
}
