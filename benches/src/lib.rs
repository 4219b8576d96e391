//! The load generator's parts, and what the criterion benches share. It is a library so that the
//! binaries stay thin and each measure is tested apart from any server.

pub mod ages;
pub mod codec;
pub mod layout;
pub mod load;
pub mod mouse;
pub mod process;
pub mod report;
pub mod schedule;
pub mod traces;
