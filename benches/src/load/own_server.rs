//! A server that the generator starts itself, since it kills it, or has to know where its data are.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;
use hither_certs::Certificate;
use tokio::time::Instant;

/// Which program, and where it runs.
#[derive(Debug, Clone, Args)]
pub(super) struct Program {
    /// The program `hither`. Default: the one beside this program.
    #[arg(long)]
    server: Option<PathBuf>,
    /// The core that the server is bound to, by `taskset`. Default: any.
    #[arg(long)]
    server_core: Option<u32>,
}

/// Does something in a folder of its own, which is gone then.
pub(super) async fn in_a_folder<T>(act: impl AsyncFnOnce(&Path) -> Result<T>) -> Result<T> {
    let dir = std::env::temp_dir().join(format!("hither-load-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let done = act(&dir).await;
    std::fs::remove_dir_all(&dir)?;
    done
}

/// A running server, killed when it is dropped.
pub(super) struct Server {
    pub(super) child: Child,
    /// Where it listens.
    pub(super) address: String,
    /// When it said that it was ready.
    pub(super) ready: Instant,
}

impl Server {
    /// Starts one that keeps its data in `dir`, at first with a certificate to put there.
    pub(super) fn start(
        program: &Program,
        dir: &Path,
        certificate: Option<&Certificate>,
        address: &str,
    ) -> Result<Self> {
        if let Some(certificate) = certificate {
            std::fs::write(dir.join("cert.pem"), certificate.cert_pem())?;
            std::fs::write(dir.join("key.pem"), certificate.key_pem())?;
            let config = "auth = \"anonymous\"\ndata = \"data\"\n\
                          [tls]\ncert = \"cert.pem\"\nkey = \"key.pem\"\n";
            std::fs::write(dir.join("hither.toml"), config)?;
        }
        let beside = std::env::current_exe()?.with_file_name("hither");
        let path = program.server.as_ref().unwrap_or(&beside);
        let mut command = match program.server_core {
            Some(core) => {
                let mut command = Command::new("taskset");
                command.args(["-c", &core.to_string()]).arg(path);
                command
            }
            None => Command::new(path),
        };
        command.args(["--log", "warn", "serve", "--config"]).arg(dir.join("hither.toml"));
        command.args(["--listen", address, "--http", "127.0.0.1:0", "--ops", "127.0.0.1:0"]);
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} can't be started", path.display()))?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("it was piped")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let ready: serde_json::Value = serde_json::from_str(&line).context("no ready line")?;
        let address = ready["quic"].as_str().context("no address")?.to_owned();
        Ok(Self { child, address, ready: Instant::now() })
    }

    pub(super) fn signal(&self, signal: &str) -> Result<()> {
        let pid = self.child.id().to_string();
        if !Command::new("kill").args([signal, &pid]).status()?.success() {
            bail!("the server can't be stopped");
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
