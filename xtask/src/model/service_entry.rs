//! The entries of `services` in `[workspace.metadata.xtask]`, each of which names what is shipped.

use std::fmt;

use ferror::{Error, Result};
use glob::{MatchOptions, Pattern};

/// What is shipped where the table has no `services`: every package below this folder that has a binary.
const DEFAULT: &str = "services/**";

/// An entry of `services`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceEntry {
    /// The entry as it is written.
    pub text: String,
    /// The binaries that it selects.
    pub names: Names,
}

/// The binaries that an entry selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Names {
    /// The binaries of a package.
    Package(String),
    /// One binary of a package.
    Binary {
        /// The package.
        package: String,
        /// The binary in it.
        bin: String,
    },
    /// The binaries of the packages in the folders that match.
    Folders(Pattern),
}

impl ServiceEntry {
    /// Reads an entry: `billing`, `api:worker`, `crates/*`, `.`.
    ///
    /// Fails with [`ferror::Kind::Config`] where it is none of these.
    pub fn parse(text: &str) -> Result<Self> {
        let names = if text == "." || text.contains(['/', '*', '?', '[']) {
            Names::Folders(folders(text)?)
        } else if let Some((package, bin)) = text.split_once(':') {
            let is_whole = !package.is_empty() && !bin.is_empty() && !bin.contains(':');
            let (package, bin) = (package.to_owned(), bin.to_owned());
            if is_whole { Names::Binary { package, bin } } else { return Err(wrong(text)) }
        } else if text.trim().is_empty() {
            return Err(wrong(text));
        } else {
            Names::Package(text.to_owned())
        };
        Ok(Self { text: text.to_owned(), names })
    }

    /// Returns the entry that stands for a missing `services`.
    pub fn below_services() -> Self {
        let pattern = Pattern::new(DEFAULT).unwrap_or_default();
        Self { text: DEFAULT.to_owned(), names: Names::Folders(pattern) }
    }
}

impl Names {
    /// Returns whether the package `name` in `folder`, a path below the workspace's root, is named with all that is
    /// shipped of it.
    pub fn cover(&self, name: &str, folder: &str) -> bool {
        // As in a path: `*` ends at a slash.
        let options = MatchOptions { require_literal_separator: true, ..MatchOptions::new() };
        match self {
            Self::Package(package) => package == name,
            Self::Binary { .. } => false,
            // The root is named by `.` alone: `*` means its folders.
            Self::Folders(pattern) if folder.is_empty() => pattern.as_str().is_empty(),
            Self::Folders(pattern) => pattern.matches_with(folder, options),
        }
    }
}

impl fmt::Display for ServiceEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "services = {:?}", self.text)
    }
}

fn folders(text: &str) -> Result<Pattern> {
    let parts: Vec<_> = text.split('/').filter(|part| !["", "."].contains(part)).collect();
    if text.starts_with('/') || parts.contains(&"..") {
        return Err(wrong(text));
    }
    Pattern::new(&parts.join("/")).map_err(|error| wrong(text).caused_by(error))
}

fn wrong(text: &str) -> Error {
    Error::config(format!(
        "services = {text:?}: expected a package such as billing, a package and a binary such as api:worker, or a \
         pattern of folders below the workspace's root such as crates/*"
    ))
}

#[cfg(test)]
mod tests {
    use super::ServiceEntry;

    #[test]
    fn an_entry_is_a_package_a_binary_or_a_pattern_of_folders() {
        let covering: [(&str, &[&str], &[&str]); 10] = [
            ("billing", &["x/billing", "billing"], &["billing/x"]),
            ("api:worker", &[], &["api", "x/worker"]),
            (".", &[""], &["x"]),
            ("crates/*", &["crates/a"], &["crates", "crates/a/b", "a"]),
            ("./crates//a/", &["crates/a"], &["crates/a/b"]),
            ("bin/**", &["bin/a", "bin/a/b"], &["bins/a", "x/bin/a"]),
            ("apps/*-service", &["apps/x-service"], &["apps/x", "apps/x/y-service"]),
            ("*", &["a"], &["a/b", ""]),
            ("**", &["a", "a/b"], &[""]),
            ("**/server", &["server", "a/server"], &["a/server/b"]),
        ];
        for (text, matching, others) in covering {
            let entry = ServiceEntry::parse(text).unwrap();
            for (folders, expected) in [(matching, true), (others, false)] {
                for folder in folders {
                    let name = folder.rsplit('/').next().unwrap_or_default();
                    assert_eq!(entry.names.cover(name, folder), expected, "{text} and {folder:?}");
                }
            }
        }
        let default = ServiceEntry::below_services();
        assert_eq!(ServiceEntry::parse(&default.text).unwrap(), default);
        assert!(default.names.cover("b", "services/a/b") && !default.names.cover("a", "a"));
    }

    #[test]
    fn anything_else_is_named_in_the_error() {
        for text in ["", " ", ":", "api:", ":worker", "a:b:c", "/abs", "../x", "a/../b", "a/["] {
            let error = ServiceEntry::parse(text).expect_err(text).to_string();
            assert!(error.starts_with(&format!("services = {text:?}: expected")), "{error}");
        }
    }
}
