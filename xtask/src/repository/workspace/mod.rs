//! Reads the workspace from cargo: its root, its target folder, its services and their tables.
//!
//! `cargo metadata --no-deps` needs no lock file, no network and no toolchain component, and takes some
//! thirty milliseconds.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use catalog::json::{self, Object};
use ferror::Error;
use serde_json::Value;
use xshell::{Shell, cmd};

use crate::model::cargo_lock;
use crate::model::config::{Config, PackageConfig};
use crate::model::services::{self, Candidate};
use crate::model::sources::PathPackage;
use crate::model::workspace::{Member, Root, Service, Workspace};
use crate::repository::{vendored, xtask_source};
use crate::system::child_env;
use crate::system::env::Env;

mod table;

pub use table::{Table, table};

/// The fields that are read of what `cargo metadata` prints.
struct CargoMetadata {
    packages: Vec<Package>,
    workspace_root: PathBuf,
    target_directory: PathBuf,
    tables: Value,
}

struct Package {
    id: String,
    name: String,
    manifest_path: PathBuf,
    bins: Vec<String>,
    dependencies: Vec<String>,
    metadata: Value,
    source: Option<String>,
}

/// Reads the workspace around `env.current_dir`.
///
/// Fails with [`Kind::Config`] where there is none, or where a table is wrong.
pub fn read(env: &Env) -> anyhow::Result<Workspace> {
    let metadata = read_metadata(&env.current_dir, &["--no-deps"], env)?;
    let config = Config::read(&metadata.tables)?;
    let candidates = metadata.packages.iter().map(|one| candidate(one, &metadata.workspace_root));
    let candidates = candidates.collect::<ferror::Result<Vec<_>>>()?;
    let services = services::find(config.services.as_deref(), &candidates)?;
    Ok(Workspace {
        packages: in_folders(&metadata.packages, &services),
        possible_entries: services::possible_entries(&candidates),
        services,
        root: metadata.workspace_root,
        target_dir: metadata.target_directory,
        config,
    })
}

/// Reads the workspace around `env.current_dir` without its members; `None` where there is no Cargo.toml,
/// as in a CI job that only got artifacts.
pub fn root(env: &Env) -> anyhow::Result<Option<Root>> {
    if !env.current_dir.ancestors().any(|dir| dir.join("Cargo.toml").is_file()) {
        return Ok(None);
    }
    let metadata = read_metadata(&env.current_dir, &["--no-deps"], env)?;
    let config = Config::read(&metadata.tables)?;
    Ok(Some(Root { dir: metadata.workspace_root, target_dir: metadata.target_directory, config }))
}

/// Lists every package of the workspace around `env.current_dir`.
pub fn members(env: &Env) -> anyhow::Result<Vec<Member>> {
    let metadata = read_metadata(&env.current_dir, &["--no-deps"], env)?;
    let packages = metadata.packages.into_iter();
    Ok(packages.map(|p| Member { dir: p.dir().to_owned(), name: p.name }).collect())
}

/// Lists the members of the workspace and all other packages that it depends on by path.
pub fn path_packages(workspace: &Workspace, env: &Env) -> anyhow::Result<Vec<PathPackage>> {
    let root = &workspace.root;
    let metadata = read_metadata(root, &[vendored::lock_option(root)], env)?;
    Ok(in_folders(&metadata.packages, &workspace.services))
}

/// Lists the packages that lie in folders.
fn in_folders(packages: &[Package], services: &[Service]) -> Vec<PathPackage> {
    let of_services = possible_dependencies(packages, services);
    let in_folder = packages.iter().filter(|package| package.source.is_none());
    let read = |package: &Package| PathPackage {
        id: package.id.clone(),
        name: package.name.clone(),
        dir: package.dir().to_owned(),
        is_of_services: of_services.contains(package.name.as_str()),
    };
    in_folder.map(read).collect()
}

/// Returns the names of the packages that services may depend on: whatever a Cargo.toml on the way names, on every
/// platform and with every feature.
fn possible_dependencies<'a>(
    packages: &'a [Package],
    services: &'a [Service],
) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&str> = services.iter().map(|service| &*service.package).collect();
    while let Some(name) = open.pop() {
        if found.insert(name) {
            let named = packages.iter().filter(|package| package.name == name);
            open.extend(named.flat_map(|package| &package.dependencies).map(String::as_str));
        }
    }
    found
}

fn read_metadata(dir: &Path, options: &[&str], env: &Env) -> anyhow::Result<CargoMetadata> {
    let printed = cargo_metadata(dir, options, env)?;
    let read = || -> json::Result<_> {
        CargoMetadata::read(Object::new(&json::parse(printed.as_bytes())?)?)
    };
    read().context("reading what cargo metadata printed")
}

impl CargoMetadata {
    fn read(mut metadata: Object<'_>) -> json::Result<Self> {
        let packages: Vec<Object> = metadata.get("packages")?;
        Ok(Self {
            packages: packages.into_iter().map(Package::read).collect::<json::Result<_>>()?,
            workspace_root: metadata.get("workspace_root")?,
            target_directory: metadata.get("target_directory")?,
            tables: metadata.get::<&Value>("metadata")?.clone(),
        })
    }
}

impl Package {
    /// Returns the folder of its Cargo.toml.
    fn dir(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(&self.manifest_path)
    }

    fn read(mut package: Object<'_>) -> json::Result<Self> {
        let mut bins = Vec::new();
        for mut target in package.get::<Vec<Object>>("targets")? {
            if target.get::<Vec<&str>>("kind")?.contains(&"bin") {
                bins.push(target.get("name")?);
            }
        }
        let dependencies: Vec<Object> = package.get("dependencies")?;
        let name = |mut dependency: Object<'_>| dependency.get("name");
        Ok(Self {
            dependencies: dependencies.into_iter().map(name).collect::<json::Result<_>>()?,
            id: package.get("id")?,
            source: package.get("source")?,
            name: package.get("name")?,
            manifest_path: package.get("manifest_path")?,
            bins,
            metadata: package.get::<&Value>("metadata")?.clone(),
        })
    }
}

fn cargo_metadata(dir: &Path, options: &[&str], env: &Env) -> anyhow::Result<String> {
    let cargo = env.get_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
    let shell = Shell::new()?;
    shell.change_dir(dir);
    let metadata = cmd!(shell, "{cargo} metadata {options...} --format-version 1");
    // With dependencies, cargo asks a compiler about this machine. Any one will do.
    let metadata = metadata.env_remove("RUSTC");
    let output =
        child_env::clean_cmd(metadata, env).quiet().ignore_status().output().map_err(|error| {
            Error::config(format!("cannot run {} metadata", cargo.display()))
                .hint("run it as `cargo xtask`, or put cargo on PATH")
                .caused_by(error)
        })?;
    if !output.status.success() {
        let reason = child_env::error_text(&output);
        return Err(refusal(&reason).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Makes the error of a workspace that cargo does not read; `reason` is what it printed.
fn refusal(reason: &str) -> Error {
    if let Some(error) = cargo_lock::refused_change(reason) {
        return error;
    }
    if reason.starts_with("could not find `Cargo.toml`") {
        return Error::config(format!("cargo reads no workspace here: {reason}"))
            .hint("run it in the folder of the workspace or below");
    }
    Error::config(format!("cargo refuses the workspace: {reason}"))
        .hint("mend the Cargo.toml that it names; `cargo metadata --no-deps` says when it is right")
}

/// Reads what a package says about the services that it may hold.
fn candidate(package: &Package, root: &Path) -> ferror::Result<Candidate> {
    let (name, dir) = (package.name.as_str(), package.dir());
    let is_automation = ["xtask", xtask_source::PACKAGE].contains(&name)
        || package.dependencies.iter().any(|dependency| dependency == xtask_source::PACKAGE);
    // cargo-fuzz writes this table into the package of its targets.
    let has_fuzz_targets = package.metadata["cargo-fuzz"] == true;
    Ok(Candidate {
        name: name.to_owned(),
        dir: dir.to_owned(),
        folder: dir.strip_prefix(root).ok().and_then(Path::to_str).map(str::to_owned),
        bins: package.bins.clone(),
        config: PackageConfig::read(name, &package.metadata)?,
        is_for_development: is_automation || has_fuzz_targets,
    })
}
