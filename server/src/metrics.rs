//! The server's counters: one typed registry, apart from the ops plane that only prints it, so that
//! whatever counts holds a handle and no path of a datagram looks up a name.
//!
//! Counters and gauges are atomics and never block. Histograms take a short lock: observe one a
//! tick or a frame, not one a member.

use std::fmt;
use std::ops::Index;

use prometheus_client::encoding::{EncodeMetric, text};
use prometheus_client::metrics::TypedMetric;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// All metrics of one server process. Share it in an `Arc`; each handle is cheap to clone.
#[derive(Debug)]
pub struct Metrics {
    /// Open connections now, by transport; one counts from its accepted handshake to its end.
    pub connections: PerLabel<Transport, Gauge>,
    /// Rooms with at least one member now.
    pub rooms: Gauge,
    /// Members of all rooms now, the lost ones in their grace too.
    pub members: Gauge,
    /// Datagrams received from clients, the dropped ones too.
    pub datagrams_in: Counter,
    /// Datagrams handed to the transport for clients.
    pub datagrams_out: Counter,
    /// Frames sent again because nobody acked them.
    pub frames_repeated: Counter,
    /// Frames put off for viewers whose path is congested, or who do not answer.
    pub frames_paced: Counter,
    /// Ticks left out by rooms whose ticks take too long.
    pub ticks_skipped: Counter,
    /// Datagrams of either direction that were dropped, by cause.
    pub datagrams_dropped: PerLabel<DropCause, Counter>,
    /// Connections, hellos, joins and messages that were refused, by cause.
    pub rejects: PerLabel<RejectCause, Counter>,
    /// Events broadcast in rooms, counted once each, not per receiver.
    pub events: Counter,
    /// Events that the event log took.
    pub events_kept: Counter,
    /// Events that should have been kept and are not, by cause.
    pub events_not_kept: PerLabel<NotKeptCause, Counter>,
    /// Kept events that a look left out, since they are not what was written.
    pub kept_events_damaged: Counter,
    /// Edits that the store took, counted once each, not per receiver.
    pub edits: Counter,
    /// Whether the store takes edits, 1 or 0.
    pub store_available: Gauge,
    /// Bytes of edits that wait to be stored.
    pub store_queue_bytes: Gauge,
    /// Commits of the store, those of its own upkeep too.
    pub store_commits: Counter,
    /// Loads and lookups that the store refused at once, since commits failed or too many waited.
    pub store_reads_refused: Counter,
    /// Seconds from when a commit of the store began until it was durable.
    pub store_commit_seconds: Histogram,
    /// Sessions that were forgotten before their five minutes were over, as there were too many.
    pub sessions_forgotten: Counter,
    /// Seconds that a tick of one room took, from the drain to the last part handed out.
    pub tick_seconds: Histogram,
    /// Bytes of a datagram of frames; one that several viewers share counts about once.
    pub frame_bytes: Histogram,
    registry: Registry,
}

impl Metrics {
    /// Registers every metric under the prefix `hither_`, each label at zero from the start, so
    /// that a rate is never missing its first step.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("hither");
        let r = &mut registry;
        Self {
            connections: PerLabel::register(r, "connections", "Open connections", "transport"),
            rooms: register(r, "rooms", "Rooms with members", Gauge::default()),
            members: register(r, "members", "Members of all rooms", Gauge::default()),
            datagrams_in: register(r, "datagrams_in", "Datagrams received", Counter::default()),
            datagrams_out: register(r, "datagrams_out", "Datagrams sent", Counter::default()),
            frames_repeated: register(r, "frames_repeated", "Frames repeated", Counter::default()),
            frames_paced: register(r, "frames_paced", "Frames put off", Counter::default()),
            ticks_skipped: register(r, "ticks_skipped", "Ticks left out", Counter::default()),
            datagrams_dropped: PerLabel::register(
                r,
                "datagrams_dropped",
                "Datagrams dropped",
                "cause",
            ),
            rejects: PerLabel::register(r, "rejects", "What was refused", "cause"),
            events: register(r, "events", "Events broadcast", Counter::default()),
            events_kept: register(r, "events_kept", "Events kept", Counter::default()),
            events_not_kept: PerLabel::register(r, "events_not_kept", "Events not kept", "cause"),
            kept_events_damaged: register(
                r,
                "kept_events_damaged",
                "Kept events that are not what was written",
                Counter::default(),
            ),
            edits: register(r, "edits", "Edits stored", Counter::default()),
            store_available: register(
                r,
                "store_available",
                "Whether the store takes edits",
                Gauge::default(),
            ),
            store_queue_bytes: register(
                r,
                "store_queue_bytes",
                "Bytes of edits that wait to be stored",
                Gauge::default(),
            ),
            store_commits: register(r, "store_commits", "Commits of the store", Counter::default()),
            store_reads_refused: register(
                r,
                "store_reads_refused",
                "Loads and lookups that the store refused",
                Counter::default(),
            ),
            store_commit_seconds: register(
                r,
                "store_commit_seconds",
                "Duration of a commit of the store",
                Histogram::new(exponential_buckets(250e-6, 2.0, 15)),
            ),
            sessions_forgotten: register(
                r,
                "sessions_forgotten",
                "Sessions forgotten before their time",
                Counter::default(),
            ),
            tick_seconds: register(
                r,
                "tick_seconds",
                "Duration of one room's tick",
                Histogram::new(exponential_buckets(20e-6, 2.0, 12)),
            ),
            frame_bytes: register(
                r,
                "frame_bytes",
                "Bytes of a datagram of frames",
                Histogram::new([8., 16., 32., 64., 128., 256., 512., 768., 1000.]),
            ),
            registry,
        }
    }

    /// The text that `/metrics` answers, in the OpenMetrics format.
    ///
    /// # Errors
    /// None for a `String` as the writer; the signature is that of `fmt::Write`.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut out = String::with_capacity(8 * 1024);
        text::encode(&mut out, &self.registry)?;
        Ok(out)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// One metric for each value of a label, resolved when the server starts:
/// `metrics.rejects[RejectCause::Auth].inc()`.
#[derive(Debug)]
pub struct PerLabel<L, M> {
    handles: Vec<M>,
    label: std::marker::PhantomData<L>,
}

impl<L: Label, M> PerLabel<L, M>
where
    M: Clone + Default + fmt::Debug + EncodeMetric + TypedMetric + Send + Sync + 'static,
{
    fn register(registry: &mut Registry, name: &str, help: &str, key: &'static str) -> Self {
        let family = Family::<[(&'static str, &'static str); 1], M>::default();
        registry.register(name, help, family.clone());
        let handles =
            L::ALL.iter().map(|label| family.get_or_create_owned(&[(key, label.name())])).collect();
        Self { handles, label: std::marker::PhantomData }
    }
}

impl<L: Label, M> Index<L> for PerLabel<L, M> {
    type Output = M;

    fn index(&self, label: L) -> &M {
        // `register` makes one handle for each of `ALL`, in the order of their indices.
        &self.handles[label.index()]
    }
}

/// A closed set of label values; `labels!` implements it, so that no value can be forgotten.
pub trait Label: Copy + 'static {
    /// Every value, in the order of `index`.
    const ALL: &'static [Self];
    /// The value as Prometheus shows it.
    fn name(self) -> &'static str;
    /// The place of the value in `ALL`.
    fn index(self) -> usize;
}

macro_rules! labels {
    ($(#[$doc:meta])* $name:ident { $($(#[$value_doc:meta])* $value:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$value_doc])* $value,)+ }

        impl Label for $name {
            const ALL: &'static [Self] = &[$(Self::$value,)+];
            fn name(self) -> &'static str {
                match self { $(Self::$value => $text,)+ }
            }
            fn index(self) -> usize {
                self as usize
            }
        }
    };
}

labels! {
    /// How a client reached the server.
    Transport {
        /// Raw QUIC, ALPN `hither/1`.
        Quic = "quic",
        /// WebTransport over HTTP/3.
        WebTransport = "webtransport",
        /// WebSocket over TCP.
        WebSocket = "websocket",
        /// A bot of the server's own.
        Memory = "memory",
    }
}

labels! {
    /// Why a datagram was dropped.
    DropCause {
        /// The client's motion rate was over its limit, and a newer sample took its place.
        Rate = "rate",
        /// The client's bytes could not be decoded.
        Malformed = "malformed",
        /// It is longer than a motion datagram may be, or than the path carries.
        TooLarge = "too_large",
        /// The connection's motion buffer was full: the oldest went.
        BufferFull = "buffer_full",
        /// It names a room that this connection has not joined, or has left.
        UnknownRoom = "unknown_room",
        /// A newer sample had come before it, or it belongs to another epoch.
        Stale = "stale",
        /// The member lacks the right to move.
        NoRight = "no_right",
    }
}

labels! {
    /// Why an event is not kept.
    NotKeptCause {
        /// Too many wait: the disk does not keep up.
        QueueFull = "queue_full",
        /// The disk did not take it, or the server was ending.
        Failed = "failed",
    }
}

labels! {
    /// Why the server refused a connection, a hello, a join or a message.
    RejectCause {
        /// The page's origin is not on the allow-list.
        Origin = "origin",
        /// No transport handshake or CONNECT came in time.
        ConnectDeadline = "connect_deadline",
        /// No hello came in time.
        HelloDeadline = "hello_deadline",
        /// Too many connections have not said hello yet, in all or from one address.
        PendingLimit = "pending_limit",
        /// The client speaks another version of the protocol, or another protocol.
        Version = "version",
        /// The token, or its absence, does not let the client in.
        Auth = "auth",
        /// The grant does not hold the right that this needs.
        NoRight = "no_right",
        /// The client's bytes break the protocol.
        Malformed = "malformed",
        /// A message is over its cap in bytes.
        TooLarge = "too_large",
        /// The session sent more than its rate allows.
        Rate = "rate",
        /// The room, the namespace's name or the session's number of rooms does not allow the join.
        Room = "room",
        /// The viewer did not read its streams, and its queue was full.
        SlowViewer = "slow_viewer",
        /// The server is stopping.
        Draining = "draining",
    }
}

fn register<M: Clone + fmt::Debug + EncodeMetric + Send + Sync + 'static>(
    registry: &mut Registry,
    name: &str,
    help: &str,
    metric: M,
) -> M {
    registry.register(name, help, metric.clone());
    metric
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_count_in_the_printed_text() {
        let metrics = Metrics::new();
        metrics.connections[Transport::Quic].inc();
        metrics.members.set(7);
        metrics.datagrams_in.inc_by(3);
        metrics.datagrams_dropped[DropCause::BufferFull].inc();
        metrics.rejects[RejectCause::Auth].inc_by(2);
        metrics.tick_seconds.observe(0.001);
        metrics.frame_bytes.observe(600.0);
        let text = metrics.encode().unwrap();
        for line in [
            "hither_connections{transport=\"quic\"} 1",
            "hither_connections{transport=\"webtransport\"} 0",
            "hither_members 7",
            "hither_datagrams_in_total 3",
            "hither_datagrams_dropped_total{cause=\"buffer_full\"} 1",
            "hither_datagrams_dropped_total{cause=\"stale\"} 0",
            "hither_rejects_total{cause=\"auth\"} 2",
            "hither_tick_seconds_count 1",
            "hither_frame_bytes_bucket{le=\"512.0\"} 0",
            "hither_frame_bytes_bucket{le=\"768.0\"} 1",
        ] {
            assert!(text.lines().any(|l| l == line), "no line {line} in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn each_label_has_its_own_handle() {
        let metrics = Metrics::new();
        for (n, cause) in RejectCause::ALL.iter().enumerate() {
            assert_eq!(cause.index(), n);
            metrics.rejects[*cause].inc_by(n as u64 + 1);
        }
        for (n, cause) in RejectCause::ALL.iter().enumerate() {
            assert_eq!(metrics.rejects[*cause].get(), n as u64 + 1, "{}", cause.name());
        }
    }
}
