//! Files of other people that a verb changes: kept as they were until the verb has done all of its
//! work, and put back where it fails on the way.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use ferror::Error;

use crate::system::files;

/// A file as it was, written back when this is dropped.
#[derive(Debug)]
pub struct Keeper {
    /// Where it is; of a link, where that leads.
    pub path: PathBuf,
    /// What it held; `None` where there was no file.
    pub text: Option<String>,
    mode: u32,
    leave: bool,
}

impl Keeper {
    /// Reads a file that has to be there; `hint` says what makes one.
    pub fn read(path: &Path, hint: &str) -> ferror::Result<Self> {
        let read = || {
            let path = path.canonicalize()?;
            let mode = path.metadata()?.permissions().mode() & 0o777;
            Ok(Self { text: Some(fs::read_to_string(&path)?), path, mode, leave: false })
        };
        read().map_err(|error: std::io::Error| {
            Error::config(format!("cannot read {}", path.display())).hint(hint).caused_by(error)
        })
    }

    /// Reads a file that may be missing; it is missing again when this is dropped.
    pub fn read_if_there(path: PathBuf) -> ferror::Result<Self> {
        if path.exists() {
            Self::read(&path, "")
        } else {
            Ok(Self { path, text: None, mode: 0o644, leave: false })
        }
    }

    /// Writes other text into it, whole or not at all.
    pub fn write(&self, text: &str) -> anyhow::Result<()> {
        files::write_whole(&self.path, text.as_bytes(), self.mode)
    }

    /// Leaves the file as it is now.
    pub fn leave(mut self) {
        self.leave = true;
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if self.leave {
            return;
        }
        // Nothing more can be done here; git still has the file.
        let _ = match &self.text {
            Some(text) if fs::read_to_string(&self.path).is_ok_and(|now| now == *text) => Ok(()),
            Some(text) => self.write(text),
            None => files::remove_if_there(&self.path),
        };
    }
}

/// A folder that is being filled: gone again when this is dropped before it is done.
#[derive(Debug)]
pub struct NewFolder {
    path: PathBuf,
    done: bool,
}

impl NewFolder {
    /// Takes on `path`, which is not there or holds nothing that anyone wants.
    pub fn at(path: PathBuf) -> Self {
        Self { path, done: false }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves the folder where it is.
    pub fn done(mut self) {
        self.done = true;
    }
}

impl Drop for NewFolder {
    fn drop(&mut self) {
        if !self.done {
            // What cannot be removed is said by whoever finds it there next time.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Keeper, NewFolder};

    #[test]
    fn what_fails_on_the_way_is_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("old"), "before").unwrap();
        let spoil = |keep: bool| {
            let keepers =
                [Keeper::read(&at("old"), "").unwrap(), Keeper::read_if_there(at("new")).unwrap()];
            fs::write(at("old"), "after").unwrap();
            fs::write(at("new"), "after").unwrap();
            fs::create_dir_all(at("dir/inner")).unwrap();
            let dir = NewFolder::at(at("dir"));
            if keep {
                keepers.into_iter().for_each(Keeper::leave);
                dir.done();
            }
        };
        spoil(false);
        assert_eq!(fs::read_to_string(at("old")).unwrap(), "before");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        spoil(true);
        assert_eq!(fs::read_to_string(at("old")).unwrap(), "after");
        assert!(at("new").is_file() && at("dir/inner").is_dir());
        let error = Keeper::read(&at("gone"), "make it").unwrap_err();
        assert_eq!(error.hint_text(), Some("make it"));
    }
}
