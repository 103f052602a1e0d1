//! Packages whose sources lie in folders, and digests of what is in those.

use std::path::PathBuf;

/// A package that is compiled from a folder, not from a registry or a commit: a member of the workspace
/// or a path dependency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPackage {
    /// Cargo's id of it, which names it on cargo's command line.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The folder of its Cargo.toml.
    pub dir: PathBuf,
    /// `true` where a service may depend on it, through other packages too. The automation alone needs the others.
    pub is_of_services: bool,
}

/// The digest of all that a package is compiled from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceDigest {
    /// Cargo's id of the package.
    pub id: String,
    /// The package's name.
    pub name: String,
    /// The folder of its Cargo.toml.
    pub dir: PathBuf,
    /// A digest of its folder's path and of its files, in lower hex.
    pub digest: String,
}
