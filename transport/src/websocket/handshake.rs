//! The handshake of both ends: how a request of HTTP/1.1 becomes a WebSocket.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use hither_protocol::limits::MESSAGE_BYTES_MAX;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_tungstenite::tungstenite::http::header::ORIGIN;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Request, Response};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use url::Url;

use super::bridged;
use super::message::HEADER_BYTES_MAX;
use super::socket::Socket;
use crate::bounds::{DATAGRAM_BUFFER, IDLE_TIMEOUT, Side};
use crate::client::ConnectError;
use crate::link::{Closed, Link};

/// The answer to a client that asks for a WebSocket: 101, after which the stream is one. `None` if it asks for none, or
/// not rightly.
pub fn answer<B>(request: &Request<B>) -> Option<Response<()>> {
    create_response_with_body(request, || ()).ok()
}

/// The server's end of a WebSocket that was answered. `read` is what came on the stream behind the request. At most
/// `motion_bytes_max` bytes of datagrams wait for the client, then the oldest go. Must be called within a tokio
/// runtime.
pub async fn accept(socket: Socket, read: Bytes, motion_bytes_max: usize) -> Link {
    let config = Some(config());
    let socket =
        WebSocketStream::from_partially_read(socket, read.into(), Role::Server, config).await;
    bridged(socket, Side::Server, motion_bytes_max)
}

/// Connects to `url`, whose host is `name` at one of `addresses`: in TLS by `tls`, or plainly without.
pub(crate) async fn connect(
    url: &Url,
    name: &str,
    addresses: Vec<SocketAddr>,
    tls: Option<Arc<ClientConfig>>,
    origin: Option<&str>,
) -> Result<Link, ConnectError> {
    let mut request = url.as_str().into_client_request()?;
    if let Some(origin) = origin {
        let origin = HeaderValue::from_str(origin)
            .map_err(|_| ConnectError::Url(format!("{origin:?} is not an origin")))?;
        request.headers_mut().insert(ORIGIN, origin);
    }
    let mut last = ConnectError::Resolve(std::io::ErrorKind::NotFound.into());
    for address in addresses {
        // As long as QUIC takes for a silent address.
        match timeout(IDLE_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                let socket = match tls {
                    Some(config) => {
                        let name = ServerName::try_from(name.to_owned())
                            .map_err(|error| ConnectError::Url(error.to_string()))?;
                        Socket::connect_tls(stream, config, name).await.map_err(tls_error)?
                    }
                    None => Socket::plain(stream).map_err(ConnectError::Tcp)?,
                };
                let (socket, _) = client_async_with_config(request, socket, Some(config())).await?;
                return Ok(bridged(socket, Side::Client, DATAGRAM_BUFFER));
            }
            Ok(Err(error)) => last = ConnectError::Tcp(error),
            Err(_) => last = ConnectError::Closed(Closed::TimedOut),
        }
    }
    Err(last)
}

fn tls_error(error: std::io::Error) -> ConnectError {
    match error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) {
        true => ConnectError::Tls(error.to_string()),
        false => ConnectError::Tcp(error),
    }
}

impl From<tungstenite::Error> for ConnectError {
    fn from(error: tungstenite::Error) -> Self {
        match error {
            tungstenite::Error::Http(response) => Self::Rejected(response.status().as_u16()),
            tungstenite::Error::Url(error) => Self::Url(error.to_string()),
            tungstenite::Error::Io(error) => Self::Tcp(error),
            error => Self::Closed(Closed::Broken(error.to_string())),
        }
    }
}

/// The bounds of a WebSocket: a message of the peer's is found to be too long before anything is allocated for it.
fn config() -> WebSocketConfig {
    /// Read at once; allocated for each connection.
    const READ_BYTES: usize = 4 * 1024;
    /// Most that is gathered before the socket is tried. All is flushed in each turn of the writer.
    const WRITE_BYTES: usize = 16 * 1024;
    const MESSAGE_MAX: usize = MESSAGE_BYTES_MAX + HEADER_BYTES_MAX;
    WebSocketConfig::default()
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(WRITE_BYTES)
        // A message and the pong that it holds up.
        .max_write_buffer_size(WRITE_BYTES + 2 * MESSAGE_MAX)
        .max_message_size(Some(MESSAGE_MAX))
        .max_frame_size(Some(MESSAGE_MAX))
}
