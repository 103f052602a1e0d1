//! A file that is as long as it was said to be.
//!
//! The length goes out before the bytes. Of a file that was cut meanwhile, ureq would look for the
//! missing rest without end, so a short read has to be an error.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ferror::Error;

/// The bytes of a file, exactly as many as were declared, or an error that names it.
pub(crate) struct ExactFile {
    file: File,
    path: PathBuf,
    left: u64,
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
        Ok(Self { file, path: path.to_owned(), left: size_bytes })
    }
}

impl Read for ExactFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let path = self.path.display();
        let read = self.file.read(&mut buffer[..wanted]).map_err(|error| {
            io::Error::other(Error::config(format!("cannot read {path}")).caused_by(error))
        })?;
        if read == 0 && wanted > 0 {
            let message = format!("{path} became shorter while it was read");
            return Err(io::Error::other(Error::invalid(message)));
        }
        self.left -= read as u64;
        Ok(read)
    }
}
