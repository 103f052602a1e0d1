//! Finds the packages that are compiled from folders, and computes digests of their files.
//!
//! Cargo compares the times of files, and in a target folder it tells the members of a workspace
//! apart by their path below the root alone. It would take another checkout's files, or files with
//! old times (`rsync -a`, `tar`), for those that were compiled before. Digests of contents do not
//! have this problem.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use crate::model::cargo_lock;
use crate::model::source_file::SourceFile;
use crate::model::sources::{PathPackage, SourceDigest};
use crate::model::workspace::Workspace;
use crate::repository::cargo_config::CargoConfig;
use crate::repository::{work_tree, workspace};
use crate::system::env::Env;
use crate::system::files::{self, relative};

/// Finds every package of the workspace that is compiled from a folder: its members, and path dependencies
/// that are no members.
///
/// The second need a call of cargo that reads all dependencies, and downloads those that are missing. It is
/// made only where Cargo.lock names a package without a source that is no member, or where cargo's
/// configuration replaces packages (`paths`), which Cargo.lock does not show.
pub fn packages(
    workspace: &Workspace,
    cargo_config: &CargoConfig,
    env: &Env,
) -> anyhow::Result<Vec<PathPackage>> {
    let lock_file = fs::read_to_string(workspace.root.join("Cargo.lock")).unwrap_or_default();
    let locked = cargo_lock::parse(&lock_file).into_iter().filter(|one| one.source.is_none());
    let mut locked: Vec<_> = locked.map(|package| package.name).collect();
    let mut members: Vec<_> = workspace.packages.iter().map(|member| &member.name).collect();
    locked.sort_unstable();
    members.sort_unstable();
    if !cargo_config.has_paths && locked.iter().eq(members) {
        return Ok(workspace.packages.clone());
    }
    workspace::path_packages(workspace, env)
}

/// Returns the folders of those packages that services may depend on and that are no part of the repository around
/// `root`, which has `files`, as paths relative to `root`: they lie beside it, or git ignores them.
pub fn outside_repository(
    packages: &[PathPackage],
    root: &Path,
    files: &[SourceFile],
) -> anyhow::Result<Vec<PathBuf>> {
    let root = canonical(root)?;
    let files: BTreeSet<_> = files.iter().map(|file| &file.path).collect();
    let mut outside = BTreeSet::new();
    for package in packages.iter().filter(|package| package.is_of_services) {
        let dir = canonical(&package.dir)?;
        if !files.contains(&dir.join("Cargo.toml")) {
            outside.insert(relative(&dir, &root));
        }
    }
    Ok(outside.into_iter().collect())
}

/// Returns those of the files `compiled` that are named by a path in the repository around `root` and that no commit
/// can hold: git ignores them, or a link or `..` leads out of the repository. A folder of which git has nothing stands for
/// all files below it. The paths are relative to `root`.
///
/// The repository has `files`. Those below `known_folders` do not count, nor does what git itself writes.
pub fn ignored_files(
    compiled: &BTreeSet<PathBuf>,
    root: &Path,
    files: &[SourceFile],
    known_folders: &[&Path],
    env: &Env,
) -> anyhow::Result<Vec<PathBuf>> {
    let top = canonical(&work_tree::top(root, env)?)?;
    let root = canonical(root)?;
    let known: Vec<_> = known_folders.iter().filter_map(|dir| dir.canonicalize().ok()).collect();
    let files: BTreeSet<&Path> = files.iter().map(|file| file.path.as_path()).collect();
    let folders: BTreeSet<_> = files.iter().flat_map(|file| file.ancestors().skip(1)).collect();
    let mut ignored = BTreeSet::new();
    for path in compiled.iter().filter(|path| path.starts_with(&top)) {
        // What a build script names need not be there, and may be a folder.
        let Ok(real) = path.canonicalize() else { continue };
        let is_of_git = real.components().any(|part| part.as_os_str() == ".git");
        let is_known = known.iter().any(|folder| real.starts_with(folder));
        if files.contains(real.as_path()) || is_of_git || is_known || !real.is_file() {
            continue;
        }
        let of_nobody = real.ancestors().take_while(|above| !folders.contains(above)).last();
        let shown = if real.starts_with(&top) { of_nobody.unwrap_or(&real) } else { &real };
        ignored.insert(relative(shown, &root));
    }
    Ok(ignored.into_iter().collect())
}

/// Computes the digest of each package: of its folder's path, which programs can ask the compiler for, and
/// of the path, kind and content of each of its files. A package has the files below its folder that are in no
/// other package's folder, not below `ignored_folders`, and that git tracks or would show as untracked.
pub fn digests(
    packages: &[PathPackage],
    root: &Path,
    ignored_folders: &[&Path],
    env: &Env,
) -> anyhow::Result<Vec<SourceDigest>> {
    let mut states = BTreeMap::new();
    for package in packages {
        let dir = canonical(&package.dir)?;
        let state = Sha256::new().chain_update(dir.as_os_str().as_bytes()).chain_update([0]);
        states.insert(dir, state);
    }
    for file in source_files(states.keys(), &work_tree::top(root, env)?, env)? {
        if ignored_folders.iter().any(|folder| file.starts_with(folder)) {
            continue;
        }
        let owner = file.ancestors().find(|folder| states.contains_key(*folder));
        if let Some(state) = owner.and_then(|owner| states.get_mut(owner)) {
            let path = file.as_os_str().as_bytes();
            state.update((path.len() as u64).to_le_bytes());
            state.update(path);
            state.update(files::content_digest(&file)?);
        }
    }
    packages
        .iter()
        .map(|package| {
            let state = states[&canonical(&package.dir)?].clone();
            let digest = s3::hex(&state.finalize());
            let PathPackage { id, name, dir, .. } = package.clone();
            Ok(SourceDigest { id, name, dir, digest })
        })
        .collect()
}

/// Lists the files of the repository at `top`, and of those packages that it does not hold.
fn source_files<'a>(
    dirs: impl Iterator<Item = &'a PathBuf>,
    top: &Path,
    env: &Env,
) -> anyhow::Result<BTreeSet<PathBuf>> {
    let mut files = files_of_repository(top, env)?;
    for dir in dirs {
        if !files.contains(&dir.join("Cargo.toml")) {
            files.extend(files_outside(dir, env)?);
        }
    }
    Ok(files)
}

/// Lists the files of a package that lies in another repository, or in none.
pub fn files_outside(dir: &Path, env: &Env) -> anyhow::Result<BTreeSet<PathBuf>> {
    let mut files = files_of_repository(dir, env).unwrap_or_default();
    if !files.contains(&dir.join("Cargo.toml")) {
        files.clear();
        add_files(dir, &mut files)?;
    }
    Ok(files)
}

/// Lists the files below `dir` that the repository around it tracks or sees as untracked, those in
/// submodules and in repositories inside it included.
fn files_of_repository(dir: &Path, env: &Env) -> anyhow::Result<BTreeSet<PathBuf>> {
    let mut git = work_tree::looking_git(dir, env);
    git.args(["ls-files", "-z", "--cached", "--others"]);
    let listed = work_tree::output(git.arg("--exclude-standard"))?;
    let mut files = BTreeSet::new();
    for path in listed.split(|byte| *byte == 0).filter(|path| !path.is_empty()) {
        let path = dir.join(OsStr::from_bytes(path.strip_suffix(b"/").unwrap_or(path)));
        if path.join(".git").symlink_metadata().is_ok() {
            files.extend(files_of_repository(&path, env)?);
        } else {
            files.insert(path);
        }
    }
    Ok(files)
}

/// Adds every file below `dir`, but no folder that git or cargo writes.
fn add_files(dir: &Path, files: &mut BTreeSet<PathBuf>) -> anyhow::Result<()> {
    let name = || format!("reading {}", dir.display());
    for entry in fs::read_dir(dir).with_context(name)? {
        let entry = entry.with_context(name)?;
        let path = entry.path();
        if !entry.file_type().with_context(name)?.is_dir() {
            files.insert(path);
        } else if entry.file_name() != ".git" && !path.join("CACHEDIR.TAG").exists() {
            add_files(&path, files)?;
        }
    }
    Ok(())
}

pub(super) fn canonical(dir: &Path) -> anyhow::Result<PathBuf> {
    dir.canonicalize().with_context(|| format!("looking at {}", dir.display()))
}
