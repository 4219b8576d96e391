//! What a run is asked to do: the flags of `hither-load run`. It stands apart so that the driver
//! and each transport read one and the same plan.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum, value_parser};

/// One run.
#[derive(Debug, Clone, Args)]
pub struct Plan {
    /// The server: `https://HOST:PORT`, or `http://HOST:PORT` for the baseline.
    #[arg(long)]
    pub url: String,
    /// SHA-256 of the server's certificate in hex, as its ready line shows it. Default: none, which
    /// suits the baseline.
    #[arg(long)]
    pub cert_sha256: Option<String>,
    /// How members connect.
    #[arg(long, value_enum)]
    pub transport: Transport,
    /// Rooms at the same time.
    #[arg(long, default_value_t = 1, value_parser = count)]
    pub rooms: usize,
    /// Members in each room; 4 B of memory per pair of them.
    #[arg(long, default_value_t = 10, value_parser = count)]
    pub members: usize,
    /// How often a member looks at its mouse, per second; it sends when the rounded pixel has
    /// changed.
    #[arg(long, default_value_t = 20, value_parser = value_parser!(u32).range(1..=1000))]
    pub hz: u32,
    /// The namespace of the rooms `load-0`, `load-1` and so on. Default: `hz` and the rate, as
    /// `hz20`.
    #[arg(long)]
    pub namespace: Option<String>,
    /// A folder of recordings, CSV files of `t_ms,x,y`. Default: a seeded human-like generator.
    #[arg(long)]
    pub traces: Option<PathBuf>,
    /// Seconds before the first window, in which members move and nothing is counted.
    #[arg(long, default_value = "2", value_parser = seconds)]
    pub warmup: Duration,
    /// How many windows follow.
    #[arg(long, default_value_t = 3, value_parser = value_parser!(u16).range(1..=10_000))]
    pub windows: u16,
    /// Seconds of each.
    #[arg(long, default_value = "3", value_parser = seconds)]
    pub window: Duration,
    /// Seconds after the last window in which nobody moves and late arrivals still count.
    #[arg(long, default_value = "1", value_parser = seconds)]
    pub grace: Duration,
    /// Decides phases and mice.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The server's process, for its CPU and memory. Default: they are reported as 0.
    #[arg(long)]
    pub server_pid: Option<u32>,
}

/// How members connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Transport {
    /// Raw QUIC.
    Quic,
    /// WebTransport.
    #[value(name = "webtransport")]
    WebTransport,
    /// Plain WebSocket to `baseline-ws`.
    BaselineWs,
}

impl Transport {
    /// Its name on the command line and in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quic => "quic",
            Self::WebTransport => "webtransport",
            Self::BaselineWs => "baseline-ws",
        }
    }
}

impl Plan {
    /// The name of room `index`, namespace included.
    pub fn room(&self, index: usize) -> String {
        match &self.namespace {
            Some(namespace) => format!("{namespace}:load-{index}"),
            None => format!("hz{}:load-{index}", self.hz),
        }
    }

    /// Host and port of the server, as the URL has them.
    pub fn authority(&self) -> &str {
        let rest = self.url.split_once("://").map_or(self.url.as_str(), |(_, rest)| rest);
        rest.split_once('/').map_or(rest, |(authority, _)| authority)
    }

    /// The server's port; 0 when the URL names none.
    pub fn port(&self) -> u16 {
        let port = self.authority().rsplit_once(':');
        port.and_then(|(_, port)| port.parse().ok()).unwrap_or(0)
    }
}

fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=100_000) => Ok(count),
        Ok(_) => Err("must be from 1 to 100,000".into()),
        Err(error) => Err(error.to_string()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if !(0.0..=86_400.0).contains(&seconds) {
        return Err("must be from 0 to 86,400 seconds".into());
    }
    Ok(Duration::from_secs_f64(seconds))
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
             --members 5 --hz 60 --warmup 0.5 --windows 4 --window 3 --grace 1 --seed 7 --server-pid 9",
        )
        .unwrap();
        assert_eq!((plan.authority(), plan.port()), ("127.0.0.1:4433", 4433));
        assert_eq!(plan.room(1), "hz60:load-1");
        assert_eq!(plan.warmup, Duration::from_millis(500));
        assert_eq!(plan.transport.name(), "webtransport");
    }

    #[test]
    fn a_namespace_of_its_own_names_the_rooms() {
        let plan = plan("load --url http://[::1]:80/ --transport baseline-ws --namespace default");
        let plan = plan.unwrap();
        assert_eq!((plan.room(0).as_str(), plan.port()), ("default:load-0", 80));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for flags in ["--members 0", "--hz 0", "--windows 0", "--window -1", "--transport tcp"] {
            let line = format!("load --url http://127.0.0.1:1 --transport quic {flags}");
            let line = line.replace("--transport quic --transport tcp", "--transport tcp");
            assert!(plan(&line).is_err(), "{flags}");
        }
    }
}
