//! The locks of [`crate::rooms`]' gate, under names that a model checker can give other locks (`tests/model.rs`).

pub(crate) use std::sync::atomic::{AtomicBool, Ordering};
pub(crate) use std::sync::{Mutex, MutexGuard, PoisonError};
