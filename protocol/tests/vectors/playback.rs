//! `playback.json`: what a receiver shows at any time of frames that come late, out of order or not at all.

use hither_protocol::message::control::{AxisFormat, MotionFormat};
use hither_protocol::motion::{Place, Point, Position};
use hither_protocol::playback::Playback;
use hither_protocol::{Generation, Slot, Tick, Timestamp};
use serde_json::{Value as Json, json};

use crate::golden;
use crate::json::{items, text};

/// How near another implementation has to come, in steps: it adds up in another order.
const NEAR: f64 = 1e-9;
/// The times between two arrivals, in microseconds, at which it is looked; a screen's at no round rate.
const LOOK_EVERY: u64 = 13_777;

/// A frame on its way: when it comes, in microseconds, its tick, and where each slot is, if it has moved.
struct Arrival {
    now: u64,
    tick: u32,
    points: Vec<(u16, u8, [i32; 4])>,
}

struct Scenario {
    name: &'static str,
    hz: u32,
    axes: Vec<AxisFormat>,
    arrivals: Vec<Arrival>,
}

fn arrival(now: u64, tick: u32, points: &[(u16, u8, [i32; 4])]) -> Arrival {
    Arrival { now, tick, points: points.to_vec() }
}

/// Numbers that are the same for ever (Numerical Recipes' generator), from 0 to below `end`.
fn random(state: &mut u32, end: u32) -> u32 {
    *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    ((u64::from(*state) * u64::from(end)) >> 32) as u32
}

/// Three members that wander for `ticks`, over a network that loses and delays so many in a hundred.
fn wander(seed: u32, hz: u32, ticks: u32, lost: u32, late: u32) -> Vec<Arrival> {
    let mut state = seed;
    let mut at = [[0_i32; 4]; 3];
    let period = 1_000_000 / u64::from(hz);
    let mut arrivals = Vec::new();
    for tick in 0..ticks {
        let mut points = Vec::new();
        for (slot, at) in (0..).zip(&mut at) {
            if tick > 0 && random(&mut state, 10) < 3 {
                continue;
            }
            for value in &mut at[..2] {
                *value += random(&mut state, 61) as i32 - 20;
            }
            points.push((slot, 4, *at));
        }
        let is_lost = random(&mut state, 100) < lost;
        let delay = if random(&mut state, 100) < late { random(&mut state, 90_000) } else { 500 };
        if tick == 0 || !is_lost {
            let now = 2_000 + u64::from(tick) * period + u64::from(delay);
            arrivals.push(Arrival { now, tick: 70 + tick, points });
        }
    }
    arrivals.sort_by_key(|arrival| arrival.now);
    arrivals
}

fn axes(count: usize, step: f64) -> Vec<AxisFormat> {
    vec![AxisFormat { step, ..AxisFormat::default() }; count]
}

fn scenario(name: &'static str, hz: u32, arrivals: Vec<Arrival>) -> Scenario {
    Scenario { name, hz, axes: axes(2, 1.0), arrivals }
}

fn scenarios() -> Vec<Scenario> {
    let at = |x, y| [x, y, 0, 0];
    vec![
        scenario("an even network", 30, wander(1, 30, 6, 0, 0)),
        scenario("frames that are late, lost and out of order", 30, wander(2, 30, 25, 20, 30)),
        scenario("few ticks", 10, wander(3, 10, 8, 10, 50)),
        scenario("many ticks", 60, wander(4, 60, 20, 5, 40)),
        scenario(
            "rest, and on from there: nobody leaves before the tick before",
            20,
            vec![
                arrival(0, 100, &[(0, 0, at(0, 0)), (1, 0, at(5, 5))]),
                arrival(50_000, 101, &[(0, 0, at(10, 4))]),
                arrival(100_000, 102, &[(1, 0, at(6, 6))]),
                arrival(150_000, 103, &[(1, 0, at(7, 9))]),
                arrival(200_000, 104, &[(0, 0, at(30, 4)), (1, 0, at(7, 9))]),
                arrival(650_000, 113, &[(0, 0, at(60, -40))]),
            ],
        ),
        Scenario {
            name: "jumps: far, after a second, late, and by somebody else",
            hz: 20,
            axes: axes(2, 0.5),
            arrivals: vec![
                arrival(0, 100, &[(0, 0, at(0, 0)), (1, 0, at(0, 0))]),
                arrival(50_000, 101, &[(0, 0, at(2_000, 0)), (1, 0, at(2_001, 0))]),
                arrival(100_000, 102, &[(0, 0, at(4_000, 9)), (1, 0, at(2_041, 0))]),
                arrival(1_200_000, 124, &[(0, 0, at(4_010, 9)), (1, 9, at(1, 2))]),
                arrival(1_400_000, 126, &[(0, 0, at(4_020, 9)), (1, 9, at(5_001, 2))]),
            ],
        },
        Scenario {
            name: "four axes, the ends of their range, and an angle",
            hz: 20,
            axes: [axes(3, 1.0), vec![AxisFormat { step: 1.0, min: -90, max: 269, wraps: true }]]
                .concat(),
            arrivals: vec![
                arrival(0, 9, &[(0, 0, [0, -(1 << 30), 7, -80])]),
                arrival(50_000, 10, &[(0, 0, [100, (1 << 30) - 1, 8, 260])]),
                arrival(100_000, 11, &[(0, 0, [200, (1 << 30) - 1, 8, 250])]),
                arrival(150_000, 12, &[(0, 0, [300, (1 << 30) - 1, 8, -90])]),
                arrival(200_000, 13, &[(0, 0, [300, (1 << 30) - 1, 8, 0])]),
                arrival(250_000, 14, &[(0, 0, [300, (1 << 30) - 1, 8, 90])]),
                arrival(300_000, 15, &[(0, 0, [300, (1 << 30) - 1, 8, 269])]),
            ],
        },
        scenario(
            "a stall that is over at once",
            20,
            vec![
                arrival(0, 50, &[(0, 0, at(0, 0)), (1, 0, at(0, 0)), (2, 0, at(0, 0))]),
                arrival(50_000, 51, &[(0, 0, at(9, 0)), (1, 0, at(9, 0)), (2, 0, at(9, 0))]),
                arrival(700_000, 52, &[(0, 0, at(18, 0)), (1, 0, at(18, 0)), (2, 0, at(18, 0))]),
                arrival(700_100, 53, &[(0, 0, at(27, 0)), (1, 0, at(27, 0))]),
                arrival(700_200, 64, &[(0, 0, at(126, 0)), (1, 0, at(27, 0))]),
                arrival(750_000, 65, &[(0, 0, at(135, 0))]),
            ],
        ),
    ]
}

fn playback(tick_hz: u32, axes: Vec<AxisFormat>) -> Playback {
    Playback::new(&MotionFormat { tick_hz, axes })
}

fn axis_to_json(axis: &AxisFormat) -> Json {
    let AxisFormat { step, min, max, wraps } = axis;
    json!({ "step": step, "min": min, "max": max, "wraps": wraps })
}

fn axis_from_json(axis: &Json) -> AxisFormat {
    let whole = |key: &str| axis[key].as_i64().unwrap() as i32;
    let [min, max] = ["min", "max"].map(whole);
    AxisFormat {
        step: axis["step"].as_f64().unwrap(),
        min,
        max,
        wraps: axis["wraps"].as_bool().unwrap(),
    }
}

fn time(now: &Json) -> Timestamp {
    // Milliseconds with three digits.
    Timestamp::from_micros((now.as_f64().unwrap() * 1_000.0).round() as u64)
}

/// What is to be seen of those that a step names by slot and generation.
fn shown(playback: &Playback, axes: usize, step: &Json) -> Json {
    let sample = |name: &Json| {
        let (slot, generation) = (name[0].as_u64().unwrap(), name[1].as_u64().unwrap());
        let by =
            (Slot(u16::try_from(slot).unwrap()), Generation(u32::try_from(generation).unwrap()));
        let sample = playback.sample(by.0, by.1, time(&step["now"]));
        json!([slot, generation, sample.map(|values| values[..axes].to_vec())])
    };
    items(&step["shown"]).iter().map(sample).collect()
}

fn take(playback: &mut Playback, step: &Json) {
    let tick = Tick(u32::try_from(step["tick"].as_u64().unwrap()).unwrap());
    playback.handle_frame(time(&step["now"]), tick);
    for point in items(&step["points"]) {
        let value =
            |axis: usize| point[2].get(axis).map_or(0, |value| value.as_i64().unwrap() as i32);
        let position = Position::new(std::array::from_fn(value));
        let generation = u8::try_from(point[1].as_u64().unwrap()).unwrap();
        let slot = Slot(u16::try_from(point[0].as_u64().unwrap()).unwrap());
        playback.handle_point(slot, Point { tick, place: Some(Place { generation, position }) });
    }
}

/// The steps of a scenario: each frame, and looks at all that has come until the next.
fn steps(scenario: &Scenario) -> Vec<Json> {
    let Scenario { hz, axes, arrivals, .. } = scenario;
    let mut playback = playback(*hz, axes.clone());
    let axes = axes.len();
    let mut steps = Vec::new();
    let mut names: Vec<[u32; 2]> = Vec::new();
    let ends = arrivals.iter().skip(1).map(|next| next.now);
    let last = arrivals.last().map_or(0, |last| last.now + 6_000_000 / u64::from(*hz));
    for (arrival, end) in arrivals.iter().zip(ends.chain([last])) {
        let ms = |micros: u64| micros as f64 / 1_000.0;
        let point = |(slot, generation, values): &(_, _, [i32; 4])| -> (u16, u8, Vec<i32>) {
            (*slot, *generation, values[..axes].to_vec())
        };
        let points: Vec<_> = arrival.points.iter().map(point).collect();
        names.extend(
            points.iter().map(|(slot, generation, _)| [(*slot).into(), (*generation).into()]),
        );
        names.sort_unstable();
        names.dedup();
        let frame = json!({ "now": ms(arrival.now), "tick": arrival.tick, "points": points });
        take(&mut playback, &frame);
        steps.push(frame);
        let mut now = arrival.now;
        while now < end {
            let mut look = json!({ "now": ms(now), "shown": names });
            look["shown"] = shown(&playback, axes, &look);
            steps.push(look);
            now += LOOK_EVERY.max((end - arrival.now) / 4);
        }
    }
    steps
}

fn are_near(is: &Json, was: &Json) -> bool {
    match (is, was) {
        (Json::Array(is), Json::Array(was)) => {
            is.len() == was.len() && is.iter().zip(was).all(|(is, was)| are_near(is, was))
        }
        (Json::Number(is), Json::Number(was)) => {
            (is.as_f64().unwrap() - was.as_f64().unwrap()).abs() <= NEAR
        }
        _ => is == was,
    }
}

#[test]
fn what_is_shown_of_frames() {
    let made = scenarios().into_iter().map(|scenario| {
        let steps = steps(&scenario);
        let Scenario { name, hz, axes, .. } = scenario;
        let axes: Json = axes.iter().map(axis_to_json).collect();
        json!({ "name": name, "hz": hz, "axes": axes, "steps": steps })
    });
    let made = json!({
        "about": "steps: frames as they come, and looks. now: milliseconds at the receiver. Slot, generation, steps.",
        "scenarios": made.collect::<Json>(),
    });
    let file = golden("playback.json", &made);
    for scenario in items(&file["scenarios"]) {
        let hz = u32::try_from(scenario["hz"].as_u64().unwrap()).unwrap();
        let axes: Vec<_> = items(&scenario["axes"]).iter().map(axis_from_json).collect();
        let count = axes.len();
        let mut playback = playback(hz, axes);
        for step in items(&scenario["steps"]) {
            if step["tick"].is_u64() {
                take(&mut playback, step);
                continue;
            }
            let shown = shown(&playback, count, step);
            let name = text(&scenario["name"]);
            assert!(are_near(&shown, &step["shown"]), "{name}, {}: {shown}", step["now"]);
        }
    }
}
