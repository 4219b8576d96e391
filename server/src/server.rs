//! The assembly: the one place that names each adapter.

use std::io;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::auth::{Authenticator, Jwt, Key, KeyError};
use crate::config::{AuthConfig, Config};
use crate::http::{Discovery, Readiness, ops_router, public_router, run_http};
use crate::metrics::Metrics;

/// Why the server stopped or did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The operator's: an address is taken or not of this machine.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The operator's: the key of tokens can't be used.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Serves until SIGINT.
///
/// # Errors
/// See [`ServerError`].
pub async fn run(config: Config) -> Result<(), ServerError> {
    let _authenticator = authenticator(&config.auth)?;
    let http = TcpListener::bind(config.http).await?;
    let ops = TcpListener::bind(config.ops).await?;
    println!("http {} ops {}", http.local_addr()?, ops.local_addr()?);
    let (_discovery, discovery) =
        watch::channel(Discovery { quic: config.listen, cert_sha256: None, protocol: 1 });
    let (readiness, ready) = watch::channel(Readiness::Starting);
    let (stop, stopped) = watch::channel(false);
    let http = tokio::spawn(run_http(http, public_router(discovery), stopped.clone()));
    let metrics = Arc::new(Metrics::new());
    let ops = tokio::spawn(run_http(ops, ops_router(metrics, ready), stopped));
    readiness.send_replace(Readiness::Ready);
    tracing::info!("ready");
    tokio::signal::ctrl_c().await?;
    stop.send_replace(true);
    let _ = tokio::join!(http, ops);
    Ok(())
}

fn authenticator(config: &AuthConfig) -> Result<Authenticator, KeyError> {
    Ok(match config {
        AuthConfig::Anonymous => Authenticator::Anonymous,
        AuthConfig::LocalAnonymous => Authenticator::LocalAnonymous,
        AuthConfig::Tokens(tokens) => {
            let key = Key::read(&tokens.key_file)?;
            let jwt = Jwt::new(&key, tokens.audience.clone(), tokens.leeway_ms);
            Authenticator::Jwt(Box::new(jwt))
        }
    })
}
