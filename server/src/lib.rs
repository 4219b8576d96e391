//! The Hither server: I/O, policy and assembly around the rooms and sessions of `hither-core`.

#![forbid(unsafe_code)]

pub mod auth;
pub mod config;
pub mod http;
pub mod logging;
pub mod metrics;
pub mod server;
