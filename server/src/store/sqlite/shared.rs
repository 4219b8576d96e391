//! What the threads of a store and those who give it edits know of each other: what waits, whether it can be stored,
//! and whether the store is to end.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::metrics::Metrics;

/// Shared by a store and its threads.
#[derive(Debug)]
pub(super) struct Shared {
    queue_bytes_max: usize,
    queue_bytes: AtomicUsize,
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
