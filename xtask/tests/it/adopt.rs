//! Tests `adopt` on small workspaces of the shapes that repositories have.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::json;
use xtask::build::pins::RUSTC;
use xtask::model::cargo_toml;

use crate::circleci;
use crate::support::{Repo, Run, root};
use crate::vendor::tree;

/// Makes a repository of these files, with a lock file that has every package that xtask needs, so that no test asks
/// a registry.
fn repository(files: &[(&str, &str)]) -> Repo {
    let repo = Repo::empty();
    repo.share_vendored();
    for (path, text) in files {
        repo.write(path, text);
        if path.ends_with("Cargo.toml") && text.contains("[workspace") {
            let lock = path.replace("Cargo.toml", "Cargo.lock");
            std::fs::copy(root().join("Cargo.lock"), repo.path().join(lock)).unwrap();
        }
    }
    repo.git(&["init", "--quiet", "--initial-branch", "main"]);
    repo.commit("first");
    repo
}

/// Makes a repository with one service where xtask looks for services by default.
pub(crate) fn adoptable() -> Repo {
    repository(&[
        ("Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"services/*\"] # all\n"),
        ("services/alpha/Cargo.toml", &package("alpha", "")),
        ("services/alpha/src/main.rs", MAIN),
    ])
}

const MAIN: &str = "fn main() {}\n";

fn package(name: &str, more: &str) -> String {
    format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n{more}")
}

fn adopt(repo: &Repo, line: &str) -> Run {
    repo.xtask(&format!("adopt {line} --xtask-path {}", root().display()))
}

fn read(repo: &Repo, path: &str) -> String {
    std::fs::read_to_string(repo.path().join(path))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the value at a path of a TOML file.
fn toml(repo: &Repo, path: &str, pointer: &str) -> serde_json::Value {
    let value = cargo_toml::parse(&read(repo, path), path).unwrap();
    value.pointer(pointer).cloned().unwrap_or_default()
}

fn state(repo: &Repo) -> (BTreeMap<PathBuf, Vec<u8>>, String) {
    (tree(repo.path()), repo.git(&["status", "--porcelain", "--ignored"]))
}

#[test]
fn a_workspace_is_adopted_whole_and_a_second_run_changes_nothing() {
    let repo = adoptable();
    let before = state(&repo);
    let dry = adopt(&repo, ". --dry-run --s3-bucket builds").exits(0);
    assert!(state(&repo) == before, "a dry run changed something: {}", state(&repo).1);
    let run = adopt(&repo, ". --s3-bucket builds").exits(0).prints("alpha/alpha_");
    let run = run.says("none moved").says("--xtask-git").says("wrote .circleci/config.yml");
    assert!(!run.stderr.contains("cannot plan"), "{}", run.stderr);
    let adopted = tree(repo.path());
    assert!(!repo.path().join(".xtask-undo").exists());
    assert_eq!(toml(&repo, "Cargo.toml", "/workspace/members"), json!(["services/*", "xtask"]));
    assert!(read(&repo, "Cargo.toml").contains("] # all\n"), "the comment is gone");
    assert_eq!(toml(&repo, "Cargo.toml", "/workspace/metadata/xtask/bucket"), "builds");
    assert_eq!(read(&repo, ".gitignore"), "/target\n/pkg\n/fetched\n");
    let lock = read(&repo, "Cargo.lock");
    assert!(lock.contains("name = \"xtask\"") && lock.contains("name = \"alpha\""));

    adopt(&repo, ".").exits(0).says("unchanged").prints("alpha/alpha_");
    adopt(&repo, "services/alpha/src").exits(0).says("unchanged");
    assert!(tree(repo.path()) == adopted);

    // The diff of the dry run is the change.
    repo.git(&["stash", "--quiet", "--include-untracked"]);
    repo.write("../adopt.diff", &dry.stdout);
    repo.git(&["apply", "../adopt.diff"]);
    std::fs::remove_file(repo.path().join("../adopt.diff")).unwrap();
    repo.git(&["stash", "drop", "--quiet"]);
    assert!(tree(repo.path()) == adopted, "{}", dry.stdout);
}

#[test]
fn where_cargo_builds_for_another_platform_the_alias_names_this_machine() {
    let repo = adoptable();
    repo.write(".cargo/config.toml", "[build]\ntarget = \"riscv64gc-unknown-linux-gnu\"\n");
    repo.commit("another platform");
    adopt(&repo, ".").exits(0);
    let alias = "run --target host-tuple --quiet --locked --package xtask --";
    assert_eq!(toml(&repo, ".cargo/config.toml", "/alias/xtask"), alias);
}

#[test]
fn services_are_found_wherever_they_lie() {
    let gated = "[[bin]]\nname = \"import\"\nrequired-features = [\"cli\"]\n[features]\ncli = []\n";
    let repo = repository(&[
        (
            "Cargo.toml",
            "[workspace]\nmembers = [\n    \"apps/*\", # deployed\n    \"crates/*\",\n    \"fuzz\",\n]\n",
        ),
        (
            "apps/jobs/Cargo.toml",
            &package("jobs", "[dependencies]\ndb = { path = \"../../crates/db\" }\n"),
        ),
        ("apps/jobs/src/main.rs", MAIN),
        ("apps/jobs/src/bin/admin.rs", MAIN),
        ("apps/jobs/src/bin/gen-schema.rs", MAIN),
        ("apps/web/Cargo.toml", &package("web", "")),
        (
            "apps/web/build.rs",
            "fn main() { println!(\"cargo::rerun-if-changed=../../proto\"); let _ = \"../../proto\"; }\n",
        ),
        ("apps/web/src/main.rs", MAIN),
        ("crates/db/Cargo.toml", &package("db", gated)),
        (
            "crates/db/src/lib.rs",
            "pub const M: &str = include_str!(\"../../../migrations/1.sql\");\n",
        ),
        ("crates/db/src/bin/import.rs", MAIN),
        ("crates/plugin/Cargo.toml", &package("plugin", "[lib]\ncrate-type = [\"cdylib\"]\n")),
        ("crates/plugin/src/lib.rs", ""),
        ("fuzz/Cargo.toml", &package("parse-fuzz", "[package.metadata]\ncargo-fuzz = true\n")),
        ("fuzz/src/main.rs", MAIN),
        ("migrations/1.sql", "select 1;\n"),
        ("proto/a.proto", "syntax = \"proto3\";\n"),
        (".gitlab-ci.yml", "{}\n"),
    ]);
    let run = adopt(&repo, "apps/web").exits(0).says(".gitlab-ci.yml is yours; docs/ci-others.md");
    let run = run
        .says("import: it needs features that are off: cli")
        .says("fuzz:")
        .says("gen-schema: its name");
    run.says("to do name the bucket");
    let table =
        |field: &str| toml(&repo, "Cargo.toml", &format!("/workspace/metadata/xtask/{field}"));
    assert_eq!(table("services"), json!(["jobs:admin", "jobs:jobs", "web"]));
    assert_eq!(table("inputs"), json!(["migrations/1.sql"]));
    assert!(table("rust").as_str().is_some_and(|rust| rust.starts_with("1.")), "{}", table("rust"));
    assert_eq!(
        toml(&repo, "apps/web/Cargo.toml", "/package/metadata/xtask/inputs"),
        json!(["../../proto/**"])
    );
    assert!(!repo.path().join(".circleci").exists());
    assert!(read(&repo, "Cargo.toml").contains("\"apps/*\", # deployed\n"));
}

#[test]
fn a_package_alone_in_a_folder_of_the_repository_gets_a_ci_file_for_that_folder() {
    let table = format!("\n[workspace.metadata.xtask]\nrust = \"{RUSTC}\"\n\n[workspace]\n");
    let repo = repository(&[
        ("server/Cargo.toml", &package("shop", &table)),
        (
            "server/src/main.rs",
            "// include_str!\nconst C: &str = include_str!(\"../../shared.json\");\nfn main() {}\n",
        ),
        ("shared.json", "{}"),
        ("web/package.json", "{}"),
    ]);
    adopt(&repo, ".").exits(3).says("no Cargo.toml in").says("server");
    adopt(&repo, "server --s3-bucket shop-builds").exits(0).says("services shop");
    assert_eq!(toml(&repo, "server/Cargo.toml", "/workspace/members"), json!(["xtask"]));
    assert_eq!(
        toml(&repo, "server/Cargo.toml", "/package/metadata/xtask/inputs"),
        json!(["../shared.json"])
    );
    let ci = read(&repo, ".circleci/config.yml");
    let problems = circleci::problems(&ci, &repo.path().join("server"));
    assert!(problems.is_empty(), "{}\n{ci}", problems.join("\n"));
    for text in [
        "working_directory: ~/project/server\n",
        "- checkout: { path: ~/project }\n",
        "bucket-shop-builds",
    ] {
        assert!(ci.contains(text), "no {text:?} in\n{ci}");
    }
    assert!(!ci.contains("- checkout\n"), "{ci}");
    adopt(&repo, "server").exits(0).says("unchanged");
}

#[test]
fn beside_an_xtask_of_their_own_the_program_is_named_bowline() {
    let config = "# Ours.\n[alias]\n# Its verbs are in xtask/.\nxtask = \"run --package xtask --\"\n\n[profile.dev.package.sha2]\nopt-level = 1\n";
    let repo = repository(&[
        ("Cargo.toml", "[workspace]\nmembers = [\"api\", \"xtask\"]\n"),
        ("api/Cargo.toml", &package("api", "")),
        ("api/src/main.rs", MAIN),
        ("xtask/Cargo.toml", &package("xtask", "")),
        ("xtask/src/main.rs", MAIN),
        (".cargo/config.toml", config),
    ]);
    let run = adopt(&repo, ".").exits(0).says("beside your own xtask, with the alias `bowline`");
    run.says("bowline = { package = \"bowline-xtask\", path = ").says("bowline::main()");
    assert_eq!(repo.git(&["status", "--porcelain", "--", "xtask"]), "", "their xtask is touched");
    let made = read(&repo, ".cargo/config.toml");
    let alias = "bowline = \"run --quiet --locked --package bowline --\"\n";
    assert!(made.starts_with(&config.replace("[alias]\n", &format!("[alias]\n{alias}"))), "{made}");
    assert!(!made.contains("debug ="), "debug information is the team's: {made}");
    assert_eq!(toml(&repo, "Cargo.toml", "/workspace/members"), json!(["api", "xtask", "bowline"]));
    assert!(read(&repo, ".circleci/config.yml").contains("run: cargo bowline dist\n"));
    adopt(&repo, ".").exits(0).says("unchanged");
}

#[test]
fn what_cannot_be_adopted_is_refused_with_the_next_step() {
    let repo = adoptable();
    repo.write("library/Cargo.toml", &package("library", "[workspace]\n"));
    repo.write("library/src/lib.rs", "");
    repo.write("both/Cargo.toml", &package("both", "[workspace]\n"));
    repo.write("both/src/main.rs", MAIN);
    repo.write("both/xtask/file", "");
    repo.write("both/bowline/file", "");
    repo.write("old/Cargo.toml", &package("old", "[workspace]\n"));
    repo.write("old/rust-toolchain", "1.80\n");
    repo.write("tools/Cargo.toml", &package("tools", "[workspace]\n"));
    repo.write("tools/src/bin/gen-schema.rs", MAIN);
    let members = "[workspace]\nmembers = [\"member\"]\n";
    repo.write("refused/Cargo.toml", &package("refused", members));
    repo.write("refused/src/main.rs", MAIN);
    repo.write("refused/member/README.md", "no package");
    repo.write("conflict/Cargo.toml", &package("conflict", "[workspace]\n"));
    repo.write("conflict/src/main.rs", MAIN);
    repo.write("conflict/Cargo.lock", "<<<<<<< HEAD\n");
    repo.commit("others");
    let cases = [
        ("none", 3, "none: there is no such folder", ""),
        ("library", 3, "no binary of", "add a src/main.rs, and run adopt again"),
        ("tools", 3, "no binary of", "services = [\"package:binary\"]"),
        (
            "both",
            3,
            "a package, folder or alias `bowline` too",
            "to your own xtask by hand, see docs/adopting.md",
        ),
        ("old", 3, "Rust 1.80 is too old: xtask needs 1.88 or newer", "use a newer one there"),
        ("refused", 3, "refused/member/Cargo.toml", "mend what cargo says"),
        ("conflict", 3, "cargo cannot read", "take it back with `git checkout`"),
        (". --s3-bucket B!", 2, "the bucket name \"B!\" is not valid", ""),
        (". --xtask-git https://h/x", 2, "adopt: xtask comes from one place", ""),
    ];
    let before = state(&repo);
    for (line, code, expected, hint) in cases {
        let run = adopt(&repo, line).exits(code).says(expected).says(hint);
        assert_eq!(run.stdout, "", "{line}");
    }
    repo.xtask("adopt").exits(2).says("no DIR given");
    repo.xtask("adopt .").exits(3).says("name its repository: --xtask-git URL or --xtask-path");
    assert!(state(&repo) == before, "{}", state(&repo).1);

    let plain = Repo::empty();
    plain.write("Cargo.toml", &package("plain", "[workspace]\n"));
    plain.write("src/main.rs", MAIN);
    adopt(&plain, ".").exits(3).says("is in no git repository").says("git init");
}

#[test]
fn with_a_lock_file_of_its_own_the_other_one_stays_and_ci_keeps_both_target_folders() {
    let repo = adoptable();
    adopt(&repo, ". --own-lock").exits(0).says("yours stays").says("the alias works in");
    let others = ["--", "Cargo.lock", "services"];
    assert_eq!(repo.git(&[&["status", "--porcelain"][..], &others].concat()), "");
    assert!(read(&repo, "xtask/Cargo.lock").contains("name = \"bowline-xtask\""));
    assert!(read(&repo, ".gitignore").contains("/xtask/target\n"));
    let ci = read(&repo, ".circleci/config.yml");
    let problems = circleci::problems(&ci, repo.path());
    assert!(problems.is_empty(), "{}\n{ci}", problems.join("\n"));
    let both = "{{ checksum \"Cargo.lock\" }}-{{ checksum \"xtask/Cargo.lock\" }}\n";
    assert_eq!(ci.matches(both).count(), 2, "{ci}");
    assert!(ci.contains("            - target\n            - xtask/target\n"), "{ci}");
    adopt(&repo, ".").exits(0).says("unchanged");
}

#[test]
#[ignore = "asks crates.io"]
fn a_locked_version_that_would_move_is_named_and_a_lock_file_of_its_own_moves_none() {
    let repo = repository(&[
        ("Cargo.toml", &package("old", "[dependencies]\nanyhow = \"=1.0.60\"\n[workspace]\n")),
        ("src/main.rs", MAIN),
    ]);
    std::fs::remove_file(repo.path().join("Cargo.lock")).unwrap();
    let manifest = read(&repo, "Cargo.toml");
    let cargo = |line: &str| {
        let arguments: Vec<_> = line.split(' ').collect();
        crate::support::run(&mut repo.prepare(env!("CARGO"), &arguments), line).exits(0)
    };
    cargo("generate-lockfile");
    repo.write("Cargo.toml", &manifest.replace("=1.0.60", "1"));
    cargo("metadata --locked --format-version 1");
    repo.commit("locked");
    let before = state(&repo);
    let run =
        adopt(&repo, ".").exits(3).says("would move locked versions").says("anyhow 1.0.60 -> 1.");
    run.says("--own-lock");
    assert!(state(&repo) == before, "{}", state(&repo).1);

    adopt(&repo, ". --own-lock").exits(0).says("the alias works in");
    assert_eq!(repo.git(&["status", "--porcelain", "--", "Cargo.lock"]), "");
    assert!(read(&repo, "xtask/Cargo.lock").contains("name = \"bowline-xtask\""));
    assert_eq!(toml(&repo, "Cargo.toml", "/workspace/exclude"), json!(["xtask"]));
    assert!(read(&repo, ".gitignore").contains("/xtask/target\n"));
    cargo("metadata --locked --format-version 1");
    cargo("metadata --locked --format-version 1 --manifest-path xtask/Cargo.toml");
    adopt(&repo, ".").exits(0).says("unchanged");

    // Vendored sources are for both.
    repo.commit("adopted");
    repo.xtask("vendor").exits(0);
    for manifest in ["Cargo.toml", "xtask/Cargo.toml"] {
        cargo(&format!("metadata --frozen --format-version 1 --manifest-path {manifest}"));
    }
    repo.xtask("vendor --check").exits(0);
}
