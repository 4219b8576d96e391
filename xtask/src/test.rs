//! `cargo xtask test`: every step that must pass before a commit, the tests last, so that their totals close the
//! output. A failing step does not hide the later ones; any failing step fails the whole.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::shell::{self, Stream, cargo};
use crate::{fuzz, tools, totals};

/// Seconds that each fuzz target gets: enough to find what a careless change breaks; `cargo xtask soak` looks longer.
const FUZZ_SECONDS: u64 = 10;
/// The same in every run, so that a red gate is red again.
const FUZZ_SEED: u64 = 1;
/// Tests that only root may run begin with this in their function's name.
const ROOT_ONLY: &str = "as_root_";

type Step = fn() -> Result<()>;

const STEPS: [(&str, Step); 5] =
    [("fmt", fmt), ("clippy", clippy), ("doc", doc), ("fuzz", fuzz_all), ("doctest", doctest)];
const TESTS: &str = "test";

/// Runs all steps, or those of `--only a,b`, and prints the tests' totals as the last line.
pub(crate) fn run(flags: &[&str]) -> Result<ExitCode> {
    let only = parse_only(flags)?;
    let wanted = |name: &str| only.is_empty() || only.contains(&name);
    let mut seconds = Vec::new();
    let mut failed = Vec::new();
    for (name, step) in STEPS {
        if wanted(name) && timed(name, step, &mut seconds).is_none() {
            failed.push(name);
        }
    }
    let mut closing = None;
    if wanted(TESTS) {
        let (line, passed) = timed(TESTS, all_tests, &mut seconds).unwrap_or_default();
        closing = line;
        if !passed {
            failed.push(TESTS);
        }
    }
    println!("\n== {}", seconds.join(", "));
    if !failed.is_empty() {
        println!("FAILED: {}", failed.join(", "));
    }
    if let Some(line) = closing {
        println!("{line}");
    }
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs a step under its heading, notes the seconds it took, and prints its error where there is one.
fn timed<T>(name: &str, step: impl Fn() -> Result<T>, seconds: &mut Vec<String>) -> Option<T> {
    println!("\n== {name}");
    let start = Instant::now();
    let result = step().inspect_err(|error| println!("error: {error:#}")).ok();
    let line = format!("{name} {:.0} s", start.elapsed().as_secs_f64());
    println!("== {line}");
    seconds.push(line);
    result
}

fn parse_only<'a>(flags: &[&'a str]) -> Result<Vec<&'a str>> {
    let names: Vec<&str> = STEPS.iter().map(|(name, _)| *name).chain([TESTS]).collect();
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

fn fmt() -> Result<()> {
    tools::ensure_component("fmt", "rustfmt")?;
    shell::run(&mut cargo(["fmt", "--all", "--check"]))
}

fn clippy() -> Result<()> {
    tools::ensure_component("clippy", "clippy")?;
    tools::ensure_program("g++", "g++", "the fuzz targets' libFuzzer")?;
    shell::run(&mut cargo(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

fn doc() -> Result<()> {
    shell::run(cargo(["doc", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
}

fn fuzz_all() -> Result<()> {
    fuzz::run_all(FUZZ_SECONDS, FUZZ_SEED)
}

/// nextest leaves doc tests out; `cargo test` below would run them again.
fn doctest() -> Result<()> {
    if !tools::has_nextest() {
        println!("cargo-nextest is not installed: `cargo test` runs the doc tests with the others");
        return Ok(());
    }
    shell::run(&mut cargo(["test", "--quiet", "--doc", "--no-fail-fast"]))
}

/// Runs the tests; returns the line of their totals, and whether all passed.
fn all_tests() -> Result<(Option<String>, bool)> {
    let mut filter = Vec::new();
    if !tools::is_root()? {
        name_root_only()?;
        filter.extend(["--", "--skip", ROOT_ONLY]);
    }
    if tools::has_nextest() {
        let words = ["nextest", "run", "--no-fail-fast"].iter().chain(&filter);
        let (stderr, passed) = shell::tee(&mut cargo(words), Stream::Stderr)?;
        Ok((totals::of_nextest(&stderr), passed))
    } else {
        println!("cargo-nextest is not installed: running `cargo test`");
        let words = ["test", "--no-fail-fast"].iter().chain(&filter);
        let (stdout, passed) = shell::tee(&mut cargo(words), Stream::Stdout)?;
        Ok((totals::of_cargo_test(&stdout), passed))
    }
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
