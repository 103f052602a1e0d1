//! Checks what someone is told who tries xtask in a repository that is not ready for it: each error
//! names the thing and the next step.

use std::fs;

use crate::support::Repo;

/// A change to a repository, a command line, and what the error says.
type Case = (&'static str, fn(&mut Repo), &'static str, &'static [&'static str]);

const CASES: [Case; 10] = [
    (
        "no Cargo.toml",
        |repo| fs::remove_file(repo.path().join("Cargo.toml")).unwrap(),
        "setup",
        &["could not find `Cargo.toml`", "hint: run it in the folder of the workspace or below"],
    ),
    (
        "no services",
        |repo| {
            fs::rename(repo.path().join("services"), repo.path().join("apps")).unwrap();
            let path = repo.path().join("Cargo.toml");
            let text = fs::read_to_string(&path).unwrap();
            fs::write(path, text.replace("services/*", "apps/*")).unwrap();
        },
        "dist",
        &[
            "no services: no package below ",
            "hint: say below [workspace.metadata.xtask] in ",
            "\n  services = [\"alpha\"]\n",
        ],
    ),
    (
        "no binaries",
        |repo| {
            let main = repo.path().join("services/alpha/src/main.rs");
            fs::rename(&main, main.with_file_name("lib.rs")).unwrap();
        },
        "dist",
        &["no services: ", "hint: no package of this workspace has a binary"],
    ),
    ("no bucket", |_| (), "ship", &["no bucket named", "hint: name it by --bucket", "`--local`"]),
    (
        "no repository",
        |repo| fs::remove_dir_all(repo.path().join(".git")).unwrap(),
        "dist",
        &["not a git repository", "hint: ", "(`git init`, then commit)"],
    ),
    (
        "no commit",
        |repo| {
            fs::remove_dir_all(repo.path().join(".git")).unwrap();
            repo.git(&["init", "--quiet"]);
        },
        "dist",
        &["hint: commit something first: a version is the commit's name"],
    ),
    (
        "an old toolchain",
        |repo| repo.write("rust-toolchain.toml", "[toolchain]\nchannel = \"1.80\"\n"),
        "dist",
        &[
            "/rust-toolchain.toml: Rust 1.80 is too old: xtask needs 1.88 or newer",
            "hint: use a newer one there",
        ],
    ),
    (
        "a new member that Cargo.lock does not have",
        |repo| repo.add_service("beta", ""),
        "dist",
        &[
            "Cargo.lock does not fit the Cargo.toml files",
            "hint: run `cargo update --workspace`, which adds what is missing",
        ],
    ),
    (
        "a dependency that Cargo.lock does not have",
        |repo| {
            let path = repo.path().join("services/alpha/Cargo.toml");
            let text = fs::read_to_string(&path).unwrap();
            fs::write(path, text.replace("[dependencies]", "[dependencies]\nitoa = \"1\""))
                .unwrap();
        },
        "dist --platforms linux_amd64",
        &["Cargo.lock does not fit the Cargo.toml files", "hint: run `cargo update --workspace`"],
    ),
    (
        "a member that cargo refuses",
        |repo| repo.write("services/broken/README.md", "no package"),
        "dist",
        &[
            "cargo refuses the workspace: failed to load manifest for workspace member",
            "services/broken",
            "hint: mend the Cargo.toml that it names",
        ],
    ),
];

#[test]
fn every_error_names_the_next_step() {
    for (what, change, line, expected) in CASES {
        let mut repo = Repo::new(&["alpha"]);
        change(&mut repo);
        let run = repo.xtask(line);
        assert_eq!(run.code, 3, "{what}: {}", run.stderr);
        for text in expected {
            assert!(run.stderr.contains(text), "{what}: no {text:?} in\n{}", run.stderr);
        }
    }
}

#[test]
fn messages_name_the_alias_of_a_second_program() {
    let mut repo = Repo::new(&["alpha"]);
    repo.set("CARGO_PKG_NAME", "bowline");
    repo.xtask("").exits(2).says("Usage: cargo bowline VERB");
    repo.xtask("dist --help").exits(0).prints("cargo bowline dist");
    repo.set("CARGO_PKG_NAME", "xtask");
    repo.xtask("dist --help").exits(0).prints("cargo xtask dist");
}
