//! `cargo xtask test`: every step that must pass before a commit, the tests last. Their totals close the output. A
//! failing step does not hide the later ones; any failing step fails the whole.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::shell::{self, Stream, cargo};
use crate::{fuzz, instructions, node, tools, totals};

/// Seconds that each fuzz target gets: enough to find what a careless change breaks; `cargo xtask soak` looks longer.
const FUZZ_SECONDS: u64 = 10;
/// The same in every run, so that a red gate is red again.
const FUZZ_SEED: u64 = 1;
/// Tests that only root may run begin with this in their function's name.
const ROOT_ONLY: &str = "as_root_";
/// The browser tests' folder, from the root.
const BROWSER: &str = "tests/browser";

/// A step that runs tests notes their totals, passed or failed.
type Step = fn(&mut Vec<String>) -> Result<()>;

const STEPS: [(&str, Step); 9] = [
    ("fmt", fmt),
    ("clippy", clippy),
    ("doc", doc),
    ("fuzz", fuzz_all),
    ("instructions", instructions_all),
    ("doctest", doctest),
    ("client", client),
    ("browser", browser),
    ("test", all_tests),
];

/// Runs all steps, or those of `--only a,b`, and prints the tests' totals as the last lines.
pub(crate) fn run(flags: &[&str]) -> Result<ExitCode> {
    let only = parse_only(flags)?;
    let (mut seconds, mut failed, mut totals) = (Vec::new(), Vec::new(), Vec::new());
    for (name, step) in STEPS {
        if !only.is_empty() && !only.contains(&name) {
            continue;
        }
        println!("\n== {name}");
        let start = Instant::now();
        if let Err(error) = step(&mut totals) {
            println!("error: {error:#}");
            failed.push(name);
        }
        let line = format!("{name} {:.0} s", start.elapsed().as_secs_f64());
        println!("== {line}");
        seconds.push(line);
    }
    println!("\n== {}", seconds.join(", "));
    if !failed.is_empty() {
        println!("FAILED: {}", failed.join(", "));
    }
    for line in totals {
        println!("{line}");
    }
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn parse_only<'a>(flags: &[&'a str]) -> Result<Vec<&'a str>> {
    let names: Vec<&str> = STEPS.iter().map(|(name, _)| *name).collect();
    match flags {
        [] => Ok(Vec::new()),
        ["--only", list] => {
            let only: Vec<&str> = list.split(',').collect();
            for name in &only {
                ensure!(names.contains(name), "no step {name:?}: there are {}", names.join(", "));
            }
            Ok(only)
        }
        _ => bail!("usage: cargo xtask test [--only {}]", names.join(",")),
    }
}

fn fmt(_: &mut Vec<String>) -> Result<()> {
    tools::ensure_component("fmt", "rustfmt")?;
    shell::run(&mut cargo(["fmt", "--all", "--check"]))
}

fn clippy(_: &mut Vec<String>) -> Result<()> {
    tools::ensure_component("clippy", "clippy")?;
    tools::ensure_program("g++", "g++", "the fuzz targets' libFuzzer")?;
    shell::run(&mut cargo(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

fn doc(_: &mut Vec<String>) -> Result<()> {
    shell::run(cargo(["doc", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
}

fn fuzz_all(_: &mut Vec<String>) -> Result<()> {
    fuzz::run_all(FUZZ_SECONDS, FUZZ_SEED)
}

fn instructions_all(_: &mut Vec<String>) -> Result<()> {
    instructions::check()
}

/// nextest leaves doc tests out; `cargo test` below would run them again.
fn doctest(_: &mut Vec<String>) -> Result<()> {
    if !tools::has_nextest() {
        println!("cargo-nextest is not installed: `cargo test` runs the doc tests with the others");
        return Ok(());
    }
    shell::run(&mut cargo(["test", "--quiet", "--doc", "--no-fail-fast"]))
}

/// The JavaScript client and the demo page, with the checks of the package that others would install.
fn client(totals: &mut Vec<String>) -> Result<()> {
    node::build_page()?;
    node::run(node::CLIENT, "check")?;
    vitest("client", node::CLIENT, "test", totals, &[])?;
    node::install(node::REFERENCE)?;
    for script in ["lint", "packed", "size", "reference"] {
        node::run(node::CLIENT, script)?;
    }
    // What a build with the page in it answers; all other builds are without. No package is named: one by itself has
    // dependencies with fewer features, which would all be built once more.
    let words = ["test", "--quiet", "--lib", "--features", "hither-server/embed-page"];
    shell::run(&mut cargo(words.iter().chain(&["http::page"])))
}

/// Pages in real browsers, and native clients beside them, against the real server.
fn browser(totals: &mut Vec<String>) -> Result<()> {
    for (program, package) in [
        ("chromium", "chromium"),
        ("firefox-esr", "firefox-esr"),
        ("ip", "iproute2"),
        ("nft", "nftables"),
    ] {
        tools::ensure_program(program, package, "the browser tests")?;
    }
    node::build_page()?;
    shell::run(&mut cargo(["build", "--bin", "hither", "--example", "terminal"]))?;
    node::install(BROWSER)?;
    // They start what lies beside this program: it was built by the same cargo.
    let programs = std::env::current_exe()?;
    let programs = programs.parent().context("this program lies in no folder")?;
    let variables = [("HITHER_BIN_DIR", programs)];
    let open = vitest("browser", BROWSER, "test", totals, &variables);
    // Not left out where the system makes no such network: that would look as if WebSocket had been tried.
    let blocked = vitest("browser, UDP blocked", BROWSER, "test:blocked", totals, &variables)
        .context(
            "UDP is blocked in a network namespace, by `unshare --map-root-user --net` and nft",
        );
    open.and(blocked)
}

/// Runs the tests of a folder by a script of its package.json, and notes their totals under a name.
fn vitest(
    name: &str,
    folder: &str,
    script: &str,
    totals: &mut Vec<String>,
    variables: &[(&str, &Path)],
) -> Result<()> {
    let mut command = node::command(folder, script);
    // Colours would hide the totals. Where the environment asks for them, NO_COLOR alone does not do.
    command.env_remove("FORCE_COLOR").env("NO_COLOR", "1").envs(variables.iter().copied());
    let (stdout, passed) = shell::tee(&mut command, Stream::Stdout)?;
    totals.extend(totals::of_vitest(&stdout).map(|line| format!("{name}: {line}")));
    ensure!(passed, "tests failed");
    Ok(())
}

/// Runs the tests of all crates.
fn all_tests(totals: &mut Vec<String>) -> Result<()> {
    let mut filter = Vec::new();
    if !tools::is_root()? {
        name_root_only()?;
        filter.extend(["--", "--skip", ROOT_ONLY]);
    }
    let passed = if tools::has_nextest() {
        let words = ["nextest", "run", "--no-fail-fast"].iter().chain(&filter);
        let (stderr, passed) = shell::tee(&mut cargo(words), Stream::Stderr)?;
        totals.extend(totals::of_nextest(&stderr));
        passed
    } else {
        println!("cargo-nextest is not installed: running `cargo test`");
        let words = ["test", "--no-fail-fast"].iter().chain(&filter);
        let (stdout, passed) = shell::tee(&mut cargo(words), Stream::Stdout)?;
        totals.extend(totals::of_cargo_test(&stdout));
        passed
    };
    ensure!(passed, "tests failed");
    Ok(())
}

/// Says which tests are left out because we are not root.
fn name_root_only() -> Result<()> {
    let words =
        ["test", "--quiet", "--lib", "--bins", "--tests", "--", "--list", "--format", "terse"];
    let list = shell::stdout(&mut cargo(words)).context("cannot list the tests")?;
    for name in list.lines().filter_map(|line| line.strip_suffix(": test")) {
        if name.contains(ROOT_ONLY) {
            println!("skipped, only root may run it: {name}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_takes_the_steps_that_exist() {
        assert_eq!(parse_only(&[]).unwrap(), Vec::<&str>::new());
        assert_eq!(parse_only(&["--only", "fmt,test"]).unwrap(), ["fmt", "test"]);
        assert!(
            parse_only(&["--only", "fmt,tests"]).unwrap_err().to_string().contains("\"tests\"")
        );
        assert!(parse_only(&["--fast"]).is_err());
    }
}
