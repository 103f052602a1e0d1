//! Builds a repository whose own services and crates have the names of libraries here: `s3`,
//! `service`, `stamp`, `catalog`, `ferror` and `ftime`.

use xtask::repository::templates::{self, Place};

use crate::support::local::{alone, other_repository};
use crate::support::{Repo, Run, host, root, run};

/// The crates of the repository, each with a function that returns its own name.
const LIBRARIES: [&str; 4] = ["s3", "service", "ferror", "ftime"];

/// A service with this repository's `stamp`, and three crates of its own repository.
const STAMP: &str = r#"fn main() {
    println!("{}", stamp::line("stamp"));
    println!("{} {} {}", s3::name(), ferror::name(), ftime::name());
}
"#;

/// A service with both crates `service`: its own repository's, and this one's under another name.
const CATALOG: &str = r#"use std::process::ExitCode;

use axum::{Router, routing::get};
use ours::Stop;

#[derive(clap::Parser)]
#[command(about = service::name())]
struct Args {
    #[command(flatten)]
    web: ours::WebArgs,
}

fn main() -> ExitCode {
    let args: Args = ours::parse();
    ours::run("catalog", |stop| serve(args, stop))
}

async fn serve(args: Args, stop: Stop) -> our_errors::Result<()> {
    let routes = Router::new().route("/", get(async || service::name()));
    ours::serve("catalog", &args.web, routes, stop).await
}
"#;

fn repository() -> Repo {
    let repo = other_repository();
    let root_toml = std::fs::read_to_string(repo.path().join("Cargo.toml")).expect("Cargo.toml");
    let root_toml = root_toml.replace("\"services/*\"", "\"foundation/*\", \"services/*\"");
    repo.write("Cargo.toml", &root_toml);
    std::fs::remove_dir_all(repo.path().join("services/alpha")).expect("its first service");
    let package = |path: &str, dependencies: &str| {
        let name = path.rsplit('/').next().unwrap_or(path);
        let text = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
             [dependencies]\n{dependencies}"
        );
        repo.write(&format!("{path}/Cargo.toml"), &text);
    };
    for name in LIBRARIES {
        let folder = format!("foundation/{name}");
        package(&folder, "");
        let code = format!("pub const fn name() -> &'static str {{\n    \"own {name}\"\n}}\n");
        repo.write(&format!("{folder}/src/lib.rs"), &code);
    }
    let own = |name: &str| format!("{name} = {{ path = \"../../foundation/{name}\" }}\n");
    let folder = |name: &str| root().join("foundation").join(name).display().to_string();
    let renamed = |alias: &str, name: &str| {
        format!("{alias} = {{ package = \"bowline-{name}\", path = \"{}\" }}\n", folder(name))
    };
    let stamp = format!("bowline-stamp = {{ path = \"{}\" }}\n", folder("stamp"))
        + &["s3", "ferror", "ftime"].map(own).concat();
    package("services/stamp", &stamp);
    repo.write("services/stamp/src/main.rs", STAMP);
    let others =
        templates::WEB_DEPENDENCIES.iter().filter_map(|dependency| match dependency.place {
            Place::Registry(value) => Some(format!("{} = {value}\n", dependency.name)),
            Place::Foundation | Place::Own => None,
        });
    let catalog = [
        others.collect::<String>(),
        renamed("ours", "service"),
        renamed("our_errors", "ferror"),
        own("service"),
    ];
    package("services/catalog", &catalog.concat());
    repo.write("services/catalog/src/main.rs", CATALOG);
    cargo(&repo, "metadata --format-version 1").exits(0);
    repo.commit("services and crates of its own");
    repo
}

fn cargo(repo: &Repo, line: &str) -> Run {
    let arguments: Vec<_> = line.split(' ').collect();
    run(&mut repo.prepare(env!("CARGO"), &arguments), line)
}

#[test]
#[ignore = "builds xtask and a web service for another repository"]
fn a_repository_may_have_crates_and_services_of_the_names_of_our_libraries() {
    let _alone = alone();
    let repo = repository();
    cargo(&repo, "build --quiet --locked --workspace").exits(0);
    cargo(&repo, "run --quiet --locked --package stamp")
        .exits(0)
        .prints("stamp DEV (not stamped)")
        .prints("own s3 own ferror own ftime");
    cargo(&repo, "run --quiet --locked --package catalog -- --help").exits(0).prints("own service");

    let xtask = "run --quiet --locked --package xtask --";
    let platform = host().to_string();
    cargo(&repo, &format!("{xtask} dist --dry-run --platforms {platform}"))
        .exits(0)
        .prints("catalog")
        .prints("stamp");
    cargo(&repo, &format!("{xtask} dist stamp --platforms {platform}")).exits(0);
    let archive = repo.manifest()["artifacts"][0]["file"].as_str().expect("a file").to_owned();
    let head = repo.git(&["rev-parse", "HEAD"]);
    cargo(&repo, &format!("{xtask} stamp pkg/snapshot/{archive}")).exits(0).prints(&head);
}
