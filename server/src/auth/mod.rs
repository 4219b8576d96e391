//! Who may come in: the port that hellos are judged by and its adapters, apart from sessions, which
//! see only the grant.

mod jwt;
mod key;
mod mint;

pub use hither_core::{Grant, Pattern, PatternError, RoomGrant};
pub use hither_protocol::message::Rights;
pub use jwt::Jwt;
pub use key::{Key, KeyError};
pub use mint::{MintError, TokenSpec, mint};

use hither_protocol::limits::{USER_ID_BYTES_MAX, USER_NAME_BYTES_MAX};

/// The one way to judge hellos that a server runs with. The operator chooses it, never the client.
#[derive(Debug)]
pub enum Authenticator {
    /// Everyone may come in and do everything, as a new user each time.
    Anonymous,
    /// As `Anonymous`, but only for clients on this machine and for pages that this server handed
    /// out itself. A native program elsewhere can claim to be such a page, so this is for
    /// development.
    LocalAnonymous,
    /// As `Anonymous`, but only for clients whose token is this secret: for development on a local network.
    Secret(JoinSecret),
    /// Tokens decide.
    Jwt(Box<Jwt>),
}

/// What opens a development server to the machines around it.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinSecret(String);

impl JoinSecret {
    /// A new one, short enough for a QR code: 80 random bits in hex.
    #[must_use]
    pub fn random() -> Self {
        let bytes: [u8; 10] = rand::random();
        Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// It, to be shown to those who may come in.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether it is this, in a time that tells nothing of where they differ.
    fn is(&self, token: Option<&str>) -> bool {
        let token = token.unwrap_or_default().as_bytes();
        let differences = token.iter().zip(self.0.as_bytes()).fold(0, |all, (a, b)| all | (a ^ b));
        token.len() == self.0.len() && differences == 0
    }
}

impl std::fmt::Debug for JoinSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JoinSecret(secret)")
    }
}

impl Authenticator {
    /// Whether users are made up, and are who they were only by their resume tokens.
    pub(crate) fn makes_up_users(&self) -> bool {
        match self {
            Self::Anonymous | Self::LocalAnonymous | Self::Secret(_) => true,
            Self::Jwt(_) => false,
        }
    }

    /// Judges one hello. An anonymous user's token is ignored, and so is the name that a client
    /// proposes beside a token: there the name is the token's or none.
    ///
    /// # Errors
    /// See [`AuthError`]; each variant says whose fault it is.
    pub fn authenticate(&self, applicant: &Applicant<'_>) -> Result<Grant, AuthError> {
        match self {
            Self::Anonymous => anonymous(applicant.name),
            Self::LocalAnonymous if applicant.is_loopback || applicant.is_own_origin => {
                anonymous(applicant.name)
            }
            Self::LocalAnonymous => Err(AuthError::NotLocal),
            Self::Secret(secret) if secret.is(applicant.token) => anonymous(applicant.name),
            Self::Secret(_) => Err(AuthError::Missing),
            Self::Jwt(jwt) => jwt.verify(applicant.token, applicant.now_ms),
        }
    }
}

/// What is known of a client when it says hello.
#[derive(Debug, Clone, Copy)]
pub struct Applicant<'a> {
    /// The token of the hello.
    pub token: Option<&'a str>,
    /// The name that the client proposes.
    pub name: Option<&'a str>,
    /// Whether the peer's address is of this machine's loopback.
    pub is_loopback: bool,
    /// Whether the client is a page of the server's own http origin.
    pub is_own_origin: bool,
    /// Milliseconds since the Unix epoch.
    pub now_ms: u64,
}

/// Why a hello was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// The client's: the server wants a token and got none.
    #[error("a token is needed")]
    Missing,
    /// The client's: what it sent has not the form of a token, or is over 8 KiB.
    #[error("that is not a token")]
    Malformed,
    /// The issuer's, or a forger's: the header asks for another algorithm, brings its own key, or
    /// names an extension.
    #[error("the token's header is not of the kind that this server takes")]
    Header,
    /// The issuer's, or a forger's: it was signed with another key, or changed since.
    #[error("the token's signature is wrong")]
    BadSignature,
    /// The issuer's: a claim is missing, of the wrong type or out of range.
    #[error("the token's claim \"{0}\" is missing or wrong")]
    Claim(&'static str),
    /// The client's: its token has ended, and it needs a new one.
    #[error("the token has expired")]
    Expired,
    /// The issuer's: its token does not hold yet, or the clocks differ by more than the leeway.
    #[error("the token is not valid yet")]
    NotYet,
    /// The issuer's: the token is meant for another service.
    #[error("the token is for another audience")]
    WrongAudience,
    /// The client's: the name that it proposes is empty, too long, or holds control characters.
    #[error("the name is empty, too long or not plain text")]
    BadName,
    /// The operator's: the server lets in clients of its own machine only.
    #[error("this server lets in local clients only")]
    NotLocal,
}

fn anonymous(name: Option<&str>) -> Result<Grant, AuthError> {
    if name.is_some_and(|name| !is_user_name(name)) {
        return Err(AuthError::BadName);
    }
    Ok(Grant {
        user_id: format!("anonymous-{:016x}", rand::random::<u64>()),
        name: name.map(str::to_owned),
        expires_ms: None,
        rooms: vec![RoomGrant { pattern: Pattern::any(), rights: Rights::ALL }],
    })
}

fn is_user_id(id: &str) -> bool {
    is_plain(id, USER_ID_BYTES_MAX)
}

fn is_user_name(name: &str) -> bool {
    is_plain(name, USER_NAME_BYTES_MAX)
}

/// Whether others can be shown it.
fn is_plain(text: &str, bytes_max: usize) -> bool {
    (1..=bytes_max).contains(&text.len()) && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRANGER: Applicant<'_> = Applicant {
        token: None,
        name: None,
        is_loopback: false,
        is_own_origin: false,
        now_ms: 1_000,
    };

    #[test]
    fn anonymous_users_get_all_rights_and_ids_of_their_own() {
        let applicant = Applicant { name: Some("Ada"), token: Some("ignored"), ..STRANGER };
        let one = Authenticator::Anonymous.authenticate(&applicant).unwrap();
        let two = Authenticator::Anonymous.authenticate(&applicant).unwrap();
        assert_eq!(one.name.as_deref(), Some("Ada"));
        assert_eq!(one.rights_in("any:room"), Rights::ALL);
        assert_eq!(one.expires_ms, None);
        assert_ne!(one.user_id, two.user_id);
    }

    #[test]
    fn local_means_loopback_or_the_own_origin() {
        let check = |is_loopback, is_own_origin| {
            let applicant = Applicant { is_loopback, is_own_origin, ..STRANGER };
            Authenticator::LocalAnonymous.authenticate(&applicant).map(|_| ())
        };
        assert_eq!(check(false, false), Err(AuthError::NotLocal));
        assert_eq!(check(true, false), Ok(()));
        assert_eq!(check(false, true), Ok(()));
    }

    #[test]
    fn the_join_secret_lets_in_who_knows_it() {
        let secret = JoinSecret::random();
        assert_ne!(secret, JoinSecret::random());
        let authenticator = Authenticator::Secret(secret.clone());
        let check = |token| {
            let applicant = Applicant { token, is_loopback: true, is_own_origin: true, ..STRANGER };
            authenticator.authenticate(&applicant).map(|_| ())
        };
        assert_eq!(check(Some(secret.reveal())), Ok(()));
        let long = format!("{}0", secret.reveal());
        for wrong in [None, Some(""), Some(&secret.reveal()[1..]), Some(&*long)] {
            assert_eq!(check(wrong), Err(AuthError::Missing), "{wrong:?}");
        }
        assert_eq!(format!("{secret:?}"), "JoinSecret(secret)");
    }

    #[test]
    fn a_name_is_short_plain_text() {
        for (name, good) in [
            ("Zoë", true),
            (&*"x".repeat(USER_NAME_BYTES_MAX), true),
            (&*"x".repeat(USER_NAME_BYTES_MAX + 1), false),
            ("", false),
            ("a\nb", false),
            ("a\u{7f}", false),
        ] {
            let grant =
                Authenticator::Anonymous.authenticate(&Applicant { name: Some(name), ..STRANGER });
            assert_eq!(grant.is_ok(), good, "{name:?}");
        }
    }
}
