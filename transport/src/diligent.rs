//! A task that goes on in one turn while it wakes itself.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;
use tokio::task::coop::{Unconstrained, unconstrained};

/// How often at most it is polled in one turn: of quinn's driver, each takes 100 µs at most.
const POLLS: usize = 16;

/// quinn's driver of an endpoint reads for 50 µs, wakes itself, and waits for its next turn until each connection and
/// room that can run has had one. When a thousand of them send, it reads a few thousand datagrams a second; the
/// socket's buffer fills with acks, what is not acked is sent again, and handshakes are lost. So its turns are longer.
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
    use tokio::sync::oneshot;
    use tokio::task::yield_now;

    #[test]
    fn it_goes_on_while_it_wakes_itself_and_then_lets_others_run() {
        let mut polls = 0;
        let mut task = Diligent::new(poll_fn(|context| {
            polls += 1;
            context.waker().wake_by_ref();
            Poll::Pending
        }));
        let turn = Arc::<Bell>::default();
        for _ in 0..3 {
            let waker = Waker::from(turn.clone());
            assert!(Pin::new(&mut task).poll(&mut Context::from_waker(&waker)).is_pending());
            assert!(turn.has_rung.swap(false, Ordering::Relaxed), "it wants another turn");
        }
        drop(task);
        assert_eq!(polls, 3 * POLLS);
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
