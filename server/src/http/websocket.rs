//! The door of WebSockets: a request of HTTP that becomes a connection (rule W1). Who may come in and what becomes of
//! them is `connection`'s.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{ORIGIN, RETRY_AFTER, UPGRADE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use hither_transport::websocket::{Socket, accept, answer};
use hither_transport::{Link, Reject};
use hyper::upgrade::{OnUpgrade, on};
use hyper_util::rt::TokioIo;

use crate::connection::{Shared, admit};

/// In seconds; those who come back spread themselves.
const RETRY_AFTER_S: &str = "2";

/// WebSockets at the protocol's path.
pub(crate) fn websocket_router(shared: Arc<Shared>) -> Router {
    Router::new().route(hither_protocol::PATH, any(upgrade)).with_state(shared)
}

/// The same on a listener that serves nothing else, where who asks for another path is a client of another version.
pub(crate) fn websockets_only(shared: Arc<Shared>) -> Router {
    Router::new().fallback(upgrade).with_state(shared)
}

async fn upgrade(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    mut request: Request,
) -> Response {
    let Some(answer) = answer(&request) else {
        return (StatusCode::UPGRADE_REQUIRED, [(UPGRADE, "websocket")]).into_response();
    };
    let Ok(origin) = origin(request.headers()) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let path = request.uri().path_and_query().map_or("", |path| path.as_str());
    match admit(&shared, path, origin, address.ip()) {
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
