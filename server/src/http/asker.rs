//! Who may have the demo change something, the same for all that it changes: apart from what that is.

use axum::http::header::ORIGIN;
use axum::http::{HeaderMap, StatusCode};

use crate::config::Origins;

/// The longest body of what is asked.
pub(super) const BODY_BYTES_MAX: usize = 1_024;

/// Lets pages ask that may connect. Others get 403, and so does who does not say its origin, since every browser does.
pub(super) fn check_asker(origins: &Origins, headers: &HeaderMap) -> Result<(), StatusCode> {
    let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
    match origin.is_some_and(|origin| origins.allows(origin)) {
        true => Ok(()),
        false => Err(StatusCode::FORBIDDEN),
    }
}
