//! A file that is what it was said to be: its length goes out before its bytes, and its digest
//! stands in a manifest, so a file that was changed meanwhile has to be an error.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use ferror::Error;

use crate::digest;
use crate::fault::behind;

/// The source of an error that says of a file that it is not of the length or the digest that was
/// declared: the file is wrong, not the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileMismatch;

impl fmt::Display for FileMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the file is not the one that was declared")
    }
}

impl std::error::Error for FileMismatch {}

impl FileMismatch {
    /// Whether that is what an error reports, behind whatever context.
    pub fn is_in(error: &Error) -> bool {
        behind::<Self>(error).is_some()
    }
}

/// A file of the length that was declared; whatever is wrong with it is an error that names it.
pub(crate) struct ExactFile {
    file: File,
    path: PathBuf,
}

impl ExactFile {
    /// Opens the file at `path`, if it has `size_bytes`.
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

    /// Reads the next bytes of it, as many as `buffer` has.
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

/// The digest of a file that was read is the one that was declared.
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
