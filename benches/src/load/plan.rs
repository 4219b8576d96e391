//! What a run is asked to do: the flags of `hither-load run`, and which of them go together. It stands apart so that
//! the driver and each transport read one and the same plan.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{Args, value_parser};
use hither_transport::relay::Impairment;

use super::target::{Target, Transport};
use crate::layout::{Layout, Mix};

/// One run.
#[derive(Debug, Clone, Args)]
pub struct Plan {
    #[command(flatten)]
    pub(super) target: Target,
    /// Rooms at the same time.
    #[arg(long, default_value_t = 1, value_parser = count)]
    rooms: usize,
    /// Members in each room; 4 B of memory per pair of them.
    #[arg(long, default_value_t = 10, value_parser = count)]
    members: usize,
    /// Rooms of several sizes instead, as `1x200,50x10`: one room of 200 members and 50 of 10.
    #[arg(long, conflicts_with_all = ["rooms", "members"])]
    mix: Option<Mix>,
    /// How often a member looks at its mouse, per second; it sends when the rounded pixel has
    /// changed.
    #[arg(long, default_value_t = 20, value_parser = value_parser!(u32).range(1..=1000))]
    pub(super) hz: u32,
    /// The namespace of the rooms `load-0`, `load-1` and so on. Default: `hz` and the rate, as
    /// `hz20`.
    #[arg(long)]
    namespace: Option<String>,
    /// A folder of recordings, CSV files of `t_ms,x,y`. Default: a seeded human-like generator.
    #[arg(long)]
    pub(super) traces: Option<PathBuf>,
    /// Seconds before the first window, in which members move and nothing is counted.
    #[arg(long, default_value = "2", value_parser = seconds)]
    pub(super) warmup: Duration,
    /// How many windows follow.
    #[arg(long, default_value_t = 3, value_parser = value_parser!(u16).range(1..=10_000))]
    pub(super) windows: u16,
    /// Seconds of each.
    #[arg(long, default_value = "3", value_parser = seconds)]
    pub(super) window: Duration,
    /// Seconds after the last window in which nobody moves and late arrivals still count.
    #[arg(long, default_value = "1", value_parser = seconds)]
    pub(super) grace: Duration,
    /// Decides phases and mice.
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    #[command(flatten)]
    pub(super) network: NetworkPlan,
    /// The last so many members never move, and stop reading their sockets in the middle of the windows. Ages are those
    /// of the others.
    #[arg(long, default_value_t = 0, value_name = "MEMBERS")]
    pub(super) stalled: usize,
    /// For how many seconds they do; from 2.5 on the server misses them. 0 is the run to compare with.
    #[arg(long, default_value = "2", value_parser = seconds, requires = "stalled")]
    pub(super) stall: Duration,
    /// Each member wants to be shown only who is in a rectangle of its own, anywhere in the space in which the mice
    /// move, that has this share of its area, 0.01 to 1. Default: all of them see everybody.
    #[arg(long, value_parser = share, value_name = "SHARE")]
    pub(super) viewport: Option<f64>,
    /// Motion goes over the control stream, reliable and in order, instead of in datagrams.
    #[arg(long)]
    pub(super) reliable: bool,
}

/// The bad network that the generator makes, by a relay of its own before the server.
#[derive(Debug, Clone, Args)]
pub(super) struct NetworkPlan {
    /// Percent of the UDP packets lost, each way, once everybody has joined.
    #[arg(long, default_value_t = 0.0, value_parser = percent, value_name = "PERCENT")]
    pub(super) loss: f64,
    /// Milliseconds that every packet takes longer, each way.
    #[arg(long, default_value_t = 0.0, value_parser = milliseconds, value_name = "MS")]
    pub(super) delay: f64,
    /// Milliseconds that a packet takes longer still at most, drawn evenly, so that packets overtake each other.
    #[arg(long, default_value_t = 0.0, value_parser = milliseconds, value_name = "MS")]
    pub(super) jitter: f64,
    /// Decides which packets are lost, and how late each is.
    #[arg(long, default_value_t = 1)]
    pub(super) relay_seed: u64,
}

impl Plan {
    /// The rooms and their sizes.
    pub fn mix(&self) -> Mix {
        self.mix.clone().unwrap_or_else(|| Mix::even(self.rooms, self.members))
    }

    /// The name of room `index`, namespace included.
    pub fn room(&self, index: usize) -> String {
        match &self.namespace {
            Some(namespace) => format!("{namespace}:load-{index}"),
            None => format!("hz{}:load-{index}", self.hz),
        }
    }

    /// Whether all of it can be done together. Errors are the caller's.
    pub(super) fn check(&self, layout: &Layout) -> Result<()> {
        let baseline = self.target.transport == Transport::BaselineWs;
        ensure!(
            !self.target.transport.is_tcp() || self.network.impairment().is_none(),
            "--loss, --delay and --jitter are made at a UDP relay: not with WebSocket, which is TCP"
        );
        ensure!(!baseline || self.stalled == 0, "--stalled is not there for baseline-ws");
        ensure!(!baseline || !self.reliable, "--reliable: baseline-ws is that already");
        ensure!(!baseline || self.viewport.is_none(), "--viewport is not there for baseline-ws");
        let last_room = layout.room(layout.rooms() - 1).len();
        ensure!(self.stalled < last_room, "--stalled must leave a member of the last room");
        ensure!(
            self.stalled == 0 || self.stall <= self.measured(),
            "--stall is longer than all windows together"
        );
        Ok(())
    }

    /// All windows together.
    pub(super) fn measured(&self) -> Duration {
        self.window * u32::from(self.windows)
    }
}

impl NetworkPlan {
    /// None for the network as it is.
    pub(super) fn impairment(&self) -> Option<Impairment> {
        let Self { loss, delay, jitter, .. } = *self;
        let ms = |ms: f64| Duration::from_secs_f64(ms / 1e3);
        let impairment = Impairment {
            loss: loss / 100.0,
            delay: ms(delay),
            jitter: ms(jitter),
            ..Impairment::default()
        };
        (impairment != Impairment::default()).then_some(impairment)
    }
}

pub(super) fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=100_000) => Ok(count),
        Ok(_) => Err("must be from 1 to 100,000".into()),
        Err(error) => Err(error.to_string()),
    }
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    within(text, 86_400.0, "seconds").map(Duration::from_secs_f64)
}

fn milliseconds(text: &str) -> Result<f64, String> {
    within(text, 10_000.0, "milliseconds")
}

fn percent(text: &str) -> Result<f64, String> {
    within(text, 100.0, "percent")
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.01..=1.0).contains(&share) => Ok(share),
        Ok(_) => Err("must be from 0.01 to 1".into()),
        Err(error) => Err(error.to_string()),
    }
}

fn within(text: &str, max: f64, unit: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if (0.0..=max).contains(&value) {
        Ok(value)
    } else {
        Err(format!("must be from 0 to {max} {unit}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        plan: Plan,
    }

    fn plan(line: &str) -> Result<Plan, clap::Error> {
        Line::try_parse_from(line.split_whitespace()).map(|line| line.plan)
    }

    #[test]
    fn a_whole_line_is_understood() {
        let plan = plan(
            "load --url https://127.0.0.1:4433 --cert-sha256 00ff --transport webtransport --rooms 2 \
             --members 5 --hz 60 --warmup 0.5 --windows 4 --window 3 --grace 1 --seed 7 --server-pid 9 \
             --loss 2.5 --delay 30 --jitter 5 --relay-seed 3 --stalled 2 --stall 1.5",
        )
        .unwrap();
        assert_eq!((plan.target.authority(), plan.target.port()), ("127.0.0.1:4433", 4433));
        assert_eq!((plan.room(1).as_str(), plan.mix()), ("hz60:load-1", Mix::even(2, 5)));
        assert_eq!(plan.warmup, Duration::from_millis(500));
        assert_eq!(plan.target.transport.name(), "webtransport");
        let impairment = plan.network.impairment().unwrap();
        assert_eq!((impairment.loss, impairment.duplicate), (0.025, 0.0));
        assert_eq!(impairment.delay, Duration::from_millis(30));
        assert!(plan.check(&Layout::from(&plan.mix())).is_ok());
    }

    #[test]
    fn a_namespace_of_its_own_names_the_rooms_and_a_mix_sizes_them() {
        let line = "load --url http://[::1]:80/ --transport baseline-ws --namespace default";
        let plan = plan(&format!("{line} --mix 1x20,5x2")).unwrap();
        assert_eq!((plan.room(0).as_str(), plan.target.port()), ("default:load-0", 80));
        assert_eq!(plan.mix().to_string(), "1x20,5x2");
        assert_eq!(plan.network.impairment(), None);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for flags in [
            "--members 0",
            "--hz 0",
            "--windows 0",
            "--window -1",
            "--transport tcp",
            "--loss 101",
            "--delay -1",
            "--jitter NaN",
            "--mix 1x2 --members 2",
            "--stall 1",
            "--viewport 0",
            "--viewport 1.1",
            "--viewport NaN",
        ] {
            let line = format!("load --url http://127.0.0.1:1 --transport quic {flags}");
            let line = line.replace("--transport quic --transport tcp", "--transport tcp");
            assert!(plan(&line).is_err(), "{flags}");
        }
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        for flags in [
            "baseline-ws --loss 1",
            "baseline-ws --delay 1",
            "baseline-ws --stalled 1",
            "baseline-ws --reliable",
            "baseline-ws --viewport 0.5",
            "quic --stalled 10",
            "quic --stalled 1 --stall 10",
        ] {
            let plan = plan(&format!("load --url http://[::1]:1 --transport {flags}")).unwrap();
            assert!(plan.check(&Layout::from(&plan.mix())).is_err(), "{flags}");
        }
    }
}
