//! The tests of the transport over loopback sockets and memory, in one binary to link once.

#[cfg(test)]
mod common;
#[cfg(test)]
mod handshake;
#[cfg(test)]
mod interop;
#[cfg(test)]
mod links;
#[cfg(test)]
mod websocket;
