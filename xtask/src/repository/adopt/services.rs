//! Proposes which binaries of a workspace are services. A person edits the result.

use std::collections::BTreeSet;

use super::found::{Bin, Package};
use crate::repository::xtask_source;

/// The folders whose packages are not deployed.
const FOLDERS: [&str; 10] = [
    "bench",
    "benches",
    "benchmarks",
    "example",
    "examples",
    "fuzz",
    "test",
    "tests",
    "xtask",
    "xtasks",
];
/// Words in names of binaries and packages that are not deployed.
const WORDS: [&str; 12] = [
    "bench", "benches", "bindgen", "codegen", "example", "examples", "fuzz", "gen", "generate",
    "test", "tests", "xtask",
];

/// Which binaries are proposed as services.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Proposal {
    /// The entries of `services`: a package's name, or `package:binary`.
    pub entries: Vec<String>,
    /// The packages of these entries.
    pub packages: BTreeSet<String>,
    /// The binaries that are left out, and why.
    pub left_out: Vec<(String, String)>,
}

/// Proposes the services of a workspace. A package whose binaries are all proposed is named as a whole.
pub fn propose(packages: &[Package]) -> Proposal {
    let (mut proposal, mut names) = (Proposal::default(), BTreeSet::new());
    for package in packages {
        let of_package = reason_of_package(package);
        let mut taken = Vec::new();
        for bin in &package.bins {
            match of_package.clone().or_else(|| reason_of_bin(bin)) {
                Some(reason) => proposal.left_out.push((shown(package, bin), reason)),
                None => taken.push(bin),
            }
        }
        // One binary is a service with the package's name; each of several has its own.
        let is_one = taken.len() == 1;
        let is_whole = taken.len() == package.bins.len();
        let name = |bin: &Bin| if is_one { package.name.clone() } else { bin.name.clone() };
        let (free, double): (Vec<&Bin>, Vec<&Bin>) =
            taken.into_iter().partition(|bin| names.insert(name(bin)));
        for bin in &double {
            let reason = format!("another service is named {} already", name(bin));
            proposal.left_out.push((shown(package, bin), reason));
        }
        match free.as_slice() {
            [] => continue,
            _ if is_whole && double.is_empty() => proposal.entries.push(package.name.clone()),
            free => proposal
                .entries
                .extend(free.iter().map(|bin| format!("{}:{}", package.name, bin.name))),
        }
        proposal.packages.insert(package.name.clone());
    }
    proposal
}

/// Returns whether the proposal is what xtask takes for services without `services`: all packages below `services/`.
pub fn is_default(proposal: &Proposal, packages: &[Package]) -> bool {
    let is_below = |package: &Package| package.folder.starts_with("services/");
    proposal
        .entries
        .iter()
        .all(|entry| packages.iter().any(|package| package.name == *entry && is_below(package)))
        && !packages.iter().any(|package| {
            is_below(package)
                && !package.bins.is_empty()
                && !proposal.packages.contains(&package.name)
        })
}

/// Returns whether a package may be part of a service.
pub fn may_be_shipped(package: &Package) -> bool {
    reason_of_package(package).is_none()
}

fn reason_of_package(package: &Package) -> Option<String> {
    if package.name == xtask_source::PACKAGE || package.dependencies.contains(xtask_source::PACKAGE)
    {
        return Some("it is the automation".to_owned());
    }
    if package.is_fuzz || package.dependencies.contains("libfuzzer-sys") {
        return Some("it is for fuzzing".to_owned());
    }
    if let Some(folder) = package.folder.split('/').find(|part| FOLDERS.contains(part)) {
        return Some(format!("it lies in a folder named {folder}"));
    }
    is_tool(&package.name).then(|| "the package's name is that of a tool or a test".to_owned())
}

fn reason_of_bin(bin: &Bin) -> Option<String> {
    if !bin.missing_features.is_empty() {
        return Some(format!(
            "it needs features that are off: {}",
            bin.missing_features.join(", ")
        ));
    }
    is_tool(&bin.name).then(|| "its name is that of a tool or a test".to_owned())
}

fn is_tool(name: &str) -> bool {
    name.split(['-', '_']).any(|word| WORDS.contains(&word))
}

fn shown(package: &Package, bin: &Bin) -> String {
    if package.name == bin.name {
        bin.name.clone()
    } else {
        format!("{}:{}", package.name, bin.name)
    }
}

#[cfg(test)]
mod tests {
    use super::{is_default, propose};
    use crate::repository::adopt::found::{Bin, Package};

    fn package(name: &str, folder: &str, bins: &[&str]) -> Package {
        let bin = |name: &&str| Bin { name: (*name).to_owned(), ..Bin::default() };
        let bins = bins.iter().map(bin).collect();
        Package { name: name.into(), folder: folder.into(), bins, ..Package::default() }
    }

    #[test]
    fn every_binary_is_proposed_but_those_that_are_not_deployed() {
        let mut gated = package("gated", "crates/gated", &["gated"]);
        gated.bins[0].missing_features = vec!["cli".into()];
        let mut ours = package("automation", "automation", &["automation"]);
        ours.dependencies.insert("bowline-xtask".into());
        let packages = [
            package("api", "crates/api", &["api"]),
            package("lib", "crates/lib", &[]),
            package("jobs", "jobs", &["worker", "admin", "gen-schema"]),
            package("alone", "", &["alone"]),
            package("xtask", "xtask", &["xtask"]),
            package("app-fuzz", "fuzz", &["parse"]),
            package("demo", "examples/demo", &["demo"]),
            package("other", "crates/other", &["worker", "more"]),
            package("generator", "generator", &["generator"]),
            package("app_test_db", "crates/app_test_db", &["app_test_db"]),
            gated,
            ours,
        ];
        let proposal = propose(&packages);
        assert_eq!(
            proposal.entries,
            ["api", "jobs:worker", "jobs:admin", "alone", "other:more", "generator"]
        );
        let left_out: Vec<_> = proposal.left_out.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            left_out,
            [
                "jobs:gen-schema",
                "xtask",
                "app-fuzz:parse",
                "demo",
                "other:worker",
                "app_test_db",
                "gated",
                "automation"
            ]
        );
        assert!(proposal.left_out[4].1.contains("named worker already"), "{:?}", proposal.left_out);
    }

    #[test]
    fn services_below_services_need_no_list() {
        for (packages, expected) in [
            (vec![package("a", "services/a", &["a"]), package("x", "xtask", &["xtask"])], true),
            (vec![package("a", "services/a", &["a"]), package("b", "b", &["b"])], false),
            (
                vec![package("a", "services/a", &["a"]), package("t", "services/t", &["gen-t"])],
                false,
            ),
            (vec![package("a", "services/deep/a", &["a"])], true),
        ] {
            assert_eq!(is_default(&propose(&packages), &packages), expected, "{packages:?}");
        }
    }
}
