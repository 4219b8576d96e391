//! The programs that are run, and where: the server has one core and the generator another, where that can be had.
//! Apart from what is measured, so that each flag of theirs stands in one place.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::Options;
use super::cases::{Case, DELAY_MS, STALLED};
use crate::server::Server;
use crate::shell::{self, cargo};

const ANY_PORT: &str = "127.0.0.1:0";

/// Seconds from the last join of the idle series until memory is read, and those in which CPU is counted then.
const IDLE_SETTLE: &str = "3";
const IDLE_SPAN: &str = "5";

/// The programs, built.
pub(super) struct Programs {
    server: PathBuf,
    baseline: PathBuf,
    load: PathBuf,
    /// What they were built from.
    commit: String,
    pinning: bool,
}

impl Programs {
    /// Builds them in one go: each package alone would want its dependencies with other features.
    pub(super) fn build() -> Result<Self> {
        // Said before the first table is written, which changes a file.
        let commit =
            shell::stdout(&mut shell::command("git", ["describe", "--always", "--dirty"]))?;
        let words = ["build", "--release", "--message-format=json-render-diagnostics"];
        let packages = ["-p", "hither-server", "-p", "hither-bench"];
        let built = shell::stdout(&mut cargo(words.iter().chain(&packages)))?;
        let find = |name| executable(&built, name).with_context(|| format!("no {name} was built"));
        Ok(Self {
            server: find("hither")?,
            baseline: find("baseline-ws")?,
            load: find("hither-load")?,
            commit: commit.trim().to_owned(),
            pinning: shell::succeeds(Command::new("taskset").args(["-c", "0,1", "true"])),
        })
    }

    /// Has the load generator measure a server, and returns its report, one line of JSON.
    pub(super) fn measure(&self, case: &Case, options: &Options) -> Result<String> {
        let report = match case.series {
            "storm" | "edits" | "snapshots" => shell::stdout(&mut self.with_own_server(case)),
            _ => self.measure_server(case, options),
        };
        Ok(report.with_context(|| format!("no report about {}", case.identity()))?.trim().into())
    }

    /// The generator where it starts its servers itself.
    fn with_own_server(&self, case: &Case) -> Command {
        let mode = if case.series == "storm" { "storm" } else { "edits" };
        let mut load = self.command("1", &self.load, &[mode, "--json"]);
        load.arg("--server").arg(&self.server);
        match case.mix.split_once('x') {
            None => load.args(["--by", case.by, "--members", &case.mix]),
            Some((rooms, editors)) => {
                let rate = case.rate.to_string();
                load.args(["--rooms", rooms, "--editors-each", editors, "--rate", &rate])
            }
        };
        if case.series == "snapshots" {
            load.args(["--moving", "--records", &case.records.to_string()]);
        }
        if self.pinning {
            load.args(["--server-core", "0"]);
        }
        load
    }

    fn measure_server(&self, case: &Case, options: &Options) -> Result<String> {
        let baseline = case.transport == "baseline-ws";
        let hz = case.hz.to_string();
        let mut command = if baseline {
            self.command("0", &self.baseline, &["--listen", ANY_PORT, "--hz", &hz])
        } else {
            // Its namespaces hz20, hz30 and hz60 tick as they are called, and hz0 sends at once.
            let ports = ["--listen", ANY_PORT, "--http", ANY_PORT, "--ops", ANY_PORT];
            self.command("0", &self.server, &[&["--log", "warn", "dev"][..], &ports].concat())
        };
        let server = Server::spawn(&mut command)?;
        let mode = if case.series == "idle" { "idle" } else { "run" };
        let mut load = self.command("1", &self.load, &[mode, "--json"]);
        load.args(["--transport", case.transport]).args([
            "--server-pid",
            &server.id().to_string(),
            "--url",
        ]);
        if baseline {
            load.arg(format!("http://{}", server.field("http")?));
        } else {
            load.arg(format!("https://{}", server.field("quic")?));
            load.args(["--cert-sha256", server.field("cert_sha256")?]);
        }
        match mode {
            "idle" => load.args(["--members", &case.mix]).args([
                "--settle",
                IDLE_SETTLE,
                "--span",
                IDLE_SPAN,
            ]),
            _ => run_flags(&mut load, case, options),
        };
        shell::stdout(&mut load)
    }

    /// Where and how the figures of a series are got, as the sentence before its table.
    pub(super) fn conditions(&self, series: &str, options: &Options) -> Result<String> {
        let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let cpu = cpu.map_or("an unknown processor", |(_, name)| name);
        let cores = std::thread::available_parallelism()?;
        let commit = &self.commit;
        let pinned = if self.pinning {
            "server and generator on a core of their own"
        } else {
            "nothing pinned"
        };
        let runs = runs(series, options);
        Ok(format!("{cores} cores of {cpu}, {pinned}; {runs}; commit {commit}."))
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

/// What a run of a series is, and how many there are.
fn runs(series: &str, options: &Options) -> String {
    let runs = format!("median (least-most) of {} alternating runs", options.runs);
    if series == "idle" {
        return format!("{runs}, CPU of {IDLE_SPAN} s after {IDLE_SETTLE} s of rest");
    }
    if matches!(series, "storm" | "edits" | "snapshots") {
        return runs;
    }
    let hands = if options.traces.is_some() { "recorded mice" } else { "seeded mice" };
    format!("{hands}; {runs} of {} s", options.seconds.1)
}

fn run_flags<'a>(load: &'a mut Command, case: &Case, options: &Options) -> &'a mut Command {
    let (warmup, window) = options.seconds;
    load.args(["--mix", &case.mix, "--hz", &case.hz.to_string(), "--windows", "1", "--grace", "1"])
        .args(["--warmup", &warmup.to_string(), "--window", &window.to_string()]);
    if case.series == "at-once" {
        load.args(["--namespace", "hz0"]);
    }
    if let Some(loss) = case.loss {
        load.args(["--loss", &loss.to_string(), "--delay", DELAY_MS]);
    }
    if case.reliable {
        load.arg("--reliable");
    }
    if let Some(stall) = case.stall {
        load.args(["--stalled", STALLED, "--stall", &stall.to_string()]);
    }
    if let Some(share) = case.viewport {
        load.args(["--viewport", &share.to_string()]);
    }
    if let Some(folder) = &options.traces {
        load.arg("--traces").arg(folder);
    }
    load
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
    fn the_idle_series_has_no_mice_and_a_time_of_its_own() {
        let options = super::super::parse(&["--runs", "3", "--traces", "."]).unwrap();
        let median = "median (least-most) of 3 alternating runs";
        assert_eq!(runs("rooms", &options), format!("recorded mice; {median} of 3 s"));
        assert_eq!(runs("idle", &options), format!("{median}, CPU of 5 s after 3 s of rest"));
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
