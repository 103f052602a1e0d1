//! A file of the repository, as far as git counts it.

use std::path::PathBuf;

/// A file that git tracks, or would show as untracked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path, with all links above it resolved. The file itself may be a link.
    pub path: PathBuf,
    /// Whether git's mode of it is 100755.
    pub executable: bool,
}

/// The beginning of the file that stands for another one until `git lfs pull` downloads it.
pub const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/v1";
