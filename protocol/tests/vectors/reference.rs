//! A viewer of motion written from the specification alone, whole states by tick at any cost: the vectors' second
//! opinion.

use std::collections::{BTreeMap, BTreeSet};

use hither_protocol::message::control::{AxisFormat, MotionFormat};
use serde_json::{Value as Json, json};

use crate::json::items;

const WINDOW: i64 = 32;

/// Who is where.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) generation: i64,
    pub(crate) position: Vec<i64>,
}

/// Who is where of one part, by slot.
pub(crate) type State = BTreeMap<i64, Seen>;

/// What came of a frame.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) held: Vec<i64>,
    pub(crate) unusable: bool,
    pub(crate) moved: BTreeSet<i64>,
}

pub(crate) struct Reference {
    epoch_check: i64,
    axes: Vec<AxisFormat>,
    /// The states that are held, by part and tick.
    parts: BTreeMap<i64, BTreeMap<i64, State>>,
}

impl Reference {
    pub(crate) fn new(motion: &MotionFormat, epoch: i64) -> Self {
        Self { epoch_check: epoch & 0xff, axes: motion.axes.clone(), parts: BTreeMap::new() }
    }

    /// The state of a part at a tick, if it is held and no more than the window before the newest.
    pub(crate) fn state(&self, part: i64, tick: i64) -> Option<&State> {
        let held = self.parts.get(&part)?;
        let newest = held.keys().next_back()?;
        held.get(&tick).filter(|_| tick >= newest - WINDOW)
    }

    /// Takes a frame in the form of `motion_down.json`.
    pub(crate) fn handle_frame(&mut self, frame: &Json) -> Outcome {
        let mut outcome = Outcome::default();
        if frame["epoch_check"].as_i64() != Some(self.epoch_check) {
            outcome.unusable = true;
            return outcome;
        }
        for part in items(&frame["parts"]) {
            let Some(entries) = part["entries"].as_array() else {
                // It could not be read, and nothing behind it.
                outcome.unusable = true;
                break;
            };
            let (index, tick) = (int(&part["index"]), int(&frame["tick"]));
            let newest = self.parts.get(&index).and_then(|held| held.iter().next_back());
            if self.state(index, tick).is_some() {
                outcome.held.push(index);
            } else if newest.is_some_and(|(newest, _)| tick < *newest) {
                outcome.unusable = true;
            } else {
                let before = newest.map(|(_, state)| state.clone()).unwrap_or_default();
                let state = self.next_state(index, &part["baseline"], entries);
                let slots = before.keys().chain(state.keys());
                let changed = slots.filter(|slot| before.get(slot) != state.get(slot));
                outcome.moved.extend(changed);
                outcome.moved.extend(entries.iter().map(|entry| int(&entry["slot"])));
                self.parts.entry(index).or_default().insert(tick, state);
                outcome.held.push(index);
            }
        }
        outcome
    }

    /// What was at the baseline, and the entries put in.
    fn next_state(&self, index: i64, baseline: &Json, entries: &[Json]) -> State {
        let base = baseline.as_i64().map(|baseline| self.state(index, baseline).unwrap());
        let mut state = base.cloned().unwrap_or_default();
        for entry in entries {
            let slot = int(&entry["slot"]);
            let values = |json: &Json| -> Vec<i64> { items(json).iter().map(int).collect() };
            if let Some(moved) = entry.get("moved") {
                state.get_mut(&slot).unwrap().position = values(moved);
            } else if let Some(appeared) = entry.get("appeared") {
                let generation = int(&entry["generation"]);
                state.insert(slot, Seen { generation, position: values(appeared) });
            } else {
                assert_eq!(entry["vanished"], true);
                assert!(state.remove(&slot).is_some(), "only who is known can vanish");
            }
        }
        let inside = |value: &i64, axis: &AxisFormat| {
            (i64::from(axis.min)..=i64::from(axis.max)).contains(value)
        };
        for seen in state.values() {
            assert_eq!(seen.position.len(), self.axes.len());
            assert!(seen.position.iter().zip(&self.axes).all(|(value, axis)| inside(value, axis)));
        }
        state
    }

    /// The view in the form of `motion_down.json`: the newest state of each part.
    pub(crate) fn describe(&self) -> Json {
        let newest = self.parts.values().filter_map(|held| held.values().next_back());
        let describe = |(slot, seen): (&i64, &Seen)| {
            let Seen { generation, position } = seen;
            json!({ "slot": slot, "generation": generation, "position": position })
        };
        newest.flatten().map(describe).collect()
    }
}

fn int(json: &Json) -> i64 {
    json.as_i64().unwrap()
}
