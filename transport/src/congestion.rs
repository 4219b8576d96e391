//! How much may be under way: QUIC's own rule, CUBIC (RFC 9438), with a floor. Apart from the bounds, as it is a rule.
//!
//! A connection that only carries motion never fills its window, so the window never grows back after a loss: it would
//! stay at two packets, which at a round trip that a moment's stall has made long is less than the few frames a second
//! that presence is. The floor is what a new connection may send without knowing anything (RFC 9002, section 7.2). A
//! path that can't take it shows in the acks of frames, and the room slows down for that viewer.

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use quinn::congestion::{Controller, ControllerFactory, CubicConfig};
use quinn_proto::RttEstimator;

/// The initial window of RFC 9002, in bytes.
const FLOOR: u64 = 14_720;

/// Makes a [`Floored`] for each connection.
#[derive(Debug, Default)]
pub(crate) struct FlooredConfig(Arc<CubicConfig>);

/// CUBIC that never goes below [`FLOOR`].
struct Floored(Box<dyn Controller>);

impl ControllerFactory for FlooredConfig {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        Box::new(Floored(self.0.clone().build(now, current_mtu)))
    }
}

impl Controller for Floored {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.0.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(
        &mut self,
        now: Instant,
        sent: Instant,
        bytes: u64,
        app_limited: bool,
        rtt: &RttEstimator,
    ) {
        self.0.on_ack(now, sent, bytes, app_limited, rtt);
    }

    fn on_end_acks(
        &mut self,
        now: Instant,
        in_flight: u64,
        app_limited: bool,
        largest_packet_num_acked: Option<u64>,
    ) {
        self.0.on_end_acks(now, in_flight, app_limited, largest_packet_num_acked);
    }

    fn on_congestion_event(
        &mut self,
        now: Instant,
        sent: Instant,
        is_persistent_congestion: bool,
        lost_bytes: u64,
    ) {
        self.0.on_congestion_event(now, sent, is_persistent_congestion, lost_bytes);
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.0.on_mtu_update(new_mtu);
    }

    fn window(&self) -> u64 {
        self.0.window().max(FLOOR)
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(Self(self.0.clone_box()))
    }

    fn initial_window(&self) -> u64 {
        self.0.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_leave_what_motion_needs() {
        let now = Instant::now();
        let mut controller = Arc::new(FlooredConfig::default()).build(now, 1_200);
        for _ in 0..10 {
            controller.on_congestion_event(now, now, true, 1_200);
        }
        assert_eq!(controller.window(), FLOOR);
    }
}
