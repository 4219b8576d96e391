//! The TCP stream under a WebSocket, plain or in TLS: how little of it waits in the kernel, and when the peer was heard
//! last, which nothing above can tell while a long message is on its way.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use crate::tls::ServerTls;

/// Bytes that the kernel holds and has not sent, beyond which it takes no more: motion that waits there can't be
/// dropped any more. What is under way to the peer does not count, so a fast path stays fast. A viewer that begins to
/// read again has 10 KB of old motion before the newest then; with 32 KiB it has 37 KB, with 128 KiB 134 KB.
const UNSENT_MAX: u32 = 8 * 1024;

/// A TCP stream, plain or in TLS.
pub struct Socket {
    stream: Stream,
    address: SocketAddr,
    heard: Arc<Pulse>,
}

impl Socket {
    /// A plain stream.
    ///
    /// # Errors
    ///
    /// The stream's own: it has no peer any more, or takes no options.
    pub fn plain(stream: TcpStream) -> io::Result<Self> {
        let (stream, address, heard) = Tcp::new(stream)?;
        Ok(Self { stream: Stream::Plain(stream), address, heard })
    }

    /// The client's end of a stream in TLS.
    pub(super) async fn connect_tls(
        stream: TcpStream,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> io::Result<Self> {
        let (stream, address, heard) = Tcp::new(stream)?;
        let stream = TlsConnector::from(config).connect(name, stream).await?;
        Ok(Self { stream: Stream::Tls(Box::new(stream.into())), address, heard })
    }

    /// Where the peer is.
    pub fn remote_address(&self) -> SocketAddr {
        self.address
    }

    /// When the peer was heard.
    pub(super) fn heard(&self) -> Arc<Pulse> {
        Arc::clone(&self.heard)
    }
}

/// What a listener over TCP presents: the certificate of the [`Listener`](crate::Listener) that gave it, the newest.
#[derive(Clone, Debug)]
pub struct TcpTls(watch::Receiver<ServerTls>);

impl TcpTls {
    pub(crate) fn new(tls: watch::Receiver<ServerTls>) -> Self {
        Self(tls)
    }

    /// Goes through TLS with a client that has connected. There is no deadline: wrap this in a timeout.
    ///
    /// # Errors
    ///
    /// The client's or the network's: TLS did not fit, or the client has gone.
    pub async fn accept(&self, stream: TcpStream) -> io::Result<Socket> {
        let (stream, address, heard) = Tcp::new(stream)?;
        let config = Arc::clone(&self.0.borrow().tcp);
        let stream = TlsAcceptor::from(config).accept(stream).await?;
        Ok(Socket { stream: Stream::Tls(Box::new(stream.into())), address, heard })
    }
}

/// When the peer was heard last, and how much has passed.
#[derive(Debug)]
pub(super) struct Pulse {
    began: Instant,
    /// Microseconds since then.
    at: AtomicU64,
    bytes_received: AtomicU64,
    bytes_sent: AtomicU64,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            at: AtomicU64::new(0),
            bytes_received: AtomicU64::new(0),
            bytes_sent: AtomicU64::new(0),
        }
    }

    pub(super) fn beat(&self) {
        // Half a million years fit.
        self.at.store(self.now().as_micros() as u64, Ordering::Relaxed);
    }

    /// How long there has been this pulse.
    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Bytes of the TCP stream: received, and sent.
    pub(super) fn bytes(&self) -> (u64, u64) {
        (self.bytes_received.load(Ordering::Relaxed), self.bytes_sent.load(Ordering::Relaxed))
    }

    pub(super) fn last(&self) -> Instant {
        self.began + Duration::from_micros(self.at.load(Ordering::Relaxed))
    }
}

enum Stream {
    Plain(Tcp),
    Tls(Box<TlsStream<Tcp>>),
}

/// A stream that knows when its peer was heard.
struct Tcp {
    stream: TcpStream,
    heard: Arc<Pulse>,
    is_full: bool,
}

impl Tcp {
    fn new(stream: TcpStream) -> io::Result<(Self, SocketAddr, Arc<Pulse>)> {
        let address = stream.peer_addr()?;
        stream.set_nodelay(true)?;
        bound_unsent(&stream)?;
        let heard = Arc::new(Pulse::new());
        Ok((Self { stream, heard: Arc::clone(&heard), is_full: false }, address, heard))
    }

    fn wrote(&mut self, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let was_full = std::mem::replace(&mut self.is_full, outcome.is_pending());
        if let Poll::Ready(Ok(bytes)) = outcome {
            self.heard.bytes_sent.fetch_add(bytes as u64, Ordering::Relaxed);
        }
        if was_full && matches!(outcome, Poll::Ready(Ok(_))) {
            // There is room again because the peer's machine has acked: a word of it, too.
            self.heard.beat();
        }
        outcome
    }
}

#[cfg(target_os = "linux")]
fn bound_unsent(stream: &TcpStream) -> io::Result<()> {
    SockRef::from(stream).set_tcp_notsent_lowat(UNSENT_MAX)
}

/// Elsewhere all that the kernel holds is bounded, what is under way with the rest.
#[cfg(not(target_os = "linux"))]
fn bound_unsent(stream: &TcpStream) -> io::Result<()> {
    SockRef::from(stream).set_send_buffer_size(4 * UNSENT_MAX as usize)
}

impl AsyncRead for Tcp {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let bytes = buf.filled().len() - before;
        if bytes > 0 {
            self.heard.beat();
            self.heard.bytes_received.fetch_add(bytes as u64, Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.wrote(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Hands a call down to whichever stream it is.
macro_rules! delegate {
    ($socket:expr, $method:ident($($argument:expr),*)) => {
        match &mut $socket.stream {
            Stream::Plain(stream) => Pin::new(stream).$method($($argument),*),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).$method($($argument),*),
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        delegate!(self, poll_read(cx, buf))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        delegate!(self, poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        delegate!(self, poll_write_vectored(cx, bytes))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, poll_shutdown(cx))
    }
}
