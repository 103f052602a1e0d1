//! Finds what the build of each service may read: the files of the packages that it is compiled from, and those that
//! cargo itself reads.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use ferror::Error;
use serde_json::Value;

use crate::model::build_inputs::{BuildInputs, PackageInputs};
use crate::model::cargo_toml;
use crate::model::config::ServiceConfig;
use crate::model::sources::PathPackage;
use crate::model::workspace::Workspace;
use crate::repository::cargo_config::CargoConfig;
use crate::repository::{sources, vendored};
use crate::system::env::Env;
use crate::system::{child_env, process};

/// Variables by which another program runs rustc.
const WRAPPERS: [&str; 4] = [
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "CARGO_BUILD_RUSTC_WRAPPER",
    "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
];

/// A package that cargo named, and what it depends on but for its tests.
struct Node {
    name: String,
    /// The folder of its Cargo.toml, where it is compiled from a folder.
    dir: Option<PathBuf>,
    inputs: PackageInputs,
    dependencies: Vec<String>,
}

/// Finds the inputs of `services` on the platform of `triple`; build scripts run on `host`. Cargo downloads what is
/// missing, with the person's own settings: nothing can be downloaded in a sandbox.
///
/// Files below `ignored_folders` are no inputs.
pub fn find(
    workspace: &Workspace,
    services: &[&str],
    [triple, host]: [&str; 2],
    cargo_config: &CargoConfig,
    ignored_folders: &[&Path],
    env: &Env,
) -> anyhow::Result<BTreeMap<String, BuildInputs>> {
    let nodes = ask_cargo(workspace, [triple, host], env)?;
    let packages: Vec<_> = nodes
        .iter()
        .filter_map(|(id, node)| {
            let (id, name, dir) = (id.clone(), node.name.clone(), node.dir.clone()?);
            Some(PathPackage { id, name, dir })
        })
        .collect();
    let files = sources::files_by_package(&packages, &workspace.root, ignored_folders, env)?;
    let shared = shared(workspace, &packages, cargo_config, env)?;
    let mut found = BTreeMap::new();
    for service in services {
        let mut inputs = shared.clone();
        let is_it = |node: &Node| node.dir.is_some() && node.name == *service;
        let start = nodes.iter().find(|(_, node)| is_it(node)).map(|(id, _)| id.clone());
        for node in closure(&nodes, start) {
            let Some(dir) = &node.dir else { continue };
            let own = files.get(&dir.canonicalize().unwrap_or_else(|_| dir.clone()));
            let ignore = patterns(&node.inputs.ignore, "ignore")?;
            let counts = |file: &&PathBuf| {
                let relative = file.strip_prefix(dir).unwrap_or(file);
                !ignore.iter().any(|pattern| pattern.matches_path(relative))
                    && (!file.is_symlink() || is_within(file, &[&workspace.root, dir]))
            };
            inputs.paths.extend(own.into_iter().flatten().filter(counts).cloned());
            for pattern in &node.inputs.inputs {
                inputs.paths.extend(matches(dir, pattern, &workspace.root)?);
            }
            inputs.env.extend(node.inputs.env.iter().cloned());
            if node.inputs.is_open {
                inputs.open.get_or_insert_with(|| format!("sandbox = false of {}", node.name));
            }
        }
        found.insert((*service).to_owned(), inputs);
    }
    Ok(found)
}

/// Returns what cargo reads whatever it builds, and what the workspace's table allows.
fn shared(
    workspace: &Workspace,
    packages: &[PathPackage],
    cargo_config: &CargoConfig,
    env: &Env,
) -> anyhow::Result<BuildInputs> {
    let root = &workspace.root;
    let mut inputs = BuildInputs { env: workspace.config.env.clone(), ..BuildInputs::default() };
    for name in ["Cargo.toml", "Cargo.lock", "rust-toolchain", "rust-toolchain.toml"] {
        inputs.paths.push(root.join(name));
    }
    inputs.folders.push(root.clone());
    for package in packages {
        inputs.paths.push(package.dir.join("Cargo.toml"));
        if !package.dir.starts_with(root) {
            // Its own workspace, from which it may inherit.
            inputs.folders.push(package.dir.clone());
            let above = package.dir.ancestors().skip(1);
            let workspaces = above.filter(|dir| dir.join("Cargo.toml").is_file());
            for dir in workspaces {
                inputs.paths.extend([dir.join("Cargo.toml"), dir.join("Cargo.lock")]);
                inputs.folders.push(dir.to_owned());
            }
        }
    }
    for dir in cargo_config.source_dirs.iter().map(|dir| root.join(dir)) {
        inputs.paths.push(dir);
    }
    if vendored::is_vendored(root) {
        inputs.paths.push(root.join(vendored::FOLDER));
    }
    for pattern in &workspace.config.inputs {
        inputs.paths.extend(matches(root, pattern, root)?);
    }
    for path in config_files(root, env) {
        match secret(&path) {
            None => inputs.paths.push(path),
            Some(name) => {
                inputs.open = Some(format!(
                    "{} holds {name}, and cargo has to read that file: `cargo login` puts it into credentials.toml",
                    path.display()
                ));
            }
        }
    }
    let wrapper = WRAPPERS.into_iter().find(|name| env.names().any(|set| set == *name));
    let wrapper = wrapper.or(cargo_config.has_wrapper.then_some("build.rustc-wrapper"));
    if let Some(name) = wrapper {
        inputs.open = Some(format!("{name} runs rustc, and may do so elsewhere"));
    }
    let is_set = |name: &&String| env.names().any(|set| set == name.as_str());
    if let Some(name) = env.pass_env.iter().find(is_set) {
        inputs.open = Some(format!("pass-env gives it {name}, a credential"));
    }
    Ok(inputs)
}

/// Lists cargo's configuration files: those in the folders from the root upwards, and in cargo's home.
fn config_files(root: &Path, env: &Env) -> Vec<PathBuf> {
    let folders = root.ancestors().map(|dir| dir.join(".cargo")).chain(cargo_home(env));
    let files = folders.flat_map(|dir| [dir.join("config.toml"), dir.join("config")]);
    files.filter(|path| path.is_file()).collect()
}

fn cargo_home(env: &Env) -> Option<PathBuf> {
    match env.get_os("CARGO_HOME") {
        Some(home) => Some(PathBuf::from(home)),
        None => env.get_os("HOME").map(|home| Path::new(home).join(".cargo")),
    }
}

/// Returns the name of a setting in a configuration file that is a secret.
fn secret(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    // What cargo cannot read is its to say.
    secret_in("", &cargo_toml::parse(&text, "it").ok()?)
}

fn secret_in(above: &str, table: &Value) -> Option<String> {
    table.as_object()?.iter().find_map(|(name, value)| {
        let path = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        match value {
            Value::Object(_) => secret_in(&path, value),
            _ if ["token", "secret-key"].contains(&name.as_str()) => Some(path),
            // A proxy or a registry may have a password in its address.
            Value::String(text) => {
                let authority = text.split_once("://").map(|(_, rest)| rest);
                let authority = authority.and_then(|rest| rest.split('/').next()).unwrap_or("");
                let has_password =
                    authority.split_once('@').is_some_and(|(user, _)| user.contains(':'));
                has_password.then_some(path)
            }
            _ => None,
        }
    })
}

fn patterns(globs: &[String], field: &str) -> anyhow::Result<Vec<glob::Pattern>> {
    let parse = |text: &String| {
        glob::Pattern::new(text).map_err(|error| {
            Error::config(format!("{field} = {text:?}: expected a pattern such as tests/**"))
                .caused_by(error)
                .into()
        })
    };
    globs.iter().map(parse).collect()
}

/// Lists the files that a pattern of `inputs` names from a folder.
fn matches(dir: &Path, pattern: &str, root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut path = PathBuf::from(glob::Pattern::escape(&dir.to_string_lossy()));
    for component in Path::new(pattern).components() {
        match component {
            Component::ParentDir => {
                path.pop();
            }
            Component::CurDir => {}
            other => path.push(other),
        }
    }
    let found = glob::glob(&path.to_string_lossy()).map_err(|error| {
        Error::config(format!("inputs = {pattern:?}: expected a pattern such as ../../proto/**"))
            .caused_by(error)
    })?;
    Ok(found.filter_map(Result::ok).filter(|path| is_within(path, &[root])).collect())
}

/// Returns whether a path leads to a file that lies in one of the folders, and is none of git's. A link in the
/// repository may name any file, credentials too.
fn is_within(path: &Path, folders: &[&Path]) -> bool {
    let Ok(real) = path.canonicalize() else { return false };
    let holds = |folder: &&Path| folder.canonicalize().is_ok_and(|it| real.starts_with(it));
    real.is_file()
        && folders.iter().any(holds)
        && real.components().all(|it| it.as_os_str() != ".git")
}

/// Returns every package that the one of `start` is built from, itself included.
fn closure(nodes: &BTreeMap<String, Node>, start: Option<String>) -> Vec<&Node> {
    let (mut seen, mut open) = (BTreeSet::new(), Vec::from_iter(start));
    while let Some(id) = open.pop() {
        if let Some(node) = nodes.get(&id).filter(|_| seen.insert(id.clone())) {
            open.extend(node.dependencies.iter().cloned());
        }
    }
    seen.iter().map(|id| &nodes[id]).collect()
}

fn ask_cargo(
    workspace: &Workspace,
    [triple, host]: [&str; 2],
    env: &Env,
) -> anyhow::Result<BTreeMap<String, Node>> {
    let root = &workspace.root;
    let ask = |network: &[&str]| {
        let mut command: Command = child_env::cargo(env);
        command.args(["metadata", "--format-version", "1", vendored::lock_option(root)]);
        command.args(["--filter-platform", triple, "--filter-platform", host]).args(network);
        // Cargo asks a compiler about this machine. Any one will do.
        process::output(command.env_remove("RUSTC").current_dir(root)).context("running cargo")
    };
    let mut output = ask(&["--offline"])?;
    if !output.status.success() {
        output = ask(&[])?;
    }
    if !output.status.success() {
        let reason = child_env::error_text(&output);
        return Err(Error::config(format!("cargo cannot say what is compiled: {reason}")).into());
    }
    let metadata: Value =
        serde_json::from_slice(&output.stdout).context("reading what cargo metadata printed")?;
    let mut nodes = BTreeMap::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let text = |field: &str| package[field].as_str().unwrap_or_default();
        let is_path = package["source"].is_null();
        let mut inputs = PackageInputs::default();
        if is_path && let Some(config) = ServiceConfig::read(text("name"), &package["metadata"])? {
            inputs = config.build;
        }
        let dir = Path::new(text("manifest_path")).parent().filter(|_| is_path);
        let node = Node {
            name: text("name").to_owned(),
            dir: dir.map(Path::to_owned),
            inputs,
            dependencies: Vec::new(),
        };
        nodes.insert(text("id").to_owned(), node);
    }
    for resolved in metadata["resolve"]["nodes"].as_array().into_iter().flatten() {
        let Some(node) = nodes.get_mut(resolved["id"].as_str().unwrap_or_default()) else {
            continue;
        };
        for dependency in resolved["deps"].as_array().into_iter().flatten() {
            let mut kinds = dependency["dep_kinds"].as_array().into_iter().flatten();
            if kinds.any(|kind| kind["kind"] != "dev") {
                node.dependencies.extend(dependency["pkg"].as_str().map(str::to_owned));
            }
        }
    }
    Ok(nodes)
}

#[cfg(test)]
mod tests {
    use super::secret_in;
    use crate::model::cargo_toml;

    #[test]
    fn tokens_and_passwords_in_a_configuration_are_found() {
        let rows = [
            ("[build]\njobs = 2\n", None),
            ("[registry]\ntoken = \"x\"\n", Some("registry.token")),
            ("[registries.team]\nindex = \"https://a.example/i\"\n", None),
            ("[registries.team]\ntoken = \"x\"\n", Some("registries.team.token")),
            ("[http]\nproxy = \"http://me:word@proxy.example:1\"\n", Some("http.proxy")),
            ("[http]\nproxy = \"http://proxy.example:1\"\n", None),
            ("[source.a]\nregistry = \"ssh://git@a.example/i\"\n", None),
        ];
        for (text, expected) in rows {
            let table = cargo_toml::parse(text, "it").unwrap();
            assert_eq!(secret_in("", &table).as_deref(), expected, "{text}");
        }
    }
}
