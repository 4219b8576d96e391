//! A viewer against the truth: a random world, a network that loses, delays and repeats, and frames against any earlier
//! tick. What the view shows is always what was true, and a baseline that it does not hold is never used.

use std::collections::{BTreeMap, BTreeSet};

use hither_protocol::motion::frame::{FrameHeader, KIND, PartHeader, put_part};
use hither_protocol::motion::{Axes, Coding, Entry, Position, View, WINDOW};
use hither_protocol::varint::Reader;
use hither_protocol::{Epoch, Generation, RoomHandle, Slot, Tick};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// Both sides of the borders between parts.
const SLOTS: [u16; 8] = [0, 1, 31, 32, 63, 64, 65, 4095];

/// One tick of the world and the fate of its frame.
#[derive(Clone, Debug)]
struct Step {
    ticks_since: u32,
    moves: Vec<(Index, Move)>,
    /// Where in what was sent and acked each part's baseline is picked.
    baselines: [Index; 3],
    /// The steps after which each copy of the datagram arrives; none: it is lost.
    arrivals: Vec<usize>,
    /// Whether the tick before is sent again, as a repeat of what rests.
    repeats: bool,
}

#[derive(Clone, Debug)]
enum Move {
    By([i32; 4]),
    To([i32; 4]),
    /// Somebody else takes the slot, and has not moved yet.
    Replace,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let change = prop_oneof![
        6 => prop::array::uniform4(-3..=3i32).prop_map(Move::By),
        2 => any::<[i32; 4]>().prop_map(Move::To),
        1 => Just(Move::Replace),
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
        any::<[Index; 3]>(),
        arrivals,
        any::<bool>(),
    );
    let step = step.prop_map(|(ticks_since, moves, baselines, arrivals, repeats)| Step {
        ticks_since,
        moves,
        baselines,
        arrivals,
        repeats,
    });
    vec(step, 1..80)
}

type State = Option<(Generation, Position)>;

/// Where everybody was at each tick.
struct World {
    axes: Axes,
    generations: BTreeMap<u16, u32>,
    states: BTreeMap<u16, BTreeMap<u32, State>>,
}

impl World {
    fn at(&self, slot: u16, tick: u32) -> State {
        self.states.get(&slot)?.range(..=tick).next_back().and_then(|(_, state)| *state)
    }

    fn apply(&mut self, tick: u32, slot: u16, change: &Move) {
        let generation = self.generations.entry(slot).or_default();
        let position = match change {
            Move::Replace => {
                *generation += 1;
                None
            }
            Move::To(to) => Some(Position::new(*to).on(self.axes)),
            Move::By(by) => {
                let generation = Generation(*generation);
                let old = self.at(slot, tick).map_or([0; 4], |(_, position)| position.axes());
                let sum = std::array::from_fn(|axis| old[axis].saturating_add(by[axis]));
                let moved = Some((generation, Position::new(sum).on(self.axes)));
                self.states.entry(slot).or_default().insert(tick, moved);
                return;
            }
        };
        let state = position.map(|position| (Generation(*generation), position));
        self.states.entry(slot).or_default().insert(tick, state);
    }

    fn parts(&self) -> Vec<u16> {
        let per_part = self.axes.slots_per_part() as u16;
        SLOTS.map(|slot| slot / per_part).into_iter().collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// What a server writes: each slot that has a position and a change since the baseline, a delta where it can be.
    fn entries(&self, part: u16, tick: u32, baseline: Option<u32>) -> Vec<Entry> {
        let per_part = self.axes.slots_per_part() as u16;
        let entry = |slot: u16| {
            let (generation, position) = self.at(slot, tick)?;
            let changed =
                |baseline| self.states[&slot].range((baseline + 1)..=tick).next().is_some();
            if !baseline.is_none_or(changed) {
                return None;
            }
            let base = baseline.and_then(|baseline| self.at(slot, baseline));
            let coding = match base {
                Some((old, base)) if old == generation => Coding::delta(&position, &base),
                _ => Coding::Absolute { generation: generation.low(), position },
            };
            Some(Entry { offset: (slot % per_part) as u8, coding })
        };
        SLOTS.into_iter().filter(|slot| slot / per_part == part).filter_map(entry).collect()
    }
}

/// A datagram under way, with what is in it.
struct Datagram {
    arrives: usize,
    tick: u32,
    parts: Vec<(u16, Option<u32>)>,
    bytes: Vec<u8>,
}

impl Datagram {
    fn new(world: &World, arrives: usize, tick: u32, parts: &[(u16, Option<u32>)]) -> Self {
        let mut bytes = Vec::new();
        let header = FrameHeader {
            room: RoomHandle(1),
            epoch_check: 0,
            tick: Tick(tick),
            parts: parts.len() as u32,
        };
        header.put(&mut bytes);
        for &(index, baseline) in parts {
            let entries = world.entries(index, tick, baseline);
            let part = PartHeader { index, baseline: baseline.map(Tick) };
            put_part(&mut bytes, world.axes, Tick(tick), part, &entries);
        }
        Self { arrives, tick, parts: parts.to_vec(), bytes }
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
        let received = self.view.handle_frame(&header, &mut reader, |_, _| {}).unwrap();
        prop_assert!(reader.is_empty());
        let mut unusable = 0;
        for &(part, baseline) in &datagram.parts {
            let held = self.held.entry(part).or_default();
            let oldest = held.last().map_or(0, |newest| newest.saturating_sub(WINDOW));
            let is_held = |tick: u32| held.contains(&tick) && tick >= oldest;
            let usable =
                is_held(datagram.tick) || datagram.tick >= oldest && baseline.is_none_or(is_held);
            prop_assert_eq!(received.parts >> part & 1 == 1, usable, "part {}", part);
            if usable {
                held.insert(datagram.tick);
            } else {
                unusable += 1;
            }
        }
        prop_assert_eq!(received.unusable, unusable);
        self.compare(world)
    }

    /// Every slot is where it was at the newest tick that is held of its part.
    fn compare(&self, world: &World) -> Result<(), TestCaseError> {
        for slot in SLOTS {
            let part = slot / world.axes.slots_per_part() as u16;
            let newest = self.held.get(&part).and_then(|held| held.last());
            let truth = newest.and_then(|newest| world.at(slot, *newest));
            if let Some((generation, position)) = truth {
                prop_assert_eq!(self.view.position(Slot(slot), generation), Some(position));
                let next = Generation(generation.0 + 1);
                prop_assert_eq!(self.view.position(Slot(slot), next), None);
            }
        }
        Ok(())
    }
}

fn run(axes: Axes, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut world = World { axes, generations: BTreeMap::new(), states: BTreeMap::new() };
    let mut viewer = Viewer { view: View::new(axes, Epoch(0)), held: BTreeMap::new() };
    let mut network: Vec<Datagram> = Vec::new();
    let mut sent: Vec<u32> = Vec::new();
    let mut tick = 0;
    for (now, step) in steps.iter().enumerate() {
        tick += step.ticks_since;
        for (at, change) in &step.moves {
            world.apply(tick, SLOTS[at.index(SLOTS.len())], change);
        }
        let ticks = if step.repeats { sent.last().copied() } else { None };
        for tick in ticks.into_iter().chain([tick]) {
            let part = |(at, part): (usize, u16)| {
                let acked = viewer.held.get(&part).into_iter().flatten().rev().take(3);
                let earlier = sent.iter().chain(acked.clone()).chain(acked.clone()).chain(acked);
                let earlier: Vec<u32> = earlier.copied().filter(|sent| *sent < tick).collect();
                let pick = step.baselines[at % 3].index(earlier.len() + 1);
                (part, earlier.get(pick).copied())
            };
            let parts: Vec<_> = world.parts().into_iter().enumerate().map(part).collect();
            for delay in &step.arrivals {
                network.push(Datagram::new(&world, now + delay, tick, &parts));
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
        axes in 1..=4u8,
        steps in steps(),
    ) {
        run(Axes::new(axes).unwrap(), &steps)?;
    }
}
