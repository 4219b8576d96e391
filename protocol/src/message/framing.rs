//! The length before each message on a stream, and the buffer that cuts a stream into messages again (rule F1).

use bytes::{Buf, Bytes, BytesMut};

use super::MessageError;
use crate::limits::MESSAGE_BYTES_MAX;
use crate::varint;

/// Most bytes of a length prefix: 64 KiB needs three.
const PREFIX_BYTES_MAX: usize = 3;

/// `message` with its length before it.
pub fn frame(message: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(message.len() + PREFIX_BYTES_MAX);
    // A message beyond 4 GiB can't exist: its maker is bounded by MESSAGE_BYTES_MAX, and the peer refuses it otherwise.
    varint::put_u32(&mut out, u32::try_from(message.len()).unwrap_or(u32::MAX));
    out.extend_from_slice(message);
    out.into()
}

/// Cuts a stream's bytes into messages. Holds at most one unfinished message beside the chunk that was pushed last.
#[derive(Debug, Default)]
pub struct FrameBuffer {
    buffer: BytesMut,
}

impl FrameBuffer {
    /// Takes the next bytes of the stream. Call [`Self::pop`] until it is empty before the next push.
    pub fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// The next whole message without its length, or `None` until more bytes come.
    ///
    /// # Errors
    /// `TooLong` when the length is above 64 KiB, found before the message has come. The stream is of no use after it.
    pub fn pop(&mut self) -> Result<Option<Bytes>, MessageError> {
        let Some((len, prefix)) = self.prefix()? else { return Ok(None) };
        if self.buffer.len() < prefix + len {
            return Ok(None);
        }
        self.buffer.advance(prefix);
        Ok(Some(self.buffer.split_to(len).freeze()))
    }

    /// Whether no message has begun that has not ended; at the end of a stream anything else is an error of the sender.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    fn prefix(&self) -> Result<Option<(usize, usize)>, MessageError> {
        let mut len = 0usize;
        for (index, &byte) in self.buffer.iter().take(PREFIX_BYTES_MAX).enumerate() {
            len |= usize::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                let whole = (len <= MESSAGE_BYTES_MAX).then_some((len, index + 1));
                return whole.map(Some).ok_or(MessageError::TooLong);
            }
        }
        if self.buffer.len() >= PREFIX_BYTES_MAX { Err(MessageError::TooLong) } else { Ok(None) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn f1_messages_survive_any_cutting(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..8),
            step in 1usize..50,
        ) {
            let stream: Vec<u8> = messages.iter().flat_map(|m| frame(m).to_vec()).collect();
            let mut buffer = FrameBuffer::default();
            let mut out = Vec::new();
            for chunk in stream.chunks(step) {
                buffer.push(chunk);
                while let Some(message) = buffer.pop().unwrap() {
                    out.push(message.to_vec());
                }
            }
            prop_assert_eq!(out, messages);
            prop_assert!(buffer.is_empty());
        }
    }

    #[test]
    fn f1_a_length_above_the_cap_is_an_error_at_once() {
        let mut buffer = FrameBuffer::default();
        buffer.push(&[0x81, 0x80, 0x04]); // 65,537
        assert_eq!(buffer.pop(), Err(MessageError::TooLong));
        let mut buffer = FrameBuffer::default();
        buffer.push(&[0x80, 0x80, 0x84]);
        assert_eq!(buffer.pop(), Err(MessageError::TooLong));
    }
}
