//! `cargo xtask bench`: the criterion benches, then what a whole server costs beside the plain-text baseline, as the
//! table that docs/BENCHMARKS.md shows. Measured here, judged there: nothing in it can fail by being slow.

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::server::Server;
use crate::shell::{self, cargo};

const ANY_PORT: &str = "127.0.0.1:0";

/// One line of the table: a server of its own, one room.
struct Case {
    transport: &'static str,
    members: u32,
    hz: u32,
}

const CASES: [Case; 3] = [
    Case { transport: "quic", members: 100, hz: 20 },
    Case { transport: "webtransport", members: 100, hz: 20 },
    Case { transport: "baseline-ws", members: 100, hz: 20 },
];

/// The columns: their headings and the load generator's names for them.
const COLUMNS: [(&str, &str); 6] = [
    ("covered %", "covered_pct"),
    ("us CPU/update", "cpu_us_per_update"),
    ("us CPU/datagram", "cpu_us_per_datagram"),
    ("B/update", "down_bytes_per_update"),
    ("age p50 ms", "p50"),
    ("age p99 ms", "p99"),
];

/// Runs all benches and prints each figure as the median of its windows, with the smallest and the largest.
pub(crate) fn run() -> Result<ExitCode> {
    shell::run(&mut cargo(["bench", "-p", "hither-bench"]))?;
    shell::run(&mut cargo(["build", "--release", "-p", "hither-server", "-p", "hither-bench"]))?;
    let headings = COLUMNS.map(|(heading, _)| heading).join(" | ");
    println!("| transport | members | Hz | {headings} | generator limited |");
    println!("|{}", " --- |".repeat(COLUMNS.len() + 4));
    for case in CASES {
        let report = measure(&case)?;
        let cells = COLUMNS.map(|(_, key)| cell(numbers(&report, key))).join(" | ");
        let limited = report.contains("\"generator_limited\":true");
        println!("| {} | {} | {} | {cells} | {limited} |", case.transport, case.members, case.hz);
    }
    Ok(ExitCode::SUCCESS)
}

/// Starts the case's server and returns the load generator's report about it.
fn measure(case: &Case) -> Result<String> {
    let (members, hz) = (case.members.to_string(), case.hz.to_string());
    let baseline = case.transport == "baseline-ws";
    let server = if baseline {
        let package = ["--release", "-p", "hither-bench", "--bin", "baseline-ws", "--"];
        Server::start(&[&package[..], &["--listen", ANY_PORT, "--hz", &hz]].concat())?
    } else {
        let package = ["--release", "-p", "hither-server", "--", "dev", "--listen", ANY_PORT];
        Server::start(&[&package[..], &["--http", ANY_PORT, "--ops", ANY_PORT]].concat())?
    };
    let mut load = cargo(["run", "--quiet", "--release", "-p", "hither-bench", "--bin"]);
    load.args(["hither-load", "--", "run", "--json", "--rooms", "1", "--transport"])
        .args([case.transport, "--members", &members, "--hz", &hz])
        .args(["--warmup", "3", "--windows", "5", "--window", "3", "--grace", "1", "--seed", "1"])
        .args(["--server-pid", &server.id().to_string(), "--url"]);
    if baseline {
        load.arg(format!("http://{}", server.field("http")?));
    } else {
        load.arg(format!("https://{}", server.field("quic")?))
            .args(["--cert-sha256", server.field("cert_sha256")?]);
    }
    shell::stdout(&mut load).with_context(|| format!("no report about {}", case.transport))
}

/// Every value of a key in the report, one for each window. The report is our own, written without spaces.
fn numbers(report: &str, key: &str) -> Vec<f64> {
    let quoted = format!("\"{key}\":");
    let values = report.split(&quoted).skip(1);
    values.filter_map(|rest| rest.split([',', '}']).next()?.parse().ok()).collect()
}

fn cell(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    match values.as_slice() {
        [] => "none".into(),
        sorted @ [smallest, .., largest] => {
            format!("{:.1} ({smallest:.1}-{largest:.1})", sorted[sorted.len() / 2])
        }
        [only] => format!("{only:.1}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_the_median_of_the_windows() {
        let report = r#"{"windows":[{"x":3.0,"age_ms":{"p99":9,"p999":1}},{"x":1.0,"age_ms":{"p99":7}},{"x":2.5}]}"#;
        assert_eq!(numbers(report, "p99"), [9.0, 7.0]);
        assert_eq!(cell(numbers(report, "x")), "2.5 (1.0-3.0)");
        assert_eq!(cell(numbers(report, "y")), "none");
    }
}
