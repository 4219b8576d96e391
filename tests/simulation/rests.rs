//! How long it takes until everyone sees where a mover has come to rest: the promise of the motion lane, measured.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hither_protocol::motion::Position;
use hither_protocol::{RoomHandle, Slot, Timestamp};

use crate::client::Stay;

/// The promise: a mover at rest is right at every viewer within this.
pub(crate) const PROMISE: Duration = Duration::from_millis(300);

/// Who rests where, and who has seen it.
#[derive(Default)]
pub(crate) struct Rests {
    open: BTreeMap<(RoomHandle, usize), Rest>,
    /// For each rest and viewer the time until it was seen; those never seen count until the end.
    pub(crate) times: Vec<Duration>,
}

struct Rest {
    since: Timestamp,
    slot: Slot,
    position: Position,
    waiting: BTreeSet<usize>,
    seen: Vec<Duration>,
}

impl Rests {
    /// A mover goes somewhere; it may go on from there at any moment.
    pub(crate) fn moved(
        &mut self,
        now: Timestamp,
        mover: usize,
        room: RoomHandle,
        (slot, position): (Slot, Position),
        waiting: BTreeSet<usize>,
    ) {
        let rest = Rest { since: now, slot, position, waiting, seen: Vec::new() };
        if let Some(old) = self.open.insert((room, mover), rest) {
            self.close(now, old);
        }
    }

    /// Looks at what a user was told, after something came or was held back for long enough.
    pub(crate) fn look(
        &mut self,
        now: Timestamp,
        viewer: usize,
        stays: &BTreeMap<RoomHandle, Stay>,
    ) {
        for ((room, _), rest) in &mut self.open {
            let told = stays.get(room).and_then(|stay| stay.told.get(&rest.slot));
            if rest.waiting.contains(&viewer) && told == Some(&rest.position) {
                rest.waiting.remove(&viewer);
                rest.seen.push(now.since(rest.since));
            }
        }
    }

    /// Nothing is promised to this user any more, and nobody has to see where it was.
    pub(crate) fn excuse(&mut self, user: usize) {
        self.open.retain(|(_, mover), _| *mover != user);
        self.look_away(user);
    }

    /// Nothing is promised to this user any more.
    pub(crate) fn look_away(&mut self, user: usize) {
        for rest in self.open.values_mut() {
            rest.waiting.remove(&user);
        }
    }

    /// As [`Self::excuse`], in one room.
    pub(crate) fn excuse_in(&mut self, room: RoomHandle, user: usize) {
        self.open.remove(&(room, user));
        self.look_away_from(room, user);
    }

    /// Nothing of this room is promised to this user any more.
    pub(crate) fn look_away_from(&mut self, room: RoomHandle, user: usize) {
        for (_, rest) in self.open.iter_mut().filter(|((other, _), _)| *other == room) {
            rest.waiting.remove(&user);
        }
    }

    /// The world has ended.
    pub(crate) fn finish(&mut self, now: Timestamp) {
        for rest in std::mem::take(&mut self.open).into_values() {
            self.close(now, rest);
        }
    }

    /// Only a stop that lasted was a rest.
    fn close(&mut self, now: Timestamp, rest: Rest) {
        let lasted = now.since(rest.since);
        if lasted >= PROMISE {
            self.times.extend(rest.seen);
            self.times.extend(rest.waiting.iter().map(|_| lasted));
        }
    }
}
