//! Who may come in, as the operator says it; `auth/` does it.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use super::bounds::within;
use crate::auth::JoinSecret;

/// Who may come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthConfig {
    /// `auth = "anonymous"`: everyone, with all rights.
    Anonymous,
    /// Clients of this machine and the server's own pages, with all rights. Only `hither dev` has
    /// it.
    LocalAnonymous,
    /// Who knows this secret, with all rights. Only `hither dev --lan` has it.
    Secret(JoinSecret),
    /// `[auth]` with `mode = "tokens"`: who has a token.
    Tokens(TokensConfig),
}

/// How tokens are verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokensConfig {
    /// The algorithm, whatever a token asks for. Default: HS256.
    pub algorithm: Algorithm,
    /// The file of the shared secret, 32 to 4,096 bytes, taken as they are. No default.
    pub key_file: PathBuf,
    /// The audience that a token must name. Default: none; then a token that names one is refused.
    pub audience: Option<String>,
    /// How far the issuer's clock may be off, in milliseconds, 0 to 60,000; a token lives that much
    /// longer. Default: 5,000.
    pub leeway_ms: u64,
}

/// The algorithms that tokens may be signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Algorithm {
    /// HMAC with SHA-256 and a shared secret.
    #[default]
    #[serde(rename = "HS256")]
    Hs256,
}

/// `auth` as a file says it.
#[derive(Debug)]
pub(super) enum AuthFile {
    Anonymous,
    Tokens(TokensFile),
}

impl AuthFile {
    /// `None` if a key file is missing, or stands beside `anonymous`, which would ignore it.
    pub(super) fn resolve(self, base: &Path, key_file: Option<PathBuf>) -> Option<AuthConfig> {
        match (self, key_file) {
            (Self::Anonymous, None) => Some(AuthConfig::Anonymous),
            (Self::Anonymous, Some(_)) => None,
            (Self::Tokens(file), key_file) => Some(AuthConfig::Tokens(TokensConfig {
                algorithm: file.algorithm,
                key_file: key_file.or(file.key_file.map(|path| base.join(path)))?,
                audience: file.audience,
                leeway_ms: file.leeway_ms,
            })),
        }
    }
}

/// The table `[auth]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokensFile {
    #[serde(rename = "mode")]
    _mode: Mode,
    #[serde(default)]
    algorithm: Algorithm,
    key_file: Option<PathBuf>,
    audience: Option<String>,
    #[serde(default = "default_leeway_ms", deserialize_with = "within::<0, 60_000, _, _>")]
    leeway_ms: u64,
}

fn default_leeway_ms() -> u64 {
    5_000
}

/// What `[auth]` must say, so that a file of today means the same when there are other modes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Tokens,
}

impl<'de> Deserialize<'de> for AuthFile {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(AuthVisitor)
    }
}

/// By hand, as serde's untagged enums lose the line of an error.
struct AuthVisitor;

impl<'de> Visitor<'de> for AuthVisitor {
    type Value = AuthFile;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"anonymous\" or a table [auth]")
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<AuthFile, E> {
        match value {
            "anonymous" => Ok(AuthFile::Anonymous),
            other => Err(E::unknown_variant(other, &["anonymous"])),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<AuthFile, A::Error> {
        TokensFile::deserialize(MapAccessDeserializer::new(map)).map(AuthFile::Tokens)
    }
}
