//! The bots of one room, in one task: a timer calls them in turn, so that two hundred cost little more than their
//! packets.

use std::sync::Arc;
use std::time::Duration;

use hither_protocol::{RoomName, Timestamp};
use tokio::time::{MissedTickBehavior, interval};

use super::Bots;
use super::bot::Bot;

/// Between two looks at what came and where the hands are: short enough for the server to have its acks before it would
/// repeat itself.
const ROUND: Duration = Duration::from_millis(10);
/// Bots that come in a round: all at once would each be sent the roster as all the others come.
const COMING_IN_A_ROUND: usize = 3;
/// After so long without anybody else in the room they go.
const ALONE_MAX: Duration = Duration::from_secs(10);

/// Drives the bots of a room until none is wanted there and all have gone.
pub(super) async fn run_crowd(bots: Arc<Bots>, room: RoomName) {
    let now = bots.shared.clock.now();
    let mut crowd =
        Crowd { bots, room, staying: Vec::new(), leaving: Vec::new(), had_company_at: now };
    let mut rounds = interval(ROUND);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !crowd.is_over() {
        rounds.tick().await;
        crowd.let_in().await;
        crowd.act();
    }
}

struct Crowd {
    bots: Arc<Bots>,
    room: RoomName,
    staying: Vec<Bot>,
    /// Those that have said bye, until the server has answered.
    leaving: Vec<Bot>,
    had_company_at: Timestamp,
}

impl Crowd {
    fn is_over(&self) -> bool {
        self.staying.is_empty() && self.leaving.is_empty() && self.bots.end(&self.room)
    }

    async fn let_in(&mut self) {
        let missing = self.bots.wanted(&self.room).saturating_sub(self.staying.len());
        for _ in 0..missing.min(COMING_IN_A_ROUND) {
            let is_free = |number: &u32| self.staying.iter().all(|bot| bot.number() != *number);
            let number = (0..).find(is_free).unwrap_or_default();
            match Bot::enter(&self.bots.shared, &self.room, number).await {
                Some(bot) => self.staying.push(bot),
                None => self.bots.handle_ended(&self.room, 1),
            }
        }
    }

    fn act(&mut self) {
        let now = self.bots.shared.clock.now();
        let before = self.staying.len();
        self.staying.retain_mut(|bot| bot.act(now));
        if self.staying.len() < before {
            self.bots.handle_ended(&self.room, before - self.staying.len());
        }
        self.leaving.retain_mut(|bot| bot.act(now));
        if self.staying.iter().find_map(Bot::has_company) == Some(true) {
            self.had_company_at = now;
        }
        if now.since(self.had_company_at) >= ALONE_MAX {
            self.bots.handle_ended(&self.room, usize::MAX);
            self.had_company_at = now; // for those who may be called before these are gone
        }
        let wanted = self.bots.wanted(&self.room);
        for mut bot in self.staying.drain(wanted.min(self.staying.len())..) {
            bot.leave();
            self.leaving.push(bot);
        }
    }
}
