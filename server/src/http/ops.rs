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

/// `/healthz` (200 while the process serves), `/readyz` (200 when ready, else 503), `/metrics`
/// (OpenMetrics text), and `/drain`, a POST after which `drain` is true.
pub fn ops_router(
    metrics: Arc<Metrics>,
    readiness: watch::Receiver<Readiness>,
    drain: watch::Sender<bool>,
) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready).with_state(readiness))
        .route("/metrics", get(print_metrics).with_state(metrics))
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

async fn ready(State(readiness): State<watch::Receiver<Readiness>>) -> (StatusCode, &'static str) {
    match *readiness.borrow() {
        Readiness::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
        Readiness::Ready => (StatusCode::OK, "ready\n"),
        Readiness::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
    }
}

async fn print_metrics(State(metrics): State<Arc<Metrics>>) -> Response {
    const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
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

    #[tokio::test]
    async fn readiness_follows_the_server() {
        let (sender, receiver) = watch::channel(Readiness::Starting);
        let (addr, _stop, _task) =
            start(ops_router(Arc::default(), receiver, watch::Sender::new(false))).await;
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
        let router = ops_router(Arc::clone(&metrics), receiver, drain);
        let (addr, _stop, _task) = start(router).await;
        metrics.rejects[RejectCause::Origin].inc_by(4);
        let answer = get_path(addr, "/metrics").await;
        assert!(answer.contains("content-type: application/openmetrics-text"), "{answer}");
        assert!(answer.contains("hither_rejects_total{cause=\"origin\"} 4\n"), "{answer}");
    }
}
