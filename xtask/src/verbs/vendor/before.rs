//! What `vendor` finds, so that a run that fails leaves it so: the folders below `vendor/`, the files
//! of our own there, the block, and Cargo.lock.
//!
//! A folder that has to go is put aside first, since a copy that fails (no network) would otherwise
//! take away what builds still read.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::remove_folder;
use crate::repository::vendored::{self, ATTRIBUTES, FOLDER, GIT_SOURCES, LIBRARY_LOCK, visible};
use crate::system::file_guard::Keeper;

/// Where folders wait. Cargo does not look at hidden ones.
const ASIDE: &str = ".before";

/// The state at the beginning, which comes back when this is dropped before it is done.
pub(super) struct Before {
    folder: PathBuf,
    names: Vec<String>,
    keepers: Vec<Keeper>,
}

impl Before {
    /// Looks at what is there now.
    pub(super) fn of(root: &Path) -> anyhow::Result<Self> {
        let folder = root.join(FOLDER);
        // Of a run that was killed; git has what it held.
        remove_folder(&folder.join(ASIDE))?;
        let files = ["Cargo.lock", ATTRIBUTES, GIT_SOURCES, LIBRARY_LOCK].map(|f| root.join(f));
        let files = files.into_iter().chain([vendored::config_file(root)]);
        let keepers = files.map(Keeper::read_if_there).collect::<ferror::Result<_>>()?;
        Ok(Self { names: visible(&folder)?, folder, keepers })
    }

    /// Takes a folder below `vendor` away, for now.
    pub(super) fn put_aside(&self, name: &str) -> anyhow::Result<()> {
        let (from, to) = (self.folder.join(name), self.folder.join(ASIDE).join(name));
        if !from.exists() {
            return Ok(());
        }
        fs::create_dir_all(self.folder.join(ASIDE))
            .and_then(|()| fs::rename(&from, &to))
            .with_context(|| format!("moving {} aside", from.display()))
    }

    /// Leaves everything as it is now.
    pub(super) fn done(mut self) -> anyhow::Result<()> {
        self.keepers.drain(..).for_each(Keeper::leave);
        self.names = visible(&self.folder)?;
        remove_folder(&self.folder.join(ASIDE))
    }
}

impl Drop for Before {
    fn drop(&mut self) {
        // Nothing more can be done about an error here; git still has the files.
        self.keepers.clear();
        for name in visible(&self.folder).unwrap_or_default() {
            if !self.names.contains(&name) {
                let _ = fs::remove_dir_all(self.folder.join(name));
            }
        }
        let aside = self.folder.join(ASIDE);
        for name in visible(&aside).unwrap_or_default() {
            let place = self.folder.join(&name);
            let _ = fs::remove_dir_all(&place);
            let _ = fs::rename(aside.join(&name), place);
        }
        let _ = fs::remove_dir(&aside);
        // Only where nothing is left in it, as before a first run.
        let _ = fs::remove_dir(&self.folder);
    }
}
