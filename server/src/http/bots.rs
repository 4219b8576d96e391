//! The button for bots on the demo page, apart from the page itself, as it changes what is in a room.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use hither_protocol::RoomName;
use serde::{Deserialize, Serialize};

use super::asker::{BODY_BYTES_MAX, check_asker};
use crate::bots::Bots;
use crate::config::Origins;

#[derive(Debug, Deserialize)]
struct Wanted {
    room: String,
    count: usize,
}

#[derive(Debug, Serialize)]
struct Granted {
    count: usize,
}

#[derive(Debug, Clone)]
struct Desk {
    bots: Arc<Bots>,
    origins: Origins,
}

/// `POST /demo/bots` with `{"room":"default:lobby","count":50}` has that room end up with so many bots, 0 for none. The
/// answer, `{"count":50}`, is how many the bounds allow. Only pages that may connect may ask.
pub(crate) fn bots_router(bots: Arc<Bots>, origins: Origins) -> Router {
    Router::new()
        .route("/demo/bots", post(set_bots))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(Desk { bots, origins })
}

async fn set_bots(
    State(Desk { bots, origins }): State<Desk>,
    headers: HeaderMap,
    Json(wanted): Json<Wanted>,
) -> Result<Json<Granted>, StatusCode> {
    check_asker(&origins, &headers)?;
    let room: RoomName = wanted.room.parse().map_err(|_| StatusCode::BAD_REQUEST)?;
    let count = bots.set(&room, wanted.count).ok_or(StatusCode::NOT_FOUND)?;
    Ok(Json(Granted { count }))
}
