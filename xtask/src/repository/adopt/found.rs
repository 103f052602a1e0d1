//! Reads the workspace that is adopted, with the cargo that rustup chooses there: the team's, not ours.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use catalog::json::{self, Object};
use ferror::Error;
use serde_json::Value;

use crate::repository::work_tree;
use crate::system::env::Env;
use crate::system::{child_env, process};

/// A workspace, as its cargo describes it.
#[derive(Debug)]
pub struct Found {
    /// The folder of its Cargo.toml.
    pub root: PathBuf,
    /// The folder of the git repository around it.
    pub top: PathBuf,
    /// The folder that cargo builds in.
    pub target_dir: PathBuf,
    /// Its packages.
    pub packages: Vec<Package>,
    /// `[workspace.metadata.xtask]`; null where there is none.
    pub table: Value,
    /// The release of its compiler: `1.90.0`.
    pub rustc: String,
}

/// A package of the workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// The folder of its Cargo.toml, below the workspace's.
    pub folder: String,
    /// Its binaries.
    pub bins: Vec<Bin>,
    /// The packages that it depends on itself.
    pub dependencies: BTreeSet<String>,
    /// Whether cargo-fuzz made it.
    pub is_fuzz: bool,
}

/// A binary of a package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bin {
    /// Its name.
    pub name: String,
    /// The features that it needs and that are off by default.
    pub missing_features: Vec<String>,
}

/// Reads the workspace around `dir`, which is absolute.
///
/// Fails with [`ferror::Kind::Config`] where there is no workspace or no git repository.
pub fn read(dir: &Path, env: &Env) -> anyhow::Result<Found> {
    if !dir.ancestors().any(|dir| dir.join("Cargo.toml").is_file()) {
        return Err(no_workspace(dir).into());
    }
    let mut cargo = child_env::tool_in(dir, "cargo", env);
    cargo.args(["metadata", "--no-deps", "--format-version", "1"]);
    let output = process::output(&mut cargo).context("running cargo metadata")?;
    if !output.status.success() {
        let reason = child_env::error_text(&output);
        return Err(Error::config(format!(
            "cargo reads no workspace in {}: {reason}",
            dir.display()
        ))
        .hint("mend what cargo says, so that `cargo metadata` works there: nothing was written")
        .into());
    }
    let document = json::parse(&output.stdout).context("reading cargo metadata")?;
    let mut metadata = Object::new(&document)?;
    let root: PathBuf = metadata.get("workspace_root")?;
    let top = work_tree::top(&root, env).map_err(|error| {
        if error.hint_text().is_some() {
            return error;
        }
        Error::config(format!(
            "{} is in no git repository: a release's version is its commit",
            root.display()
        ))
        .hint("run `git init` there, commit, and adopt it then: nothing was written")
        .caused_by(error)
    })?;
    let packages = metadata.get::<Vec<Object>>("packages")?.into_iter();
    let mut packages: Vec<_> =
        packages.map(|package| Package::read(package, &root)).collect::<json::Result<_>>()?;
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    let rustc = release(&root, env)?;
    Ok(Found {
        top,
        target_dir: metadata.get("target_directory")?,
        packages,
        table: metadata.get::<&Value>("metadata")?["xtask"].clone(),
        rustc,
        root,
    })
}

impl Package {
    fn read(mut package: Object<'_>, root: &Path) -> json::Result<Self> {
        let manifest: PathBuf = package.get("manifest_path")?;
        let dir = manifest.parent().unwrap_or(&manifest);
        let on = default_features(package.get::<&Value>("features")?);
        let mut bins = Vec::new();
        for mut target in package.get::<Vec<Object>>("targets")? {
            if !target.get::<Vec<&str>>("kind")?.contains(&"bin") {
                continue;
            }
            let needed = target.find::<Vec<String>>("required-features")?.unwrap_or_default();
            let missing_features = needed.into_iter().filter(|one| !on.contains(one)).collect();
            bins.push(Bin { name: target.get("name")?, missing_features });
        }
        let dependencies = package.get::<Vec<Object>>("dependencies")?.into_iter();
        Ok(Self {
            name: package.get("name")?,
            folder: dir.strip_prefix(root).unwrap_or(dir).to_string_lossy().into_owned(),
            bins,
            dependencies: dependencies
                .map(|mut one| one.get("name"))
                .collect::<json::Result<_>>()?,
            is_fuzz: package.get::<&Value>("metadata")?["cargo-fuzz"] == true,
        })
    }
}

/// Returns the features of a package that are on by default, however indirectly.
fn default_features(features: &Value) -> BTreeSet<String> {
    let (mut on, mut open) = (BTreeSet::new(), vec!["default".to_owned()]);
    while let Some(feature) = open.pop() {
        let implied = features[&feature].as_array().into_iter().flatten();
        open.extend(
            implied.filter_map(Value::as_str).filter(|one| !on.contains(*one)).map(str::to_owned),
        );
        on.insert(feature);
    }
    on
}

/// Asks the compiler of the workspace for its release.
fn release(root: &Path, env: &Env) -> anyhow::Result<String> {
    let mut rustc = child_env::tool_in(root, "rustc", env);
    let output = process::output(rustc.arg("-vV")).context("running rustc -vV")?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let release = printed.lines().find_map(|line| line.strip_prefix("release: "));
    let release = release.with_context(|| {
        format!("rustc -vV in {}: {}", root.display(), child_env::error_text(&output))
    })?;
    Ok(release.to_owned())
}

/// Explains a folder without a Cargo.toml, with the workspaces that lie below it.
fn no_workspace(dir: &Path) -> Error {
    let mut below = Vec::new();
    for folder in folders(dir) {
        let inner =
            if folder.join("Cargo.toml").is_file() { vec![folder] } else { folders(&folder) };
        let inner = inner.into_iter().filter(|folder| folder.join("Cargo.toml").is_file());
        below.extend(inner.map(|folder| folder.display().to_string()));
    }
    let error = Error::config(format!("no Cargo.toml in {} or above it", dir.display()));
    match below.as_slice() {
        [] => error.hint("name the folder of a cargo workspace or package"),
        below => error.hint(format!("name the folder of the workspace: {}", below.join(", "))),
    }
}

fn folders(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut folders: Vec<_> = entries
        .filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort_unstable();
    folders
}
