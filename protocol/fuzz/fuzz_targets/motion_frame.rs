//! Motion frames at a viewer: any sequence of datagrams, each against what the ones before left behind, moves only
//! slots that a room can have, to positions that it can have; what was acked is acked again, and changes nothing.
#![no_main]

use hither_protocol::limits::{AXIS_LIMIT, MEMBERS_MAX};
use hither_protocol::motion::frame::FrameHeader;
use hither_protocol::motion::{Axes, View};
use hither_protocol::varint::Reader;
use hither_protocol::{Epoch, Generation};

libfuzzer_sys::fuzz_target!(|input: (u8, Vec<&[u8]>)| {
    let (count, datagrams) = input;
    let Some(axes) = Axes::new(count % 4 + 1) else { unreachable!("1 to 4 are allowed") };
    let mut view = View::new(axes, Epoch(0));
    for datagram in datagrams {
        let mut reader = Reader::new(datagram);
        let Ok(header) = FrameHeader::read(&mut reader) else { continue };
        let mut again = reader.clone();
        let mut moved = Vec::new();
        let received = view.handle_frame(&header, &mut reader, |slot, point| {
            assert!(slot.index() < MEMBERS_MAX);
            assert_eq!(point.tick, header.tick);
            let axes_of = point.position.axes();
            assert!(axes_of.iter().all(|value| (-AXIS_LIMIT..AXIS_LIMIT).contains(value)));
            assert!(axes_of[axes.count()..].iter().all(|value| *value == 0));
            moved.push((slot, point));
        });
        // An error drops the rest of the frame; the next frame comes all the same.
        let Ok(received) = received else { continue };
        assert_eq!(received.parts >> (axes.parts_max() - 1) >> 1, 0);
        assert!(received.parts.count_ones() + received.unusable <= header.parts);
        assert!(header.epoch_check == 0 || received.parts == 0);
        for (slot, point) in moved {
            let generation = Generation(u32::from(point.generation));
            assert_eq!(view.position(slot, generation), Some(point.position));
        }
        let repeated =
            view.handle_frame(&header, &mut again, |slot, _| panic!("{slot} moved again"));
        assert_eq!(repeated.map(|repeated| repeated.parts | received.parts), Ok(received.parts));
    }
});
