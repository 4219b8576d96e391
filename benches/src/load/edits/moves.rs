//! Cursors that move beside edits: how old a move is when another member hears of it.

use std::cell::RefCell;
use std::time::Duration;

use anyhow::{Result, ensure};
use hither_client::{Position, Room};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::Editor;
use super::times::{Timed, took};

/// A little less than a tick, so that moves fall on all parts of one.
const EVERY: Duration = Duration::from_millis(47);
/// How long the last move may take.
const GRACE: Duration = Duration::from_secs(1);

/// Moves one editor's cursor in each room, and returns the times from each move to another one's hearing of it, in all
/// rooms. Editors come as they have entered: one of each room, and again.
pub(super) async fn ages(
    editors: &[Editor],
    rooms: usize,
    window: (Instant, Instant),
) -> Result<Vec<Timed>> {
    let mut moving = JoinSet::new();
    for ((_, mover), (_, viewer)) in editors.iter().zip(&editors[rooms..]).take(rooms) {
        let (mover, viewer) = (mover.clone(), viewer.clone());
        moving.spawn_local(async move { ages_in(&mover, &viewer, window).await });
    }
    let ages = moving.join_all().await.concat();
    ensure!(!ages.is_empty(), "no move was heard of");
    Ok(ages)
}

/// Moves one member's cursor until the window ends, and returns the times that another member took to hear of those
/// moves within the window that were not followed by another one in the same tick.
async fn ages_in(mover: &Room, viewer: &Room, (from, to): (Instant, Instant)) -> Vec<Timed> {
    let sent = RefCell::new(Vec::new());
    let moving = async {
        let mut at = from;
        while at < to {
            sleep_until(at).await;
            // A position is the number of its move.
            sent.borrow_mut().push(Instant::now());
            mover.set_motion(Position::xy(sent.borrow().len() as i32, 0));
            at += EVERY;
        }
    };
    let mut ages = Vec::new();
    let viewing = async {
        while let Some((_, moved)) = viewer.next_motion().await {
            let number = moved.map_or(0, |position| position.x() as usize);
            if let Some(sent) = number.checked_sub(1).and_then(|at| sent.borrow().get(at).copied())
            {
                ages.push(took(sent));
            }
        }
    };
    // The viewer stays in its room: hearing ends by the clock.
    let _ = timeout_at(to + GRACE, async { tokio::join!(moving, viewing) }).await;
    ages
}
