//! The folder in which `verify` builds.
//!
//! It does not lie in the repository: cargo takes `.cargo/config.toml`, and rustup `rust-toolchain.toml`, of every folder
//! above the one that it runs in, so that the files of today would count in the build of an older commit.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ferror::Error;

use crate::system::env::Env;
use crate::system::partial::Partial;

/// The beginning of the folder's name.
const NAME: &str = "bowline-verify";
/// The files that count in all folders below.
const COUNT_BELOW: [&str; 5] =
    [".cargo/config.toml", ".cargo/config", "Cargo.toml", "rust-toolchain.toml", "rust-toolchain"];

/// A folder that is removed when this is dropped.
#[derive(Debug)]
pub(super) struct CleanFolder {
    partial: Partial,
    parent: PathBuf,
}

impl CleanFolder {
    /// Makes the folder in `$TMPDIR`, else in `/var/tmp`, which lies on a disk more often than `/tmp` does.
    pub(super) fn make(env: &Env) -> anyhow::Result<Self> {
        let usual = ["/var/tmp", "/tmp"].map(PathBuf::from).into_iter().find(|dir| dir.is_dir());
        let named = env.get_os("TMPDIR").map(|dir| env.current_dir.join(dir));
        let parent = named.or(usual).unwrap_or_else(|| env.current_dir.clone());
        let making = || format!("making a folder in {}", parent.display());
        let parent = parent.canonicalize().with_context(making)?;
        refuse_what_counts_below(&parent, env)?;
        let partial = Partial::folder(&parent.join(NAME)).with_context(making)?;
        let private = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(partial.path(), private).with_context(making)?;
        Ok(Self { partial, parent })
    }

    /// Returns its path.
    pub(super) fn path(&self) -> &Path {
        self.partial.path()
    }

    /// Leaves it there under a name that no later run removes, and returns that.
    pub(super) fn keep(self, release: &str) -> anyhow::Result<PathBuf> {
        let process = std::process::id();
        let path = self.parent.join(format!("{NAME}-{release}-{process}"));
        self.partial.rename(&path).with_context(|| format!("renaming to {}", path.display()))?;
        Ok(path)
    }
}

/// Fails where a file in a folder above would have a part in the build.
fn refuse_what_counts_below(folder: &Path, env: &Env) -> ferror::Result<()> {
    // Cargo's home counts wherever the folder is.
    let home = env.cargo_home().and_then(|home| home.canonicalize().ok());
    let counts = |path: &PathBuf| {
        let is_home = path.parent().is_some_and(|dir| dir.canonicalize().ok() == home);
        path.is_file() && !(is_home && home.is_some())
    };
    let paths = folder.ancestors().flat_map(|dir| COUNT_BELOW.iter().map(|file| dir.join(file)));
    let Some(path) = { paths }.find(counts) else { return Ok(()) };
    Err(Error::config(format!("{} would have a part in a build below it", path.display()))
        .hint("set TMPDIR to a folder outside of every repository, with no such file above it"))
}

#[cfg(test)]
mod tests {
    use super::CleanFolder;
    use crate::system::env::Env;

    #[test]
    fn nothing_above_the_folder_may_count_in_it() {
        let outer = tempfile::tempdir().unwrap();
        let dir = outer.path().canonicalize().unwrap();
        let inner = dir.join("inner");
        std::fs::create_dir_all(inner.join(".cargo")).unwrap();
        let home = dir.join(".cargo");
        let [inner, home] = [inner, home].map(|path| path.display().to_string());
        let env = Env::for_test(&[("TMPDIR", &inner), ("CARGO_HOME", &home)]);
        let folder = CleanFolder::make(&env).unwrap();
        let path = folder.path().to_owned();
        assert!(path.starts_with(&inner) && path.is_dir());
        drop(folder);
        assert!(!path.exists());
        let kept = CleanFolder::make(&env).unwrap().keep("abc123").unwrap();
        assert!(kept.is_dir());

        std::fs::create_dir(&home).unwrap();
        std::fs::write(dir.join(".cargo/config.toml"), "").unwrap();
        CleanFolder::make(&env).expect("cargo's home counts anywhere");
        for file in [".cargo/config.toml", "rust-toolchain.toml", "Cargo.toml"] {
            let path = std::path::Path::new(&inner).join(file);
            std::fs::write(&path, "").unwrap();
            let error = CleanFolder::make(&env).unwrap_err().to_string();
            assert!(error.contains(file), "{error}");
            std::fs::remove_file(path).unwrap();
        }
    }
}
