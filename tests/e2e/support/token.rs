//! Tokens, right and wrong: an issuer whose key a server knows.

use std::time::{SystemTime, UNIX_EPOCH};

use hither_server::config::{Algorithm, AuthConfig, Config, TokensConfig};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Signs tokens for the audience `e2e`.
pub(crate) struct Issuer {
    dir: TempDir,
}

const KEY: [u8; 32] = [0x5a; 32];

impl Issuer {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("key"), KEY).unwrap();
        Self { dir }
    }

    /// Has a server take this issuer's tokens, and nothing else.
    pub(crate) fn configure(&self, config: &mut Config) {
        config.auth = AuthConfig::Tokens(TokensConfig {
            algorithm: Algorithm::Hs256,
            key_file: self.dir.path().join("key"),
            audience: Some("e2e".into()),
            leeway_ms: 0,
        });
    }

    /// A token for `sub` with these rights in every room, with some of its claims changed.
    pub(crate) fn token(&self, sub: &str, rights: &[&str], changes: Value) -> String {
        let mut claims =
            json!({ "sub": sub, "aud": "e2e", "exp": now_s() + 600.0, "rooms": { "*": rights } });
        for (claim, value) in changes.as_object().into_iter().flatten() {
            claims[claim] = value.clone();
        }
        sign(&KEY, &claims)
    }

    /// As [`Self::token`], by somebody else.
    pub(crate) fn forged(&self) -> String {
        sign(&[1; 32], &json!({ "sub": "eve", "aud": "e2e", "exp": now_s() + 600.0, "rooms": {} }))
    }
}

fn sign(key: &[u8], claims: &Value) -> String {
    jsonwebtoken::encode(&Header::default(), claims, &EncodingKey::from_secret(key)).unwrap()
}

/// Seconds since the Unix epoch.
pub(crate) fn now_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}
