//! The door of WebSockets: a request of HTTP that becomes a connection (rule W1). Who may come in and what becomes of
//! them is `connection`'s.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{CONNECTION, ORIGIN, RETRY_AFTER, UPGRADE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Extension, Router};
use hither_transport::websocket::{Socket, accept, answer};
use hither_transport::{Link, Reject};
use hyper::upgrade::{OnUpgrade, on};
use hyper_util::rt::TokioIo;

use crate::connection::{Place, Shared, admit};

/// In seconds; those who come back spread themselves.
const RETRY_AFTER_S: &str = "2";

/// WebSockets at the protocol's path.
pub(crate) fn websocket_router(shared: Arc<Shared>) -> Router {
    Router::new().route(hither_protocol::PATH, any(upgrade)).with_state(shared)
}

/// The same on a listener that serves nothing else, where who asks for another path is a client of another version.
pub(crate) fn websockets_only(shared: Arc<Shared>) -> Router {
    Router::new().fallback(upgrade).layer(map_response(close_refused)).with_state(shared)
}

/// Ends the connection of who was refused, which has its place for no longer.
async fn close_refused(mut response: Response) -> Response {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn upgrade(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    Extension(place): Extension<Option<Place>>,
    mut request: Request,
) -> Response {
    let Some(answer) = answer(&request) else {
        return (StatusCode::UPGRADE_REQUIRED, [(UPGRADE, "websocket")]).into_response();
    };
    let Ok(origin) = origin(request.headers()) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let path = request.uri().path_and_query().map_or("", |path| path.as_str());
    match admit(&shared, path, origin, address.ip(), place.as_ref()) {
        Ok(admitted) => {
            let motion_bytes_max = shared.limits.viewer_motion_bytes_max;
            let link = link(on(&mut request), motion_bytes_max);
            tokio::spawn(admitted.run(shared, link));
            answer.map(|()| Body::empty())
        }
        Err(Reject::NotFound) => StatusCode::NOT_FOUND.into_response(),
        Err(Reject::Forbidden) => StatusCode::FORBIDDEN.into_response(),
        Err(Reject::TooManyRequests) => {
            (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, RETRY_AFTER_S)]).into_response()
        }
    }
}

/// The origin of the page that asks, if it is one. An error is an origin that no browser sends.
fn origin(headers: &HeaderMap) -> Result<Option<&str>, axum::http::header::ToStrError> {
    headers.get(ORIGIN).map(|origin| origin.to_str()).transpose()
}

/// The link, once the answer has left; `None` if the client went before.
async fn link(upgrade: OnUpgrade, motion_bytes_max: usize) -> Option<Link> {
    let parts = upgrade.await.ok()?.downcast::<TokioIo<Socket>>().ok()?;
    Some(accept(parts.io.into_inner(), parts.read_buf, motion_bytes_max).await)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::super::serve::tests::start;
    use super::*;
    use crate::connection::tests::{Full, shared};

    /// The answer to a request for a WebSocket, with more headers, each a line that ends, and what follows it.
    async fn ask(router: Router, path: &str, more: &str) -> String {
        let (addr, _stop, _task) = start(router).await;
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\n{more}\r\n"
        );
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    const KEY: &str = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    #[tokio::test]
    async fn w1_a_client_is_told_why_it_may_not_come_in() {
        let (shared, stopping) = shared(Full);
        let router = || websockets_only(shared.clone());
        let path = hither_protocol::PATH;
        for (path, headers, status) in [
            ("/other", KEY.to_owned(), 404),
            (path, format!("{KEY}origin: https://evil.example\r\n"), 403),
            (path, format!("{KEY}origin: \u{e9}\r\n"), 400),
            (path, String::new(), 426),
        ] {
            let answer = ask(router(), path, &headers).await;
            let expected = format!("HTTP/1.1 {status}");
            assert!(answer.starts_with(&expected), "{path} {headers}: {answer}");
            assert!(answer.contains("connection: close"), "{path} {headers}: {answer}");
        }
        stopping.send_replace(true);
        let answer = ask(router(), path, KEY).await;
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        assert!(answer.contains("retry-after: 2"), "{answer}");
    }

    #[tokio::test]
    async fn w1_a_client_that_may_come_in_is_answered_as_its_key_asks() {
        let (shared, _stopping) = shared(Full);
        // It ends when nothing is heard of it.
        let answer = ask(websocket_router(shared), hither_protocol::PATH, KEY).await;
        assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
        assert!(answer.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{answer}");
    }
}
