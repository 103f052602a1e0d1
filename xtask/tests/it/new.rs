//! Tests `new`: what it writes, and what it refuses before it writes anything.

use std::process::Command;

use crate::support::local::other_repository;
use crate::support::service::{serves, works};
use crate::support::{Repo, host, root, run, target_dir};
use crate::vendor::tree;

fn read(repo: &Repo, path: &str) -> String {
    std::fs::read_to_string(repo.path().join(path))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn a_bad_or_taken_name_is_an_error_before_anything_is_written() {
    let repo = other_repository();
    for (line, code, expected) in [
        ("new", 2, "no NAME given"),
        ("new a b", 2, "unexpected argument \"b\""),
        ("new a --web --worker", 2, "either --web or --worker"),
        ("new a --wbe", 2, "did you mean `--web`?"),
        ("new Alpha", 2, "the name \"Alpha\" is not one of a service"),
        ("new ../up", 2, "the name \"../up\" is not one of a service"),
        ("new async", 2, "the name \"async\" is a word of the language"),
        ("new xtask", 2, "the name \"xtask\" stands for a part of the automation"),
        ("new channels", 2, "the name \"channels\" stands for"),
        ("new alpha", 3, "services/alpha is there already"),
        ("new ureq", 3, "the workspace depends on a package ureq already"),
        // Only the new service would depend on this crate, so the conflict shows once the service
        // is added.
        ("new tokio", 3, "the new service would depend on a package tokio itself"),
        ("new axum", 3, "the new service would depend on a package axum itself"),
    ] {
        let run = repo.xtask(line).exits(code).says(expected);
        assert_eq!(run.stdout, "", "{line}");
        assert_eq!(repo.git(&["status", "--porcelain"]), "", "{line}");
    }
    Repo::empty().xtask("new a").exits(3).says("no workspace here");
    let plain = Repo::new(&["alone"]);
    plain.xtask("new a").exits(3).says("no package of this workspace depends on bowline-xtask");
}

#[test]
fn the_diff_of_a_dry_run_is_the_change_and_nothing_of_it_is_left() {
    let repo = other_repository();
    let text = read(&repo, "Cargo.toml");
    repo.write("Cargo.toml", &text.replace("\"services/*\"", "\"services/alpha\""));
    repo.commit("one by one");
    let before = tree(repo.path());
    let dry = repo.xtask("new beta --worker --dry-run").exits(0);
    assert!(tree(repo.path()) == before, "{}", repo.git(&["status", "--porcelain", "--ignored"]));
    repo.xtask("new axum --dry-run")
        .exits(3)
        .says("the new service would depend on a package axum");
    assert!(tree(repo.path()) == before, "{}", repo.git(&["status", "--porcelain", "--ignored"]));

    repo.xtask("new beta --worker").exits(0);
    let made = tree(repo.path());
    repo.git(&["stash", "--quiet", "--include-untracked"]);
    std::fs::write(repo.path().join(".git/diff"), &dry.stdout).unwrap();
    repo.git(&["apply", ".git/diff"]);
    assert!(tree(repo.path()) == made, "{}", dry.stdout);
}

#[test]
fn a_service_is_written_and_added_to_the_workspace() {
    let repo = other_repository();
    // `members` covers the service by `services/*`; the command runs in a folder below the root.
    let run = repo
        .xtask_in("services/alpha/src", "new beta")
        .exits(0)
        .prints("services/beta/src/main.rs");
    run.says("cargo run -p beta -- --listen");
    let dependency = |name: &str| {
        let path = root().join("foundation").join(name);
        format!("bowline-{name} = {{ path = \"{}\" }}\n", path.display())
    };
    let cargo_toml = read(&repo, "services/beta/Cargo.toml");
    assert!(cargo_toml.contains(&dependency("service")), "{cargo_toml}");
    assert!(cargo_toml.contains("version = \"0.1.0\"") && !cargo_toml.contains("workspace = true"));
    assert!(read(&repo, "Cargo.lock").contains("name = \"beta\""));
    assert_eq!(
        repo.git(&["status", "--porcelain", "--untracked-files=all"]).lines().collect::<Vec<_>>(),
        [
            "M Cargo.lock",
            "?? services/beta/Cargo.toml",
            "?? services/beta/README.md",
            "?? services/beta/src/main.rs",
            "?? services/beta/tests/it.rs",
        ]
    );
    repo.commit("beta");
    repo.xtask("new beta").exits(3).says("services/beta is there already");

    // `members` names each service, with comments around the list.
    let text = read(&repo, "Cargo.toml");
    let list = "members = [\n  # Whatever is deployed.\n  \"services/alpha\", \"services/beta\", # two\n  \"xtask\"\n]";
    repo.write("Cargo.toml", &text.replace("members = [\"services/*\", \"xtask\"]", list));
    repo.commit("one by one");
    repo.xtask("new gamma --worker").exits(0).says("added services/gamma to `members`");
    let diff = repo.git(&["diff", "--unified=0", "--", "Cargo.toml"]);
    let changes: Vec<_> =
        diff.lines().filter(|line| line.starts_with(['+', '-'])).skip(2).collect();
    assert_eq!(changes, ["-  \"xtask\"", "+  \"xtask\",", "+  \"services/gamma\""]);
    repo.xtask("dist --dry-run").exits(0).prints("gamma");
}

#[test]
fn a_service_is_added_to_the_list_of_services_that_does_not_cover_it() {
    let repo = other_repository();
    repo.add_to_table("services = [\"alpha\"] # by name");
    repo.commit("by name");
    repo.xtask("new beta --dry-run").exits(0).prints("+services = [\"alpha\", \"beta\"] # by name");
    repo.xtask("new beta").exits(0).says("added beta to `services` in Cargo.toml");
    assert!(read(&repo, "Cargo.toml").contains("services = [\"alpha\", \"beta\"] # by name\n"));
    repo.xtask("dist --dry-run").exits(0).prints("\n  beta\n");

    let text = read(&repo, "Cargo.toml");
    repo.write("Cargo.toml", &text.replace("[\"alpha\", \"beta\"]", "[\"services/*\"]"));
    let run = repo.xtask("new gamma --worker").exits(0);
    assert!(!run.stderr.contains("`services`"), "a pattern covers it:\n{}", run.stderr);
    repo.xtask("dist --dry-run").exits(0).prints("\n  gamma\n");
}

#[test]
fn a_new_service_compiles_no_s3_client() {
    let repo = other_repository();
    for (line, name) in [("new beta", "beta"), ("new gamma --worker", "gamma")] {
        repo.xtask(line).exits(0);
        let tree = ["tree", "--offline", "--edges", "normal,build", "--prefix", "none"];
        let tree = [&tree[..], &["--package", name]].concat();
        let tree = run(&mut repo.prepare(env!("CARGO"), &tree), "cargo tree").exits(0).stdout;
        let crates: Vec<_> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
        assert!(crates.contains(&"bowline-service") && crates.contains(&"hyper"), "{tree}");
        for heavy in ["bowline-s3", "ureq", "rustls", "ring"] {
            assert!(!crates.contains(&heavy), "{name} compiles {heavy}:\n{tree}");
        }
    }
}

#[test]
fn a_failure_on_the_way_is_undone() {
    let repo = other_repository();
    let text = read(&repo, "Cargo.toml");
    repo.write("Cargo.toml", &text.replace("\"services/*\"", "\"services/alpha\""));
    // This version does not exist.
    repo.write(
        "services/alpha/Cargo.toml",
        &format!("{}axum = \"=99.0.0\"\n", read(&repo, "services/alpha/Cargo.toml")),
    );
    repo.commit("one by one, and broken");
    let before = read(&repo, "Cargo.lock");
    repo.xtask("new beta").exits(3).says("cargo cannot add beta").says("nothing was left");
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
    assert_eq!(read(&repo, "Cargo.lock"), before);
}

#[test]
#[ignore = "asks crates.io"]
fn what_a_new_service_needs_is_vendored() {
    let repo = other_repository();
    repo.xtask("vendor").exits(0);
    repo.commit("vendored");
    let config = read(&repo, ".cargo/config.toml");
    let has_axum = || {
        let mut entries = std::fs::read_dir(repo.path().join("vendor")).expect("vendor/");
        entries.any(|one| one.expect("it").file_name().to_string_lossy().starts_with("axum-0"))
    };
    assert!(!has_axum(), "nothing needs it yet");
    let dry = repo.xtask("new beta --dry-run").exits(0).says("comes into vendor/ too");
    assert!(dry.stdout.contains("+name = \"axum\"\n"), "{}", dry.stdout);
    assert_eq!(repo.git(&["status", "--porcelain"]), "", "a dry run leaves nothing");
    repo.xtask("new beta").exits(0).prints("vendor/ holds").prints("services/beta/src/main.rs");
    assert!(has_axum());
    assert_eq!(read(&repo, ".cargo/config.toml"), config, "the block is as it was");
    repo.xtask("vendor --check").exits(0);
}

#[test]
#[ignore = "builds two new services of this repository, and checks them as ci does"]
fn new_services_of_this_repository_build_pass_run_and_are_in_the_next_dist() {
    let clone = Repo::clone_of(root());
    let new = "cargo xtask";
    clone.xtask("new fresh-web").exits(0);
    clone.xtask("new fresh-worker --worker").exits(0);
    let packages = ["--package", "fresh-web", "--package", "fresh-worker"];
    for (line, more) in [
        ("fmt --check", &[][..]),
        ("clippy --locked --all-targets", &["--", "--deny", "warnings"]),
        ("test --locked", &[]),
        ("build --locked", &[]),
    ] {
        let arguments: Vec<_> =
            line.split(' ').chain(packages).chain(more.iter().copied()).collect();
        run(&mut clone.prepare(env!("CARGO"), &arguments), &format!("{new}: {line}")).exits(0);
    }
    let debug = target_dir().join("debug");
    serves(Command::new(debug.join("fresh-web")), "hello\n");
    works(Command::new(debug.join("fresh-worker")));
    clone.commit("two services");
    let host = host();
    clone.xtask(&format!("dist fresh-web fresh-worker --platforms {host}")).exits(0);
    for service in ["fresh-web", "fresh-worker"] {
        let binary = clone.path().join("pkg/snapshot").join(host.as_str()).join(service);
        let version = run(Command::new(binary).arg("--version"), service).exits(0);
        version.prints(service).prints(&clone.git(&["rev-parse", "HEAD"]));
    }
}
