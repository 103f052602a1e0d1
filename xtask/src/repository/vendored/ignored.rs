//! Finds vendored files that git would not commit. A line `target` in a `.gitignore`, meant for cargo's
//! folder, excludes the folder `src/target` of the crate `cc` too, and then no clone builds.

use std::path::Path;

use anyhow::Context as _;

use super::names::FOLDER;
use crate::repository::work_tree::{self, git};
use crate::system::env::Env;

/// Lists each untracked file below `vendor` that git ignores, with the line that excludes it:
/// `vendor/cc-1.2.0/src/target/mod.rs: ignored by .gitignore:1: target`.
///
/// Empty outside a git repository.
pub fn ignored_files(root: &Path, env: &Env) -> anyhow::Result<Vec<String>> {
    let list = ["ls-files", "--others", "--ignored", "--exclude-standard", "-z", "--", FOLDER];
    let Ok(list) = work_tree::output(git(root, env).args(list)) else {
        return Ok(Vec::new());
    };
    if list.is_empty() {
        return Ok(Vec::new());
    }
    let why = ["check-ignore", "--verbose", "-z", "--stdin"];
    let why = work_tree::with_input(git(root, env).args(why), list).context("asking git why")?;
    // Per file: the ignoring file, the line's number, the line, the path.
    let printed = String::from_utf8_lossy(&why.stdout).into_owned();
    let fields: Vec<_> = printed.split_terminator('\0').collect();
    let lines = fields.chunks_exact(4).map(|f| match f {
        [file, line, pattern, path] => format!("{path}: ignored by {file}:{line}: {pattern}"),
        _ => unreachable!("chunks of four"),
    });
    Ok(lines.collect())
}
