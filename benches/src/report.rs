//! What a run came to, as the JSON object that scripts read. It stands apart because its fields are
//! a contract: names, units and order stay, whatever measures them.

use serde::Serialize;

/// One run of the generator.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Always `run`.
    pub mode: &'static str,
    /// `quic`, `webtransport` or `baseline-ws`.
    pub transport: &'static str,
    /// Rooms at the same time.
    pub rooms: usize,
    /// Members in each of them; of a mix, in the largest.
    pub members: usize,
    /// Looks of a member at its mouse, per second.
    pub hz: u32,
    /// The server's peak resident memory in KiB; 0 when its pid was not given.
    pub server_rss_peak_kb: u64,
    /// Whether the generator was the limit, so that ages and coverage say nothing about the server.
    pub generator_limited: bool,
    /// The windows in order.
    pub windows: Vec<Window>,
    /// All rooms as `1x200,50x10`.
    pub mix: String,
    /// Percent of UDP packets that the generator's relay lost, each way.
    pub loss_pct: f64,
    /// Milliseconds by which it delayed each, each way.
    pub delay_ms: f64,
    /// How much more at most.
    pub jitter_ms: f64,
    /// Whether motion went over the control stream instead of in datagrams.
    pub reliable: bool,
    /// Of those who were made to stall; null if nobody was.
    pub stalled: Option<Stalled>,
    /// Which share of the mice's space each member was to be shown; null if all of it.
    pub viewport: Option<f64>,
}

/// Members that stopped reading their sockets for a while. They count in no window.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stalled {
    /// How many.
    pub members: usize,
    /// For how many seconds.
    pub seconds: f64,
    /// How many of them were shown an update after they woke.
    pub woken: usize,
    /// For how long the mouse had no longer been where the first such frame showed it, in ms: the
    /// worst entry of all of them. Without a stall it is a tick or so.
    pub first_shown_age_ms: f64,
}

/// One window. Moves, what is expected of them, coverage and ages are those of the moves due in it;
/// updates, datagrams, bytes and CPU are what happened in it. What has no measure (no pid, no
/// update) is 0. What is about datagrams is null where motion goes over the control stream, which
/// does not tell it from other messages.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Window {
    /// Its length as measured.
    pub seconds: f64,
    /// Samples sent.
    pub moves: u64,
    /// Receipts of another member's newer position.
    pub updates: u64,
    /// Moves x (members a room - 1), without those that stall; 0 with viewports.
    pub expected: u64,
    /// How many of the expected were covered by the end of the grace, in percent; rounded down, so
    /// 100 means all of them; null with viewports.
    pub covered_pct: Option<f64>,
    /// Datagrams of motion that members received; messages, on a WebSocket.
    pub datagrams: Option<u64>,
    /// The server's user and system time, in percent of one core.
    pub server_cpu_pct: f64,
    /// The same per update, in µs.
    pub cpu_us_per_update: f64,
    /// The same per datagram, in µs.
    pub cpu_us_per_datagram: Option<f64>,
    /// The generator's user and system time, in percent of one core.
    pub loadgen_cpu_pct: f64,
    /// Bytes on the wire from the server to all members, headers of IP and UDP or TCP in, per
    /// update.
    pub down_bytes_per_update: f64,
    /// How old the covered moves were when they arrived.
    pub age_ms: AgeMs,
    /// Datagrams of motion, or messages, that members received, per second.
    pub datagrams_down_per_s: Option<f64>,
    /// Those that they sent.
    pub datagrams_up_per_s: Option<f64>,
    /// UDP packets, or TCP segments, that members received, per second.
    pub packets_down_per_s: f64,
    /// Those that they sent.
    pub packets_up_per_s: f64,
    /// Others' positions that a datagram, or message, brought on average, merged where datagrams
    /// were read together: a member that moved in several of them counts once.
    pub moved_per_frame: Option<f64>,
}

/// Ages in ms.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct AgeMs {
    /// The median.
    pub p50: f64,
    /// Of 100, one is older.
    pub p99: f64,
    /// Of 1,000, one is older.
    pub p999: f64,
    /// The oldest.
    pub max: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_has_exactly_these_fields_in_this_order() {
        let report = Report {
            mode: "run",
            transport: "quic",
            rooms: 1,
            members: 100,
            hz: 20,
            server_rss_peak_kb: 0,
            generator_limited: false,
            windows: vec![Window { seconds: 3.0, covered_pct: Some(100.0), ..Window::default() }],
            mix: "1x100".into(),
            loss_pct: 0.0,
            delay_ms: 0.0,
            jitter_ms: 0.0,
            reliable: false,
            stalled: None,
            viewport: None,
        };
        let expected = concat!(
            r#"{"mode":"run","transport":"quic","rooms":1,"members":100,"hz":20,"#,
            r#""server_rss_peak_kb":0,"generator_limited":false,"windows":[{"seconds":3.0,"#,
            r#""moves":0,"updates":0,"expected":0,"covered_pct":100.0,"datagrams":null,"#,
            r#""server_cpu_pct":0.0,"cpu_us_per_update":0.0,"cpu_us_per_datagram":null,"#,
            r#""loadgen_cpu_pct":0.0,"down_bytes_per_update":0.0,"#,
            r#""age_ms":{"p50":0.0,"p99":0.0,"p999":0.0,"max":0.0},"#,
            r#""datagrams_down_per_s":null,"datagrams_up_per_s":null,"packets_down_per_s":0.0,"#,
            r#""packets_up_per_s":0.0,"moved_per_frame":null}],"mix":"1x100","loss_pct":0.0,"#,
            r#""delay_ms":0.0,"jitter_ms":0.0,"reliable":false,"stalled":null,"viewport":null}"#,
        );
        assert_eq!(serde_json::to_string(&report).unwrap(), expected);
    }
}
