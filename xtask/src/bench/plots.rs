//! The plots of docs/BENCHMARKS.md: which cases are a line of which. Apart from how a chart is drawn, and from the
//! tables, which have more than an eye can take in.

use super::figures::{Records, Runs};
use super::svg::{Axis, Chart, Line, Look, Point, Stroke};

/// Bits that a simple context model needs for a moved cursor (who, x and y; step 1 px; baseline one tick old) in
/// recorded mice, by ticks per second: the floor that bytes are judged by.
const FLOOR_BITS: [(&str, f64); 3] = [("20", 11.3), ("30", 9.9), ("60", 8.7)];

/// Bytes around a frame: IPv4 20, UDP 8, QUIC's short header 5 (flags, 3 of the client's connection id, 1 of the
/// packet's number while fewer than 128 are not acked), the datagram's type and length 3, and the seal 16.
const HEADERS: f64 = 52.0;

/// Less of all moves than this at their viewers in the end is no result that a plot can show; the tables show it.
const COVERED_PCT_MIN: f64 = 99.0;

const TRANSPORTS: [&str; 3] = ["quic", "webtransport", "baseline-ws"];
const LANES: [&str; 2] = ["datagrams", "one stream"];

/// Every plot that has data: the file's name, and the file.
pub(super) fn draw_all(records: &Records<'_>) -> Vec<(String, String)> {
    let mut cases = records.cases("rooms");
    cases.extend(records.cases("large"));
    cases.retain(|case| case.field("rooms").starts_with("1x"));
    cases.sort_by(|a, b| a.number("size").total_cmp(&b.number("size")));
    let mut charts = Vec::new();
    for hz in ["20", "30"] {
        let at: Vec<Runs<'_>> = cases.iter().filter(|c| c.field("ticks") == hz).cloned().collect();
        charts.push((format!("age-{hz}hz.svg"), ages(&at, hz)));
        charts.push((format!("bytes-{hz}hz.svg"), bytes(&at, hz)));
        charts.push((format!("cpu-{hz}hz.svg"), cpu(&at, hz)));
    }
    charts.push(("loss.svg".to_owned(), loss(&records.cases("loss"))));
    let measured = |chart: &Chart| chart.lines.iter().any(|line| !line.points.is_empty());
    charts.retain(|(_, chart)| measured(chart));
    charts.into_iter().map(|(name, chart)| (name, chart.draw())).collect()
}

fn ages(cases: &[Runs<'_>], hz: &str) -> Chart {
    Chart {
        title: format!("Age of a move at its viewers, p99, {hz} Hz"),
        x: Axis { label: "members of the room", logarithmic: true },
        y: Axis { label: "ms", logarithmic: false },
        lines: by("transport", &TRANSPORTS, cases, "size", "p99"),
    }
}

fn bytes(cases: &[Runs<'_>], hz: &str) -> Chart {
    let mut lines = by("transport", &TRANSPORTS, cases, "size", "down_bytes_per_update");
    let bits = FLOOR_BITS.iter().find(|(rate, _)| *rate == hz).map_or(f64::NAN, |(_, bits)| *bits);
    lines.push(floor(cases, "floor and one packet", Stroke::Dashed, |moved| {
        bits / 8.0 + HEADERS / moved
    }));
    lines.push(floor(cases, "entropy floor", Stroke::Dotted, |_| bits / 8.0));
    Chart {
        title: format!("Bytes on the wire for an update, all headers in, {hz} Hz"),
        x: Axis { label: "members of the room", logarithmic: true },
        y: Axis { label: "bytes", logarithmic: true },
        lines,
    }
}

/// A line of what an update would cost at least, by how many a frame carried.
fn floor(cases: &[Runs<'_>], name: &str, stroke: Stroke, bytes: impl Fn(f64) -> f64) -> Line {
    let quic = cases.iter().filter(|case| case.field("transport") == "quic");
    let points = quic.filter_map(|case| {
        let y = bytes(case.spread("moved_per_frame")?.median);
        Some(Point { x: case.number("size"), y, least: y, most: y })
    });
    Line { name: name.to_owned(), points: points.collect(), look: Look { colour: 3, stroke } }
}

fn cpu(cases: &[Runs<'_>], hz: &str) -> Chart {
    Chart {
        title: format!("Server CPU for an update, {hz} Hz"),
        x: Axis { label: "members of the room", logarithmic: true },
        y: Axis { label: "us", logarithmic: true },
        lines: by("transport", &TRANSPORTS, cases, "size", "cpu_us_per_update"),
    }
}

fn loss(cases: &[Runs<'_>]) -> Chart {
    let named = |what: &str, mut line: Line| {
        line.name = format!("{}, {what}", line.name);
        line
    };
    let p99 = by("lane", &LANES, cases, "loss", "p99").into_iter().map(|line| named("p99", line));
    let p50 = by("lane", &LANES, cases, "loss", "p50").into_iter().map(|line| {
        let dashed = Look { stroke: Stroke::Dashed, ..line.look };
        named("p50", Line { look: dashed, ..line })
    });
    Chart {
        title: "Age of a move against loss: 60 ms round trip, 30 Hz, room of 20".to_owned(),
        x: Axis { label: "packets lost each way, %", logarithmic: false },
        y: Axis { label: "ms", logarithmic: true },
        lines: p99.chain(p50).collect(),
    }
}

/// One line for each value of a field.
fn by(field: &str, values: &[&str], cases: &[Runs<'_>], x: &str, y: &str) -> Vec<Line> {
    let line = |(colour, value): (usize, &&str)| Line {
        name: (*value).to_owned(),
        points: cases
            .iter()
            .filter(|c| c.field(field) == *value)
            .filter_map(|c| point(c, x, y))
            .collect(),
        look: Look { colour, stroke: Stroke::Solid },
    };
    values.iter().enumerate().map(line).collect()
}

/// None also where the case broke down: ages of the little that arrived would look like a success.
fn point(case: &Runs<'_>, x: &str, y: &str) -> Option<Point> {
    let spread = case.spread(y)?;
    if case.spread("covered_pct")?.median < COVERED_PCT_MIN {
        return None;
    }
    Some(Point { x: case.number(x), y: spread.median, least: spread.least, most: spread.most })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_is_drawn_of_what_was_measured() {
        let mut data = String::new();
        for (series, size, p99, covered) in [
            ("rooms", 100, 50, 100),
            ("rooms", 10, 40, 100),
            ("large", 500, 60, 99),
            ("large", 1000, 5, 3),
        ] {
            let identity = format!(
                r#""series":"{series}","transport":"quic","rooms":"1x{size}","size":{size},"ticks":20"#
            );
            data += &format!(
                "{{{identity},\"run\":1,\"report\":{{\"covered_pct\":{covered},\"p99\":{p99}}}}}\n"
            );
        }
        let records = Records::new(&data);
        let plots = draw_all(&records);
        let names: Vec<&str> = plots.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["age-20hz.svg"]);
        assert_eq!(plots[0].1.matches("class='mark'").count(), 4);
    }

    #[test]
    fn datagrams_and_the_stream_are_plotted_together() {
        let line = |lane, loss, p99| {
            format!(
                "{{\"series\":\"loss\",\"loss\":{loss},\"lane\":\"{lane}\",\"run\":1,\
                 \"report\":{{\"covered_pct\":100,\"p99\":{p99},\"p50\":9}}}}\n"
            )
        };
        let data = line("datagrams", 5, 100) + &line("one stream", 5, 900);
        let plots = draw_all(&Records::new(&data));
        assert_eq!(plots[0].0, "loss.svg");
        for name in ["datagrams, p99", "one stream, p50"] {
            assert!(plots[0].1.contains(name), "{name}");
        }
    }
}
