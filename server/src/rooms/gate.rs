//! The lock of a room, which closes for good under itself, so that nobody gets into a room that is on its way out, and
//! the alarm inside it. Apart from rooms, so that a model checker can run them in every order that threads may take
//! (`tests/model.rs`): what locks is named by [`crate::sync`] alone.

use std::ops::{Deref, DerefMut};

use crate::sync::{AtomicBool, Mutex, MutexGuard, Ordering, PoisonError};

/// A lock that is open until somebody inside closes it.
#[derive(Debug)]
pub(super) struct Gate<T> {
    closed: AtomicBool,
    inside: Mutex<T>,
}

impl<T> Gate<T> {
    /// An open one.
    pub(super) fn new(inside: T) -> Self {
        Self { closed: AtomicBool::new(false), inside: Mutex::new(inside) }
    }

    /// Whether it is closed. Once true, it stays true; if it is false, it may be true when somebody enters.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Waits for the lock; `None` if it is closed. A panic inside closes the room before the lock is free, so what a
    /// poisoned lock holds is never used.
    pub(super) fn enter(&self) -> Option<Inside<'_, T>> {
        let guard = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        (!self.is_closed()).then_some(Inside { closed: &self.closed, guard })
    }
}

/// Somebody is inside, and nobody else.
#[derive(Debug)]
pub(super) struct Inside<'a, T> {
    closed: &'a AtomicBool,
    guard: MutexGuard<'a, T>,
}

impl<T> Inside<'_, T> {
    /// Nobody enters any more.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }
}

impl<T> Deref for Inside<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for Inside<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

/// When a ticker that sleeps wakes up by itself.
#[derive(Debug)]
pub(super) struct Alarm<T>(Option<T>);

impl<T: Copy + Ord> Alarm<T> {
    /// The ticker sleeps until then, or until it is woken. Returns the same.
    pub(super) fn set(&mut self, due: Option<T>) -> Option<T> {
        self.0 = due;
        due
    }

    /// Something is due then: true if the ticker would sleep too long and is to be woken.
    pub(super) fn is_late_for(&mut self, due: Option<T>) -> bool {
        let is_late = due.is_some_and(|due| self.0.is_none_or(|set| due < set));
        if is_late {
            self.0 = due;
        }
        is_late
    }
}

impl<T> Default for Alarm<T> {
    fn default() -> Self {
        Self(None)
    }
}
