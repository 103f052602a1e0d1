//! Finds vendored files that git would not commit. A line `target` in a `.gitignore`, meant for cargo's
//! folder, excludes the folder `src/target` of the crate `cc` too, and then no clone builds.

use std::path::Path;

use anyhow::Context as _;
use xshell::{Shell, cmd};

use super::names::FOLDER;
use crate::repository::git;
use crate::system::env::Env;

/// Lists each untracked file below `vendor` that git ignores, with the line that excludes it:
/// `vendor/cc-1.2.0/src/target/mod.rs: ignored by .gitignore:1: target`.
///
/// Empty outside a git repository.
pub fn ignored_files(root: &Path, env: &Env) -> anyhow::Result<Vec<String>> {
    let shell = Shell::new()?;
    shell.change_dir(root);
    shell.set_var("GIT_OPTIONAL_LOCKS", "0");
    let list = cmd!(shell, "git ls-files --others --ignored --exclude-standard -z -- {FOLDER}");
    let Ok(list) = git::without_hook_variables(list, env).quiet().ignore_stderr().output() else {
        return Ok(Vec::new());
    };
    if list.stdout.is_empty() {
        return Ok(Vec::new());
    }
    let why = cmd!(shell, "git check-ignore --verbose -z --stdin").stdin(&list.stdout);
    let why = git::without_hook_variables(why, env)
        .quiet()
        .ignore_status()
        .output()
        .context("asking git why")?;
    // Per file: the ignoring file, the line's number, the line, the path.
    let printed = String::from_utf8_lossy(&why.stdout).into_owned();
    let fields: Vec<_> = printed.split_terminator('\0').collect();
    let lines = fields.chunks_exact(4).map(|f| match f {
        [file, line, pattern, path] => format!("{path}: ignored by {file}:{line}: {pattern}"),
        _ => unreachable!("chunks of four"),
    });
    Ok(lines.collect())
}
