//! Finds what in a work tree differs from its commit, also where git was told not to look.
//!
//! `git status` alone is not enough. It says nothing of a submodule with `ignore = all`, nor of a file
//! marked `assume-unchanged` or `skip-worktree`; and of a submodule it says that something in it
//! changed, but not what, so two different edits would get one version.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::Context as _;
use ferror::Error;
use sha2::{Digest as _, Sha256};

use crate::model::source_file::SourceFile;
use crate::system::env::Env;
use crate::system::{child_env, process};

/// The variables by which a git that runs a hook, or a person, points git at another repository, at
/// other objects, or at another reading of paths: those in `git rev-parse --local-env-vars` that are
/// not configuration, and the ones that change what a pathspec means.
const OTHER_REPOSITORY: [&str; 18] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_DIR",
    "GIT_GLOB_PATHSPECS",
    "GIT_GRAFT_FILE",
    "GIT_ICASE_PATHSPECS",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_LITERAL_PATHSPECS",
    "GIT_NAMESPACE",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// Returns a git command for the repository around `dir`, whatever the environment says, that never
/// asks for a password. Every git of this program is made here, so that all of them see one
/// repository.
pub fn git(dir: &Path, env: &Env) -> Command {
    let mut command = Command::new("git");
    child_env::clean(&mut command, env);
    for name in OTHER_REPOSITORY {
        command.env_remove(name);
    }
    command
        .current_dir(dir)
        // Without this, git may write the index, whose lock another git may hold.
        .env("GIT_OPTIONAL_LOCKS", "0")
        // A replaced object is not the one that the commit's name stands for.
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .stdin(Stdio::null());
    command
}

/// Returns a [`git`] that looks at every file itself, whatever its configuration says.
pub(super) fn looking_git(dir: &Path, env: &Env) -> Command {
    let mut command = git(dir, env);
    // A file system monitor is a program of the user's, and answers instead of the files. The other two make
    // git take a file of the same size and time for unchanged, as `rsync -a` leaves it.
    let mut looks = vec!["core.fsmonitor=false", "core.checkStat=default", "core.trustctime=true"];
    if cfg!(target_os = "linux") {
        // It hides a new file whose name differs from that of another one in case alone, which on other systems is
        // that other one.
        looks.push("core.ignoreCase=false");
    }
    command.args(looks.into_iter().flat_map(|setting| ["-c", setting]));
    command
}

/// Runs `command` and returns what it printed.
///
/// Fails with [`ferror::Kind::Config`] and git's own words where it fails.
pub fn output(command: &mut Command) -> ferror::Result<Vec<u8>> {
    let line = || {
        let arguments: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
        format!("git {}", arguments.join(" "))
    };
    let line = line();
    let output = process::output(command).map_err(|error| {
        Error::config(format!("cannot run `{line}`")).hint("install git").caused_by(error)
    })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let printed = String::from_utf8_lossy(&output.stderr);
    Err(Error::config(format!("`{line}` failed: {}", printed.trim())))
}

/// Runs `command` with `input` on its stdin.
pub fn with_input(command: &mut Command, input: Vec<u8>) -> std::io::Result<Output> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    // Written beside the reading: git answers each line as it comes.
    let stdin = child.stdin.take();
    let writer = std::thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(&input)));
    let output = child.wait_with_output();
    let _ = writer.join();
    output
}

/// Returns the top of the work tree around `dir`. An error has a hint where `dir` may lie in a repository all the same.
pub fn top(dir: &Path, env: &Env) -> ferror::Result<PathBuf> {
    let printed = output(git(dir, env).args(["rev-parse", "--show-toplevel"]));
    let mut printed = printed.map_err(|error| {
        if error.to_string().contains("safe.directory") {
            error.hint("the repository belongs to another user: if you trust it, run the `git config --global --add safe.directory` line above")
        } else {
            error
        }
    })?;
    printed.pop_if(|byte| *byte == b'\n');
    Ok(PathBuf::from(OsStr::from_bytes(&printed)))
}

/// A file of the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexEntry {
    /// Its path below the top of the work tree.
    pub path: PathBuf,
    /// Its mode: 100644, 100755 (executable), 120000 (link) or 160000 (submodule), in octal.
    pub mode: u32,
    /// The object name of its content.
    pub object: String,
    /// Whether git was told not to compare the file: `assume-unchanged`.
    pub assume_unchanged: bool,
    /// Whether git was told that the file need not be there: `skip-worktree`, as in a sparse checkout.
    pub skip_worktree: bool,
}

/// The mode of a submodule.
pub const SUBMODULE: u32 = 0o160_000;
/// The mode of a symbolic link.
pub const LINK: u32 = 0o120_000;

/// Lists the index of the repository whose work tree begins at `top`.
pub fn index(top: &Path, env: &Env) -> anyhow::Result<Vec<IndexEntry>> {
    let listed = output(git(top, env).args(["ls-files", "-v", "--stage", "-z"]))?;
    listed
        .split(|byte| *byte == 0)
        .filter(|line| !line.is_empty())
        .map(|line| {
            read_index_line(line)
                .with_context(|| format!("reading git ls-files in {}", top.display()))
        })
        .collect()
}

/// Lists the files around `dir` that are tracked, or untracked and not ignored, those of checked-out
/// submodules included, and those that a sparse checkout leaves out. Untracked files below `ignored_folders` do not count.
pub fn files(dir: &Path, ignored_folders: &[&Path], env: &Env) -> anyhow::Result<Vec<SourceFile>> {
    let mut files = BTreeMap::new();
    add_files(&mut files, &top(dir, env)?, ignored_folders, env)?;
    Ok(files.into_iter().map(|(path, executable)| SourceFile { path, executable }).collect())
}

/// Adds the files of the repository whose work tree begins at `top`, each with whether it is executable.
fn add_files(
    files: &mut BTreeMap<PathBuf, bool>,
    top: &Path,
    ignored_folders: &[&Path],
    env: &Env,
) -> anyhow::Result<()> {
    let is_executable = |metadata: &fs::Metadata| metadata.permissions().mode() & 0o100 != 0;
    let has_modes = has_modes(top, env);
    for entry in index(top, env)? {
        let path = top.join(&entry.path);
        match path.symlink_metadata() {
            Ok(_) if entry.mode == SUBMODULE => {
                add_inner_files(files, &path, ignored_folders, env)?;
            }
            Ok(metadata) if !metadata.is_dir() => {
                let executable =
                    if has_modes { is_executable(&metadata) } else { entry.mode == 0o100_755 };
                files.insert(path, executable);
            }
            // Left out by a sparse checkout: the commit has it, so whoever needs it must not miss it silently.
            Err(_) if entry.skip_worktree && entry.mode != SUBMODULE => {
                files.insert(path, entry.mode == 0o100_755);
            }
            // Removed.
            _ => {}
        }
    }
    let mut command = looking_git(top, env);
    command.args(["ls-files", "--others", "--exclude-standard", "-z", "--", ":(top)"]);
    exclude(&mut command, top, ignored_folders);
    let listed = output(&mut command).context("asking git for untracked files")?;
    for name in listed.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let path = top.join(OsStr::from_bytes(name));
        if name.ends_with(b"/") {
            // A repository inside this one, which is not its submodule. Without the slash at its end:
            let path: PathBuf = path.components().collect();
            add_inner_files(files, &path, ignored_folders, env)?;
        } else if let Ok(metadata) = path.symlink_metadata() {
            files.insert(path, is_executable(&metadata));
        }
    }
    Ok(())
}

/// Adds the files of a repository inside another one, if it is checked out.
fn add_inner_files(
    files: &mut BTreeMap<PathBuf, bool>,
    dir: &Path,
    ignored_folders: &[&Path],
    env: &Env,
) -> anyhow::Result<()> {
    // In a folder with a damaged `.git`, git would find the outer repository again.
    if is_repository(dir) && top(dir, env)? == dir {
        add_files(files, dir, ignored_folders, env)?;
    }
    Ok(())
}

/// Reads `H 100644 <object> 0\t<path>`: a tag, which is in small letters for `assume-unchanged` and `S`
/// for `skip-worktree`, the mode, the object's name, the stage and the path.
fn read_index_line(line: &[u8]) -> Option<IndexEntry> {
    let tab = line.iter().position(|byte| *byte == b'\t')?;
    let fields: Vec<_> = std::str::from_utf8(&line[..tab]).ok()?.split(' ').collect();
    let [tag, mode, object, _stage] = fields[..] else { return None };
    Some(IndexEntry {
        path: PathBuf::from(OsStr::from_bytes(&line[tab + 1..])),
        mode: u32::from_str_radix(mode, 8).ok()?,
        object: object.to_owned(),
        assume_unchanged: tag.bytes().all(|byte| byte.is_ascii_lowercase()),
        skip_worktree: tag.eq_ignore_ascii_case("S"),
    })
}

/// Computes a digest of everything in the work tree at `top` that its HEAD does not have: paths, modes and
/// contents, those in submodules included. `None` where nothing differs. Changes below `ignored_folders` do
/// not count.
pub fn changes_digest(
    top: &Path,
    ignored_folders: &[&Path],
    env: &Env,
) -> anyhow::Result<Option<[u8; 32]>> {
    let changes = changes(top, ignored_folders, env)?;
    if changes.is_empty() {
        return Ok(None);
    }
    let mut digest = Sha256::new();
    for (path, content) in changes {
        let path = path.as_os_str().as_bytes();
        digest.update((path.len() as u64).to_le_bytes());
        digest.update(path);
        digest.update(content);
    }
    Ok(Some(digest.finalize().into()))
}

/// Finds the paths that differ from HEAD, each with a digest of what is there now.
fn changes(
    top: &Path,
    ignored_folders: &[&Path],
    env: &Env,
) -> anyhow::Result<BTreeMap<PathBuf, [u8; 32]>> {
    let mut changes = BTreeMap::new();
    for path in status(top, ignored_folders, env)? {
        let content = content_digest(&top.join(&path), env)?;
        changes.insert(path, content);
    }
    let index = index(top, env)?;
    for entry in index.iter().filter(|entry| entry.mode == SUBMODULE) {
        if submodule_differs(&top.join(&entry.path), &entry.object, env)? {
            changes.insert(entry.path.clone(), content_digest(&top.join(&entry.path), env)?);
        }
    }
    for path in hidden_changes(top, &index, env)? {
        let content = content_digest(&top.join(&path), env)?;
        changes.insert(path, content);
    }
    Ok(changes)
}

/// Lists what git itself sees as changed or untracked.
fn status(top: &Path, ignored_folders: &[&Path], env: &Env) -> anyhow::Result<Vec<PathBuf>> {
    let mut command = looking_git(top, env);
    command.args(["status", "--porcelain=v1", "-z", "--no-renames"]);
    command.args(["--untracked-files=all", "--ignore-submodules=none", "--", ":(top)"]);
    exclude(&mut command, top, ignored_folders);
    let listed = output(&mut command).context("asking git for changes")?;
    let paths = listed.split(|byte| *byte == 0).filter_map(|line| line.get(3..));
    // A repository inside this one is listed with a slash at its end.
    let path =
        |bytes: &[u8]| PathBuf::from(OsStr::from_bytes(bytes.strip_suffix(b"/").unwrap_or(bytes)));
    Ok(paths.map(path).collect())
}

/// Adds pathspecs that leave folders out.
fn exclude(command: &mut Command, top: &Path, folders: &[&Path]) {
    for folder in folders {
        // Git refuses an excluding pathspec that names the whole repository.
        if let Ok(relative) = folder.strip_prefix(top)
            && !relative.as_os_str().is_empty()
        {
            let mut pathspec = OsStr::new(":(top,exclude,literal)").to_owned();
            pathspec.push(relative);
            command.arg(pathspec);
        }
    }
}

/// Returns whether a submodule's work tree holds anything but the commit `object`.
fn submodule_differs(dir: &Path, object: &str, env: &Env) -> anyhow::Result<bool> {
    if !is_repository(dir) {
        // Not checked out. Files that lie there all the same are no part of any commit.
        return Ok(fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()));
    }
    Ok(head(dir, env)? != object || changes_digest(dir, &[], env)?.is_some())
}

fn is_repository(dir: &Path) -> bool {
    dir.join(".git").symlink_metadata().is_ok()
}

/// Returns the object name of HEAD; empty before the first commit.
fn head(dir: &Path, env: &Env) -> anyhow::Result<String> {
    let head = git(dir, env).args(["rev-parse", "--verify", "--quiet", "HEAD"]).output();
    let head = head.context("running git rev-parse")?;
    Ok(String::from_utf8_lossy(&head.stdout).trim().to_owned())
}

/// Finds files that differ from the index although git was told not to look.
fn hidden_changes(top: &Path, index: &[IndexEntry], env: &Env) -> anyhow::Result<Vec<PathBuf>> {
    let mut changed = Vec::new();
    let mut files = Vec::new();
    for entry in index.iter().filter(|entry| entry.assume_unchanged || entry.skip_worktree) {
        let Ok(metadata) = top.join(&entry.path).symlink_metadata() else {
            // In a sparse checkout, a file that is absent is meant to be.
            if !entry.skip_worktree {
                changed.push(entry.path.clone());
            }
            continue;
        };
        let mode = match &metadata {
            link if link.is_symlink() => LINK,
            file if file.permissions().mode() & 0o111 != 0 => 0o100_755,
            _ => 0o100_644,
        };
        if entry.mode == LINK || mode == LINK {
            let text = output(git(top, env).args(["cat-file", "blob", &entry.object]))?;
            let now = fs::read_link(top.join(&entry.path)).unwrap_or_default();
            if entry.mode != mode || now.as_os_str().as_bytes() != text {
                changed.push(entry.path.clone());
            }
        } else if metadata.is_file() && (entry.mode == mode || !has_modes(top, env)) {
            files.push(entry);
        } else if entry.mode != SUBMODULE {
            changed.push(entry.path.clone());
        }
    }
    let paths: Vec<_> = files.iter().map(|entry| entry.path.as_path()).collect();
    let objects = hash_objects(top, &paths, env)?;
    let differs = files.iter().zip(&objects).filter(|(entry, object)| entry.object != **object);
    changed.extend(differs.map(|(entry, _)| entry.path.clone()));
    Ok(changed)
}

/// Returns whether git compares the executable bit here (`core.fileMode`).
fn has_modes(top: &Path, env: &Env) -> bool {
    let asked = git(top, env).args(["config", "--type=bool", "core.fileMode"]).output();
    !asked.is_ok_and(|asked| asked.stdout.starts_with(b"false"))
}

/// Computes the object names that git would give to files, as its attributes have them stored.
fn hash_objects(top: &Path, paths: &[&Path], env: &Env) -> anyhow::Result<Vec<String>> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let mut list = Vec::new();
    for path in paths {
        // One path a line: git's own quoting is the only way to name one with a line end.
        let path = path.as_os_str().as_bytes();
        if path.iter().any(|byte| b"\n\"\\".contains(byte)) {
            list.push(b'"');
            for byte in path {
                match byte {
                    b'\n' => list.extend(b"\\n"),
                    b'"' | b'\\' => list.extend([b'\\', *byte]),
                    _ => list.push(*byte),
                }
            }
            list.push(b'"');
        } else {
            list.extend(path);
        }
        list.push(b'\n');
    }
    let hashed = with_input(git(top, env).args(["hash-object", "--stdin-paths"]), list)
        .context("running git hash-object")?;
    let objects: Vec<_> =
        String::from_utf8_lossy(&hashed.stdout).lines().map(str::to_owned).collect();
    anyhow::ensure!(
        hashed.status.success() && objects.len() == paths.len(),
        "git hash-object names {} of {} files: {}",
        objects.len(),
        paths.len(),
        String::from_utf8_lossy(&hashed.stderr).trim()
    );
    Ok(objects)
}

/// Computes the digest of what is at `path` now. A removed path, a link, a file, an executable file and a
/// repository have different digests whatever they hold.
fn content_digest(path: &Path, env: &Env) -> anyhow::Result<[u8; 32]> {
    let name = || format!("reading {}", path.display());
    let Ok(metadata) = path.symlink_metadata() else {
        return Ok([0; 32]);
    };
    let (kind, bytes) = if metadata.is_symlink() {
        (b'l', fs::read_link(path).with_context(name)?.into_os_string().into_encoded_bytes())
    } else if metadata.is_dir() && is_repository(path) {
        let mut state = head(path, env)?.into_bytes();
        state.extend(changes_digest(path, &[], env)?.unwrap_or_default());
        (b'r', state)
    } else if metadata.is_dir() {
        let mut state = Vec::new();
        let mut names = Vec::new();
        for entry in fs::read_dir(path).with_context(name)? {
            names.push(entry.with_context(name)?.file_name());
        }
        names.sort_unstable();
        for name in names {
            state.extend((name.len() as u64).to_le_bytes());
            state.extend(name.as_bytes());
            state.extend(content_digest(&path.join(name), env)?);
        }
        (b'd', state)
    } else {
        let kind = if metadata.permissions().mode() & 0o111 != 0 { b'x' } else { b'f' };
        (kind, fs::read(path).with_context(name)?)
    };
    Ok(Sha256::new().chain_update([kind]).chain_update(bytes).finalize().into())
}
