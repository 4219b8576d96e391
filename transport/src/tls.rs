//! TLS of both ends: version 1.3 with aws-lc-rs. Apart because nothing else may choose a
//! provider, a version, an ALPN or how a certificate is verified.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use hither_protocol::ALPN;
use quinn::crypto::rustls::{NoInitialCipherSuite, QuicClientConfig, QuicServerConfig};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{self, CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig,
    SignatureScheme,
};

/// The ALPN of WebTransport.
pub(crate) const ALPN_H3: &[u8] = b"h3";

/// The ALPN of WebSocket, which begins as a request of HTTP/1.1.
const ALPN_HTTP1: &[u8] = b"http/1.1";

/// A server's certificate and key, ready for handshakes. Cheap to clone.
#[derive(Clone)]
pub struct ServerTls {
    pub(crate) quic: Arc<QuicServerConfig>,
    /// Over TCP, under WebSocket: the same but for the ALPN.
    pub(crate) tcp: Arc<ServerConfig>,
}

impl ServerTls {
    /// Takes the chain to present, the server's own certificate first, and its private key.
    ///
    /// # Errors
    ///
    /// [`TlsError`] if the key is of no known kind or does not belong to the certificate.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, TlsError> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        // A resumed handshake saves no round trip without 0-RTT, which would let a hello be
        // replayed; so no tickets, and nothing remembered.
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        let mut tcp = config.clone();
        tcp.alpn_protocols = vec![ALPN_HTTP1.to_vec()];
        config.alpn_protocols = alpn_protocols();
        Ok(Self { quic: Arc::new(config.try_into()?), tcp: Arc::new(tcp) })
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").finish_non_exhaustive() // it holds a key
    }
}

/// Whom a client trusts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClientTls {
    /// The one certificate with this SHA-256 (of its DER), whatever its names and dates say; as
    /// `serverCertificateHashes` in browsers.
    Hash([u8; 32]),
    /// Certificates for the URL's host by an authority that this machine trusts.
    Roots,
}

impl ClientTls {
    /// The client's side of a handshake over QUIC for one `alpn`.
    pub(crate) fn quic(&self, alpn: &[u8]) -> Result<Arc<QuicClientConfig>, TlsError> {
        Ok(Arc::new(self.config(alpn)?.try_into()?))
    }

    /// The same over TCP, under WebSocket.
    pub(crate) fn tcp(&self) -> Result<Arc<ClientConfig>, TlsError> {
        Ok(Arc::new(self.config(ALPN_HTTP1)?))
    }

    fn config(&self, alpn: &[u8]) -> Result<ClientConfig, TlsError> {
        let builder =
            ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13])?;
        let mut config = match *self {
            Self::Hash(hash) => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Pinned { hash, provider: provider() }))
                .with_no_client_auth(),
            Self::Roots => builder.with_root_certificates(roots()?).with_no_client_auth(),
        };
        config.alpn_protocols = vec![alpn.to_vec()];
        config.resumption = Resumption::disabled(); // the server gives no tickets
        Ok(config)
    }
}

/// Why keys or roots cannot be used. Always the fault of this machine or its operator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The certificate and the key do not fit together, or are of an unknown kind.
    #[error("the certificate or its key cannot be used: {0}")]
    Certificate(#[from] rustls::Error),
    /// The provider lacks the cipher suite that QUIC starts with.
    #[error("the crypto provider cannot start QUIC: {0}")]
    Provider(#[from] NoInitialCipherSuite),
    /// The machine trusts no authority at all.
    #[error("no root certificates on this machine")]
    NoRoots,
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(crypto::aws_lc_rs::default_provider())
}

fn alpn_protocols() -> Vec<Vec<u8>> {
    let mut protocols = vec![ALPN.into()];
    if cfg!(feature = "webtransport") {
        protocols.push(ALPN_H3.to_vec());
    }
    protocols
}

/// A root that cannot be read is left out: one broken file must not lock out the rest.
fn roots() -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(TlsError::NoRoots) } else { Ok(roots) }
}

/// Trusts one certificate, and only a peer that proves to hold its key.
#[derive(Debug)]
struct Pinned {
    hash: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if digest(&SHA256, end_entity).as_ref() == self.hash {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
