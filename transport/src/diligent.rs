//! A task that goes on in one turn while it wakes itself.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;
use tokio::task::coop::{Unconstrained, unconstrained};

/// How often at most it is polled in one turn: of quinn's driver, each takes some 100 µs at most, as quinn says.
const POLLS: usize = 16;

/// quinn's driver of an endpoint reads for 50 µs, wakes itself, and waits for its next turn until each connection and
/// room that can run has had one. When a thousand members come back at once, the socket's buffer has megabytes of acks
/// meanwhile; what is not acked is sent again, and handshakes are lost. So its turns are longer.
pub(crate) struct Diligent<F> {
    /// Not bound by tokio's budget of operations a turn.
    future: Unconstrained<F>,
    bell: Arc<Bell>,
    waker: Waker,
}

impl<F> Diligent<F> {
    pub(crate) fn new(future: F) -> Self {
        let bell = Arc::<Bell>::default();
        Self { future: unconstrained(future), waker: bell.clone().into(), bell }
    }
}

impl<F: Future<Output = ()> + Unpin> Future for Diligent<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Self { future, bell, waker } = &mut *self;
        // Until the task waits, what wakes it is told to this loop alone.
        bell.task.take();
        for _ in 0..POLLS {
            bell.has_rung.swap(false, Ordering::AcqRel);
            if Pin::new(&mut *future).poll(&mut Context::from_waker(waker)).is_ready() {
                return Poll::Ready(());
            }
            if !bell.has_rung.load(Ordering::Acquire) {
                break;
            }
        }
        bell.task.register(context.waker());
        if bell.has_rung.load(Ordering::Acquire) {
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

/// Wakes the task, if it waits, and says that somebody has.
#[derive(Default)]
struct Bell {
    has_rung: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.has_rung.store(true, Ordering::Release);
        self.task.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, poll_fn};
    use std::sync::atomic::AtomicUsize;
    use tokio::sync::{mpsc, oneshot};
    use tokio::task::yield_now;

    /// Gives it some turns, and says after which of them it wanted another.
    fn turns<F: Future<Output = ()> + Unpin, const N: usize>(mut task: Diligent<F>) -> [bool; N] {
        let outer = Arc::<Bell>::default();
        let waker = Waker::from(outer.clone());
        [(); N].map(|()| {
            assert!(Pin::new(&mut task).poll(&mut Context::from_waker(&waker)).is_pending());
            outer.has_rung.swap(false, Ordering::Relaxed)
        })
    }

    #[test]
    fn it_goes_on_while_it_wakes_itself_and_then_lets_others_run() {
        let mut polls = 0;
        let task = Diligent::new(poll_fn(|context| {
            polls += 1;
            context.waker().wake_by_ref();
            Poll::Pending
        }));
        assert_eq!(turns(task), [true; 3]);
        assert_eq!(polls, 3 * POLLS);
    }

    #[test]
    fn when_it_has_done_all_it_wants_no_other_turn() {
        let mut polls = 0;
        let task = Diligent::new(poll_fn(|context| {
            polls += 1;
            if polls % 3 != 0 {
                context.waker().wake_by_ref();
            }
            Poll::Pending
        }));
        assert_eq!(turns(task), [false; 2], "that it woke itself is no news");
        assert_eq!(polls, 6);
    }

    #[tokio::test]
    async fn its_turn_is_not_cut_short_by_tokios_budget() {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        for number in 0..1_000 {
            sender.send(number).unwrap();
        }
        let mut read = 0;
        let task = Diligent::new(poll_fn(|context| {
            while receiver.poll_recv(context).is_ready() {
                read += 1;
            }
            Poll::Pending
        }));
        assert_eq!(turns(task), [false]);
        assert_eq!(read, 1_000);
    }

    #[tokio::test]
    async fn it_sleeps_until_something_wakes_it() {
        let polls = Arc::<AtomicUsize>::default();
        let counted = polls.clone();
        let (wake, mut woken) = oneshot::channel::<()>();
        let task = tokio::spawn(Diligent::new(poll_fn(move |context| {
            counted.fetch_add(1, Ordering::Relaxed);
            Pin::new(&mut woken).poll(context).map(drop)
        })));
        for _ in 0..10 {
            yield_now().await;
        }
        assert_eq!(polls.load(Ordering::Relaxed), 1);
        wake.send(()).unwrap();
        task.await.unwrap();
        assert_eq!(polls.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_runtime_that_ends_drops_what_it_drives() {
        let (alive, ended) = oneshot::channel::<()>();
        let task = tokio::spawn(Diligent::new(Box::pin(async move {
            let _alive = alive;
            pending::<()>().await;
        })));
        yield_now().await;
        task.abort();
        assert!(ended.await.is_err());
    }
}
