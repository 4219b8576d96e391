//! The two halves of a bidirectional stream, the same over all transports.

use bytes::Bytes;
use quinn::VarInt;

use crate::memory::pipe;
use crate::quic::Flavor;

/// The sending half of a stream. Dropping it finishes the stream, as [`Self::finish`] does.
#[derive(Debug)]
pub struct SendStream(SendKind);

impl SendStream {
    pub(crate) fn quic(stream: quinn::SendStream, flavor: Flavor) -> Self {
        Self(SendKind::Quic { stream, flavor })
    }

    pub(crate) fn memory(pipe: pipe::Writer) -> Self {
        Self(SendKind::Memory(pipe))
    }

    /// Sends all of `bytes`, and waits while the peer takes no more (64 KiB unread a stream).
    ///
    /// Not cancel safe: a dropped future may have sent a part, so only [`Self::reset`] is left.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn write_all(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        match &mut self.0 {
            SendKind::Quic { stream, flavor } => {
                stream.write_all(bytes).await.map_err(|error| flavor.write_error(error))
            }
            SendKind::Memory(pipe) => pipe.write(Bytes::copy_from_slice(bytes)).await,
        }
    }

    /// Sends all of `bytes` without copying them; else as [`Self::write_all`].
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn write_chunk(&mut self, bytes: Bytes) -> Result<(), WriteError> {
        match &mut self.0 {
            SendKind::Quic { stream, flavor } => {
                stream.write_chunk(bytes).await.map_err(|error| flavor.write_error(error))
            }
            SendKind::Memory(pipe) => pipe.write(bytes).await,
        }
    }

    /// Tells the peer that nothing follows; what was written is still delivered. Without effect
    /// on a stream that is finished, reset or stopped.
    pub fn finish(&mut self) {
        match &mut self.0 {
            SendKind::Quic { stream, .. } => {
                let _ = stream.finish(); // it is already finished or reset
            }
            SendKind::Memory(pipe) => pipe.finish(),
        }
    }

    /// Gives the stream up: what the peer has not read yet may be lost, and it is told `code`.
    /// Without effect on a stream that is finished and delivered, or reset.
    pub fn reset(&mut self, code: u32) {
        match &mut self.0 {
            SendKind::Quic { stream, flavor } => {
                let _ = stream.reset(flavor.stream_code(code)); // it is already reset
            }
            SendKind::Memory(pipe) => pipe.reset(code),
        }
    }
}

/// The receiving half of a stream. Dropping it before the end stops the peer with code 0.
#[derive(Debug)]
pub struct RecvStream(RecvKind);

impl RecvStream {
    /// A stream that must begin with `preface`, which is not handed up.
    pub(crate) fn quic(stream: quinn::RecvStream, flavor: Flavor, preface: &'static [u8]) -> Self {
        Self(RecvKind::Quic { stream, flavor, preface })
    }

    pub(crate) fn memory(pipe: pipe::Reader) -> Self {
        Self(RecvKind::Memory(pipe))
    }

    /// Waits for the next bytes, at least 1 and at most `max`; `None` at the end of the stream.
    /// Chunks do not keep the borders of the peer's writes. Cancel safe.
    ///
    /// # Errors
    ///
    /// [`ReadError`].
    pub async fn read_chunk(&mut self, max: usize) -> Result<Option<Bytes>, ReadError> {
        match &mut self.0 {
            RecvKind::Quic { stream, flavor, preface } => {
                while !preface.is_empty() {
                    let chunk = stream.read_chunk(preface.len(), true).await;
                    let chunk = chunk.map_err(|error| flavor.read_error(error))?;
                    let rest = chunk.and_then(|chunk| preface.strip_prefix(&*chunk.bytes));
                    *preface = rest.ok_or(ReadError::Foreign)?;
                }
                let chunk = stream.read_chunk(max, true).await;
                let chunk = chunk.map_err(|error| flavor.read_error(error))?;
                Ok(chunk.map(|chunk| chunk.bytes))
            }
            RecvKind::Memory(pipe) => pipe.read(max).await,
        }
    }

    /// Tells the peer to send no more, with `code`, and throws away what is still to come.
    /// Nothing can be read after it.
    pub fn stop(&mut self, code: u32) {
        match &mut self.0 {
            RecvKind::Quic { stream, flavor, .. } => {
                let _ = stream.stop(flavor.stream_code(code)); // it is already stopped
            }
            RecvKind::Memory(pipe) => pipe.stop(code),
        }
    }
}

/// Why bytes were not sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The stream or its connection is closed; [`Link::closed`](crate::Link::closed) says by
    /// whom.
    #[error("the stream is closed")]
    Closed,
    /// The peer wants no more of this stream, and said so with a code.
    #[error("stopped by the peer with code {0}")]
    Stopped(u64),
}

/// Why no bytes were received.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The stream or its connection is closed; [`Link::closed`](crate::Link::closed) says by
    /// whom.
    #[error("the stream is closed")]
    Closed,
    /// The peer's fault: the stream does not begin as one of the WebTransport session.
    #[error("not a stream of this session")]
    Foreign,
    /// The peer gave the stream up, and said so with a code.
    #[error("reset by the peer with code {0}")]
    Reset(u64),
}

impl Flavor {
    fn write_error(self, error: quinn::WriteError) -> WriteError {
        match error {
            quinn::WriteError::Stopped(code) => WriteError::Stopped(self.peer_code(code)),
            quinn::WriteError::ConnectionLost(_)
            | quinn::WriteError::ClosedStream
            | quinn::WriteError::ZeroRttRejected => WriteError::Closed,
        }
    }

    fn read_error(self, error: quinn::ReadError) -> ReadError {
        match error {
            quinn::ReadError::Reset(code) => ReadError::Reset(self.peer_code(code)),
            quinn::ReadError::ConnectionLost(_)
            | quinn::ReadError::ClosedStream
            | quinn::ReadError::IllegalOrderedRead
            | quinn::ReadError::ZeroRttRejected => ReadError::Closed,
        }
    }

    fn stream_code(self, code: u32) -> VarInt {
        match self {
            Self::Raw => code.into(),
            #[cfg(feature = "webtransport")]
            Self::WebTransport => crate::webtransport::code_to_http3(code),
        }
    }

    fn peer_code(self, code: VarInt) -> u64 {
        match self {
            Self::Raw => code.into(),
            #[cfg(feature = "webtransport")]
            Self::WebTransport => crate::webtransport::code_from_http3(code),
        }
    }
}

#[derive(Debug)]
enum SendKind {
    Quic { stream: quinn::SendStream, flavor: Flavor },
    Memory(pipe::Writer),
}

#[derive(Debug)]
enum RecvKind {
    /// `preface`: what is left of the bytes to skip.
    Quic {
        stream: quinn::RecvStream,
        flavor: Flavor,
        preface: &'static [u8],
    },
    Memory(pipe::Reader),
}
