//! `cargo xtask demo`: builds the page and `hither`, and starts it as a developer would meet it first.

use std::process::ExitCode;

use anyhow::Result;

use crate::node;
use crate::server::Server;
use crate::shell::{self, cargo};

/// Serves until the server ends or Ctrl-C ends both. `args` go to `hither dev`.
pub(crate) fn run(args: &[&str]) -> Result<ExitCode> {
    println!("Building the page: {}", node::PAGE);
    node::build_page()?;
    // A debug build is there in half the time of a release build, and fast enough for a page with fifty bots: protocol
    // and core, which do the work, are optimized in it as well.
    println!("Building the server, which takes a minute or two the first time");
    shell::run(&mut cargo(["build", "-p", "hither-server"]))?;
    let start = ["-p", "hither-server", "--", "dev", "--page", node::PAGE];
    let mut server = Server::start(&[&start, args].concat())?;
    println!(
        "\n  Hither is running. Open this in two windows of a browser:\n\n      http://{}/\n\n  \
         ?room=NAME at its end is a room of its own. Ctrl-C stops the server.\n",
        server.field("http")?
    );
    server.wait()
}
