//! What both ends of Hither agree on: ids, limits, close codes, messages, the motion codec and the client's session.
//!
//! Everything here is pure: no I/O, no clock, no randomness, no runtime. `docs/PROTOCOL.md` is the specification; each
//! module names the rules that it implements. The server's end of a session lives in `hither-core`, since servers of
//! one version may change it without asking any client.

#![forbid(unsafe_code)]

pub mod close;
pub mod document;
pub mod ids;
pub mod limits;
pub mod message;
pub mod motion;
pub mod order;
pub mod playback;
pub mod reconnect;
pub mod session;
pub mod time;
pub mod varint;

pub use close::{CloseCode, Reaction};
pub use ids::{DocumentId, EditorId, Epoch, Generation, RoomHandle, RoomName, Slot, Tick};
pub use reconnect::Reconnect;
pub use time::Timestamp;

/// The version of the protocol that this crate speaks, as it stands in `hello`, in the path and in the ALPN.
pub const VERSION: u32 = 1;

/// The path of a WebTransport session (rule H1).
pub const PATH: &str = "/hither/1";

/// The ALPN of raw QUIC (rule H1).
pub const ALPN: &str = "hither/1";
