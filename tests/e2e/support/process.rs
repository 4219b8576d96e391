//! The binary `hither` as a process of its own: its output, its memory, its end.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;

use serde_json::Value;

use super::find;
use super::server::Target;

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
        Self::run(["127.0.0.1:0"; 3], None)
    }

    /// The same with a data directory.
    pub(crate) fn with_data(data: &Path) -> Self {
        Self::run(["127.0.0.1:0"; 3], Some(data))
    }

    /// Another one in its place, when it has ended or been killed, with this data directory.
    pub(crate) fn again(&self, data: &Path) -> Self {
        let Target { quic, http, ops, .. } = &self.target;
        Self::run([quic, http, ops].map(ToString::to_string), Some(data))
    }

    fn run(addresses: [impl AsRef<OsStr>; 3], data: Option<&Path>) -> Self {
        let mut command = Command::new(binary());
        command.arg("dev");
        for (flag, address) in ["--listen", "--http", "--ops"].into_iter().zip(addresses) {
            command.arg(flag).arg(address);
        }
        if let Some(data) = data {
            command.arg("--data").arg(data);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let stderr = collect(child.stderr.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).expect("the ready line is JSON");
        let addr = |key: &str| ready[key].as_str().unwrap().parse().unwrap();
        let hash = ready["cert_sha256"].as_str().unwrap();
        let target = Target::new(addr("quic"), addr("http"), addr("ops"), hash);
        Self { target, child, stdout: Some(collect(stdout)), stderr: Some(stderr) }
    }

    /// Asks it to stop, as an init system does.
    pub(crate) fn terminate(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
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
