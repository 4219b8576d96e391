//! The tables of docs/BENCHMARKS.md, and the places in it where they belong. Apart from the figures, since what a
//! reader needs beside each other is a matter of its own.

use anyhow::{Context, Result};

use super::cases::SERIES;
use super::figures::{Records, Runs};

/// A column: its heading, the load generator's name for the figure, and how many decimals it deserves.
type Column = (&'static str, &'static str, usize);

const AGES: [Column; 3] =
    [("covered %", "covered_pct", 2), ("age p50 ms", "p50", 1), ("age p99 ms", "p99", 1)];
const COSTS: [Column; 9] = [
    ("server CPU %", "server_cpu_pct", 1),
    ("us CPU/update", "cpu_us_per_update", 2),
    ("us CPU/datagram", "cpu_us_per_datagram", 1),
    ("B/update", "down_bytes_per_update", 2),
    ("moved/frame", "moved_per_frame", 1),
    ("datagrams/s down", "datagrams_down_per_s", 0),
    ("up", "datagrams_up_per_s", 0),
    ("packets/s down", "packets_down_per_s", 0),
    ("up", "packets_up_per_s", 0),
];
const GENERATOR: [Column; 1] = [("generator CPU %", "loadgen_cpu_pct", 0)];
const STALLED: [Column; 3] = [
    ("woken", "woken", 0),
    ("first shown is old by ms", "first_shown_age_ms", 0),
    ("server's peak KiB", "server_rss_peak_kb", 0),
];
const IDLE: [Column; 4] = [
    ("sessions", "conns", 0),
    ("KiB/session", "rss_per_conn_kb", 1),
    ("CPU %", "idle_cpu_pct", 2),
    ("joined after s", "join_s", 2),
];

const STORM: [Column; 13] = [
    ("joined after s", "join_s", 2),
    ("server gone after s", "end_s", 2),
    ("edits acked", "edits_acked", 0),
    ("cut off", "edits_unanswered", 0),
    ("resumed", "resumed", 0),
    ("renewed", "renewed", 0),
    ("leaves and joins seen", "flaps", 0),
    ("a tenth back after s", "back_p10_s", 2),
    ("half", "back_p50_s", 2),
    ("nine tenths", "back_p90_s", 2),
    ("all", "back_s", 2),
    ("server CPU s", "server_cpu_s", 2),
    ("server MiB", "server_rss_mb", 1),
];

const EDITS: [Column; 14] = [
    ("acked a second", "acked_per_s", 0),
    ("not acked", "failed", 0),
    ("ack p50 ms", "ack_p50_ms", 2),
    ("p99", "ack_p99_ms", 2),
    ("most", "ack_max_ms", 1),
    ("disk's sync p50 ms", "disk_sync_p50_ms", 2),
    ("p99", "disk_sync_p99_ms", 2),
    ("disk's syncs a second", "disk_syncs_per_s", 0),
    ("server CPU %", "server_cpu_pct", 1),
    ("server MiB", "server_rss_mb", 1),
    ("generator CPU %", "loadgen_cpu_pct", 0),
    ("the host's others %", "stolen_pct", 0),
    ("calm seconds", "calm_s", 0),
    ("ack p99 ms of one", "calm_ack_p99_ms", 2),
];

const SNAPSHOTS: [Column; 14] = [
    ("opened p50 ms", "open_p50_ms", 1),
    ("most", "open_max_ms", 1),
    ("ack p50 ms", "ack_p50_ms", 2),
    ("p99", "ack_p99_ms", 2),
    ("most", "ack_max_ms", 1),
    ("move p50 ms", "move_p50_ms", 1),
    ("p99", "move_p99_ms", 1),
    ("most", "move_max_ms", 1),
    ("server CPU %", "server_cpu_pct", 1),
    ("generator CPU %", "loadgen_cpu_pct", 0),
    ("the host's others %", "stolen_pct", 0),
    ("calm seconds", "calm_s", 0),
    ("ack p99 ms of one", "calm_ack_p99_ms", 2),
    ("move p99 ms of one", "calm_move_p99_ms", 1),
];

/// What names the cases of a series: headings and fields.
fn names(series: &str) -> &'static [(&'static str, &'static str)] {
    match series {
        "loss" => &[("motion in", "lane"), ("loss % each way", "loss")],
        "stall" => &[("stalled for s", "stall")],
        "at-once" => &[("transport", "transport"), ("looks a second", "ticks")],
        "viewport" => &[("share of the space", "share")],
        "idle" => &[("transport", "transport")],
        "storm" => &[("members", "rooms"), ("server lost by", "by")],
        "edits" => &[("rooms x editors", "rooms"), ("edits a second", "rate")],
        "snapshots" => &[("edits a second", "rate"), ("records opened twice a second", "records")],
        _ => &[("transport", "transport"), ("rooms x members", "rooms"), ("Hz", "ticks")],
    }
}

fn columns(series: &str) -> Vec<Column> {
    match series {
        "idle" => IDLE.to_vec(),
        "storm" => STORM.to_vec(),
        "edits" => EDITS.to_vec(),
        "snapshots" => SNAPSHOTS.to_vec(),
        "stall" => [&AGES[..], &STALLED, &GENERATOR].concat(),
        "viewport" => [&AGES[1..], &COSTS, &GENERATOR].concat(),
        "loss" => [&AGES[..], &[("oldest ms", "max", 0)], &COSTS[3..], &GENERATOR].concat(),
        _ => [&AGES[..], &COSTS, &GENERATOR].concat(),
    }
}

/// Whether the load generator says if it was the limit.
fn tells_limits(series: &str) -> bool {
    !matches!(series, "idle" | "storm" | "edits" | "snapshots")
}

/// A series' conditions and its table; or that it was not measured.
pub(super) fn block(records: &Records<'_>, series: &str) -> String {
    let cases = records.cases(series);
    let Some(conditions) = records.conditions(series).filter(|_| !cases.is_empty()) else {
        return format!("Not measured yet: `cargo xtask bench --only {series}`.");
    };
    let columns = columns(series);
    let headings = names(series).iter().map(|(heading, _)| *heading);
    let headings = headings.chain(columns.iter().map(|(heading, ..)| *heading));
    let headings: Vec<&str> =
        headings.chain(tells_limits(series).then_some("generator limited")).collect();
    let mut lines = vec![conditions.to_owned(), String::new()];
    lines.push(format!("| {} |", headings.join(" | ")));
    lines.push(format!("|{}", " --- |".repeat(headings.len())));
    lines.extend(cases.iter().map(|runs| row(runs, series, &columns)));
    lines.join("\n")
}

fn row(runs: &Runs<'_>, series: &str, columns: &[Column]) -> String {
    let names = names(series).iter().map(|(_, key)| runs.field(key).replace('x', " x "));
    let figure = |key, decimals| runs.spread(key).map(|spread| spread.cell(decimals));
    let figures = columns.iter().map(|&(_, key, decimals)| figure(key, decimals));
    let figures = figures.map(|cell| cell.unwrap_or_else(|| "none".into()));
    let (limited, of) = runs.limited();
    let limited = tells_limits(series).then(|| format!("{limited} of {of}"));
    let cells: Vec<String> = names.chain(figures).chain(limited).collect();
    format!("| {} |", cells.join(" | "))
}

/// The page with each series' block between its marks; all else stays. Errors: a mark that is not there.
pub(super) fn fill(page: &str, records: &Records<'_>) -> Result<String> {
    let mut page = page.to_owned();
    for series in SERIES {
        let start = format!("<!-- bench:{series} -->\n");
        let missing = || format!("no {} and {END} in the page", start.trim());
        let (before, rest) = page.split_once(&start).with_context(missing)?;
        let (_, after) = rest.split_once(END).with_context(missing)?;
        page = format!("{before}{start}{}\n{END}{after}", block(records, series));
    }
    Ok(page)
}

const END: &str = "<!-- /bench -->";

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: &str = r#"{"series":"idle","conditions":"Here."}
{"series":"idle","transport":"quic","run":1,"report":{"conns":9,"rss_per_conn_kb":60.5,"join_s":1.0}}
{"series":"rooms","conditions":"There."}
{"series":"rooms","transport":"quic","rooms":"1x10","ticks":20,"run":1,"report":{"covered_pct":null,"p50":1.5}}"#;

    #[test]
    fn a_table_has_a_row_for_each_case_and_a_cell_for_each_heading() {
        let records = Records::new(DATA);
        for series in ["idle", "rooms"] {
            let block = block(&records, series);
            let lines: Vec<&str> = block.lines().skip(2).collect();
            assert_eq!(lines.len(), 3);
            let cells = lines[0].matches('|').count();
            assert!(lines.iter().all(|line| line.matches('|').count() == cells), "{block}");
        }
        assert!(block(&records, "idle").ends_with("| quic | 9 | 60.5 | none | 1.00 |"));
        assert!(block(&records, "rooms").contains("| quic | 1 x 10 | 20 | none | 1.5 | none |"));
        assert!(block(&records, "loss").starts_with("Not measured"));
    }

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() {
        let records = Records::new(DATA);
        let mark =
            |series: &&str| format!("# {series}\n<!-- bench:{series} -->\nold\n{END}\nprose\n");
        let page: String = SERIES.iter().map(mark).collect();
        let filled = fill(&page, &records).unwrap();
        assert!(!filled.contains("old") && filled.contains("60.5"));
        assert_eq!(filled.matches("prose").count(), SERIES.len());
        assert_eq!(fill(&filled, &records).unwrap(), filled, "again");
        assert!(fill("", &records).is_err());
    }
}
