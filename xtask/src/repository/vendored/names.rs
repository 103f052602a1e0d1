//! Names of the files and folders in which sources are vendored.

use std::path::{Path, PathBuf};

/// The folder, below the workspace's root.
pub const FOLDER: &str = "vendor";
/// A copy of the lock file of the distribution's standard library, where its dependencies are vendored too.
/// Cargo neither reads nor removes hidden files in the folder.
pub const LIBRARY_LOCK: &str = "vendor/.library.lock";
/// The commit of each git source, which the checksums of its packages do not tell.
pub const GIT_SOURCES: &str = "vendor/.git-sources";
/// Attributes that keep git from changing line ends, which cargo's checksums cover. The file also marks the
/// folder as made by `cargo xtask vendor`.
pub const ATTRIBUTES: &str = "vendor/.gitattributes";

/// Returns the path of the configuration that holds the block.
pub fn config_file(root: &Path) -> PathBuf {
    root.join(".cargo/config.toml")
}
