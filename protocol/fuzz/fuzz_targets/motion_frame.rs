//! Motion frames at a viewer: any sequence of them, each against what the ones before left behind, moves only slots
//! that a room can have, to positions that it can have.
#![no_main]

use hither_protocol::Epoch;
use hither_protocol::limits::{AXIS_LIMIT, MEMBERS_MAX};
use hither_protocol::motion::frame::FrameHeader;
use hither_protocol::motion::{Axes, View};
use hither_protocol::varint::Reader;

libfuzzer_sys::fuzz_target!(|input: (u8, Vec<&[u8]>)| {
    let (count, frames) = input;
    let Some(axes) = Axes::new(count % 4 + 1) else { unreachable!("1 to 4 are allowed") };
    let mut view = View::new(axes, Epoch(0));
    for frame in frames {
        let mut reader = Reader::new(frame);
        let Ok(header) = FrameHeader::read(&mut reader) else { continue };
        // An error drops the rest of the frame; the next frame comes all the same.
        let _ = view.handle_frame(&header, &mut reader, |slot, point| {
            assert!(slot.index() < MEMBERS_MAX);
            let range = -AXIS_LIMIT..AXIS_LIMIT;
            assert!(point.position.axes().iter().all(|value| range.contains(value)));
        });
    }
});
