//! Messages of the control lane, both ways: any bytes are a message, one to skip, or an error, and what is written is
//! read back the same.
#![no_main]

use hither_protocol::message::FrameBuffer;
use hither_protocol::message::control::{ToClient, ToServer};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(Some(message)) = ToServer::decode(bytes) {
        let written = message.encode();
        let read = unframed(&written).and_then(|bytes| ToServer::decode(&bytes).ok().flatten());
        // Bytes are compared and not values, as NaN is no equal of itself.
        assert_eq!(read.map(|read| read.encode()), Some(written));
    }
    if let Ok(Some(message)) = ToClient::decode(bytes) {
        let written = message.encode();
        let read = unframed(&written).and_then(|bytes| ToClient::decode(&bytes).ok().flatten());
        assert_eq!(read.map(|read| read.encode()), Some(written));
    }
});

fn unframed(written: &[u8]) -> Option<bytes::Bytes> {
    let mut buffer = FrameBuffer::default();
    buffer.push(written);
    buffer.pop().ok().flatten()
}
