//! Tokens as the way in: signed JSON Web Tokens (HS256), apart from the other ways, so that what a
//! token may say is read on one page.
//!
//! The algorithm and the key are the operator's. The token's header is only compared with them:
//! `none`, another algorithm or a key that the token brings along is refused.

use std::collections::BTreeMap;

use hither_protocol::limits::TOKEN_BYTES_MAX;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use serde::Deserialize;

use super::{AuthError, Grant, Key, Pattern, Rights, RoomGrant, is_user_id, is_user_name};

/// Verifies tokens with one key.
pub struct Jwt {
    key: DecodingKey,
    validation: Validation,
    audience: Option<String>,
    leeway_ms: u64,
}

impl Jwt {
    /// Tokens signed with `key` by HS256. With an `audience`, a token must name it; without one, a
    /// token that names any is refused, as it is meant for someone else. `leeway_ms` is how far the
    /// issuer's clock may be off, in milliseconds: it is added to `exp` and taken from `nbf`.
    #[must_use]
    pub fn new(key: &Key, audience: Option<String>, leeway_ms: u64) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        // Claims are checked here, against the `now` that the caller gives.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        Self { key: DecodingKey::from_secret(key.bytes()), validation, audience, leeway_ms }
    }

    /// Turns a token into a grant, at `now_ms` since the Unix epoch.
    ///
    /// # Errors
    /// See [`AuthError`].
    pub fn verify(&self, token: Option<&str>, now_ms: u64) -> Result<Grant, AuthError> {
        let token = token.ok_or(AuthError::Missing)?;
        if token.len() > TOKEN_BYTES_MAX {
            return Err(AuthError::Malformed);
        }
        check_header(token)?;
        // Claims are read one by one, so that an error can name the claim.
        let claims: Claims = jsonwebtoken::decode(token, &self.key, &self.validation)
            .map_err(|error| match error.kind() {
                ErrorKind::InvalidSignature => AuthError::BadSignature,
                _ => AuthError::Malformed,
            })?
            .claims;
        let expires_ms = self.check_time(&claims, now_ms)?;
        self.check_audience(&claims)?;
        let user_id: String = claim(&claims, "sub")?.ok_or(AuthError::Claim("sub"))?;
        let name: Option<String> = claim(&claims, "name")?;
        if !is_user_id(&user_id) {
            return Err(AuthError::Claim("sub"));
        }
        if name.as_deref().is_some_and(|name| !is_user_name(name)) {
            return Err(AuthError::Claim("name"));
        }
        Ok(Grant { user_id, name, expires_ms: Some(expires_ms), rooms: rooms(&claims)? })
    }

    /// Milliseconds since the Unix epoch at which the token ends, the leeway included.
    fn check_time(&self, claims: &Claims, now_ms: u64) -> Result<u64, AuthError> {
        let expires = date_ms(claims, "exp")?.ok_or(AuthError::Claim("exp"))?;
        let expires = expires.saturating_add(self.leeway_ms);
        if now_ms >= expires {
            return Err(AuthError::Expired);
        }
        let begins = date_ms(claims, "nbf")?.unwrap_or(0);
        if now_ms < begins.saturating_sub(self.leeway_ms) {
            return Err(AuthError::NotYet);
        }
        Ok(expires)
    }

    fn check_audience(&self, claims: &Claims) -> Result<(), AuthError> {
        let named = match claim(claims, "aud")? {
            None => return self.audience.as_ref().map_or(Ok(()), |_| Err(AuthError::Claim("aud"))),
            Some(OneOrMany::One(one)) => vec![one],
            Some(OneOrMany::Many(many)) => many,
        };
        match &self.audience {
            Some(audience) if named.contains(audience) => Ok(()),
            _ => Err(AuthError::WrongAudience),
        }
    }
}

impl std::fmt::Debug for Jwt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jwt")
            .field("audience", &self.audience)
            .field("leeway_ms", &self.leeway_ms)
            .finish_non_exhaustive()
    }
}

type Claims = serde_json::Map<String, serde_json::Value>;

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// The header may say what the token is (`typ`, `cty`) and which key signed it (`kid`); anything
/// else that is defined either brings a key, asks for an extension, or names another algorithm.
fn check_header(token: &str) -> Result<(), AuthError> {
    let header = jsonwebtoken::decode_header(token).map_err(|error| match error.kind() {
        ErrorKind::Json(_) => AuthError::Header,
        _ => AuthError::Malformed,
    })?;
    let accepted = Header {
        typ: header.typ.clone(),
        cty: header.cty.clone(),
        kid: header.kid.clone(),
        extras: header.extras.clone(),
        ..Header::new(Algorithm::HS256)
    };
    if header == accepted { Ok(()) } else { Err(AuthError::Header) }
}

fn rooms(claims: &Claims) -> Result<Vec<RoomGrant>, AuthError> {
    const WRONG: AuthError = AuthError::Claim("rooms");
    let rooms: BTreeMap<String, Vec<String>> = claim(claims, "rooms")?.ok_or(WRONG)?;
    rooms
        .iter()
        .map(|(pattern, names)| {
            let pattern = Pattern::parse(pattern).map_err(|_| WRONG)?;
            let rights = names.iter().try_fold(Rights::NONE, |rights, name| {
                Rights::from_name(name).map(|right| rights | right).ok_or(WRONG)
            })?;
            Ok(RoomGrant { pattern, rights })
        })
        .collect()
}

/// A claim of the wrong type is an error; one that is absent or null is none.
fn claim<T: for<'de> Deserialize<'de>>(
    claims: &Claims,
    name: &'static str,
) -> Result<Option<T>, AuthError> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => Option::<T>::deserialize(value).map_err(|_| AuthError::Claim(name)),
    }
}

/// A date in seconds since the Unix epoch, fractions allowed, as milliseconds.
fn date_ms(claims: &Claims, name: &'static str) -> Result<Option<u64>, AuthError> {
    let Some(seconds) = claim::<f64>(claims, name)? else { return Ok(None) };
    if !(0.0..=SECONDS_MAX).contains(&seconds) {
        return Err(AuthError::Claim(name));
    }
    Ok(Some((seconds * 1_000.0) as u64))
}

/// Year 9999: a date beyond it is milliseconds mistaken for seconds, or an attempt.
const SECONDS_MAX: f64 = 253_402_300_799.0;

#[cfg(test)]
mod tests {
    use jsonwebtoken::EncodingKey;
    use serde_json::{Value, json};

    use super::*;
    use crate::auth::{TokenSpec, mint};

    const SECRET: [u8; 32] = [7; 32];
    const NOW_S: u64 = 1_800_000_000;
    const HS256: &str = r#"{"typ":"JWT","alg":"HS256"}"#;

    fn base64url(bytes: &[u8]) -> String {
        const DIGITS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut out = String::new();
        for chunk in bytes.chunks(3) {
            let word = chunk.iter().fold(0_u32, |word, b| word << 8 | u32::from(*b));
            let word = word << (8 * (3 - chunk.len()));
            for digit in 0..=chunk.len() {
                out.push(char::from(DIGITS[(word >> (18 - 6 * digit)) as usize & 63]));
            }
        }
        out
    }

    /// A token with any header and any claims, signed rightly with HS256 by `secret`.
    fn crafted(secret: &[u8], header: &str, claims: &str) -> String {
        let message = format!("{}.{}", base64url(header.as_bytes()), base64url(claims.as_bytes()));
        let key = EncodingKey::from_secret(secret);
        let signature =
            jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
        format!("{message}.{signature}")
    }

    fn claims(changes: Value) -> String {
        let mut claims = json!({
            "sub": "ada", "exp": NOW_S + 60, "aud": "hither", "rooms": {"ns:*": ["join", "edit"]},
        });
        for (key, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(key)),
                value => claims[key] = value.clone(),
            }
        }
        claims.to_string()
    }

    fn verify_for(audience: Option<&str>, token: &str) -> Result<Grant, AuthError> {
        let key = Key::new(SECRET.to_vec()).unwrap();
        Jwt::new(&key, audience.map(str::to_owned), 5_000).verify(Some(token), NOW_S * 1_000)
    }

    fn verify(token: &str) -> Result<Grant, AuthError> {
        verify_for(Some("hither"), token)
    }

    #[test]
    fn a_good_token_becomes_a_grant() {
        let token = crafted(&SECRET, HS256, &claims(json!({"name": "Ada L."})));
        let grant = verify(&token).unwrap();
        assert_eq!(grant.user_id, "ada");
        assert_eq!(grant.name.as_deref(), Some("Ada L."));
        assert_eq!(grant.expires_ms, Some((NOW_S + 65) * 1_000));
        assert_eq!(grant.rights_in("ns:a"), Rights::JOIN | Rights::EDIT);
        assert_eq!(grant.rights_in("other:a"), Rights::NONE);
    }

    #[test]
    fn a_header_that_is_not_plain_hs256_is_refused() {
        let jwk = r#"{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#;
        let ok = claims(json!({}));
        for header in [
            r#"{"typ":"JWT","alg":"none"}"#,
            r#"{"typ":"JWT","alg":"None"}"#,
            r#"{"typ":"JWT","alg":"nOnE"}"#,
            r#"{"typ":"JWT","alg":"NONE"}"#,
            r#"{"typ":"JWT","alg":""}"#,
            r#"{"typ":"JWT","alg":"hs256"}"#,
            r#"{"typ":"JWT","alg":"HS384"}"#,
            r#"{"typ":"JWT","alg":"HS512"}"#,
            r#"{"typ":"JWT","alg":"RS256"}"#,
            r#"{"typ":"JWT","alg":"ES256"}"#,
            r#"{"typ":"JWT","alg":["HS256"]}"#,
            r#"{"typ":"JWT","alg":"none","alg":"HS256"}"#,
            r#"{"typ":"JWT"}"#,
            &format!(r#"{{"alg":"HS256","jwk":{jwk}}}"#),
            r#"{"alg":"HS256","jku":"https://evil.example/keys"}"#,
            r#"{"alg":"HS256","x5u":"https://evil.example/cert"}"#,
            r#"{"alg":"HS256","crit":["b64"],"b64":false}"#,
            r#"{"alg":"HS256","zip":"DEF"}"#,
            "not json",
        ] {
            let signed = crafted(&SECRET, header, &ok);
            assert_eq!(verify(&signed), Err(AuthError::Header), "{header}");
            let (message, _) = signed.rsplit_once('.').unwrap();
            assert_eq!(
                verify(&format!("{message}.")),
                Err(AuthError::Header),
                "{header}, unsigned"
            );
        }
        for header in [r#"{"alg":"HS256"}"#, r#"{"alg":"HS256","kid":"2","typ":"at+jwt"}"#] {
            verify(&crafted(&SECRET, header, &ok)).unwrap();
        }
    }

    #[test]
    fn a_signature_of_another_key_or_over_other_claims_is_refused() {
        let good = crafted(&SECRET, HS256, &claims(json!({})));
        let [header, _, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!() };
        let other_claims = base64url(claims(json!({"sub": "eve"})).as_bytes());
        for token in [
            crafted(&[8; 32], HS256, &claims(json!({}))),
            crafted(b"", HS256, &claims(json!({}))),
            format!("{header}.{other_claims}.{signature}"),
            format!("{header}.{other_claims}."),
        ] {
            assert_eq!(verify(&token), Err(AuthError::BadSignature), "{token}");
        }
    }

    #[test]
    fn what_is_not_a_token_is_malformed() {
        let good = crafted(&SECRET, HS256, &claims(json!({})));
        let signed = |claims: &str| crafted(&SECRET, HS256, claims);
        for token in [
            String::new(),
            "a.b".into(),
            "....".into(),
            format!("{good}.{good}"),
            format!("{good}="),
            format!(" {good}"),
            signed("[]"),
            signed("not json"),
            signed(&format!("{}1{}", "[".repeat(1_000), "]".repeat(1_000))),
            signed(&claims(json!({"pad": "x".repeat(TOKEN_BYTES_MAX)}))),
        ] {
            assert_eq!(verify(&token), Err(AuthError::Malformed), "{token}");
        }
        let key = Key::new(SECRET.to_vec()).unwrap();
        assert_eq!(Jwt::new(&key, None, 0).verify(None, 0), Err(AuthError::Missing));
    }

    #[test]
    fn claims_are_checked_one_by_one() {
        let wrong = |name| Err(AuthError::Claim(name));
        for (changes, result) in [
            (json!({"exp": NOW_S - 4}), Ok(())),
            (json!({"exp": NOW_S - 5}), Err(AuthError::Expired)),
            (json!({"exp": 0}), Err(AuthError::Expired)),
            (json!({"exp": NOW_S as f64 + 0.5}), Ok(())),
            (json!({"exp": null}), wrong("exp")),
            (json!({"exp": "2099-01-01"}), wrong("exp")),
            (json!({"exp": -1}), wrong("exp")),
            (json!({"exp": 1e300}), wrong("exp")),
            (json!({"exp": NOW_S * 1_000}), wrong("exp")),
            (json!({"nbf": NOW_S + 5}), Ok(())),
            (json!({"nbf": NOW_S + 6}), Err(AuthError::NotYet)),
            (json!({"nbf": true}), wrong("nbf")),
            (json!({"aud": ["other", "hither"]}), Ok(())),
            (json!({"aud": "other"}), Err(AuthError::WrongAudience)),
            (json!({"aud": []}), Err(AuthError::WrongAudience)),
            (json!({"aud": null}), wrong("aud")),
            (json!({"aud": 1}), wrong("aud")),
            (json!({"sub": null}), wrong("sub")),
            (json!({"sub": 5}), wrong("sub")),
            (json!({"sub": ""}), wrong("sub")),
            (json!({"sub": "x".repeat(129)}), wrong("sub")),
            (json!({"name": "a\u{0}b"}), wrong("name")),
            (json!({"rooms": null}), wrong("rooms")),
            (json!({"rooms": {}}), Ok(())),
            (json!({"rooms": {"*:a": ["join"]}}), wrong("rooms")),
            (json!({"rooms": {"ns:a": ["admin"]}}), wrong("rooms")),
            (json!({"rooms": {"ns:a": "join"}}), wrong("rooms")),
            (json!({"rooms": ["ns:a"]}), wrong("rooms")),
        ] {
            let token = crafted(&SECRET, HS256, &claims(changes.clone()));
            assert_eq!(verify(&token).map(|_| ()), result, "{changes}");
        }
    }

    #[test]
    fn without_an_audience_a_token_for_anyone_else_is_refused() {
        let named = crafted(&SECRET, HS256, &claims(json!({})));
        let unnamed = crafted(&SECRET, HS256, &claims(json!({"aud": null})));
        assert_eq!(verify_for(None, &named), Err(AuthError::WrongAudience));
        assert!(verify_for(None, &unnamed).is_ok());
    }

    #[test]
    fn a_minted_token_is_accepted() {
        let room =
            |pattern, rights| RoomGrant { pattern: Pattern::parse(pattern).unwrap(), rights };
        let spec = TokenSpec {
            sub: "ada",
            name: Some("Ada"),
            audience: Some("hither"),
            rooms: &[
                room("ns:*", Rights::JOIN),
                room("ns:*", Rights::MOTION),
                room("*", Rights::NONE),
            ],
            expires_s: NOW_S + 10,
        };
        let long = "x".repeat(129);
        let key = Key::new(SECRET.to_vec()).unwrap();
        for (sub, name) in [("", "Ada"), (&*long, "Ada"), ("ada", ""), ("ada", &long)] {
            assert!(mint(&key, &TokenSpec { sub, name: Some(name), ..spec.clone() }).is_err());
        }
        let grant = verify(&mint(&key, &spec).unwrap()).unwrap();
        assert_eq!(grant.user_id, "ada");
        assert_eq!(grant.name.as_deref(), Some("Ada"));
        assert_eq!(grant.rights_in("ns:a"), Rights::JOIN | Rights::MOTION);
        assert_eq!(grant.rights_in("other:a"), Rights::NONE);
    }
}
