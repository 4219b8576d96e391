//! What was measured, read from its lines: which runs are of one case, and what a figure came to in them. Apart from
//! the running of programs, so that the arithmetic is tested by hand-made reports.

/// Lines of JSON, one a run, and for each series one with its conditions. All are our own, written without spaces and
/// escapes, the case's fields before those of the report.
pub(super) struct Records<'a> {
    lines: Vec<&'a str>,
}

/// The runs of one case.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Runs<'a>(Vec<&'a str>);

/// A figure over the runs of a case.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    pub(super) least: f64,
    pub(super) median: f64,
    pub(super) most: f64,
}

impl<'a> Records<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { lines: text.lines().collect() }
    }

    /// The lines of all other series, each with its end.
    pub(super) fn without(&self, series: &[&str]) -> String {
        let others = |line: &&&str| !series.iter().any(|s| field(line, "series") == Some(s));
        self.lines.iter().filter(others).map(|line| format!("{line}\n")).collect()
    }

    /// Where and how a series was measured; None if it was not.
    pub(super) fn conditions(&self, series: &str) -> Option<&'a str> {
        self.of(series).find_map(|line| field(line, "conditions"))
    }

    /// The cases of a series, in the order measured, each with all its runs.
    pub(super) fn cases(&self, series: &str) -> Vec<Runs<'a>> {
        let mut cases: Vec<Runs<'a>> = Vec::new();
        for line in self.of(series) {
            let Some((identity, _)) = line.split_once("\"run\":") else { continue };
            match cases.iter_mut().find(|case| case.0[0].starts_with(identity)) {
                Some(case) => case.0.push(line),
                None => cases.push(Runs(vec![line])),
            }
        }
        cases
    }

    fn of(&self, series: &str) -> impl Iterator<Item = &'a str> {
        self.lines.iter().copied().filter(move |line| field(line, "series") == Some(series))
    }
}

impl<'a> Runs<'a> {
    /// A field of the case, as text whatever it is.
    pub(super) fn field(&self, key: &str) -> &'a str {
        field(self.0[0], key).unwrap_or("")
    }

    /// A field of the case that is a number; NaN if it is none.
    pub(super) fn number(&self, key: &str) -> f64 {
        self.field(key).parse().unwrap_or(f64::NAN)
    }

    /// A figure of the reports: every value, one for each window of each run. None without any. The median of an even
    /// number is the mean of the two in the middle.
    pub(super) fn spread(&self, key: &str) -> Option<Spread> {
        let mut values: Vec<f64> = self.0.iter().flat_map(|line| numbers(line, key)).collect();
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let [below, above] = [(values.len() - 1) / 2, values.len() / 2].map(|at| values[at]);
        Some(Spread { least, median: below.midpoint(above), most })
    }

    /// In how many runs the generator was the limit, by whose limits a figure would be worth nothing; and of how many.
    pub(super) fn limited(&self) -> (usize, usize) {
        let limited = |line: &&&str| line.contains("\"generator_limited\":true");
        (self.0.iter().filter(limited).count(), self.0.len())
    }
}

impl Spread {
    /// The median, with the least and the most if they differ. Cut, not rounded, so that 100 % means all of it.
    pub(super) fn cell(self, decimals: usize) -> String {
        let scale = 10_f64.powi(decimals as i32);
        let show = |value: f64| format!("{:.decimals$}", (value * scale + 1e-6).floor() / scale);
        let [least, median, most] = [self.least, self.median, self.most].map(show);
        if least == most { median } else { format!("{median} ({least}-{most})") }
    }
}

/// The first value of a key, without its quotes.
fn field<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let rest = line.split_once(&format!("\"{key}\":"))?.1;
    match rest.strip_prefix('"') {
        Some(text) => text.split('"').next(),
        None => rest.split([',', '}']).next(),
    }
}

fn numbers(line: &str, key: &str) -> Vec<f64> {
    let quoted = format!("\"{key}\":");
    let values = line.split(&quoted).skip(1);
    values.filter_map(|rest| rest.split([',', '}']).next()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: &str = r#"{"series":"a","conditions":"two cores, noisy."}
{"series":"a","size":10,"run":1,"report":{"generator_limited":true,"windows":[{"covered_pct":100.0,"p99":9}]}}
{"series":"b","size":10,"run":1,"report":{"p99":1}}
{"series":"a","size":100,"run":1,"report":{"p99":3}}
{"series":"a","size":10,"run":2,"report":{"windows":[{"covered_pct":99.9999,"p99":7,"p999":0}]}}
{"series":"a","size":10,"run":3,"report":{"windows":[{"covered_pct":100.0,"p99":8}]}}
"#;

    #[test]
    fn runs_of_one_case_are_found_and_their_figures_are_medians_with_spread() {
        let records = Records::new(DATA);
        let cases = records.cases("a");
        assert_eq!(
            (cases.len(), cases[0].field("size"), cases[1].number("size")),
            (2, "10", 100.0)
        );
        assert_eq!(cases[0].spread("covered_pct").unwrap().cell(2), "100.00 (99.99-100.00)");
        assert_eq!(cases[0].spread("p99").unwrap().cell(1), "8.0 (7.0-9.0)");
        assert_eq!(cases[1].spread("p99").unwrap().cell(0), "3");
        let two = Runs(cases[0].0[..2].to_vec());
        assert_eq!(two.spread("p99").unwrap().cell(1), "8.0 (7.0-9.0)");
        assert_eq!((cases[0].spread("none"), cases[0].limited()), (None, (1, 3)));
        assert_eq!(records.conditions("a"), Some("two cores, noisy."));
        assert_eq!((records.conditions("b"), records.cases("c").len()), (None, 0));
    }

    #[test]
    fn a_series_is_taken_out_whole() {
        let left = Records::new(DATA).without(&["a"]);
        assert_eq!(left.lines().count(), 1);
        assert_eq!(Records::new(&left).cases("b").len(), 1);
    }
}
