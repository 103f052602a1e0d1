//! What the build scripts of a service's dependencies call: a table of crates, and what follows from it.
//!
//! The table names crates whose build scripts start a program or look for a library. What is compiled by the crate
//! `cc` alone needs nothing more than zig, so such crates are not in it.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Value, json};

/// What a build script needs besides a C compiler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// The library by which bindgen reads C headers.
    Libclang,
    /// `cmake`, with `ninja`.
    Cmake,
    /// The compiler of Protocol Buffers, with its include files.
    Protoc,
    /// `perl`, with the modules that belong to it.
    Perl,
    /// `make`.
    Make,
    /// The library OpenSSL for the platform.
    Openssl,
}

impl Need {
    /// Every need.
    pub const ALL: [Self; 6] =
        [Self::Libclang, Self::Cmake, Self::Protoc, Self::Perl, Self::Make, Self::Openssl];

    /// Returns its name, for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Libclang => "libclang",
            Self::Cmake => "cmake",
            Self::Protoc => "protoc",
            Self::Perl => "perl",
            Self::Make => "make",
            Self::Openssl => "openssl",
        }
    }
}

/// Crates, and what their build scripts, or those of the crates that use them, need.
const TABLE: [(&str, Need); 28] = [
    ("bindgen", Need::Libclang),
    ("clang-sys", Need::Libclang),
    ("cmake", Need::Cmake),
    ("aws-lc-fips-sys", Need::Perl),
    ("prost-build", Need::Protoc),
    ("protobuf-codegen", Need::Protoc),
    ("protobuf-codegen3", Need::Protoc),
    ("protobuf-parse", Need::Protoc),
    ("protoc", Need::Protoc),
    ("protoc-grpcio", Need::Protoc),
    ("protoc-rust", Need::Protoc),
    ("openssl-sys", Need::Openssl),
    ("openssl-src", Need::Perl),
    ("openssl-src", Need::Make),
    ("autotools", Need::Make),
    ("jemalloc-sys", Need::Make),
    ("tikv-jemalloc-sys", Need::Make),
    ("krb5-src", Need::Make),
    ("libffi-sys", Need::Make),
    ("libsodium-sys", Need::Make),
    ("libsodium-sys-stable", Need::Make),
    ("luajit-src", Need::Make),
    ("openblas-src", Need::Make),
    ("protobuf-src", Need::Make),
    ("rdkafka-sys", Need::Make),
    ("sasl2-sys", Need::Make),
    ("sodium-sys", Need::Make),
    ("unwind-sys", Need::Make),
];

/// A crate that calls the other one on rare platforms alone, none of which is ours, though it always depends on it:
/// everybody's rustls would install cmake.
const RARELY: (&str, &str) = ("aws-lc-sys", "cmake");

/// Crates that bring a program to the one that depends on them too.
const BRINGS: [(&str, Need); 3] = [
    ("protoc-bin-vendored", Need::Protoc),
    ("protobuf-src", Need::Protoc),
    ("protox", Need::Protoc),
];

/// The dependency that the feature `vendored` of `openssl` adds.
const VENDORED: (&str, &str) = ("openssl-sys", "openssl-src");

/// Returns what the build scripts need among dependencies, each given as the crate that depends and the one that it
/// depends on.
pub fn needs<'a>(edges: impl IntoIterator<Item = (&'a str, &'a str)>) -> BTreeSet<Need> {
    let (mut needed, mut brought) = (BTreeSet::new(), BTreeSet::new());
    let mut is_vendored = false;
    for (user, name) in edges {
        let of = |table: &[(&str, Need)]| -> Vec<(&'a str, Need)> {
            table
                .iter()
                .filter(|(known, _)| *known == name)
                .map(|(_, need)| (user, *need))
                .collect()
        };
        if RARELY != (user, name) {
            needed.extend(of(&TABLE));
        }
        brought.extend(of(&BRINGS));
        is_vendored |= VENDORED == (user, name);
    }
    let needs = needed.difference(&brought).map(|(_, need)| *need);
    needs.filter(|need| !(is_vendored && *need == Need::Openssl)).collect()
}

/// Reads what `cargo tree --prefix depth` printed: lines such as `2serde v1.0.0`. Returns the dependencies as pairs of
/// crates.
pub fn read_tree(printed: &str) -> Vec<(&str, &str)> {
    let (mut path, mut edges) = (Vec::<&str>::new(), Vec::new());
    for line in printed.lines() {
        let end = line.find(|c: char| !c.is_ascii_digit()).unwrap_or(line.len());
        let (Ok(depth), Some(name)) = (line[..end].parse(), line[end..].split(' ').next()) else {
            continue;
        };
        path.truncate(depth);
        edges.extend(path.last().map(|user| (*user, name)));
        path.push(name);
    }
    edges
}

/// A program or library that a build uses besides compiler and linker, as a plan shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// Its version, where it is pinned.
    pub version: Option<String>,
    /// Where it comes from.
    pub origin: String,
}

impl Tool {
    /// Returns it for programs.
    pub fn to_json(&self) -> Value {
        json!({ "name": self.name, "version": self.version, "origin": self.origin })
    }
}

/// `cmake 4.4.5 (PyPI)`.
impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, version, origin } = self;
        match version {
            Some(version) => write!(f, "{name} {version} ({origin})"),
            None => write!(f, "{name} ({origin})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Need, needs, read_tree};

    #[test]
    fn what_is_needed_follows_from_the_crates_and_who_uses_them() {
        type Row<'a> = (&'a [(&'a str, &'a str)], &'a [Need]);
        let rows: [Row<'_>; 14] = [
            (&[("a", "serde"), ("serde", "cc")], &[]),
            (&[("x-sys", "bindgen"), ("bindgen", "clang-sys")], &[Need::Libclang]),
            (&[("librocksdb-sys", "bindgen"), ("b", "cmake")], &[Need::Libclang, Need::Cmake]),
            // Everybody's rustls.
            (&[("rustls", "aws-lc-sys"), ("aws-lc-sys", "cmake"), ("aws-lc-sys", "cc")], &[]),
            (&[("aws-lc-sys", "cmake"), ("rdkafka-sys", "cmake")], &[Need::Cmake]),
            (&[("aws-lc-sys", "bindgen")], &[Need::Libclang]),
            (&[("a", "prost-build")], &[Need::Protoc]),
            (&[("a", "prost-build"), ("a", "protox")], &[]),
            (&[("a", "protoc-bin-vendored"), ("a", "prost-build")], &[]),
            (&[("a", "protox"), ("b", "prost-build")], &[Need::Protoc]),
            (&[("native-tls", "openssl-sys")], &[Need::Openssl]),
            // Named so that its sources are vendored.
            (
                &[("a", "openssl-src"), ("a", "openssl-sys")],
                &[Need::Perl, Need::Make, Need::Openssl],
            ),
            // The feature `vendored`.
            (
                &[("openssl", "openssl-sys"), ("openssl-sys", "openssl-src")],
                &[Need::Perl, Need::Make],
            ),
            (&[("a", "tikv-jemalloc-sys")], &[Need::Make]),
        ];
        for (edges, expected) in rows {
            let found: Vec<_> = needs(edges.iter().copied()).into_iter().collect();
            assert_eq!(found, expected, "{edges:?}");
        }
    }

    #[test]
    fn the_tree_that_cargo_prints_gives_pairs_of_crates() {
        let printed = "0alpha v0.1.0 (/w/services/alpha)\n1rustls v0.23.0\n2aws-lc-sys v0.30.0\n\
                       3cmake v0.1.0\n1serde v1.0.0\n2serde_derive v1.0.0 (proc-macro)\n1rustls v0.23.0 (*)\n\n";
        let expected = [
            ("alpha", "rustls"),
            ("rustls", "aws-lc-sys"),
            ("aws-lc-sys", "cmake"),
            ("alpha", "serde"),
            ("serde", "serde_derive"),
            ("alpha", "rustls"),
        ];
        assert_eq!(read_tree(printed), expected);
        assert!(read_tree("").is_empty());
    }
}
