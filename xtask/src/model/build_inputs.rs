//! What the build of a service may read, and which variables it gets.

use std::path::PathBuf;

/// The fields of a package's table about its own build.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackageInputs {
    /// `inputs`: globs from the package's folder, of files that lie elsewhere in the repository.
    pub inputs: Vec<String>,
    /// `ignore`: globs below the package's folder, of files that do not count.
    pub ignore: Vec<String>,
    /// `env`: variables that the build gets.
    pub env: Vec<String>,
    /// `sandbox = false`: whether the package is built without a sandbox.
    pub is_open: bool,
}

/// What the build of one service may read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildInputs {
    /// Files, and folders of which everything below counts.
    pub paths: Vec<PathBuf>,
    /// Folders whose names may be listed.
    pub folders: Vec<PathBuf>,
    /// Variables that it gets besides those of every build.
    pub env: Vec<String>,
    /// Why it is built without a sandbox, if it is.
    pub open: Option<String>,
}
