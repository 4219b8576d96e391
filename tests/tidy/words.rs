//! What must not stand in the tree: half-done code, skipped tests, unsafe code without a reason, keys, hosts.

use anyhow::Result;

use crate::tree::{File, Line, code_and_tests};
use crate::{report, tree};

/// Banned anywhere, comments too. Written in pieces, so that this file passes its own rule.
const UNFINISHED: [&str; 6] = [
    concat!("to", "do!("),
    concat!("unimplemented", "!("),
    concat!("db", "g!("),
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("#[ig", "nore"),
];
/// Banned in TypeScript: a test left out, or all others.
const LEFT_OUT: [&str; 7] = [
    concat!("it.", "skip("),
    concat!("test.", "skip("),
    concat!("describe.", "skip("),
    concat!(".skip", "If("),
    concat!(".run", "If("),
    concat!(".to", "do("),
    concat!(".on", "ly("),
];
/// Banned in tests: it hopes. Wait for the event, with a deadline.
const HOPE: &str = concat!("thread::", "sleep");

/// How unsafe code begins.
const UNSAFE: [&str; 6] = [
    concat!("uns", "afe {"),
    concat!("uns", "afe fn"),
    concat!("uns", "afe impl"),
    concat!("uns", "afe trait"),
    concat!("uns", "afe extern"),
    concat!("#[uns", "afe("),
];
/// Files that may hold unsafe code, each with its reason. The list may only shrink.
const UNSAFE_FILES: &[(&str, &str)] = &[
    ("benches/src/process.rs", "std has no call for another process's CPU time and memory"),
    ("server/tests/store/disk.rs", "a disk that fails is a VFS, which SQLite takes as C functions"),
    ("tests/steady/tests/allocations.rs", "an allocator that counts can't be written without"),
];
/// Crates whose every line is safe, by the compiler's word.
const SAFE_CRATES: [&str; 3] =
    ["protocol/src/lib.rs", "server/core/src/lib.rs", "server/src/lib.rs"];

const SECRETS: [&str; 6] = [".pem", ".key", ".der", ".crt", ".p12", ".pfx"];

fn unfinished(file: &File) -> Vec<String> {
    let typescript: &[&str] = if file.path.ends_with(".rs") { &[] } else { &LEFT_OUT };
    let banned: Vec<&str> = UNFINISHED.iter().chain(typescript).copied().collect();
    lines_where(file, lines(file), |line| banned.iter().any(|word| line.contains(word)))
}

fn hopes(file: &File) -> Vec<String> {
    let is_test = file.path.starts_with("tests/") || file.path.contains("/tests/");
    let tests = if is_test { lines(file) } else { code_and_tests(&file.text).1 };
    lines_where(file, tests, |line| line.contains(HOPE))
}

fn unsafe_code(file: &File) -> Vec<String> {
    lines_where(file, lines(file), |line| {
        let code = line.split("//").next().unwrap_or_default();
        UNSAFE.iter().any(|form| code.contains(form))
    })
}

fn lines(file: &File) -> Vec<Line<'_>> {
    (1..).zip(file.text.lines()).collect()
}

fn lines_where(file: &File, lines: Vec<Line<'_>>, banned: impl Fn(&str) -> bool) -> Vec<String> {
    let found = lines.into_iter().filter(|(_, line)| banned(line));
    found.map(|(at, line)| format!("{}:{at}: {}", file.path, line.trim())).collect()
}

fn secrets(paths: &[String]) -> Vec<String> {
    paths.iter().filter(|path| SECRETS.iter().any(|end| path.ends_with(end))).cloned().collect()
}

/// A lock file names versions and hashes; hosts are each machine's own affair.
fn hosts(lock: &File) -> Vec<String> {
    lines_where(lock, lines(lock), |line| {
        line.contains("\"resolved\"") || line.contains("registry")
    })
}

#[test]
fn nothing_is_left_unfinished_or_left_out() -> Result<()> {
    let files = tree::files(&[".rs", ".ts", ".tsx", ".js", ".mjs", ".md", ".toml"])?;
    report("finish it or take it out", &files.iter().flat_map(unfinished).collect::<Vec<_>>());
    Ok(())
}

#[test]
fn no_test_hopes_by_sleeping() -> Result<()> {
    let files = tree::files(&[".rs"])?;
    report("await the event, with a deadline", &files.iter().flat_map(hopes).collect::<Vec<_>>());
    Ok(())
}

#[test]
fn unsafe_code_stands_only_where_the_list_allows_it() -> Result<()> {
    let listed = |file: &File| UNSAFE_FILES.iter().any(|(path, _)| *path == file.path);
    let files = tree::files(&[".rs"])?;
    let mut findings: Vec<String> =
        files.iter().filter(|file| !listed(file)).flat_map(unsafe_code).collect();
    for (path, _) in UNSAFE_FILES {
        if !files.iter().any(|file| file.path == *path && !unsafe_code(file).is_empty()) {
            findings.push(format!("{path}: without unsafe code: take it off UNSAFE_FILES"));
        }
    }
    for path in SAFE_CRATES {
        if !files
            .iter()
            .any(|file| file.path == path && file.text.contains("#![forbid(unsafe_code)]"))
        {
            findings.push(format!("{path}: #![forbid(unsafe_code)] is missing"));
        }
    }
    report("unsafe code", &findings);
    Ok(())
}

#[test]
fn no_certificate_and_no_key_is_committed() -> Result<()> {
    report("certificates and keys are minted at run time", &secrets(&tree::paths()?));
    Ok(())
}

#[test]
fn lock_files_name_no_hosts() -> Result<()> {
    let locks = tree::files(&["package-lock.json"])?;
    report(
        "`npm config set omit-lockfile-registry-resolved true`",
        &locks.iter().flat_map(hosts).collect::<Vec<_>>(),
    );
    Ok(())
}

#[test]
fn the_rules_on_words_can_fail() {
    let file = |path: &str, text: &str| File { path: path.into(), text: text.into() };
    for word in UNFINISHED {
        assert_eq!(unfinished(&file("a.rs", word)).len(), 1, "{word}");
    }
    let only = concat!("it.on", "ly('x')");
    assert_eq!(unfinished(&file("a.test.ts", only)).len(), 1);
    assert_eq!(unfinished(&file("a.rs", only)).len(), 0);
    let inline =
        format!("fn a() {{ {HOPE}(d) }}\n#[cfg(test)]\nmod tests {{\n    {HOPE}(d);\n}}\n");
    assert_eq!(hopes(&file("server/src/a.rs", &inline)).len(), 1);
    assert_eq!(hopes(&file("xtask/src/a.rs", HOPE)).len(), 0);
    assert_eq!(hopes(&file("tests/a/b.rs", HOPE)).len(), 1);
    assert_eq!(unsafe_code(&file("a.rs", concat!("uns", "afe { x() }"))).len(), 1);
    assert_eq!(
        unsafe_code(&file("a.rs", concat!("#![forbid(unsafe_code)] // no uns", "afe fn"))).len(),
        0
    );
    assert_eq!(secrets(&["a/b.pem".into(), "a/pem.rs".into()]), ["a/b.pem"]);
    assert_eq!(
        hosts(&file("package-lock.json", "  \"resolved\": \"https://x\",\n  \"version\": 1")).len(),
        1
    );
}
