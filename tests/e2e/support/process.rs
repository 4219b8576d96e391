//! The binary `hither` as a process of its own: its output, its memory, its end.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::SystemTime;

use hither_certs::Certificate;
use serde_json::Value;

use super::files::put_certificate;
use super::find;
use super::server::Target;

/// Ports that the system chooses.
const FREE: [&str; 3] = ["127.0.0.1:0"; 3];

/// A running server that has said where it is. It is killed when it is dropped.
pub(crate) struct Process {
    target: Target,
    child: Child,
    /// The rest of stdout after the ready line.
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
}

/// What a process left.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// What it printed on stdout after its ready line.
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Process {
    /// `hither dev` on free ports.
    pub(crate) fn start() -> Self {
        Self::run(Command::new(binary()).arg("dev"), FREE, None)
    }

    /// `hither serve` on free ports, which lets everyone in and keeps its data and its certificate in this directory:
    /// one that can be started again.
    pub(crate) fn lasting(dir: &Path) -> Self {
        let certificate = Certificate::mint(SystemTime::now(), &[]).unwrap();
        put_certificate(dir, &certificate);
        let config = "auth = \"anonymous\"\ndata = \"data\"\n\
                      [tls]\ncert = \"cert.pem\"\nkey = \"key.pem\"\n";
        fs::write(dir.join("hither.toml"), config).unwrap();
        Self::serve(dir, FREE, &certificate.sha256_hex())
    }

    /// Another one in its place, when it has ended or been killed.
    pub(crate) fn again(&self, dir: &Path) -> Self {
        let Target { quic, http, ops, cert_sha256, .. } = &self.target;
        let hash: String = cert_sha256.iter().map(|byte| format!("{byte:02x}")).collect();
        Self::serve(dir, [quic, http, ops].map(ToString::to_string), &hash)
    }

    fn serve(dir: &Path, addresses: [impl AsRef<OsStr>; 3], cert_sha256: &str) -> Self {
        let mut command = Command::new(binary());
        command.arg("serve").arg("--config").arg(dir.join("hither.toml"));
        Self::run(&mut command, addresses, Some(cert_sha256))
    }

    fn run(
        command: &mut Command,
        addresses: [impl AsRef<OsStr>; 3],
        cert_sha256: Option<&str>,
    ) -> Self {
        for (flag, address) in ["--listen", "--http", "--ops"].into_iter().zip(addresses) {
            command.arg(flag).arg(address);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let stderr = collect(child.stderr.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).expect("the ready line is JSON");
        let addr = |key: &str| ready[key].as_str().unwrap().parse().unwrap();
        let hash = ready["cert_sha256"].as_str().or(cert_sha256).unwrap();
        let target = Target::new(addr("quic"), addr("http"), addr("ops"), hash);
        Self { target, child, stdout: Some(collect(stdout)), stderr: Some(stderr) }
    }

    /// Starts `hither backup` of the documents in a directory, to a file.
    pub(crate) fn back_up(dir: &Path, to: &Path) -> Child {
        let mut command = Command::new(binary());
        command.arg("backup").arg("--data").arg(dir.join("data")).arg(to);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Asks it to stop, as an init system does.
    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Has it stand still, as a machine does that is out of breath.
    pub(crate) fn pause(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn go_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Ends it without a warning.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> Ended {
        let status = find("the server ends", async || self.child.try_wait().unwrap()).await;
        let text = |thread: Option<JoinHandle<String>>| thread.unwrap().join().unwrap();
        Ended { status, stdout: text(self.stdout.take()), stderr: text(self.stderr.take()) }
    }

    /// Memory that it has resident now, in KiB.
    pub(crate) fn rss_kb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Deref for Process {
    type Target = Target;

    fn deref(&self) -> &Target {
        &self.target
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Either may fail only because the process has ended, which is what we want.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Beside this test's own executable. The server's own tests of its binary have it built with the workspace's tests.
fn binary() -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    let path = exe.ancestors().nth(2).unwrap().join("hither");
    assert!(path.exists(), "{} is missing: run `cargo build -p hither-server`", path.display());
    path
}

fn collect(mut output: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        output.read_to_string(&mut text).unwrap();
        text
    })
}
