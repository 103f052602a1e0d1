//! Who may depend on whom among the crates of the workspace, and what xtask must not depend on.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::{root, run};

/// A folder of crates, the folders they may depend on, and those that their tests may use besides.
const CRATES: [(&str, &[&str], &[&str]); 4] = [
    ("foundation", &["foundation"], &[]),
    ("services", &["foundation"], &["tools"]),
    ("tools", &["foundation"], &[]),
    ("xtask", &["foundation"], &["tools"]),
];

#[test]
fn crates_of_the_workspace_depend_downwards() {
    let metadata = cargo(&["metadata", "--no-deps", "--format-version", "1"]);
    let metadata: Value = serde_json::from_str(&metadata).expect("cargo metadata prints JSON");
    let mut wrong = Vec::new();
    for package in metadata["packages"].as_array().expect("packages") {
        let (name, folder) = (&package["name"], folder_of(&package["manifest_path"]));
        let Some((_, normal, test)) = CRATES.iter().find(|(known, _, _)| *known == folder) else {
            wrong.push(format!("{name} lies in {folder}/: add the folder to CRATES in this test"));
            continue;
        };
        let dependencies = package["dependencies"].as_array().expect("dependencies");
        for dependency in dependencies.iter().filter(|one| one["path"].is_string()) {
            let to = folder_of(&dependency["path"]);
            let in_tests = dependency["kind"] == "dev" && test.contains(&to.as_str());
            if !normal.contains(&to.as_str()) && !in_tests {
                let other = &dependency["name"];
                wrong.push(format!("{name}, in {folder}/, must not depend on {other}, in {to}/"));
            }
        }
    }
    assert!(wrong.is_empty(), "crates, see ARCHITECTURE.md:\n{}", wrong.join("\n"));
}

/// What a cold `cargo xtask` must not compile.
const HEAVY: [&str; 12] = [
    "async-std",
    "aws-sdk-s3",
    "bench-s3",
    "clap",
    "hyper",
    "interop",
    "local-s3",
    "openssl",
    "reqwest",
    "s3s",
    "smol",
    "tokio",
];

#[test]
fn the_front_door_is_light() {
    let tree = cargo(&[
        "tree",
        "--locked",
        "--offline",
        "--package",
        "bowline-xtask",
        "--edges",
        "normal,build",
        "--prefix",
        "none",
    ]);
    let names: BTreeSet<_> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains("ureq"), "cargo tree lists what xtask depends on:\n{tree}");
    let heavy: Vec<_> = HEAVY.iter().filter(|name| names.contains(**name)).collect();
    assert!(
        heavy.is_empty(),
        "xtask depends on {heavy:?}, which every first `cargo xtask` would compile; \
         `cargo tree -p bowline-xtask -e normal -i NAME` says through what"
    );
}

/// The folder at the root that a path of cargo metadata lies in.
fn folder_of(path: &Value) -> String {
    let path = Path::new(path.as_str().expect("a path"));
    let inner = path.strip_prefix(root()).expect("a path in the repository");
    let first = inner.components().next().expect("a path below the root");
    first.as_os_str().to_string_lossy().into_owned()
}

fn cargo(arguments: &[&str]) -> String {
    let mut cargo = Command::new(env!("CARGO"));
    run(cargo.args(arguments).current_dir(root()), &arguments.join(" ")).exits(0).stdout
}
