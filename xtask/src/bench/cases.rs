//! What is measured: the series of docs/BENCHMARKS.md and the cases of each, apart from how programs are run.

use super::Options;

/// The names of all series, in the page's order.
pub(super) const SERIES: [&str; 10] = [
    "rooms",
    "large",
    "viewport",
    "at-once",
    "loss",
    "stall",
    "idle",
    "storm",
    "edits",
    "snapshots",
];

/// One kind of run, as the load generator's flags.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Case {
    pub(super) series: &'static str,
    pub(super) transport: &'static str,
    /// Rooms and members in each, as `100x10`; in the idle and storm series, sessions.
    pub(super) mix: String,
    /// Looks of each member at its mouse per second, 0 in the idle and storm series. Its room ticks as often, or sends
    /// at once.
    pub(super) hz: u32,
    /// Percent of packets lost each way, at 30 ms of delay; None without a relay.
    pub(super) loss: Option<u32>,
    /// Motion over the control stream instead of datagrams.
    pub(super) reliable: bool,
    /// For how many seconds [`STALLED`] members stall; None when all read.
    pub(super) stall: Option<f64>,
    /// Which share of the mice's space each member sees; None for all of it, without a viewport.
    pub(super) viewport: Option<f64>,
    /// How a storm's members lose their server; empty elsewhere.
    pub(super) by: &'static str,
    /// Edits a second, of all editors; 0 elsewhere.
    pub(super) rate: u32,
    /// Records of a document that newcomers open meanwhile; 0 without.
    pub(super) records: u32,
}

/// Milliseconds each way in the loss series.
pub(super) const DELAY_MS: &str = "30";

/// Members that stall in the stall series.
pub(super) const STALLED: &str = "5";

const TRANSPORTS: [&str; 3] = ["quic", "webtransport", "baseline-ws"];
const LOSSES: [u32; 7] = [0, 1, 2, 5, 10, 20, 30];

impl Case {
    fn new(series: &'static str, transport: &'static str, mix: &str, hz: u32) -> Self {
        let mix = mix.to_owned();
        let (loss, reliable, stall, viewport) = (None, false, None, None);
        Self {
            series,
            transport,
            mix,
            hz,
            loss,
            reliable,
            stall,
            viewport,
            by: "",
            rate: 0,
            records: 0,
        }
    }

    /// What tells it from others, as the first fields of its JSON lines.
    pub(super) fn identity(&self) -> String {
        let Self { series, transport, mix, hz, by, rate, records, .. } = self;
        let members = mix.split_once('x').map_or(mix.as_str(), |(_, members)| members);
        let lane = if self.reliable { "one stream" } else { "datagrams" };
        let (loss, stall) = (self.loss.unwrap_or(0), self.stall.unwrap_or(0.0));
        let share = self.viewport.unwrap_or(1.0);
        format!(
            "\"series\":\"{series}\",\"transport\":\"{transport}\",\"rooms\":\"{mix}\",\"size\":{members},\
             \"ticks\":{hz},\"loss\":{loss},\"lane\":\"{lane}\",\"stall\":{stall},\"share\":{share},\
             \"by\":\"{by}\",\"rate\":{rate},\"records\":{records}"
        )
    }
}

/// The cases of a series.
pub(super) fn of(series: &str, options: &Options) -> Vec<Case> {
    match series {
        "rooms" => rooms(),
        "large" => large(),
        "viewport" => viewport(),
        "at-once" => at_once(),
        "loss" => loss(),
        "stall" => stall(options.seconds.1),
        "idle" => idle(options.idle),
        "storm" => storm(options.idle),
        "edits" => edits(options.idle),
        _ => snapshots(options.idle),
    }
}

fn rooms() -> Vec<Case> {
    let sizes = ["1x10", "1x50", "1x100", "1x200"];
    let rooms = [20, 30].into_iter().flat_map(|hz| sizes.map(|mix| (mix, hz)));
    let rooms = rooms.chain([("1x100", 60), ("100x10", 20)]);
    rooms
        .flat_map(|(mix, hz)| TRANSPORTS.map(|transport| Case::new("rooms", transport, mix, hz)))
        .collect()
}

/// Up to what one core holds: the generator has no more either.
fn large() -> Vec<Case> {
    let both = [("1x500", 30), ("1x1000", 20)];
    let both = both.into_iter().flat_map(|(mix, hz)| TRANSPORTS.map(|t| (t, mix, hz)));
    let more = [("quic", "1x500", 20), ("quic", "1x1500", 20), ("quic", "1x2000", 20)];
    both.chain(more).map(|(transport, mix, hz)| Case::new("large", transport, mix, hz)).collect()
}

fn viewport() -> Vec<Case> {
    let case = |viewport| Case { viewport, ..Case::new("viewport", "quic", "1x200", 20) };
    [None, Some(0.25), Some(0.05)].map(case).into()
}

/// Rooms that wait for no tick are small. The baseline has no such thing.
fn at_once() -> Vec<Case> {
    ["quic", "webtransport"].map(|transport| Case::new("at-once", transport, "1x10", 60)).into()
}

fn loss() -> Vec<Case> {
    let case = |loss, reliable| Case {
        loss: Some(loss),
        reliable,
        ..Case::new("loss", "quic", "1x20", 30)
    };
    [false, true].into_iter().flat_map(|lane| LOSSES.map(|loss| case(loss, lane))).collect()
}

/// The same members, stalling and not.
fn stall(window: f64) -> Vec<Case> {
    let case = |stall| Case { stall: Some(stall), ..Case::new("stall", "quic", "1x100", 30) };
    vec![case(0.0), case((window * 2.0 / 3.0 * 10.0).round() / 10.0)]
}

fn idle(sessions: u32) -> Vec<Case> {
    let mix = sessions.to_string();
    ["quic", "webtransport"].map(|transport| Case::new("idle", transport, &mix, 0)).into()
}

fn storm(sessions: u32) -> Vec<Case> {
    let of =
        |sessions: u32, by| Case { by, ..Case::new("storm", "both", &sessions.to_string(), 0) };
    [sessions / 2, sessions]
        .into_iter()
        .flat_map(|n| ["kill", "drain"].map(|by| of(n, by)))
        .collect()
}

/// At the rate that was promised, in rooms of few, as each member's view is decoded; then as many as a tenth of the
/// idle series' sessions submit at 100 a second each, alone in their rooms.
fn edits(sessions: u32) -> Vec<Case> {
    let editors = sessions / 10;
    let few = (editors / 10).max(2);
    let of = |rooms: u32, each: u32, rate| Case {
        rate,
        ..Case::new("edits", "quic", &format!("{rooms}x{each}"), 0)
    };
    let rate = editors * 10;
    vec![of(1, few, rate), of(few, few, rate), of(editors, 1, rate), of(editors, 1, rate * 10)]
}

/// The same editors, whose cursors move, too, without and with newcomers to another room's large document: on a server
/// with little to do, and at the rate that was promised.
fn snapshots(sessions: u32) -> Vec<Case> {
    let editors = sessions / 10;
    let mix = format!("{}x10", (editors / 10).max(1));
    let case = |rate, records| Case { rate, records, ..Case::new("snapshots", "quic", &mix, 0) };
    [editors * 2, editors * 10]
        .into_iter()
        .flat_map(|rate| [0, editors * 100].map(|records| case(rate, records)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_has_cases_and_no_two_are_alike() {
        let options = super::super::parse(&[]).unwrap();
        let cases: Vec<Case> = SERIES.iter().flat_map(|series| of(series, &options)).collect();
        for series in SERIES {
            assert!(cases.iter().any(|case| case.series == series), "{series}");
        }
        let mut identities: Vec<_> = cases.iter().map(Case::identity).collect();
        identities.sort_unstable();
        identities.dedup();
        assert_eq!(identities.len(), cases.len());
    }
}
