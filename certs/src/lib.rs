//! Mints the development certificates that browsers accept by their hash; apart because no other
//! crate may hold a way to make keys.
//!
//! A page names the certificate it trusts by its SHA-256 (`serverCertificateHashes`). Browsers
//! then want an ECDSA P-256 key and a validity of at most 14 days, so a server that runs longer
//! mints a new one in time and swaps it in. Nothing is ever written to disk.

use std::fmt::{self, Write as _};
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{SHA256, digest};
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// From the start to the end of a certificate's validity; browsers refuse more than 14 days.
pub const VALIDITY: Duration = Duration::from_hours(13 * 24);

/// How far before the minting the validity starts, for clients whose clock is behind ours.
pub const CLOCK_SKEW: Duration = Duration::from_hours(1);

/// How long before the end of the validity a running server should mint the next certificate.
pub const RENEW_BEFORE_END: Duration = Duration::from_hours(2 * 24);

/// A self-signed certificate for development, and its private key.
///
/// It is valid for `localhost`, `127.0.0.1`, `::1` and the names given when it was minted.
pub struct Certificate {
    der: CertificateDer<'static>,
    key: PrivatePkcs8KeyDer<'static>,
    pem: (String, String),
    sha256: [u8; 32],
    not_after: SystemTime,
}

impl Certificate {
    /// Mints a certificate and a fresh key, valid for [`VALIDITY`] from [`CLOCK_SKEW`] before
    /// `now`.
    ///
    /// `extra_names` are DNS names or IP addresses beside the three of loopback, in any order;
    /// naming one twice does no harm.
    ///
    /// # Errors
    ///
    /// [`MintError`] if a name is neither, or if no key could be made.
    pub fn mint(now: SystemTime, extra_names: &[String]) -> Result<Self, MintError> {
        let mut names: Vec<String> =
            ["localhost", "127.0.0.1", "::1"].map(String::from).into_iter().collect();
        names.extend_from_slice(extra_names);
        names.sort_unstable();
        names.dedup();

        let not_before = now - CLOCK_SKEW;
        let not_after = not_before + VALIDITY;
        let mut params = CertificateParams::new(names).map_err(MintError::Name)?;
        params.not_before = not_before.into();
        params.not_after = not_after.into();
        params.distinguished_name.push(DnType::CommonName, "Hither development");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];

        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(MintError::Key)?;
        let certificate = params.self_signed(&key).map_err(MintError::Key)?;
        let (der, pem) = (certificate.der().clone(), (certificate.pem(), key.serialize_pem()));
        let sha256 = sha256(&der);
        Ok(Self { der, key: key.serialize_der().into(), pem, sha256, not_after })
    }

    /// The chain to present in the handshake: this one certificate.
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.der.clone()]
    }

    /// The private key, in PKCS #8.
    pub fn key(&self) -> PrivateKeyDer<'static> {
        self.key.clone_key().into()
    }

    /// The certificate as an operator's file has it.
    pub fn cert_pem(&self) -> &str {
        &self.pem.0
    }

    /// The private key as an operator's file has it: only for files that nobody else reads.
    pub fn key_pem(&self) -> &str {
        &self.pem.1
    }

    /// SHA-256 of the certificate in DER: what a browser compares.
    pub fn sha256(&self) -> [u8; 32] {
        self.sha256
    }

    /// [`Self::sha256`] as 64 lowercase hexadecimal digits.
    pub fn sha256_hex(&self) -> String {
        self.sha256.iter().fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}"); // writing into a String never fails
            hex
        })
    }

    /// The moment from which clients refuse the certificate.
    pub fn not_after(&self) -> SystemTime {
        self.not_after
    }

    /// The moment at which a running server should mint the next certificate:
    /// [`RENEW_BEFORE_END`] before [`Self::not_after`].
    pub fn renew_at(&self) -> SystemTime {
        self.not_after - RENEW_BEFORE_END
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("sha256", &self.sha256_hex())
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

/// Why no certificate was minted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MintError {
    /// The caller's fault: one of the extra names is neither a DNS name nor an IP address.
    #[error("a name cannot stand in a certificate: {0}")]
    Name(#[source] rcgen::Error),
    /// The machine's fault: the key could not be made, or could not sign.
    #[error("no key could be made: {0}")]
    Key(#[source] rcgen::Error),
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref()); // SHA-256 is always 32 bytes
    hash
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

    use super::*;

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    fn mint(names: &[&str]) -> Certificate {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        Certificate::mint(now(), &names).unwrap()
    }

    #[test]
    fn validity_is_under_14_days_and_covers_now() {
        let minted = mint(&[]);
        let (_, parsed) = X509Certificate::from_der(&minted.der).unwrap();
        let validity = parsed.validity();
        let seconds = validity.not_after.timestamp() - validity.not_before.timestamp();
        assert_eq!(seconds, 13 * 24 * 3600);
        assert_eq!(validity.not_before.timestamp(), 1_800_000_000 - 3600);
        assert_eq!(
            minted.not_after(),
            SystemTime::UNIX_EPOCH
                + Duration::from_secs(validity.not_after.timestamp().try_into().unwrap())
        );
    }

    #[test]
    fn renewal_comes_after_now_and_before_the_end() {
        let minted = mint(&[]);
        assert!(minted.renew_at() > now());
        assert!(minted.renew_at() < minted.not_after());
    }

    #[test]
    fn hash_is_of_the_der() {
        let minted = mint(&[]);
        let expected = digest(&SHA256, &minted.chain()[0]);
        assert_eq!(minted.sha256(), expected.as_ref());
        let mut from_hex = [0; 32];
        for (byte, hex) in from_hex.iter_mut().zip(minted.sha256_hex().as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(hex).unwrap(), 16).unwrap();
        }
        assert_eq!(from_hex, minted.sha256());
        assert_eq!(minted.sha256_hex().len(), 64);
    }

    #[test]
    fn names_are_loopback_and_the_extra_ones_once() {
        let minted = mint(&["room.example", "192.0.2.7", "localhost"]);
        let (_, parsed) = X509Certificate::from_der(&minted.der).unwrap();
        let names = &parsed.subject_alternative_name().unwrap().unwrap().value.general_names;
        let (mut dns, mut ips) = (Vec::new(), Vec::new());
        for name in names {
            match name {
                GeneralName::DNSName(name) => dns.push(*name),
                GeneralName::IPAddress(bytes) => ips.push(match bytes.len() {
                    4 => IpAddr::from(<[u8; 4]>::try_from(*bytes).unwrap()),
                    _ => IpAddr::from(<[u8; 16]>::try_from(*bytes).unwrap()),
                }),
                other => panic!("unexpected name {other:?}"),
            }
        }
        ips.sort();
        assert_eq!(dns, ["localhost", "room.example"]);
        let v4 = [Ipv4Addr::LOCALHOST, Ipv4Addr::new(192, 0, 2, 7)].map(IpAddr::from);
        assert_eq!(ips, [v4[0], v4[1], Ipv6Addr::LOCALHOST.into()]);
    }

    #[test]
    fn key_is_p256_and_signs_for_the_certificate() {
        let minted = mint(&[]);
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let key = provider.key_provider.load_private_key(minted.key()).unwrap();
        let certified = rustls::sign::CertifiedKey::new(minted.chain(), key);
        certified.keys_match().unwrap();
        let (_, parsed) = X509Certificate::from_der(&minted.der).unwrap();
        let curve = parsed.public_key().algorithm.parameters.as_ref().unwrap().as_oid().unwrap();
        assert_eq!(curve.to_id_string(), "1.2.840.10045.3.1.7");
    }

    #[test]
    fn two_certificates_share_no_key() {
        assert_ne!(mint(&[]).key, mint(&[]).key);
    }

    #[test]
    fn a_name_that_is_none_is_refused() {
        let error = Certificate::mint(now(), &["Zürich".to_string()]).unwrap_err();
        assert!(matches!(error, MintError::Name(_)), "{error}");
    }
}
