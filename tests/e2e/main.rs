//! The whole house over real sockets on loopback: servers in this process or as the binary, clients over both
//! transports. A target of its own, because nothing below it may know both ends.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a helper of tests fails the test")]

mod backup;
mod bad_input;
mod basic;
mod bots;
mod certificate;
mod durable;
mod edits;
mod events;
mod history;
mod lifelines;
mod loss;
mod motion;
mod mute;
mod ops;
mod origin;
mod rates;
mod restarts;
mod resume;
mod rooms;
mod slow;
mod soak;
mod stop;
mod support;
mod tokens;
mod websocket;
