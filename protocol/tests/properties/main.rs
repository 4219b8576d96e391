//! What holds for all inputs: messages, views and sessions against any bytes, any network and any order.

#![expect(clippy::unwrap_used, reason = "all of this is tests, the helpers, too")]

mod any_message;
mod frames;
mod messages;
mod order;
mod playback;
mod session;
mod view;
