//! Inside the server crate no compiler holds the walls: adapters never import each other, and only the assembly names a
//! concrete one. This reads the paths that each file names and holds them to that.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::tree::{File, code_and_tests};
use crate::{report, tree};

const SOURCES: &str = "server/src/";
const ADAPTERS: [&str; 5] = ["auth", "bus", "event_log", "http", "store"];
/// The files that put the server together.
const ASSEMBLY: [&str; 3] = ["server.rs", "server/shared.rs", "main.rs"];
/// Concrete adapters of a port that is no trait, so that no `impl` gives them away.
const ALSO_CONCRETE: [(&str, &str); 1] = [("auth", "Jwt")];

/// The adapter that a file under server/src belongs to.
fn adapter_of(path: &str) -> Option<&'static str> {
    let first = path.split('/').next()?;
    ADAPTERS.into_iter().find(|adapter| first.trim_end_matches(".rs") == *adapter)
}

/// Whether a file holds a module's tests only, which may name whatever they try out.
fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

fn check(files: &[File]) -> Vec<String> {
    let ours: Vec<(&str, &File)> =
        files.iter().filter_map(|file| Some((file.path.strip_prefix(SOURCES)?, file))).collect();
    let mut concrete = BTreeSet::from(ALSO_CONCRETE);
    for adapter in ADAPTERS {
        let texts = ours.iter().filter(|(path, _)| adapter_of(path) == Some(adapter));
        let texts: Vec<&str> = texts.map(|(_, file)| file.text.as_str()).collect();
        concrete.extend(implementors(&texts).into_iter().map(|name| (adapter, name)));
    }
    let mut findings = Vec::new();
    for (path, file) in ours.into_iter().filter(|(path, _)| !is_test(path)) {
        let code: Vec<&str> =
            code_and_tests(&file.text).0.into_iter().map(|(_, line)| line).collect();
        for named in paths_named(&code) {
            let names: Vec<&str> = named.split("::").collect();
            let Some(other) = adapter_of(names[0]) else { continue };
            let is_concrete = names.iter().any(|name| concrete.contains(&(other, *name)));
            match adapter_of(path) {
                Some(own) if own != other => {
                    findings.push(format!("{}: the adapter {own} names crate::{named}", file.path));
                }
                None if is_concrete && !ASSEMBLY.contains(&path) => {
                    findings
                        .push(format!("{}: only the assembly may name crate::{named}", file.path));
                }
                _ => {}
            }
        }
    }
    findings
}

/// The types that implement a trait of the same folder: the concrete adapters of that port.
fn implementors<'a>(texts: &[&'a str]) -> Vec<&'a str> {
    let lines = || texts.iter().flat_map(|text| text.lines()).map(str::trim_start);
    let traits: Vec<&str> =
        lines().filter_map(|line| Some(first_word(line.split_once("trait ")?.1))).collect();
    let implementors = lines().filter(|line| line.starts_with("impl")).filter_map(|line| {
        let (port, implementor) = line.split_once(" for ")?;
        let port = port.rsplit([' ', ':']).next()?;
        traits.contains(&first_word(port)).then(|| first_word(implementor))
    });
    implementors.collect()
}

fn first_word(text: &str) -> &str {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or(text)
}

/// The paths below the crate's root that code names, in `use` or in passing, groups written out.
fn paths_named(lines: &[&str]) -> Vec<String> {
    let code = lines.iter().filter(|line| !line.trim_start().starts_with("//"));
    let code = code.copied().collect::<Vec<_>>().join("\n");
    let code = code.replace("super::super::", "super::").replace("super::super::", "super::");
    let mut paths = Vec::new();
    for root in ["crate::", "super::"] {
        for (at, _) in code.match_indices(root) {
            expand(&code[at + root.len()..], "", &mut paths);
        }
    }
    paths
}

/// Reads one path, or a group of them, at the start of `text`; returns what follows it.
fn expand<'a>(text: &'a str, prefix: &str, paths: &mut Vec<String>) -> &'a str {
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = rest.trim_start_matches([' ', '\n', ',']);
            let before = rest;
            rest = expand(rest, prefix, paths);
            if let Some(after) = rest.strip_prefix('}') {
                return after;
            }
            if rest.len() == before.len() {
                return rest; // neither a path nor the end: no code that compiles
            }
        }
    }
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '*';
    let end = text.find(|c: char| !word(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() {
        return rest;
    }
    let path = format!("{prefix}{name}");
    match rest.strip_prefix("::") {
        Some(deeper) if deeper.starts_with(|c| word(c) || c == '{') => {
            expand(deeper, &format!("{path}::"), paths)
        }
        _ => {
            paths.push(path);
            // `as other` needs no reading: what counts is where it comes from.
            rest.strip_prefix(" as ").map_or(rest, |renamed| renamed.trim_start_matches(word))
        }
    }
}

#[test]
fn adapters_never_meet_and_only_the_assembly_names_one() -> Result<()> {
    report("the walls inside server/src", &check(&tree::files(&[".rs"])?));
    Ok(())
}

#[test]
fn groups_of_imports_are_written_out() {
    let code = [
        "use crate::{\n    auth::{self, grant::Grant as G, Auth},\n    store::Store,\n};",
        "// crate::bus::x",
        "let a = super::super::http::serve();",
    ];
    let want = ["auth::self", "auth::grant::Grant", "auth::Auth", "store::Store", "http::serve"];
    assert_eq!(paths_named(&code), want);
    assert_eq!(paths_named(&["use crate::{;"]), Vec::<String>::new());
}

#[test]
fn the_rule_on_adapters_can_fail() {
    let file = |path: &str, text: &str| File { path: path.into(), text: text.into() };
    let findings = |path: &str, text: &str| {
        let port = file("server/src/store/mod.rs", "pub trait Store: Send {}");
        let memory = file("server/src/store/memory.rs", "impl super::Store for Memory {}");
        check(&[port, memory, file(path, text)]).len()
    };
    assert_eq!(findings("server/src/auth/mod.rs", "use crate::store::Store;"), 1);
    assert_eq!(findings("server/src/auth.rs", "use super::http;"), 1);
    assert_eq!(findings("server/src/store/mod.rs", "use crate::store::memory::Memory;"), 0);
    assert_eq!(findings("server/src/connection.rs", "use crate::store::{Memory, Store};"), 1);
    assert_eq!(findings("server/src/connection.rs", "use crate::store::Store;"), 0);
    assert_eq!(findings("server/src/connection.rs", "use crate::auth::Jwt;"), 1);
    assert_eq!(findings("server/src/server.rs", "use crate::store::Memory;"), 0);
    assert_eq!(findings("server/src/rooms/tests.rs", "use crate::store::Memory;"), 0);
    let tests = "#[cfg(test)]\nmod tests {\n    use crate::store::Memory;\n}\n";
    assert_eq!(findings("server/src/connection.rs", tests), 0);
}
