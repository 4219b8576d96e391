//! The secret that tokens are signed with, apart from the tokens, so that it is read and measured
//! in one place and printed in none.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

const BYTES_MIN: usize = 32;
const BYTES_MAX: usize = 4 * 1024;

/// A shared secret for HS256.
#[derive(Clone)]
pub struct Key(Vec<u8>);

impl Key {
    /// Takes the bytes of a file as they are, a newline at the end too: `openssl rand 32 > key`
    /// makes a good one.
    ///
    /// # Errors
    /// The operator's: the file can't be read, or holds fewer than 32 bytes or more than 4 KiB.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::Unreadable { path: path.to_owned(), source };
        let mut bytes = Vec::new();
        File::open(path)
            .map_err(failed)?
            .take(BYTES_MAX as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        Self::new(bytes).ok_or_else(|| KeyError::Length { path: path.to_owned() })
    }

    /// A key of these bytes; `None` if they are fewer than 32 or more than 4 KiB.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        (BYTES_MIN..=BYTES_MAX).contains(&bytes.len()).then_some(Self(bytes))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(secret)")
    }
}

/// Why a key file can't be used; the operator's fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The file is not there, or may not be read.
    #[error("the key file {} can't be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The key is too short to be safe, or too long to be a key.
    #[error("the key file {} must hold 32 to 4,096 bytes", path.display())]
    Length {
        /// The file.
        path: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_decides() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        for (length, good) in [(0, false), (31, false), (32, true), (4_096, true), (4_097, false)] {
            std::fs::write(&path, vec![7; length]).unwrap();
            match Key::read(&path) {
                Ok(key) => assert!(good && key.bytes().len() == length),
                Err(error) => assert!(!good && matches!(error, KeyError::Length { .. })),
            }
        }
        let missing = Key::read(&dir.path().join("none"));
        assert!(matches!(missing, Err(KeyError::Unreadable { .. })));
    }

    #[test]
    fn a_key_is_never_printed() {
        let key = Key::new(vec![b'k'; 32]).unwrap();
        assert_eq!(format!("{key:?}"), "Key(secret)");
    }
}
