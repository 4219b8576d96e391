//! Builds and runs the fuzz targets of protocol/fuzz on the stable compiler. The flags below are what cargo-fuzz would
//! pass; with our own target directory they never touch a normal build's.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::shell::{self, cargo};
use crate::tools;

const TARGET_DIR: &str = "target/fuzz";
const RUSTFLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Cdebug-assertions -Clink-dead-code";

/// Builds every target and runs each for `seconds` from the seed (32 bits of it count). The first crash is an error
/// that says where its input lies; the corpora stay in target/fuzz and make the next run better.
pub(crate) fn run_all(seconds: u64, seed: u64) -> Result<()> {
    tools::ensure_program("g++", "g++", "the fuzz targets' libFuzzer")?;
    let triple = shell::stdout(&mut shell::command("rustc", ["--print", "host-tuple"]))?;
    let triple = triple.trim();
    // A named target keeps the flags away from build scripts and procedural macros.
    let build = ["build", "--quiet", "-p", "hither-fuzz", "--bins", "--profile", "fuzz"];
    let place = ["--target", triple, "--target-dir", TARGET_DIR];
    shell::run(cargo(build.iter().chain(&place)).env("RUSTFLAGS", RUSTFLAGS))?;
    let binaries = shell::root().join(TARGET_DIR).join(triple).join("fuzz");
    for target in targets(&shell::root().join("protocol/fuzz/fuzz_targets"))? {
        run_one(&binaries, &target, seconds, seed)?;
    }
    Ok(())
}

/// The names of the files in fuzz_targets, sorted. None at all is an error: a gate that runs nothing proves nothing.
pub(crate) fn targets(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in folder.read_dir().with_context(|| format!("cannot read {folder:?}"))? {
        let path = entry?.path();
        if let (Some("rs"), Some(stem)) = (extension(&path), path.file_stem()) {
            names.push(stem.to_string_lossy().into_owned());
        }
    }
    names.sort();
    ensure!(!names.is_empty(), "no fuzz target in {folder:?}");
    Ok(names)
}

fn extension(path: &Path) -> Option<&str> {
    path.extension()?.to_str()
}

fn run_one(binaries: &Path, target: &str, seconds: u64, seed: u64) -> Result<()> {
    let corpus = folder("corpus", target)?;
    let artifacts = folder("artifacts", target)?;
    let mut command = Command::new(binaries.join(target));
    command
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-seed={}", seed as u32))
        .args(["-timeout=5", "-rss_limit_mb=1024"])
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .arg(&corpus);
    let output = command.output().with_context(|| {
        format!("cannot start {target}: has fuzz_targets/{target}.rs its [[bin]] in protocol/fuzz?")
    })?;
    let log = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("{target} failed, seed {seed}\n{log}\n{command:?}");
    }
    ensure!(log.contains("inline 8-bit counters"), "{target} was built without its flags:\n{log}");
    let done = log.lines().rfind(|line| line.starts_with("Done ")).unwrap_or("Done");
    println!("{target}: {done}, seed {seed}, corpus {} inputs", corpus.read_dir()?.count());
    Ok(())
}

fn folder(kind: &str, target: &str) -> Result<PathBuf> {
    let path = shell::root().join(TARGET_DIR).join(kind).join(target);
    std::fs::create_dir_all(&path).with_context(|| format!("cannot create {path:?}"))?;
    Ok(path)
}
