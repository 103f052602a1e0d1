//! Reads the commit, its time, the branch and uncommitted changes from git, and makes a new repository's
//! first commit.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use ferror::Error;
use xshell::{Cmd, Shell, cmd};

use crate::model::commit::Commit;
use crate::repository::work_tree;
use crate::system::child_env;
use crate::system::env::Env;

/// Reads the repository around `root`. Changes below `ignored_folders` do not count.
///
/// Fails with [`ferror::Kind::Config`] outside a repository, before the first commit, and when CI
/// says that it builds another commit than HEAD.
pub fn read(root: &Path, ignored_folders: &[&Path], env: &Env) -> anyhow::Result<Commit> {
    let shell = Shell::new()?;
    shell.change_dir(root);
    // Without this, git may write the index, whose lock another git may hold.
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
        dirty: dirty_digits(Path::new(&top), ignored_folders, env)?,
    })
}

/// Returns the digits that stand for uncommitted changes in a version.
fn dirty_digits(
    top: &Path,
    ignored_folders: &[&Path],
    env: &Env,
) -> anyhow::Result<Option<String>> {
    let digest = work_tree::changes_digest(top, ignored_folders, env)?;
    Ok(digest.map(|digest| {
        digest[..4].iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }))
}

/// Makes `dir` a repository on the branch `main` with one commit of every file in it, those on the user's
/// own list of ignored files included. Where git knows no name and address of the user, this commit gets
/// those of the GitHub account.
pub fn init_with_first_commit(
    dir: &Path,
    account: &str,
    message: &str,
    env: &Env,
) -> anyhow::Result<()> {
    let shell = Shell::new()?;
    shell.change_dir(dir);
    read_line(cmd!(shell, "git init --quiet --initial-branch main"), env)
        .map_err(|error| error.hint("it needs git 2.28 or newer"))?;
    read_line(cmd!(shell, "git add --all --force"), env)?;
    let is_known = |who: &str| {
        let who = format!("GIT_{who}_IDENT");
        read_line(cmd!(shell, "git -c user.useConfigOnly=true var {who}"), env).is_ok()
    };
    let mut identity = Vec::new();
    if !(is_known("AUTHOR") && is_known("COMMITTER")) {
        for setting in [
            format!("user.name={account}"),
            format!("user.email={account}@users.noreply.github.com"),
        ] {
            identity.extend(["-c".to_owned(), setting]);
        }
    }
    // The user's hooks and signature are meant for commits that they make themselves.
    let plain = ["-c", "commit.gpgsign=false", "-c", "core.hooksPath=/dev/null"];
    read_line(cmd!(shell, "git {plain...} {identity...} commit --quiet --message {message}"), env)
        .map_err(|error: Error| error.hint("git made no first commit; nothing was left behind"))?;
    Ok(())
}

/// Returns the value of a setting in git's configuration, such as `github.user`.
pub fn config_value(name: &str, dir: &Path, env: &Env) -> Option<String> {
    let shell = Shell::new().ok()?;
    shell.change_dir(dir);
    let value = read_line(cmd!(shell, "git config --get {name}"), env).ok()?;
    (!value.trim().is_empty()).then(|| value.trim().to_owned())
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

/// Removes the variables by which a git that runs a hook makes its children use its own repository and
/// index: those may hold a part of the changes, or belong to another repository.
pub(crate) fn without_hook_variables<'a>(command: Cmd<'a>, env: &Env) -> Cmd<'a> {
    ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"]
        .into_iter()
        .fold(child_env::clean_cmd(command, env), Cmd::env_remove)
}

fn read_line(command: Cmd<'_>, env: &Env) -> ferror::Result<String> {
    let name = command.to_string();
    let output = without_hook_variables(command, env)
        .quiet()
        .ignore_status()
        .output()
        .map_err(|error| Error::config(format!("cannot run `{name}`")).caused_by(error))?;
    if !output.status.success() {
        let printed = String::from_utf8_lossy(&output.stderr);
        return Err(Error::config(format!("`{name}` failed: {}", printed.trim())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned())
}
