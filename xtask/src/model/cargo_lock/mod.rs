//! Cargo.lock: the packages it names, what they depend on, and what moved between two of them.
//!
//! Cargo writes the file itself, one field a line, so lines are read; the format is that of the
//! cargo book's chapter "Cargo.toml vs Cargo.lock", versions 1 to 4.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ferror::Error;

/// A package of a lock file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The source: `registry+https://...`, `git+https://...#<commit>`; `None` is a path.
    pub source: Option<String>,
    /// SHA-256 of what the registry serves, in lower hex.
    pub checksum: Option<String>,
    /// `name`, or `name version` where there are several, or `name version (source)`.
    dependencies: Vec<String>,
}

/// A package that is another one in the newer of two lock files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    name: String,
    from: Option<String>,
    to: Option<String>,
}

/// Reads the text of a lock file.
pub fn parse(text: &str) -> Vec<Package> {
    let mut packages: Vec<Package> = Vec::new();
    let (mut in_package, mut in_list) = (false, false);
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            in_package = line == "[[package]]";
            in_list = false;
            packages.extend(in_package.then(Package::default));
        } else if let (true, Some(package)) = (in_package, packages.last_mut()) {
            if in_list {
                in_list = line != "]";
                package.dependencies.extend(quoted(line.trim_end_matches(',')));
            } else if let Some((key, value)) = line.split_once(" = ") {
                in_list = key == "dependencies" && value == "[";
                package.set(key, value);
            }
        }
    }
    packages
}

fn quoted(text: &str) -> Option<String> {
    Some(text.strip_prefix('"')?.strip_suffix('"')?.to_owned())
}

impl Package {
    fn set(&mut self, key: &str, value: &str) {
        match (key, quoted(value)) {
            ("name", Some(name)) => self.name = name,
            ("version", Some(version)) => self.version = version,
            ("source", source) => self.source = source,
            ("checksum", checksum) => self.checksum = checksum,
            _ => {}
        }
    }

    /// Returns the name of the package's folder as `cargo vendor --versioned-dirs` makes it:
    /// `itoa-1.0.9`.
    pub fn folder(&self) -> String {
        format!("{}-{}", self.name, self.version)
    }

    /// Returns the version, and of a git source the commit too, which moves without it.
    fn state(&self) -> String {
        let commit = self.source.as_deref().filter(|source| source.starts_with("git+"));
        match commit.and_then(|source| source.rsplit_once('#')) {
            Some((_, commit)) => format!("{} ({})", self.version, &commit[..commit.len().min(8)]),
            None => self.version.clone(),
        }
    }

    fn is_named_by(&self, dependency: &str) -> bool {
        let mut words = dependency.split(' ');
        let (name, version) = (words.next(), words.next());
        name == Some(&self.name) && version.is_none_or(|version| version == self.version)
    }
}

/// Returns whether several packages have that name, of which cargo could not tell one by it.
pub fn is_ambiguous(text: &str, name: &str) -> bool {
    parse(text).iter().filter(|package| package.name == name).count() > 1
}

/// Returns the packages that those named `roots` depend on, however indirectly, without the roots: as
/// places in `packages`, in their order.
pub fn dependencies_of(packages: &[Package], roots: &[String]) -> Vec<usize> {
    let is_root = |package: &Package| package.source.is_none() && roots.contains(&package.name);
    let mut open: Vec<usize> = (0..packages.len()).filter(|&i| is_root(&packages[i])).collect();
    let mut found = BTreeSet::new();
    while let Some(package) = open.pop() {
        for dependency in &packages[package].dependencies {
            let named = (0..packages.len()).filter(|&i| packages[i].is_named_by(dependency));
            open.extend(named.filter(|&i| found.insert(i)));
        }
    }
    found.into_iter().filter(|&i| !is_root(&packages[i])).collect()
}

/// Returns what the package `root`, which has no source, depends on, however indirectly: as pairs of names, the one
/// that depends and the one that it depends on.
pub fn edges_from<'a>(packages: &'a [Package], root: &str) -> Vec<(&'a str, &'a str)> {
    let roots = [root.to_owned()];
    let is_root = |package: &&Package| package.source.is_none() && package.name == root;
    let below = dependencies_of(packages, &roots);
    let users = packages.iter().filter(is_root).chain(below.iter().map(|&at| &packages[at]));
    let name = |dependency: &'a String| dependency.split(' ').next().unwrap_or_default();
    users
        .flat_map(|user| user.dependencies.iter().map(move |to| (user.name.as_str(), name(to))))
        .collect()
}

/// Returns the differences between `old` and `new`, by name.
pub fn moves(old: &[Package], new: &[Package]) -> Vec<Move> {
    let (old, new) = (states(old), states(new));
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let mut moves = Vec::new();
    for name in names {
        let empty = BTreeSet::new();
        let (had, has) = (old.get(name).unwrap_or(&empty), new.get(name).unwrap_or(&empty));
        let (gone, come): (Vec<_>, Vec<_>) =
            (had.difference(has).collect(), has.difference(had).collect());
        moves.extend((0..gone.len().max(come.len())).map(|i| Move {
            name: (*name).to_owned(),
            from: gone.get(i).map(|(_, state)| state.clone()),
            to: come.get(i).map(|(_, state)| state.clone()),
        }));
    }
    moves
}

/// The states of each name, ordered as versions are.
type States<'a> = BTreeMap<&'a str, BTreeSet<(Vec<u64>, String)>>;

fn states(packages: &[Package]) -> States<'_> {
    let mut states = States::new();
    for package in packages.iter().filter(|package| package.source.is_some()) {
        let parts = package.version.split(|c: char| !c.is_ascii_digit());
        let numbers = parts.filter_map(|part| part.parse().ok()).collect();
        states.entry(&package.name).or_default().insert((numbers, package.state()));
    }
    states
}

impl Move {
    /// Returns whether a locked version was replaced by another one: neither new nor gone.
    pub fn is_to_another(&self) -> bool {
        self.from.is_some() && self.to.is_some()
    }

    /// Returns name and version of the package as it was, unless it came from git.
    pub fn release_before(&self) -> Option<(&str, &str)> {
        let from = self.from.as_deref().filter(|state| !state.contains(' '))?;
        Some((&self.name, from))
    }
}

/// `itoa 1.0.9 -> 1.0.15`.
impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |state: &Option<String>| state.clone().unwrap_or_else(|| "none".to_owned());
        write!(f, "{} {} -> {}", self.name, word(&self.from), word(&self.to))
    }
}

/// Makes the error of a cargo which says, in what it printed, that it would have to change Cargo.lock, as `--locked`
/// forbids; `None` where it says something else.
pub fn refused_change(printed: &str) -> Option<Error> {
    let is_refused = printed.contains("lock file")
        && ["--locked", "--frozen"].iter().any(|option| printed.contains(option));
    is_refused.then(|| {
        Error::config("Cargo.lock does not fit the Cargo.toml files").hint(
            "run `cargo update --workspace`, which adds what is missing and moves no locked version that still fits; \
             look at what changed in Cargo.lock, and commit it",
        )
    })
}

#[cfg(test)]
mod tests;
