//! `cargo xtask bench`: the criterion benches, then what a whole server costs beside the plain-text baseline, as the
//! table that docs/BENCHMARKS.md shows. Measured here, judged there: nothing in it can fail by being slow.

mod figures;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::server::Server;
use crate::shell::{self, cargo};
use figures::Figures;

const ANY_PORT: &str = "127.0.0.1:0";

/// Looks of each member at its mouse, and ticks of its room, per second.
const HZ: &str = "20";

const TRANSPORTS: [&str; 3] = ["quic", "webtransport", "baseline-ws"];

/// Rooms, and members in each.
const CROWDS: [(u32, u32); 5] = [(1, 10), (1, 50), (1, 100), (1, 200), (100, 10)];

/// How much is measured.
#[derive(Debug, PartialEq)]
struct Options {
    /// Runs of each case, alternating with those of the others, so that a machine that slows down does so for all.
    runs: u32,
    /// Seconds of warm-up, and of the window that is measured.
    seconds: (&'static str, &'static str),
    criterion: bool,
    traces: Option<PathBuf>,
}

/// One line of the table.
struct Case {
    transport: &'static str,
    rooms: u32,
    members: u32,
    figures: Figures,
}

/// Runs everything, 15 minutes with the builds; `--quick` is one short run of each case, good to see that all works.
pub(crate) fn run(flags: &[&str]) -> Result<ExitCode> {
    let options = parse(flags)?;
    if options.criterion {
        shell::run(&mut cargo(["bench", "-p", "hither-bench"]))?;
    }
    let programs = Programs::build()?;
    let mut cases: Vec<Case> = CROWDS
        .iter()
        .flat_map(|&(rooms, members)| TRANSPORTS.map(|transport| (transport, rooms, members)))
        .map(|(transport, rooms, members)| Case {
            transport,
            rooms,
            members,
            figures: Figures::default(),
        })
        .collect();
    for run in 1..=options.runs {
        for case in &mut cases {
            let Case { transport, rooms, members, figures } = case;
            eprintln!("run {run} of {}: {transport}, {rooms} x {members}", options.runs);
            figures.add(&programs.measure(transport, *rooms, *members, &options)?);
        }
    }
    println!("{}\n", conditions(&options, programs.pinning)?);
    println!("| transport | rooms x members | {} |", Figures::HEADINGS.join(" | "));
    println!("|{}", " --- |".repeat(Figures::HEADINGS.len() + 2));
    for Case { transport, rooms, members, figures } in &cases {
        println!("| {transport} | {rooms} x {members} | {} |", figures.cells().join(" | "));
    }
    Ok(ExitCode::SUCCESS)
}

/// The programs to be run, and where: the server has one core and the generator another, where that can be had.
struct Programs {
    server: PathBuf,
    baseline: PathBuf,
    load: PathBuf,
    pinning: bool,
}

impl Programs {
    /// Builds them in one go: each package alone would want its dependencies with other features.
    fn build() -> Result<Self> {
        let words = ["build", "--release", "--message-format=json-render-diagnostics"];
        let packages = ["-p", "hither-server", "-p", "hither-bench"];
        let built = shell::stdout(&mut cargo(words.iter().chain(&packages)))?;
        let find = |name| executable(&built, name).with_context(|| format!("no {name} was built"));
        Ok(Self {
            server: find("hither")?,
            baseline: find("baseline-ws")?,
            load: find("hither-load")?,
            pinning: shell::succeeds(Command::new("taskset").args(["-c", "0,1", "true"])),
        })
    }

    /// Starts a server and returns the load generator's report about it.
    fn measure(
        &self,
        transport: &str,
        rooms: u32,
        members: u32,
        options: &Options,
    ) -> Result<String> {
        let baseline = transport == "baseline-ws";
        let mut command = if baseline {
            self.command("0", &self.baseline, &["--listen", ANY_PORT, "--hz", HZ])
        } else {
            let ports = ["--listen", ANY_PORT, "--http", ANY_PORT, "--ops", ANY_PORT];
            self.command("0", &self.server, &[&["--log", "warn", "dev"][..], &ports].concat())
        };
        let server = Server::spawn(&mut command)?;
        let (warmup, window) = options.seconds;
        let mut load =
            self.command("1", &self.load, &["run", "--json", "--hz", HZ, "--transport", transport]);
        load.args(["--rooms", &rooms.to_string(), "--members", &members.to_string()])
            .args(["--warmup", warmup, "--windows", "1", "--window", window, "--grace", "1"])
            .args(["--server-pid", &server.id().to_string(), "--url"]);
        if baseline {
            load.arg(format!("http://{}", server.field("http")?));
        } else {
            load.arg(format!("https://{}", server.field("quic")?));
            load.args(["--cert-sha256", server.field("cert_sha256")?]);
        }
        if let Some(folder) = &options.traces {
            load.arg("--traces").arg(folder);
        }
        shell::stdout(&mut load).with_context(|| format!("no report about {transport}"))
    }

    fn command(&self, core: &str, program: &Path, args: &[&str]) -> Command {
        let mut command = if self.pinning {
            let mut command = Command::new("taskset");
            command.args(["-c", core]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.args(args);
        command
    }
}

/// Where and how the figures were got, as the sentence before the table.
fn conditions(options: &Options, pinning: bool) -> Result<String> {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cpu = cpu.map_or("an unknown processor", |(_, name)| name);
    let cores = std::thread::available_parallelism()?;
    let commit = shell::stdout(&mut shell::command("git", ["describe", "--always", "--dirty"]))?;
    let hands = if options.traces.is_some() { "recorded mice" } else { "seeded mice" };
    let pinned =
        if pinning { "server and generator on a core of their own" } else { "nothing pinned" };
    Ok(format!(
        "{cores} cores of {cpu}, {pinned}; {hands}, {HZ} Hz; median (least-most) of {} alternating runs of {} s; \
         commit {}.",
        options.runs,
        options.seconds.1,
        commit.trim()
    ))
}

fn parse(flags: &[&str]) -> Result<Options> {
    let mut options = Options { runs: 5, seconds: ("1", "3"), criterion: true, traces: None };
    let mut flags = flags.iter();
    while let Some(flag) = flags.next() {
        match *flag {
            "--quick" => {
                options = Options { runs: 1, seconds: ("0.5", "1"), criterion: false, ..options };
            }
            "--traces" => {
                let folder = flags.next().context("--traces wants a folder of CSV files")?;
                options.traces = Some(
                    PathBuf::from(folder).canonicalize().with_context(|| (*folder).to_owned())?,
                );
            }
            other => bail!("usage: cargo xtask bench [--quick] [--traces DIR], not {other:?}"),
        }
    }
    Ok(options)
}

/// The program of this name in cargo's messages, which are JSON without spaces, a line each.
fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    let paths = messages
        .lines()
        .filter_map(|line| line.split_once("\"executable\":\"")?.1.split('"').next());
    paths.map(PathBuf::from).find(|path| path.file_stem().is_some_and(|stem| stem == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_replace_the_defaults() {
        let all = parse(&[]).unwrap();
        assert_eq!((all.runs, all.criterion, &all.traces), (5, true, &None));
        let quick = parse(&["--traces", ".", "--quick"]).unwrap();
        assert_eq!((quick.runs, quick.criterion), (1, false));
        assert!(quick.traces.unwrap().is_absolute());
        assert!(parse(&["--traces"]).is_err());
        assert!(parse(&["--slow"]).is_err());
    }

    #[test]
    fn programs_are_found_among_cargos_messages() {
        let messages = r#"{"reason":"compiler-artifact","executable":null}
{"reason":"compiler-artifact","executable":"/t/release/hither-load","fresh":true}
{"reason":"compiler-artifact","executable":"/t/release/hither","fresh":true}"#;
        assert_eq!(executable(messages, "hither"), Some("/t/release/hither".into()));
        assert_eq!(executable(messages, "hither-lo"), None);
    }
}
