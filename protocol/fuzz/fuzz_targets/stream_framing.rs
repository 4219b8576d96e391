//! The cutting of a stream into messages: the network cuts it anywhere, and what comes out must not depend on where.
#![no_main]

use hither_protocol::message::FrameBuffer;

libfuzzer_sys::fuzz_target!(|input: (u8, &[u8])| {
    let (step, bytes) = input;
    assert_eq!(messages(bytes.chunks(usize::from(step) + 1)), messages([bytes].into_iter()));
});

/// The messages, and whether the stream was in order to its end.
fn messages<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, bool) {
    let mut buffer = FrameBuffer::default();
    let mut messages = Vec::new();
    for chunk in chunks {
        buffer.push(chunk);
        loop {
            match buffer.pop() {
                Ok(Some(message)) => messages.push(message.to_vec()),
                Ok(None) => break,
                Err(_) => return (messages, false),
            }
        }
    }
    (messages, true)
}
