//! Upward datagrams: any bytes are records and then an end or an error; records are read back as they were written.
#![no_main]

use hither_protocol::limits::AXIS_LIMIT;
use hither_protocol::motion::Axes;
use hither_protocol::motion::upward::{Upward, read};
use hither_protocol::varint::Reader;

libfuzzer_sys::fuzz_target!(|input: (u8, &[u8])| {
    let (count, bytes) = input;
    let Some(axes) = Axes::open(count % 4 + 1) else { unreachable!("1 to 4 are allowed") };
    let records = read_all(bytes, &axes);
    let mut written = Vec::new();
    for record in &records {
        match record {
            Upward::Sample(sample) => {
                let range = -AXIS_LIMIT..AXIS_LIMIT;
                assert!(sample.position.axes().iter().all(|value| range.contains(value)));
                sample.put(&mut written, &axes);
            }
            Upward::Ack(ack) => ack.put(&mut written),
        }
    }
    assert!(written.len() <= bytes.len(), "what is written is never longer than what was read");
    assert_eq!(read_all(&written, &axes), records);
});

/// The records before the end, or before the first error.
fn read_all(bytes: &[u8], axes: &Axes) -> Vec<Upward> {
    let mut reader = Reader::new(bytes);
    let mut records = Vec::new();
    while let Ok(Some(record)) = read(&mut reader, |room| (room.0 != 0).then_some(*axes)) {
        records.push(record);
    }
    records
}
