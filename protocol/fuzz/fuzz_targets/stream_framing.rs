//! The cutting of a stream into messages: the network cuts it anywhere, and what comes out must not depend on where.
#![no_main]

use hither_protocol::limits::MESSAGE_BYTES_MAX;
use hither_protocol::message::{FrameBuffer, frame};

libfuzzer_sys::fuzz_target!(|input: (Vec<u8>, &[u8])| {
    let (cuts, bytes) = input;
    let (whole, in_order) = messages([bytes].into_iter());
    let mut rest = bytes;
    let mut chunks: Vec<&[u8]> = cuts
        .iter()
        .map(|&cut| {
            let (chunk, left) = rest.split_at(usize::from(cut).min(rest.len()));
            rest = left;
            chunk
        })
        .collect();
    chunks.push(rest);
    assert_eq!(messages(chunks.into_iter()), (whole.clone(), in_order));
    assert!(whole.iter().all(|message| message.len() <= MESSAGE_BYTES_MAX));

    let written: Vec<u8> = whole.iter().flat_map(|message| frame(message).to_vec()).collect();
    assert_eq!(messages([&written[..]].into_iter()), (whole, true));
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
