//! Adds xtask to a repository with a lock file that is a year old, and checks which locked versions
//! change.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::tree::read;
use crate::support::{Repo, run};

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/year-old");

/// A package of a lock file: name and version.
type Locked = BTreeSet<(String, String)>;

/// Runs the command that docs/new-repository.md names, in a repository with a dependency that has a
/// newer commit and with a new package.
#[test]
fn adding_xtask_by_hand_moves_no_dependency() {
    let page = read("docs/new-repository.md");
    let by_hand = page.split_once("## By hand").expect("the section").1;
    let line = by_hand.split_once("\nRun `cargo ").expect("the command").1;
    let line = line.split_once('`').expect("its end").0;
    let library = |name: &str| {
        let repo = Repo::empty();
        let toml = format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\n");
        repo.write("Cargo.toml", &toml);
        repo.write("src/lib.rs", "");
        repo.git(&["init", "--quiet"]);
        let commit = repo.commit("first");
        let table =
            format!("[dependencies.{name}]\ngit = \"file://{}\"\n\n", repo.path().display());
        (repo, commit, table)
    };
    let (shared, old, shared_table) = library("shared");
    let (_more, new, more_table) = library("more");
    let repo = Repo::new(&["alpha"]);
    let lock = || fs::read_to_string(repo.path().join("Cargo.lock")).unwrap();
    let cargo = |line: &str| {
        let arguments: Vec<_> = line.split(' ').collect();
        run(&mut repo.prepare(env!("CARGO"), &arguments), line).exits(0);
    };
    repo.add_service("alpha", &shared_table);
    cargo("generate-lockfile");
    assert!(lock().contains(&old), "{}", lock());
    shared.commit("second");

    repo.add_service("beta", &more_table);
    cargo(line);
    assert!(lock().contains(&old), "`cargo {line}` moved `shared`: {}", lock());
    assert!(lock().contains(&new), "`cargo {line}` added no `more`: {}", lock());
    cargo("metadata --locked --format-version 1");
}

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
