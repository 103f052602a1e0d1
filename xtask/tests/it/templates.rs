//! Checks that the files embedded for `new` and `init` are those below `xtask/templates`, and that
//! they agree with this repository's own.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use xtask::model::cargo_toml;
use xtask::repository::templates::{self, Place};

use crate::support::tree::{files, read};
use crate::support::{root, run};

const FOLDER: &str = "xtask/templates/";

#[test]
fn every_file_of_the_folder_is_embedded() {
    let all = files().into_iter().filter_map(|path| path.strip_prefix(FOLDER).map(str::to_owned));
    let table =
        [templates::WEB, templates::WORKER, templates::FIRST, templates::REPOSITORY].concat();
    let embedded: BTreeSet<_> = table.iter().map(|(_, text)| *text).collect();
    let mut deploy: Vec<_> = templates::DEPLOY.iter().map(|(path, _)| (*path).to_owned()).collect();
    deploy.sort();
    let mut in_folder = Vec::new();
    for path in all {
        match path.strip_prefix("deploy/") {
            Some(path) => in_folder.push(path.to_owned()),
            None => assert!(
                embedded.contains(read(&format!("{FOLDER}{path}")).as_str()),
                "{FOLDER}{path} is in no table of xtask/src/repository/templates.rs"
            ),
        }
    }
    in_folder.sort();
    let lines: Vec<_> = in_folder.iter().map(|path| format!("    {path:?},")).collect();
    let lines = lines.join("\n");
    assert!(
        deploy == in_folder,
        "DEPLOY in xtask/src/repository/templates.rs has to be\ndeploy![\n{lines}\n]"
    );
}

/// Checks the names of the templates: cargo leaves some files out of a package, and takes a folder
/// with a Cargo.toml for another package.
#[test]
fn no_template_is_lost_when_xtask_is_packaged_or_vendored() {
    let names = ["Cargo.toml", "Cargo.lock", ".gitignore", ".gitattributes", ".cargo-ok"];
    for path in files().iter().filter(|path| path.starts_with(FOLDER)) {
        let name = Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_lost =
            names.contains(&name) || [".orig", ".rej"].iter().any(|end| name.ends_with(end));
        assert!(
            !is_lost,
            "{path}: give it another name, and that one in xtask/src/repository/templates.rs"
        );
        let file = root().join(path).symlink_metadata().expect(path);
        assert!(file.is_file(), "{path} is a link");
    }
    let package = ["package", "--list", "--allow-dirty", "--offline", "--package", "bowline-xtask"];
    let mut cargo = Command::new(env!("CARGO"));
    let listed = run(cargo.args(package).current_dir(root()), "cargo package --list").exits(0);
    let packaged: BTreeSet<_> = listed.stdout.lines().collect();
    for path in files().iter().filter_map(|path| path.strip_prefix("xtask/")) {
        let is_template = path.starts_with("templates/");
        assert!(!is_template || packaged.contains(path), "cargo packages no {path}");
    }
}

#[test]
fn a_new_repository_builds_as_this_one_does() {
    let config = |path: &str| -> Value {
        let mut config = cargo_toml::parse(&read(path), path).expect(path);
        config["alias"].take();
        config
    };
    let (ours, theirs) =
        (config(".cargo/config.toml"), config("xtask/templates/repository/cargo-config.toml"));
    assert_eq!(theirs, ours, "the profiles of .cargo/config.toml and of its template differ");

    let ours = cargo_toml::parse(&read("Cargo.toml"), "Cargo.toml").expect("Cargo.toml");
    let all = [
        templates::WEB_DEPENDENCIES,
        templates::WORKER_DEPENDENCIES,
        templates::FIRST_DEPENDENCIES,
    ]
    .concat();
    for dependency in all {
        let named = &ours["workspace"]["dependencies"][dependency.name];
        let folder = dependency.name.strip_prefix("bowline-").unwrap_or(dependency.name);
        let folder = root().join("foundation").join(folder);
        match dependency.place {
            Place::Registry(value) => {
                let toml = cargo_toml::parse(&format!("it = {value}"), value).expect(value);
                assert_eq!(toml["it"], *named, "{} is another one here", dependency.name);
            }
            Place::Foundation => assert!(folder.is_dir(), "no {}", folder.display()),
            Place::Own => assert!(!folder.exists(), "{} is one of ours", dependency.name),
        }
    }
}
