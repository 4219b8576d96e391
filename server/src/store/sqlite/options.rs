//! What can be chosen about the durable store, with what each choice costs.

use std::time::Duration;

use hither_transport::Clock;

/// The knobs of a durable store.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// How long the log keeps what is in the snapshot.
    pub retention: Retention,
    /// Bytes of edits that may wait to be stored; beyond, the store takes no more for now. Costs as much memory.
    /// Default: 64 MiB.
    pub queue_bytes_max: usize,
    /// So many edits of a room are folded into its snapshot at once, when there is time; four times as many do not wait
    /// for that. Less makes loads shorter and commits more. Default: 200.
    pub fold_edits: u64,
    /// Bytes that the write-ahead log has when it is begun anew, as soon as no reader needs it. Costs as much disk.
    /// Default: 16 MiB.
    pub wal_bytes: u64,
    /// How long a store that is dropped waits for what is not durable yet. Default: 2 s.
    pub drop_deadline: Duration,
    /// Says how old edits are: the clock that they have their times of, so that one which is wrong, or set right while
    /// the server runs, has nothing forgotten. Default: one that starts now.
    pub clock: Clock,
    /// The VFS of SQLite's that keeps the files, by its name. Default: SQLite's own. Others are for tests.
    pub vfs: Option<String>,
}

/// How long edits are kept that a room's snapshot has: for who comes back, and who looks what happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The latest edits of a room, and up to `fold_edits` more. Default: 1,000.
    pub edits: u64,
    /// Of those, what is not older. Default: 30 days.
    pub age: Duration,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            retention: Retention::default(),
            queue_bytes_max: 64 * 1024 * 1024,
            fold_edits: 200,
            wal_bytes: 16 * 1024 * 1024,
            drop_deadline: Duration::from_secs(2),
            clock: Clock::start(),
            vfs: None,
        }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self { edits: 1_000, age: Duration::from_secs(30 * 24 * 60 * 60) }
    }
}
