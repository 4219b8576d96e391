//! `hither-load`, the load generator's command line. It stands apart from the library, which does
//! the work, to hold nothing but flags and output.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use hither_bench::load::{Plan, run};

/// Moves many mice in many rooms, and measures what everybody sees of it.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// One run against one server: warm-up, windows, grace, report.
    Run {
        #[command(flatten)]
        plan: Plan,
        /// Print the report as one line of JSON. Default: the same, indented.
        #[arg(long)]
        json: bool,
    },
}

// One thread: the generator's own CPU is then at most one core, and 100 % of it means that it was
// the limit.
#[tokio::main(flavor = "local")]
async fn main() -> ExitCode {
    let Command::Run { plan, json } = Args::parse().command;
    match print_report(&plan, json).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn print_report(plan: &Plan, json: bool) -> Result<()> {
    let report = run(plan).await?;
    let text =
        if json { serde_json::to_string(&report) } else { serde_json::to_string_pretty(&report) };
    println!("{}", text?);
    Ok(())
}
