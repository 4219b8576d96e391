//! Resume tokens as bytes: signed JSON Web Tokens (HS256) that nobody but this server reads. Apart from the sessions,
//! which decide what a token is worth, and from `auth`, whose tokens others sign.

use std::fmt;

use hither_core::{ResumeClaims, SessionId};
use hither_protocol::limits::RESUME_TOKEN_BYTES_MAX;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

/// The key of resume tokens.
pub(crate) struct ResumeKey {
    signing: EncodingKey,
    verifying: DecodingKey,
    validation: Validation,
}

/// The claims as they are signed.
#[derive(Serialize, Deserialize)]
struct Signed {
    /// The session, in hex: JSON has no integers of 128 bits.
    sid: String,
    /// The serial.
    ser: u64,
    /// When it was made, in milliseconds since the Unix epoch.
    at: u64,
    /// The user's id.
    sub: String,
    /// The user's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

impl ResumeKey {
    /// The key of these bytes.
    pub(crate) fn new(secret: &[u8; 32]) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        // How long a token is good is the sessions' to say.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        let signing = EncodingKey::from_secret(secret);
        Self { signing, verifying: DecodingKey::from_secret(secret), validation }
    }

    /// The token that says this; at most 1 KiB.
    pub(crate) fn seal(&self, claims: &ResumeClaims) -> String {
        let ResumeClaims { id, serial, issued_ms, user_id, name } = claims;
        let (sub, name) = (user_id.clone(), name.clone());
        let signed =
            Signed { sid: format!("{:032x}", id.0), ser: *serial, at: *issued_ms, sub, name };
        // A map of strings and integers, and a key of the algorithm's own kind: there is nothing to fail.
        let sealed = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &signed, &self.signing);
        debug_assert!(sealed.as_ref().is_ok_and(|token| token.len() <= RESUME_TOKEN_BYTES_MAX));
        sealed.unwrap_or_default()
    }

    /// What a token says; `None` if this server has not made it.
    pub(crate) fn open(&self, token: &str) -> Option<ResumeClaims> {
        let decoded = jsonwebtoken::decode(token, &self.verifying, &self.validation);
        let Signed { sid, ser, at, sub, name } = decoded.ok()?.claims;
        let id = SessionId(u128::from_str_radix(&sid, 16).ok()?);
        Some(ResumeClaims { id, serial: ser, issued_ms: at, user_id: sub, name })
    }
}

impl fmt::Debug for ResumeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResumeKey(secret)")
    }
}

#[cfg(test)]
mod tests {
    use hither_protocol::limits::{USER_ID_BYTES_MAX, USER_NAME_BYTES_MAX};

    use super::*;

    #[test]
    fn a_token_says_what_it_was_made_of_to_its_own_key_alone() {
        let (key, other) = (ResumeKey::new(&[1; 32]), ResumeKey::new(&[2; 32]));
        let claims = ResumeClaims {
            id: SessionId(u128::MAX - 7),
            serial: 3,
            issued_ms: 1_767_225_600_000,
            user_id: "\"".repeat(USER_ID_BYTES_MAX),
            name: Some("\\".repeat(USER_NAME_BYTES_MAX)),
        };
        let token = key.seal(&claims);
        assert!(token.len() <= RESUME_TOKEN_BYTES_MAX, "{} bytes", token.len());
        assert_eq!(key.open(&token), Some(claims));
        assert_eq!(other.open(&token), None);
        for end in [0, 1, token.len() / 2, token.len() - 1] {
            assert_eq!(key.open(&token[..end]), None);
        }
        assert_eq!(format!("{key:?}"), "ResumeKey(secret)");
    }
}
