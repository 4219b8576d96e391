//! Line charts as SVG, written by hand: few shapes, text that can be searched, colours for light and dark pages. Apart
//! from what is plotted, of which it knows numbers and names only.

use std::fmt::Write;

/// A chart: lines over one pair of axes.
pub(super) struct Chart {
    pub(super) title: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) lines: Vec<Line>,
}

/// An axis; its range comes from the points.
pub(super) struct Axis {
    pub(super) label: &'static str,
    /// Equal steps are equal factors. Zero and less have no place then, and are left out.
    pub(super) logarithmic: bool,
}

/// Points from left to right.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) points: Vec<Point>,
    pub(super) look: Look,
}

/// How a line is drawn: which colour and mark of [`COLOURS`], and in what strokes.
#[derive(Clone, Copy)]
pub(super) struct Look {
    pub(super) colour: usize,
    pub(super) stroke: Stroke,
}

/// Only a solid line has marks and spreads.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Stroke {
    Solid,
    Dashed,
    Dotted,
}

/// A point, and the spread that it stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) least: f64,
    pub(super) most: f64,
}

/// On light pages, on dark pages, and the mark's shape. After Okabe and Ito, told apart by most colour-blind people;
/// the shape tells them apart in any case.
const COLOURS: [(&str, &str, &str); 4] = [
    ("#0072b2", "#56b4e9", "<circle r='4'/>"),
    ("#009e73", "#2ccf9d", "<path d='M-4-4h8v8h-8z'/>"),
    ("#d55e00", "#ff8f3f", "<path d='M0-5l5 9h-10z'/>"),
    ("#666666", "#aaaaaa", "<path d='M0-5l5 5l-5 5l-5-5z'/>"),
];

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 440.0;
/// Left, top, right and bottom of the plane.
const PLANE: [f64; 4] = [64.0, 76.0, 740.0, 388.0];
/// Pixels of the legend for each letter of a name, and for its sample.
const LETTER: f64 = 7.0;
const SAMPLE: f64 = 44.0;

impl Chart {
    /// The file's text. Lines without points are left out.
    pub(super) fn draw(&self) -> String {
        let [left, top, right, bottom] = PLANE;
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let x = Scale::new(&self.x, points().map(|p| p.x), left, right, false);
        let y =
            Scale::new(&self.y, points().flat_map(|p| [p.least, p.y, p.most]), bottom, top, true);
        let mut svg = head(&self.title);
        for (value, at) in x.ticks() {
            let _ = write!(svg, "<path class='grid' d='M{at:.1} {top}V{bottom}'/>");
            let _ = writeln!(
                svg,
                "<text x='{at:.1}' y='{:.1}' class='mid'>{value}</text>",
                bottom + 18.0
            );
        }
        for (value, at) in y.ticks() {
            let _ = write!(svg, "<path class='grid' d='M{left} {at:.1}H{right}'/>");
            let _ = writeln!(
                svg,
                "<text x='{:.1}' y='{:.1}' class='end'>{value}</text>",
                left - 8.0,
                at + 4.0
            );
        }
        let _ = writeln!(svg, "<path class='axis' d='M{left} {top}V{bottom}H{right}'/>");
        let (middle, below) = ((left + right) / 2.0, bottom + 40.0);
        let _ = writeln!(svg, "<text x='{middle}' y='{below}' class='mid'>{}</text>", self.x.label);
        let _ = writeln!(
            svg,
            "<text transform='translate(16 {}) rotate(-90)' class='mid'>{}</text>",
            (top + bottom) / 2.0,
            self.y.label
        );
        let lines: Vec<&Line> = self.lines.iter().filter(|line| !line.points.is_empty()).collect();
        for line in &lines {
            draw_line(&mut svg, line, &x, &y);
        }
        draw_legend(&mut svg, &lines);
        svg.push_str("</svg>\n");
        svg
    }
}

impl Stroke {
    /// The classes of its path.
    fn classes(self) -> &'static str {
        match self {
            Self::Solid => "line",
            Self::Dashed => "line dashed",
            Self::Dotted => "line dotted",
        }
    }
}

/// From values to pixels.
struct Scale {
    logarithmic: bool,
    from: f64,
    to: f64,
    start: f64,
    end: f64,
}

impl Scale {
    /// A range that holds all values, from a tick to a tick. A linear one begins at 0 if `from_zero`.
    fn new(
        axis: &Axis,
        values: impl Iterator<Item = f64>,
        start: f64,
        end: f64,
        from_zero: bool,
    ) -> Self {
        let usable = |v: &f64| v.is_finite() && (!axis.logarithmic || *v > 0.0);
        let values: Vec<f64> = values.filter(usable).collect();
        let least = values.iter().copied().reduce(f64::min).unwrap_or(1.0);
        let most = values.iter().copied().reduce(f64::max).unwrap_or(10.0);
        let logarithmic = axis.logarithmic;
        let (from, to) = if logarithmic {
            let from = step_below(least);
            (from, step_above(most).max(from * 2.0))
        } else {
            let from = if from_zero { least.min(0.0) } else { least };
            let step = linear_step(most - from);
            ((from / step).floor() * step, ((most / step).ceil() * step).max(from + step))
        };
        Self { logarithmic, from, to, start, end }
    }

    fn at(&self, value: f64) -> f64 {
        let part = if self.logarithmic {
            (value / self.from).ln() / (self.to / self.from).ln()
        } else {
            (value - self.from) / (self.to - self.from)
        };
        self.start + part * (self.end - self.start)
    }

    /// The values to be written beside the axis, and where.
    fn ticks(&self) -> Vec<(String, f64)> {
        let mut values = Vec::new();
        if self.logarithmic {
            let mut value = self.from;
            while value <= self.to * 1.001 {
                values.push(value);
                value = step_above(value * 1.01);
            }
        } else {
            let step = linear_step(self.to - self.from);
            let steps = ((self.to - self.from) / step).round() as i32;
            values.extend((0..=steps).map(|index| self.from + f64::from(index) * step));
        }
        values.into_iter().map(|value| (written(value), self.at(value))).collect()
    }
}

/// The largest of 1, 2, 5, 10, 20, ... that is not above a value.
fn step_below(value: f64) -> f64 {
    let decade = 10_f64.powf(value.log10().floor());
    let steps = [5.0, 2.0, 1.0].map(|step| step * decade);
    steps.into_iter().find(|step| *step <= value * 1.0001).unwrap_or(decade)
}

/// The smallest of 1, 2, 5, 10, 20, ... that is not below a value.
fn step_above(value: f64) -> f64 {
    let decade = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * decade);
    steps.into_iter().find(|step| *step >= value * 0.9999).unwrap_or(decade * 10.0)
}

/// A step that makes four to ten of a range.
fn linear_step(range: f64) -> f64 {
    if range > 0.0 { step_below(range / 4.0) } else { 1.0 }
}

/// Without a point where none is needed.
fn written(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn head(title: &str) -> String {
    let mut light = String::new();
    let mut dark = String::new();
    for (index, (on_light, on_dark, _)) in COLOURS.iter().enumerate() {
        let _ = write!(light, ".c{index}{{color:{on_light}}}");
        let _ = write!(dark, ".c{index}{{color:{on_dark}}}");
    }
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' role='img' aria-label='{title}'>
<style>
svg{{background:#fff;color:#222;font:13px sans-serif}}
text{{fill:#222}}.mid{{text-anchor:middle}}.end{{text-anchor:end}}.title{{font-size:16px;font-weight:bold}}
.grid{{stroke:#e4e4e4}}.axis{{stroke:#888;fill:none}}
.line{{stroke:currentColor;stroke-width:2;fill:none}}.dashed{{stroke-dasharray:6 5}}.dotted{{stroke-dasharray:2 4}}
.spread{{stroke:currentColor;opacity:.5}}.mark{{fill:currentColor}}
{light}
@media(prefers-color-scheme:dark){{svg{{background:#0d1117}}text{{fill:#ddd}}.grid{{stroke:#2a2f37}}{dark}}}
</style>
<text x='{}' y='26' class='title'>{title}</text>
",
        PLANE[0]
    )
}

fn draw_line(svg: &mut String, line: &Line, x: &Scale, y: &Scale) {
    let Look { colour, stroke } = line.look;
    let visible = |value: f64, scale: &Scale| !scale.logarithmic || value > 0.0;
    let points = line.points.iter().filter(|p| visible(p.x, x) && visible(p.least, y));
    let points: Vec<&Point> = points.collect();
    let path: Vec<String> =
        points.iter().map(|p| format!("{:.1} {:.1}", x.at(p.x), y.at(p.y))).collect();
    let classes = stroke.classes();
    let path = path.join("L");
    let _ = writeln!(svg, "<g class='c{colour}'><path class='{classes}' d='M{path}'/>");
    for p in points.iter().filter(|_| stroke == Stroke::Solid) {
        let (x, y, least, most) = (x.at(p.x), y.at(p.y), y.at(p.least), y.at(p.most));
        let _ = write!(svg, "<path class='spread' d='M{x:.1} {least:.1}V{most:.1}'/>");
        draw_mark(svg, colour, x, y);
    }
    svg.push_str("</g>\n");
}

fn draw_mark(svg: &mut String, colour: usize, x: f64, y: f64) {
    let shape = COLOURS[colour].2;
    let _ = writeln!(svg, "<g class='mark' transform='translate({x:.1} {y:.1})'>{shape}</g>");
}

/// One row above the plane.
fn draw_legend(svg: &mut String, lines: &[&Line]) {
    let mut at = PLANE[0];
    let row = PLANE[1] - 22.0;
    for line in lines {
        let Look { colour, stroke } = line.look;
        let classes = stroke.classes();
        let _ = write!(svg, "<g class='c{colour}'><path class='{classes}' d='M{at} {row}h26'/>");
        if stroke == Stroke::Solid {
            draw_mark(svg, colour, at + 13.0, row);
        }
        let _ = writeln!(svg, "</g><text x='{}' y='{}'>{}</text>", at + 32.0, row + 4.0, line.name);
        at += SAMPLE + LETTER * line.name.chars().count() as f64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(x: f64, y: f64) -> Point {
        Point { x, y, least: y * 0.9, most: y * 1.1 }
    }

    fn chart(logarithmic: bool, points: Vec<Point>) -> String {
        let axis = |label| Axis { label, logarithmic };
        let look = Look { colour: 1, stroke: Stroke::Solid };
        let lines = vec![Line { name: "quic".into(), points, look }];
        Chart { title: "Ages".into(), x: axis("members"), y: axis("ms"), lines }.draw()
    }

    #[test]
    fn a_logarithmic_axis_has_equal_steps_for_equal_factors() {
        let axis = Axis { label: "", logarithmic: true };
        let scale = Scale::new(&axis, [10.0, 1_000.0].into_iter(), 0.0, 200.0, true);
        assert_eq!((scale.at(10.0), scale.at(100.0), scale.at(1_000.0)), (0.0, 100.0, 200.0));
        let values: Vec<String> = scale.ticks().into_iter().map(|(value, _)| value).collect();
        assert_eq!(values, ["10", "20", "50", "100", "200", "500", "1000"]);
    }

    #[test]
    fn a_linear_axis_ends_on_ticks_around_its_values() {
        let axis = Axis { label: "", logarithmic: false };
        let scale = Scale::new(&axis, [3.0, 47.0].into_iter(), 0.0, 100.0, true);
        assert_eq!((scale.from, scale.to), (0.0, 50.0));
        let one = Scale::new(&axis, [7.0].into_iter(), 0.0, 100.0, false);
        assert!(one.at(7.0).is_finite() && one.ticks().len() < 12);
    }

    #[test]
    fn every_point_is_marked_within_the_plane() {
        let svg = chart(true, vec![point(10.0, 3.0), point(200.0, 40.0)]);
        assert_eq!(svg.matches("class='mark'").count(), 3, "two, and the legend's");
        assert!(svg.contains(">quic</text>") && svg.contains("prefers-color-scheme:dark"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        assert_eq!(svg.matches("<g").count(), svg.matches("</g>").count());
    }

    #[test]
    fn what_has_no_place_is_left_out() {
        let svg = chart(true, vec![point(0.0, 0.0), point(10.0, 1.0)]);
        assert_eq!(svg.matches("class='mark'").count(), 2);
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        let empty = chart(false, Vec::new());
        assert!(!empty.contains("quic") && !empty.contains("NaN"));
    }
}
