//! The numbers of the house: how long files and lines may be, and that each module says first what it is.

use anyhow::Result;

use crate::tree::{File, code_and_tests};
use crate::{report, tree};

/// Lines of a file without its inline tests.
const LINES_MAX: usize = 500;
/// No reason allows more than this.
const LINES_EVER: usize = 900;
const COLUMNS_MAX: usize = 120;

/// How the names of source files end.
const WRITTEN: &[&str] = &[".rs", ".ts", ".tsx", ".js", ".mjs", ".css", ".html"];

/// Files that may be longer than `LINES_MAX`, each with its reason. The list may only shrink.
const LONG_FILES: &[(&str, &str)] = &[];

fn length(file: &File) -> usize {
    if file.path.ends_with(".rs") {
        code_and_tests(&file.text).0.len()
    } else {
        file.text.lines().count()
    }
}

fn check_lengths(files: &[File], exceptions: &[(&str, &str)]) -> Vec<String> {
    let mut findings = Vec::new();
    for file in files {
        let lines = length(file);
        let excepted = exceptions.iter().any(|(path, _)| *path == file.path);
        if lines > LINES_EVER || lines > LINES_MAX && !excepted {
            findings.push(format!(
                "{}: {lines} lines without its tests: cut it in two by what it knows",
                file.path
            ));
        } else if lines <= LINES_MAX && excepted {
            findings.push(format!(
                "{}: {lines} lines, no longer long: take it off LONG_FILES",
                file.path
            ));
        }
    }
    for (path, _) in
        exceptions.iter().filter(|(path, _)| !files.iter().any(|file| file.path == *path))
    {
        findings.push(format!("{path}: gone: take it off LONG_FILES"));
    }
    findings
}

fn check_columns(file: &File) -> Vec<String> {
    let long = file.text.lines().enumerate().filter(|(_, line)| line.chars().count() > COLUMNS_MAX);
    long.map(|(at, line)| format!("{}:{}: {} columns", file.path, at + 1, line.chars().count()))
        .collect()
}

fn starts_with_its_purpose(file: &File) -> bool {
    let first = file.text.lines().next().unwrap_or_default();
    let opening = match file.path.rsplit('.').next() {
        Some("rs") => "//!",
        Some("css") => "/*",
        _ => "//",
    };
    first.strip_prefix(opening).is_some_and(|purpose| purpose.trim().len() >= 10)
}

#[test]
fn files_are_short() -> Result<()> {
    let findings = check_lengths(&tree::files(WRITTEN)?, LONG_FILES);
    report(&format!("files of at most {LINES_MAX} lines"), &findings);
    Ok(())
}

#[test]
fn lines_are_short() -> Result<()> {
    let findings: Vec<String> = tree::files(WRITTEN)?.iter().flat_map(check_columns).collect();
    report(&format!("lines of at most {COLUMNS_MAX} columns"), &findings);
    Ok(())
}

#[test]
fn every_module_says_first_what_it_is() -> Result<()> {
    let mut files = tree::files(WRITTEN)?;
    let paths = tree::paths()?;
    // HTML begins with its doctype, and the tests of a.ts in a.test.ts are for what a.ts is.
    let says_it_elsewhere = |path: &str| {
        let tested = path.strip_suffix(".test.ts").map(|tested| format!("{tested}.ts"));
        path.ends_with(".html") || tested.is_some_and(|tested| paths.contains(&tested))
    };
    files.retain(|file| !starts_with_its_purpose(file) && !says_it_elsewhere(&file.path));
    let findings: Vec<String> = files.into_iter().map(|file| file.path).collect();
    report(
        "the first line is a comment, in Rust `//!`, that says what the file is and why it stands apart",
        &findings,
    );
    Ok(())
}

#[test]
fn the_rules_on_sizes_can_fail() {
    let file = |lines: usize| File { path: "a.rs".into(), text: "x\n".repeat(lines) };
    let listed: &[(&str, &str)] = &[("a.rs", "a reason")];
    assert_eq!(check_lengths(&[file(500)], &[]).len(), 0);
    assert_eq!(check_lengths(&[file(501)], &[]).len(), 1);
    assert_eq!(check_lengths(&[file(501)], listed).len(), 0);
    assert_eq!(check_lengths(&[file(500)], listed).len(), 1);
    assert_eq!(check_lengths(&[file(901)], listed).len(), 1);
    assert_eq!(check_lengths(&[], listed).len(), 1);
    let wide = |columns: usize| File { path: "a.rs".into(), text: "é".repeat(columns) };
    assert_eq!(check_columns(&wide(120)).len(), 0);
    assert_eq!(check_columns(&wide(121)), ["a.rs:1: 121 columns"]);
    let says = |path: &str, text: &str| {
        starts_with_its_purpose(&File { path: path.into(), text: text.into() })
    };
    assert!(says("a.rs", "//! The registry of rooms.\n"));
    assert!(says("a.test.ts", "// The registry of rooms.\n"));
    assert!(says("a.css", "/* The registry of rooms. */\n"));
    assert!(!says("a.rs", "// The registry of rooms.\n"));
    assert!(!says("a.rs", "//!\nuse std;\n"));
    assert!(!says("a.rs", "use std;\n//! Late, but long enough.\n"));
    assert!(!says("a.ts", "import 'registry-of-rooms'\n"));
}
