//! What git knows about the source: the commit, its time, the branch, and whether the work tree
//! holds anything else.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ferror::Error;
use sha2::{Digest as _, Sha256};
use xshell::{Cmd, Shell, cmd};

use crate::model::commit::Commit;
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
        error.hint("dist writes the commit into binaries: run it in a git repository (`git init`, then commit)")
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
        dirty: dirty(&shell, Path::new(&top), aside, env)?,
    })
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

/// A digest over path, mode and content of whatever differs from HEAD: what a compiler would read.
fn dirty(shell: &Shell, top: &Path, aside: &[&Path], env: &Env) -> anyhow::Result<Option<String>> {
    shell.change_dir(top);
    // Git refuses an excluding pathspec that names the whole repository.
    let excluded = aside
        .iter()
        .filter_map(|dir| dir.strip_prefix(top).ok())
        .filter(|relative| !relative.as_os_str().is_empty())
        .map(|relative| format!(":(top,exclude,literal){}", relative.display()));
    let pathspecs: Vec<String> = std::iter::once(":(top)".to_owned()).chain(excluded).collect();
    let status = cmd!(
        shell,
        "git status --porcelain=v1 -z --no-renames --untracked-files=all -- {pathspecs...}"
    );
    let listing = here(status, env)
        .quiet()
        .ignore_stderr()
        .output()
        .context("asking git for changes")?
        .stdout;

    let mut paths: Vec<&[u8]> =
        listing.split(|&b| b == 0).filter_map(|entry| entry.get(3..)).collect();
    if paths.is_empty() {
        return Ok(None);
    }
    paths.sort_unstable();
    paths.dedup();
    let mut digest = Sha256::new();
    for path in paths {
        digest.update((path.len() as u64).to_le_bytes());
        digest.update(path);
        digest.update(content(&top.join(to_path(path)))?);
    }
    let mut hex = String::new();
    for byte in &digest.finalize()[..4] {
        let _ = write!(hex, "{byte:02x}");
    }
    Ok(Some(hex))
}

/// The digest of one changed path; a removed one, a link and a file never have the same.
fn content(path: &Path) -> anyhow::Result<[u8; 32]> {
    let name = || format!("reading {}", path.display());
    let Ok(metadata) = path.symlink_metadata() else {
        return Ok([0; 32]);
    };
    let (mark, bytes) = if metadata.is_symlink() {
        (b'l', std::fs::read_link(path).with_context(name)?.into_os_string().into_encoded_bytes())
    } else if metadata.is_dir() {
        // A repository inside this one, which git lists as a folder.
        (b'd', Vec::new())
    } else {
        (
            if is_executable(&metadata) { b'x' } else { b'f' },
            std::fs::read(path).with_context(name)?,
        )
    };
    Ok(Sha256::new().chain_update([mark]).chain_update(bytes).finalize().into())
}

#[cfg(unix)]
fn is_executable(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o111 != 0
}

#[cfg(unix)]
fn to_path(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
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
