//! A viewer written from the specification alone, whole states by tick at any cost: the vectors' second opinion.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::json::items;

const WINDOW: i64 = 32;
const LIMIT: i64 = 1 << 30;

/// A slot's state: the tick of its change, its generation's byte, its position.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) tick: i64,
    pub(crate) generation: i64,
    pub(crate) position: Vec<i64>,
}

type State = BTreeMap<i64, Seen>;

/// What came of a frame.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) held: Vec<i64>,
    pub(crate) unusable: i64,
}

pub(crate) struct Reference {
    epoch_check: i64,
    /// The states that are held, by part and tick.
    parts: BTreeMap<i64, BTreeMap<i64, State>>,
    /// The newest of each slot.
    pub(crate) view: State,
}

impl Reference {
    pub(crate) fn new(epoch: i64) -> Self {
        Self { epoch_check: epoch & 0xff, parts: BTreeMap::new(), view: State::new() }
    }

    /// Takes a frame in the form of `motion_down.json`.
    pub(crate) fn handle_frame(&mut self, frame: &Json) -> Outcome {
        let mut outcome = Outcome::default();
        for part in items(&frame["parts"]) {
            let index = int(&part["index"]);
            if int(&frame["epoch_check"]) == self.epoch_check
                && self.handle_part(index, int(&frame["tick"]), part)
            {
                outcome.held.push(index);
            } else {
                outcome.unusable += 1;
            }
        }
        outcome
    }

    fn handle_part(&mut self, index: i64, tick: i64, part: &Json) -> bool {
        let held = self.parts.entry(index).or_default();
        if held.contains_key(&tick) {
            return true;
        }
        let oldest = held.keys().next_back().map_or(i64::MIN, |newest| newest - WINDOW);
        if tick < oldest {
            return false;
        }
        let mut state = match part["baseline"].as_i64() {
            Some(baseline) if baseline < oldest || !held.contains_key(&baseline) => return false,
            Some(baseline) => held[&baseline].clone(),
            None => State::new(),
        };
        let mut moved = Vec::new();
        for entry in items(&part["entries"]) {
            let slot = int(&entry["slot"]);
            let seen = match (entry.get("delta"), state.get(&slot)) {
                (None, _) => {
                    let position = items(&entry["position"]).iter().map(int).collect();
                    Seen { tick, generation: int(&entry["generation"]), position }
                }
                (Some(delta), Some(base)) => {
                    let sums = base.position.iter().zip(items(delta)).map(|(a, b)| a + int(b));
                    Seen { tick, generation: base.generation, position: sums.collect() }
                }
                (Some(_), None) => return false,
            };
            if seen.position.iter().any(|value| !(-LIMIT..LIMIT).contains(value)) {
                return false;
            }
            moved.push((slot, seen));
        }
        state.extend(moved.iter().cloned());
        held.insert(tick, state);
        for (slot, seen) in moved {
            if self.view.get(&slot).is_none_or(|known| known.tick < seen.tick) {
                self.view.insert(slot, seen);
            }
        }
        true
    }

    /// The view in the form of `motion_down.json`.
    pub(crate) fn describe(&self) -> Json {
        let describe = |(slot, seen): (&i64, &Seen)| {
            let Seen { generation, position, .. } = seen;
            json!({ "slot": slot, "generation": generation, "position": position })
        };
        self.view.iter().map(describe).collect()
    }
}

fn int(json: &Json) -> i64 {
    json.as_i64().unwrap()
}
