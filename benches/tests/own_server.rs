//! The load generator where it starts the program `hither` itself, which lies beside it once the workspace is built.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Stdio};

use serde_json::Value;

fn report(arguments: &[&str]) -> impl Fn(&str) -> f64 + use<> {
    let output = Command::new(env!("CARGO_BIN_EXE_hither-load"))
        .args(arguments)
        .arg("--json")
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    move |field| report[field].as_f64().unwrap_or_else(|| panic!("no {field} in {report}"))
}

#[test]
fn edits_moves_and_newcomers_are_timed() {
    let rooms = ["--rooms", "2", "--editors-each", "2", "--rate", "40"];
    let beside = ["--moving", "--records", "100", "--warmup", "0.2", "--window", "2"];
    let figure = report(&[&["edits"][..], &rooms, &beside].concat());
    assert_eq!((figure("editors"), figure("acked_per_s"), figure("failed")), (4.0, 40.0, 0.0));
    for kind in ["ack", "move"] {
        let [half, most, longest] =
            ["p50", "p99", "max"].map(|of| figure(&format!("{kind}_{of}_ms")));
        assert!(0.0 < half && half <= most && most <= longest, "{kind}: {half} {most} {longest}");
    }
    assert!(0.0 < figure("open_p50_ms") && figure("open_p50_ms") <= figure("open_max_ms"));
    assert!(figure("server_cpu_pct") > 0.0 && figure("loadgen_cpu_pct") > 0.0);
    assert!(figure("disk_syncs_per_s") > 0.0 && figure("stolen_pct") >= 0.0);
    assert!(figure("calm_s") <= 2.0, "the window has no more");
}

#[test]
fn nobody_moves_and_nobody_comes_unless_they_are_asked_to() {
    let one = ["--rooms", "1", "--editors-each", "1", "--rate", "10", "--window", "1"];
    let figure = report(&[&["edits"][..], &one].concat());
    assert_eq!((figure("move_max_ms"), figure("open_max_ms")), (0.0, 0.0));
}

#[test]
fn all_members_of_a_storm_come_back() {
    for (by, edits) in [("kill", 0.0), ("drain", 10.0)] {
        let figure = report(&["storm", "--members", "10", "--room-size", "5", "--by", by]);
        assert_eq!(figure("resumed") + figure("renewed"), 10.0, "{by}");
        assert_eq!(figure("edits_acked") + figure("edits_unanswered"), edits, "{by}");
        assert!(figure("back_s") >= figure("back_p10_s") && figure("server_cpu_s") > 0.0, "{by}");
    }
}
