//! Motion frames at a viewer: any sequence of datagrams, each against what the ones before left behind, moves only
//! slots that a room can have, to positions that it can have; what was acked is acked again, and changes nothing.
#![no_main]

use std::collections::BTreeMap;

use hither_protocol::limits::MEMBERS_MAX;
use hither_protocol::motion::frame::FrameHeader;
use hither_protocol::motion::{Axes, Axis, Format, View};
use hither_protocol::varint::Reader;
use hither_protocol::{Epoch, Generation};

/// The kinds of axes, of which a room has one to four.
const AXES: [Axis; 4] = [
    Axis::OPEN,
    Axis { min: -300, max: 500, wraps: false },
    Axis { min: 0, max: 359, wraps: true },
    Axis { wraps: true, ..Axis::OPEN },
];

libfuzzer_sys::fuzz_target!(|input: ([u8; 4], u8, u8, Vec<&[u8]>)| {
    let (kinds, count, tick_hz, datagrams) = input;
    let axes = kinds.map(|kind| AXES[usize::from(kind % 4)]);
    let Some(axes) = Axes::new(&axes[..usize::from(count % 4) + 1]) else {
        unreachable!("1 to 4 are allowed")
    };
    let mut view = View::new(Format { tick_hz: u32::from(tick_hz), axes }, Epoch(0));
    for datagram in datagrams {
        let mut reader = Reader::new(datagram);
        let Ok(header) = FrameHeader::read(&mut reader) else { continue };
        let again = reader.clone();
        let mut moved = BTreeMap::new();
        let received = view.handle_frame(&header, reader, |slot, point| {
            assert!(slot.index() < MEMBERS_MAX);
            assert_eq!(point.tick, header.tick);
            let position = point.place.map(|place| place.position);
            assert_eq!(position.map(|position| axes.bring(position)), position);
            assert!(moved.insert(slot, point).is_none(), "{slot} moved twice");
        });
        for (slot, point) in moved {
            for generation in 0..=255 {
                let shown = view.position(slot, Generation(generation));
                let place = point.place.filter(|place| u32::from(place.generation) == generation);
                assert_eq!(shown, place.map(|place| place.position));
            }
        }
        // An error drops the rest of the frame; the next frame comes all the same.
        let Ok(received) = received else { continue };
        assert_eq!(received.parts >> (axes.parts_max() - 1) >> 1, 0);
        assert!(header.epoch_check == 0 || received.parts == 0);
        assert!(received.parts != 0 || received.is_unusable, "a frame has a part");
        let repeated = view.handle_frame(&header, again, |slot, _| panic!("{slot} moved again"));
        // What it is against may be too old by now.
        assert!(
            repeated.is_err() || repeated.is_ok_and(|found| found.parts & !received.parts == 0)
        );
    }
});
