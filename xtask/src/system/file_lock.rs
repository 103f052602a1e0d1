//! Locks on files, which one process at a time can hold.
//!
//! They are those of `flock`, as are the locks of the standard library, so that a lock is seen whichever of the
//! two took it.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::Context as _;
use s3::file_lock;

/// A locked file. The lock belongs to the open file, so it ends when this is dropped, and with the
/// process however that ends.
#[derive(Debug)]
pub struct FileLock {
    _file: File,
}

/// Locks the file `path`, which is made where it does not exist. `before_waiting` is called when another
/// process holds the lock, which is then waited for.
pub fn lock(path: &Path, before_waiting: impl FnOnce()) -> anyhow::Result<FileLock> {
    let mut before_waiting = Some(before_waiting);
    let mut open = || -> std::io::Result<FileLock> {
        loop {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            let file = match File::options().create(true).append(true).open(path) {
                // Its folder was removed just now.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                opened => opened?,
            };
            if file_lock::try_lock(&file).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
                && let Some(before_waiting) = before_waiting.take()
            {
                before_waiting();
            }
            file_lock::lock(&file)?;
            // Who held it may have removed the file, and somebody else may have locked a new one.
            let id = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
            if path.metadata().map(id).ok() == Some(id(file.metadata()?)) {
                return Ok(FileLock { _file: file });
            }
        }
    };
    open().with_context(|| format!("locking {}", path.display()))
}

/// Returns whether another open file holds the lock of the file `path`; `false` where it does not exist.
pub fn is_locked(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| file_lock::try_lock(&file).is_err())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::{is_locked, lock};

    #[test]
    fn a_second_holder_waits_until_the_first_drops_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/lock");
        assert!(!is_locked(&path));
        let first = lock(&path, || panic!("nobody else holds the lock")).unwrap();
        assert!(is_locked(&path));
        thread::scope(|scope| {
            let (waits, is_waiting) = mpsc::channel();
            let second = scope.spawn(|| lock(&path, move || waits.send(()).unwrap()).unwrap());
            is_waiting.recv().expect("the second holder is told that it waits");
            drop(first);
            drop(second.join().unwrap());
        });
        assert!(!is_locked(&path));
    }
}
