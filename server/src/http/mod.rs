//! Plain HTTP: the public listener that pages begin at, and the ops plane on its own listener,
//! and the door of WebSockets. The lanes of clients never pass through here.

mod asker;
mod bots;
mod network;
mod ops;
mod page;
mod public;
mod serve;
mod websocket;

pub(crate) use bots::bots_router;
pub(crate) use network::network_router;
pub use ops::{Readiness, Stores, ops_router};
pub use page::{NoPage, page_router};
pub use public::{Discovery, public_router};
pub(crate) use serve::{Door, run_http};
pub(crate) use websocket::{websocket_router, websockets_only};
