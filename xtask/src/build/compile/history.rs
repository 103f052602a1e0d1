//! Knows what has written to the folders that builds write to.
//!
//! All services share those folders, and a build without the sandbox can leave there what another one takes for its
//! own. So a file beside each folder says what has written there since `dist` made the folder. Sandboxed builds can write
//! the folder and not the file. It names the folder by inode and time of birth, which no program can choose: one that
//! was copied, or restored from a cache of CI, is another folder, of which nothing is known.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::Context as _;

use crate::system::files;

/// The kinds of builds that have written to a folder since `dist` made it, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Writers {
    /// Other programs, or it is not known.
    Any,
    /// Builds in the sandbox alone.
    Sandboxed,
    /// Builds in the sandbox alone, and only of commits without changes.
    SandboxedCommits,
}

const NAMES: [(Writers, &str); 2] = [
    (Writers::Sandboxed, "sandboxed builds"),
    (Writers::SandboxedCommits, "sandboxed builds of commits"),
];

/// A folder and its writers.
#[derive(Debug)]
pub(super) struct History {
    folder: PathBuf,
    writers: Writers,
}

impl History {
    /// Makes the folder, or reads its history. The caller keeps other builds out.
    pub(super) fn open(folder: &Path) -> anyhow::Result<Self> {
        let name = || format!("making {}", folder.display());
        fs::create_dir_all(folder.parent().unwrap_or(folder)).with_context(name)?;
        let mut history = Self { folder: folder.to_owned(), writers: Writers::Any };
        match fs::create_dir(folder) {
            Ok(()) => {
                history.writers = Writers::SandboxedCommits;
                history.write()?;
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                history.writers = writers(folder);
            }
            Err(error) => return Err(error).with_context(name),
        }
        Ok(history)
    }

    /// Returns the worst kind of build that has written to the folder.
    pub(super) fn writers(&self) -> Writers {
        self.writers
    }

    /// Notes that `writers` write to the folder from now on. What it says of itself is on the disk before they do.
    pub(super) fn add(&mut self, writers: Writers) -> anyhow::Result<()> {
        if writers < self.writers {
            self.writers = writers;
            self.write()?;
        }
        Ok(())
    }

    fn write(&self) -> anyhow::Result<()> {
        let path = path(&self.folder);
        let name = NAMES.iter().find(|(writers, _)| *writers == self.writers);
        match (name, identity(&self.folder)) {
            (Some((_, name)), Some(identity)) => {
                files::write_whole(&path, format!("{name} {identity}\n").as_bytes(), 0o644)
            }
            _ => files::remove_if_there(&path),
        }
    }
}

/// Returns the worst kind of build that has written to a folder.
pub(super) fn writers(folder: &Path) -> Writers {
    let text = fs::read_to_string(path(folder)).unwrap_or_default();
    let Some(identity) = identity(folder) else { return Writers::Any };
    let is_it = |name: &str| text == format!("{name} {identity}\n");
    NAMES.iter().find(|(_, name)| is_it(name)).map_or(Writers::Any, |(writers, _)| *writers)
}

fn path(folder: &Path) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(".writers");
    folder.with_file_name(name)
}

/// Returns what tells a folder from every other one, its copies included; `None` where the file system does not know
/// when it was made.
fn identity(folder: &Path) -> Option<String> {
    let metadata = fs::metadata(folder).ok()?;
    let born = metadata.created().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(format!("{} {}", metadata.ino(), born.as_nanos()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{History, Writers, writers};

    #[test]
    fn a_folder_is_as_good_as_the_worst_that_has_written_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dist/pinned");
        let mut history = History::open(&path).unwrap();
        if history.writers() != writers(&path) {
            // Its file system does not say when folders were made.
            assert_eq!(writers(&path), Writers::Any);
            return;
        }
        for added in [Writers::SandboxedCommits, Writers::Sandboxed, Writers::Any] {
            history.add(added).unwrap();
            assert_eq!(History::open(&path).unwrap().writers(), added);
        }
        history.add(Writers::SandboxedCommits).unwrap();
        assert_eq!(History::open(&path).unwrap().writers(), Writers::Any, "it got better");
    }

    #[test]
    fn a_folder_that_dist_did_not_make_is_not_known() {
        let folder = tempfile::tempdir().unwrap();
        let made = folder.path().join("made");
        drop(History::open(&made).unwrap());
        let there = folder.path().join("there");
        fs::create_dir(&there).unwrap();
        assert_eq!(History::open(&there).unwrap().writers(), Writers::Any);
        // As a cache is restored: the file comes with the folder.
        fs::rename(&made, folder.path().join("saved")).unwrap();
        fs::create_dir(&made).unwrap();
        assert_eq!(History::open(&made).unwrap().writers(), Writers::Any);
    }
}
