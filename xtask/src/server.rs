//! A `hither` process for the demo and the benches: built, started, and asked for its addresses by its ready line.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};

use anyhow::{Context, Result, ensure};

use crate::shell::cargo;

/// A running server; dropping it ends it.
pub(crate) struct Server {
    child: Child,
    ready: String,
}

impl Server {
    /// Builds a program with `cargo run ARGS`, starts it and waits for its ready line. On Unix cargo becomes the
    /// program, so that its process id is the program's.
    pub(crate) fn start(args: &[&str]) -> Result<Self> {
        Self::spawn(&mut cargo(["run", "--quiet"].iter().chain(args)))
    }

    /// Starts a program that is built already, and waits for its ready line.
    pub(crate) fn spawn(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let mut ready = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut ready)?;
        }
        let server = Self { child, ready };
        ensure!(server.ready.contains("\"ready\":true"), "{command:?} did not get ready");
        Ok(server)
    }

    /// A text field of the ready line: `quic`, `http`, `ops` or `cert_sha256`.
    pub(crate) fn field(&self, field: &str) -> Result<&str> {
        text_field(&self.ready, field)
            .with_context(|| format!("no {field:?} in the ready line: {}", self.ready.trim()))
    }

    /// The process id, for those who measure its CPU time.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the server ends by itself; its exit code becomes ours.
    pub(crate) fn wait(&mut self) -> Result<ExitCode> {
        let status = self.child.wait()?;
        Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Either may fail only because the process has ended, which is what we want.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The ready line is one flat JSON object that our own server wrote without escapes.
fn text_field<'a>(line: &'a str, field: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(&format!("\"{field}\":\""))?;
    rest.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_the_ready_line_are_found() {
        let line = r#"{"ready":true,"quic":"127.0.0.1:4433","http":"127.0.0.1:8080"}"#;
        assert_eq!(text_field(line, "http"), Some("127.0.0.1:8080"));
        assert_eq!(text_field(line, "ops"), None);
    }

    #[test]
    fn a_program_without_a_ready_line_is_an_error() {
        assert!(Server::spawn(&mut Command::new("true")).is_err());
        assert!(Server::spawn(Command::new("echo").arg(r#"{"ready":true}"#)).is_ok());
    }
}
