//! Learns what a build read besides the inputs of its build key, from what cargo and rustc keep about it.
//!
//! A build key holds what git counts. Without a sandbox a build may read more: a file that git ignores, one of another
//! folder, a variable. Plain cargo notices some of that, because rustc lists the files and variables that a crate was
//! compiled from (`deps/*.d`), and build scripts print what they want to be run again for. A binary is reused without
//! cargo only while all of these are unchanged too, so that it is never older than what plain cargo would give.
//!
//! It is less work than cargo's own check, and stricter: contents count instead of times. Of a build script of the
//! repository that prints nothing about itself, everything in its package's folder counts, also what git ignores. One
//! that names a file which is not there wants to be run each time. Then nothing is known, and cargo is asked each time.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::cargo_output::Crate;
use super::refused_flag::Script;

/// The files and variables that a build read, as far as cargo knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// Files, and folders with everything in them.
    pub paths: BTreeSet<PathBuf>,
    /// Variables of the environment.
    pub variables: BTreeSet<String>,
}

/// Collects what the crates and build scripts of one service read; `None` where that cannot be known.
pub(super) fn collect(root: &Path, crates: &[Crate], scripts: &[Script]) -> Option<Observed> {
    let mut observed = Observed::default();
    for krate in crates.iter().filter(|krate| krate.is_local()) {
        for path in dep_info(krate)? {
            let text = std::fs::read_to_string(&path).ok()?;
            let (paths, variables) = read_dep_info(&text);
            observed.paths.extend(paths.into_iter().map(|path| root.join(path)));
            observed.variables.extend(variables);
        }
        // Cargo compiles these where they are there, without a word in Cargo.toml.
        let found = ["build.rs", "src/lib.rs", "src/main.rs"];
        observed.paths.extend(found.iter().map(|path| krate.dir.join(path)));
    }
    for script in scripts {
        let printed = std::fs::read_to_string(script.out_dir.with_file_name("output")).ok()?;
        let Printed { paths, variables } = read_printed(&printed);
        // Every script that ran is a crate, too.
        let krate = crates.iter().find(|krate| krate.package_id == script.package_id)?;
        if paths.is_empty() && variables.is_empty() && krate.is_local() {
            observed.paths.insert(krate.dir.clone());
        }
        for path in paths {
            let path = krate.dir.join(path);
            if !path.exists() {
                return None;
            }
            if krate.is_local() || !path.starts_with(&krate.dir) {
                observed.paths.insert(path);
            }
        }
        observed.variables.extend(variables);
    }
    Some(observed)
}

/// Reads the files that cargo lists beside a binary: those that it was made from, without those of dependencies from a
/// registry or from git. Relative ones are so by `build.dep-info-basedir`.
pub(super) fn sources(binary: &Path, root: &Path) -> anyhow::Result<BTreeSet<PathBuf>> {
    let path = binary.with_extension("d");
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let (paths, _) = read_dep_info(&text);
    Ok(paths.into_iter().map(|path| root.join(path)).collect())
}

/// Finds the files in which rustc listed what it read for a crate.
fn dep_info(krate: &Crate) -> Option<Vec<PathBuf>> {
    let file = krate.files.first()?;
    let folder = file.parent()?;
    let stem = file.file_stem()?.to_str()?;
    if folder.file_name()? == "deps" {
        // `libname-<hash>.rlib`
        let stem = stem.strip_prefix("lib").unwrap_or(stem);
        return Some(vec![folder.join(format!("{stem}.d"))]);
    }
    // `release/name` and `release/libname.so` are links to a file in `deps`, and `build/name-<hash>/build-script-build` to
    // one beside it.
    let deps = folder.join("deps");
    let folder = if deps.is_dir() { &deps } else { folder };
    let is_same = |path: &Path| is_same_file(path, file);
    let entries = std::fs::read_dir(folder).ok()?;
    let linked =
        entries.flatten().map(|entry| entry.path()).find(|path| path != file && is_same(path))?;
    let stem = linked.file_stem()?.to_str()?;
    let stems = [stem, stem.strip_prefix("lib").unwrap_or(stem)];
    let mut found = stems.iter().map(|stem| folder.join(format!("{stem}.d")));
    found.find(|path| path.is_file()).map(|path| vec![path])
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let id = |path: &Path| path.metadata().ok().map(|found| (found.dev(), found.ino()));
    id(one).is_some_and(|one| Some(one) == id(other))
}

/// Reads rules as make has them, `output: input input`, with blanks in paths behind `\`; and rustc's lines
/// `# env-dep:NAME=value`. Returns inputs and names.
fn read_dep_info(text: &str) -> (BTreeSet<PathBuf>, BTreeSet<String>) {
    let (mut paths, mut names) = (BTreeSet::new(), BTreeSet::new());
    for line in text.lines() {
        if let Some(variable) = line.strip_prefix("# env-dep:") {
            names.insert(variable.split('=').next().unwrap_or(variable).to_owned());
        } else if let Some((_, inputs)) = line.split_once(": ").filter(|_| !line.starts_with('#')) {
            let mut path = String::new();
            for word in inputs.split(' ') {
                if let Some(begin) = word.strip_suffix('\\') {
                    path.push_str(begin);
                    path.push(' ');
                } else if !word.is_empty() {
                    paths.insert(PathBuf::from(std::mem::take(&mut path) + word));
                }
            }
        }
    }
    (paths, names)
}

/// The files and variables that a build script names.
#[derive(Debug, Default, PartialEq, Eq)]
struct Printed {
    paths: Vec<String>,
    variables: Vec<String>,
}

fn read_printed(text: &str) -> Printed {
    let mut printed = Printed::default();
    for line in text.lines() {
        let said = line.strip_prefix("cargo::").or_else(|| line.strip_prefix("cargo:"));
        match said.and_then(|said| said.split_once('=')) {
            Some(("rerun-if-changed", path)) => printed.paths.push(path.to_owned()),
            Some(("rerun-if-env-changed", name)) => printed.variables.push(name.to_owned()),
            _ => {}
        }
    }
    printed
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Printed, read_dep_info, read_printed};

    #[test]
    fn what_rustc_read_is_in_its_dep_info() {
        let text = "/t/deps/a-1.d: src/main.rs src/a\\ b.txt /x/c.rs\n\n/t/deps/a-1: src/main.rs\n\n\
                    src/main.rs:\nsrc/a\\ b.txt:\n\n# env-dep:SAID=x y\n# env-dep:UNSET\n# checksum:blake3=1 src/main.rs\n";
        let (paths, names) = read_dep_info(text);
        let expected = ["/x/c.rs", "src/a b.txt", "src/main.rs"];
        assert!(paths.iter().eq(expected.map(Path::new)), "{paths:?}");
        assert!(names.iter().eq(["SAID", "UNSET"]), "{names:?}");
    }

    #[test]
    fn what_a_build_script_names_is_read_in_both_forms() {
        let text = "cargo:rerun-if-changed=a b\ncargo::rerun-if-env-changed=X\nwarning\n\
                    cargo::rustc-env=rerun-if-changed=c\ncargo::rerun-if-changed=build.rs\n";
        let expected =
            Printed { paths: vec!["a b".into(), "build.rs".into()], variables: vec!["X".into()] };
        assert_eq!(read_printed(text), expected);
    }
}
