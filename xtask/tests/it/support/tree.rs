//! Reads the repository's own files, for tests of its structure.

use std::fs;
use std::process::Command;

use super::{root, run};

/// Lists every file of the repository, tracked or about to be, as a path below its root. What a
/// symbolic link leads to is listed once, under its own name.
pub(crate) fn files() -> Vec<String> {
    let mut git = Command::new("git");
    git.args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"]);
    let listing = run(git.current_dir(root()), "git ls-files").exits(0).stdout;
    let mut files: Vec<_> = listing.split_terminator('\0').map(str::to_owned).collect();
    // What was removed is still listed; what `cargo xtask vendor` copies is other people's code.
    files.retain(|path| {
        let is_file = fs::symlink_metadata(root().join(path)).is_ok_and(|found| found.is_file());
        is_file && !path.starts_with("vendor/")
    });
    assert!(!files.is_empty(), "git lists no files: run this in a clone, not in an export");
    files
}

/// Reads a text file of the repository.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
