//! Changes the dependencies of a repository with vendored sources: adds one, updates one, and fails
//! at it. The dependencies are git repositories on this machine, so that no network is needed.

use std::path::Path;

use crate::support::{Repo, Run, run};

/// Makes a crate in a git repository of its own, and returns it with the id of its commit.
pub(crate) fn published(name: &str) -> (Repo, String) {
    let repo = Repo::empty();
    let toml = format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\n");
    repo.write("Cargo.toml", &toml);
    repo.write("src/lib.rs", "");
    repo.git(&["init", "--quiet"]);
    let commit = repo.commit("first");
    (repo, commit)
}

fn dependency(repo: &Repo, name: &str) -> String {
    format!("[dependencies.{name}]\ngit = \"file://{}\"\n\n", repo.path().display())
}

/// Makes a repository with one service that uses `shared`, vendored and committed.
pub(crate) fn vendored(service: &str, shared: &Repo) -> Repo {
    let repo = unvendored(service, shared);
    repo.xtask("vendor").exits(0);
    repo.commit("vendored");
    repo
}

/// Makes a repository with one service that uses `shared`, with the same alias `cargo xtask` as here.
pub(crate) fn unvendored(service: &str, shared: &Repo) -> Repo {
    let repo = Repo::new(&[service]);
    repo.add_service(service, &dependency(shared, "shared"));
    let alias = format!("[alias]\nxtask = \"run --quiet --locked --package {service} --\"\n");
    repo.write(".cargo/config.toml", &alias);
    crate::vendor::cargo(&repo, "generate-lockfile");
    repo.commit("a dependency");
    repo
}

/// Runs the alias `cargo xtask`, where cargo first looks for the sources.
fn alias(repo: &Repo) -> Run {
    run(&mut repo.prepare(env!("CARGO"), &["xtask"]), "cargo xtask")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_built_program_vendors_a_new_dependency() {
    let (shared, _) = published("shared");
    let (more, _) = published("more");
    let repo = vendored("growing", &shared);
    alias(&repo).exits(0);
    let tables = dependency(&shared, "shared") + &dependency(&more, "more");
    repo.add_service("growing", &tables);
    // Cargo itself ends here: neither `vendor` nor `vendor --check` can be reached by the alias.
    alias(&repo).exits(101).says("--locked");
    repo.xtask("vendor --check").exits(3).says("run `target/debug/xtask vendor`");
    repo.xtask("vendor").exits(0).says("more none -> 0.1.0").prints("vendor/ holds");
    assert!(repo.path().join("vendor/more-0.1.0/src/lib.rs").is_file());
    alias(&repo).exits(0);
    repo.xtask("vendor --check").exits(0);

    // The other way round: the lock file fits, and names what the folder lacks.
    repo.commit("more");
    std::fs::remove_dir_all(repo.path().join("vendor/more-0.1.0")).expect("it is vendored");
    alias(&repo).exits(101);
    repo.xtask("vendor --check").exits(3).says("more 0.1.0: not in vendor/");
    repo.xtask("vendor").exits(0);
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
    alias(&repo).exits(0);

    // Without the program, removing the block makes the alias work again.
    std::fs::remove_dir_all(repo.path().join("vendor/more-0.1.0")).expect("it is vendored");
    let config = read(&repo.path().join(".cargo/config.toml"));
    repo.write(
        ".cargo/config.toml",
        &xtask::repository::vendored::block::without(&config).expect("a block"),
    );
    alias(&repo).exits(0);
    repo.xtask("vendor").exits(0);
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
}

#[test]
fn an_update_that_cannot_be_vendored_leaves_everything_as_it_was() {
    let (shared, old) = published("shared");
    let repo = vendored("staying", &shared);
    // Git would leave out the file that the next commit of the dependency brings.
    repo.write(".gitignore", "/target\n/pkg\nnovel.rs\n");
    repo.commit("a line that is not anchored");
    shared.write("src/novel.rs", "");
    let new = shared.commit("second");

    let run = repo.xtask("update shared").exits(3).says("novel.rs: ignored by .gitignore:3");
    assert_eq!(run.stdout, "", "nothing has moved");
    assert_eq!(repo.git(&["status", "--porcelain", "--ignored", "vendor"]), "");
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
    repo.xtask("vendor --check").exits(0);
    alias(&repo).exits(0);

    // A copy that fails takes nothing away either: there is no such commit.
    let lock =
        read(&repo.path().join("Cargo.lock")).replace(&old, &new.replace(&new[..8], "01234567"));
    repo.write("Cargo.lock", &lock);
    repo.xtask("vendor").exits(3).says("nothing was changed");
    assert_eq!(repo.git(&["status", "--porcelain"]), "M Cargo.lock");
    assert_eq!(read(&repo.path().join("Cargo.lock")), lock);
    repo.git(&["checkout", "--quiet", "Cargo.lock"]);

    repo.write(".gitignore", "/target\n/pkg\n");
    repo.xtask("update shared").exits(0).prints("shared 0.1.0 (").prints("vendor/ holds");
    assert!(repo.path().join("vendor/shared-0.1.0/src/novel.rs").is_file());
    assert!(!repo.path().join(".xtask-undo").exists());
    alias(&repo).exits(0);
}

#[test]
fn a_first_run_that_fails_leaves_no_folder_and_no_block() {
    let (shared, _) = published("shared");
    let repo = Repo::new(&["first"]);
    repo.add_service("first", &dependency(&shared, "shared"));
    crate::vendor::cargo(&repo, "generate-lockfile");
    repo.write(".gitignore", "/target\n/pkg\nlib.rs\n");
    repo.commit("a line that is not anchored");
    // Also where a hook's git points at other objects.
    for objects in [None, Some("nowhere")] {
        let mut vendor = repo.prepare(env!("CARGO_BIN_EXE_xtask"), &["vendor"]);
        vendor.envs(objects.map(|objects| ("GIT_OBJECT_DIRECTORY", objects)));
        let run = run(&mut vendor, "vendor").exits(3);
        run.says("lib.rs: ignored by .gitignore:3").says("anchor the line");
    }
    assert!(!repo.path().join("vendor").exists());
    assert!(!repo.path().join(".cargo/config.toml").exists());
}
