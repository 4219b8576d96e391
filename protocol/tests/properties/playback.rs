//! What playback shows against the truth: over a network that is even, it is where the member was, between two ticks;
//! over one that loses, delays and reorders, it is never far from that, never jumps, and comes to rest where it should.

use hither_protocol::message::control::{AxisFormat, MotionFormat};
use hither_protocol::motion::{Place, Point, Position};
use hither_protocol::playback::Playback;
use hither_protocol::{Generation, Slot, Tick, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;

const HZ: u32 = 25;
const PERIOD: u64 = 40_000;
const FIRST: u32 = 1_000;
/// How far behind its points an even network is shown, in ticks.
const BEHIND: f64 = 1.5;

/// Where a few members are at each tick from the first on; who does not move in a tick is not named in it.
type Ways = Vec<Vec<Option<[i32; 2]>>>;

fn ways(members: usize, step: i32) -> impl Strategy<Value = Ways> {
    let by = || prop_oneof![Just(0), -step..=step];
    let ways = vec(vec(prop::option::weighted(0.7, [by(), by()]), members), 1..60);
    ways.prop_map(move |ticks| {
        let mut at = vec![[0; 2]; members];
        let mut walk = |ways: Vec<Option<[i32; 2]>>| -> Vec<Option<[i32; 2]>> {
            let walked = ways.into_iter().zip(&mut at).map(|(by, at)| {
                let by = by?;
                *at = [at[0] + by[0], at[1] + by[1]];
                Some(*at)
            });
            walked.collect()
        };
        // All have a place from the first tick on.
        let mut ticks: Ways = ticks.into_iter().map(&mut walk).collect();
        ticks.insert(0, vec![Some([0; 2]); members]);
        ticks
    })
}

fn time(micros: u64) -> Timestamp {
    Timestamp::from_micros(9_000_000_000 + micros)
}

/// Where a member is at a tick, counted from the first.
fn place(ways: &Ways, member: usize, tick: usize) -> [i32; 2] {
    let known = &ways[..=tick.min(ways.len() - 1)];
    known.iter().rev().find_map(|tick| tick[member]).unwrap_or_default()
}

fn sample(playback: &Playback, member: usize, now: u64) -> Option<[f64; 2]> {
    let sample = playback.sample(Slot(member as u16), Generation(7), time(now))?;
    assert_eq!(sample[2..], [0.0; 2]);
    Some([sample[0], sample[1]])
}

/// Hands over the frame of a tick.
fn show(playback: &mut Playback, now: u64, ways: &Ways, tick: usize) {
    let number = Tick(FIRST + tick as u32);
    playback.handle_frame(time(now), number);
    for (member, place) in ways[tick].iter().enumerate() {
        let Some([x, y]) = *place else { continue };
        let place = Place { generation: 7, position: Position::xy(x, y) };
        let point = Point { tick: number, place: Some(place) };
        playback.handle_point(Slot(member as u16), point);
    }
}

fn is_between(value: f64, a: i32, b: i32) -> bool {
    let slack = 1e-6;
    value >= f64::from(a.min(b)) - slack && value <= f64::from(a.max(b)) + slack
}

proptest! {
    #[test]
    fn what_is_shown_lies_between_the_places_of_two_ticks(
        // The second member moves in each tick, so that there is a frame of each.
        mut ways in ways(2, 40),
        delay in 0..100_000u64,
        moments in vec(0..PERIOD, 60),
    ) {
        for (tick, places) in ways.iter_mut().enumerate() {
            places[1] = Some([tick as i32, 0]);
        }
        let mut playback = Playback::new(&MotionFormat { tick_hz: HZ, ..MotionFormat::default() });
        for (tick, moment) in (0..ways.len()).zip(moments) {
            let now = tick as u64 * PERIOD + delay;
            show(&mut playback, now, &ways, tick);
            let now = now + moment;
            let shown = (now - delay) as f64 / PERIOD as f64 - BEHIND;
            let before = shown.max(0.0).floor() as usize;
            let sampled = sample(&playback, 0, now).unwrap();
            for (axis, value) in sampled.into_iter().enumerate() {
                let from = place(&ways, 0, before)[axis];
                let to = place(&ways, 0, before + 1)[axis];
                prop_assert!(is_between(value, from, to), "{shown}: {value} of {from} to {to}");
            }
        }
    }

    #[test]
    fn who_rests_is_shown_there_exactly_after_the_delay_and_two_ticks(
        ways in ways(3, 900),
        delay in 0..100_000u64,
    ) {
        let mut playback = Playback::new(&MotionFormat { tick_hz: HZ, ..MotionFormat::default() });
        for tick in 0..ways.len() {
            if ways[tick].iter().any(Option::is_some) {
                show(&mut playback, tick as u64 * PERIOD + delay, &ways, tick);
            }
        }
        let rests = ways.len() as u64 * PERIOD + delay + (2 * PERIOD * 7) / 4;
        for member in 0..3 {
            let last = place(&ways, member, ways.len()).map(f64::from);
            prop_assert_eq!(sample(&playback, member, rests), Some(last));
        }
    }

    #[test]
    fn loss_delay_and_reorder_neither_make_it_jump_nor_keep_it_from_coming_to_rest(
        ways in ways(4, 40),
        fates in vec(prop::option::weighted(0.7, 0..3 * PERIOD), 60),
    ) {
        let last = ways.len() - 1;
        let mut arrivals: Vec<(u64, usize)> = (0..ways.len())
            .filter_map(|tick| Some((tick as u64 * PERIOD + (*fates.get(tick)?)?, tick)))
            .collect();
        // What the server repeats until it is acked, and everybody in it.
        arrivals.push((last as u64 * PERIOD + 4 * PERIOD, last));
        arrivals.sort_unstable();
        let mut repeated = ways.clone();
        repeated[last] = (0..4).map(|member| Some(place(&ways, member, last))).collect();

        let mut playback = Playback::new(&MotionFormat { tick_hz: HZ, ..MotionFormat::default() });
        let mut now = 0;
        let mut before: [Option<[f64; 2]>; 4] = [None; 4];
        for (arrival, tick) in arrivals {
            while now < arrival {
                now += 1_000;
                for (member, before) in before.iter_mut().enumerate() {
                    let shown = sample(&playback, member, now);
                    if let (Some(from), Some(to)) = (*before, shown) {
                        let way = (from[0] - to[0]).abs().max((from[1] - to[1]).abs());
                        // In a tick at most what four ticks bring, and that unevenly.
                        prop_assert!(way < 4.0 * 40.0 / 40.0 * 4.0, "{way} in a millisecond");
                    }
                    *before = shown.or(*before);
                }
            }
            show(&mut playback, now, &repeated, tick);
        }
        let rests = now + 10 * PERIOD;
        for member in 0..4 {
            let place = place(&ways, member, last).map(f64::from);
            prop_assert_eq!(sample(&playback, member, rests), Some(place));
        }
    }
}

#[test]
fn m1_axes_that_can_not_be_are_played_as_a_view_has_them() {
    let odd = |min, max, wraps, step| AxisFormat { min, max, wraps, step };
    let formats = [
        vec![odd(1, 0, true, 1.0), odd(1, 0, true, 1.0)],
        vec![odd(i32::MIN, i32::MAX, true, 0.0)],
        vec![odd(0, 0, true, f64::NAN); 7],
        vec![],
    ];
    for axes in formats {
        let mut playback = Playback::new(&MotionFormat { tick_hz: HZ, axes });
        let ways: Ways = vec![vec![Some([0, 0])], vec![Some([9, -9])], vec![Some([0, 9])]];
        for tick in 0..ways.len() {
            show(&mut playback, tick as u64 * PERIOD, &ways, tick);
            for now in 0..10 {
                sample(&playback, 0, now * PERIOD);
            }
        }
    }
}
