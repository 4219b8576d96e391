//! The sequences of `motion_down.json`: what happened in a room, and the frames of it in the order of their arrival,
//! with what the network and the server do.

use hither_protocol::message::control::AxisFormat;
use hither_protocol::motion::frame::KIND;
use hither_protocol::motion::{Axes, Format};

use crate::truth::{Arrival, EPOCH, Scenario, Truth, part};

const LOW: i32 = -(1 << 30);
const HIGH: i32 = (1 << 30) - 1;

pub(crate) fn all() -> Vec<Scenario> {
    [networks(), baselines(), members(), parts(), motions(), axes(), faults()]
        .into_iter()
        .flatten()
        .collect()
}

fn truth() -> Truth {
    Truth::default()
}

/// Two members from tick 100 on, who move in every tick up to 105.
fn walkers() -> Truth {
    let start = truth().at(100, 0, 0, &[10, 10]).at(100, 1, 0, &[20, 20]);
    (101..=105u32).fold(start, |truth, tick| {
        let step = (tick - 100) as i32;
        truth.at(tick, 0, 0, &[10 + step, 10 - step]).at(tick, 1, 0, &[20 + 5 * step, 20])
    })
}

fn networks() -> Vec<Scenario> {
    let example = truth()
        .at(1000, 0, 0, &[100, 100])
        .at(1000, 1, 0, &[640, 480])
        .at(1000, 5, 2, &[-20, 7])
        .at(1001, 1, 0, &[645, 477])
        .at(1002, 1, 0, &[648, 475])
        .at(1003, 0, 0, &[101, 100])
        .at(1003, 1, 0, &[649, 472])
        .at(1004, 1, 0, &[652, 469])
        .at(1004, 5, 2, &[-22, 7]);
    vec![
        Scenario::new("the worked example of PROTOCOL.md", example)
            .one("a keyframe: three members", 1000, None, None)
            .one("slot 1 moved", 1001, Some(1000), None)
            .one("1002 is lost, and 1001's ack too: still against 1000", 1003, Some(1000), None)
            .one("1003 was acked, and 1000 is held as well", 1004, Some(1003), Some(1000)),
        Scenario::new("frames out of order", walkers())
            .one("a keyframe", 100, None, None)
            .one("102 overtakes 101, and has what moved in 101", 102, Some(100), None)
            .one("101 is late: it can be read, and is neither shown nor held", 101, Some(100), None)
            .one("so nothing can be against it", 103, Some(101), None)
            .one("the server goes on from 102", 104, Some(102), Some(100)),
        Scenario::new("an overtaking frame that can't be used", walkers())
            .one("a keyframe", 100, None, None)
            .one("102 is against 101, which is under way", 102, Some(101), None)
            .one("101 is late, and news", 101, Some(100), None)
            .one("102 again", 102, Some(101), None),
        Scenario::new("frames that come twice are acked twice", walkers())
            .one("a keyframe", 100, None, None)
            .one("the same again", 100, None, None)
            .one("both moved", 101, Some(100), None)
            .one("the same, against nothing this time", 101, None, None)
            .one("the keyframe once more, late", 100, None, None),
        Scenario::new(
            "ticks are skipped when nothing moves",
            truth().at(5, 0, 0, &[1, 1]).at(6, 0, 0, &[9, 9]).at(306, 0, 0, &[17, 17]).at(
                70_006,
                0,
                0,
                &[18, 18],
            ),
        )
        .one("a keyframe", 5, None, None)
        .one("the next tick", 6, Some(5), None)
        .one("300 ticks later: the momentum of then says nothing", 306, Some(6), Some(5))
        .one("a long time later", 70_006, Some(306), None),
    ]
}

fn baselines() -> Vec<Scenario> {
    let slow = truth()
        .at(90, 0, 0, &[0, 0])
        .at(99, 0, 0, &[1, 1])
        .at(100, 0, 0, &[2, 2])
        .at(108, 1, 0, &[5, 5])
        .at(132, 0, 0, &[3, 3])
        .at(133, 0, 0, &[4, 4]);
    vec![
        Scenario::new("a baseline that never came", walkers())
            .one("a keyframe", 100, None, None)
            .one("101 was lost", 102, Some(101), None)
            .one("from a tick that is held", 103, Some(100), None)
            .one("102 was not kept", 104, Some(102), None)
            .one("nor is it a reference", 104, Some(103), Some(102)),
        Scenario::new("a tick 32 before the newest is held, one of 33 is not", slow.clone())
            .one("99", 99, None, None)
            .one("100", 100, Some(99), None)
            .one("132", 132, Some(100), Some(99))
            .one("33 before the newest", 133, Some(99), None)
            .one("33 before the newest, as a reference", 133, Some(100), Some(99))
            .one("32 before the newest", 133, Some(100), None)
            .one("100 comes again, too late to be acked again", 100, Some(99), None),
        Scenario::new(
            "a late frame is not used, not even the first of a slot",
            truth().at(100, 0, 0, &[1, 1]).at(100, 1, 0, &[2, 2]).gone(120, 1).at(
                133,
                0,
                0,
                &[4, 4],
            ),
        )
        .one("a keyframe", 132, None, None)
        .one("an older keyframe, in which slot 1 is", 108, None, None)
        .one("that changes nothing of what is known at 132", 133, Some(132), None),
        Scenario::new(
            "who is not in a keyframe is not there",
            truth()
                .at(100, 0, 0, &[1, 1])
                .at(100, 1, 0, &[2, 2])
                .gone(120, 1)
                .at(150, 0, 0, &[3, 3])
                .at(151, 0, 0, &[4, 4])
                .at(152, 1, 0, &[2, 2]),
        )
        .one("two members", 100, None, None)
        .one("a later keyframe names one", 150, None, None)
        .one("from it", 151, Some(150), None)
        .one("the other one is back", 152, Some(151), Some(150)),
        Scenario::new(
            "who is not named is where it was at the baseline",
            truth()
                .at(100, 0, 0, &[10, 10])
                .at(101, 1, 0, &[20, 20])
                .at(101, 2, 3, &[30, 30])
                .gone(102, 1)
                .gone(102, 2)
                .at(103, 2, 4, &[31, 31]),
        )
        .one("a keyframe", 100, None, None)
        .one("two appear", 101, Some(100), None)
        .one("both are gone, and were not there in 100", 102, Some(100), None)
        .one("another one takes the slot", 103, Some(102), Some(101)),
        Scenario::new(
            "there and back within the ticks since the baseline",
            truth().at(100, 0, 0, &[10, 10]).at(101, 0, 0, &[15, 15]).at(102, 0, 0, &[10, 10]),
        )
        .one("a keyframe", 100, None, None)
        .one("there", 101, Some(100), None)
        .one("and back: a difference of 0", 102, Some(100), None)
        .one("or against where it was there", 103, Some(101), Some(100)),
    ]
}

fn members() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "a slot is given to somebody else",
            truth().at(100, 3, 7, &[1, 1]).at(160, 3, 8, &[50, 50]).at(161, 3, 8, &[51, 51]),
        )
        .one("generation 7", 100, None, None)
        .one("generation 8; the baseline is the newest held, however old", 160, Some(100), None)
        .one("the same, repeated against nothing", 160, None, None)
        .one("a move is of the baseline's generation", 161, Some(160), None),
        Scenario::new(
            "generations wrap after 255",
            truth().at(99, 3, 255, &[9, 9]).at(100, 3, 255, &[1, 1]).at(101, 3, 0, &[2, 2]),
        )
        .one("255", 100, None, None)
        .one("256, whose low byte is 0", 101, Some(100), None)
        .one("a late frame of the old member", 99, None, None),
        Scenario::new(
            "vanish, and come back before the ack",
            truth()
                .at(100, 0, 0, &[10, 10])
                .at(100, 4, 1, &[40, 40])
                .gone(101, 4)
                .at(102, 4, 1, &[44, 44])
                .at(103, 0, 0, &[11, 11])
                .gone(104, 4)
                .at(105, 4, 2, &[45, 45]),
        )
        .one("a keyframe", 100, None, None)
        .one("slot 4 vanished", 101, Some(100), None)
        .one("it came back, and 101's ack has not: a move", 102, Some(100), None)
        .one("against when it was not there, it appears", 103, Some(101), Some(100))
        .one("it vanished again", 104, Some(103), Some(102))
        .one("somebody else is there: against 103, instead", 105, Some(103), Some(101)),
        Scenario::new("another epoch", walkers())
            .one("a keyframe", 100, None, None)
            .arrival(
                "a frame of the room's next life",
                Arrival::Frame(101, EPOCH + 1, vec![part(0, Some(100), None)]),
            )
            .one("the next of this one", 101, Some(100), None),
        Scenario::new(
            "a reference without a position",
            truth()
                .at(100, 0, 0, &[10, 10])
                .at(101, 0, 0, &[14, 10])
                .at(101, 1, 0, &[20, 20])
                .at(102, 0, 0, &[18, 10])
                .at(102, 1, 0, &[24, 20]),
        )
        .one("a keyframe", 100, None, None)
        .one("slot 1 appeared", 101, Some(100), None)
        .one("slot 0 has a momentum, slot 1 has none", 102, Some(101), Some(100)),
    ]
}

fn parts() -> Vec<Scenario> {
    let three = truth()
        .at(100, 63, 0, &[1, 1])
        .at(100, 64, 0, &[2, 2])
        .at(100, 127, 1, &[3, 3])
        .at(100, 4095, 0, &[4, 4])
        .at(101, 63, 0, &[2, 1])
        .at(102, 127, 1, &[4, 4])
        .at(103, 63, 0, &[3, 1])
        .at(103, 64, 0, &[4, 4]);
    vec![
        Scenario::new("parts have their ticks each for itself", three.clone())
            .frame("parts 0 and 1", 100, &[part(0, None, None), part(1, None, None)])
            .frame("part 63, in a datagram of its own", 100, &[part(63, None, None)])
            .frame("part 0 alone", 101, &[part(0, Some(100), None)])
            .frame(
                "two baselines and one reference in one datagram",
                102,
                &[part(0, Some(101), Some(100)), part(1, Some(100), None)],
            )
            .frame(
                "the same baseline for both",
                103,
                &[part(0, Some(102), Some(100)), part(1, Some(102), Some(100))],
            )
            .frame(
                "a part that is not next to the one before",
                103,
                &[part(0, None, None), part(63, Some(100), None)],
            ),
        Scenario::new("a part that can't be read ends its datagram", three.clone())
            .frame("parts 0 and 1", 100, &[part(0, None, None), part(1, None, None)])
            .frame(
                "part 0 is in order, part 1 against what is not held, part 63 is behind it",
                102,
                &[part(0, Some(100), None), part(1, Some(101), None), part(63, None, None)],
            )
            .frame("part 1 is made good", 103, &[part(1, Some(100), None)]),
        Scenario::new("a part that is late does not", three)
            .frame("parts 0 and 1", 100, &[part(0, None, None), part(1, None, None)])
            .frame("part 0 of 103 comes first", 103, &[part(0, Some(100), None)])
            .frame(
                "102: part 0 is late, part 1 is news",
                102,
                &[part(0, Some(100), None), part(1, Some(100), None)],
            ),
        Scenario::new("a part without entries", truth())
            .one("a keyframe of nobody", 100, None, None)
            .one("nobody moved", 101, Some(100), None),
    ]
}

fn motions() -> Vec<Scenario> {
    // Where a hand is that sweeps to and fro, at 60 Hz, each slot a little slower than the one before.
    let sweep = |tick: u32, slot: u16| {
        let phase = f64::from(tick) / (6.0 + f64::from(slot));
        [(600.0 + 500.0 * phase.sin()) as i32, (400.0 + 300.0 * (phase * 1.3).cos()) as i32]
    };
    let crowd = (100..108u32)
        .flat_map(|tick| (0..24u16).map(move |slot| (tick, slot)))
        .filter(|(tick, slot)| *tick == 100 || (tick + u32::from(*slot)) % 3 != 0)
        .fold(truth(), |truth, (tick, slot)| truth.at(tick, slot * 5 / 2, 0, &sweep(tick, slot)));
    let mut busy = Scenario::new("24 members at 60 ticks a second, an ack every two ticks", crowd)
        .motion(60, vec![AxisFormat::default(); 2])
        .one("a keyframe", 100, None, None);
    for tick in 101..108 {
        let reference = (tick > 102).then(|| tick - 4).filter(|tick| *tick >= 100);
        busy = busy.one("two ticks later", tick, Some((tick - 2).max(100)), reference);
    }
    let pushed = (100..110u32).fold(truth(), |truth, tick| {
        let step = (tick as i32 - 100) * (tick as i32 - 100);
        truth.at(tick, 0, 0, &[7 * step, -300 * step]).at(tick, 1, 0, &[-step, step / 3])
    });
    let mut faster = Scenario::new("faster and faster at 60 ticks a second, a lag of two", pushed)
        .motion(60, vec![AxisFormat::default(); 2])
        .one("a keyframe", 100, None, None)
        .one("no momentum yet", 101, Some(100), None)
        .one("a lag of one", 102, Some(101), Some(100));
    for tick in 103..110 {
        faster = faster.one("a lag of two", tick, Some(tick - 1), Some(tick - 3));
    }
    vec![
        busy,
        faster,
        Scenario::new(
            "momentum counts for eight ticks and no more",
            (100..120u32)
                .fold(truth(), |truth, tick| truth.at(tick, 0, 0, &[40 * (tick as i32 - 100), 0])),
        )
        .one("a keyframe", 100, None, None)
        .one("eight", 108, Some(100), None)
        .one("a lag of eight", 109, Some(108), Some(100))
        .one("a lag of nine", 110, Some(109), Some(100))
        .one("eight ticks after the baseline", 118, Some(110), Some(109))
        .one("nine", 119, Some(110), Some(109)),
    ]
}

fn axes() -> Vec<Scenario> {
    let open = AxisFormat::default();
    let pose = vec![
        AxisFormat { step: 0.01, min: -5_000, max: 5_000, ..open },
        AxisFormat { step: 0.01, min: 0, max: 400, ..open },
        AxisFormat { step: 0.01, min: -5_000, max: 5_000, ..open },
        AxisFormat { step: 0.5, min: 0, max: 719, wraps: true },
    ];
    let turning = truth()
        .at(100, 0, 0, &[-5_000, 0, 5_000, 715])
        .at(100, 31, 9, &[1, 2, 3, 4])
        .at(101, 0, 0, &[-4_990, 3, 4_990, 719])
        .at(101, 31, 9, &[1, 2, 3, 716])
        .at(102, 0, 0, &[-4_980, 6, 4_980, 3])
        .at(102, 31, 9, &[1, 400, 3, 356])
        .at(103, 0, 0, &[-4_970, 9, 4_970, 7]);
    vec![
        Scenario::new(
            "one axis",
            truth().at(100, 0, 0, &[-5]).at(100, 63, 1, &[9]).at(101, 63, 1, &[-55]),
        )
        .axes(1)
        .one("a keyframe", 100, None, None)
        .one("a move", 101, Some(100), None),
        Scenario::new(
            "three axes: 32 slots a part",
            truth().at(100, 31, 0, &[1, 2, 3]).at(100, 40, 0, &[-1, -2, -3]).at(
                101,
                40,
                0,
                &[99, -102, 997],
            ),
        )
        .axes(3)
        .frame("slots 31 and 40", 100, &[part(0, None, None), part(1, None, None)])
        .frame("slot 40 moved", 101, &[part(1, Some(100), None)]),
        Scenario::new("four axes with ranges, the last of them an angle", turning)
            .motion(60, pose)
            .one("at the ends of the ranges", 100, None, None)
            .one("up to the end of the angle, and back over it", 101, Some(100), None)
            .one("over the end; half a turn", 102, Some(101), Some(100))
            .one("on, with a momentum that went over it", 103, Some(102), Some(101))
            .one("and three ticks at once", 103, Some(100), None),
        Scenario::new(
            "the last slot of a room of 4,096",
            truth().at(100, 4095, 9, &[1, -1, 2, -2]).at(101, 4095, 9, &[1, -1, 2, 298]),
        )
        .axes(4)
        .frame("it appears", 100, &[part(127, None, None)])
        .frame("it moved", 101, &[part(127, Some(100), None)]),
        Scenario::new(
            "the ends of the range",
            truth()
                .at(100, 0, 0, &[LOW, HIGH])
                .at(100, 1, 0, &[HIGH, LOW])
                .at(100, 2, 0, &[0, 0])
                .at(101, 0, 0, &[HIGH, LOW])
                .at(101, 1, 0, &[HIGH - 65_535, LOW + 65_535])
                .at(101, 2, 0, &[65_536, 0])
                .at(102, 0, 0, &[HIGH - 1, LOW + 1]),
        )
        .one("both corners", 100, None, None)
        .one("a jump is an appearance, a step of up to 65,535 a move", 101, Some(100), None)
        .one("on with the largest momentum that counts", 102, Some(101), Some(100)),
        Scenario::new(
            "an angle of the widest range",
            truth().at(100, 0, 0, &[HIGH]).at(101, 0, 0, &[LOW]).at(102, 0, 0, &[LOW + 3]),
        )
        .motion(20, vec![AxisFormat { wraps: true, ..open }])
        .one("at the end", 100, None, None)
        .one("one step on is at the other end", 101, Some(100), None)
        .one("on", 102, Some(101), Some(100)),
    ]
}

fn faults() -> Vec<Scenario> {
    let narrow = vec![AxisFormat { min: 0, max: 100, ..AxisFormat::default() }; 2];
    let open = Format { tick_hz: 30, axes: Axes::TWO };
    let bytes =
        |truth: &Truth, format: &Format, tick, header| truth.bytes(format, tick, EPOCH, &[header]);
    let header = |rest: &[u8]| [&[KIND, 7, 1], rest].concat();
    let inside = truth().at(100, 0, 0, &[1, 1]).at(100, 20, 0, &[1, 1]).at(101, 0, 0, &[2, 2]);
    let beyond = inside.clone().at(102, 0, 0, &[101, 0]);
    let two = inside.clone().at(101, 64, 0, &[77, 99]).at(102, 0, 0, &[3, 3]);
    let mut cut = two.bytes(&open, 101, EPOCH, &[part(0, Some(100), None), part(1, None, None)]);
    cut.truncate(7);
    // What was 200 ticks before tick 250 is before the beginning of tick 50.
    let late = bytes(&inside, &open, 250, part(0, Some(50), None));
    let early = [header(&[50]), late[5..].to_vec()].concat();
    vec![
        Scenario::new("what comes before a fault is used, and nothing of the frame is acked", two)
            .one("a keyframe", 100, None, None)
            .raw("cut in part 1", cut)
            .one("part 0 of 101 is held", 102, Some(101), None),
        Scenario::new("frames that say what can't be", inside)
            .motion(30, narrow)
            .one("a keyframe", 100, None, None)
            .raw("no part", header(&[101]))
            .raw("part 64 of 64", bytes(&truth(), &open, 101, part(64, None, None)))
            .raw("a baseline before tick 0", early)
            .raw("a move out of the range", bytes(&beyond, &open, 102, part(0, Some(100), None)))
            .raw("an appearance out of the range", bytes(&beyond, &open, 102, part(0, None, None)))
            .raw("a tick that does not fit", header(&[0x80, 0x80, 0x80, 0x80, 0x10, 0x01]))
            .raw("no tick", header(&[]))
            .one("all is well again", 101, Some(100), None),
        Scenario::new("a slot that a part does not have", truth()).axes(3).raw(
            "slot 40 of 32",
            bytes(&truth().at(100, 40, 0, &[1, 2]), &open, 100, part(0, None, None)),
        ),
    ]
}
