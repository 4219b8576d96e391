//! The load generator against a Hither server in this process, over both transports. It stands apart
//! from the baseline's test as it needs the server's crate.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Output, Stdio};

use hither_server::config::{Config, Overrides};
use hither_server::server::{Ready, Server};
use serde_json::Value;
use tokio::runtime::Runtime;

struct Host {
    ready: Ready,
    _runtime: Runtime,
    _server: Server,
}

impl Host {
    fn start() -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let dev = Config::dev(Overrides::default());
        let config = Config { listen: any, http: any, ops: any, ..dev };
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(Server::start(config)).unwrap();
        Self { ready: server.ready(), _runtime: runtime, _server: server }
    }

    fn load(&self, transport: &str, flags: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_hither-load"))
            .args(["run", "--json", "--url", &format!("https://{}", self.ready.quic)])
            .args(["--cert-sha256", self.ready.cert_sha256.as_ref().unwrap()])
            .args(["--transport", transport, "--grace", "1"])
            .args(["--warmup", "0.3", "--windows", "2", "--window", "0.5"])
            .args(flags)
            .stderr(Stdio::inherit())
            .output()
            .unwrap()
    }

    fn report(&self, transport: &str, flags: &[&str]) -> Value {
        let output = self.load(transport, flags);
        assert!(output.status.success());
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// Twice over each transport, in the same rooms: a run leaves nobody behind.
#[test]
fn every_move_reaches_everybody_in_every_room_over_both_transports() {
    let host = Host::start();
    for transport in ["quic", "webtransport", "quic", "webtransport"] {
        let report = host.report(transport, &["--rooms", "2", "--members", "3", "--hz", "30"]);
        assert_eq!(report["transport"], transport);
        for window in report["windows"].as_array().unwrap() {
            let number = |field: &str| window[field].as_f64().unwrap();
            assert!(number("moves") > 10.0 && number("moves") <= 90.0, "{window}");
            assert_eq!(number("expected"), number("moves") * 2.0);
            assert_eq!(number("covered_pct"), 100.0, "{window}");
            assert!(number("updates") > 0.0 && number("datagrams") > 0.0, "{window}");
            assert!(number("down_bytes_per_update") > 3.0, "an entry is 3 B: {window}");
        }
    }
}

#[test]
fn a_namespace_can_be_named_and_one_that_is_not_there_ends_the_run() {
    let host = Host::start();
    let report = host.report("quic", &["--members", "2", "--namespace", "default"]);
    assert_eq!(report["windows"][0]["covered_pct"], 100.0);
    let output = host.load("quic", &["--members", "2", "--namespace", "nowhere"]);
    assert!(!output.status.success() && output.stdout.is_empty());
}
