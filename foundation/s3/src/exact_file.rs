//! A file that is as long as it was said to be: the length goes out before the bytes, so a file
//! that was cut meanwhile has to be an error.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use ferror::Error;

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
            return Err(Error::invalid(format!(
                "{} has {found} bytes, not the {size_bytes} that it should have",
                path.display()
            )));
        }
        Ok(Self { file, path: path.to_owned() })
    }
}

impl ExactFile {
    /// Appends the next `size` bytes to `buffer`.
    pub(crate) fn fill(&mut self, buffer: &mut Vec<u8>, size: usize) -> ferror::Result<()> {
        let path = self.path.display();
        let read = self
            .file
            .by_ref()
            .take(size as u64)
            .read_to_end(buffer)
            .map_err(|error| Error::config(format!("cannot read {path}")).caused_by(error))?;
        if read < size {
            return Err(Error::invalid(format!("{path} became shorter while it was read")));
        }
        Ok(())
    }
}
