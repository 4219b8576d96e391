//! Hither's client for Rust programs: bots, tools, games.
//!
//! A [`Client`] is one connection, a [`Room`] one membership in a room; both are for async programs on tokio.
//! [`Polled`] is the same for loops that never wait. [`driver`] is what both stand on, for programs that hold thousands
//! of connections.
//!
//! ```no_run
//! use hither_client::{Client, Event, Map, Position};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::builder("https://127.0.0.1:4433").name("Ada").connect().await?;
//! let room = client.enter("default:lobby", Map::from([("color".into(), "red".into())])).await?;
//! println!("{} others are here", room.others().len());
//!
//! room.set_motion(Position::xy(120, 80));
//! room.broadcast("wave", "hello")?;
//! loop {
//!     tokio::select! {
//!         Some((slot, position)) = room.next_motion() => match position {
//!             Some(position) => println!("{slot} is at {} {}", position.x(), position.y()),
//!             None => println!("{slot} is not to be seen any more"),
//!         },
//!         event = room.next_event() => match event {
//!             Some(Event::MemberJoined { slot, .. }) => println!("{:?} came", room.member(slot)),
//!             Some(Event::Broadcast { from, name, .. }) => println!("{from} sent {name}"),
//!             Some(_) => {}
//!             None => break,
//!         },
//!     }
//! }
//! println!("{}", client.closed().await);
//! # Ok(())
//! # }
//! ```
//!
//! # Motion and everything else
//!
//! Positions are set and read at any time and newest wins; nothing of them waits in a queue. Everything else is
//! reliable and in order, and waits for the application up to a bound: see [`Room::next_event`].
//!
//! # Features
//!
//! `webtransport` (default): connect over WebTransport besides raw QUIC.

#![forbid(unsafe_code)]

mod client;
mod closed;
mod connect;
pub mod driver;
mod edits;
mod keeper;
mod mailbox;
mod outgoing;
mod polled;
mod room;

pub use client::{Client, EnterError};
pub use closed::Closed;
pub use connect::{AuthError, ConnectError, ConnectOptions};
pub use edits::{HistoryError, SubmitError, Submitted};
pub use mailbox::EVENTS_BYTES_MAX;
pub use outgoing::{Refused, SendError};
pub use polled::{Polled, PolledState};
pub use room::Room;

pub use hither_protocol::message::control::{
    EventId, Hello, KeptEvent, Member, MotionFormat, Status, User, Viewport,
};
pub use hither_protocol::message::edits::{Ack, Edit, Op, OpKind};
pub use hither_protocol::message::{Map, Refusal, Rights, Value};
pub use hither_protocol::motion::Position;
pub use hither_protocol::reconnect::{LostConnection, Status as ConnectionStatus};
pub use hither_protocol::session::{self, Event, Records, Resolve, Session};
pub use hither_protocol::{CloseCode, Reaction, RoomHandle, RoomName, Slot};
pub use hither_transport::{ClientEndpoint, ClientTls, Link, LinkStats, Transport};
