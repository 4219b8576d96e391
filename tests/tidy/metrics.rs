//! The table of metrics in docs/OPERATING.md against what the ops plane prints: whoever runs the server finds each
//! metric there, with its labels, and none that is gone.

use std::collections::BTreeSet;

use anyhow::Result;
use hither_server::metrics::Metrics;

use crate::{report, tree};

const PAGE: &str = "docs/OPERATING.md";

/// The metrics of an OpenMetrics text, as `hither_rooms` or `hither_rejects_total{cause}`.
fn printed(text: &str) -> BTreeSet<String> {
    let families = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let metrics = families.map(|(family, kind)| {
        let total = if kind == "counter" { "_total" } else { "" };
        let name = format!("{family}{total}");
        let labels = text.lines().find_map(|line| line.strip_prefix(&name)?.strip_prefix('{'));
        match labels.and_then(|labels| labels.split_once('=')) {
            Some((label, _)) => format!("{name}{{{label}}}"),
            None => name,
        }
    });
    metrics.collect()
}

/// Those that the first cells of the page's tables name.
fn documented(page: &str) -> BTreeSet<String> {
    let cells = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let words = cells.flat_map(|cell| cell.split('`'));
    words.filter(|word| word.starts_with("hither_")).map(str::to_owned).collect()
}

fn check(printed: &BTreeSet<String>, documented: &BTreeSet<String>) -> Vec<String> {
    let missing = printed.difference(documented).map(|name| format!("{name} is not in {PAGE}"));
    let gone = documented.difference(printed).map(|name| format!("{name} is only in {PAGE}"));
    missing.chain(gone).collect()
}

#[test]
fn every_metric_is_in_the_operators_table() -> Result<()> {
    let page = std::fs::read_to_string(tree::root().join(PAGE))?;
    let text = Metrics::new().encode()?;
    report("the table of metrics", &check(&printed(&text), &documented(&page)));
    Ok(())
}

#[test]
fn the_rule_on_metrics_can_fail() {
    let text = "# TYPE a_rooms gauge\na_rooms 0\n# TYPE a_rejects counter\na_rejects_total{cause=\"auth\"} 0\n\
        # TYPE a_seconds histogram\na_seconds_bucket{le=\"1.0\"} 0\n# EOF\n";
    let text = text.replace("a_", "hither_");
    let all = ["hither_rejects_total{cause}", "hither_rooms", "hither_seconds"];
    assert_eq!(printed(&text), all.map(str::to_owned).into());
    let page = "| metric | x |\n| `hither_rooms`, `hither_seconds` | all `hither_members` |\n\
        | `hither_rejects_total{why}` | x |\nNone: `hither_edits`.\n";
    let findings = check(&printed(&text), &documented(page));
    assert_eq!(
        findings,
        [
            "hither_rejects_total{cause} is not in docs/OPERATING.md",
            "hither_rejects_total{why} is only in docs/OPERATING.md"
        ]
    );
}
