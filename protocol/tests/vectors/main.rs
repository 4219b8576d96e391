//! The golden vectors: what Rust writes and reads is what `protocol/vectors` says, and other languages hold to.
//!
//! Each test makes its file anew and fails on any difference, then reads the file as another language would and checks
//! it both ways. `HITHER_WRITE_VECTORS=1 cargo test -p hither-protocol --test vectors` writes the files instead.

#![expect(clippy::unwrap_used, reason = "all of this is tests, the helpers, too")]

mod conformance;
mod framing;
mod json;
mod messages;
mod motion_coder;
mod motion_down;
mod motion_up;
mod order;
mod playback;
mod reconnect;
mod reference;
mod scenarios;
mod tables;
mod truth;
mod values;

use std::path::Path;

use serde_json::Value as Json;

/// Holds `vectors/{name}` to what was made, or writes it; returns what the file says.
fn golden(name: &str, made: &Json) -> Json {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors").join(name);
    let made = json::pretty(made);
    if std::env::var_os("HITHER_WRITE_VECTORS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let stands = std::fs::read_to_string(&path).unwrap_or_default();
    if let Some((line, (is, was))) =
        (1..).zip(made.lines().zip(stands.lines())).find(|(_, (is, was))| is != was)
    {
        panic!(
            "vectors/{name}:{line} has changed: a client in the field would not understand\n{was}\n{is}"
        );
    }
    assert_eq!(made.len(), stands.len(), "vectors/{name} has become longer or shorter");
    serde_json::from_str(&stands).unwrap()
}
