//! Reads the commit, its time, the branch and uncommitted changes from git, and makes a new repository's
//! first commit.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use ferror::Error;

use crate::model::commit::Commit;
use crate::repository::work_tree::{self, git};
use crate::system::env::Env;

/// Reads the repository around `root`. Changes below `ignored_folders` do not count.
///
/// Fails with [`ferror::Kind::Config`] outside a repository, before the first commit, and when CI
/// says that it builds another commit than HEAD.
pub fn read(root: &Path, ignored_folders: &[&Path], env: &Env) -> anyhow::Result<Commit> {
    let top = work_tree::top(root, env).map_err(|error| {
        if error.hint_text().is_some() {
            return error;
        }
        error.hint(
            "dist writes the commit into binaries: run it in a git repository (`git init`, then commit)",
        )
    })?;
    let log = ["-c", "log.showSignature=false", "log", "-1", "--format=%H/%ct"];
    let head = line(git(root, env).args(log))
        .map_err(|error| error.hint("commit something first: a version is the commit's name"))?;
    let (id, seconds) = head.split_once('/').context("git log printed no commit and time")?;
    check_ci_commit(id, env)?;

    let branch = line(git(root, env).args(["symbolic-ref", "--short", "--quiet", "HEAD"])).ok();
    Ok(Commit {
        id: id.to_owned(),
        committed_at: seconds.parse().context("git log printed no commit time")?,
        branch: branch.or_else(|| env.get("CIRCLE_BRANCH")),
        dirty: dirty_digits(&top, ignored_folders, env)?,
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
    line(git(dir, env).args(["init", "--quiet", "--initial-branch", "main"]))
        .map_err(|error| error.hint("it needs git 2.28 or newer"))?;
    line(git(dir, env).args(["add", "--all", "--force"]))?;
    let is_known = |who: &str| {
        let who = format!("GIT_{who}_IDENT");
        line(git(dir, env).args(["-c", "user.useConfigOnly=true", "var", &who])).is_ok()
    };
    // The user's hooks and signature are meant for commits that they make themselves.
    let mut commit = git(dir, env);
    commit.args(["-c", "commit.gpgsign=false", "-c", "core.hooksPath=/dev/null"]);
    if !(is_known("AUTHOR") && is_known("COMMITTER")) {
        commit.args(["-c", &format!("user.name={account}")]);
        commit.args(["-c", &format!("user.email={account}@users.noreply.github.com")]);
    }
    line(commit.args(["commit", "--quiet", "--message", message]))
        .map_err(|error: Error| error.hint("git made no first commit; nothing was left behind"))?;
    Ok(())
}

/// Returns whether `commit` is HEAD or comes before it. `false` also where this clone does not have it, as a shallow one
/// may not.
pub fn is_ancestor(commit: &str, dir: &Path, env: &Env) -> bool {
    line(git(dir, env).args(["merge-base", "--is-ancestor", commit, "HEAD"])).is_ok()
}

/// Returns whether this clone has a commit.
pub fn has_commit(commit: &str, dir: &Path, env: &Env) -> bool {
    line(git(dir, env).args(["cat-file", "-e", &format!("{commit}^{{commit}}")])).is_ok()
}

/// Lists HEAD and the commits before it, newest first, as many as this clone knows and at most `count`.
pub fn history(count: usize, dir: &Path, env: &Env) -> anyhow::Result<Vec<String>> {
    let listed = line(git(dir, env).args(["rev-list", &format!("--max-count={count}"), "HEAD"]))?;
    Ok(listed.lines().map(str::to_owned).collect())
}

/// Returns the value of a setting in git's configuration, such as `github.user`.
pub fn config_value(name: &str, dir: &Path, env: &Env) -> Option<String> {
    let value = line(git(dir, env).args(["config", "--get", name])).ok()?;
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

/// Runs `command` and returns what it printed, without the line end.
fn line(command: &mut Command) -> ferror::Result<String> {
    let printed = work_tree::output(command)?;
    Ok(String::from_utf8_lossy(&printed).trim_end_matches('\n').to_owned())
}
