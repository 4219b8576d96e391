//! The bounds of a whole server. The protocol's table is their ceiling: clients rely on it, so they
//! can only be lowered.

use hither_protocol::limits as wire;
use serde::Deserialize;

use super::bounds::within;

/// The table `[limits]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Connections that may be without a hello at once, 1 to 2,048; more are refused. Costs some 20
    /// KiB of memory each, that of a TLS handshake. Default: 2,048.
    #[serde(deserialize_with = "within::<1, { wire::PENDING_HELLOS_MAX as u64 }, _, _>")]
    pub pending_hellos_max: usize,
    /// The same, from one address, 1 to 64; loopback is exempt. Users behind one address share it,
    /// for as long as their handshakes take. Default: 64.
    #[serde(
        deserialize_with = "within::<1, { wire::PENDING_HELLOS_PER_ADDRESS_MAX as u64 }, _, _>"
    )]
    pub pending_hellos_per_address_max: usize,
    /// Sessions that may begin in a second, 1 to 65,535, and twice as many at once; who is over it gets a bye with
    /// advice when to come back. Each costs the CPU of a TLS handshake; more of them than a machine can take delay
    /// those who are there. Default: 2,000.
    #[serde(deserialize_with = "within::<1, 65_535, _, _>")]
    pub hellos_per_s: u32,
    /// Milliseconds that a client has for its CONNECT, and again for its hello, 100 to 5,000. Less
    /// cuts off clients on slow networks. Default: 5,000.
    #[serde(deserialize_with = "within::<100, { wire::HELLO_DEADLINE_MS }, _, _>")]
    pub hello_deadline_ms: u64,
    /// Rooms that a session may be in at once, 1 to 16. Each costs a stream of up to 64 KiB of
    /// receive window. Default: 16.
    #[serde(deserialize_with = "within::<1, { wire::ROOMS_PER_SESSION_MAX as u64 }, _, _>")]
    pub rooms_per_session_max: usize,
    /// Bytes that may wait for one viewer on its streams, 196,608 to 262,144; a viewer over it is
    /// closed, to come back and be sent a snapshot. Worst-case memory is this times the
    /// connections. Default: 262,144.
    #[serde(deserialize_with = "within::<QUEUE_MIN, QUEUE_MAX, _, _>")]
    pub viewer_queue_bytes_max: usize,
    /// Bytes of motion that may wait for one viewer, 2,000 to 32,768; over it the oldest is
    /// dropped. Less loses motion of big rooms, whose frames have several parts. Default: 32,768.
    #[serde(
        deserialize_with = "within::<2_000, { wire::VIEWER_MOTION_QUEUE_BYTES_MAX as u64 }, _, _>"
    )]
    pub viewer_motion_bytes_max: usize,
}

/// A queue holds at least what one tick of a room can bring, and a page beside it.
const QUEUE_MIN: u64 = 192 * 1024;
const QUEUE_MAX: u64 = wire::VIEWER_STREAM_QUEUE_BYTES_MAX as u64;

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            pending_hellos_max: wire::PENDING_HELLOS_MAX,
            pending_hellos_per_address_max: wire::PENDING_HELLOS_PER_ADDRESS_MAX,
            hellos_per_s: 2_000,
            hello_deadline_ms: wire::HELLO_DEADLINE_MS,
            rooms_per_session_max: wire::ROOMS_PER_SESSION_MAX,
            viewer_queue_bytes_max: wire::VIEWER_STREAM_QUEUE_BYTES_MAX,
            viewer_motion_bytes_max: wire::VIEWER_MOTION_QUEUE_BYTES_MAX,
        }
    }
}
