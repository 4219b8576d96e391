//! What the load generator reported about one case, run by run, as cells of the table. Apart from the running of
//! programs, so that the arithmetic is tested by hand-made reports.

/// The columns: their headings, the load generator's names for them, and how many decimals they deserve.
const COLUMNS: [(&str, &str, usize); 7] = [
    ("covered %", "covered_pct", 2),
    ("server CPU %", "server_cpu_pct", 1),
    ("us CPU/update", "cpu_us_per_update", 2),
    ("us CPU/datagram", "cpu_us_per_datagram", 1),
    ("B/update", "down_bytes_per_update", 2),
    ("age p50 ms", "p50", 1),
    ("age p99 ms", "p99", 1),
];

/// The reports of one case.
#[derive(Debug, Default)]
pub(super) struct Figures {
    columns: [Vec<f64>; COLUMNS.len()],
    runs: u32,
    limited: u32,
}

impl Figures {
    /// Above each cell; the last one is about the generator, by whose limits a figure would be worth nothing.
    pub(super) const HEADINGS: [&str; COLUMNS.len() + 1] = headings();

    /// Adds a run.
    pub(super) fn add(&mut self, report: &str) {
        for (values, (_, key, _)) in self.columns.iter_mut().zip(COLUMNS) {
            values.extend(numbers(report, key));
        }
        self.runs += 1;
        self.limited += u32::from(report.contains("\"generator_limited\":true"));
    }

    /// Each figure as the median of the runs, with the least and the most.
    pub(super) fn cells(&self) -> Vec<String> {
        let cells = self.columns.iter().zip(COLUMNS);
        let cells = cells.map(|(values, (_, _, decimals))| cell(values.clone(), decimals));
        cells.chain([format!("{} of {}", self.limited, self.runs)]).collect()
    }
}

const fn headings() -> [&'static str; COLUMNS.len() + 1] {
    let mut headings = ["generator limited"; COLUMNS.len() + 1];
    let mut column = 0;
    while column < COLUMNS.len() {
        headings[column] = COLUMNS[column].0;
        column += 1;
    }
    headings
}

/// Every value of a key in the report, one for each window. The report is our own, written without spaces.
fn numbers(report: &str, key: &str) -> Vec<f64> {
    let quoted = format!("\"{key}\":");
    let values = report.split(&quoted).skip(1);
    values.filter_map(|rest| rest.split([',', '}']).next()?.parse().ok()).collect()
}

/// Cut, not rounded, so that 100 % means all of it.
fn cell(mut values: Vec<f64>, decimals: usize) -> String {
    values.sort_by(f64::total_cmp);
    let scale = 10_f64.powi(decimals as i32);
    let show = |value: f64| format!("{:.decimals$}", (value * scale + 1e-6).floor() / scale);
    match values.as_slice() {
        [] => "none".into(),
        [only] => show(*only),
        [least, .., most] if least == most => show(*least),
        [least, .., most] => {
            format!("{} ({}-{})", show(values[values.len() / 2]), show(*least), show(*most))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_the_median_of_the_runs_and_their_spread() {
        let mut figures = Figures::default();
        for (covered, p99) in [("100.0", 9), ("99.9999", 7), ("100.0", 8)] {
            let limited = p99 == 9;
            let ages = format!(r#"{{"p99":{p99},"p999":1}}"#);
            let window = format!(r#"{{"covered_pct":{covered},"age_ms":{ages}}}"#);
            let report = format!(r#"{{"generator_limited":{limited},"windows":[{window}]}}"#);
            figures.add(&report);
        }
        let cells = figures.cells();
        assert_eq!(cells[0], "100.00 (99.99-100.00)");
        assert_eq!(cells[1], "none");
        assert_eq!(cells[6], "8.0 (7.0-9.0)");
        assert_eq!(cells[7], "1 of 3");
        assert_eq!(Figures::HEADINGS.len(), cells.len());
    }
}
