//! The bad network of the demo page: where its relay is, and how bad it is now. Apart from the relay itself, which
//! knows no pages.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use hither_transport::relay::{Impairment, Relay};
use serde::{Deserialize, Serialize};

use super::asker::{BODY_BYTES_MAX, check_asker};
use crate::config::Origins;

/// The greatest loss that may be asked for: beyond it no connection stands for long.
const LOSS_MAX: f64 = 0.5;
/// The longest delay and the greatest jitter that may be asked for, in milliseconds.
const DELAY_MS_MAX: u16 = 1_000;

/// How bad the network is, each way by itself. What is left out is 0.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Network {
    /// The part of the datagrams that is lost, 0 to [`LOSS_MAX`].
    loss: f64,
    /// How long each is on its way, and by how much longer at most, 0 to [`DELAY_MS_MAX`].
    delay_ms: u16,
    jitter_ms: u16,
}

/// Where the relay is, and how bad the network behind it.
#[derive(Debug, Serialize)]
struct Found {
    relay: SocketAddr,
    #[serde(flatten)]
    network: Network,
}

#[derive(Clone, Debug)]
struct Desk {
    relay: Arc<Relay>,
    origins: Origins,
}

/// `GET /demo/network` answers `{"relay":"127.0.0.1:40123","loss":0.2,"delayMs":60,"jitterMs":0}`, and `POST` with
/// `{"loss":0.2,"delayMs":60}` changes it for everyone who comes through the relay, and answers the same. Only pages
/// that may connect may change it. A loss over 0.5, and a delay or a jitter over 1,000, are answered with 400.
pub(crate) fn network_router(relay: Arc<Relay>, origins: Origins) -> Router {
    Router::new()
        .route("/demo/network", get(find).post(set))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(Desk { relay, origins })
}

async fn find(State(Desk { relay, .. }): State<Desk>) -> Json<Found> {
    Json(Found { relay: relay.local_addr(), network: relay.impairment().into() })
}

async fn set(
    State(desk): State<Desk>,
    headers: HeaderMap,
    Json(network): Json<Network>,
) -> Result<Json<Found>, StatusCode> {
    check_asker(&desk.origins, &headers)?;
    desk.relay.set_impairment(network.impairment().ok_or(StatusCode::BAD_REQUEST)?);
    Ok(find(State(desk)).await)
}

impl Network {
    /// `None` if it is out of its bounds.
    fn impairment(self) -> Option<Impairment> {
        let Self { loss, delay_ms, jitter_ms } = self;
        let is_within = (0.0..=LOSS_MAX).contains(&loss) && delay_ms.max(jitter_ms) <= DELAY_MS_MAX;
        let [delay, jitter] = [delay_ms, jitter_ms].map(|ms| Duration::from_millis(ms.into()));
        is_within.then_some(Impairment { loss, duplicate: 0.0, delay, jitter })
    }
}

impl From<Impairment> for Network {
    fn from(impairment: Impairment) -> Self {
        let [delay_ms, jitter_ms] = [impairment.delay, impairment.jitter]
            .map(|duration| u16::try_from(duration.as_millis()).unwrap_or(u16::MAX));
        Self { loss: impairment.loss, delay_ms, jitter_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::super::serve::tests::{exchange, get_path, start};
    use super::*;

    async fn served() -> (SocketAddr, Arc<Relay>, impl Sized) {
        let nobody = "127.0.0.1:9".parse().unwrap();
        let listen = "127.0.0.1:0".parse().unwrap();
        let relay = Relay::bind(listen, nobody, 1, Impairment::default()).unwrap();
        let relay = Arc::new(relay);
        let origins = Origins::new(Some(vec!["http://a".to_owned()]), nobody);
        let (addr, stop, task) = start(network_router(relay.clone(), origins)).await;
        (addr, relay, (stop, task))
    }

    async fn post(addr: SocketAddr, headers: &str, body: &str) -> String {
        let length = body.len();
        let request = format!(
            "POST /demo/network HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        exchange(addr, &request).await
    }

    #[tokio::test]
    async fn what_was_asked_for_holds_and_is_found() {
        let (addr, relay, _running) = served().await;
        let found = |rest: &str| format!(r#"{{"relay":"{}",{rest}}}"#, relay.local_addr());
        let answer = get_path(addr, "/demo/network").await;
        assert!(answer.ends_with(&found(r#""loss":0.0,"delayMs":0,"jitterMs":0"#)), "{answer}");
        let answer = post(addr, "origin: http://a\r\n", r#"{"loss":0.2,"delayMs":60}"#).await;
        let bad = found(r#""loss":0.2,"delayMs":60,"jitterMs":0"#);
        assert!(answer.ends_with(&bad), "{answer}");
        assert!(get_path(addr, "/demo/network").await.ends_with(&bad));
        let delay = Duration::from_millis(60);
        assert_eq!(relay.impairment(), Impairment { loss: 0.2, delay, ..Impairment::default() });
    }

    #[tokio::test]
    async fn who_may_not_connect_and_what_is_out_of_bounds_change_nothing() {
        let (addr, relay, _running) = served().await;
        for (headers, body, status) in [
            ("", r#"{"loss":0.2}"#, 403),
            ("origin: http://b\r\n", r#"{"loss":0.2}"#, 403),
            ("origin: http://a\r\n", r#"{"loss":0.51}"#, 400),
            ("origin: http://a\r\n", r#"{"loss":-0.1}"#, 400),
            ("origin: http://a\r\n", r#"{"delayMs":1001}"#, 400),
            ("origin: http://a\r\n", r#"{"jitterMs":1001}"#, 400),
            ("origin: http://a\r\n", r#"{"delay":1}"#, 422),
        ] {
            let answer = post(addr, headers, body).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{body}: {answer}");
        }
        assert_eq!(relay.impairment(), Impairment::default());
    }
}
