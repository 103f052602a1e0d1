//! Finds the packages that are compiled into each service on each platform, and what they inherit from the root.
//!
//! Cargo is asked once a platform, and its answer is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Context as _;
use catalog::{Platform, json};
use ferror::Error;
use serde_json::{Value, json};

use crate::model::build_key::Input;
use crate::model::cargo_toml;
use crate::model::closure::{self, Graph, Package};
use crate::model::config::{Inputs, PackageConfig};
use crate::model::root_inputs;
use crate::model::workspace::{Service, Workspace};
use crate::repository::manifests::Manifests;
use crate::repository::vendored;
use crate::system::env::Env;
use crate::system::{child_env, parallel, process};

/// The options of [`read`].
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The workspace.
    pub workspace: &'a Workspace,
    /// The services.
    pub services: &'a [&'a Service],
    /// The platforms.
    pub platforms: &'a [Platform],
    /// The triple of the machine that builds.
    pub host: &'a str,
    /// The files that cargo's answers follow from.
    pub manifests: &'a Manifests,
    /// The environment of this process.
    pub env: &'a Env,
}

/// The packages of the services.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dependencies {
    packages: Vec<Package>,
    /// Places in `packages`.
    services: BTreeMap<String, Vec<usize>>,
    /// Every package that lies in a folder.
    path_packages: Vec<PathBuf>,
    /// What each of those packages takes from the root's Cargo.toml, by its folder.
    inherited: BTreeMap<PathBuf, Vec<Input>>,
    /// What all of them take from there.
    root: Vec<Input>,
    /// What the tables of those packages say of their inputs, by their folder; without those that say nothing.
    tables: BTreeMap<PathBuf, Inputs>,
}

impl Dependencies {
    /// Returns the packages that are compiled for a service.
    pub fn of(&self, service: &str, platform: Platform) -> impl Iterator<Item = &Package> {
        self.places(service, platform).iter().filter_map(|at| self.packages.get(*at))
    }

    /// Returns the same packages by their numbers.
    pub fn places(&self, service: &str, platform: Platform) -> &[usize] {
        self.services.get(&name(service, platform)).map_or(&[], Vec::as_slice)
    }

    /// Returns the folder of every package that lies in one, whoever uses it.
    pub fn path_packages(&self) -> &[PathBuf] {
        &self.path_packages
    }

    /// Returns what the table of the package in a folder says of its inputs.
    pub fn table(&self, dir: &Path) -> Option<&Inputs> {
        self.tables.get(dir)
    }

    /// Returns what packages in these folders take from the root's Cargo.toml, sorted.
    pub fn from_root<'a>(&self, dirs: impl Iterator<Item = &'a Path>) -> Vec<Input> {
        let own = dirs.filter_map(|dir| self.inherited.get(dir)).flatten();
        let mut inputs: Vec<_> = self.root.iter().chain(own).cloned().collect();
        inputs.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        inputs.dedup();
        inputs
    }
}

/// Reads the dependencies, from what is kept or from cargo. Cargo may download sources.
pub fn read(request: &Request<'_>) -> anyhow::Result<Dependencies> {
    let Request { services, platforms, host, manifests, .. } = *request;
    let names: Vec<_> = services.iter().map(|service| &service.name).collect();
    // Sources of crates lie in cargo's home.
    let home = request.env.cargo_home();
    let asked = format!("{names:?} {platforms:?} {host} {home:?}");
    if let Some(kept) = manifests.kept("dependencies").filter(|kept| kept["asked"] == *asked)
        && let Some(kept) = Dependencies::read(&kept)
    {
        return Ok(kept);
    }
    let found = ask_cargo(request)?;
    manifests.keep("dependencies", &found.to_json(&asked));
    Ok(found)
}

fn name(service: &str, platform: Platform) -> String {
    format!("{service} {platform}")
}

fn ask_cargo(request: &Request<'_>) -> anyhow::Result<Dependencies> {
    let Request { workspace, services, platforms, host, .. } = *request;
    let mut triples: Vec<&str> = platforms.iter().map(|platform| platform.triple()).collect();
    triples.push(host);
    triples.sort_unstable();
    triples.dedup();
    let read = parallel::map(&triples, 2, |triple| graph(request, triple))?;
    let graphs: BTreeMap<&str, Graph> = triples.iter().copied().zip(read).collect();
    let mut packages = BTreeSet::new();
    let mut closures = BTreeMap::new();
    for &platform in platforms {
        for service in services {
            let found =
                closure::closure(&service.package, &graphs[platform.triple()], &graphs[host]);
            packages.extend(found.iter().cloned());
            closures.insert(name(&service.name, platform), found);
        }
    }
    let packages: Vec<Package> = packages.into_iter().collect();
    let places: BTreeMap<&Package, usize> = packages.iter().zip(0..).collect();
    let services = closures
        .into_iter()
        .map(|(name, closure)| (name, closure.iter().map(|package| places[package]).collect()))
        .collect();
    let dirs = graphs.values().flat_map(Graph::path_packages).filter_map(|one| one.dir.clone());
    let path_packages: BTreeSet<PathBuf> = dirs.collect();
    let root = cargo_toml_of(&workspace.root)?;
    let (mut inherited, mut tables) = (BTreeMap::new(), BTreeMap::new());
    for dir in &path_packages {
        let cargo_toml = cargo_toml_of(dir)?;
        inherited.insert(dir.clone(), root_inputs::inherited(&cargo_toml, &root));
        let package = &cargo_toml["package"];
        let name = package["name"].as_str().unwrap_or_default();
        let table = PackageConfig::read(name, &package["metadata"])?;
        tables.extend(table.map(|table| (dir.clone(), table.inputs)));
    }
    tables.retain(|_, inputs| *inputs != Inputs::default());
    Ok(Dependencies {
        packages,
        services,
        path_packages: path_packages.into_iter().collect(),
        inherited,
        root: root_inputs::of_all(&root, &workspace.config.profile),
        tables,
    })
}

fn cargo_toml_of(dir: &Path) -> anyhow::Result<Value> {
    let path = dir.join("Cargo.toml");
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    Ok(cargo_toml::parse(&text, &path.display().to_string())?)
}

/// Asks cargo for the dependencies on one platform, with the features that the services are built with.
fn graph(request: &Request<'_>, triple: &str) -> anyhow::Result<Graph> {
    let root = &request.workspace.root;
    let mut command = child_env::cargo(request.env);
    command
        .args(["metadata", "--format-version", "1", vendored::lock_option(root)])
        .args(["--filter-platform", triple])
        // Cargo asks a compiler about the platform. Any one will do.
        .env_remove("RUSTC")
        .current_dir(root)
        .stdin(Stdio::null());
    for service in request.services {
        for feature in &service.config.features {
            command.args(["--features", &format!("{}/{feature}", service.package)]);
        }
    }
    let output = process::output(&mut command).context("running cargo metadata")?;
    if !output.status.success() {
        let reason = child_env::error_text(&output);
        return Err(Error::config(format!("cargo does not name the dependencies: {reason}")).into());
    }
    let read = || Graph::read(&json::parse(&output.stdout)?);
    read().context("reading what cargo metadata printed")
}

impl Dependencies {
    fn to_json(&self, asked: &str) -> Value {
        let inputs = |inputs: &Vec<Input>| -> Vec<Value> {
            inputs.iter().map(|input| json!([input.name, input.digest])).collect()
        };
        let package = |one: &Package| json!([one.name, one.version, one.source, one.dir]);
        let inherited = self.inherited.iter().map(|(dir, all)| json!([dir, inputs(all)]));
        let table = |(dir, inputs): (&PathBuf, &Inputs)| {
            let Inputs { files, ignored, variables, no_sandbox } = inputs;
            json!([dir, files, ignored, variables, no_sandbox])
        };
        json!({
            "asked": asked,
            "packages": self.packages.iter().map(package).collect::<Vec<_>>(),
            "services": self.services,
            "path_packages": self.path_packages,
            "inherited": inherited.collect::<Vec<_>>(),
            "root": inputs(&self.root),
            "tables": self.tables.iter().map(table).collect::<Vec<_>>(),
        })
    }

    fn read(kept: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let input = |row: &Value| {
            Some(Input { name: text(&row[0])?, version: None, digest: text(&row[1])? })
        };
        let inputs =
            |rows: &Value| -> Option<Vec<Input>> { rows.as_array()?.iter().map(input).collect() };
        let package = |row: &Value| {
            let (name, version) = (text(&row[0])?, text(&row[1])?);
            let dir = text(&row[3]).map(PathBuf::from);
            Some(Package { name, version, source: text(&row[2]), dir })
        };
        let places = |value: &Value| -> Option<Vec<usize>> {
            let place = |value: &Value| usize::try_from(value.as_u64()?).ok();
            value.as_array()?.iter().map(place).collect()
        };
        let service = |(name, value): (&String, &Value)| Some((name.clone(), places(value)?));
        let inherited = |row: &Value| Some((PathBuf::from(text(&row[0])?), inputs(&row[1])?));
        let path = |value: &Value| text(value).map(PathBuf::from);
        let texts =
            |value: &Value| -> Option<Vec<String>> { value.as_array()?.iter().map(text).collect() };
        let table = |row: &Value| {
            let inputs = Inputs {
                files: texts(&row[1])?,
                ignored: texts(&row[2])?,
                variables: texts(&row[3])?,
                no_sandbox: row[4].as_bool()?,
            };
            Some((path(&row[0])?, inputs))
        };
        Some(Self {
            packages: kept["packages"].as_array()?.iter().map(package).collect::<Option<_>>()?,
            services: kept["services"].as_object()?.iter().map(service).collect::<Option<_>>()?,
            path_packages: kept["path_packages"]
                .as_array()?
                .iter()
                .map(path)
                .collect::<Option<_>>()?,
            inherited: kept["inherited"]
                .as_array()?
                .iter()
                .map(inherited)
                .collect::<Option<_>>()?,
            root: inputs(&kept["root"])?,
            tables: kept["tables"].as_array()?.iter().map(table).collect::<Option<_>>()?,
        })
    }
}
