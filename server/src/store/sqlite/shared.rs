//! What the threads of a store and those who ask it know of each other: what waits, whether it can be stored, and
//! whether the store is to end.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::metrics::Metrics;
use crate::store::StoreError;

/// The most loads and lookups that wait for an answer, each of some 200 bytes; more than a server's rooms ask at once.
const READS_MAX: usize = 16_384;

/// Shared by a store and its threads.
#[derive(Debug)]
pub(super) struct Shared {
    queue_bytes_max: usize,
    queue_bytes: AtomicUsize,
    /// The reads that may still come.
    reads: Arc<Semaphore>,
    /// Whether commits fail.
    is_broken: AtomicBool,
    end: Mutex<End>,
    changed: Condvar,
    pub(super) metrics: Arc<Metrics>,
}

/// How far the end is.
#[derive(Debug, Default)]
struct End {
    /// When what can't be stored by then is given up.
    given_up_at: Option<Instant>,
    /// Whether the writer is done.
    is_over: bool,
}

impl Shared {
    pub(super) fn new(queue_bytes_max: usize, metrics: Arc<Metrics>) -> Self {
        Self {
            queue_bytes_max,
            queue_bytes: AtomicUsize::new(0),
            reads: Arc::new(Semaphore::new(READS_MAX)),
            is_broken: AtomicBool::new(false),
            end: Mutex::default(),
            changed: Condvar::new(),
            metrics,
        }
    }

    pub(super) fn is_available(&self) -> bool {
        let waiting = self.queue_bytes.load(Ordering::Relaxed);
        !self.is_broken.load(Ordering::Relaxed) && waiting < self.queue_bytes_max
    }

    /// Edits of so many bytes wait now.
    pub(super) fn queue(&self, bytes: usize) {
        self.queue_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.tell();
    }

    /// Edits of so many bytes are answered.
    pub(super) fn answer(&self, bytes: usize) {
        self.queue_bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.tell();
    }

    /// Lets a read wait until it is answered, since it may be behind edits that are not durable yet. It would wait in
    /// vain while commits fail.
    ///
    /// # Errors
    /// `Unavailable`, then, and when too many wait.
    pub(super) fn admit_read(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        let admitted = if self.is_broken.load(Ordering::Relaxed) {
            Err("edits can't be stored")
        } else {
            self.reads.clone().try_acquire_owned().map_err(|_| "too many wait for it")
        };
        admitted.map_err(|why| {
            self.metrics.store_reads_refused.inc();
            StoreError::Unavailable(why.to_owned())
        })
    }

    /// Commits fail, or do not any more; whether that is news.
    pub(super) fn set_broken(&self, is_broken: bool) -> bool {
        self.is_broken.swap(is_broken, Ordering::Relaxed) != is_broken
    }

    fn tell(&self) {
        let waiting = self.queue_bytes.load(Ordering::Relaxed);
        self.metrics.store_queue_bytes.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }

    /// Gives up at this time what can't be stored by then.
    pub(super) fn give_up_at(&self, time: Instant) {
        self.end.lock().unwrap_or_else(PoisonError::into_inner).given_up_at = Some(time);
        self.changed.notify_all();
    }

    /// Waits before another attempt; false if there is none.
    pub(super) fn pause(&self, pause: Duration) -> bool {
        let end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = self.changed.wait_timeout_while(end, pause, |end| end.given_up_at.is_none());
        let (mut end, _) = wait.unwrap_or_else(PoisonError::into_inner);
        let Some(given_up_at) = end.given_up_at else { return true };
        // There is not much time left.
        let left = given_up_at.saturating_duration_since(Instant::now());
        let soon = left.min(LAST_PAUSE).min(pause);
        (end, _) = self.changed.wait_timeout(end, soon).unwrap_or_else(PoisonError::into_inner);
        drop(end);
        Instant::now() < given_up_at
    }

    /// The writer is done.
    pub(super) fn end(&self) {
        self.end.lock().unwrap_or_else(PoisonError::into_inner).is_over = true;
        self.changed.notify_all();
    }

    /// Waits until the writer is done, for so long at most; whether it is.
    pub(super) fn wait_for_end(&self, patience: Duration) -> bool {
        let end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = self.changed.wait_timeout_while(end, patience, |end| !end.is_over);
        wait.unwrap_or_else(PoisonError::into_inner).0.is_over
    }
}

/// The pause between attempts when the store is to end.
const LAST_PAUSE: Duration = Duration::from_millis(100);
