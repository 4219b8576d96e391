//! The spec and its proofs: docs/PROTOCOL.md gives each rule an id in bold at the start of a line (`**M7**`), and a
//! test cites the rules it proves: by a name that begins with the id (`fn m7_rest_is_repeated()` in Rust,
//! `it('M7: rest is repeated'` in TypeScript), or by a line comment `proves M7, M8` above it.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::tree::File;
use crate::{report, tree};

const SPEC: &str = "docs/PROTOCOL.md";

/// Rules that no test proves yet, each with its reason. The list may only shrink.
const UNPROVEN: &[(&str, &str)] = &[];

/// How the line above a test begins that cites rules. In two pieces, so that this file cites nothing.
const PROVES: &str = concat!("// ", "proves ");

/// One or two capital letters and a number: M7, CC12.
fn is_id(word: &str) -> bool {
    let digits = word.trim_start_matches(|c: char| c.is_ascii_uppercase());
    let letters = word.len() - digits.len();
    (1..=2).contains(&letters)
        && (1..=3).contains(&digits.len())
        && digits.bytes().all(|b| b.is_ascii_digit())
}

/// The ids that the spec defines, and a finding for each that it defines twice. A rule may be an item of a list.
fn defined(spec: &str) -> (BTreeSet<String>, Vec<String>) {
    let (mut ids, mut findings) = (BTreeSet::new(), Vec::new());
    for line in spec.lines() {
        let line = line.trim_start().trim_start_matches("- ").trim_start_matches("| ");
        let bold = line.strip_prefix("**").and_then(|rest| rest.split_once("**"));
        let Some(id) = bold.map(|(id, _)| id.trim_end_matches(['.', ':'])).filter(|id| is_id(id))
        else {
            continue;
        };
        if !ids.insert(id.to_owned()) {
            findings.push(format!("{SPEC}: {id} is defined twice"));
        }
    }
    (ids, findings)
}

/// The ids that a file's tests cite, and a finding for each citation that is none.
///
/// A name counts only where the spec has rules of its letter, so that a test `u16_...` cites nothing.
fn cited(file: &File, defined: &BTreeSet<String>) -> (BTreeSet<String>, Vec<String>) {
    let letters = |id: &str| id.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
    let families: BTreeSet<String> = defined.iter().map(|id| letters(id)).collect();
    let (mut ids, mut findings) = (BTreeSet::new(), Vec::new());
    let lines: Vec<&str> = file.text.lines().map(str::trim).collect();
    for (at, line) in lines.iter().enumerate() {
        let place = || format!("{}:{}", file.path, at + 1);
        let named: Vec<String> = if let Some(list) = line.strip_prefix(PROVES) {
            let next = lines[at + 1..].iter().find(|line| !line.starts_with("//"));
            if !next.is_some_and(|next| begins_test(next)) {
                findings.push(format!("{}: no test follows the line that cites {list}", place()));
            }
            words(list.trim_end_matches('.')).map(str::to_owned).collect()
        } else if let Some(name) = test_name(&lines, at) {
            let head = name.split(['_', ':']).next().unwrap_or_default().to_ascii_uppercase();
            let words: Vec<String> = words(&head).map(str::to_owned).collect();
            let is_rule = |word: &String| is_id(word) && families.contains(&letters(word));
            if words.iter().all(is_rule) { words } else { Vec::new() }
        } else {
            continue;
        };
        for id in named {
            if !defined.contains(&id) {
                findings.push(format!("{}: cites {id}, which {SPEC} does not define", place()));
            }
            ids.insert(id);
        }
    }
    (ids, findings)
}

/// The words of a list like `M7, M8`.
fn words(list: &str) -> impl Iterator<Item = &str> {
    list.split([',', ' ']).filter(|word| !word.is_empty())
}

/// Whether a line opens a test: its attribute in Rust, its call in TypeScript.
fn begins_test(line: &str) -> bool {
    let attribute = line.strip_prefix("#[").and_then(|rest| rest.split([']', '(']).next());
    attribute.is_some_and(|path| path == "test" || path.ends_with("::test"))
        || ["it(", "it.each", "test(", "test.each"].iter().any(|call| line.starts_with(call))
}

/// The name of the test that begins on this line: of Rust a `fn` below its attributes, of TypeScript a call.
fn test_name<'a>(lines: &[&'a str], at: usize) -> Option<&'a str> {
    let line = lines[at];
    if let Some(call) = line.strip_prefix("it('").or_else(|| line.strip_prefix("test('")) {
        return Some(call);
    }
    let name = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "))?;
    let above = lines[..at]
        .iter()
        .rev()
        .take_while(|line| line.starts_with("#[") || line.starts_with("//"));
    above.into_iter().any(|line| begins_test(line)).then(|| name.split('(').next().unwrap_or(name))
}

fn check(spec: &str, files: &[File], unproven: &[(&str, &str)]) -> Vec<String> {
    let (defined, mut findings) = defined(spec);
    if defined.is_empty() {
        findings.push(format!(
            "{SPEC} defines no rule: write each as `**M7** ...` at the start of a line"
        ));
    }
    let mut proven = BTreeSet::new();
    for file in files {
        let (ids, wrong) = cited(file, &defined);
        proven.extend(ids);
        findings.extend(wrong);
    }
    let is_listed = |id: &str| unproven.iter().any(|(listed, _)| *listed == id);
    for id in defined.iter().filter(|id| !proven.contains(*id) && !is_listed(id)) {
        findings.push(format!("{id}: no test proves it"));
    }
    for (id, _) in unproven.iter().filter(|(id, _)| proven.contains(*id) || !defined.contains(*id))
    {
        findings.push(format!("{id}: proven, or gone: take it off UNPROVEN"));
    }
    findings
}

#[test]
fn every_rule_of_the_spec_is_proven_by_a_test() -> Result<()> {
    let spec = std::fs::read_to_string(tree::root().join(SPEC)).unwrap_or_default();
    report("the spec and its proofs", &check(&spec, &tree::files(&[".rs", ".ts"])?, UNPROVEN));
    Ok(())
}

#[test]
fn rules_are_found_in_the_spec() {
    let spec = "**H1** The client speaks first.\n- **M7.** Rest is repeated, see **M8**.\n| **CC12** | x |\n\
        **Note** none\n**M** none\n**m9** none\n**M1234** none\n";
    assert_eq!(defined(spec), (["H1", "M7", "CC12"].map(str::to_owned).into(), Vec::new()));
    assert_eq!(defined("**H1** a\n**H1** b").1.len(), 1);
}

#[test]
fn citations_are_found_in_tests_only() {
    let (rules, _) = defined("**H1** a\n**M7** b\n**M8** c");
    let cite = |text: &str| cited(&File { path: "a.rs".into(), text: text.into() }, &rules);
    let ids = |text: &str| cite(text).0.into_iter().collect::<Vec<_>>();
    assert_eq!(ids("#[test]\nfn m7_rest_is_repeated() {}"), ["M7"]);
    assert_eq!(
        ids("#[tokio::test(start_paused = true)]\n// a comment\nasync fn h1_client_first() {}"),
        ["H1"]
    );
    assert_eq!(ids(&format!("{PROVES}M7, M8\n// why\n#[test]\nfn rest() {{}}")), ["M7", "M8"]);
    assert_eq!(ids(&format!("    {PROVES}M8.\n    it('rests', () => {{")), ["M8"]);
    assert_eq!(ids("it('M7: rests', () => {"), ["M7"]);
    assert_eq!(ids("  it('M7, M8: rests', () => {"), ["M7", "M8"]);
    assert_eq!(ids("it('rests: M7', () => {"), Vec::<String>::new());
    assert_eq!(cite("it('M9: is unknown', () => {").1.len(), 1);
    assert_eq!(ids("fn h1_helper() {}"), Vec::<String>::new());
    assert_eq!(ids("#[test]\nfn u16_wraps() {}"), Vec::<String>::new());
    assert_eq!(cite("#[test]\nfn u16_wraps() {}").1.len(), 0);
    assert_eq!(cite("#[test]\nfn m9_unknown() {}").1.len(), 1);
    assert_eq!(cite(&format!("{PROVES}X1\n#[test]")).1.len(), 1);
    assert_eq!(cite(&format!("{PROVES}M7\nfn helper() {{}}")).1.len(), 1);
}

#[test]
fn the_rule_on_proofs_can_fail() {
    let tests = [File { path: "a.rs".into(), text: "#[test]\nfn m7_rest() {}".into() }];
    assert_eq!(check("**M7** a", &tests, &[]).len(), 0);
    assert_eq!(check("**M7** a\n**M8** b", &tests, &[]), ["M8: no test proves it"]);
    assert_eq!(check("**M7** a\n**M8** b", &tests, &[("M8", "a reason")]).len(), 0);
    assert_eq!(check("**M7** a", &tests, &[("M7", "stale")]).len(), 1);
    assert_eq!(check("**M7** a", &tests, &[("M9", "gone")]).len(), 1);
    assert_eq!(check("", &[], &[]).len(), 1);
}
