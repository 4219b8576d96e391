//! What several suites share: the network and the server of a simulated world, without sockets and without a clock.

pub mod net;
pub mod server;
