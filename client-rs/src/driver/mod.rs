//! One session over one link: what the async client, the polled one and load generators share.
//!
//! [`start`] pairs a [`Session`] with a [`Link`]. The [`Driver`] is the one task that reads the lanes, keeps the
//! session's timers and says what happened to an observer; the [`Handle`] lets anybody act on the session, from any
//! thread and without waiting. The session stands under a mutex that is never held over an await, so that a move is one
//! lock and, when it is due, one datagram given to the transport, without a message to any task.
//!
//! The observer runs under that lock, after each thing that arrived:
//!
//! ```no_run
//! # async fn run(link: hither_transport::Link) {
//! use hither_client::driver::{self, Activity};
//! use hither_client::{Event, Hello};
//!
//! let (handle, driver) = driver::start(link, Hello::default());
//! let room = "default:lobby".parse().expect("a literal");
//! handle.with(|session, _now| session.enter(room, Default::default(), None));
//! let mut entered = None;
//! let closed = driver.run(|session, activity| match activity {
//!     Activity::Event(Event::Entered { room, .. }) => entered = Some(room),
//!     Activity::Datagrams => {
//!         let Some(room) = entered else { return };
//!         while let Some((slot, position)) = session.poll_motion(room) {
//!             println!("{slot} is at {:?}", position.map(|position| position.axes()));
//!         }
//!     }
//!     _ => {}
//! });
//! println!("{}", closed.await);
//! # }
//! ```
//!
//! [`Session`]: hither_protocol::session::Session
//! [`Link`]: hither_transport::Link

mod handle;
mod lanes;
mod run;

pub use handle::{Handle, OUTGOING_BYTES_MAX, start};
pub use run::{Activity, Driver};
