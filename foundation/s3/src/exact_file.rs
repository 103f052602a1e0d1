//! Reads a file of a declared length and digest. The length is sent before the bytes and the digest is
//! in a manifest, so a file that changes meanwhile is an error.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use ferror::Error;

use crate::digest;
use crate::fault::behind;

/// The source of an error about a file that does not have the declared length or digest. It tells a
/// wrong file from a failing server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileMismatch;

impl fmt::Display for FileMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the file is not the one that was declared")
    }
}

impl std::error::Error for FileMismatch {}

impl FileMismatch {
    /// Returns whether an error has this source, behind any context.
    pub fn is_in(error: &Error) -> bool {
        behind::<Self>(error).is_some()
    }
}

/// A file of the declared length.
pub(crate) struct ExactFile {
    file: File,
    path: PathBuf,
}

impl ExactFile {
    /// Opens the file at `path`; an error if it does not have `size_bytes`.
    pub(crate) fn open(path: &Path, size_bytes: u64) -> ferror::Result<Self> {
        let unreadable =
            |error| Error::config(format!("cannot read {}", path.display())).caused_by(error);
        let file = File::open(path).map_err(unreadable)?;
        let found = file.metadata().map_err(unreadable)?.len();
        if found != size_bytes {
            return Err(wrong(format!(
                "{} has {found} bytes, not the {size_bytes} that it should have",
                path.display()
            )));
        }
        Ok(Self { file, path: path.to_owned() })
    }

    /// Fills `buffer` with the next bytes.
    pub(crate) fn fill(&mut self, buffer: &mut [u8]) -> ferror::Result<()> {
        let path = self.path.display();
        self.file.read_exact(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                wrong(format!("{path} became shorter while it was read"))
            }
            _ => Error::config(format!("cannot read {path}")).caused_by(error),
        })
    }
}

/// Compares the digest of a file that was read with the declared one.
pub(crate) fn check_digest(
    path: &Path,
    found: &[u8; 32],
    declared: &[u8; 32],
) -> ferror::Result<()> {
    if found == declared {
        return Ok(());
    }
    let (path, found, declared) = (path.display(), digest::hex(found), digest::hex(declared));
    Err(wrong(format!("{path}: its sha256 is {found}, not the {declared} that it should have")))
}

fn wrong(message: String) -> Error {
    Error::invalid(message).caused_by(FileMismatch)
}
