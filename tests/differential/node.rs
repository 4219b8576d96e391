//! The child process that runs the TypeScript end, and the one way of asking it: a line of JSON there, a line back.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value as Json;

/// What to run when something is missing.
const ADVICE: &str = "the TypeScript end needs Node 20 and the packages of client-js: \
                      run `cargo xtask test --only client` once, which installs them";

/// A running `client-js/src/testing/differential.ts`.
pub(crate) struct Node {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    line: String,
}

impl Node {
    /// Bundles the TypeScript as it is now and starts it. `name` is one that no other test of this suite has.
    pub(crate) fn start(name: &str) -> Self {
        let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("../client-js");
        let program =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("differential-{name}.mjs"));
        // Node 20 runs no TypeScript. A bundle takes 20 ms, and made anew it is never an old one.
        let bundled = Command::new(client.join("node_modules/.bin/esbuild"))
            .args(["src/testing/differential.ts", "--bundle", "--format=esm", "--platform=node"])
            .args(["--log-level=error", &format!("--outfile={}", program.display())])
            .current_dir(client)
            .status();
        assert!(bundled.expect(ADVICE).success(), "client-js does not compile: see above");
        let mut child = Command::new("node")
            .arg(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect(ADVICE);
        let stdin = child.stdin.take().expect("it is piped");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        Self { child, stdin, stdout, line: String::new() }
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// TypeScript has thrown what it never should.
    pub(crate) fn ask(&mut self, question: &Json) -> Result<Json, String> {
        let sent = writeln!(self.stdin, "{question}").and_then(|()| self.stdin.flush());
        sent.expect("the child reads what it is asked");
        self.line.clear();
        self.stdout.read_line(&mut self.line).expect("the child answers");
        let answer: Json = serde_json::from_str(&self.line).expect("an answer is JSON");
        match answer.get("thrown").and_then(Json::as_str) {
            None => Ok(answer),
            Some(thrown) => Err(format!("TypeScript threw {thrown}\n    at {question:.1000}")),
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It is ended, so that it never outlives a test that failed; there is nothing to do if it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
