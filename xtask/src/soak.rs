//! `cargo xtask soak`: what needs longer than a gate may take. Clients and a server in trouble, files of documents cut
//! at each byte and flipped at each bit of their last pages, the two clients' sessions side by side, simulation and
//! fuzzing, all from fresh seeds, by hand; the closing line has the seed and the commit.

use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

use crate::shell::{self, cargo};
use crate::{fuzz, node, tools};

/// Seeds in one run of the simulation: about ten minutes, so that the time given is kept within that.
const SEEDS_A_ROUND: u64 = 10_000;
/// Seeds of the differential test: some minutes.
const DIFFERENTIAL_SEEDS: u64 = 1_000;

#[derive(Debug, PartialEq)]
struct Options {
    minutes: u64,
    seed: u64,
}

/// Has clients and a server in trouble for half of the minutes, spoils files, compares the clients, simulates for a
/// quarter, at least one round, then shares the last quarter among the fuzz targets.
pub(crate) fn run(flags: &[&str]) -> Result<ExitCode> {
    let options = parse(flags, fresh_seed()?)?;
    tools::ensure_program("g++", "g++", "the fuzz targets' libFuzzer")?;
    let commit = shell::stdout(&mut shell::command("git", ["rev-parse", "--short", "HEAD"]))?;
    println!("== soak: seed {}, commit {}", options.seed, commit.trim());
    trouble(options.seed, options.minutes.div_ceil(2))?;
    tamper()?;
    compare(options.seed)?;
    let quarter = Duration::from_secs(options.minutes * 15);
    let simulated = simulate(options.seed, quarter)?;
    let targets = fuzz::targets(&shell::root().join("protocol/fuzz/fuzz_targets"))?.len() as u64;
    let seconds = (quarter.as_secs() / targets).max(1);
    fuzz::run_all(seconds, options.seed)?;
    println!(
        "soak passed: {DIFFERENTIAL_SEEDS} seeds compared and {simulated} simulated from {}, \
         {targets} fuzz targets of {seconds} s, commit {}",
        options.seed,
        commit.trim()
    );
    Ok(ExitCode::SUCCESS)
}

/// Clients that lose their connections, and servers that are killed under their edits, one by one so that each has the
/// machine for itself: in hundreds of trials of each, then at random for `minutes`.
fn trouble(seed: u64, minutes: u64) -> Result<()> {
    println!("== lifelines, restarts, kills, and {minutes} minutes of trouble, seed {seed}");
    shell::run(&mut cargo(["build", "--quiet", "--release", "-p", "hither-server"]))?;
    let words = ["test", "--quiet", "--release", "-p", "hither-tests", "--test", "e2e", "--"];
    let tests = ["lifelines", "restarts", "durable", "soak", "--nocapture", "--test-threads", "1"];
    shell::run(
        cargo(words.iter().chain(&tests))
            .env("HITHER_SOAK_MINUTES", minutes.to_string())
            .env("HITHER_SOAK_SEED", seed.to_string()),
    )
}

/// Spoils the files of a store in every way that the gate tries some of; says how often what was found. Some minutes.
fn tamper() -> Result<()> {
    println!("== files of documents, cut and flipped");
    let words = ["test", "--quiet", "--release", "-p", "hither-server", "--test", "store", "--"];
    let tests = ["flips", "--nocapture"];
    shell::run(cargo(words.iter().chain(&tests)).env("HITHER_SOAK_MINUTES", "1"))
}

/// Holds the TypeScript session against the Rust one.
fn compare(seed: u64) -> Result<()> {
    node::install(node::CLIENT)?;
    println!("== differential: {DIFFERENTIAL_SEEDS} seeds from {seed}");
    let words = ["test", "--quiet", "--release", "-p", "hither-tests", "--test", "differential"];
    shell::run(
        cargo(words)
            .env("HITHER_DIFFERENTIAL_SEEDS", DIFFERENTIAL_SEEDS.to_string())
            .env("HITHER_DIFFERENTIAL_SEED", seed.to_string()),
    )
}

/// Runs rounds of the simulation until the time is up; returns how many seeds that were.
fn simulate(seed: u64, time: Duration) -> Result<u64> {
    let start = Instant::now();
    let mut seeds = 0;
    while seeds == 0 || start.elapsed() < time {
        println!("== simulation: {SEEDS_A_ROUND} seeds from {}", seed + seeds);
        let words = ["test", "--quiet", "--release", "-p", "hither-tests"];
        let tests = ["--test", "simulation", "--test", "convergence"];
        shell::run(
            cargo(words.iter().chain(&tests))
                .env("HITHER_SIM_SEEDS", SEEDS_A_ROUND.to_string())
                .env("HITHER_SIM_SEED", (seed + seeds).to_string()),
        )?;
        seeds += SEEDS_A_ROUND;
    }
    Ok(seeds)
}

fn parse(flags: &[&str], fresh_seed: u64) -> Result<Options> {
    let mut options = Options { minutes: 60, seed: fresh_seed };
    for pair in flags.chunks(2) {
        let number = |text: &str| text.parse().with_context(|| format!("not a number: {text:?}"));
        match pair {
            ["--minutes", text] => options.minutes = number(text)?,
            ["--seed", text] => options.seed = number(text)?,
            _ => bail!("usage: cargo xtask soak [--minutes M] [--seed N], not {pair:?}"),
        }
    }
    Ok(options)
}

/// Seconds since the Unix epoch, so that no two soaks walk the same way.
fn fresh_seed() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_replace_the_defaults() {
        assert_eq!(parse(&[], 7).unwrap(), Options { minutes: 60, seed: 7 });
        let both = ["--seed", "3", "--minutes", "5"];
        assert_eq!(parse(&both, 7).unwrap(), Options { minutes: 5, seed: 3 });
        assert!(parse(&["--minutes"], 7).is_err());
        assert!(parse(&["--minutes", "long"], 7).is_err());
    }
}
