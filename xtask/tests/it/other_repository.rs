//! Another repository, by hand and by path: services with foundation's crates and with none, one of
//! them with C code in its dependencies, from every folder.

use std::path::Path;
use std::process::Command;

use xtask::repository::templates::{self, Place};

use crate::local::{alone, assert_published, assert_silent_and_gone, other_repository};
use crate::support::{Repo, Run, root, run, target_dir};

/// Answers with its version, by `service` and `stamp`.
const PLAIN: &str = r#"//! A web service.

use std::net::SocketAddr;

use axum::{Router, routing::get};
use service::{Service, Settings, Stop, WEB_SETTINGS};

const SERVICE: Service =
    Service { name: "other-plain", what_it_is: "says what it is", tables: &[WEB_SETTINGS], notes: "" };

fn main() -> std::process::ExitCode {
    service::main(&SERVICE, read, serve)
}

fn read(settings: &mut Settings<'_>) -> Option<SocketAddr> {
    settings.parsed("listen")
}

async fn serve(listen: SocketAddr, stop: Stop) -> ferror::Result<()> {
    let routes = Router::new().route("/", get(async || stamp::line("other-plain")));
    service::serve(&SERVICE, listen, routes, stop).await
}
"#;

/// C, and nothing of ours.
const SQLITE: &str = r#"//! A program with SQLite in it.

fn main() {
    let database = rusqlite::Connection::open_in_memory().expect("a database");
    let sum: i64 = database.query_row("SELECT 40 + 2", [], |row| row.get(0)).expect("a sum");
    println!("SQLite {}: {sum}", rusqlite::version());
}
"#;

/// `SQLite` takes a minute a platform with optimisation, and seconds without.
const QUICK_C: &str = "\n[profile.release.package.libsqlite3-sys]\nopt-level = 0\n";

/// The repository of three lines, with two more services.
fn repository() -> Repo {
    let repo = other_repository();
    let root_toml = std::fs::read_to_string(repo.path().join("Cargo.toml")).expect("Cargo.toml");
    let root_toml = root_toml.replace("\nplatforms = \"linux,amd64\"", "");
    repo.write("Cargo.toml", &(root_toml + QUICK_C));
    std::fs::remove_dir_all(repo.path().join("services/alpha")).expect("its first service");
    let package = |name: &str, dependencies: &str| {
        let head =
            format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
        repo.write(
            &format!("services/{name}/Cargo.toml"),
            &format!("{head}\n[dependencies]\n{dependencies}"),
        );
    };
    let ours = ["ferror", "service", "stamp"].map(|name| {
        format!(
            "bowline-{name} = {{ path = \"{}\" }}\n",
            root().join("foundation").join(name).display()
        )
    });
    let axum = templates::WEB_DEPENDENCIES.iter().find_map(|dependency| match dependency.place {
        Place::Registry(value) => Some(format!("{} = {value}\n", dependency.name)),
        Place::Foundation | Place::Own => None,
    });
    package("other-plain", &format!("{}{}", axum.expect("axum"), ours.concat()));
    repo.write("services/other-plain/src/main.rs", PLAIN);
    let sqlite =
        "rusqlite = { version = \"0.43\", default-features = false, features = [\"bundled\"] }\n";
    package("other-sqlite", sqlite);
    repo.write("services/other-sqlite/src/main.rs", SQLITE);
    let metadata = ["metadata", "--format-version", "1"];
    run(&mut repo.prepare(env!("CARGO"), &metadata), "cargo metadata").exits(0);
    repo.commit("two services");
    repo
}

/// `cargo run -p xtask -- LINE`, as the alias has it.
fn xtask(repo: &Repo, folder: &str, line: &str) -> Run {
    let words = "run --quiet --locked --package xtask --".split(' ').chain(line.split(' '));
    let mut cargo = repo.prepare(env!("CARGO"), &words.collect::<Vec<_>>());
    run(cargo.current_dir(repo.path().join(folder)), line)
}

#[test]
#[ignore = "builds xtask, a web service, and SQLite for four platforms, for another repository"]
fn every_verb_works_in_another_repository_from_below_too() {
    let _alone = alone();
    let repo = repository();
    let head = repo.git(&["rev-parse", "HEAD"]);
    let below = "services/other-plain/src";

    // C code for every platform, from one machine.
    let dist = xtask(&repo, below, "dist other-sqlite").exits(0);
    dist.says("other-sqlite for linux_amd64 carries no stamp");
    let manifest = repo.manifest();
    let platforms: Vec<_> = manifest["artifacts"]
        .as_array()
        .expect("artifacts")
        .iter()
        .map(|artifact| artifact["platform"].as_str().expect("a platform").to_owned())
        .collect();
    assert_eq!(platforms.len(), 4, "{platforms:?}");
    let program = repo.path().join("pkg/snapshot/linux_amd64/other-sqlite");
    let said = run(&mut Command::new(program), "other-sqlite").exits(0).stdout;
    assert!(said.starts_with("SQLite 3.") && said.ends_with(": 42\n"), "{said}");

    xtask(&repo, below, "dist --platforms linux_amd64").exits(0);
    let upload = xtask(&repo, "", "upload --local").exits(0);
    assert_published(&repo, &upload, &target_dir().join("local-s3/local"));
    assert_silent_and_gone(&repo, &upload);
    let stamp = xtask(&repo, "pkg/snapshot", "stamp other-plain_linux_amd64.tar.gz").exits(0);
    stamp.prints(&head).prints("linux_amd64");

    xtask(&repo, "services", "new other-new --worker").exits(0).prints("src/main.rs");
    assert!(repo.git(&["status", "--porcelain"]).contains("?? services/other-new/"));
    let test = ["test", "--locked", "--package", "other-new"];
    run(&mut repo.prepare(env!("CARGO"), &test), "cargo test").exits(0);
    repo.commit("one more");

    xtask(&repo, below, "vendor").exits(0).prints("vendor/ holds the sources of");
    assert!(vendored(repo.path()).any(|name| name.starts_with("libsqlite3-sys-")));
    assert!(
        !vendored(repo.path()).any(|name| name.starts_with("bowline-service-")),
        "a path stays one"
    );
    repo.commit("vendored");
    xtask(&repo, below, "vendor --check").exits(0);
    xtask(&repo, below, "dist other-sqlite other-new --platforms linux_amd64").exits(0);
    assert_eq!(repo.git(&["status", "--porcelain"]), "", "every verb leaves the tree as it was");
}

fn vendored(root: &Path) -> impl Iterator<Item = String> {
    let entries = std::fs::read_dir(root.join("vendor")).expect("vendor/");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
}
