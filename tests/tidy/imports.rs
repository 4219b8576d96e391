//! Who may import whom among our crates. A manifest that grows a forbidden edge fails before any code leans on it.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{report, tree};

/// One crate's row: what it may import always, and what its tests and examples may import besides.
struct Row {
    name: &'static str,
    normal: &'static [&'static str],
    dev: &'static [&'static str],
}

const ROWS: [Row; 11] = [
    Row { name: "hither-protocol", normal: &[], dev: &[] },
    Row { name: "hither-certs", normal: &[], dev: &[] },
    Row { name: "hither-core", normal: &["hither-protocol"], dev: &[] },
    Row { name: "hither-transport", normal: &["hither-protocol"], dev: &["hither-certs"] },
    Row {
        name: "hither-server",
        normal: &["hither-core", "hither-protocol", "hither-transport", "hither-certs"],
        dev: &[],
    },
    Row { name: "hither-client", normal: &["hither-protocol", "hither-transport"], dev: &[] },
    Row { name: "hither-fuzz", normal: &["hither-protocol"], dev: &[] },
    Row { name: "hither-bench", normal: LIBRARIES, dev: &[] },
    Row { name: "hither-tests", normal: LIBRARIES, dev: &[] },
    Row { name: "hither-steady", normal: &["hither-core", "hither-protocol"], dev: &[] },
    Row { name: "xtask", normal: &[], dev: &[] },
];

/// What benches and tests may import: everything but each other.
const LIBRARIES: &[&str] = &[
    "hither-certs",
    "hither-client",
    "hither-core",
    "hither-protocol",
    "hither-server",
    "hither-transport",
];

/// The crates without I/O, clock and randomness, and what would bring those in.
const PURE: [&str; 2] = ["hither-protocol", "hither-core"];
const IMPURE: [&str; 9] = [
    "tokio",
    "rand",
    "getrandom",
    "quinn",
    "quinn-proto",
    "wtransport",
    "socket2",
    "mio",
    "async-std",
];

fn check(metadata: &Value) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    let packages = metadata["packages"].as_array().context("no packages")?;
    for package in packages {
        let name = package["name"].as_str().context("no name")?;
        let Some(row) = ROWS.iter().find(|row| row.name == name) else {
            findings.push(format!(
                "{name} has no row in tests/tidy/imports.rs: decide what it may import"
            ));
            continue;
        };
        for dependency in package["dependencies"].as_array().context("no dependencies")? {
            let (Some(other), Some(_)) = (dependency["name"].as_str(), dependency["path"].as_str())
            else {
                continue;
            };
            let dev = dependency["kind"].as_str() == Some("dev");
            if !(row.normal.contains(&other) || dev && row.dev.contains(&other)) {
                let tests = if dev { " (in its tests)" } else { "" };
                findings.push(format!(
                    "{name} imports {other}{tests}: turn the dependency round, or move the code"
                ));
            }
        }
    }
    Ok(findings)
}

/// What of a `cargo tree --prefix none --format {p}` must not be there.
fn impure(tree: &str) -> Vec<&str> {
    tree.lines().filter(|line| IMPURE.contains(&line.split(' ').next().unwrap_or(line))).collect()
}

#[test]
fn crates_import_only_what_the_design_allows() -> Result<()> {
    let metadata = tree::cargo(&["metadata", "--format-version", "1", "--no-deps"])?;
    report("imports between our crates", &check(&serde_json::from_str(&metadata)?)?);
    Ok(())
}

#[test]
fn protocol_and_core_bring_no_io_and_no_randomness() -> Result<()> {
    let mut findings = Vec::new();
    for name in PURE {
        let tree = tree::cargo(&[
            "tree", "-p", name, "-e", "normal", "--prefix", "none", "--format", "{p}",
        ])?;
        findings.extend(impure(&tree).iter().map(|found| format!("{name} depends on {found}")));
    }
    report(
        "protocol and core decide; what waits, sends or draws lots belongs into transport or server",
        &findings,
    );
    Ok(())
}

#[test]
fn the_rule_on_imports_can_fail() -> Result<()> {
    let package = |name: &str, other: &str, kind: Value| {
        serde_json::json!({"packages": [{"name": name, "dependencies": [
            {"name": other, "path": "/somewhere", "kind": kind}, {"name": "serde", "path": null, "kind": null}]}]})
    };
    let dev = || Value::from("dev");
    assert_eq!(check(&package("hither-server", "hither-core", Value::Null))?.len(), 0);
    assert_eq!(check(&package("hither-transport", "hither-certs", dev()))?.len(), 0);
    assert_eq!(check(&package("hither-transport", "hither-certs", Value::Null))?.len(), 1);
    assert_eq!(check(&package("hither-server", "hither-client", dev()))?.len(), 1);
    assert_eq!(check(&package("hither-tests", "hither-bench", Value::Null))?.len(), 1);
    assert_eq!(check(&package("hither-new", "serde", Value::Null))?.len(), 1);
    assert_eq!(impure("hither-core v0.1.0 (/x)\ntokio v1.2.3\nrandom v1.0.0"), ["tokio v1.2.3"]);
    Ok(())
}
