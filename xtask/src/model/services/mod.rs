//! Finds the services of a workspace: which binaries of which packages are shipped, and by which names.
//!
//! A package of which one binary is shipped gives the service its name. Of a package with several, each
//! service is named like its binary. The package's table may name them otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use ferror::{Error, Result};

use crate::model::config::PackageConfig;
use crate::model::service_entry::{Names, ServiceEntry};
use crate::model::suggest;
use crate::model::workspace::Service;

/// A package of the workspace, whose binaries may be services.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Its name.
    pub name: String,
    /// The folder of its Cargo.toml.
    pub dir: PathBuf,
    /// That folder below the workspace's root, empty for the root; `None` where it lies elsewhere.
    pub folder: Option<String>,
    /// Its binaries.
    pub bins: Vec<String>,
    /// Its table.
    pub config: Option<PackageConfig>,
    /// Whether it is there for development alone, as fuzz targets and the automation are. Patterns leave it out.
    pub is_for_development: bool,
}

/// Finds the services that `entries` name, sorted by name; `None` stands for a table without `services`.
///
/// Fails with [`ferror::Kind::Config`] where an entry names nothing, a package has a table that would do nothing, or
/// two services have one name.
pub fn find(entries: Option<&[ServiceEntry]>, packages: &[Candidate]) -> Result<Vec<Service>> {
    let mut shipped: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let default = [ServiceEntry::below_services()];
    for entry in entries.unwrap_or(&default) {
        let named = named(entry, packages)?;
        if named.is_empty() && entries.is_some() {
            return Err(names_nothing(entry, packages));
        }
        for (package, bin) in named {
            shipped.entry(package).or_default().insert(bin);
        }
    }
    let mut services = Vec::new();
    for package in packages {
        let bins = shipped.remove(package.name.as_str()).unwrap_or_default();
        check_table(package, &bins, entries)?;
        services.extend(bins.iter().map(|bin| service(package, bin, bins.len() == 1)));
    }
    services.sort_by(|a: &Service, b| a.name.cmp(&b.name));
    check_distinct(&services)?;
    Ok(services)
}

/// Returns whether the package `name`, in `folder` below the workspace's root, would be shipped.
pub fn cover(entries: Option<&[ServiceEntry]>, name: &str, folder: &str) -> bool {
    let default = [ServiceEntry::below_services()];
    entries.unwrap_or(&default).iter().any(|entry| entry.names.cover(name, folder))
}

/// Lists the entries of `services` by which every binary of the workspace would be shipped.
pub fn possible_entries(packages: &[Candidate]) -> Vec<String> {
    let of = |package: &Candidate| match package.bins.as_slice() {
        [_] => vec![package.name.clone()],
        bins => bins.iter().map(|bin| format!("{}:{bin}", package.name)).collect(),
    };
    let mut entries: Vec<_> =
        packages.iter().filter(|package| !package.is_for_development).flat_map(of).collect();
    entries.sort();
    entries
}

/// Returns the packages and binaries that an entry names.
fn named<'a>(entry: &ServiceEntry, packages: &'a [Candidate]) -> Result<Vec<(&'a str, &'a str)>> {
    let mut found = Vec::new();
    for package in packages {
        let is_named = match (&entry.names, &package.folder) {
            (Names::Binary { package: name, bin }, _) => {
                let named = package.bins.iter().filter(|one| *name == package.name && *one == bin);
                found.extend(named.map(|bin| (&*package.name, &**bin)));
                false
            }
            (Names::Folders(_), None) => false,
            (Names::Folders(_), _) if package.is_for_development => false,
            (names, folder) => names.cover(&package.name, folder.as_deref().unwrap_or_default()),
        };
        if is_named {
            found.extend(bins(package)?.map(|bin| (&*package.name, bin)));
        }
    }
    Ok(found)
}

/// Returns the binaries of a package that is named without one: the one in its table, or all.
fn bins(package: &Candidate) -> Result<impl Iterator<Item = &str>> {
    let only = package.config.as_ref().and_then(|config| config.bin.as_deref());
    match only {
        Some(bin) if !package.bins.iter().any(|one| one == bin) => {
            Err(no_binary(package, "bin", bin))
        }
        _ => Ok(package
            .bins
            .iter()
            .map(String::as_str)
            .filter(move |bin| only.is_none_or(|only| only == *bin))),
    }
}

fn service(package: &Candidate, bin: &str, is_only: bool) -> Service {
    let table = package.config.as_ref();
    let own = table.and_then(|table| table.binaries.get(bin));
    let name = match own.and_then(|own| own.name.as_deref()) {
        Some(name) => name,
        None if is_only => table.and_then(|table| table.name.as_deref()).unwrap_or(&package.name),
        None => bin,
    };
    let config = own.map(|own| &own.config).or(table.map(|table| &table.config));
    Service {
        name: name.to_owned(),
        package: package.name.clone(),
        bin: bin.to_owned(),
        dir: package.dir.clone(),
        config: config.cloned().unwrap_or_default(),
    }
}

/// Refuses a table that would do nothing: that of a package that is no service, of a binary that is not shipped, and a
/// name that several binaries would have.
fn check_table(
    package: &Candidate,
    bins: &BTreeSet<&str>,
    entries: Option<&[ServiceEntry]>,
) -> Result<()> {
    let Some(table) = &package.config else { return Ok(()) };
    // What a library is built from counts for the services that it is part of.
    if table.has_only_inputs() {
        return Ok(());
    }
    let name = &package.name;
    let place = format!("[package.metadata.xtask] of {name}");
    if package.bins.is_empty() {
        return Err(Error::config(format!(
            "{place}: the package has no binary, so it is no service"
        ))
        .hint("remove the table"));
    }
    if bins.is_empty() {
        let (why, list) = match entries {
            None => (
                "the package does not lie below services/",
                format!("services = [\"services/**\", {name:?}]"),
            ),
            Some(_) => {
                ("no entry of `services` names the package", format!("{name:?} to `services`"))
            }
        };
        return Err(Error::config(format!("{place}: {why}, so it is no service"))
            .hint(format!("add {list} in [workspace.metadata.xtask] of the workspace's Cargo.toml, or remove the table")));
    }
    for bin in table.binaries.keys() {
        if !package.bins.contains(bin) {
            return Err(no_binary(package, "binaries", bin));
        }
        if !bins.contains(bin.as_str()) {
            return Err(Error::config(format!("{place}: binaries.{bin}: this binary is not shipped"))
                .hint(format!("add \"{name}:{bin}\" to `services` in [workspace.metadata.xtask], or remove the table")));
        }
    }
    match &table.name {
        Some(renamed) if bins.len() > 1 => {
            let bins = join(bins.iter().copied());
            Err(Error::config(format!(
                "{place}: name = {renamed:?}, but several binaries are shipped: {bins}"
            ))
            .hint("name each in a table of its own, [package.metadata.xtask.binaries.BINARY]"))
        }
        _ => Ok(()),
    }
}

fn check_distinct(services: &[Service]) -> Result<()> {
    let Some(two) = services.windows(2).find(|two| two[0].name == two[1].name) else {
        return Ok(());
    };
    let shown = |service: &Service| {
        format!("the binary {} of the package {}", service.bin, service.package)
    };
    let (one, other) = (shown(&two[0]), shown(&two[1]));
    Err(Error::config(format!("two services are named {}: {one}, and {other}", two[0].name)).hint(
        "give one of them another name: `name` in [package.metadata.xtask] of the package, or in \
         [package.metadata.xtask.binaries.BINARY] where it ships several",
    ))
}

/// Makes the error of a field of a package's table that names a binary which the package does not have.
fn no_binary(package: &Candidate, field: &str, bin: &str) -> Error {
    let bins = || package.bins.iter().map(String::as_str);
    let near = suggest::did_you_mean(bin, bins());
    let name = &package.name;
    let listed = if package.bins.is_empty() {
        "it has none".to_owned()
    } else {
        format!("its binaries are {}", join(bins()))
    };
    Error::config(format!(
        "[package.metadata.xtask] of {name}: {field}: the package has no binary {bin:?}"
    ))
    .hint(format!("{near}{listed}"))
}

/// Makes the error of an entry that names nothing, with what may have been meant.
fn names_nothing(entry: &ServiceEntry, packages: &[Candidate]) -> Error {
    let place = format!("[workspace.metadata.xtask]: {entry}");
    let error = |what: String, hint: String| Error::config(format!("{place}: {what}")).hint(hint);
    let known = possible_entries(packages);
    let listed = match known.as_slice() {
        [] => "no package of the workspace has a binary".to_owned(),
        known => {
            format!("the binaries of the workspace are {}", join(known.iter().map(String::as_str)))
        }
    };
    let with_name = |name: &str| packages.iter().find(|package| package.name == name);
    let (name, bin) = match &entry.names {
        Names::Package(name) => (name, None),
        Names::Binary { package, bin } => (package, Some(bin)),
        Names::Folders(_) => {
            return error("no package with a binary lies in such a folder".to_owned(), listed);
        }
    };
    match (with_name(name), bin) {
        (Some(package), Some(bin)) if !package.bins.is_empty() => {
            let near = suggest::did_you_mean(bin, package.bins.iter().map(String::as_str));
            let bins = join(package.bins.iter().map(String::as_str));
            error(
                format!("the package has no binary {bin}"),
                format!("{near}its binaries are {bins}"),
            )
        }
        (Some(_), _) => error("the package has no binary".to_owned(), listed),
        (None, _) => {
            let of_binary = packages.iter().find(|package| package.bins.contains(name));
            let in_folder = packages.iter().find(|package| package.folder.as_deref() == Some(name));
            let hint = match (of_binary, in_folder) {
                (Some(package), _) => {
                    format!("it is a binary of the package {0}: write \"{0}:{name}\"", package.name)
                }
                (None, Some(package)) => format!(
                    "the package in that folder is named {0}: write \"{0}\", or \"./{name}\"",
                    package.name
                ),
                (None, None) => {
                    let names = packages.iter().map(|package| package.name.as_str());
                    format!("{}{listed}", suggest::did_you_mean(name, names))
                }
            };
            error(format!("no package of the workspace is named {name}"), hint)
        }
    }
}

fn join<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
