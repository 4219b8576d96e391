//! How many commits were durable, in a file of its own beside the documents: it tells when what is there ends before
//! what was acked, as it does where SQLite has cut its log or an older copy was put in place. Without it, nobody can
//! tell.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use super::digest::Digest;

/// A file that is written in place, and synced when it begins alone: after a power cut it may be old, and tells less
/// then.
#[derive(Debug)]
pub(super) struct Mark(File);

impl Mark {
    /// Opens a file that can be believed.
    ///
    /// # Errors
    /// The machine's.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        OpenOptions::new().write(true).open(path).map(Self)
    }

    /// Makes the file, durably, in the place of one that can't be believed: so many commits are durable.
    ///
    /// # Errors
    /// The machine's.
    pub(super) fn begin(path: &Path, commits: u64) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let mark = Self(options.write(true).create(true).truncate(true).mode(0o600).open(path)?);
        mark.write(commits)?;
        mark.0.sync_all()?;
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())?;
        Ok(mark)
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
        assert!(Mark::open(&path).is_err());
        std::fs::write(&path, "what was there is longer than all that a mark has to say of itself")
            .unwrap();
        assert_eq!(Mark::read(&path).unwrap(), None);
        Mark::begin(&path, u64::MAX).unwrap();
        assert_eq!(Mark::read(&path).unwrap(), Some(u64::MAX));
        Mark::open(&path).unwrap().write(7).unwrap();
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
