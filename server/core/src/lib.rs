//! Rooms and the server's end of sessions: everything that Hither decides, without I/O, clock or randomness.
//!
//! A [`Session`] is one connection's state machine: it reads the client's messages, checks rights, rates and sizes, and
//! says by [`Effect`]s what to do. A [`Room`] is one room's: it keeps members, presence, motion and document, and says
//! by [`Output`]s what to send. Whoever drives them, the server or a simulation, does the same few things:
//!
//! 1. hand what arrived to the session (`handle_*`, with `now`),
//! 2. carry each effect of [`Session::poll_effect`] to the room that it names,
//! 3. carry each output of [`Room::poll_output`] to the viewers' links,
//! 4. call `handle_timeout` no later than `poll_timeout` says.
//!
//! Nothing here fails: what a peer does wrong ends in an effect that says so.

#![forbid(unsafe_code)]

mod grant;
mod policy;
mod rate;
pub mod room;
pub mod session;
mod sessions;
mod validator;

pub use grant::{Grant, Pattern, PatternError, RoomGrant};
pub use policy::{DOCUMENT_BYTES_MAX, RECORDS_MAX, Rates, RoomPolicy, SessionPolicy};
pub use rate::Bucket;
pub use room::{NewMember, Output, Recipient, Room, RoomId};
pub use session::{Effect, Session, SessionId};
pub use sessions::{ConnectionId, ResumeClaims, SavedSession, Sessions, Verdict};
pub use validator::{Proposal, Validator};
