//! Says what a build script or a macro was refused in the sandbox, and what to do about it.

use std::fmt::Write as _;
use std::path::Path;

use ferror::{Error, Kind};

use super::failure::Printed;
use crate::system::files::relative;
use crate::system::sandbox::{Refused, What};

/// Words of an error that the sandbox may be the reason of.
const SIGNS: [&str; 8] = [
    "(os error 1)",
    "(os error 13)",
    "Permission denied",
    "Operation not permitted",
    "environment variable `",
    "couldn't read `",
    "AccessDenied",
    "PermissionDenied",
];
/// Folders of which programs read much that they can do without.
const OPTIONAL: [&str; 5] = ["/proc", "/sys", "/dev", "/etc", "/run"];

/// Something that a build needs and does not get.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The package, with its version.
    package: String,
    /// Whether its build script asked, and not a compiler or a macro.
    is_build_script: bool,
    /// What was refused, as words behind "read" or the like.
    what: String,
    /// The way to get it.
    remedy: Option<String>,
    /// Where `sandbox = false` would stand.
    table: String,
}

/// Returns whether the sandbox may be the reason of a failure.
pub(super) fn is_possible(printed: &Printed) -> bool {
    printed.is_build_script || SIGNS.iter().any(|sign| printed.text.contains(sign))
}

/// Chooses, among what was refused and the variables that were withheld, what most likely made the build fail.
/// `root` is the workspace's folder.
pub(super) fn find(
    printed: &Printed,
    refused: &[Refused],
    withheld: &[String],
    root: &Path,
) -> Option<Refusal> {
    let of_package = |it: &&Refused| {
        format!("{} {}", it.package, it.version) == printed.krate
            && it.is_build_script == printed.is_build_script
    };
    let own: Vec<_> = refused.iter().filter(of_package).collect();
    let rank = |it: &Refused| {
        let (path, is_network) = match &it.what {
            What::Read(path) | What::Write(path) => (path.as_path(), false),
            What::Network => (Path::new(""), true),
        };
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let is_named = name.is_some_and(|name| printed.text.contains(&name));
        let is_optional = OPTIONAL.iter().any(|folder| path.starts_with(folder));
        match (is_named, path.starts_with(root), is_network || !is_optional) {
            (true, ..) => 0,
            (_, true, _) => 1,
            (_, _, true) => 2,
            _ => 3,
        }
    };
    let is_said = SIGNS.iter().any(|sign| printed.text.contains(sign));
    let first = own.into_iter().map(|it| (rank(it), it)).min_by_key(|(rank, _)| *rank);
    if let Some((rank, it)) = first
        && (rank < 3 || is_said)
        && (rank == 0 || variable(printed, withheld).is_none())
    {
        return Some(describe(it, root));
    }
    let name = variable(printed, withheld)?;
    let table = table_of(&printed.krate, None, root);
    Some(Refusal {
        package: printed.krate.clone(),
        is_build_script: printed.is_build_script,
        what: format!("the variable {name}"),
        remedy: Some(format!("`env = [\"{name}\"]` in {table}")),
        table,
    })
}

/// Returns the withheld variable that the failure is about: the one that a compiler names, or one that the build
/// script's own source names and that was not there.
fn variable<'a>(printed: &Printed, withheld: &'a [String]) -> Option<&'a String> {
    let has_word = |text: &str, word: &str| {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        text.match_indices(word).any(|(at, _)| {
            let (before, after) =
                (text[..at].chars().next_back(), text[at + word.len()..].chars().next());
            !before.is_some_and(is_part) && !after.is_some_and(is_part)
        })
    };
    let is_name = |name: &&String| name.len() > 2 && name.chars().any(char::is_uppercase);
    let named = withheld.iter().filter(is_name).find(|name| has_word(&printed.text, name));
    if named.is_some() || !printed.is_build_script {
        return named;
    }
    // A panic names its place: `services/web/build.rs:3:40`, below the workspace's root or the package.
    let script = printed.text.split_once("panicked at ").map(|(_, rest)| rest);
    let place = script.and_then(|rest| rest.split(':').next()).map(str::trim)?;
    let text = std::fs::read_to_string(place).ok()?;
    withheld.iter().filter(is_name).find(|name| text.contains(&format!("\"{name}\"")))
}

fn describe(it: &Refused, root: &Path) -> Refusal {
    let package = format!("{} {}", it.package, it.version);
    let table = table_of(&package, Some(&it.package_dir), root);
    let is_ours = it.package_dir.starts_with(root);
    let (what, remedy) = match &it.what {
        What::Network => ("the network, which no build has".to_owned(), None),
        What::Write(path) => (format!("write access to {}", shown(path, root)), None),
        What::Read(path) => {
            let base = if is_ours { it.package_dir.as_path() } else { root };
            let is_in_repository = path.starts_with(root) && !path.starts_with(root.join(".git"));
            let glob = relative(path, base).display().to_string();
            let glob = if path.is_dir() { format!("{glob}/**") } else { glob };
            let remedy = is_in_repository.then(|| format!("`inputs = [\"{glob}\"]` in {table}"));
            (shown(path, root), remedy)
        }
    };
    Refusal { package, is_build_script: it.is_build_script, what, remedy, table }
}

/// Names the table that has the fields for a package: its own, or that of the workspace.
fn table_of(package: &str, dir: Option<&Path>, root: &Path) -> String {
    let name = package.split(' ').next().unwrap_or_default();
    match dir {
        Some(dir) if !dir.starts_with(root) => "[workspace.metadata.xtask]".to_owned(),
        _ => format!("[package.metadata.xtask] of {name}"),
    }
}

fn shown(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

impl Refusal {
    fn sentence(&self, service: &str) -> String {
        let package = &self.package;
        let mut text = if self.is_build_script {
            format!("the build script of {package} wants {}", self.what)
        } else {
            format!("{package}, or a macro in it, wants {}", self.what)
        };
        let _ = write!(text, ", which is no input of {service}'s build");
        text
    }

    fn remedy(&self, service: &str) -> String {
        let open = if self.table.starts_with("[workspace") {
            format!("[package.metadata.xtask] of {service}")
        } else {
            self.table.clone()
        };
        let open = format!("`sandbox = false` in {open}, and then it is always built anew");
        match &self.remedy {
            Some(remedy) => {
                format!("allow it by {remedy}; or build without the sandbox, by {open}")
            }
            None => format!("do without it; or build without the sandbox, by {open}"),
        }
    }

    /// Returns the error of a build in CI.
    pub(super) fn error(&self, service: &str) -> Error {
        let message =
            format!("cargo could not build {service} in the sandbox: {}", self.sentence(service));
        Error::new(Kind::Failed, message).hint(self.remedy(service))
    }

    /// Returns what is said of a build that was done again without the sandbox.
    pub(super) fn warning(&self, service: &str) -> String {
        format!(
            "{service} was built without the sandbox, and would fail in CI: {}: {}",
            self.sentence(service),
            self.remedy(service)
        )
    }
}
