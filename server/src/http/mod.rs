//! Plain HTTP: the public listener that pages begin at, and the ops plane on its own listener,
//! apart from the lanes of clients, which never pass through here.

mod asker;
mod bots;
mod network;
mod ops;
mod page;
mod public;
mod serve;

pub(crate) use bots::bots_router;
pub(crate) use network::network_router;
pub use ops::{Readiness, ops_router};
pub use page::{NoPage, page_router};
pub use public::{Discovery, public_router};
pub use serve::run_http;
