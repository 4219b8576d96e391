//! The UDP socket under an endpoint, with buffers for bursts: the kernel's default of 208 KiB
//! loses an eighth of 500 datagrams that come at once.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};

use crate::tls::TlsError;

/// What an endpoint asks the kernel for, in bytes, for each direction.
const WANTED: usize = 4 << 20;

/// The buffers that the kernel gave to a socket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SocketBuffers {
    /// Bytes asked for, for each direction.
    pub wanted: usize,
    /// Bytes that may wait to be received.
    pub receive: usize,
    /// Bytes that may wait to be sent.
    pub send: usize,
}

impl SocketBuffers {
    /// Whether the kernel gave less than was asked for, so that bursts may be lost; on Linux
    /// the operator can raise `net.core.rmem_max` and `net.core.wmem_max`.
    pub fn fall_short(&self) -> bool {
        self.receive < self.wanted || self.send < self.wanted
    }
}

/// Why an endpoint could not be bound.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The operator's fault: the address is taken, or not one of this machine's.
    #[error("cannot bind the UDP socket: {0}")]
    Socket(#[from] io::Error),
    /// The operator's fault: no usable certificate or roots.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Binds `address`; the port 0 takes a free one.
pub(crate) fn bind(address: SocketAddr) -> io::Result<(UdpSocket, SocketBuffers)> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.ip().is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?; // [::] serves IPv4 too, on every system
    }
    // A kernel that refuses leaves its default, which the caller learns from what is read back.
    let _ = socket.set_recv_buffer_size(WANTED);
    let _ = socket.set_send_buffer_size(WANTED);
    socket.bind(&address.into())?;
    let buffers = SocketBuffers {
        wanted: WANTED,
        receive: socket.recv_buffer_size()? / BOOKKEEPING,
        send: socket.send_buffer_size()? / BOOKKEEPING,
    };
    Ok((socket.into(), buffers))
}

/// Linux doubles what it is asked for, for its own bookkeeping, and reports the double.
const BOOKKEEPING: usize = if cfg!(target_os = "linux") { 2 } else { 1 };
