//! Every bound of a QUIC connection, in one place: quinn's defaults are none (200 streams of
//! 1.25 MB, datagram buffers of 1 MiB, no limit on the whole connection).

use std::sync::Arc;
use std::time::Duration;

use hither_protocol::limits;
use quinn::{AckFrequencyConfig, IdleTimeout, TransportConfig, VarInt};

use crate::congestion::FlooredConfig;

const IDLE_TIMEOUT_MS: u32 = 2_000;

/// Nothing heard of the peer for this long ends a connection: its members turn lost (R7). QUIC counts it from the first
/// packet that was sent since (RFC 9000, 10.1), so it takes up to a keep-alive longer: 2.5 s.
pub const IDLE_TIMEOUT: Duration = Duration::from_millis(IDLE_TIMEOUT_MS as u64);

/// The server's pings, often enough that some may be lost within the idle timeout. Each costs two packets.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_millis(KEEP_ALIVE_MS);
const KEEP_ALIVE_MS: u64 = 500;

/// How long a peer has been silent when its connection times out, give or take half a keep-alive, a quarter of a
/// second.
pub const SILENCE: Duration = Duration::from_millis(IDLE_TIMEOUT_MS as u64 + KEEP_ALIVE_MS / 2);

/// What the protocol allows, and 8 for the CONNECT of WebTransport and for streams that are
/// closed already but not yet by the other end.
pub(crate) const STREAMS: u32 = limits::STREAMS_MAX + 8;

/// Unread bytes of one stream: the longest message.
pub(crate) const STREAM_WINDOW: u32 = limits::MESSAGE_BYTES_MAX as u32;

/// Unread bytes of all streams of a connection.
const CONNECTION_WINDOW: u32 = 256 * 1024;

/// Bytes written to streams and not yet acknowledged: a viewer's queue.
const SEND_WINDOW: u64 = limits::VIEWER_STREAM_QUEUE_BYTES_MAX as u64;

/// Bytes of datagrams that wait to be sent, and that wait to be taken; then the oldest go. Half
/// a second of motion at 60 Hz: older is worthless.
pub(crate) const DATAGRAM_BUFFER: usize = limits::VIEWER_MOTION_QUEUE_BYTES_MAX;

/// HTTP/3 needs the control stream and two of QPACK; Chromium greases with one more.
const UNI_STREAMS: u32 = 8;

/// Packets that a peer of ours may leave without an ACK for as long as it waits with one; one more, and it answers at
/// once. QUIC's default is one: with two datagrams between two frames, each frame had a lone ACK beside it. Browsers do
/// not take the request.
const PACKETS_BEFORE_ACK: u32 = 4;

/// What the round trip is taken for until it is known: a lost packet of the handshake is sent again after three times
/// that. QUIC's default of 333 ms would leave a handshake one repeat within the idle timeout; this leaves three, for
/// the price of needless ones where the path takes longer.
const INITIAL_RTT: Duration = Duration::from_millis(100);

/// Which end a connection is configured for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// The transport parameters of every connection. At most `datagram_bytes` of datagrams wait to be sent.
pub(crate) fn transport_config(side: Side, datagram_bytes: usize) -> TransportConfig {
    let mut config = TransportConfig::default();
    config
        .max_concurrent_bidi_streams(STREAMS.into())
        .max_concurrent_uni_streams(UNI_STREAMS.into())
        .stream_receive_window(STREAM_WINDOW.into())
        .receive_window(CONNECTION_WINDOW.into())
        .send_window(SEND_WINDOW)
        .datagram_send_buffer_size(datagram_bytes)
        .datagram_receive_buffer_size(Some(DATAGRAM_BUFFER))
        .crypto_buffer_size(16 * 1024) // out-of-order handshake bytes; a chain is a few KiB
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(IDLE_TIMEOUT_MS))))
        // One end is enough, and browsers send none.
        .keep_alive_interval((side == Side::Server).then_some(KEEP_ALIVE))
        // Motion fits 1,200 bytes; a larger MTU makes snapshots cheaper for a few probes.
        .initial_rtt(INITIAL_RTT)
        .initial_mtu(1_200)
        .min_mtu(1_200)
        .ack_frequency_config(Some(ack_frequency()))
        .congestion_controller_factory(Arc::new(FlooredConfig::default()));
    config
}

fn ack_frequency() -> AckFrequencyConfig {
    let mut config = AckFrequencyConfig::default();
    config.ack_eliciting_threshold(PACKETS_BEFORE_ACK.into());
    config
}

/// Bounds of the server's endpoint, for connection attempts that nobody has accepted yet.
pub(crate) fn bound_incoming(config: &mut quinn::ServerConfig) {
    config
        .max_incoming(limits::PENDING_HELLOS_MAX) // more are refused at once
        .incoming_buffer_size(16 * 1024) // a client hello fits
        .incoming_buffer_size_total(8 << 20)
        .migration(true); // a phone that changes networks keeps its members
}
