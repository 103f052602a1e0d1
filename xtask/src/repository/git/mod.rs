//! What git knows about the source: the commit, its time, the branch, and whether the work tree
//! holds anything else.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use ferror::Error;
use xshell::{Cmd, Shell, cmd};

use crate::model::commit::Commit;
use crate::repository::work_tree;
use crate::system::child_env;
use crate::system::env::Env;

mod begin;

pub use begin::{begin, setting};

/// Reads the repository around `root`. Changes below the folders `aside` do not count.
///
/// Fails with [`ferror::Kind::Config`] outside a repository, before the first commit, and when CI
/// says that it builds another commit than HEAD.
pub fn read(root: &Path, aside: &[&Path], env: &Env) -> anyhow::Result<Commit> {
    let shell = Shell::new()?;
    shell.change_dir(root);
    // Reading must not write: another git may hold the index's lock.
    shell.set_var("GIT_OPTIONAL_LOCKS", "0");

    let top = read_line(cmd!(shell, "git rev-parse --show-toplevel"), env).map_err(|error| {
        let hint = if error.to_string().contains("safe.directory") {
            "the repository belongs to another user: if you trust it, run the `git config --global --add safe.directory` line above"
        } else {
            "dist writes the commit into binaries: run it in a git repository (`git init`, then commit)"
        };
        error.hint(hint)
    })?;
    let head = read_line(cmd!(shell, "git -c log.showSignature=false log -1 --format=%H/%ct"), env)
        .map_err(|error| error.hint("commit something first: a version is the commit's name"))?;
    let (id, seconds) = head.split_once('/').context("git log printed no commit and time")?;
    check_ci_commit(id, env)?;

    let branch = read_line(cmd!(shell, "git symbolic-ref --short --quiet HEAD"), env).ok();
    Ok(Commit {
        id: id.to_owned(),
        committed_at: seconds.parse().context("git log printed no commit time")?,
        branch: branch.or_else(|| env.get("CIRCLE_BRANCH")),
        dirty: dirty_digits(Path::new(&top), aside, env)?,
    })
}

/// Returns the digits that stand for uncommitted changes in a version.
fn dirty_digits(top: &Path, aside: &[&Path], env: &Env) -> anyhow::Result<Option<String>> {
    let digest = work_tree::changes_digest(top, aside, env)?;
    Ok(digest.map(|digest| {
        digest[..4].iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }))
}

fn check_ci_commit(id: &str, env: &Env) -> anyhow::Result<()> {
    match env.get("CIRCLE_SHA1") {
        Some(sha1) if !sha1.trim().eq_ignore_ascii_case(id) => {
            Err(Error::config(format!("CIRCLE_SHA1 is {sha1}, but HEAD is {id}"))
                .hint("check out the commit that CI names, or unset CIRCLE_SHA1")
                .into())
        }
        _ => Ok(()),
    }
}

/// A git that looks at the folder it runs in. A hook's git tells its children of its own repository
/// and index, which hold a part of the changes or belong to another repository.
pub(crate) fn here<'a>(command: Cmd<'a>, env: &Env) -> Cmd<'a> {
    ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"]
        .into_iter()
        .fold(child_env::cleaned(command, env), Cmd::env_remove)
}

fn read_line(command: Cmd<'_>, env: &Env) -> ferror::Result<String> {
    let name = command.to_string();
    let output = here(command, env)
        .quiet()
        .ignore_status()
        .output()
        .map_err(|error| Error::config(format!("cannot run `{name}`")).caused_by(error))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Error::config(format!("`{name}` failed: {}", said.trim())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned())
}
