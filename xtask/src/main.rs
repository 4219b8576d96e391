//! The tasks behind the README's commands and CI: `cargo xtask demo|test|bench|codec-report|soak`.
//! A crate of its own, so that they need no shell and run the same for a developer and for CI.

mod bench;
mod demo;
mod fuzz;
mod instructions;
mod node;
mod server;
mod shell;
mod soak;
mod test;
mod tools;
mod totals;

use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
Usage: cargo xtask <task>

  demo [ARGS...]                 build the demo page and start `hither dev ARGS...` with it
  test [--only STEP,STEP...]     everything that must hold before a commit
  bench [--quick] [--traces DIR] [--runs N] [--only SERIES,...] [--redraw]
                                 the criterion benches, then the tables and plots of BENCHMARKS.md
  codec-report --traces DIR      bits for each moved cursor in a room of 100 recorded mice
  soak [--minutes M] [--seed N]  trouble, simulation and fuzzing with fresh seeds, 60 minutes unless told";

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["demo", args @ ..] => demo::run(args),
        ["test", flags @ ..] => test::run(flags),
        ["bench", flags @ ..] => bench::run(flags),
        ["codec-report", flags @ ..] => {
            let program = [
                "run",
                "--release",
                "--quiet",
                "-p",
                "hither-bench",
                "--bin",
                "codec-report",
                "--",
            ];
            shell::run(&mut shell::cargo(program.iter().chain(flags)))?;
            Ok(ExitCode::SUCCESS)
        }
        ["soak", flags @ ..] => soak::run(flags),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        _ => bail!("no such task: {args:?}\n\n{USAGE}"),
    }
}
