//! Builds and publishes another repository that takes xtask by path: services with foundation's
//! crates and without, one with C code in its dependencies, run from every folder.

use std::path::Path;
use std::process::Command;

use catalog::Platform;
use xtask::repository::templates::{self, Place};

use crate::support::local::{alone, assert_published, assert_silent_and_gone, other_repository};
use crate::support::{Repo, host, root, run, target_dir};

/// The program of a web service that answers with its version, by the crates `service` and `stamp`.
const PLAIN: &str = r#"//! A web service.

use axum::{Router, routing::get};
use service::Stop;

const NAME: &str = env!("CARGO_PKG_NAME");

#[derive(clap::Parser)]
struct Args {
    #[command(flatten)]
    web: service::WebArgs,
    #[command(flatten)]
    log: service::LogArgs,
}

fn main() -> std::process::ExitCode {
    let args: Args = service::parse();
    args.log.init();
    service::run(NAME, |stop| serve(args, stop))
}

async fn serve(args: Args, stop: Stop) -> ferror::Result<()> {
    let routes = Router::new().route("/", get(async || stamp::line(NAME)));
    service::serve(NAME, &args.web, routes, stop).await
}
"#;

/// A program with C code in its dependencies, and without a crate of this repository.
const SQLITE: &str = r#"//! A program with SQLite in it.

fn main() {
    let database = rusqlite::Connection::open_in_memory().expect("a database");
    let sum: i64 = database.query_row("SELECT 40 + 2", [], |row| row.get(0)).expect("a sum");
    println!("SQLite {}: {sum}", rusqlite::version());
}
"#;

/// This machine's platform, and one of another system.
fn platforms() -> [Platform; 2] {
    let other = Platform::ALL.into_iter().find(|other| other.os != host().os);
    [host(), other.expect("there are two systems")]
}

/// Makes the repository of [`other_repository`] with two services of its own.
fn repository() -> Repo {
    let repo = other_repository();
    let root_toml = std::fs::read_to_string(repo.path().join("Cargo.toml")).expect("Cargo.toml");
    let platforms = format!("platforms = \"{}\"", platforms().map(Platform::as_str).join(" "));
    repo.write("Cargo.toml", &root_toml.replace("platforms = \"linux,amd64\"", &platforms));
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
    let others =
        templates::WEB_DEPENDENCIES.iter().filter_map(|dependency| match dependency.place {
            Place::Registry(value) => Some(format!("{} = {value}\n", dependency.name)),
            Place::Foundation | Place::Own => None,
        });
    package("other-plain", &(others.collect::<String>() + &ours.concat()));
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

#[test]
#[ignore = "builds xtask, two services, and SQLite for two platforms, for another repository"]
fn every_verb_works_in_another_repository_from_any_folder() {
    let _alone = alone();
    let mut repo = repository();
    let below = "services/other-plain/src";
    // Runs the alias, which builds xtask. Later verbs run the program that was built.
    let cargo = |folder: &str, line: &str| {
        let mut cargo = repo.prepare(env!("CARGO"), &line.split(' ').collect::<Vec<_>>());
        run(cargo.current_dir(repo.path().join(folder)), line).exits(0)
    };
    cargo("services", "xtask new other-new --worker").prints("src/main.rs");
    assert!(repo.git(&["status", "--porcelain"]).contains("?? services/other-new/"));
    cargo("", "test --locked --package other-new");
    repo.commit("one more");

    repo.xtask_in(below, "vendor").exits(0).prints("vendor/ holds the sources of");
    assert!(vendored(repo.path()).any(|name| name.starts_with("libsqlite3-sys-")));
    assert!(
        !vendored(repo.path()).any(|name| name.starts_with("bowline-service-")),
        "a path stays one"
    );
    let head = repo.commit("vendored");
    repo.xtask_in(below, "vendor --check").exits(0);

    repo.own_target();
    // C code for another system than this one, too.
    let [_, other] = platforms();
    let line = format!("dist other-sqlite --platforms {other}");
    let unstamped = |platform| format!("other-sqlite for {platform} carries no stamp");
    repo.xtask_in(below, &line).exits(0).says(&unstamped(other));
    assert_eq!(repo.manifest()["artifacts"][0]["platform"], other.as_str());
    let line = format!("dist --platforms {}", host());
    repo.xtask_in(below, &line).exits(0).says(&unstamped(host()));
    let program = repo.path().join("pkg/snapshot").join(host().as_str()).join("other-sqlite");
    let said = run(&mut Command::new(program), "other-sqlite").exits(0).stdout;
    assert!(said.starts_with("SQLite 3.") && said.ends_with(": 42\n"), "{said}");

    // The server is built beside xtask, where nothing is vendored.
    repo.set("CARGO_TARGET_DIR", target_dir().to_str().expect("a path in UTF-8"));
    let upload = repo.xtask("upload --local").exits(0);
    assert_published(&repo, &upload, &target_dir().join("local-s3/local"));
    assert_silent_and_gone(&repo, &upload);
    let line = format!("stamp other-plain_{}.tar.gz", host());
    repo.xtask_in("pkg/snapshot", &line).exits(0).prints(&head).prints(host().as_str());
    assert_eq!(repo.git(&["status", "--porcelain"]), "", "every verb leaves the tree as it was");
}

fn vendored(root: &Path) -> impl Iterator<Item = String> {
    let entries = std::fs::read_dir(root.join("vendor")).expect("vendor/");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
}
