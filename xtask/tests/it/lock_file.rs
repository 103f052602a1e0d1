//! A repository whose lock file is a year old adopts xtask: which of its locked versions move.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/year-old");

/// A package of a lock file: name and version.
type Locked = BTreeSet<(String, String)>;

#[test]
#[ignore = "asks crates.io"]
fn a_lock_file_of_a_year_ago_keeps_every_version() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    fs::create_dir(folder.join("src")).unwrap();
    fs::write(folder.join("src/lib.rs"), "").unwrap();
    fs::copy(Path::new(REPOSITORY).join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let manifest = fs::read_to_string(Path::new(REPOSITORY).join("Cargo.toml")).unwrap();
    let xtask = format!("bowline-xtask = {{ path = {:?} }}\n", env!("CARGO_MANIFEST_DIR"));
    fs::write(folder.join("Cargo.toml"), format!("{manifest}{xtask}")).unwrap();
    let before = locked(folder);

    let update = Command::new(env!("CARGO"))
        .args(["update", "--workspace", "--quiet"])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(update.status.success(), "{}", String::from_utf8_lossy(&update.stderr));

    let after = locked(folder);
    let moved: Vec<_> = before.difference(&after).collect();
    let added = after.difference(&before).count();
    println!(
        "{} packages were locked; {} moved: {moved:?}; {added} were added",
        before.len(),
        moved.len()
    );
    assert!(after.iter().any(|(name, _)| name == "bowline-xtask"), "xtask was not added");
    assert!(
        moved.is_empty(),
        "adopting xtask moves {moved:?}: lower the requirement in [workspace.dependencies]"
    );
}

/// Reads names and versions; cargo writes every lock file in the same form.
fn locked(folder: &Path) -> Locked {
    let text = fs::read_to_string(folder.join("Cargo.lock")).unwrap();
    let field = |package: &str, name: &str| {
        let line = package.lines().find_map(|line| line.strip_prefix(name));
        line.expect("a package has a name and a version").trim_matches('"').to_owned()
    };
    let packages = text.split("[[package]]\n").skip(1);
    packages.map(|package| (field(package, "name = "), field(package, "version = "))).collect()
}
