//! What the steps need beyond cargo, and how it gets onto the machine. Apart from the steps, so that a missing tool is
//! an error with its remedy, never a step that is left out.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell;

/// Makes sure that rustfmt and clippy are there, by rustup.
pub(crate) fn ensure_component(subcommand: &str, component: &str) -> Result<()> {
    if shell::succeeds(&mut shell::cargo([subcommand, "--version"])) {
        return Ok(());
    }
    shell::run(&mut shell::command("rustup", ["component", "add", component]))
        .with_context(|| format!("`cargo {subcommand}` is missing: install {component}"))
}

/// Makes sure that a program is there, by apt-get where we may call it.
pub(crate) fn ensure_program(program: &str, package: &str, needed_by: &str) -> Result<()> {
    if shell::succeeds(&mut shell::command(program, ["--version"])) {
        return Ok(());
    }
    println!("{program} is missing, {needed_by} needs it: installing {package}");
    let Some(prefix) = privileges() else {
        bail!("{needed_by} needs {program}: run `apt-get install {package}` as root");
    };
    let apt_get = |args: &[&str]| -> Result<()> {
        let words: Vec<&str> = prefix
            .iter()
            .chain(&["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y"])
            .chain(args)
            .copied()
            .collect();
        shell::run(&mut shell::command(words[0], &words[1..]))
    };
    apt_get(&["update"])
        .and_then(|()| apt_get(&["install", "--no-install-recommends", package]))
        .with_context(|| format!("cannot install {package}, which {needed_by} needs"))
}

/// Whether cargo-nextest is installed. It is a convenience: `cargo test` runs the same tests.
pub(crate) fn has_nextest() -> bool {
    shell::succeeds(&mut shell::cargo(["nextest", "--version"]))
}

/// Whether we are root.
pub(crate) fn is_root() -> Result<bool> {
    Ok(shell::stdout(&mut shell::command("id", ["-u"]))?.trim() == "0")
}

/// The words that apt-get must stand behind: none as root, sudo where it asks for no password.
fn privileges() -> Option<&'static [&'static str]> {
    if !shell::succeeds(&mut shell::command("apt-get", ["--version"])) {
        None
    } else if is_root().ok()? {
        Some(&[])
    } else {
        shell::succeeds(Command::new("sudo").args(["-n", "true"])).then_some(&["sudo", "-n"])
    }
}
