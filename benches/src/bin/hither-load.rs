//! `hither-load`, the load generator's command line. It stands apart from the library, which does
//! the work, to hold nothing but flags and output.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use hither_bench::load::edits::{self, EditsPlan};
use hither_bench::load::idle::{self, IdlePlan};
use hither_bench::load::storm::{self, StormPlan};
use hither_bench::load::{self, Plan};
use serde::Serialize;

/// Moves many mice in many rooms, and measures what everybody sees of it.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(subcommand)]
    command: Command,
    /// Print the report as one line of JSON. Default: the same, indented.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// One run against one server: warm-up, windows, grace, report.
    Run(Plan),
    /// Sessions that join and do nothing: what each costs the server.
    Idle(IdlePlan),
    /// Editors that submit edits at a steady rate: how long their acks take.
    Edits(EditsPlan),
    /// Members that come at once, and lose their server at once: how soon all are back.
    Storm(StormPlan),
}

// One thread: the generator's own CPU is then at most one core, and 100 % of it means that it was
// the limit.
#[tokio::main(flavor = "local")]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<String> {
    match args.command {
        Command::Run(plan) => text(&load::run(&plan).await?, args.json),
        Command::Idle(plan) => text(&idle::run(&plan).await?, args.json),
        Command::Edits(plan) => text(&edits::run(&plan).await?, args.json),
        Command::Storm(plan) => text(&storm::run(&plan).await?, args.json),
    }
}

fn text(report: &impl Serialize, one_line: bool) -> Result<String> {
    let text =
        if one_line { serde_json::to_string(report) } else { serde_json::to_string_pretty(report) };
    Ok(text?)
}
