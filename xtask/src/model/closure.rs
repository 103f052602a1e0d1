//! The packages that are compiled into a service, from what `cargo metadata` says of one platform.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use catalog::json::{self, Object};
use serde_json::Value;

/// A package that cargo knows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Where it comes from; `None` is a folder.
    pub source: Option<String>,
    /// The folder of its Cargo.toml.
    pub dir: Option<PathBuf>,
}

/// The dependencies of all packages on one platform, with the features of all members at once.
#[derive(Debug, Clone)]
pub struct Graph {
    packages: BTreeMap<String, Package>,
    /// The ids of proc macros, which run on the machine that builds.
    macros: BTreeSet<String>,
    dependencies: BTreeMap<String, Vec<Dependency>>,
}

#[derive(Debug, Clone)]
struct Dependency {
    id: String,
    /// Whether the package itself uses it.
    normal: bool,
    /// Whether the build script uses it.
    build: bool,
}

impl Graph {
    /// Reads what `cargo metadata --filter-platform` printed.
    pub fn read(printed: &Value) -> json::Result<Self> {
        let mut metadata = Object::new(printed)?;
        let (mut packages, mut macros) = (BTreeMap::new(), BTreeSet::new());
        for mut package in metadata.get::<Vec<Object>>("packages")? {
            let id: String = package.get("id")?;
            for mut target in package.get::<Vec<Object>>("targets")? {
                if target.get::<Vec<&str>>("kind")?.contains(&"proc-macro") {
                    macros.insert(id.clone());
                }
            }
            let source: Option<String> = package.get("source")?;
            let cargo_toml: PathBuf = package.get("manifest_path")?;
            let dir = cargo_toml.parent().map(ToOwned::to_owned);
            let (name, version) = (package.get("name")?, package.get("version")?);
            packages.insert(id, Package { name, version, source, dir });
        }
        let mut dependencies = BTreeMap::new();
        let mut resolve: Object = metadata.get("resolve")?;
        for mut node in resolve.get::<Vec<Object>>("nodes")? {
            let read = |mut dependency: Object<'_>| -> json::Result<Dependency> {
                let (mut normal, mut build) = (false, false);
                for mut kind in dependency.get::<Vec<Object>>("dep_kinds")? {
                    match kind.get::<Option<&str>>("kind")? {
                        None => normal = true,
                        Some("build") => build = true,
                        Some(_) => {}
                    }
                }
                Ok(Dependency { id: dependency.get("pkg")?, normal, build })
            };
            let id: String = node.get("id")?;
            let read: json::Result<Vec<_>> =
                node.get::<Vec<Object>>("deps")?.into_iter().map(read).collect();
            dependencies.insert(id, read?);
        }
        Ok(Self { packages, macros, dependencies })
    }

    /// Returns every package that lies in a folder.
    pub fn path_packages(&self) -> impl Iterator<Item = &Package> {
        self.packages.values().filter(|package| package.source.is_none())
    }

    fn dependencies(&self, id: &str) -> &[Dependency] {
        self.dependencies.get(id).map_or(&[], Vec::as_slice)
    }
}

/// Returns the member `service` and everything that is compiled for it: what it depends on for the platform of `target`,
/// and what build scripts and macros depend on for `host`, the machine that builds. Dependencies of tests alone are not
/// among them.
pub fn closure(service: &str, target: &Graph, host: &Graph) -> BTreeSet<Package> {
    let is_service = |package: &Package| package.source.is_none() && package.name == service;
    let roots = target.packages.iter().filter(|(_, package)| is_service(package));
    let mut open: Vec<(&str, bool)> = roots.map(|(id, _)| (id.as_str(), false)).collect();
    let mut seen: BTreeSet<(&str, bool)> = open.iter().copied().collect();
    let mut found = BTreeSet::new();
    while let Some((id, on_host)) = open.pop() {
        let graph = if on_host { host } else { target };
        found.extend(graph.packages.get(id).cloned());
        for dependency in graph.dependencies(id) {
            let id = dependency.id.as_str();
            let runs_on_host = on_host || graph.macros.contains(id);
            let uses = [(dependency.normal, runs_on_host), (dependency.build, true)];
            for (_, on_host) in uses.into_iter().filter(|(is_used, _)| *is_used) {
                if seen.insert((id, on_host)) {
                    open.push((id, on_host));
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Graph, closure};

    fn graph(dependencies: &[(&str, &str, Option<&str>)]) -> Graph {
        let names = ["service", "lib", "derive", "script", "deep", "tests", "other"];
        let package = |name: &&str| {
            let kind = if *name == "derive" { "proc-macro" } else { "lib" };
            json!({
                "id": name, "name": name, "version": "1.0.0", "source": null,
                "manifest_path": format!("/w/{name}/Cargo.toml"), "targets": [{ "kind": [kind] }],
            })
        };
        let node = |name: &&str| {
            let of_node = dependencies.iter().filter(|(from, ..)| from == name);
            let deps: Vec<Value> = of_node
                .map(|(_, to, kind)| json!({ "pkg": to, "dep_kinds": [{ "kind": kind }] }))
                .collect();
            json!({ "id": name, "deps": deps })
        };
        let packages: Vec<_> = names.iter().map(package).collect();
        let nodes: Vec<_> = names.iter().map(node).collect();
        let printed = json!({ "packages": packages, "resolve": { "nodes": nodes } });
        Graph::read(&printed).unwrap()
    }

    #[test]
    fn what_runs_while_building_has_the_dependencies_of_this_machine() {
        let target = graph(&[
            ("service", "lib", None),
            ("service", "derive", None),
            ("service", "tests", Some("dev")),
            ("lib", "script", Some("build")),
            ("derive", "other", None),
            ("script", "other", None),
        ]);
        let host = graph(&[("derive", "deep", None), ("service", "other", None)]);
        let names = |service| -> Vec<String> {
            closure(service, &target, &host).into_iter().map(|package| package.name).collect()
        };
        assert_eq!(names("service"), ["deep", "derive", "lib", "script", "service"]);
        assert_eq!(names("lib"), ["lib", "script"]);
        assert!(names("absent").is_empty());
    }
}
