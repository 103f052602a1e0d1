//! Dependencies kept in the repository: the folder `vendor`, and the block in `.cargo/config.toml`
//! that makes cargo read it instead of the network.
//!
//! Making and removing them is the work of the verb `vendor`; what every build asks of them, and
//! how they are checked, stands here.

pub mod block;
mod folder;
mod ignored;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ferror::Error;

pub use self::folder::{Problem, git_sources, problems, visible};
pub use self::ignored::ignored;
use crate::model::lock_file::{self, Package};
use crate::system::file_guard::Keeper;

/// The folder, below the workspace's root.
pub const FOLDER: &str = "vendor";
/// In it, a copy of the lock file of the distribution's standard library, where that is covered.
/// Cargo neither reads nor removes hidden files there.
pub const LIBRARY_LOCK: &str = "vendor/.library.lock";
/// In it, which commit each git source is: the checksums of its packages do not say.
pub const GIT_SOURCES: &str = "vendor/.git-sources";
/// In it, what keeps git from changing line ends, which cargo's checksums cover. Marks the folder
/// as ours.
pub const ATTRIBUTES: &str = "vendor/.gitattributes";

/// Where the block stands.
pub fn config_file(root: &Path) -> PathBuf {
    root.join(".cargo/config.toml")
}

/// Whether builds in `dir` read vendored sources, as cargo finds its configuration.
pub fn is_vendored(dir: &Path) -> bool {
    let has_block = |dir: &Path| {
        std::fs::read_to_string(config_file(dir)).is_ok_and(|text| block::is_in(&text))
    };
    dir.ancestors().any(has_block)
}

/// Takes the block away for as long as the answer lives: for a cargo that has to look for versions
/// that are not vendored. It comes back however that ends, save for a kill: git has the file then.
/// `None` where there is none.
pub fn aside(root: &Path) -> anyhow::Result<Option<Keeper>> {
    let path = config_file(root);
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    if !block::is_in(&text) {
        return Ok(None);
    }
    let without = block::without(&text)?;
    let config = Keeper::read(&path, "")?;
    config.write(&without)?;
    Ok(Some(config))
}

/// Returns cargo's option for a build in `dir`: `--frozen` where sources are vendored.
pub fn lock_option(dir: &Path) -> &'static str {
    if is_vendored(dir) { "--frozen" } else { "--locked" }
}

/// Replaces `--locked` among cargo's arguments by [`lock_option`].
pub fn arguments<'a>(arguments: &[&'a str], dir: &Path) -> Vec<&'a str> {
    let replaced = |argument| if argument == "--locked" { lock_option(dir) } else { argument };
    arguments.iter().copied().map(replaced).collect()
}

/// The packages of a lock file that have to be in the folder. Empty where there is no file.
pub fn wanted(lock_file: &Path) -> anyhow::Result<Vec<Package>> {
    let text = match std::fs::read_to_string(lock_file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        read => read.with_context(|| format!("reading {}", lock_file.display()))?,
    };
    let packages = lock_file::parse(&text).into_iter();
    Ok(packages.filter(|package| package.source.is_some()).collect())
}

/// Checks that the dependencies of the standard library that is built from `library` are there too.
///
/// Fails with [`ferror::Kind::Config`] and names those that are missing. Says nothing where sources
/// are not vendored.
pub fn check_library(root: &Path, library: &Path) -> anyhow::Result<()> {
    if !is_vendored(root) {
        return Ok(());
    }
    let missing = missing(root, &library.join("Cargo.lock"))?;
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::config(format!(
        "vendor/ lacks what the distribution's standard library depends on: {}",
        missing.join(", ")
    ))
    .hint("run `cargo xtask vendor` on this machine, with a network, and commit what it adds; or build with --library rustup")
    .into())
}

/// The folders of the packages of a lock file that are not there.
pub fn missing(root: &Path, lock_file: &Path) -> anyhow::Result<Vec<String>> {
    let folders = wanted(lock_file)?.into_iter().map(|package| package.folder());
    Ok(folders.filter(|folder| !root.join(FOLDER).join(folder).is_dir()).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{arguments, check_library};

    #[test]
    fn a_build_is_frozen_where_the_block_is_and_the_librarys_gaps_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let (root, library) = (folder.path().join("w"), folder.path().join("library"));
        for dir in [root.join(".cargo"), root.join("vendor/there-1.0.0"), library.clone()] {
            fs::create_dir_all(dir).unwrap();
        }
        let lock = ["there", "gone"].map(|name| {
            format!(
                "[[package]]\nname = \"{name}\"\nversion = \"1.0.0\"\nsource = \"registry+x\"\n"
            )
        });
        fs::write(library.join("Cargo.lock"), lock.concat()).unwrap();

        assert_eq!(arguments(&["build", "--locked"], &root), ["build", "--locked"]);
        check_library(&root, &library).expect("nothing is vendored");
        let text = super::block::with("", "[source.x]\n").unwrap();
        fs::write(super::config_file(&root), text).unwrap();
        let below = root.join("services/a");
        assert_eq!(arguments(&["build", "--locked", "-q"], &below), ["build", "--frozen", "-q"]);
        let error = check_library(&root, &library).unwrap_err().to_string();
        assert!(error.ends_with("depends on: gone-1.0.0"), "{error}");
    }
}
