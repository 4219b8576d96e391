//! The binary as its operator meets it: its one line, its errors, its end. That this target stands in the package
//! also has cargo build the binary for the end-to-end tests, which have clients.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails the test")]

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use hither_server::store::{SqliteOptions, SqliteStore};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

const BINARY: &str = env!("CARGO_BIN_EXE_hither");
const ANY_PORT: [&str; 6] =
    ["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--ops", "127.0.0.1:0"];

/// A process that does not outlive its test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // Either may fail only because the process has ended, which is what we want.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A config file with this text, in a folder that goes when the first is dropped.
fn config(text: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hither.toml");
    std::fs::write(&path, text).unwrap();
    (dir, path)
}

fn serve(text: &str) -> (TempDir, Command) {
    let (dir, path) = config(text);
    let mut command = Command::new(BINARY);
    command.arg("serve").arg("--config").arg(path).args(ANY_PORT);
    (dir, command)
}

/// What a server that does not start leaves: no line on stdout, and an error.
fn refused(text: &str) -> String {
    let (_dir, mut command) = serve(text);
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert_eq!((status.code(), stdout), (Some(1), Vec::new()), "{text}");
    String::from_utf8(stderr).unwrap()
}

#[test]
fn a_config_that_is_wrong_says_where() {
    for (text, named) in [
        (
            "auth = \"anonymous\"\ntls = { mint = true }\n[limits]\nhello_dedline_ms = 300\n",
            "line 4",
        ),
        ("auth = \"anonymous\"\ntls = { mint = true }\ncolour = \"blue\"\n", "line 3"),
        (
            "auth = \"anonymous\"\n[tls]\nmint = true\n[namespaces.default]\ntick_hz = 61\n",
            "line 5",
        ),
        ("auth = \"nobody\"\n[tls]\nmint = true\n", "line 1"),
        ("auth = anonymous\n", "line 1"),
    ] {
        let said = refused(text);
        assert!(said.contains(named), "{named} is not in: {said}");
    }
}

#[test]
fn a_config_that_does_not_say_who_may_come_in_is_refused() {
    for (text, named) in [
        ("", "who may come in"),
        ("[tls]\nmint = true\n", "who may come in"),
        ("auth = \"anonymous\"\n", "where the certificate comes from"),
        ("auth = { mode = \"tokens\" }\ntls = { mint = true }\n", "who may come in"),
        ("auth = { mode = \"tokens\", key_file = \"none\" }\ntls = { mint = true }\n", "key file"),
    ] {
        let said = refused(text);
        assert!(said.contains(named), "{named} is not in: {said}");
    }
}

#[tokio::test]
async fn a_backup_says_what_is_in_it_and_nothing_is_no_backup() {
    let dir = tempfile::tempdir().unwrap();
    let (data, to) = (dir.path().join("data"), dir.path().join("copy.db"));
    std::fs::create_dir(&data).unwrap();
    let back_up = || {
        let mut command = Command::new(BINARY);
        command.arg("backup").arg("--data").arg(&data).arg(&to).output().unwrap()
    };
    let Output { status, stdout, stderr } = back_up();
    assert_eq!((status.code(), stdout), (Some(1), Vec::new()));
    assert!(String::from_utf8(stderr).unwrap().contains("holds no documents"));
    drop(SqliteStore::open(&data, SqliteOptions::default(), Default::default()).unwrap());
    let Output { status, stdout, .. } = back_up();
    let said: Value = serde_json::from_slice(&stdout).unwrap();
    assert_eq!((status.code(), &said["rooms"], &said["records"]), (Some(0), &0.into(), &0.into()));
    assert_eq!(said["bytes"], std::fs::metadata(&to).unwrap().len());
    assert_eq!(back_up().status.code(), Some(1), "a copy replaces nothing");
}

#[tokio::test]
async fn one_line_says_where_and_sigterm_ends_with_0() {
    let (_dir, mut command) = serve("auth = \"anonymous\"\ntls = { mint = true }\n");
    let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut killed = Killed(child);
    let child = &mut killed.0;
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap();
    let address = |key: &str| ready[key].as_str().unwrap().parse::<SocketAddr>().unwrap();
    assert_eq!(ready["ready"], true);
    let hash = ready["cert_sha256"].as_str().unwrap();
    assert!(hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()), "{hash}");
    assert_eq!(ready.as_object().unwrap().len(), 6);
    assert!(ready["ws"].is_null(), "plain WebSocket is for development");
    assert_ne!(address("quic").port(), 0);
    // Over TCP, WebSocket is where QUIC is over UDP.
    for key in ["quic", "http", "ops"] {
        TcpStream::connect(address(key)).unwrap();
    }

    let terminated = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(terminated.unwrap().success());
    let deadline = Instant::now() + Duration::from_secs(2);
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < deadline, "it does not end");
        sleep(Duration::from_millis(5)).await;
    };
    assert_eq!(status.code(), Some(0));
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
}
