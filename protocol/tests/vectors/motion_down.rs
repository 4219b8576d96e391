//! `motion_down.json`: frames as they arrive, and what a viewer makes of each.

use std::collections::BTreeMap;

use hither_protocol::message::control::MotionFormat;
use hither_protocol::motion::frame::{FrameHeader, FrameReader, FrameWriter, KIND, PartHeader};
use hither_protocol::motion::upward::Ack;
use hither_protocol::motion::{Change, Entry, Format, Known, Place, Position, Received, View};
use hither_protocol::varint::Reader;
use hither_protocol::{Epoch, Generation, Slot, Tick};
use serde_json::{Value as Json, json};

use crate::golden;
use crate::json::{hex, items, text, unhex};
use crate::reference::{Reference, Seen};
use crate::scenarios;
use crate::tables::spec;
use crate::truth::{EPOCH, ROOM, Scenario};

/// What a part's entries are read against: `None` if the viewer does not hold it.
fn known(reference: &Reference, part: &PartHeader, format: &Format) -> Option<Vec<Known>> {
    let state = |tick: Option<Tick>| match tick {
        Some(tick) => reference.state(part.index.into(), tick.0.into()).cloned().map(Some),
        None => Some(None),
    };
    let (baseline, before) = (state(part.baseline)?, state(part.reference)?.unwrap_or_default());
    let known = |(slot, seen): (&i64, &Seen)| {
        let position = |seen: &Seen| {
            let mut values = [0; 4];
            values.iter_mut().zip(&seen.position).for_each(|(to, from)| *to = *from as i32);
            Position::new(values)
        };
        Known {
            offset: (*slot as usize % format.axes.slots_per_part()) as u8,
            baseline: Place { generation: seen.generation as u8, position: position(seen) },
            reference: before.get(slot).map(position),
        }
    };
    Some(baseline.iter().flatten().map(known).collect())
}

/// What the bytes say to a viewer that has seen as much as `reference`: entry by entry, up to the fault if there is
/// one, or to a part that it can't read; nil if the fault is in the header.
fn describe(datagram: &[u8], format: &Format, reference: &Reference) -> Json {
    let mut reader = Reader::new(datagram);
    assert_eq!(reader.u8(), Ok(KIND));
    let Ok(header) = FrameHeader::read(&mut reader) else { return Json::Null };
    let mut frame = FrameReader::new(&header, reader);
    let mut parts = Vec::new();
    let mut entries = Vec::new();
    while header.epoch_check == Epoch(EPOCH).check()
        && let Ok(Some(part)) = frame.next_part(&format.axes)
    {
        let mut json = json!({
            "index": part.index,
            "baseline": part.baseline.map(|baseline| baseline.0),
            "reference": part.reference.map(|reference| reference.0),
            "entries": null,
        });
        let known = known(reference, &part, format);
        let Some(known) = known else {
            parts.push(json);
            break;
        };
        if frame.read_entries(format, &known, &mut entries).is_err() {
            break;
        }
        json["entries"] =
            entries.iter().map(|entry| describe_entry(entry, &part, format)).collect();
        parts.push(json);
    }
    json!({ "tick": header.tick.0, "epoch_check": header.epoch_check, "parts": parts })
}

fn describe_entry(entry: &Entry, part: &PartHeader, format: &Format) -> Json {
    let slot = usize::from(part.index) * format.axes.slots_per_part() + usize::from(entry.offset);
    let values = |position: &Position| position.axes()[..format.axes.count()].to_vec();
    match entry.change {
        Change::Moved(position) => json!({ "slot": slot, "moved": values(&position) }),
        Change::Appeared(Place { generation, position }) => {
            json!({ "slot": slot, "generation": generation, "appeared": values(&position) })
        }
        Change::Vanished => json!({ "slot": slot, "vanished": true }),
    }
}

/// The bytes of a described frame, whose parts can all be read.
fn encode(frame: &Json, format: &Format, reference: &Reference) -> Vec<u8> {
    let number = |json: &Json| json.as_u64().unwrap() as u32;
    let ticks = |json: &Json| json.as_u64().map(|tick| Tick(tick as u32));
    let position = |json: &Json| {
        let mut values = [0; 4];
        for (value, json) in values.iter_mut().zip(items(json)) {
            *value = json.as_i64().unwrap() as i32;
        }
        Position::new(values)
    };
    let epoch_check = number(&frame["epoch_check"]) as u8;
    let header = FrameHeader { room: ROOM, epoch_check, tick: Tick(number(&frame["tick"])) };
    let mut writer = FrameWriter::new(Vec::new(), &header);
    for part in items(&frame["parts"]) {
        let (baseline, before) = (ticks(&part["baseline"]), ticks(&part["reference"]));
        let index = number(&part["index"]) as u16;
        let header = PartHeader { index, baseline, reference: before };
        let entry = |entry: &Json| {
            let slots = format.axes.slots_per_part() as u32;
            let change = match (entry.get("moved"), entry.get("appeared")) {
                (Some(moved), _) => Change::Moved(position(moved)),
                (_, Some(appeared)) => Change::Appeared(Place {
                    generation: number(&entry["generation"]) as u8,
                    position: position(appeared),
                }),
                _ => Change::Vanished,
            };
            Entry { offset: (number(&entry["slot"]) % slots) as u8, change }
        };
        let mut entries: Vec<Entry> = items(&part["entries"]).iter().map(entry).collect();
        entries.sort_by_key(|entry| entry.offset);
        let known = known(reference, &header, format).unwrap();
        assert!(writer.put_part(format, header, &known, &entries));
    }
    writer.finish()
}

/// A view and what it has said of each slot, so that all of it can be listed.
struct Viewer {
    view: View,
    places: BTreeMap<Slot, Place>,
}

impl Viewer {
    fn new(motion: &MotionFormat) -> Self {
        Self { view: View::new(motion.format(), Epoch(EPOCH)), places: BTreeMap::new() }
    }

    /// What the viewer makes of a datagram, in the form of the file.
    fn handle(&mut self, datagram: &[u8]) -> Json {
        let mut reader = Reader::new(datagram);
        assert_eq!(reader.u8(), Ok(KIND));
        let header = FrameHeader::read(&mut reader);
        let mut moved = Vec::new();
        let received = header.and_then(|header| {
            self.view.handle_frame(&header, reader, |slot, point| {
                assert_eq!(point.tick, header.tick);
                moved.push(slot.0);
                match point.place {
                    Some(place) => self.places.insert(slot, place),
                    None => self.places.remove(&slot),
                };
            })
        });
        moved.sort();
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
            "unusable": received.is_unusable,
            "ack": if ack.is_empty() { Json::Null } else { hex(&ack).into() },
            "error": error,
            "moved": moved,
            "view": self.describe(),
        })
    }

    fn describe(&self) -> Json {
        let count = self.view.format().axes.count();
        let describe = |(slot, place): (&Slot, &Place)| {
            let Place { generation, position } = *place;
            let shown = |generation: u8| self.view.position(*slot, Generation(generation.into()));
            assert_eq!(shown(generation), Some(position));
            assert_eq!(shown(generation.wrapping_add(1)), None);
            let position = &position.axes()[..count];
            json!({ "slot": slot.0, "generation": generation, "position": position })
        };
        self.places.iter().map(describe).collect()
    }
}

fn make(scenario: &Scenario) -> Json {
    let format = scenario.motion.format();
    let mut viewer = Viewer::new(&scenario.motion);
    let mut reference = Reference::new(&scenario.motion, EPOCH as i64);
    let steps = scenario.steps.iter().map(|(about, arrival)| {
        let datagram = scenario.bytes(arrival);
        let mut step = viewer.handle(&datagram);
        let frame = describe(&datagram, &format, &reference);
        reference.handle_frame(&frame);
        step["about"] = json!(about);
        step["hex"] = json!(hex(&datagram));
        step["frame"] = frame;
        step
    });
    let steps: Json = steps.collect();
    json!({
        "name": scenario.name, "motion": scenario.motion, "epoch": EPOCH, "room": ROOM.0,
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
        let motion: MotionFormat = serde_json::from_value(sequence["motion"].clone()).unwrap();
        let format = motion.format();
        let mut viewer = Viewer::new(&motion);
        let mut reference = Reference::new(&motion, sequence["epoch"].as_i64().unwrap());
        for step in items(&sequence["steps"]) {
            let about = text(&step["about"]);
            let datagram = unhex(&step["hex"]);
            let found = viewer.handle(&datagram);
            for key in ["held", "unusable", "ack", "error", "moved", "view"] {
                assert_eq!(found[key], step[key], "{name}: {about}: {key}");
            }
            let frame = &step["frame"];
            assert_eq!(describe(&datagram, &format, &reference), *frame, "{name}: {about}");
            let parts = items(&frame["parts"]);
            if step["error"].is_null() && parts.iter().all(|part| part["entries"].is_array()) {
                let again = encode(frame, &format, &reference);
                let is_ours = frame["epoch_check"] == json!(Epoch(EPOCH).check());
                assert_eq!(hex(&again) == text(&step["hex"]), is_ours, "{name}: {about}");
            }
            let outcome = reference.handle_frame(frame);
            assert_eq!(reference.describe(), step["view"], "{name}: {about}");
            assert_eq!(json!(outcome.moved), step["moved"], "{name}: {about}");
            if step["error"].is_null() {
                assert_eq!(json!(outcome.held), step["held"], "{name}: {about}");
                assert_eq!(json!(outcome.unusable), step["unusable"], "{name}: {about}");
            }
        }
    }
}
