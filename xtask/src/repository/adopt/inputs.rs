//! Finds the files outside a package that its build reads: what `include_str!` and the like, macros for migrations,
//! and build scripts name by a path that leaves the package, and the data of sqlx at the workspace's root.
//!
//! Sources are read as text. A path that is put together while the build runs is not found.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::found::Package;

/// Folders of a package whose code is in no service.
const OTHER_CODE: [&str; 5] = ["tests", "benches", "examples", "target", "node_modules"];
/// sqlx's data about queries, of now and of before 0.7.
const SQLX: [&str; 2] = [".sqlx", "sqlx-data.json"];

/// The files outside a package's folder that its build reads.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Inputs {
    /// Patterns: `../../proto/**`.
    pub patterns: BTreeSet<String>,
    /// Paths outside the repository.
    pub outside: BTreeSet<String>,
}

/// Finds what the build of `package` reads outside its folder, in the workspace at `root` in the repository `top`. The
/// patterns are those below the folder `from`.
pub fn find(package: &Package, root: &Path, top: &Path, from: &Path) -> Inputs {
    let dir = root.join(&package.folder);
    let places = Places { dir: &dir, top, from };
    let mut inputs = Inputs::default();
    for path in rust_files(&dir) {
        let text = fs::read_to_string(&path).unwrap_or_default();
        let is_script = path == dir.join("build.rs");
        let of_file = path.parent().unwrap_or(&dir);
        for (named, is_include) in paths(&text, is_script) {
            inputs.add(if is_include { of_file } else { &dir }, &named, places);
        }
    }
    if dir != root && package.dependencies.contains("sqlx") {
        for name in SQLX.iter().filter(|name| !dir.join(name).exists()) {
            inputs.add(root, name, places);
        }
    }
    inputs
}

/// The folders by which a path is judged.
#[derive(Clone, Copy)]
struct Places<'a> {
    /// That of the package.
    dir: &'a Path,
    /// That of the repository.
    top: &'a Path,
    /// That below which patterns are written.
    from: &'a Path,
}

impl Inputs {
    /// Adds the path `named` below `base`, if it exists outside the package.
    fn add(&mut self, base: &Path, named: &str, Places { dir, top, from }: Places<'_>) {
        let path = normal(&base.join(named));
        if path.starts_with(dir) || dir.starts_with(&path) || !path.exists() {
            return;
        }
        if !path.starts_with(top) {
            self.outside.insert(path.display().to_string());
            return;
        }
        let up = from.ancestors().take_while(|folder| !path.starts_with(folder)).count();
        let shared = from.ancestors().nth(up).unwrap_or(from);
        let below = path.strip_prefix(shared).unwrap_or(&path).display();
        let all = if path.is_dir() { "/**" } else { "" };
        self.patterns.insert(format!("{}{below}{all}", "../".repeat(up)));
    }
}

/// Lists the paths that leave a folder in string literals of Rust code, and whether each stands in `include_str!` and
/// the like, where it is relative to the file and not to the package.
fn paths(text: &str, is_script: bool) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("../") {
        let Some(open) = text[..at].rfind('"') else { continue };
        let lead = text[open + 1..at].trim_start_matches('/');
        let names_package = ["", "./", "$CARGO_MANIFEST_DIR/"].contains(&lead);
        let Some(length) = text[at..].find('"') else { continue };
        let path = &text[at..at + length];
        if !names_package || path.contains(['\n', '{', '*', ' ']) {
            continue;
        }
        let before = text[..open].trim_end();
        let is_include =
            ["include_str!(", "include_bytes!(", "include!("].iter().any(|it| before.ends_with(it));
        // A macro, an attribute, or a path put together at compile time; elsewhere it is one of the running program.
        let is_read = before.ends_with("!(")
            || before.ends_with('=')
                && before.rsplit('\n').next().is_some_and(|line| line.contains("#["))
            || before.ends_with("env!(\"CARGO_MANIFEST_DIR\"),");
        if is_script || is_include || is_read {
            found.push((path.to_owned(), is_include));
        }
    }
    found
}

/// Lists the Rust files of a package, without its tests and packages below it.
fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let (mut files, mut open) = (Vec::new(), vec![dir.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            // A link could lead in a circle.
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_dir
                && !OTHER_CODE.contains(&&*name)
                && !name.starts_with('.')
                && !path.join("Cargo.toml").exists()
            {
                open.push(path);
            } else if !is_dir && path.extension().is_some_and(|ending| ending == "rs") {
                files.push(path);
            }
        }
    }
    files
}

/// Removes `.` and `..` from a path, without asking the file system.
fn normal(path: &Path) -> PathBuf {
    let mut made = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(made.pop()),
            part => made.push(part),
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{find, paths};
    use crate::repository::adopt::found::Package;

    #[test]
    fn paths_are_found_where_a_build_reads_them() {
        let text = r#"
            let a = include_str!("../../a.sql");
            static M: Migrator = sqlx::migrate!("../migrations");
            const P: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../p.json");
            #[folder = "../ui/dist"]
            struct Ui;
            static D: Dir = include_dir!("$CARGO_MANIFEST_DIR/../static");
            let running = File::open("../config.toml");
            println!("see ../docs or {}", 1);
        "#;
        let expected = [
            ("../../a.sql", true),
            ("../migrations", false),
            ("../p.json", false),
            ("../ui/dist", false),
            ("../static", false),
        ];
        let expected = expected.map(|(path, is_include)| (path.to_owned(), is_include));
        assert_eq!(paths(text, false), expected);
        let script = "tonic_build::compile_protos(&[\"../proto/a.proto\"], &[\"../proto\"]);\n";
        assert_eq!(paths(script, true).len(), 2);
    }

    #[test]
    fn what_lies_outside_the_package_is_an_input() {
        let top = tempfile::tempdir().unwrap();
        let root = top.path().join("server");
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("crates/api/Cargo.toml", "");
        write(
            "crates/api/build.rs",
            "p(\"../../../proto/api.proto\"); p(\"../../../proto\"); q(\"../none\")",
        );
        write(
            "crates/api/src/main.rs",
            "include_str!(\"../README.md\"); migrate!(\"../../migrations\")",
        );
        write("crates/api/README.md", "");
        write("crates/api/tests/it.rs", "include_str!(\"../../../Cargo.lock\")");
        write("Cargo.lock", "");
        write("migrations/1.sql", "");
        write(".sqlx/query.json", "");
        write("../proto/api.proto", "");
        let mut package = Package { folder: "crates/api".into(), ..Package::default() };
        let dir = root.join("crates/api");
        let found = |package: &Package, from: &Path| {
            find(package, &root, top.path(), from).patterns.into_iter().collect::<Vec<_>>()
        };
        let without = ["../../../proto/**", "../../../proto/api.proto", "../../migrations/**"];
        assert_eq!(found(&package, &dir), without);
        assert_eq!(found(&package, &root)[2], "migrations/**");
        package.dependencies.insert("sqlx".into());
        assert_eq!(
            found(&package, &dir),
            [&without[..2], &["../../.sqlx/**"], &without[2..]].concat()
        );
        // Of the package at the root, all of that is its own, but for what lies above it.
        assert!(found(&Package::default(), &root).is_empty());
    }
}
