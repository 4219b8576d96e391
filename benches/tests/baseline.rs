//! The load generator against the baseline server, as processes: the whole chain from flags to
//! report. It stands apart from unit tests because it needs both binaries.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start() -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_baseline-ws"))
            .args(["--listen", "127.0.0.1:0", "--hz", "50"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(ready["ready"], true);
        let url = format!("http://{}", ready["http"].as_str().unwrap());
        Self { process, url }
    }

    fn load(&self, flags: &[&str]) -> Value {
        let output = Command::new(env!("CARGO_BIN_EXE_hither-load"))
            .args(["run", "--url", &self.url, "--transport", "baseline-ws", "--json"])
            .args(["--server-pid", &self.process.id().to_string()])
            .args(flags)
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.lines().count(), 1, "one object and nothing else");
        serde_json::from_str(&text).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const SHORT: [&str; 8] = ["--warmup", "0.3", "--windows", "2", "--window", "0.5", "--grace", "2"];

#[test]
fn every_move_reaches_everybody_in_every_room() {
    let server = Server::start();
    let report =
        server.load(&[&["--rooms", "3", "--members", "4", "--hz", "30"], &SHORT[..]].concat());
    assert_eq!((&report["rooms"], &report["members"]), (&3.into(), &4.into()));
    let windows = report["windows"].as_array().unwrap();
    assert_eq!(windows.len(), 2);
    for window in windows {
        let number = |field: &str| window[field].as_f64().unwrap();
        assert!(number("moves") > 50.0 && number("moves") <= 180.0, "{window}");
        assert_eq!(number("expected"), number("moves") * 3.0);
        assert_eq!(number("covered_pct"), 100.0);
        assert!(number("updates") > 0.0 && number("datagrams") > 0.0, "{window}");
        assert!(number("cpu_us_per_update") > 0.0 && number("loadgen_cpu_pct") > 0.0, "{window}");
        assert!(number("down_bytes_per_update") > 8.0, "a record is 8 B: {window}");
        assert!(number("packets_down_per_s") > 0.0 && number("packets_up_per_s") > 0.0, "{window}");
        let ages = ["p50", "p99", "p999", "max"].map(|at| window["age_ms"][at].as_f64().unwrap());
        assert!(ages[0] > 0.0 && ages.is_sorted(), "{window}");
    }
    assert!(report["server_rss_peak_kb"].as_u64().unwrap() > 500);
}

/// More members than tokio lets one task write to in one go, which neither end may notice: at ten
/// ticks a look, a viewer that is served in each sees nearly every move by itself, and one that
/// waits sees many at once.
#[test]
fn a_large_room_is_served_to_the_last_member() {
    let server = Server::start();
    let report = server.load(&[&["--members", "200", "--hz", "5"], &SHORT[..]].concat());
    let sum = |field: &str| -> f64 {
        let windows = report["windows"].as_array().unwrap();
        windows.iter().map(|window| window[field].as_f64().unwrap()).sum()
    };
    assert_eq!(sum("covered_pct"), 200.0);
    assert!(sum("updates") > 0.8 * sum("expected"), "{report}");
}

/// Loss over TCP cannot be made at a relay of UDP packets.
#[test]
fn a_bad_network_is_refused() {
    let output = Command::new(env!("CARGO_BIN_EXE_hither-load"))
        .args(["run", "--url", "http://127.0.0.1:1", "--transport", "baseline-ws", "--loss", "1"])
        .output()
        .unwrap();
    assert!(!output.status.success() && output.stdout.is_empty());
    assert!(String::from_utf8(output.stderr).unwrap().contains("TCP"));
}

/// Two rooms: a mouse that never moves again, replayed by both members of one, is one move each, in
/// the warm-up.
#[test]
fn recordings_are_replayed() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("still.csv"), "t_ms,x,y\n0,5,5\n600000,5,5\n").unwrap();
    let traces = folder.path().to_str().unwrap();
    let server = Server::start();
    let flags = [&["--rooms", "2", "--members", "2", "--traces", traces], &SHORT[..]].concat();
    for window in server.load(&flags)["windows"].as_array().unwrap() {
        assert_eq!((&window["moves"], &window["updates"]), (&0.into(), &0.into()));
        assert_eq!(window["covered_pct"], 100.0);
    }
}
