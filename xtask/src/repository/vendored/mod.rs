//! Keeps the sources of dependencies in the repository: in the folder `vendor`, with a block in
//! `.cargo/config.toml` that makes cargo read it instead of the network.

pub mod block;
pub mod copy;
mod folder;
mod ignored;
mod names;

use std::path::Path;

use anyhow::Context as _;
use ferror::Error;

pub use self::folder::{Problem, git_sources, problems};
pub use self::ignored::ignored_files;
pub use self::names::{ATTRIBUTES, FOLDER, GIT_SOURCES, LIBRARY_LOCK, config_file};
use crate::model::cargo_lock::{self, Package};
use crate::system::files;
use crate::system::undo::Undo;

/// Returns whether builds in `dir` read vendored sources. Cargo reads the configuration of every folder
/// upwards.
pub fn is_vendored(dir: &Path) -> bool {
    dir.ancestors().any(has_block)
}

/// Returns whether the configuration in `root` itself has the block.
pub fn has_block(root: &Path) -> bool {
    std::fs::read_to_string(config_file(root)).is_ok_and(|text| block::is_in(&text))
}

/// Does `work` while the block is out of the configuration, so that cargo can look for versions that are not
/// vendored.
pub fn without_block<T>(
    root: &Path,
    undo: &mut Undo,
    work: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let path = config_file(root);
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    if !block::is_in(&text) {
        return work();
    }
    let without = block::without(&text)?;
    undo.save(&path)?;
    files::rewrite(&path, without.as_bytes())?;
    // Where the work fails, all changes are taken back, this one too.
    let done = work()?;
    files::rewrite(&path, text.as_bytes())?;
    Ok(done)
}

/// Notes the state of the vendored sources, of the block and of Cargo.lock.
pub fn save(root: &Path, undo: &mut Undo) -> anyhow::Result<()> {
    undo.save_names(&root.join(FOLDER))?;
    for path in ["Cargo.lock", ATTRIBUTES, GIT_SOURCES, LIBRARY_LOCK] {
        undo.save(&root.join(path))?;
    }
    undo.save(&config_file(root))
}

/// Returns cargo's option for a build in `dir`: `--frozen` where sources are vendored.
pub fn lock_option(dir: &Path) -> &'static str {
    if is_vendored(dir) { "--frozen" } else { "--locked" }
}

/// Replaces `--locked` among cargo's arguments by [`lock_option`].
pub fn with_lock_option<'a>(arguments: &[&'a str], dir: &Path) -> Vec<&'a str> {
    let replaced = |argument| if argument == "--locked" { lock_option(dir) } else { argument };
    arguments.iter().copied().map(replaced).collect()
}

/// Lists the packages of a lock file that have to be in the folder; empty where there is no file.
pub fn packages_to_vendor(lock_file: &Path) -> anyhow::Result<Vec<Package>> {
    let text = match std::fs::read_to_string(lock_file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        read => read.with_context(|| format!("reading {}", lock_file.display()))?,
    };
    let packages = cargo_lock::parse(&text).into_iter();
    Ok(packages.filter(|package| package.source.is_some()).collect())
}

/// Checks, where sources are vendored, that those of the standard library's dependencies are too. `library`
/// is the folder with the library's sources.
///
/// Fails with [`ferror::Kind::Config`] and names those that are missing.
pub fn check_library(root: &Path, library: &Path) -> anyhow::Result<()> {
    if !is_vendored(root) {
        return Ok(());
    }
    let missing = missing_folders(root, &library.join("Cargo.lock"))?;
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

/// Lists the folders below `vendor` that a lock file needs and that do not exist.
pub fn missing_folders(root: &Path, lock_file: &Path) -> anyhow::Result<Vec<String>> {
    let folders = packages_to_vendor(lock_file)?.into_iter().map(|package| package.folder());
    Ok(folders.filter(|folder| !root.join(FOLDER).join(folder).is_dir()).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{check_library, with_lock_option};

    #[test]
    fn builds_are_frozen_where_the_block_is_and_missing_packages_of_the_library_are_named() {
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

        assert_eq!(with_lock_option(&["build", "--locked"], &root), ["build", "--locked"]);
        check_library(&root, &library).expect("nothing is vendored");
        let text = super::block::with("", "[source.x]\n").unwrap();
        fs::write(super::config_file(&root), text).unwrap();
        let below = root.join("services/a");
        assert_eq!(
            with_lock_option(&["build", "--locked", "-q"], &below),
            ["build", "--frozen", "-q"]
        );
        let error = check_library(&root, &library).unwrap_err().to_string();
        assert!(error.ends_with("depends on: gone-1.0.0"), "{error}");
    }
}
