//! How many commits were durable, in a file of its own beside the documents: it tells when what is there ends before
//! what was acked, as it does where SQLite has cut its log or an older copy was put in place.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use super::digest::Digest;

/// A file that is written in place, and not synced: after a power cut it is as old as it is, or gone, and tells less
/// then.
#[derive(Debug)]
pub(super) struct Mark(File);

impl Mark {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// The machine's.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        options.open(path).map(Self)
    }

    /// What a file says; `None` if there is none, or none that can be believed.
    ///
    /// # Errors
    /// The machine's.
    pub(super) fn read(path: &Path) -> io::Result<Option<u64>> {
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let words = std::str::from_utf8(&text).ok().and_then(|text| text.split_once(' '));
        let commits = words.and_then(|(commits, _)| commits.parse().ok());
        Ok(commits.filter(|commits| line(*commits).as_bytes() == text))
    }

    /// So many commits are durable.
    ///
    /// # Errors
    /// The machine's.
    pub(super) fn write(&self, commits: u64) -> io::Result<()> {
        self.0.write_all_at(line(commits).as_bytes(), 0)
    }
}

/// Of the same length for every number, so that it is replaced whole.
fn line(commits: u64) -> String {
    format!("{commits:020} {:016x}\n", Digest::default().number(commits).finish(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_last_is_read_and_what_is_spoilt_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mark");
        assert_eq!(Mark::read(&path).unwrap(), None);
        let mark = Mark::open(&path).unwrap();
        assert_eq!(Mark::read(&path).unwrap(), None);
        mark.write(u64::MAX).unwrap();
        mark.write(7).unwrap();
        assert_eq!(Mark::read(&path).unwrap(), Some(7));
        let whole = std::fs::read(&path).unwrap();
        for bit in 0..8 * whole.len() {
            let mut spoilt = whole.clone();
            spoilt[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, spoilt).unwrap();
            assert_eq!(Mark::read(&path).unwrap(), None, "bit {bit}");
        }
    }
}
