//! The files that the rules look at. Only here it is decided what belongs to the project and what is a test.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Folders that builds and package managers fill.
const NOT_OURS: [&str; 5] = [".git", "data", "dist", "node_modules", "target"];

/// A text file of the project.
pub(crate) struct File {
    /// From the root, with `/` between the parts.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A line and its number, from 1.
pub(crate) type Line<'a> = (usize, &'a str);

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every path of the project, from the root, sorted.
pub(crate) fn paths() -> Result<Vec<String>> {
    let mut paths = Vec::new();
    walk(&root(), "", &mut paths)?;
    paths.sort();
    ensure!(paths.iter().any(|path| path == "Cargo.toml"), "{:?} is not the root", root());
    Ok(paths)
}

/// The files whose names end in one of these.
pub(crate) fn files(endings: &[&str]) -> Result<Vec<File>> {
    let mut files = Vec::new();
    for path in paths()?.into_iter().filter(|path| endings.iter().any(|end| path.ends_with(end))) {
        let text = std::fs::read_to_string(root().join(&path)).with_context(|| path.clone())?;
        files.push(File { path, text });
    }
    Ok(files)
}

/// The lines of a Rust file: its code, and its inline test modules. rustfmt's indents tell where a module ends.
pub(crate) fn code_and_tests(text: &str) -> (Vec<Line<'_>>, Vec<Line<'_>>) {
    let (mut code, mut tests) = (Vec::new(), Vec::new());
    let mut end: Option<String> = None;
    let mut lines = (1..).zip(text.lines()).peekable();
    while let Some((at, line)) = lines.next() {
        let opens =
            |next: &&Line<'_>| next.1.trim_start().starts_with("mod ") && next.1.ends_with('{');
        if end.is_none() && line.trim() == "#[cfg(test)]" && lines.peek().filter(opens).is_some() {
            end = Some(line.replace("#[cfg(test)]", "}"));
        }
        if end.is_some() { &mut tests } else { &mut code }.push((at, line));
        end = end.filter(|end| end != line);
    }
    (code, tests)
}

/// Runs cargo in the root and returns what it prints.
pub(crate) fn cargo(args: &[&str]) -> Result<String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo).args(args).current_dir(root()).output()?;
    ensure!(output.status.success(), "cargo {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

fn walk(folder: &Path, prefix: &str, paths: &mut Vec<String>) -> Result<()> {
    for entry in folder.read_dir().with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if !entry.file_type()?.is_dir() {
            paths.push(path);
        } else if !NOT_OURS.contains(&name.as_str()) {
            walk(&entry.path(), &format!("{path}/"), paths)?;
        }
    }
    Ok(())
}

#[test]
fn inline_tests_are_told_from_code() {
    let text = "//! A.\nfn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {\n    }\n}\nfn c() {}\n";
    let (code, tests) = code_and_tests(text);
    assert_eq!(code, [(1, "//! A."), (2, "fn a() {}"), (8, "fn c() {}")]);
    assert_eq!(tests.len(), 5);
    assert_eq!(code_and_tests("#[cfg(test)]\nmod tests;\nfn a() {}\n").1, []);
    assert_eq!(code_and_tests("#[cfg(test)]\nfn helper() {}\n").1, []);
}
