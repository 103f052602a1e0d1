//! Vendored files that git would not commit. A line `target` in a `.gitignore`, meant for cargo's
//! folder, drops the folder `src/target` of the crate `cc` too, and no clone would build.

use std::path::Path;

use anyhow::Context as _;
use xshell::{Shell, cmd};

use super::FOLDER;
use crate::repository::git;
use crate::system::env::Env;

/// Each file below `vendor` that git ignores and has not been told of, with the line that makes it
/// so: `vendor/cc-1.2.0/src/target/mod.rs: ignored by .gitignore:1: target`.
///
/// Empty outside a git repository.
pub fn ignored(root: &Path, env: &Env) -> anyhow::Result<Vec<String>> {
    let shell = Shell::new()?;
    shell.change_dir(root);
    shell.set_var("GIT_OPTIONAL_LOCKS", "0");
    let list = cmd!(shell, "git ls-files --others --ignored --exclude-standard -z -- {FOLDER}");
    let Ok(list) = git::here(list, env).quiet().ignore_stderr().output() else {
        return Ok(Vec::new());
    };
    if list.stdout.is_empty() {
        return Ok(Vec::new());
    }
    let why = cmd!(shell, "git check-ignore --verbose -z --stdin").stdin(&list.stdout);
    let why = git::here(why, env).quiet().ignore_status().output().context("asking git why")?;
    // Per file: the ignoring file, the line's number, the line, the path.
    let said = String::from_utf8_lossy(&why.stdout).into_owned();
    let fields: Vec<_> = said.split_terminator('\0').collect();
    let lines = fields.chunks_exact(4).map(|f| match f {
        [file, line, pattern, path] => format!("{path}: ignored by {file}:{line}: {pattern}"),
        _ => unreachable!("chunks of four"),
    });
    Ok(lines.collect())
}
