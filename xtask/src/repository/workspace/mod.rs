//! Reads the workspace from cargo: its root, its target folder, its services and their tables.
//!
//! `cargo metadata --no-deps` needs no lock file, no network and no toolchain component, and takes some
//! thirty milliseconds.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use catalog::json::{self, Object};
use ferror::{Error, Kind};
use serde_json::Value;
use xshell::{Shell, cmd};

use crate::model::config::{Config, ServiceConfig};
use crate::model::sources::PathPackage;
use crate::model::workspace::{Member, Root, Service, Workspace};
use crate::repository::vendored;
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
    metadata: Value,
    source: Option<String>,
}

/// Reads the workspace around `env.current_dir`.
///
/// Fails with [`Kind::Config`] where there is none, or where a table is wrong.
pub fn read(env: &Env) -> anyhow::Result<Workspace> {
    let metadata = read_metadata(&env.current_dir, &["--no-deps"], env)?;
    let config = Config::read(&metadata.tables)?;
    let mut services = Vec::new();
    for package in &metadata.packages {
        services.extend(service(package, &metadata.workspace_root)?);
    }
    let packages = metadata.packages.iter().map(path_package).collect();
    services.sort_by(|a: &Service, b| a.name.cmp(&b.name));
    Ok(Workspace {
        root: metadata.workspace_root,
        target_dir: metadata.target_directory,
        config,
        services,
        packages,
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

/// Lists the members of the workspace at `root` and all other packages that it depends on by path.
pub fn path_packages(root: &Path, env: &Env) -> anyhow::Result<Vec<PathPackage>> {
    let metadata = read_metadata(root, &[vendored::lock_option(root)], env)?;
    let packages = metadata.packages.iter().filter(|package| package.source.is_none());
    Ok(packages.map(path_package).collect())
}

fn path_package(package: &Package) -> PathPackage {
    let Package { id, name, .. } = package;
    PathPackage { id: id.clone(), name: name.clone(), dir: package.dir().to_owned() }
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
        Ok(Self {
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
        let error = Error::config(format!("cargo reads no workspace here: {reason}"));
        return Err(error
            .hint("run it inside the repository, with Cargo.toml files that cargo accepts")
            .into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Reads a package as a service; `None` where it is none: it lies outside services/ or has no binary.
fn service(package: &Package, root: &Path) -> ferror::Result<Option<Service>> {
    let name = package.name.as_str();
    let config = ServiceConfig::read(name, &package.metadata)?;
    let dir = package.dir();
    if !dir.starts_with(root.join("services")) {
        let is_of_service = config.is_some_and(|config| {
            config != ServiceConfig { build: config.build.clone(), ..ServiceConfig::default() }
        });
        if !is_of_service {
            return Ok(None);
        }
        return Err(Error::config(format!(
            "[package.metadata.xtask] of {name}: {} is not below services/, so it is no service, and may have inputs, \
             ignore, env and sandbox alone",
            dir.display()
        ))
        .hint("move the package below services/, or remove the table"));
    }
    let config = config.unwrap_or_default();
    let bins: Vec<_> = package.bins.iter().map(String::as_str).collect();
    let bin = match (&config.bin, bins.as_slice()) {
        (None, []) => return Ok(None),
        (None, [only]) => (*only).to_owned(),
        (Some(bin), bins) if bins.contains(&bin.as_str()) => bin.clone(),
        (wrong, bins) => return Err(ambiguous_binary(name, wrong.as_deref(), bins)),
    };
    Ok(Some(Service { name: name.to_owned(), bin, dir: dir.to_owned(), config }))
}

fn ambiguous_binary(name: &str, wrong: Option<&str>, bins: &[&str]) -> Error {
    let listed = if bins.is_empty() { "none".to_owned() } else { bins.join(", ") };
    let message = match wrong {
        Some(bin) => format!(
            "[package.metadata.xtask] of {name}: bin = {bin:?} is none of its binaries: {listed}"
        ),
        None => format!("service {name} has several binaries: {listed}"),
    };
    Error::new(Kind::Config, message)
        .hint("name the one to ship: `bin = \"...\"` in [package.metadata.xtask] of the service's Cargo.toml")
}
