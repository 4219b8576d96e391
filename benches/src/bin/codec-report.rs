//! What the motion codec makes of recorded mice, beside no server and no network; and the tables that it codes by,
//! counted over recordings. A program of its own, since it needs the codec's statistics, which no peer does.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use hither_bench::codec::{Report, Room, train};
use hither_bench::traces::Traces;

/// Bits for each moved cursor in a room of 100, as one JSON line for each rate and age of the baseline.
#[derive(Parser)]
struct Args {
    /// A folder of recordings: CSV files of `t_ms,x,y`.
    #[arg(long)]
    traces: PathBuf,
    /// Takes only every second recording: 0 from the first, 1 from the second.
    #[arg(long)]
    half: Option<usize>,
    /// Counts the tables over the recordings, and prints them as the source of the codec's module, instead.
    #[arg(long)]
    table: bool,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let mut traces = Traces::load(&args.traces)?;
    if let Some(half) = args.half {
        ensure!(half < 2, "--half is 0 or 1");
        traces = traces.half(half).context("there is only one recording")?;
    }
    if args.table {
        print!("{}", train(&traces));
        return Ok(());
    }
    for hz in [20, 30, 60] {
        for baseline_ticks in [1, 2, 4] {
            let report = Report::measure(&mut Room::new(&traces, hz), baseline_ticks);
            println!("{}", serde_json::to_string(&report)?);
        }
    }
    Ok(())
}
