//! Reads what a service is built from: the repository's part of its build key.
//!
//! Files count by what is in the work tree now, not by git's object ids. A content is the same whatever attributes,
//! filters, sparse checkouts or marks in the index say, and reading every file of ten services takes some
//! milliseconds.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use catalog::Platform;

use crate::model::build_key::Input;
use crate::model::cargo_lock;
use crate::model::source_file::SourceFile;
use crate::model::workspace::{Service, Workspace};
use crate::repository::dependencies::Dependencies;
use crate::repository::sources::{canonical, relative};
use crate::system::env::Env;
use crate::system::files;

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

/// What a service on a platform is built from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The inputs.
    pub inputs: Vec<Input>,
    /// The files among them.
    pub files: BTreeSet<PathBuf>,
    /// The folders of the packages of the repository.
    pub packages: BTreeSet<PathBuf>,
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
    /// Fails where that cannot be known: a package, or a folder that a link leads to, lies outside the repository.
    pub fn of(&self, service: &Service, platform: Platform, env: &Env) -> anyhow::Result<Found> {
        let mut files = BTreeSet::new();
        let mut locked: BTreeMap<&str, Vec<(&str, String)>> = BTreeMap::new();
        let mut dirs = BTreeSet::new();
        let mut packages = BTreeSet::new();
        for package in self.dependencies.of(&service.name, platform) {
            if let Some(source) = &package.source {
                let (name, version) = (package.name.clone(), package.version.clone());
                let checksum = self.checksums.get(&(name, version, source.clone()));
                let exact = format!("{source} {}", checksum.map_or("", String::as_str));
                locked.entry(&package.name).or_default().push((&package.version, exact));
            } else if let Some(dir) = &package.dir {
                let canonical = canonical(dir)?;
                if !self.files.contains(canonical.join("Cargo.toml").as_path()) {
                    let dir = relative(&canonical, &self.root);
                    anyhow::bail!("{} is no part of the repository", dir.display());
                }
                files.extend(self.by_package.get(&canonical).into_iter().flatten().copied());
                packages.insert(canonical);
                dirs.insert(dir.as_path());
            }
        }
        anyhow::ensure!(!dirs.is_empty(), "cargo names no package {}", service.name);
        let dir = canonical(&service.dir)?;
        let ignored = patterns(&service.config.inputs.ignored, &dir)?;
        files.retain(|file| !ignored.iter().any(|pattern| pattern.names(file)));
        for (base, inputs) in
            [(&dir, &service.config.inputs), (&self.root, &self.workspace.config.inputs)]
        {
            for pattern in patterns(&inputs.files, base)? {
                let named = self.files.iter().copied().filter(|file| pattern.names(file));
                let before = files.len();
                let mut count = 0;
                files.extend(named.inspect(|_| count += 1));
                debug_assert!(files.len() >= before, "a set that only grows");
                anyhow::ensure!(
                    count > 0,
                    "inputs = {:?} names no file of the repository",
                    pattern.text
                );
            }
        }
        files.extend(self.cargo_config.iter().map(PathBuf::as_path));
        let files = self.with_linked(files)?;
        let mut inputs = Vec::new();
        for file in &files {
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
        let variables = [&self.workspace.config.inputs, &service.config.inputs];
        let variables: BTreeSet<_> = variables.into_iter().flat_map(|own| &own.variables).collect();
        inputs.extend(variables.into_iter().map(|name| {
            let value = env.of_build(name).map(std::ffi::OsStr::as_encoded_bytes);
            let content = value.map_or(vec![0], |value| [b"=", value].concat());
            Input::of(format!("env {name}"), &content)
        }));
        Ok(Found { inputs, files, packages })
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
