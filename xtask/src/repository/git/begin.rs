//! A new repository with its first commit.

use std::path::Path;

use ferror::Error;
use xshell::{Shell, cmd};

use super::read_line;
use crate::system::env::Env;

/// Makes `dir` a repository on the branch `main`, with one commit of everything in it, whatever the
/// user's own list of ignored files says. Where git knows no name and address of the user, the
/// GitHub account's are taken, for this commit alone.
pub fn begin(dir: &Path, account: &str, message: &str, env: &Env) -> anyhow::Result<()> {
    let shell = Shell::new()?;
    shell.change_dir(dir);
    read_line(cmd!(shell, "git init --quiet --initial-branch main"), env)
        .map_err(|error| error.hint("it needs git 2.28 or newer"))?;
    read_line(cmd!(shell, "git add --all --force"), env)?;
    let knows = |who: &str| {
        let who = format!("GIT_{who}_IDENT");
        read_line(cmd!(shell, "git -c user.useConfigOnly=true var {who}"), env).is_ok()
    };
    let mut identity = Vec::new();
    if !(knows("AUTHOR") && knows("COMMITTER")) {
        for setting in [
            format!("user.name={account}"),
            format!("user.email={account}@users.noreply.github.com"),
        ] {
            identity.extend(["-c".to_owned(), setting]);
        }
    }
    // The user's hooks and signature are for what they write themselves.
    let plain = ["-c", "commit.gpgsign=false", "-c", "core.hooksPath=/dev/null"];
    read_line(cmd!(shell, "git {plain...} {identity...} commit --quiet --message {message}"), env)
        .map_err(|error: Error| error.hint("git made no first commit; nothing was left behind"))?;
    Ok(())
}

/// A setting of the user's, where there is one: `github.user`.
pub fn setting(name: &str, dir: &Path, env: &Env) -> Option<String> {
    let shell = Shell::new().ok()?;
    shell.change_dir(dir);
    let value = read_line(cmd!(shell, "git config --get {name}"), env).ok()?;
    (!value.trim().is_empty()).then(|| value.trim().to_owned())
}
