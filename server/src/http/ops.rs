//! The ops plane: what whoever runs the server asks of it, on a listener of its own, which the
//! public network should not reach.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::sync::watch;

use crate::metrics::Metrics;

/// Whether the server takes clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// Not yet.
    Starting,
    /// Yes.
    Ready,
    /// No longer: it is stopping.
    Draining,
}

/// Tells whether the store takes edits.
pub type Stores = Arc<dyn Fn() -> bool + Send + Sync>;

/// `/healthz` (200 while the process serves), `/readyz` (200 when ready, else 503), `/metrics`
/// (OpenMetrics text), and `/drain`, a POST after which `drain` is true.
pub fn ops_router(
    metrics: Arc<Metrics>,
    readiness: watch::Receiver<Readiness>,
    drain: watch::Sender<bool>,
    stores: Stores,
) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready).with_state((readiness, stores.clone())))
        .route("/metrics", get(print_metrics).with_state((metrics, stores)))
        .route("/drain", post(ask_to_drain).with_state(drain))
}

/// A page that the operator looks at can reach this listener, and a browser would post for it; but then says so.
async fn ask_to_drain(
    State(drain): State<watch::Sender<bool>>,
    headers: HeaderMap,
) -> (StatusCode, &'static str) {
    if headers.contains_key(ORIGIN) {
        return (StatusCode::FORBIDDEN, "not for pages\n");
    }
    drain.send_replace(true);
    (StatusCode::ACCEPTED, "draining\n")
}

/// A store that takes no edits is said, and no reason to send clients away: they have presence and motion here, and
/// edits as soon as it is mended, and another server could not take those either.
async fn ready(
    State((readiness, stores)): State<(watch::Receiver<Readiness>, Stores)>,
) -> (StatusCode, &'static str) {
    match *readiness.borrow() {
        Readiness::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
        Readiness::Ready if stores() => (StatusCode::OK, "ready\n"),
        Readiness::Ready => (StatusCode::OK, "ready, but the store takes no edits\n"),
        Readiness::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
    }
}

async fn print_metrics(State((metrics, stores)): State<(Arc<Metrics>, Stores)>) -> Response {
    const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    metrics.store_available.set(stores().into());
    match metrics.encode() {
        Ok(text) => ([(CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::serve::tests::{get_path, start};
    use super::*;
    use crate::metrics::RejectCause;

    fn stores(is_available: bool) -> Stores {
        Arc::new(move || is_available)
    }

    #[tokio::test]
    async fn a_store_that_takes_no_edits_is_said_and_no_end_of_readiness() {
        let (_sender, receiver) = watch::channel(Readiness::Ready);
        let drain = watch::Sender::new(false);
        let (addr, _stop, _task) =
            start(ops_router(Arc::default(), receiver, drain, stores(false))).await;
        let answer = get_path(addr, "/readyz").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.ends_with("ready, but the store takes no edits\n"), "{answer}");
        assert!(get_path(addr, "/metrics").await.contains("hither_store_available 0\n"));
    }

    #[tokio::test]
    async fn readiness_follows_the_server() {
        let (sender, receiver) = watch::channel(Readiness::Starting);
        let (addr, _stop, _task) =
            start(ops_router(Arc::default(), receiver, watch::Sender::new(false), stores(true)))
                .await;
        for (state, status) in
            [(Readiness::Starting, 503), (Readiness::Ready, 200), (Readiness::Draining, 503)]
        {
            sender.send(state).unwrap();
            let answer = get_path(addr, "/readyz").await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{state:?}: {answer}");
            assert!(get_path(addr, "/healthz").await.starts_with("HTTP/1.1 200"));
        }
    }

    #[tokio::test]
    async fn metrics_are_printed_as_they_stand() {
        let metrics = Arc::new(Metrics::new());
        let (_sender, receiver) = watch::channel(Readiness::Ready);
        let drain = watch::Sender::new(false);
        let router = ops_router(Arc::clone(&metrics), receiver, drain, stores(true));
        let (addr, _stop, _task) = start(router).await;
        metrics.rejects[RejectCause::Origin].inc_by(4);
        let answer = get_path(addr, "/metrics").await;
        assert!(answer.contains("content-type: application/openmetrics-text"), "{answer}");
        assert!(answer.contains("hither_rejects_total{cause=\"origin\"} 4\n"), "{answer}");
    }
}
