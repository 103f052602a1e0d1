//! Tests `update` with a real cargo and the index of crates.io.

use crate::support::Repo;
use crate::vendor::repo;

fn lock(repo: &Repo) -> String {
    std::fs::read_to_string(repo.path().join("Cargo.lock")).unwrap()
}

#[test]
#[ignore = "asks crates.io"]
fn updated_packages_are_listed_and_a_dry_run_changes_nothing() {
    let repo = repo("moving");
    let before = lock(&repo);
    for pattern in ["itoa", "it?a", "ito*", "services/...", "services/moving/...", "./..."] {
        let run = repo.xtask(&format!("update {pattern} --dry-run")).exits(0);
        let moved = run.stdout.lines().find(|line| line.starts_with("itoa 1.0.9 -> 1.0."));
        assert!(moved.is_some_and(|line| !line.ends_with(" 1.0.9")), "{pattern}: {}", run.stdout);
        assert_eq!(repo.git(&["status", "--porcelain"]), "", "{pattern}");
    }
    let run = repo.xtask_in("services", "update itoa").exits(0).prints("itoa 1.0.9 -> 1.0.");
    assert_eq!(run.stdout.lines().count(), 1, "only itoa: {}", run.stdout);
    assert_ne!(lock(&repo), before);
    let again = repo.xtask("update itoa").exits(0).says("nothing moved");
    assert_eq!(again.stdout, "");
}

#[test]
#[ignore = "asks crates.io"]
fn updated_packages_are_vendored_again() {
    let repo = repo("following");
    repo.xtask("vendor").exits(0);
    repo.commit("vendored");
    repo.xtask("update itoa --dry-run").exits(0).prints("itoa 1.0.9 -> 1.0.");
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
    repo.xtask("update itoa").exits(0).prints("itoa 1.0.9 -> 1.0.").prints("vendor/ holds");
    assert!(!repo.path().join("vendor/itoa-1.0.9").exists(), "the old sources are still there");
    repo.xtask("vendor --check").exits(0);
    assert_eq!(repo.git(&["status", "--porcelain", ".cargo"]), "", "the block is back as it was");
}

#[test]
fn a_git_source_is_updated_and_the_vendored_commit_is_checked() {
    let other = Repo::empty();
    other.write("Cargo.toml", "[package]\nname = \"shared\"\nversion = \"0.1.0\"\n");
    other.write("src/lib.rs", "");
    other.git(&["init", "--quiet"]);
    let old = other.commit("first");
    let repo = Repo::new(&["gitted"]);
    let url = format!("file://{}", other.path().display());
    repo.add_service("gitted", &format!("[dependencies.shared]\ngit = \"{url}\""));
    crate::vendor::cargo(&repo, "generate-lockfile");
    repo.xtask("vendor").exits(0);
    repo.commit("vendored");
    repo.xtask("vendor --check").exits(0);

    other.write("src/lib.rs", "pub fn novel() {}");
    let new = other.commit("second");
    let moved = format!("shared 0.1.0 ({}) -> 0.1.0 ({})", &old[..8], &new[..8]);
    repo.xtask("update shared --dry-run").exits(0).prints(&moved);
    repo.xtask("vendor --check").exits(0);
    let vendored = lock(&repo);
    repo.write("Cargo.lock", &vendored.replace(&old, &new));
    repo.xtask("vendor --check").exits(3).says("vendor/.git-sources: other commits");
    repo.write("Cargo.lock", &vendored);
    repo.xtask("update shared").exits(0).prints(&moved);
    let source = std::fs::read_to_string(repo.path().join("vendor/shared-0.1.0/src/lib.rs"));
    assert_eq!(source.unwrap(), "pub fn novel() {}");
    repo.xtask("vendor --check").exits(0);
}

#[test]
#[ignore = "asks crates.io"]
fn a_pattern_that_matches_nothing_is_an_error_with_similar_names() {
    let repo = repo("missing");
    let rows = [
        ("itoaa", "itoaa: did you mean `itoa`?"),
        ("ito", "ito: did you mean `itoa`?"),
        ("nothing-*", "nothing-*: no package of Cargo.lock from outside matches"),
        ("missing", "missing: a package of this repository"),
        ("servces/...", "servces/...: did you mean `services`? no package of the workspace"),
        ("itoa nothing", "nothing: no package of Cargo.lock"),
        ("[", "pattern `[`"),
    ];
    for (patterns, expected) in rows {
        let run = repo.xtask(&format!("update {patterns}")).exits(3).says(expected);
        assert_eq!(run.stdout, "");
        assert_eq!(repo.git(&["status", "--porcelain"]), "", "{patterns}");
    }
    repo.xtask("update missing").exits(3).says("`services/missing/...`");
    repo.xtask("update").exits(2).says("no PATTERN named");
}
