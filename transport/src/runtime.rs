//! quinn's runtime with patient timers and a diligent reader. Apart because quinn sees no more of it than a trait.
//!
//! What is due far enough ahead may be done a little late, so that it needs no packet and no wake-up of its own.
//!
//! Three kinds of deadlines go through quinn's one timer a connection, told apart by how far ahead they lie:
//!
//! - Pacing and losses on a short path are a few ms ahead, and are kept.
//! - An acknowledgement is due 25 ms after its packet came (RFC 9000's default of `max_ack_delay`). What carries it for
//!   nothing comes later: the server's next frame within 33 ms at 30 Hz, the client's next sample within 46 ms at
//!   20 Hz. So it waits 24 ms longer, and so do probes, which are due 25 ms after a packet on a short path: whatever
//!   was probed for is acked at once, which makes the path look shorter, and the next probe come sooner. What it
//!   costs: a loss on a long path is made good so much later.
//! - Keep-alives and idle timeouts are seconds ahead, and meet on a grid: a thousand connections at rest wake the
//!   server 30 times a second, not once each.
//!
//! The endpoint's driver, which alone reads the socket, goes on for longer at a time than quinn lets it (`diligent`).

use std::future::Future;
use std::io;
use std::net::UdpSocket;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use quinn::{AsyncTimer, AsyncUdpSocket, Runtime, TokioRuntime};

use crate::diligent::Diligent;

/// A deadline nearer than this is kept.
const NEAR: Duration = Duration::from_millis(15);

/// RFC 9000's default of `max_ack_delay`, which quinn keeps.
const MAX_ACK_DELAY: Duration = Duration::from_millis(25);

/// A deadline this far ahead or further goes to the next point of the grid.
const FAR: Duration = Duration::from_millis(500);

/// The distance between two points of the grid.
const GRID: Duration = Duration::from_millis(32);

/// By how much a deadline that is not near is late.
const PATIENCE: Duration = Duration::from_millis(24);

/// After how long an endpoint acks by a packet of its own.
pub(crate) const ACK_DELAY: Duration = MAX_ACK_DELAY.saturating_add(PATIENCE);

/// tokio's runtime, on which timers are patient and the reader is diligent.
#[derive(Debug)]
pub(crate) struct PatientRuntime {
    patience: Patience,
    /// Whether the endpoint's driver runs, which quinn spawns before those of connections.
    drives: AtomicBool,
}

impl PatientRuntime {
    /// A runtime for one endpoint. To be used within a tokio runtime.
    pub(crate) fn shared() -> Arc<Self> {
        let patience = Patience { start: TokioRuntime.now() };
        Arc::new(Self { patience, drives: AtomicBool::new(false) })
    }
}

impl Runtime for PatientRuntime {
    fn new_timer(&self, due: Instant) -> Pin<Box<dyn AsyncTimer>> {
        let timer = TokioRuntime.new_timer(self.patience.prolong(due, TokioRuntime.now()));
        Box::pin(PatientTimer { timer, patience: self.patience })
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        if self.drives.swap(true, Ordering::Relaxed) {
            TokioRuntime.spawn(future);
        } else {
            TokioRuntime.spawn(Box::pin(Diligent::new(future)));
        }
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        TokioRuntime.wrap_udp_socket(socket)
    }

    fn now(&self) -> Instant {
        TokioRuntime.now()
    }
}

#[derive(Debug)]
struct PatientTimer {
    timer: Pin<Box<dyn AsyncTimer>>,
    patience: Patience,
}

impl AsyncTimer for PatientTimer {
    fn reset(mut self: Pin<&mut Self>, due: Instant) {
        let due = self.patience.prolong(due, TokioRuntime.now());
        self.timer.as_mut().reset(due);
    }

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.timer.as_mut().poll(context)
    }
}

/// How late things are done.
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// The grid's first point.
    start: Instant,
}

impl Patience {
    /// When to do what is `due`: never earlier, and at most [`GRID`] later.
    fn prolong(&self, due: Instant, now: Instant) -> Instant {
        let ahead = due.saturating_duration_since(now);
        if ahead < NEAR {
            due
        } else if ahead < FAR {
            due + PATIENCE
        } else {
            let past_point = due.saturating_duration_since(self.start).as_nanos() % GRID.as_nanos();
            // Below the grid's 32,000,000 ns.
            due + GRID - Duration::from_nanos(past_point as u64)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn prolong(due: Instant, now: Instant, start: Instant) -> Instant {
        Patience { start }.prolong(due, now)
    }

    #[test]
    fn what_is_near_or_past_is_kept() {
        let now = Instant::now();
        for due in [now, now + ms(1), now + ms(14)] {
            assert_eq!(prolong(due, now, now), due);
            assert_eq!(prolong(due, now + ms(100), now), due);
        }
    }

    #[test]
    fn an_acknowledgement_waits_for_what_takes_it_along_and_not_much_longer() {
        let now = Instant::now();
        let waits = prolong(now + MAX_ACK_DELAY, now, now) - now;
        assert!(waits > ms(47) && waits < ms(50), "for a sample at 20 Hz: {waits:?}");
        assert_eq!(ACK_DELAY, waits);
    }

    #[test]
    fn what_is_far_ahead_meets_on_the_grid_and_is_never_early() {
        let start = Instant::now();
        let now = start + ms(77);
        let mut points = Vec::new();
        for ahead in 1_000..1_320 {
            let due = now + ms(ahead);
            let at = prolong(due, now, start);
            assert!(at >= due && at <= due + GRID, "{ahead}");
            points.push(at);
        }
        points.dedup();
        assert_eq!(points.len(), 11, "320 deadlines within 320 ms");
        assert!(points.windows(2).all(|pair| pair[1] - pair[0] == GRID));
    }

    #[tokio::test]
    async fn the_first_that_quinn_spawns_is_an_endpoints_driver_and_diligent() {
        let runtime = PatientRuntime::shared();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let config = quinn::EndpointConfig::default();
        let _endpoint = quinn::Endpoint::new(config, None, socket, runtime.clone()).unwrap();
        assert!(runtime.drives.load(Ordering::Relaxed), "there is no connection yet");

        let in_one_turn = async |runtime: Arc<PatientRuntime>| {
            let polls = Arc::<AtomicUsize>::default();
            let counted = polls.clone();
            runtime.spawn(Box::pin(std::future::poll_fn(move |context| {
                if counted.fetch_add(1, Ordering::Relaxed) < 4 {
                    context.waker().wake_by_ref();
                }
                Poll::Pending
            })));
            // The next task in the queue runs after its first turn.
            tokio::spawn(async move { polls.load(Ordering::Relaxed) }).await.unwrap()
        };
        assert_eq!(in_one_turn(runtime).await, 1, "one of a connection takes turns");
        assert_eq!(in_one_turn(PatientRuntime::shared()).await, 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_timer_is_patient_from_its_making_and_after_a_reset() {
        let runtime = PatientRuntime::shared();
        let mut timer = runtime.new_timer(runtime.now() + ms(25));
        for due in [ms(25), ms(5), ms(400)] {
            let from = runtime.now();
            timer.as_mut().reset(from + due);
            std::future::poll_fn(|context| timer.as_mut().poll(context)).await;
            assert_eq!(runtime.now() - from, if due < NEAR { due } else { due + PATIENCE });
        }
    }
}
