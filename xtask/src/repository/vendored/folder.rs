//! Compares the folder with the packages of the lock files: it has to hold each of their files, by the
//! checksums that cargo keeps beside them, and nothing else.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use catalog::json;
use serde_json::Value;

use super::names::{FOLDER, GIT_SOURCES};
use crate::model::cargo_lock::Package;
use crate::system::files;

/// Lists the differences between the folder and the packages.
pub fn problems(root: &Path, packages: &[Package]) -> anyhow::Result<Vec<Problem>> {
    let mut problems = Vec::new();
    let by_folder: BTreeMap<_, _> = packages.iter().map(|p| (p.folder(), p)).collect();
    for (folder, package) in &by_folder {
        let lines = differences(root, folder, package)?;
        problems.extend(lines.into_iter().map(|line| Problem { line, folder: folder.clone() }));
    }
    for folder in files::visible_names(&root.join(FOLDER))? {
        if !by_folder.contains_key(&folder) {
            let line = format!("{FOLDER}/{folder}: not in Cargo.lock");
            problems.push(Problem { line, folder });
        }
    }
    if fs::read_to_string(root.join(GIT_SOURCES)).unwrap_or_default() != git_sources(packages) {
        let line = format!("{GIT_SOURCES}: other commits than in Cargo.lock");
        let of_git = packages.iter().filter(|package| is_git(package));
        problems.extend(of_git.map(|p| Problem { line: line.clone(), folder: p.folder() }));
        problems.extend(
            (!packages.iter().any(is_git)).then(|| Problem { line, folder: String::new() }),
        );
    }
    Ok(problems)
}

/// A difference between the folder and the packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// A line that describes it.
    pub line: String,
    /// The folder below `vendor` that has to be copied again or removed; empty where it concerns none.
    pub folder: String,
}

/// Writes the content of [`GIT_SOURCES`], the commit of each git package; empty where there are none.
pub fn git_sources(packages: &[Package]) -> String {
    let mut text = String::new();
    for package in packages.iter().filter(|package| is_git(package)) {
        let source = package.source.as_deref().unwrap_or_default();
        writeln!(text, "{} {source}", package.folder()).expect("writing to a String does not fail");
    }
    text
}

fn is_git(package: &Package) -> bool {
    package.source.as_deref().is_some_and(|source| source.starts_with("git+"))
}

fn differences(root: &Path, folder: &str, package: &Package) -> anyhow::Result<Vec<String>> {
    let dir = root.join(FOLDER).join(folder);
    if !dir.is_dir() {
        return Ok(vec![format!("{} {}: not in {FOLDER}/", package.name, package.version)]);
    }
    let checksums = fs::read(dir.join(CHECKSUMS)).ok().and_then(|bytes| json::parse(&bytes).ok());
    let Some(listed) = checksums.as_ref().and_then(|sums| sums["files"].as_object()) else {
        return Ok(vec![format!("{FOLDER}/{folder}: no {CHECKSUMS} that can be read")]);
    };
    let of_package = checksums.as_ref().and_then(|sums| sums["package"].as_str());
    if package.checksum.is_some() && of_package != package.checksum.as_deref() {
        return Ok(vec![format!("{FOLDER}/{folder}: another checksum than in Cargo.lock")]);
    }
    let mut lines = Vec::new();
    for (name, digest) in listed {
        let state = match fs::read(dir.join(name)) {
            Err(_) => "missing",
            Ok(bytes) if digest != &Value::from(files::sha256(&bytes)) => "changed",
            Ok(_) => continue,
        };
        lines.push(format!("{FOLDER}/{folder}/{name}: {state}"));
    }
    // A build.rs that was added would be compiled and run.
    for path in files_below(&dir)? {
        let name = path.strip_prefix(&dir).unwrap_or(&path).to_string_lossy().into_owned();
        if name != CHECKSUMS && !listed.contains_key(&name) {
            lines.push(format!("{FOLDER}/{folder}/{name}: not of the package"));
        }
    }
    Ok(lines)
}

/// The file in which cargo keeps the digest of every file of a vendored package, and of the package.
const CHECKSUMS: &str = ".cargo-checksum.json";

fn files_below(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let (mut files, mut folders) = (Vec::new(), vec![dir.to_owned()]);
    while let Some(dir) = folders.pop() {
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let list = if entry.file_type()?.is_dir() { &mut folders } else { &mut files };
            list.push(entry.path());
        }
    }
    files.sort_unstable();
    Ok(files)
}
