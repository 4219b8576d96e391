//! What codec and tick cost in instructions, counted by callgrind, beside the budget that is committed. Instructions
//! and not time, since they are the same in every run: what costs five in a hundred is seen on the busiest machine.

use std::fs;

use anyhow::{Context, Result, ensure};

use crate::shell::{self, cargo};
use crate::tools;

/// The budget, from the root: a line for each work, `name instructions`. Lines with `#` say what it was counted with.
const BUDGET: &str = "tests/steady/instructions.txt";
/// The program that does the work, from the root.
const PROGRAM: &str = "target/release/counted";
/// Where callgrind writes, from the root.
const OUTPUT: &str = "target/instructions";
/// The function within which instructions count, by a pattern that any mangling of its name meets.
const COUNTED: &str = "*counted_work*";
/// How much more than its budget a work may take, in hundredths.
const SPARED: u64 = 5;
/// If it is set, what was counted becomes the budget.
const WRITE: &str = "HITHER_WRITE_INSTRUCTIONS";

/// Counts each work of the binary `counted`, prints all, and fails if one takes over 5 % more than its budget, or has
/// none.
pub(crate) fn check() -> Result<()> {
    tools::ensure_program("valgrind", "valgrind", "the instruction counts")?;
    let build = ["build", "--quiet", "--release", "-p", "hither-steady", "--bins"];
    shell::run(&mut cargo(build.iter().chain(&["--target-dir", "target"])))?;
    let folder = shell::root().join(OUTPUT);
    fs::create_dir_all(&folder)?;
    let mut counts = Vec::new();
    for name in shell::stdout(&mut shell::command(PROGRAM, [""; 0]))?.lines() {
        counts.push((name.to_owned(), count(name)?));
    }
    let compiler = compiler()?;
    let path = shell::root().join(BUDGET);
    if std::env::var_os(WRITE).is_some() {
        return fs::write(&path, written(&compiler, &counts)).context(BUDGET);
    }
    let budget = fs::read_to_string(&path).context(BUDGET)?;
    let over = compare(&budget, &counts);
    ensure!(
        over.is_empty(),
        "over the budget of {BUDGET}: {}. It was counted with {}, this is {compiler}. If the cost \
         is worth it, {WRITE}=1 writes the budget anew",
        over.join(", "),
        budget.lines().next().unwrap_or_default().trim_start_matches("# ")
    );
    Ok(())
}

fn count(name: &str) -> Result<u64> {
    let file = format!("{OUTPUT}/{name}.out");
    let options = [
        "--tool=callgrind",
        "--quiet",
        &format!("--toggle-collect={COUNTED}"),
        &format!("--callgrind-out-file={file}"),
    ];
    shell::run(&mut shell::command("valgrind", options.iter().chain(&[PROGRAM, name])))?;
    let text = fs::read_to_string(shell::root().join(&file)).with_context(|| file.clone())?;
    total(&text).with_context(|| format!("nothing was counted of {name}: {file}"))
}

/// What callgrind counted: the line `totals: N`.
fn total(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("totals: "))?;
    line.trim().parse().ok().filter(|total| *total > 0)
}

/// Prints each count beside its budget. Returns those that are over it, or not in it.
fn compare(budget: &str, counts: &[(String, u64)]) -> Vec<String> {
    let mut over = Vec::new();
    for (name, count) in counts {
        let Some(allowed) = allowed(budget, name) else {
            println!("{name:20} {count:>12} instructions, no budget");
            over.push(format!("{name} has none"));
            continue;
        };
        let change = 100.0 * (*count as f64 / allowed as f64 - 1.0);
        println!("{name:20} {count:>12} instructions, budget {allowed:>12} ({change:+.1} %)");
        if *count * 100 > allowed * (100 + SPARED) {
            over.push(format!("{name} by {change:.1} %"));
        }
    }
    over
}

fn allowed(budget: &str, name: &str) -> Option<u64> {
    let mut lines = budget.lines().filter_map(|line| line.split_once(' '));
    lines.find_map(|(known, count)| (known == name).then(|| count.parse().ok())?)
}

/// The budget that these counts make.
fn written(compiler: &str, counts: &[(String, u64)]) -> String {
    let mut text = format!("# {compiler}\n");
    for (name, count) in counts {
        text.push_str(&format!("{name} {count}\n"));
    }
    text
}

/// The compiler and what it compiles for, in one line: other machine code has other counts.
fn compiler() -> Result<String> {
    let text = shell::stdout(&mut shell::command("rustc", ["--version", "--verbose"]))?;
    let field = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("");
    Ok(format!("rustc {} for {}", field("release: "), field("host: ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(tick: u64) -> Vec<(String, u64)> {
        vec![("encode".into(), 1_000), ("tick".into(), tick)]
    }

    #[test]
    fn five_in_a_hundred_are_spared_and_no_more() {
        let budget = written("rustc 1.0", &counts(200));
        assert_eq!(budget, "# rustc 1.0\nencode 1000\ntick 200\n");
        assert_eq!(compare(&budget, &counts(210)), [""; 0]);
        assert_eq!(compare(&budget, &counts(50)), [""; 0]);
        assert_eq!(compare(&budget, &counts(211)), ["tick by 5.5 %"]);
        assert_eq!(compare("# rustc 1.0\ntick 200\n", &counts(200)), ["encode has none"]);
    }

    #[test]
    fn callgrinds_total_is_read_and_none_is_none() {
        assert_eq!(total("summary: 7\nfn=x\ntotals: 48032\n"), Some(48_032));
        assert_eq!(total("totals: 0\n"), None);
        assert_eq!(total("events: Ir\n"), None);
    }
}
