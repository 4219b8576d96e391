//! `motion_down.json`: frames as they arrive, and what a viewer makes of each.

use hither_protocol::motion::frame::{FrameHeader, KIND, PartHeader, put_part, read_part};
use hither_protocol::motion::upward::Ack;
use hither_protocol::motion::{Axes, Coding, Entry, Position, Received, View};
use hither_protocol::varint::Reader;
use hither_protocol::{Epoch, Generation, RoomHandle, Slot, Tick};
use serde_json::{Value as Json, json};

use crate::golden;
use crate::json::{hex, items, text, unhex};
use crate::reference::Reference;
use crate::scenarios::{self, Arrival, Scenario};
use crate::tables::spec;

const ROOM: RoomHandle = RoomHandle(7);

fn bytes(arrival: &Arrival, axes: Axes) -> Vec<u8> {
    let mut out = Vec::new();
    let frame = match arrival {
        Arrival::Frame(frame) => frame,
        Arrival::Raw(rest) => return [&[KIND, ROOM.0 as u8, 1], *rest].concat(),
    };
    let tick = Tick(frame.tick);
    let parts = frame.parts.len() as u32;
    FrameHeader { room: ROOM, epoch_check: Epoch(frame.epoch).check(), tick, parts }.put(&mut out);
    for part in &frame.parts {
        let header = PartHeader { index: part.index, baseline: part.baseline.map(Tick) };
        let entries = part.entries.iter().map(|&(offset, entry)| {
            let coding = match entry {
                scenarios::Entry::At(generation, position) => {
                    Coding::Absolute { generation, position: Position::new(position) }
                }
                scenarios::Entry::By(differences) => Coding::Delta(differences),
            };
            Entry { offset, coding }
        });
        put_part(&mut out, axes, tick, header, &entries.collect::<Vec<_>>());
    }
    out
}

/// What the bytes say, entry by entry, up to the fault if there is one; nil if that is in the header.
fn describe(datagram: &[u8], axes: Axes) -> Json {
    let mut reader = Reader::new(datagram);
    assert_eq!(reader.u8(), Ok(KIND));
    let Ok(header) = FrameHeader::read(&mut reader) else { return Json::Null };
    let mut parts = Vec::new();
    let mut entries = Vec::new();
    for _ in 0..header.parts {
        let Ok(part) = read_part(&mut reader, axes, header.tick, &mut entries) else { break };
        let entry = |entry: &Entry| {
            let slot = usize::from(part.index) * axes.slots_per_part() + usize::from(entry.offset);
            match entry.coding {
                Coding::Absolute { generation, position } => {
                    let position = &position.axes()[..axes.count()];
                    json!({ "slot": slot, "generation": generation, "position": position })
                }
                Coding::Delta(delta) => json!({ "slot": slot, "delta": delta[..axes.count()] }),
            }
        };
        parts.push(json!({
            "index": part.index,
            "baseline": part.baseline.map(|baseline| baseline.0),
            "entries": entries.iter().map(entry).collect::<Json>(),
        }));
    }
    json!({ "tick": header.tick.0, "epoch_check": header.epoch_check, "parts": parts })
}

/// The bytes of a described frame.
fn encode(frame: &Json, axes: Axes) -> Vec<u8> {
    let number = |json: &Json| json.as_u64().unwrap() as u32;
    let values = |json: &Json| {
        let mut values = [0; 4];
        for (value, json) in values.iter_mut().zip(items(json)) {
            *value = json.as_i64().unwrap() as i32;
        }
        values
    };
    let tick = Tick(number(&frame["tick"]));
    let epoch_check = number(&frame["epoch_check"]) as u8;
    let parts = items(&frame["parts"]);
    let mut out = Vec::new();
    FrameHeader { room: ROOM, epoch_check, tick, parts: parts.len() as u32 }.put(&mut out);
    for part in parts {
        let index = number(&part["index"]) as u16;
        let entry = |entry: &Json| {
            let slots = axes.slots_per_part() as u32;
            let offset = (number(&entry["slot"]) - u32::from(index) * slots) as u8;
            let coding = match entry.get("delta") {
                Some(delta) => Coding::Delta(values(delta)),
                None => Coding::Absolute {
                    generation: number(&entry["generation"]) as u8,
                    position: Position::new(values(&entry["position"])),
                },
            };
            Entry { offset, coding }
        };
        let entries: Vec<Entry> = items(&part["entries"]).iter().map(entry).collect();
        let baseline = part["baseline"].as_u64().map(|baseline| Tick(baseline as u32));
        put_part(&mut out, axes, tick, PartHeader { index, baseline }, &entries);
    }
    out
}

/// A view and what it has said of each slot, so that all of it can be listed.
struct Viewer {
    view: View,
    axes: Axes,
    moved: Vec<(Slot, u8)>,
}

impl Viewer {
    fn new(axes: Axes, epoch: u64) -> Self {
        Self { view: View::new(axes, Epoch(epoch)), axes, moved: Vec::new() }
    }

    /// What the viewer makes of a datagram, in the form of the file.
    fn handle(&mut self, datagram: &[u8]) -> Json {
        let mut reader = Reader::new(datagram);
        assert_eq!(reader.u8(), Ok(KIND));
        let header = FrameHeader::read(&mut reader);
        let mut moved = Vec::new();
        let received = header.and_then(|header| {
            self.view.handle_frame(&header, &mut reader, |slot, point| {
                moved.push(slot.0);
                self.moved.retain(|(known, _)| *known != slot);
                self.moved.push((slot, point.generation));
            })
        });
        self.moved.sort();
        let (received, error) = match received {
            Ok(received) => (received, None),
            Err(error) => (Received::default(), Some(error.name())),
        };
        let mut ack = Vec::new();
        if let (Ok(header), true) = (header, received.parts != 0) {
            Ack { room: ROOM, tick: header.tick, parts: received.parts }.put(&mut ack);
        }
        let held: Vec<u32> = (0..128).filter(|part| received.parts >> part & 1 == 1).collect();
        json!({
            "held": held,
            "unusable": received.unusable,
            "ack": if ack.is_empty() { Json::Null } else { hex(&ack).into() },
            "error": error,
            "moved": moved,
            "view": self.describe(),
        })
    }

    fn describe(&self) -> Json {
        let describe = |&(slot, generation): &(Slot, u8)| {
            let position = self.view.position(slot, Generation(u32::from(generation))).unwrap();
            let other = Generation(u32::from(generation.wrapping_add(1)));
            assert_eq!(self.view.position(slot, other), None);
            let position = &position.axes()[..self.axes.count()];
            json!({ "slot": slot.0, "generation": generation, "position": position })
        };
        self.moved.iter().map(describe).collect()
    }
}

fn make(scenario: &Scenario) -> Json {
    let axes = Axes::new(scenario.axes).unwrap();
    let mut viewer = Viewer::new(axes, scenario.epoch);
    let steps = scenario.steps.iter().map(|(about, arrival)| {
        let datagram = bytes(arrival, axes);
        let mut step = viewer.handle(&datagram);
        step["about"] = json!(about);
        step["hex"] = json!(hex(&datagram));
        step["frame"] = describe(&datagram, axes);
        step
    });
    let steps: Json = steps.collect();
    json!({
        "name": scenario.name, "axes": scenario.axes, "epoch": scenario.epoch, "room": ROOM.0,
        "steps": steps,
    })
}

/// The specification's example is the first sequence, byte for byte.
#[test]
fn m3_the_worked_example_is_of_real_frames() {
    // Hex of the example is indented and comes before two spaces, after which it is explained.
    let spec = spec();
    let code = spec.lines().filter_map(|line| line.strip_prefix("    "));
    let bytes: String =
        code.map(|line| line.trim_start().split("  ").next().unwrap().replace(' ', "")).collect();
    let example = &scenarios::all()[0];
    let made = make(example);
    for step in items(&made["steps"]) {
        assert!(bytes.contains(text(&step["hex"])), "PROTOCOL.md lacks {}", step["hex"]);
    }
    assert!(bytes.contains(text(&made["steps"][0]["ack"])));
}

#[test]
fn m5_views_after_each_frame() {
    let made = json!({
        "about": "One viewer a sequence; hex: a datagram as the application sees it; the rest: what is true after it.",
        "sequences": scenarios::all().iter().map(make).collect::<Json>(),
    });
    let file = golden("motion_down.json", &made);
    for sequence in items(&file["sequences"]) {
        let name = text(&sequence["name"]);
        let axes = Axes::new(sequence["axes"].as_u64().unwrap() as u8).unwrap();
        let epoch = sequence["epoch"].as_u64().unwrap();
        let mut viewer = Viewer::new(axes, epoch);
        let mut reference = Reference::new(epoch as i64);
        for step in items(&sequence["steps"]) {
            let about = text(&step["about"]);
            let datagram = unhex(&step["hex"]);
            let found = viewer.handle(&datagram);
            for key in ["held", "unusable", "ack", "error", "moved", "view"] {
                assert_eq!(found[key], step[key], "{name}: {about}: {key}");
            }
            assert_eq!(describe(&datagram, axes), step["frame"], "{name}: {about}");
            let outcome = reference.handle_frame(&step["frame"]);
            assert_eq!(reference.describe(), step["view"], "{name}: {about}");
            if step["error"].is_null() {
                assert_eq!(json!(outcome.held), step["held"], "{name}: {about}");
                assert_eq!(json!(outcome.unusable), step["unusable"], "{name}: {about}");
                let again = encode(&step["frame"], axes);
                assert_eq!(hex(&again), text(&step["hex"]), "{name}: {about}");
            }
        }
    }
}
