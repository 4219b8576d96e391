//! The style as tests: each rule is one test whose message says what to do. A target of its own, because it looks at
//! the whole tree and belongs to no crate. The rules are pure functions over text, so that each is shown to fail, too.

mod adapters;
mod dependencies;
mod imports;
mod licence;
mod metrics;
mod sizes;
mod spec;
mod tree;
mod words;

/// Fails with every finding at once, each on its own line.
#[track_caller]
fn report(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}\n  {}\n", findings.join("\n  "));
}
