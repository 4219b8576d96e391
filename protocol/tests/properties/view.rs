//! A viewer against the truth: a random world, a network that loses, delays and repeats, and frames against any earlier
//! ticks. What the view shows is always what was true, and a tick that it does not hold is never used.

use std::collections::{BTreeMap, BTreeSet};

use hither_protocol::motion::frame::{FrameHeader, FrameWriter, KIND, PartHeader};
use hither_protocol::motion::{Axes, Change, Entry, Format, Known, Place, Position, View, WINDOW};
use hither_protocol::varint::Reader;
use hither_protocol::{Epoch, Generation, RoomHandle, Slot, Tick};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::frames::any_axes;

/// Both sides of the borders between parts.
const SLOTS: [u16; 8] = [0, 1, 31, 32, 63, 64, 65, 4095];

/// One tick of the world and the fate of its frame.
#[derive(Clone, Debug)]
struct Step {
    ticks_since: u32,
    moves: Vec<(Index, Move)>,
    /// Where in what was sent and acked each part's baseline is picked, and the reference before it.
    baselines: [(Index, Index); 3],
    /// The steps after which each copy of the datagram arrives; none: it is lost.
    arrivals: Vec<usize>,
    /// Whether the tick before is sent again, as a repeat of what rests.
    repeats: bool,
    /// Whether slots are named that moved and came back.
    names_all: bool,
}

#[derive(Clone, Debug)]
enum Move {
    By([i32; 4]),
    To([i32; 4]),
    /// Somebody else takes the slot, and has not moved yet.
    Replace,
    /// Who is there goes out of sight, and may come back.
    Hide,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let change = prop_oneof![
        6 => prop::array::uniform4(-3..=3i32).prop_map(Move::By),
        2 => any::<[i32; 4]>().prop_map(Move::To),
        1 => Just(Move::Replace),
        1 => Just(Move::Hide),
    ];
    let ticks_since = prop_oneof![8 => 1..4u32, 1 => 10..50u32];
    let arrivals = prop_oneof![
        3 => Just(vec![]),
        5 => Just(vec![0]),
        2 => vec(0..6usize, 1..3),
    ];
    let step = (
        ticks_since,
        vec((any::<Index>(), change), 0..4),
        any::<[(Index, Index); 3]>(),
        arrivals,
        any::<(bool, bool)>(),
    );
    let step = step.prop_map(|(ticks_since, moves, baselines, arrivals, (repeats, names_all))| {
        Step { ticks_since, moves, baselines, arrivals, repeats, names_all }
    });
    vec(step, 1..80)
}

/// Where everybody was at each tick, with whole generations.
struct World {
    format: Format,
    generations: BTreeMap<u16, u32>,
    states: BTreeMap<u16, BTreeMap<u32, Option<(Generation, Position)>>>,
}

impl World {
    fn at(&self, slot: u16, tick: u32) -> Option<(Generation, Position)> {
        *self.states.get(&slot)?.range(..=tick).next_back()?.1
    }

    fn place(&self, slot: u16, tick: Option<Tick>) -> Option<Place> {
        let (generation, position) = self.at(slot, tick?.0)?;
        Some(Place { generation: generation.low(), position })
    }

    fn apply(&mut self, tick: u32, slot: u16, change: &Move) {
        let old = self.at(slot, tick).map_or([0; 4], |(_, position)| position.axes());
        let generation = self.generations.entry(slot).or_default();
        let position = match change {
            Move::Hide => None,
            Move::Replace => {
                *generation += 1;
                None
            }
            Move::To(to) => Some(*to),
            Move::By(by) => Some(std::array::from_fn(|axis| old[axis].saturating_add(by[axis]))),
        };
        let position = position.map(|axes| self.format.axes.bring(Position::new(axes)));
        let state = position.map(|position| (Generation(*generation), position));
        self.states.entry(slot).or_default().insert(tick, state);
    }

    fn slots(&self, part: u16) -> impl Iterator<Item = (u8, u16)> {
        let per_part = self.format.axes.slots_per_part() as u16;
        let of_part = SLOTS.into_iter().filter(move |slot| slot / per_part == part);
        of_part.map(move |slot| ((slot % per_part) as u8, slot))
    }

    fn parts(&self) -> Vec<u16> {
        let per_part = self.format.axes.slots_per_part() as u16;
        SLOTS.map(|slot| slot / per_part).into_iter().collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn known(&self, part: &PartHeader) -> Vec<Known> {
        let known = |(offset, slot)| {
            let baseline = self.place(slot, part.baseline)?;
            let reference = self.place(slot, part.reference).map(|place| place.position);
            Some(Known { offset, baseline, reference })
        };
        self.slots(part.index).filter_map(known).collect()
    }

    /// What a server writes: each slot of which the viewer has another place at the baseline, and maybe others.
    fn entries(&self, part: &PartHeader, tick: u32, names_all: bool) -> Vec<Entry> {
        let entry = |(offset, slot)| {
            let base = self.place(slot, part.baseline);
            let now = self.place(slot, Some(Tick(tick)));
            let change = match (base, now) {
                (base, now) if base == now && !names_all => return None,
                (Some(base), Some(now)) if base.generation == now.generation => {
                    Change::Moved(now.position)
                }
                (_, Some(now)) => Change::Appeared(now),
                (Some(_), None) => Change::Vanished,
                (None, None) => return None,
            };
            Some(Entry { offset, change })
        };
        self.slots(part.index).filter_map(entry).collect()
    }
}

/// A datagram under way, with what is in it.
struct Datagram {
    arrives: usize,
    header: FrameHeader,
    parts: Vec<PartHeader>,
    bytes: Vec<u8>,
}

impl Datagram {
    fn new(world: &World, arrives: usize, tick: u32, parts: &[PartHeader], all: bool) -> Self {
        let header = FrameHeader { room: RoomHandle(1), epoch_check: 0, tick: Tick(tick) };
        let mut writer = FrameWriter::new(Vec::new(), &header);
        for part in parts {
            let (known, entries) = (world.known(part), world.entries(part, tick, all));
            assert!(writer.put_part(&world.format, *part, &known, &entries));
        }
        Self { arrives, header, parts: parts.to_vec(), bytes: writer.finish() }
    }
}

/// The view, and the ticks of each part that it must hold.
struct Viewer {
    view: View,
    held: BTreeMap<u16, BTreeSet<u32>>,
}

impl Viewer {
    fn receive(&mut self, world: &World, datagram: &Datagram) -> Result<(), TestCaseError> {
        let mut reader = Reader::new(&datagram.bytes);
        prop_assert_eq!(reader.u8(), Ok(KIND));
        let header = FrameHeader::read(&mut reader).unwrap();
        prop_assert_eq!(header, datagram.header);
        let received = self.view.handle_frame(&header, reader, |_, _| {}).unwrap();
        let (mut parts, mut is_unusable) = (0, false);
        for part in &datagram.parts {
            let held = self.held.entry(part.index).or_default();
            let newest = held.last().copied();
            let is_held = |tick: &Tick| {
                held.contains(&tick.0) && newest.is_some_and(|newest| newest - tick.0 <= WINDOW)
            };
            if !part.baseline.iter().chain(&part.reference).all(is_held) {
                is_unusable = true;
                break;
            }
            if is_held(&header.tick) || newest < Some(header.tick.0) {
                held.insert(header.tick.0);
                parts |= 1 << part.index;
            } else {
                is_unusable = true;
            }
        }
        prop_assert_eq!((received.parts, received.is_unusable), (parts, is_unusable));
        self.compare(world)
    }

    /// Every slot is where it was at the newest tick that is held of its part, or is not to be seen.
    fn compare(&self, world: &World) -> Result<(), TestCaseError> {
        for slot in SLOTS {
            let part = slot / world.format.axes.slots_per_part() as u16;
            let newest = self.held.get(&part).and_then(|held| held.last());
            let truth = newest.and_then(|newest| world.at(slot, *newest));
            for generation in
                (0..=world.generations.get(&slot).map_or(0, |last| last + 1)).map(Generation)
            {
                let expected = truth.filter(|(there, _)| there.low() == generation.low());
                let shown = self.view.position(Slot(slot), generation);
                prop_assert_eq!(shown, expected.map(|(_, position)| position), "slot {}", slot);
            }
        }
        Ok(())
    }

    /// A baseline for a part of `tick`, and a reference: mostly what is held, at times what was only sent.
    fn pick(&self, index: u16, tick: u32, sent: &[u32], picks: (Index, Index)) -> PartHeader {
        let acked = self.held.get(&index).into_iter().flatten().rev().take(5);
        let acked: Vec<u32> = acked.copied().collect();
        let pick = |pick: Index, before: u32| {
            let held = acked.iter().cycle().take(3 * acked.len());
            let earlier = sent.iter().rev().take(3).chain(held).copied();
            let earlier: Vec<u32> = earlier.filter(|earlier| *earlier < before).collect();
            earlier.get(pick.index(earlier.len() + 1)).copied().map(Tick)
        };
        let baseline = pick(picks.0, tick);
        PartHeader { index, baseline, reference: baseline.and_then(|at| pick(picks.1, at.0)) }
    }
}

fn run(axes: Axes, tick_hz: u32, steps: &[Step]) -> Result<(), TestCaseError> {
    let format = Format { tick_hz, axes };
    let mut world = World { format, generations: BTreeMap::new(), states: BTreeMap::new() };
    let mut viewer = Viewer { view: View::new(format, Epoch(0)), held: BTreeMap::new() };
    let mut network: Vec<Datagram> = Vec::new();
    let mut sent: Vec<u32> = Vec::new();
    let mut tick = 0;
    for (now, step) in steps.iter().enumerate() {
        tick += step.ticks_since;
        for (at, change) in &step.moves {
            world.apply(tick, SLOTS[at.index(SLOTS.len())], change);
        }
        let repeated = sent.last().copied().filter(|_| step.repeats);
        for tick in repeated.into_iter().chain([tick]) {
            let indices = world.parts().into_iter().enumerate();
            let part = |(at, index)| viewer.pick(index, tick, &sent, step.baselines[at % 3]);
            let parts: Vec<PartHeader> = indices.map(part).collect();
            for delay in &step.arrivals {
                network.push(Datagram::new(&world, now + delay, tick, &parts, step.names_all));
            }
        }
        sent.push(tick);
        let (due, later) = network.into_iter().partition(|datagram| datagram.arrives <= now);
        network = later;
        for datagram in &due as &Vec<Datagram> {
            viewer.receive(&world, datagram)?;
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn m5_a_view_shows_the_truth_of_the_newest_tick_that_it_holds(
        axes in any_axes(),
        tick_hz in 1..=250u32,
        steps in steps(),
    ) {
        run(axes, tick_hz, &steps)?;
    }
}
