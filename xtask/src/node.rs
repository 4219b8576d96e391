//! The parts of the tree that Node builds: the JavaScript client, its demo page and the browser tests. Apart from the
//! tasks, as the demo and the tests need the same.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::shell;

/// The client's folder, from the root.
pub(crate) const CLIENT: &str = "client-js";
/// The folder of what makes the client's reference, from the root.
pub(crate) const REFERENCE: &str = "client-js/scripts/reference";
/// Where the page comes to lie.
pub(crate) const PAGE: &str = "client-js/demo/dist";
/// The oldest major version of Node that is good for it.
const NODE_MIN: u32 = 20;

/// Builds the client and the demo page.
pub(crate) fn build_page() -> Result<()> {
    install(CLIENT)?;
    run(CLIENT, "build")?;
    run(CLIENT, "page")
}

/// Installs a folder's packages by its lock file, unless they are there: npm notes at the end of an installation, in a
/// hidden lock file of its own, what it has installed.
pub(crate) fn install(folder: &str) -> Result<()> {
    ensure_node()?;
    let folder = shell::root().join(folder);
    let modified = |path: PathBuf| path.metadata().and_then(|file| file.modified());
    let wanted = modified(folder.join("package-lock.json"))?;
    if modified(folder.join("node_modules/.package-lock.json")).is_ok_and(|there| there >= wanted) {
        return Ok(());
    }
    shell::run(&mut npm(&folder, &["ci", "--no-audit", "--no-fund"]))
}

/// Runs a script of a folder's package.json.
pub(crate) fn run(folder: &str, script: &str) -> Result<()> {
    shell::run(&mut command(folder, script))
}

/// The command that runs a script of a folder's package.json.
pub(crate) fn command(folder: &str, script: &str) -> Command {
    npm(&shell::root().join(folder), &["run", script])
}

fn npm(folder: &Path, args: &[&str]) -> Command {
    let mut command = shell::command("npm", args);
    command.current_dir(folder);
    command
}

fn ensure_node() -> Result<()> {
    let version = shell::stdout(&mut shell::command("node", ["--version"])).unwrap_or_default();
    let has_npm = shell::succeeds(&mut shell::command("npm", ["--version"]));
    match major(&version) {
        Some(major) if major >= NODE_MIN && has_npm => Ok(()),
        found => {
            let found = found.map_or("none".to_owned(), |major| format!("version {major}"));
            let npm = if has_npm { "npm" } else { "no npm" };
            bail!(
                "the page and its client need Node {NODE_MIN} or later and npm; here is {found} and {npm}. \
                 Install Node from nodejs.org, or nodejs and npm from your system's packages"
            )
        }
    }
}

/// The major version in what `node --version` prints, like `v20.19.2`.
fn major(version: &str) -> Option<u32> {
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_version_is_read() {
        assert_eq!(major("v20.19.2\n"), Some(20));
        assert_eq!(major("v4.0.0-rc.1"), Some(4));
        assert_eq!(major(""), None);
        assert_eq!(major("20.1"), None);
    }
}
