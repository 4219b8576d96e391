//! The public routes: where a page or a client on this machine learns how to reach the server,
//! apart from the ops plane, which the public must not see.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::IntoResponse;
use axum::routing::get;
use serde::Serialize;
use tokio::sync::watch;

/// How to reach the server, as `/.well-known/hither` says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Discovery {
    /// The UDP address of WebTransport and raw QUIC, `host:port`. If the host is unspecified
    /// (`0.0.0.0`, `[::]`), it is the host that this answer came from.
    pub quic: SocketAddr,
    /// The TCP address of plain WebSocket, with its host as above; left out where there is none. WebSocket in TLS is at
    /// the address of `quic`, over TCP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ws: Option<SocketAddr>,
    /// SHA-256 of the certificate, as 64 hex digits in lower case, for clients that pin it; `None`
    /// if a public authority signed the certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_sha256: Option<String>,
    /// The version of the protocol.
    pub protocol: u32,
}

/// `/.well-known/hither`, and at `/` what `page` has; without one a word about what this is. The former
/// always answers the newest value of `discovery`, as certificates are renewed. No answer allows
/// another origin to read it, so that only this server's own pages do.
pub fn public_router(discovery: watch::Receiver<Discovery>, page: Option<Router>) -> Router {
    Router::new()
        .route("/.well-known/hither", get(well_known))
        .with_state(discovery)
        .merge(page.unwrap_or_else(|| Router::new().route("/", get(index))))
}

async fn index() -> impl IntoResponse {
    (
        [(CONTENT_TYPE, "text/plain; charset=utf-8"), (X_CONTENT_TYPE_OPTIONS, "nosniff")],
        "This is a Hither server. Clients find it by /.well-known/hither.\n",
    )
}

async fn well_known(State(discovery): State<watch::Receiver<Discovery>>) -> impl IntoResponse {
    // Three strings and numbers always have a JSON form; an empty one would be read as no server.
    let json = serde_json::to_string(&*discovery.borrow()).unwrap_or_default();
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], json)
}

#[cfg(test)]
mod tests {
    use super::super::serve::tests::{get_path, start};
    use super::*;

    fn discovery(cert_sha256: &str) -> Discovery {
        let [quic, ws] = ["127.0.0.1:4433", "127.0.0.1:8080"].map(|addr| addr.parse().unwrap());
        Discovery { quic, ws: Some(ws), cert_sha256: Some(cert_sha256.to_owned()), protocol: 1 }
    }

    #[tokio::test]
    async fn the_answer_follows_the_certificate() {
        let (sender, receiver) = watch::channel(discovery("aa"));
        let (addr, _stop, _task) = start(public_router(receiver, None)).await;
        let first = get_path(addr, "/.well-known/hither").await;
        assert!(
            first.ends_with(
                r#"{"quic":"127.0.0.1:4433","ws":"127.0.0.1:8080","cert_sha256":"aa","protocol":1}"#
            ),
            "{first}"
        );
        assert!(!first.contains("access-control-allow-origin"), "{first}");
        sender.send(discovery("bb")).unwrap();
        assert!(get_path(addr, "/.well-known/hither").await.contains(r#""cert_sha256":"bb""#));
    }

    #[tokio::test]
    async fn only_the_two_paths_exist() {
        let (_sender, receiver) = watch::channel(discovery("aa"));
        let (addr, _stop, _task) = start(public_router(receiver, None)).await;
        assert!(get_path(addr, "/").await.contains("Hither server"));
        for path in ["/metrics", "/healthz", "/index.html"] {
            assert!(get_path(addr, path).await.starts_with("HTTP/1.1 404"), "{path}");
        }
    }
}
