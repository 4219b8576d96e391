//! The load generator against a Hither server in this process, over its transports. It stands apart
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
        let times = ["--grace", "1", "--warmup", "0.3", "--windows", "2", "--window", "0.5"];
        self.start_load("run", transport, &[&times, flags].concat())
    }

    fn start_load(&self, mode: &str, transport: &str, flags: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_hither-load"))
            .args([mode, "--json", "--url", &format!("https://{}", self.ready.quic)])
            .args(["--cert-sha256", self.ready.cert_sha256.as_ref().unwrap()])
            .args(["--transport", transport, "--server-pid", &std::process::id().to_string()])
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
fn every_move_reaches_everybody_in_every_room_over_every_transport() {
    let host = Host::start();
    for transport in ["quic", "webtransport", "websocket", "quic", "webtransport", "websocket"] {
        let report = host.report(transport, &["--rooms", "2", "--members", "3", "--hz", "30"]);
        assert_eq!(report["transport"], transport);
        for window in report["windows"].as_array().unwrap() {
            let number = |field: &str| window[field].as_f64().unwrap();
            assert!(number("moves") > 10.0 && number("moves") <= 90.0, "{window}");
            assert_eq!(number("expected"), number("moves") * 2.0);
            assert_eq!(number("covered_pct"), 100.0, "{window}");
            assert!(number("updates") > 0.0 && number("datagrams") > 0.0, "{window}");
            assert!(number("down_bytes_per_update") > 1.0, "{window}");
            assert!(number("moved_per_frame") > 0.0, "{window}");
            assert!(number("datagrams_up_per_s") > 0.0, "{window}");
            if transport != "websocket" {
                assert!(number("packets_up_per_s") > 0.0, "{window}");
                assert!(number("packets_down_per_s") >= number("datagrams_down_per_s"), "{window}");
            }
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

/// 20 ms each way, and one packet in ten lost: everything arrives all the same, and no sooner.
#[test]
fn a_bad_network_is_made_by_the_generator_itself() {
    let host = Host::start();
    for transport in ["quic", "webtransport"] {
        let flags = ["--members", "4", "--loss", "10", "--delay", "20", "--jitter", "5"];
        let report = host.report(transport, &flags);
        assert_eq!((&report["loss_pct"], &report["delay_ms"]), (&10.0.into(), &20.0.into()));
        for window in report["windows"].as_array().unwrap() {
            assert_eq!(window["covered_pct"], 100.0, "{window}");
            assert!(window["age_ms"]["p50"].as_f64().unwrap() > 40.0, "{window}");
        }
    }
}

#[test]
fn rooms_may_be_of_several_sizes() {
    let report = Host::start().report("quic", &["--mix", "1x4,2x2"]);
    assert_eq!((&report["rooms"], &report["members"]), (&3.into(), &4.into()));
    assert_eq!(report["mix"], "1x4,2x2");
    for window in report["windows"].as_array().unwrap() {
        let [moves, expected] = ["moves", "expected"].map(|at| window[at].as_u64().unwrap());
        assert!(moves < expected && expected < 3 * moves, "{window}");
        assert_eq!(window["covered_pct"], 100.0, "{window}");
    }
}

/// Its messages are among all others of the control stream.
#[test]
fn with_reliable_motion_nothing_is_said_of_datagrams() {
    let flags = ["--members", "3", "--hz", "30", "--reliable"];
    let report = Host::start().report("quic", &flags);
    assert_eq!(report["reliable"], true);
    for window in report["windows"].as_array().unwrap() {
        assert_eq!(window["covered_pct"], 100.0, "{window}");
        assert!(window["updates"].as_u64().unwrap() > 0, "{window}");
        for field in ["datagrams", "datagrams_down_per_s", "cpu_us_per_datagram", "moved_per_frame"]
        {
            assert_eq!(window.get(field), Some(&Value::Null), "{field}: {window}");
        }
    }
}

/// Two of five stall. The other three are measured, and those two are shown something again.
#[test]
fn members_that_stall_wake_and_count_for_nothing_else() {
    let flags = ["--members", "5", "--hz", "30", "--stalled", "2", "--stall", "0.5"];
    let report = Host::start().report("quic", &flags);
    assert_eq!(
        (&report["stalled"]["members"], &report["stalled"]["woken"]),
        (&2.into(), &2.into())
    );
    for window in report["windows"].as_array().unwrap() {
        assert_eq!(window["expected"].as_u64(), window["moves"].as_u64().map(|moves| moves * 2));
        assert_eq!(window["covered_pct"], 100.0, "{window}");
    }
}

/// Each sees about a quarter of the space, so of the others' moves, too.
#[test]
fn with_viewports_members_are_shown_a_part() {
    let host = Host::start();
    let shown = |flags: &[&str]| {
        let report = host.report("quic", &[&["--members", "12", "--hz", "30"], flags].concat());
        let windows = report["windows"].as_array().unwrap().clone();
        (report["viewport"].clone(), windows)
    };
    let updates = |windows: &[Value]| {
        windows.iter().map(|window| window["updates"].as_u64().unwrap()).sum::<u64>()
    };
    let (all, everything) = shown(&[]);
    let (share, part) = shown(&["--viewport", "0.25"]);
    assert_eq!((all, share), (Value::Null, 0.25.into()));
    let (all, some) = (updates(&everything), updates(&part));
    assert!(0 < some && some < all * 2 / 3, "{some} of {all}");
    for window in part {
        assert_eq!((&window["covered_pct"], &window["expected"]), (&Value::Null, &0.into()));
    }
}

#[test]
fn idle_sessions_are_counted_and_weighed() {
    let host = Host::start();
    let flags = ["--members", "25", "--settle", "0.2", "--span", "0.5"];
    let output = host.start_load("idle", "webtransport", &flags);
    assert!(output.status.success());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["mode"], &report["conns"]), (&"idle".into(), &25.into()));
    assert!(report["join_s"].as_f64().unwrap() > 0.0, "{report}");
    assert_eq!(report.as_object().unwrap().len(), 5, "{report}");
}
