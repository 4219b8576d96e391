//! Editors and their server, with a network between them, in steps of a millisecond and from one seed.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use hither_protocol::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::editor::Editor;
use crate::host::{Host, Lane};

/// How long there is trouble, and how long until all must be well after it, in milliseconds.
const TROUBLE_MS: u64 = 3_000;
const QUIET_MS: u64 = 20_000;

/// What is made wrong on purpose, to see whether it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// An edit is acked when it is ordered.
    AcksBeforeItIsDurable,
    /// A server that is started again knows no numbers.
    ForgetsEditors,
    /// The network loses some of what the server says.
    LosesMessages,
}

impl Fault {
    pub(crate) const ALL: [Self; 3] =
        [Self::AcksBeforeItIsDurable, Self::ForgetsEditors, Self::LosesMessages];
}

/// One direction of a connection, in which what is sent later never comes earlier.
type Wire = BTreeMap<(Timestamp, u64), (Lane, Bytes)>;

/// All of it.
pub(crate) struct World {
    pub(crate) host: Host,
    pub(crate) editors: Vec<Editor>,
    pub(crate) restarts: usize,
    pub(crate) disconnects: usize,
    pub(crate) outages: usize,
    pub(crate) is_stuck: bool,
    rng: StdRng,
    fault: Option<Fault>,
    now: Timestamp,
    up: Vec<Wire>,
    down: Vec<Wire>,
    back_at: Vec<Option<Timestamp>>,
    store_up_at: Option<Timestamp>,
    sent: u64,
}

impl World {
    pub(crate) fn new(seed: u64, fault: Option<Fault>) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let now = Timestamp::from_millis(1_700_000_000_000);
        let count = rng.random_range(2..6);
        let mut host = Host::new(now, fault);
        (0..count).for_each(|editor| host.connect(editor));
        Self {
            host,
            editors: (0..count).map(Editor::new).collect(),
            restarts: 0,
            disconnects: 0,
            outages: 0,
            is_stuck: false,
            rng,
            fault,
            now,
            up: vec![Wire::new(); count],
            down: vec![Wire::new(); count],
            back_at: vec![None; count],
            store_up_at: None,
            sent: 0,
        }
    }

    pub(crate) fn run(&mut self) {
        let (start, end) = (self.now, self.now + Duration::from_millis(TROUBLE_MS));
        while self.now < end {
            self.step();
            self.trouble();
        }
        while !self.is_quiet() {
            if self.now.since(start) > Duration::from_millis(TROUBLE_MS + QUIET_MS) {
                self.is_stuck = true;
                return;
            }
            self.step();
        }
    }

    fn is_quiet(&self) -> bool {
        let are_idle = self.up.iter().chain(&self.down).all(Wire::is_empty);
        let are_here = self.editors.iter().all(|editor| editor.is_connected);
        are_idle && are_here && self.host.is_quiet()
    }

    fn step(&mut self) {
        self.now = self.now + Duration::from_millis(1);
        let now = self.now;
        for editor in 0..self.editors.len() {
            if self.back_at[editor].is_some_and(|at| at <= now) {
                self.back_at[editor] = None;
                self.host.connect(editor);
                self.editors[editor].connect();
            }
            while let Some((lane, bytes)) = arrived(&mut self.up[editor], now) {
                self.host.handle(now, editor, lane, &bytes);
            }
            while let Some((lane, bytes)) = arrived(&mut self.down[editor], now) {
                self.editors[editor].handle(now, lane, &bytes);
            }
        }
        if self.store_up_at.is_some_and(|at| at <= now) {
            self.store_up_at = None;
            self.host.is_store_up = true;
        }
        if self.host.is_store_up && self.rng.random_bool(0.2) {
            let count = self.rng.random_range(0..8);
            self.host.store(count);
        }
        self.host.handle_timeout(now);
        self.carry();
    }

    fn trouble(&mut self) {
        let now = self.now;
        for editor in 0..self.editors.len() {
            if self.rng.random_bool(0.02) {
                self.editors[editor].act(now, &mut self.rng);
            }
            if self.editors[editor].is_connected && self.rng.random_bool(0.000_7) {
                self.disconnects += 1;
                self.host.lose(now, editor);
                self.lose(editor);
            }
        }
        if self.rng.random_bool(0.000_4) {
            self.restarts += 1;
            self.host.restart(now);
            self.host.is_store_up = true;
            (0..self.editors.len()).for_each(|editor| self.lose(editor));
        }
        if self.host.is_store_up && self.rng.random_bool(0.000_4) {
            self.outages += 1;
            self.host.is_store_up = false;
            let ms = self.rng.random_range(10..500);
            self.store_up_at = Some(now + Duration::from_millis(ms));
        }
        self.carry();
    }

    /// An editor's connection is gone, with all that is under way, and comes back.
    fn lose(&mut self, editor: usize) {
        self.up[editor].clear();
        self.down[editor].clear();
        if self.editors[editor].is_connected {
            self.editors[editor].disconnect(self.now);
        }
        let ms = self.rng.random_range(1..1_500);
        self.back_at[editor] = Some(self.now + Duration::from_millis(ms));
    }

    fn carry(&mut self) {
        for (editor, lane, bytes) in std::mem::take(&mut self.host.sendings) {
            let is_lost = self.fault == Some(Fault::LosesMessages) && lane == Lane::Edits;
            if !(is_lost && self.rng.random_bool(0.01)) {
                self.send(editor, lane, bytes, true);
            }
        }
        for editor in 0..self.editors.len() {
            for (lane, bytes) in self.editors[editor].sendings(self.now) {
                self.send(editor, lane, bytes, false);
            }
        }
    }

    fn send(&mut self, editor: usize, lane: Lane, bytes: Bytes, is_down: bool) {
        let wire = if is_down { &mut self.down[editor] } else { &mut self.up[editor] };
        let last = wire.last_key_value().map_or(self.now, |((at, _), _)| *at);
        let at = self.now + Duration::from_millis(self.rng.random_range(0..60));
        self.sent += 1;
        wire.insert((at.max(last), self.sent), (lane, bytes));
    }
}

fn arrived(wire: &mut Wire, now: Timestamp) -> Option<(Lane, Bytes)> {
    wire.first_entry().filter(|first| first.key().0 <= now).map(|first| first.remove())
}
