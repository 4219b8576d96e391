//! `cargo xtask bench`: the criterion benches, then what a whole server costs beside the plain-text baseline. Data come
//! first, a line a run; docs/BENCHMARKS.md's tables and plots are drawn from them, at any time again. Measured here,
//! judged there: nothing in it can fail by being slow.

mod cases;
mod figures;
mod plots;
mod programs;
mod svg;
mod tables;

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};

use crate::shell::{self, cargo};
use cases::{Case, SERIES};
use figures::Records;
use programs::Programs;

/// The page with the tables, from the root.
const PAGE: &str = "docs/BENCHMARKS.md";

/// How much is measured.
#[derive(Debug, PartialEq)]
struct Options {
    /// Runs of each case, alternating with those of the others, so that a machine that slows down does so for all.
    runs: u32,
    /// Seconds of warm-up, and of the window that is measured.
    seconds: (f64, f64),
    /// Sessions of the idle cases.
    idle: u32,
    criterion: bool,
    traces: Option<PathBuf>,
    /// The series to measure.
    series: Vec<&'static str>,
    /// Where data and plots go, from the root.
    folder: &'static str,
}

/// Runs everything, or what the flags say; see [`parse`].
pub(crate) fn run(flags: &[&str]) -> Result<ExitCode> {
    let options = parse(flags)?;
    let folder = shell::root().join(options.folder);
    fs::create_dir_all(&folder)?;
    let data = folder.join("measured.jsonl");
    if options.criterion {
        shell::run(&mut cargo(["bench", "-p", "hither-bench"]))?;
    }
    let failed = if options.series.is_empty() { 0 } else { measure(&options, &data)? };
    let text = fs::read_to_string(&data).with_context(|| format!("{}", data.display()))?;
    let records = Records::new(&text);
    for (name, drawing) in plots::draw_all(&records) {
        fs::write(folder.join(name), drawing)?;
    }
    for series in SERIES {
        println!("{series}\n\n{}\n", tables::block(&records, series));
    }
    if options.folder == DOCS {
        let page = shell::root().join(PAGE);
        fs::write(&page, tables::fill(&fs::read_to_string(&page)?, &records)?)?;
    }
    if failed > 0 {
        eprintln!("{failed} runs failed: they are missing in the tables");
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Where the figures go that are meant to stay.
const DOCS: &str = "docs/plots";

/// Measures the series that were asked for, in place of what the data has of them, and returns how many runs failed. A
/// line is written as soon as its run is over.
fn measure(options: &Options, data: &PathBuf) -> Result<u32> {
    let programs = Programs::build()?;
    let before = fs::read_to_string(data).unwrap_or_default(); // none yet
    let mut file = fs::File::create(data)?;
    file.write_all(Records::new(&before).without(&options.series).as_bytes())?;
    for series in &options.series {
        let conditions = programs.conditions(series, options)?;
        writeln!(file, "{{\"series\":\"{series}\",\"conditions\":\"{conditions}\"}}")?;
    }
    let cases: Vec<Case> = options.series.iter().flat_map(|s| cases::of(s, options)).collect();
    let mut failed = 0;
    for run in 1..=options.runs {
        for case in &cases {
            eprintln!("run {run} of {}: {}", options.runs, case.identity());
            match programs.measure(case, options) {
                Ok(report) => {
                    writeln!(file, "{{{},\"run\":{run},\"report\":{}}}", case.identity(), report)?;
                }
                Err(error) => {
                    eprintln!("error: {error:#}");
                    failed += 1;
                }
            }
        }
    }
    Ok(failed)
}

impl Options {
    /// What is meant to stay.
    fn whole() -> Self {
        Self {
            runs: 5,
            seconds: (2.0, 3.0),
            idle: 1_000,
            criterion: true,
            traces: None,
            series: SERIES.to_vec(),
            folder: DOCS,
        }
    }

    /// Enough to see that all works.
    fn quick() -> Self {
        let (seconds, folder) = ((0.5, 1.0), "target/bench");
        Self { runs: 1, seconds, idle: 50, criterion: false, folder, ..Self::whole() }
    }
}

/// `--quick`: one short run of each case, into target/bench, good to see that all works; `--traces DIR`: recorded mice;
/// `--runs N`: so many of each case; `--only a,b`: these series, the others stay as they were measured; `--redraw`:
/// measures nothing. Wherever `--quick` stands, the others change what it says.
fn parse(flags: &[&str]) -> Result<Options> {
    let quick = flags.contains(&"--quick");
    let mut options = if quick { Options::quick() } else { Options::whole() };
    let mut flags = flags.iter();
    while let Some(flag) = flags.next() {
        match *flag {
            "--quick" => {}
            "--traces" => {
                let folder = flags.next().context("--traces wants a folder of CSV files")?;
                options.traces = Some(
                    PathBuf::from(folder).canonicalize().with_context(|| (*folder).to_owned())?,
                );
            }
            "--runs" => {
                let runs = flags.next().and_then(|runs| runs.parse().ok());
                options.runs = runs.filter(|&runs| runs > 0).context("--runs wants 1 or more")?;
            }
            "--only" => {
                let names: Vec<&str> =
                    flags.next().context("--only wants series")?.split(',').collect();
                for name in &names {
                    ensure!(SERIES.contains(name), "no series {name:?}: there are {SERIES:?}");
                }
                options.series.retain(|series| names.contains(series));
                options.criterion = false;
            }
            "--redraw" => {
                options.series.clear();
                options.criterion = false;
            }
            other => bail!("{USAGE}, not {other:?}"),
        }
    }
    Ok(options)
}

const USAGE: &str =
    "usage: cargo xtask bench [--quick] [--traces DIR] [--runs N] [--only SERIES,...] [--redraw]";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_replace_the_defaults() {
        let all = parse(&[]).unwrap();
        assert_eq!((all.runs, all.criterion, &all.traces), (5, true, &None));
        assert_eq!((all.series.as_slice(), all.folder), (&SERIES[..], DOCS));
        let flags = ["--traces", ".", "--quick", "--runs", "2"];
        for flags in [flags, ["--runs", "2", "--traces", ".", "--quick"]] {
            let quick = parse(&flags).unwrap();
            assert_eq!((quick.runs, quick.criterion), (2, false), "{flags:?}");
            assert!(quick.folder != DOCS && quick.traces.unwrap().is_absolute());
        }
        assert_eq!(parse(&["--quick"]).unwrap().runs, 1);
        assert_eq!(parse(&["--only", "loss,rooms"]).unwrap().series, ["rooms", "loss"]);
        assert_eq!(parse(&["--redraw"]).unwrap().series, [""; 0]);
        for wrong in
            [&["--traces"][..], &["--slow"], &["--only", "x"], &["--runs", "few"], &["--runs", "0"]]
        {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
