//! Undoes changes to files and folders of a repository when a verb fails on the way.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use ferror::Error;

use crate::system::files;

/// The content of a file, written back when this is dropped before [`FileGuard::keep_changes`].
#[derive(Debug)]
pub struct FileGuard {
    /// The file's path; that of its destination where it is a link.
    pub path: PathBuf,
    /// The content to restore; `None` where there was no file.
    pub text: Option<String>,
    mode: u32,
    keep_changes: bool,
}

impl FileGuard {
    /// Reads a file that has to exist; `hint` says how to make one.
    pub fn read(path: &Path, hint: &str) -> ferror::Result<Self> {
        let read = || {
            let path = path.canonicalize()?;
            let mode = path.metadata()?.permissions().mode() & 0o777;
            Ok(Self { text: Some(fs::read_to_string(&path)?), path, mode, keep_changes: false })
        };
        read().map_err(|error: std::io::Error| {
            Error::config(format!("cannot read {}", path.display())).hint(hint).caused_by(error)
        })
    }

    /// Reads a file that may be missing. Restoring it removes whatever was written since.
    pub fn read_if_there(path: PathBuf) -> ferror::Result<Self> {
        if path.exists() {
            Self::read(&path, "")
        } else {
            Ok(Self { path, text: None, mode: 0o644, keep_changes: false })
        }
    }

    /// Replaces the file's content, whole or not at all.
    pub fn write(&self, text: &str) -> anyhow::Result<()> {
        files::write_whole(&self.path, text.as_bytes(), self.mode)
    }

    /// Keeps the file as it is now.
    pub fn keep_changes(mut self) {
        self.keep_changes = true;
    }
}

impl Drop for FileGuard {
    fn drop(&mut self) {
        if self.keep_changes {
            return;
        }
        // An error cannot be returned here; git still has the file.
        let _ = match &self.text {
            Some(text) if fs::read_to_string(&self.path).is_ok_and(|now| now == *text) => Ok(()),
            Some(text) => self.write(text),
            None => files::remove_if_there(&self.path),
        };
    }
}

/// A folder that is being filled, removed when this is dropped before [`NewFolder::keep`].
#[derive(Debug)]
pub struct NewFolder {
    path: PathBuf,
    keep: bool,
}

impl NewFolder {
    /// Guards the folder `path`, which does not exist yet or holds nothing worth keeping.
    pub fn at(path: PathBuf) -> Self {
        Self { path, keep: false }
    }

    /// Returns the folder's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps the folder.
    pub fn keep(mut self) {
        self.keep = true;
    }
}

impl Drop for NewFolder {
    fn drop(&mut self) {
        if !self.keep {
            // An error cannot be returned here; a later run names the folder that is in its way.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{FileGuard, NewFolder};

    #[test]
    fn dropped_guards_restore_files_and_remove_folders() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("old"), "before").unwrap();
        let change = |keep: bool| {
            let guards = [
                FileGuard::read(&at("old"), "").unwrap(),
                FileGuard::read_if_there(at("new")).unwrap(),
            ];
            fs::write(at("old"), "after").unwrap();
            fs::write(at("new"), "after").unwrap();
            fs::create_dir_all(at("dir/inner")).unwrap();
            let dir = NewFolder::at(at("dir"));
            if keep {
                guards.into_iter().for_each(FileGuard::keep_changes);
                dir.keep();
            }
        };
        change(false);
        assert_eq!(fs::read_to_string(at("old")).unwrap(), "before");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        change(true);
        assert_eq!(fs::read_to_string(at("old")).unwrap(), "after");
        assert!(at("new").is_file() && at("dir/inner").is_dir());
        let error = FileGuard::read(&at("gone"), "make it").unwrap_err();
        assert_eq!(error.hint_text(), Some("make it"));
    }
}
