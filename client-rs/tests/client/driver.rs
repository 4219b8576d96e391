//! The driver alone, as a load generator uses it: no mailbox, an observer that reads each datagram's effect.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use hither_client::driver::{self, Activity};
use hither_client::{Event, Hello, Position, Slot};
use hither_protocol::message::control::ToServer;
use hither_protocol::motion::upward::Upward;
use hither_transport::memory;
use tokio::task::LocalSet;

use crate::server::{OTHER, ROOM, Server, soon};

/// Whose, and where if it is to be seen.
type Motion = (Slot, Option<Position>);

#[tokio::test(start_paused = true)]
async fn an_observer_that_is_not_send_sees_each_datagram_and_the_counters_count_them() {
    let (here, there) = memory::pair();
    let (handle, driver) = driver::start(here, Hello::default());
    let seen: Rc<RefCell<Vec<Motion>>> = Rc::default();
    let local = LocalSet::new();
    let run = {
        let seen = Rc::clone(&seen);
        driver.run(move |session, activity| match activity {
            Activity::Event(Event::Welcome { .. }) => {
                session.enter("default:lobby".parse().unwrap(), Default::default(), None);
            }
            Activity::Event(Event::Entered { .. }) => session.ping(1),
            Activity::Datagrams => {
                seen.borrow_mut().extend(std::iter::from_fn(|| session.poll_motion(ROOM)));
            }
            _ => {}
        })
    };
    local
        .run_until(async {
            let run = tokio::task::spawn_local(run);
            let mut server = Server::welcoming(there).await;
            server.admit(ROOM).await;
            assert!(matches!(server.next().await, ToServer::Ping(_)));
            for x in 0..3 {
                server.frame(ROOM, 101 + x, &[(OTHER, Position::xy(x as i32, 0))]);
                assert!(matches!(server.next_datagram().await[..], [Upward::Ack(_)]));
            }
            handle.with(|session, now| session.set_motion(now, ROOM, Position::xy(4, 4)));
            assert!(matches!(server.next_datagram().await[..], [Upward::Sample(_)]));
            assert_eq!(handle.link().stats().datagrams_received, 3);
            assert_eq!(handle.datagrams_unsent(), 0);

            server.link.close(4200, "");
            assert_eq!(soon(run).await.unwrap().code, Some(4200));
        })
        .await;
    let expected: Vec<_> = (0..3).map(|x| (OTHER, Some(Position::xy(x, 0)))).collect();
    assert_eq!(*seen.borrow(), expected);
    tokio::time::advance(Duration::from_secs(1)).await; // the next sample would be due at once
    handle.with(|session, now| session.set_motion(now, ROOM, Position::xy(5, 5)));
    assert_eq!(handle.datagrams_unsent(), 0, "it waits for another connection");
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_is_dropped_closes_the_connection() {
    let (here, there) = memory::pair();
    let (handle, driver) = driver::start(here, Hello::default());
    drop(driver);
    soon(there.closed()).await;
    assert_eq!(soon(handle.closed()).await.code, None);
}
