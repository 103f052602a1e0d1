//! Restores vendored sources when `vendor` fails: the folders below `vendor/`, the files that xtask writes
//! there, the block, and Cargo.lock.
//!
//! Folders that have to be replaced are first moved away, and moved back on a failure: without a network the
//! copy fails, and builds still need them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::folder::visible_names;
use super::names::{ATTRIBUTES, FOLDER, GIT_SOURCES, LIBRARY_LOCK, config_file};
use crate::system::file_guard::FileGuard;
use crate::system::files;

/// The folder to which folders are moved. Cargo does not look at hidden ones.
const MOVED: &str = ".before";

/// The vendored sources as they were, restored when this is dropped before [`VendorGuard::keep_changes`].
#[derive(Debug)]
pub struct VendorGuard {
    folder: PathBuf,
    names: Vec<String>,
    files: Vec<FileGuard>,
}

impl VendorGuard {
    /// Notes the state of the vendored sources.
    pub fn new(root: &Path) -> anyhow::Result<Self> {
        let folder = root.join(FOLDER);
        // A run that was killed left it; git has what it held.
        files::remove_folder_if_there(&folder.join(MOVED))?;
        let paths = ["Cargo.lock", ATTRIBUTES, GIT_SOURCES, LIBRARY_LOCK].map(|f| root.join(f));
        let paths = paths.into_iter().chain([config_file(root)]);
        let files = paths.map(FileGuard::read_if_there).collect::<ferror::Result<_>>()?;
        Ok(Self { names: visible_names(&folder)?, folder, files })
    }

    /// Moves a folder below `vendor` away.
    pub fn move_away(&self, name: &str) -> anyhow::Result<()> {
        let (from, to) = (self.folder.join(name), self.folder.join(MOVED).join(name));
        if !from.exists() {
            return Ok(());
        }
        fs::create_dir_all(self.folder.join(MOVED))
            .and_then(|()| fs::rename(&from, &to))
            .with_context(|| format!("moving {} away", from.display()))
    }

    /// Keeps everything as it is now.
    pub fn keep_changes(mut self) -> anyhow::Result<()> {
        self.files.drain(..).for_each(FileGuard::keep_changes);
        self.names = visible_names(&self.folder)?;
        files::remove_folder_if_there(&self.folder.join(MOVED))
    }
}

impl Drop for VendorGuard {
    fn drop(&mut self) {
        // An error cannot be returned here; git still has the files.
        self.files.clear();
        for name in visible_names(&self.folder).unwrap_or_default() {
            if !self.names.contains(&name) {
                let _ = fs::remove_dir_all(self.folder.join(name));
            }
        }
        let moved = self.folder.join(MOVED);
        for name in visible_names(&moved).unwrap_or_default() {
            let place = self.folder.join(&name);
            let _ = fs::remove_dir_all(&place);
            let _ = fs::rename(moved.join(&name), place);
        }
        let _ = fs::remove_dir(&moved);
        // This succeeds only where the folder is empty, as before a first run.
        let _ = fs::remove_dir(&self.folder);
    }
}
