//! The client against a scripted server at the other end of a memory link, in virtual time where nothing needs threads.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a helper of tests fails the test")]

mod conformance;
mod connect;
mod driver;
mod edits;
mod history;
mod polled;
mod reconnect;
mod room;
mod sample;
mod server;
