//! One direction of a stream in memory: bounded in bytes, with an end, a reset and a stop, as
//! QUIC has them.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{Notify, OwnedSemaphorePermit};

use super::{CloseCell, cost};
use crate::bounds::STREAM_WINDOW;
use crate::stream::{ReadError, WriteError};

/// Makes a pipe that ends with `close`; both halves hold `permit`.
pub(crate) fn pipe(close: &Arc<CloseCell>, permit: &Arc<OwnedSemaphorePermit>) -> (Writer, Reader) {
    let pipe = Arc::new(Pipe {
        state: Mutex::default(),
        readable: Notify::new(),
        writable: Notify::new(),
        close: Arc::clone(close),
        _permit: Arc::clone(permit),
    });
    (Writer(Arc::clone(&pipe)), Reader(pipe))
}

/// The half that writes. Dropping it finishes, as long as the connection lives.
#[derive(Debug)]
pub(crate) struct Writer(Arc<Pipe>);

impl Writer {
    pub(crate) async fn write(&mut self, mut bytes: Bytes) -> Result<(), WriteError> {
        while !bytes.is_empty() {
            if self.0.is_closed() {
                return Err(WriteError::Closed);
            }
            if !self.0.push(&mut bytes)? {
                tokio::select! {
                    () = self.0.writable.notified() => {}
                    () = self.0.closed() => return Err(WriteError::Closed),
                }
            }
        }
        Ok(())
    }

    pub(crate) fn finish(&mut self) {
        self.0.end(End::Finished);
    }

    pub(crate) fn reset(&mut self, code: u32) {
        self.0.end(End::Reset(code));
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // What is unsaid when the connection ends stays unsaid.
        if !self.0.is_closed() {
            self.finish();
        }
    }
}

/// The half that reads. Dropping it stops the writer.
#[derive(Debug)]
pub(crate) struct Reader(Arc<Pipe>);

impl Reader {
    pub(crate) async fn read(&mut self, max: usize) -> Result<Option<Bytes>, ReadError> {
        loop {
            if let Some(outcome) = self.0.pop(max) {
                return outcome;
            }
            tokio::select! {
                () = self.0.readable.notified() => {}
                () = self.0.closed() => return self.0.pop(max).unwrap_or(Err(ReadError::Closed)),
            }
        }
    }

    pub(crate) fn stop(&mut self, code: u32) {
        let mut state = self.0.lock();
        if state.end.is_none() {
            state.end = Some(End::Stopped(code));
        }
        state.chunks.clear();
        state.bytes = 0;
        drop(state);
        self.0.writable.notify_one();
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop(0);
    }
}

struct Pipe {
    state: Mutex<State>,
    readable: Notify,
    writable: Notify,
    close: Arc<CloseCell>,
    _permit: Arc<OwnedSemaphorePermit>,
}

#[derive(Default)]
struct State {
    chunks: VecDeque<Bytes>,
    bytes: usize,
    end: Option<End>,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Finished,
    Reset(u32),
    Stopped(u32),
}

impl Pipe {
    /// Takes as much from the front of `bytes` as there is room for; false if there is none.
    fn push(&self, bytes: &mut Bytes) -> Result<bool, WriteError> {
        let mut state = self.lock();
        match state.end {
            None => {}
            Some(End::Stopped(code)) => return Err(WriteError::Stopped(code.into())),
            Some(End::Finished | End::Reset(_)) => return Err(WriteError::Closed),
        }
        let room = (STREAM_WINDOW as usize).saturating_sub(state.bytes + size_of::<Bytes>());
        if room == 0 {
            return Ok(false);
        }
        let chunk = bytes.split_to(bytes.len().min(room));
        state.bytes += cost(&chunk);
        state.chunks.push_back(chunk);
        drop(state);
        self.readable.notify_one();
        Ok(true)
    }

    /// What a reader gets now, if anything; `None` to wait.
    fn pop(&self, max: usize) -> Option<Result<Option<Bytes>, ReadError>> {
        let mut state = self.lock();
        match (state.chunks.pop_front(), state.end) {
            (Some(mut chunk), _) => {
                state.bytes -= cost(&chunk);
                let taken = chunk.split_to(chunk.len().min(max));
                if !chunk.is_empty() {
                    state.bytes += cost(&chunk);
                    state.chunks.push_front(chunk);
                }
                drop(state);
                self.writable.notify_one();
                Some(Ok(Some(taken)))
            }
            (None, None) => None,
            (None, Some(End::Finished)) => Some(Ok(None)),
            (None, Some(End::Reset(code))) => Some(Err(ReadError::Reset(code.into()))),
            (None, Some(End::Stopped(_))) => Some(Err(ReadError::Closed)),
        }
    }

    /// Ends the pipe from the writer's side, unless it has ended; a reset may follow a finish
    /// that the reader has not come to yet.
    fn end(&self, end: End) {
        let mut state = self.lock();
        match (state.end, end) {
            (None, _) => state.end = Some(end),
            (Some(End::Finished), End::Reset(_)) if !state.chunks.is_empty() => {
                state.end = Some(end);
            }
            _ => {}
        }
        if matches!(state.end, Some(End::Reset(_))) {
            state.chunks.clear();
            state.bytes = 0;
        }
        drop(state);
        self.readable.notify_one();
    }

    fn is_closed(&self) -> bool {
        self.close.borrow().is_some()
    }

    async fn closed(&self) {
        // The sender lives as long as this pipe, so waiting ends by a close only.
        let _ = self.close.subscribe().wait_for(Option::is_some).await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing under this lock can panic halfway, so a poisoned state is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipe").field("end", &self.lock().end).finish_non_exhaustive()
    }
}
