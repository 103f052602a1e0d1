//! Reads what a service is built from: the repository's part of its build key.
//!
//! Files count by what is in the work tree now, not by git's object ids. A content is the same whatever attributes,
//! filters, sparse checkouts or marks in the index say, and reading every file of ten services takes some
//! milliseconds.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::path::{Component, Path, PathBuf};

use catalog::Platform;

use crate::model::build_key::Input;
use crate::model::cargo_lock;
use crate::model::source_file::SourceFile;
use crate::model::workspace::{Service, Workspace};
use crate::repository::dependencies::Dependencies;
use crate::repository::sources::{self, canonical};
use crate::system::env::Env;
use crate::system::files::{self, relative};

/// The files of the repository, by the package that they belong to.
#[derive(Debug)]
pub struct Sources<'a> {
    workspace: &'a Workspace,
    dependencies: &'a Dependencies,
    root: PathBuf,
    files: BTreeSet<&'a Path>,
    by_package: BTreeMap<PathBuf, Vec<&'a Path>>,
    /// Checksums of Cargo.lock, by name, version and source.
    checksums: BTreeMap<(String, String, String), String>,
    cargo_config: &'a [PathBuf],
    /// What was read, by path.
    digests: RefCell<BTreeMap<PathBuf, String>>,
}

/// The inputs of a service on a platform.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The inputs.
    pub inputs: Vec<Input>,
    /// The files among them.
    pub files: BTreeSet<PathBuf>,
    /// Those files that a build finds in its sandbox: not links out of the repository.
    pub readable: Vec<PathBuf>,
    /// The folders of packages outside the repository. What is in them is no input, so where there are any, the inputs
    /// are not all.
    pub outside: BTreeSet<PathBuf>,
    /// The variables among them.
    pub variables: BTreeSet<String>,
    /// The numbers of the packages that are compiled for it, which are the same for all services.
    pub packages: Vec<usize>,
    /// The package whose table says `sandbox = false`, if one does.
    pub no_sandbox: Option<String>,
}

impl<'a> Sources<'a> {
    /// Gives each of the repository's `files` to the innermost package around it.
    pub fn new(
        workspace: &'a Workspace,
        files: &'a [SourceFile],
        cargo_config: &'a [PathBuf],
        dependencies: &'a Dependencies,
    ) -> anyhow::Result<Self> {
        let mut by_package = BTreeMap::new();
        for dir in dependencies.path_packages() {
            by_package.insert(canonical(dir)?, Vec::new());
        }
        let files: BTreeSet<&Path> = files.iter().map(|file| file.path.as_path()).collect();
        for file in &files {
            let owner = file.ancestors().find(|folder| by_package.contains_key(*folder));
            if let Some(owned) = owner.and_then(|owner| by_package.get_mut(owner)) {
                owned.push(*file);
            }
        }
        let lock_file = workspace.root.join("Cargo.lock");
        let locked = cargo_lock::parse(&std::fs::read_to_string(lock_file).unwrap_or_default());
        let checksum = |package: cargo_lock::Package| {
            let cargo_lock::Package { name, version, source, checksum, .. } = package;
            Some(((name, version, source?), checksum?))
        };
        Ok(Self {
            workspace,
            dependencies,
            root: canonical(&workspace.root)?,
            files,
            by_package,
            checksums: locked.into_iter().filter_map(checksum).collect(),
            cargo_config,
            digests: RefCell::default(),
        })
    }

    /// Reads what a service is built from.
    ///
    /// Fails where that cannot be known: a folder that a link leads to lies outside the repository.
    pub fn of(&self, service: &Service, platform: Platform, env: &Env) -> anyhow::Result<Found> {
        let mut files = BTreeSet::new();
        let mut locked: BTreeMap<&str, Vec<(&str, String)>> = BTreeMap::new();
        let mut dirs = BTreeSet::new();
        let mut named = Vec::new();
        let packages = self.dependencies.places(&service.name, platform).to_owned();
        let mut found = Found { packages, ..Found::default() };
        let root_inputs = &self.workspace.config.inputs;
        found.variables.extend(root_inputs.variables.iter().cloned());
        let home = env.cargo_home();
        let real = home.as_ref().and_then(|home| home.canonicalize().ok());
        let homes: Vec<_> = home.into_iter().chain(real).collect();
        for package in self.dependencies.of(&service.name, platform) {
            if let Some(source) = &package.source {
                let (name, version) = (package.name.clone(), package.version.clone());
                let checksum = self.checksums.get(&(name, version, source.clone()));
                let exact = format!("{source} {}", checksum.map_or("", String::as_str));
                locked.entry(&package.name).or_default().push((&package.version, exact));
                // In cargo's home, cargo has compared it with the checksum. What lies elsewhere may have been edited.
                let is_elsewhere = |dir: &&PathBuf| !homes.iter().any(|home| dir.starts_with(home));
                let Some(dir) = package.dir.as_ref().filter(is_elsewhere) else { continue };
                let dir = canonical(dir)?;
                let from = (Bound::Included(&*dir), Bound::Unbounded);
                let own = self.files.range::<Path, _>(from).copied();
                let before = files.len();
                files.extend(own.take_while(|file| file.starts_with(&dir)));
                if files.len() == before {
                    found.outside.insert(dir);
                }
            } else if let Some(dir) = &package.dir {
                let canonical = canonical(dir)?;
                if !self.files.contains(canonical.join("Cargo.toml").as_path()) {
                    found.outside.insert(canonical);
                    dirs.insert(dir.as_path());
                    continue;
                }
                let own = self.by_package.get(&canonical).into_iter().flatten().copied();
                if let Some(table) = self.dependencies.table(dir) {
                    let ignored = patterns(&table.ignored, &canonical)?;
                    // Cargo reads it whatever the table says.
                    let cargo_toml = canonical.join("Cargo.toml");
                    let is_ignored = |file: &&Path| {
                        **file != *cargo_toml && ignored.iter().any(|it| it.names(file))
                    };
                    files.extend(own.filter(|file| !is_ignored(file)));
                    named.extend(patterns(&table.files, &canonical)?);
                    found.variables.extend(table.variables.iter().cloned());
                    if table.no_sandbox {
                        found.no_sandbox.get_or_insert_with(|| package.name.clone());
                    }
                } else {
                    files.extend(own);
                }
                dirs.insert(dir.as_path());
            }
        }
        anyhow::ensure!(!dirs.is_empty(), "cargo names no package {}", service.name);
        named.extend(patterns(&root_inputs.files, &self.root)?);
        for pattern in named {
            let mut matching = self.files.iter().copied().filter(|file| pattern.names(file));
            let first = matching.next();
            files.extend(first.into_iter().chain(matching));
            anyhow::ensure!(
                first.is_some(),
                "inputs = {:?} names no file of the repository",
                pattern.text
            );
        }
        files.extend(self.cargo_config.iter().map(PathBuf::as_path));
        let files = self.with_linked(files)?;
        let mut inputs = Vec::new();
        let is_readable = |file: &&PathBuf| stays_below(file, &self.root);
        found.readable = files.iter().filter(is_readable).cloned().collect();
        found.files = files;
        for file in &found.files {
            let name = relative(file, &self.root).to_string_lossy().into_owned();
            let digest = self.digest(file)?;
            inputs.push(Input { name, version: None, digest });
        }
        inputs.extend(locked.into_iter().map(|(name, mut versions)| {
            versions.sort_unstable();
            let shown: Vec<_> = versions.iter().map(|(version, _)| *version).collect();
            let exact: Vec<_> = versions.iter().map(|(_, exact)| exact.as_str()).collect();
            let name = format!("Cargo.lock: {name}");
            Input::versioned(name, &shown.join(", "), exact.join("\n").as_bytes())
        }));
        inputs.extend(self.dependencies.from_root(dirs.into_iter()));
        inputs.extend(found.variables.iter().map(|name| {
            let value = env.of_build(name).map(std::ffi::OsStr::as_encoded_bytes);
            let content = value.map_or(vec![0], |value| [b"=", value].concat());
            Input::of(format!("env {name}"), &content)
        }));
        found.inputs = inputs;
        Ok(found)
    }

    /// Returns why there is no key for such inputs, where some are missing.
    pub fn why_not_all(&self, found: &Found) -> Option<String> {
        let dir = relative(found.outside.first()?, &self.root);
        Some(format!("{} is no part of the repository", dir.display()))
    }

    /// Adds what is in the folders to which links lead.
    fn with_linked(&self, files: BTreeSet<&Path>) -> anyhow::Result<BTreeSet<PathBuf>> {
        let mut all: BTreeSet<PathBuf> = BTreeSet::new();
        let mut open: Vec<PathBuf> = files.into_iter().map(Path::to_owned).collect();
        while let Some(file) = open.pop() {
            if file.is_symlink() && file.is_dir() {
                let folder = canonical(&file)?;
                let inside: Vec<_> =
                    self.files.iter().filter(|file| file.starts_with(&folder)).collect();
                anyhow::ensure!(
                    !inside.is_empty(),
                    "{} leads to a folder outside the repository",
                    relative(&file, &self.root).display()
                );
                let new = inside.into_iter().filter(|file| !all.contains(**file));
                open.extend(new.map(|file| file.to_path_buf()));
            }
            all.insert(file);
        }
        Ok(all)
    }

    fn digest(&self, file: &Path) -> anyhow::Result<String> {
        if let Some(known) = self.digests.borrow().get(file) {
            return Ok(known.clone());
        }
        let digest = s3::hex(&files::content_digest(file)?);
        self.digests.borrow_mut().insert(file.to_owned(), digest.clone());
        Ok(digest)
    }
}

/// Lists the files of a package outside the repository that a build finds in its sandbox.
pub fn readable_outside(dir: &Path, env: &Env) -> anyhow::Result<Vec<PathBuf>> {
    let files = sources::files_outside(dir, env)?;
    Ok(files.into_iter().filter(|file| stays_below(file, dir)).collect())
}

/// Returns whether a file is no link, or one to a file below `folder` that is none of git's. A link may name any file,
/// credentials too.
fn stays_below(file: &Path, folder: &Path) -> bool {
    !file.is_symlink()
        || file.canonicalize().is_ok_and(|real| {
            real.is_file()
                && real.starts_with(folder)
                && real.components().all(|part| part.as_os_str() != ".git")
        })
}

/// A pattern of files, of which a folder's name stands for everything below the folder.
struct Pattern<'t> {
    text: &'t str,
    glob: glob::Pattern,
}

impl Pattern<'_> {
    fn names(&self, file: &Path) -> bool {
        let options = glob::MatchOptions {
            case_sensitive: true,
            require_literal_separator: true,
            require_literal_leading_dot: false,
        };
        file.ancestors().any(|path| self.glob.matches_path_with(path, options))
    }
}

/// Reads patterns of files below `base`, or beside it behind `..`.
fn patterns<'t>(texts: &'t [String], base: &Path) -> anyhow::Result<Vec<Pattern<'t>>> {
    let read = |text: &'t String| {
        let (mut folder, mut rest) = (base.to_owned(), Vec::new());
        for part in Path::new(text).components() {
            match part {
                Component::ParentDir if rest.is_empty() => {
                    folder.pop();
                }
                Component::ParentDir => anyhow::bail!("{text}: `..` has to stand in front"),
                Component::Normal(part) => rest.push(part.to_string_lossy()),
                _ => {}
            }
        }
        let folder = glob::Pattern::escape(&folder.to_string_lossy());
        let glob = glob::Pattern::new(&format!("{folder}/{}", rest.join("/")))?;
        Ok(Pattern { text: text.as_str(), glob })
    };
    texts.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::patterns;

    #[test]
    fn patterns_name_files_below_their_folder_or_beside_it() {
        let rows = [
            ("../../proto/**", "/w/proto/a/b.proto", true),
            ("../../proto/**", "/w/protocol/b.proto", false),
            ("../../proto", "/w/proto/a/b.proto", true),
            ("README.md", "/w/services/a/README.md", true),
            ("README.md", "/w/services/a/docs/README.md", false),
            ("tests/**", "/w/services/a/tests/it/main.rs", true),
            ("*.md", "/w/services/a/docs/x.md", false),
            ("**/*.md", "/w/services/a/docs/x.md", true),
        ];
        for (text, file, expected) in rows {
            let texts = [text.to_owned()];
            let pattern = patterns(&texts, Path::new("/w/services/a")).unwrap().remove(0);
            assert_eq!(pattern.names(Path::new(file)), expected, "{text} {file}");
        }
        patterns(&["a/../b".to_owned()], Path::new("/w")).err().expect("`..` behind a name");
    }
}
