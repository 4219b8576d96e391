//! The demo that `hither dev` serves, apart from what flags change of any server.

use std::path::PathBuf;

/// What `hither dev` has beside the flags of any server.
#[derive(Debug, Clone, Default, PartialEq, clap::Args)]
pub struct DemoConfig {
    /// Folder of the demo page, as `cargo xtask demo` builds it
    #[arg(long, value_name = "DIR", env = "HITHER_PAGE")]
    pub page: Option<PathBuf>,
}
