//! How many tests passed and failed, read from the runner's own words: the closing line of `cargo xtask test`.

/// nextest's closing summary, without its indent: it writes one and we repeat it.
pub(crate) fn of_nextest(stderr: &str) -> Option<String> {
    stderr.lines().rfind(|line| line.trim_start().starts_with("Summary [")).map(|l| l.trim().into())
}

/// The totals over all binaries that `cargo test` ran: it writes one line for each and none for all.
pub(crate) fn of_cargo_test(stdout: &str) -> Option<String> {
    let mut totals: Option<(u32, u32)> = None;
    for line in stdout.lines().filter(|line| line.starts_with("test result: ")) {
        let (passed, failed) = totals.get_or_insert((0, 0));
        *passed += count_before(line, " passed")?;
        *failed += count_before(line, " failed")?;
    }
    totals.map(|(passed, failed)| format!("{passed} passed, {failed} failed"))
}

/// vitest's own line of totals, like `Tests  41 passed (41)`, without its indent.
pub(crate) fn of_vitest(stdout: &str) -> Option<String> {
    stdout.lines().rfind(|line| line.trim_start().starts_with("Tests ")).map(|l| l.trim().into())
}

fn count_before(line: &str, word: &str) -> Option<u32> {
    line[..line.find(word)?].rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_tests_lines_are_added_up() {
        let stdout = "running 2 tests\n\
            test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 1 filtered out; finished in 0.00s\n\
            test result: FAILED. 10 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.2s\n";
        assert_eq!(of_cargo_test(stdout).as_deref(), Some("12 passed, 3 failed"));
        assert_eq!(of_cargo_test("error: could not compile"), None);
    }

    #[test]
    fn vitests_line_of_tests_counts() {
        let stdout = " Test Files  1 failed | 6 passed (7)\n      Tests  1 failed | 40 passed (41)\n   Start at  1\n";
        assert_eq!(of_vitest(stdout).as_deref(), Some("Tests  1 failed | 40 passed (41)"));
        assert_eq!(of_vitest("No test files found\n"), None);
    }

    #[test]
    fn nextests_last_summary_counts() {
        let stderr =
            "    PASS [   0.1s] a b\n     Summary [   0.2s] 1 test run: 1 passed, 0 skipped\n";
        assert_eq!(
            of_nextest(stderr).as_deref(),
            Some("Summary [   0.2s] 1 test run: 1 passed, 0 skipped")
        );
        assert_eq!(of_nextest("error: could not compile"), None);
    }
}
