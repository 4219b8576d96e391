//! The Hither server: I/O, policy and assembly around the rooms and sessions of `hither-core`.
//!
//! [`server::run`] is the whole program. A client's way in: `connection` takes it from its first packet, `auth` judges
//! its hello, `rooms` has the rooms and their tickers, `store` their documents,
//! `event_log` their events; `bots` are clients of the server's own.
//! [`config`], [`metrics`], [`http`] and [`logging`] are the operator's.

#![forbid(unsafe_code)]

pub use hither_core::{Proposal, Validator};

pub mod auth;
mod bots;
mod certificate;
pub mod config;
mod connection;
mod data;
pub mod event_log;
pub mod http;
mod invitation;
pub mod logging;
pub mod metrics;
mod outbox;
pub mod registry;
mod rooms;
pub mod server;
mod sessions;
pub mod store;
mod sync;
