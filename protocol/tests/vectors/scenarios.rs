//! The sequences of `motion_down.json`: frames in the order of their arrival, with what the network and the server do.

/// What arrives.
pub(crate) enum Arrival {
    /// A frame that the encoder wrote.
    Frame(Frame),
    /// Bytes that no encoder wrote: a frame without its kind, room 7, epoch check 1.
    Raw(&'static [u8]),
}

pub(crate) struct Frame {
    pub(crate) tick: u32,
    pub(crate) epoch: u64,
    pub(crate) parts: Vec<Part>,
}

pub(crate) struct Part {
    pub(crate) index: u16,
    pub(crate) baseline: Option<u32>,
    pub(crate) entries: Vec<(u8, Entry)>,
}

#[derive(Clone, Copy)]
pub(crate) enum Entry {
    At(u8, [i32; 4]),
    By([i32; 4]),
}

pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) axes: u8,
    pub(crate) epoch: u64,
    pub(crate) steps: Vec<(&'static str, Arrival)>,
}

const EPOCH: u64 = 0x1_01;
const LOW: i32 = -(1 << 30);
const HIGH: i32 = (1 << 30) - 1;

fn at(generation: u8, x: i32, y: i32) -> Entry {
    Entry::At(generation, [x, y, 0, 0])
}

fn by(x: i32, y: i32) -> Entry {
    Entry::By([x, y, 0, 0])
}

fn part(index: u16, baseline: Option<u32>, entries: &[(u8, Entry)]) -> Part {
    Part { index, baseline, entries: entries.to_vec() }
}

fn frame(tick: u32, parts: Vec<Part>) -> Arrival {
    Arrival::Frame(Frame { tick, epoch: EPOCH, parts })
}

/// A frame of part 0 alone.
fn one(tick: u32, baseline: Option<u32>, entries: &[(u8, Entry)]) -> Arrival {
    frame(tick, vec![part(0, baseline, entries)])
}

fn scenario(name: &'static str, axes: u8, steps: Vec<(&'static str, Arrival)>) -> Scenario {
    Scenario { name, axes, epoch: EPOCH, steps }
}

pub(crate) fn all() -> Vec<Scenario> {
    let mut all = networks();
    all.extend(baselines());
    all.extend(members());
    all.extend(shapes());
    all.extend(faults());
    all
}

fn networks() -> Vec<Scenario> {
    vec![
        scenario(
            "the worked example of PROTOCOL.md",
            2,
            vec![
                (
                    "a keyframe: three members",
                    one(
                        1000,
                        None,
                        &[(0, at(0, 100, 100)), (1, at(0, 640, 480)), (5, at(2, -20, 7))],
                    ),
                ),
                ("slot 1 moved", one(1001, Some(1000), &[(1, by(5, -3))])),
                (
                    "1002 is lost, and 1001's ack too: still against 1000",
                    one(1003, Some(1000), &[(0, by(1, 0)), (1, by(9, -8))]),
                ),
                ("1003 was acked", one(1004, Some(1003), &[(5, by(-2, 0))])),
            ],
        ),
        scenario(
            "frames out of order",
            2,
            vec![
                ("a keyframe", one(100, None, &[(0, at(0, 10, 10)), (1, at(0, 20, 20))])),
                (
                    "102 overtakes 101, and has what moved in 101",
                    one(102, Some(100), &[(0, by(2, 2)), (1, by(5, 5))]),
                ),
                (
                    "101 is late: it is acked, and nothing in it is news",
                    one(101, Some(100), &[(0, by(1, 1)), (1, by(5, 5))]),
                ),
                (
                    "the server may go on from 101",
                    one(103, Some(101), &[(0, by(3, 3)), (1, by(1, 0))]),
                ),
                ("or from 102", one(104, Some(102), &[(0, by(2, 2)), (1, by(2, 0))])),
            ],
        ),
        scenario(
            "an overtaking frame that can't be used",
            2,
            vec![
                ("a keyframe", one(100, None, &[(0, at(0, 10, 10)), (1, at(0, 20, 20))])),
                ("102 is against 101, which is under way", one(102, Some(101), &[(0, by(1, 1))])),
                ("101 is late, and news", one(101, Some(100), &[(0, by(1, 1)), (1, by(5, 5))])),
                ("102 again", one(102, Some(101), &[(0, by(1, 1))])),
            ],
        ),
        scenario(
            "frames that come twice are acked twice",
            2,
            vec![
                ("a keyframe", one(100, None, &[(0, at(0, 10, 10))])),
                ("the same again", one(100, None, &[(0, at(0, 10, 10))])),
                ("slot 0 moved", one(101, Some(100), &[(0, by(1, 1))])),
                (
                    "repeated as it rests, against nothing this time",
                    one(101, None, &[(0, at(0, 11, 11))]),
                ),
                ("the keyframe once more, late", one(100, None, &[(0, at(0, 10, 10))])),
            ],
        ),
        scenario(
            "ticks are skipped when nothing moves",
            2,
            vec![
                ("a keyframe", one(5, None, &[(0, at(0, 1, 1))])),
                ("a long time later", one(70_005, None, &[(0, at(0, 2, 2))])),
                ("on from there", one(70_037, Some(70_005), &[(0, by(1, 1))])),
            ],
        ),
    ]
}

fn baselines() -> Vec<Scenario> {
    vec![
        scenario(
            "a baseline that never came",
            2,
            vec![
                ("a keyframe", one(100, None, &[(0, at(0, 10, 10))])),
                ("104 was lost", one(105, Some(104), &[(0, by(1, 1))])),
                ("from a tick that is held", one(106, Some(100), &[(0, by(3, 3))])),
                ("105 was not kept", one(107, Some(105), &[(0, by(9, 9))])),
            ],
        ),
        scenario(
            "a baseline 32 ticks before the newest is held, one of 33 is not",
            2,
            vec![
                ("99", one(99, None, &[(0, at(0, 1, 1))])),
                ("100", one(100, Some(99), &[(0, by(1, 1))])),
                ("132", one(132, Some(100), &[(0, by(1, 1))])),
                ("33 before the newest", one(133, Some(99), &[(0, by(50, 50))])),
                ("32 before the newest", one(133, Some(100), &[(0, by(2, 2))])),
            ],
        ),
        scenario(
            "a frame 32 ticks before the newest is taken, one of 33 is not",
            2,
            vec![
                ("140", one(140, None, &[(0, at(0, 1, 1))])),
                ("33 before the newest", one(107, None, &[(0, at(0, 7, 7)), (1, at(0, 7, 7))])),
                ("32 before the newest", one(108, None, &[(0, at(0, 8, 8)), (1, at(0, 8, 8))])),
            ],
        ),
        scenario(
            "a delta for a slot without a position spoils its part",
            2,
            vec![
                ("a keyframe", one(100, None, &[(0, at(0, 10, 10))])),
                ("slot 1 is not in 100", one(101, Some(100), &[(0, by(1, 1)), (1, by(1, 1))])),
                (
                    "absolute beside a delta",
                    one(102, Some(100), &[(0, by(2, 2)), (1, at(0, 5, 5))]),
                ),
            ],
        ),
        scenario(
            "a keyframe holds no slot that it does not name",
            2,
            vec![
                ("two members", one(100, None, &[(0, at(0, 1, 1)), (1, at(0, 2, 2))])),
                ("a keyframe later names one", one(150, None, &[(0, at(0, 3, 3))])),
                ("from it", one(151, Some(150), &[(0, by(1, 1))])),
            ],
        ),
        scenario(
            "there and back within the ticks since the baseline: a difference of 0",
            2,
            vec![
                ("a keyframe", one(100, None, &[(0, at(0, 10, 10))])),
                ("there", one(101, Some(100), &[(0, by(5, 5))])),
                ("and back", one(102, Some(100), &[(0, by(0, 0))])),
            ],
        ),
    ]
}

fn members() -> Vec<Scenario> {
    vec![
        scenario(
            "a slot is given to somebody else",
            2,
            vec![
                ("generation 7", one(100, None, &[(3, at(7, 1, 1))])),
                (
                    "generation 8, absolute; the baseline is the newest that is held, however long ago",
                    one(160, Some(100), &[(3, at(8, 50, 50))]),
                ),
                ("the same, repeated against nothing", one(160, None, &[(3, at(8, 50, 50))])),
                ("the delta is of the same generation", one(161, Some(160), &[(3, by(1, 1))])),
            ],
        ),
        scenario(
            "generations wrap after 255",
            2,
            vec![
                ("255", one(100, None, &[(3, at(255, 1, 1))])),
                ("256, whose low byte is 0", one(101, Some(100), &[(3, at(0, 2, 2))])),
                ("a late frame of the old member", one(99, None, &[(3, at(255, 9, 9))])),
            ],
        ),
        scenario(
            "another epoch",
            2,
            vec![
                ("a keyframe", one(100, None, &[(0, at(0, 1, 1))])),
                (
                    "a frame of the room's next life",
                    Arrival::Frame(Frame {
                        tick: 101,
                        epoch: EPOCH + 1,
                        parts: vec![part(0, Some(100), &[(0, by(1, 1))])],
                    }),
                ),
            ],
        ),
        scenario(
            "parts stand each by itself",
            2,
            vec![
                (
                    "parts 0 and 1",
                    frame(
                        100,
                        vec![
                            part(0, None, &[(63, at(0, 1, 1))]),
                            part(1, None, &[(0, at(0, 2, 2)), (63, at(1, 3, 3))]),
                        ],
                    ),
                ),
                (
                    "part 63, in a datagram of its own",
                    frame(100, vec![part(63, None, &[(63, at(0, 4, 4))])]),
                ),
                (
                    "part 0 against what is not held, part 1 in order",
                    frame(
                        102,
                        vec![
                            part(0, Some(101), &[(63, by(1, 1))]),
                            part(1, Some(100), &[(63, by(1, 1))]),
                        ],
                    ),
                ),
                (
                    "the ticks that are held differ from part to part",
                    frame(
                        103,
                        vec![
                            part(0, Some(100), &[(63, by(2, 2))]),
                            part(1, Some(102), &[(0, by(2, 2))]),
                        ],
                    ),
                ),
            ],
        ),
    ]
}

fn shapes() -> Vec<Scenario> {
    vec![
        scenario(
            "one axis",
            1,
            vec![
                (
                    "a keyframe",
                    one(
                        100,
                        None,
                        &[(0, Entry::At(0, [-5, 0, 0, 0])), (63, Entry::At(1, [9, 0, 0, 0]))],
                    ),
                ),
                ("a delta", one(101, Some(100), &[(63, Entry::By([-64, 0, 0, 0]))])),
            ],
        ),
        scenario(
            "three axes: 32 slots a part",
            3,
            vec![
                (
                    "slots 31 and 40",
                    frame(
                        100,
                        vec![
                            part(0, None, &[(31, Entry::At(0, [1, 2, 3, 0]))]),
                            part(1, None, &[(8, Entry::At(0, [-1, -2, -3, 0]))]),
                        ],
                    ),
                ),
                (
                    "slot 40 moved",
                    frame(101, vec![part(1, Some(100), &[(8, Entry::By([100, -100, 1000, 0]))])]),
                ),
            ],
        ),
        scenario(
            "four axes",
            4,
            vec![
                (
                    "the last slot of a room of 4,096",
                    frame(100, vec![part(127, None, &[(31, Entry::At(9, [1, -1, 2, -2]))])]),
                ),
                (
                    "it moved",
                    frame(101, vec![part(127, Some(100), &[(31, Entry::By([0, 0, 0, 300]))])]),
                ),
            ],
        ),
        scenario(
            "the ends of the range",
            2,
            vec![
                ("both corners", one(100, None, &[(0, at(0, LOW, HIGH)), (1, at(0, HIGH, LOW))])),
                (
                    "across all of it",
                    one(
                        101,
                        Some(100),
                        &[(0, by(i32::MAX, -i32::MAX)), (1, by(-i32::MAX, i32::MAX))],
                    ),
                ),
                ("one step too far", one(102, Some(101), &[(0, by(1, 0))])),
            ],
        ),
        scenario(
            "a part without entries",
            2,
            vec![
                ("a keyframe of nobody", one(100, None, &[])),
                ("nobody moved", one(101, Some(100), &[])),
            ],
        ),
    ]
}

fn faults() -> Vec<Scenario> {
    let start = || ("a keyframe", one(100, None, &[(0, at(0, 1, 1))]));
    vec![
        scenario(
            "what comes before a fault is used, and nothing of the frame is acked",
            2,
            vec![
                start(),
                (
                    "cut in part 1",
                    Arrival::Raw(&[
                        0x65, 0x02, 0x00, 0x01, 0x01, 0x00, 0x02, 0x02, 0x01, 0x00, 0x01, 0x01,
                    ]),
                ),
                ("part 0 of 101 is held", one(102, Some(101), &[(0, by(1, 1))])),
            ],
        ),
        scenario(
            "frames that say what can't be",
            2,
            vec![
                start(),
                ("no part", Arrival::Raw(&[0x65, 0x00])),
                ("129 parts", Arrival::Raw(&[0x65, 0x81, 0x01])),
                ("part 64 of 64", Arrival::Raw(&[0x65, 0x01, 0x40, 0x00, 0x00])),
                ("65 entries", Arrival::Raw(&[0x65, 0x01, 0x00, 0x00, 0x41])),
                (
                    "slot 64 of a part",
                    Arrival::Raw(&[0x65, 0x01, 0x00, 0x01, 0x01, 0x80, 0x01, 0x00, 0x00]),
                ),
                ("a baseline before tick 0", Arrival::Raw(&[0x65, 0x01, 0x00, 0x66, 0x00])),
                (
                    "an absolute position out of range",
                    Arrival::Raw(&[
                        0x65, 0x01, 0x00, 0x00, 0x01, 0x01, 0x00, 0x80, 0x80, 0x80, 0x80, 0x08,
                        0x00,
                    ]),
                ),
                ("a tick that does not fit", Arrival::Raw(&[0x80, 0x80, 0x80, 0x80, 0x10, 0x01])),
                ("no tick", Arrival::Raw(&[])),
            ],
        ),
    ]
}
