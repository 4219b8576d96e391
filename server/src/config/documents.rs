//! How long the edits of rooms' documents are kept.

use std::time::Duration;

use serde::Deserialize;

use super::bounds::within;

/// The table `[documents]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DocumentsConfig {
    /// The latest edits of each room that are kept, 0 to 1,000,000, and a few hundred more: for its
    /// history, and for members that come back. An edit costs some 200 bytes of disk beside its own.
    /// Default: 1,000.
    #[serde(deserialize_with = "within::<0, 1_000_000, _, _>")]
    pub history_edits: u64,
    /// Days after which they are kept no more, 1 to 36,500. Default: 30.
    #[serde(deserialize_with = "within::<1, 36_500, _, _>")]
    pub history_days: u64,
}

impl DocumentsConfig {
    /// How old an edit may be.
    pub(crate) fn history_age(&self) -> Duration {
        Duration::from_secs(self.history_days * 24 * 60 * 60)
    }
}

impl Default for DocumentsConfig {
    fn default() -> Self {
        Self { history_edits: 1_000, history_days: 30 }
    }
}
