//! What comes from outside: under which licence, never from the list of bans, each version once. `cargo tree` and not
//! `cargo metadata` is asked, which also names optional packages that no build of ours contains.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::licence::is_met;
use crate::tree::File;
use crate::{report, tree};

/// Licences that let anyone use, change and sell the whole, and ask for no more than a notice.
const PERMISSIVE: &[&str] = &[
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "NCSA",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Banned packages, and why.
const BANS: [(&str, &str); 4] = [
    ("ring", "beside aws-lc-rs it makes rustls' builders panic"),
    ("openssl", "TLS is rustls everywhere"),
    ("native-tls", "TLS is rustls everywhere"),
    ("rsa", "an open advisory on its timing"),
];
/// Packages with a floor, and why.
const FLOORS: [(&str, [u64; 3], &str); 1] =
    [("quinn-proto", [0, 11, 15], "RUSTSEC-2026-0037 and RUSTSEC-2026-0185")];

/// A line of `cargo tree --prefix none --format '{p}|{l}'`: `name v1.2.3 (maybe more)|licence`.
struct Package<'a> {
    name: &'a str,
    version: &'a str,
    licence: &'a str,
}

fn parse(tree: &str) -> Result<Vec<Package<'_>>> {
    let lines: BTreeSet<&str> = tree.lines().filter(|line| !line.is_empty()).collect();
    lines
        .into_iter()
        .map(|line| package(line).with_context(|| format!("not a package: {line}")))
        .collect()
}

fn package(line: &str) -> Option<Package<'_>> {
    let (package, licence) = line.split_once('|')?;
    let mut words = package.split(' ');
    let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
    // `(*)` says that the package's own dependencies were printed before.
    Some(Package { name, version, licence: licence.trim_end_matches(" (*)") })
}

fn all_packages() -> Result<String> {
    tree::cargo(&[
        "tree",
        "--workspace",
        "--all-features",
        "--prefix",
        "none",
        "--format",
        "{p}|{l}",
    ])
}

fn licences(packages: &[Package]) -> Vec<String> {
    let not_met = packages.iter().filter(|package| !is_met(package.licence, PERMISSIVE));
    not_met
        .map(|package| format!("{} {}: {:?}", package.name, package.version, package.licence))
        .collect()
}

fn bans(packages: &[Package]) -> Vec<String> {
    let mut findings = Vec::new();
    for package in packages {
        for (_, why) in BANS.iter().filter(|(name, _)| *name == package.name) {
            findings.push(format!("{} is banned: {why}", package.name));
        }
        for (_, floor, why) in FLOORS.iter().filter(|(name, _, _)| *name == package.name) {
            let parts = package.version.split(['.', '-', '+']).take(3);
            let version: Vec<u64> = parts.map_while(|part| part.parse().ok()).collect();
            if version.as_slice() < floor.as_slice() {
                findings.push(format!("{} {} is banned: {why}", package.name, package.version));
            }
        }
    }
    findings
}

fn direct_dependencies(metadata: &Value) -> Result<BTreeSet<&str>> {
    let packages = metadata["packages"].as_array().context("no packages")?;
    let all = packages.iter().filter_map(|package| package["dependencies"].as_array()).flatten();
    Ok(all.filter_map(|dependency| dependency["name"].as_str()).collect())
}

fn doubles(packages: &[Package], direct: &BTreeSet<&str>) -> Vec<String> {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in packages.iter().filter(|package| direct.contains(package.name)) {
        versions.entry(package.name).or_default().insert(package.version);
    }
    versions.retain(|_, versions| versions.len() > 1);
    versions.into_iter().map(|(name, versions)| format!("{name}: {versions:?}")).collect()
}

/// Lines of a member's manifest that name a version themselves. Our own crates, by path, have none.
fn own_versions(manifest: &File) -> Vec<String> {
    let mut findings = Vec::new();
    let mut in_dependencies = false;
    for line in manifest.text.lines().map(str::trim) {
        let packed = line.replace(' ', "");
        let versionless = ["workspace=true", "path=\""].iter().any(|key| packed.contains(key));
        if line.starts_with('[') {
            in_dependencies = line.contains("dependencies");
        } else if in_dependencies && line.contains('=') && !versionless {
            findings.push(format!("{}: {line}", manifest.path));
        }
    }
    findings
}

#[test]
fn every_licence_is_permissive() -> Result<()> {
    report("licences outside of PERMISSIVE", &licences(&parse(&all_packages()?)?));
    Ok(())
}

#[test]
fn nothing_banned_is_built() -> Result<()> {
    report("`cargo tree -i NAME` says who brings it", &bans(&parse(&all_packages()?)?));
    Ok(())
}

#[test]
fn direct_dependencies_come_in_one_version() -> Result<()> {
    let metadata = tree::cargo(&["metadata", "--format-version", "1", "--no-deps"])?;
    let metadata = serde_json::from_str(&metadata)?;
    let tree = all_packages()?;
    report(
        "two versions of what we import ourselves",
        &doubles(&parse(&tree)?, &direct_dependencies(&metadata)?),
    );
    Ok(())
}

#[test]
fn versions_stand_only_in_the_workspace_manifest() -> Result<()> {
    let mut manifests = tree::files(&["Cargo.toml"])?;
    manifests.retain(|manifest| manifest.path != "Cargo.toml");
    let findings: Vec<String> = manifests.iter().flat_map(own_versions).collect();
    report("say `.workspace = true`, and the version in the root's Cargo.toml", &findings);
    Ok(())
}

#[test]
fn the_rules_on_dependencies_can_fail() -> Result<()> {
    let tree = "a v1.0.0|MIT (*)\na v1.0.0|MIT\na v2.0.0 (proc-macro)|GPL-3.0\nb v1.0.0|\nquinn-proto v0.11.9|MIT\n\n\
        ring v0.17.0|MIT";
    let packages = parse(tree)?;
    assert_eq!(licences(&packages), ["a 2.0.0: \"GPL-3.0\"", "b 1.0.0: \"\""]);
    assert_eq!(bans(&packages).len(), 2);
    assert_eq!(bans(&parse("quinn-proto v0.11.15|MIT\nquinn-proto v0.12.0-rc.1|MIT")?).len(), 0);
    assert_eq!(doubles(&packages, &BTreeSet::from(["a", "b"])), [r#"a: {"1.0.0", "2.0.0"}"#]);
    assert_eq!(doubles(&packages, &BTreeSet::from(["b"])).len(), 0);
    assert!(parse("not a package").is_err());
    let text = "[package]\nversion = \"1\"\n[dependencies]\na.workspace = true\nb = { path = \"../b\" }\nc = \"1\"\n";
    let manifest = File { path: "a/Cargo.toml".into(), text: text.into() };
    assert_eq!(own_versions(&manifest), ["a/Cargo.toml: c = \"1\""]);
    Ok(())
}
