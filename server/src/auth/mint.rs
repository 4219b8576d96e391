//! Makes tokens: what `hither token` and tests call, apart from verifying them, as servers of
//! applications issue their own.

use std::collections::BTreeMap;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

use super::{Key, RoomGrant, is_user_id, is_user_name};

/// What a token shall say.
#[derive(Debug, Clone)]
pub struct TokenSpec<'a> {
    /// The user's id, 1-128 bytes.
    pub sub: &'a str,
    /// The name that others see, 1-64 bytes.
    pub name: Option<&'a str>,
    /// The service that it is for.
    pub audience: Option<&'a str>,
    /// The rooms that it opens; several entries of one pattern add up.
    pub rooms: &'a [RoomGrant],
    /// Seconds since the Unix epoch at which it ends.
    pub expires_s: u64,
}

/// Signs a token with HS256.
///
/// # Errors
/// See [`MintError`].
pub fn mint(key: &Key, spec: &TokenSpec<'_>) -> Result<String, MintError> {
    if !is_user_id(spec.sub) {
        return Err(MintError::BadUserId);
    }
    if spec.name.is_some_and(|name| !is_user_name(name)) {
        return Err(MintError::BadName);
    }
    let mut rooms = BTreeMap::<String, Vec<&str>>::new();
    for room in spec.rooms {
        rooms.entry(room.pattern.to_string()).or_default().extend(room.rights.names());
    }
    let claims =
        Claims { sub: spec.sub, name: spec.name, aud: spec.audience, exp: spec.expires_s, rooms };
    let key = EncodingKey::from_secret(key.bytes());
    Ok(jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key)?)
}

/// Why no token was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MintError {
    /// The caller's: no server would take this user id.
    #[error("a user id has 1 to 128 bytes and no control characters")]
    BadUserId,
    /// The caller's: no server would take this name.
    #[error("a name has 1 to 64 bytes and no control characters")]
    BadName,
    /// The system's: the crypto provider can't sign.
    #[error(transparent)]
    Sign(#[from] jsonwebtoken::errors::Error),
}

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
    exp: u64,
    rooms: BTreeMap<String, Vec<&'static str>>,
}
