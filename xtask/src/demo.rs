//! `cargo xtask demo`: builds `hither` and starts it as a developer would meet it first.

use std::process::ExitCode;

use anyhow::Result;

use crate::server::Server;

/// Serves until the server ends or Ctrl-C ends both.
pub(crate) fn run() -> Result<ExitCode> {
    let mut server = Server::start(&["-p", "hither-server", "--", "dev"])?;
    println!("http://{}  (Ctrl-C ends it)", server.field("http")?);
    server.wait()
}
