//! Tests the completions of bash by asking bash itself, as it does when Tab is pressed.

use std::process::Command;

use crate::support::{Repo, run};

/// Runs bash with the script loaded after `before`, and returns what it offers for `line`, whose
/// last word is the one to complete.
fn offered(repo: &Repo, before: &str, line: &str) -> Vec<String> {
    // As bash splits: `=` is a word of its own.
    let line = line.replace('=', " = ");
    let words: Vec<_> = line.split(' ').collect();
    let list = words.join("' '");
    let script = repo.xtask("completions bash").exits(0).stdout;
    repo.write("completions", &script);
    let asked = format!(
        "{before}\nsource {}\nCOMP_WORDS=('{list}') COMP_CWORD={}\n\
         name=$(complete -p cargo) name=${{name##* -F }}\n\
         ${{name%% *}} cargo '' ''\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"",
        repo.path().join("completions").display(),
        words.len() - 1
    );
    let mut bash = Command::new("bash");
    bash.args(["--norc", "--noprofile", "-c", &asked]).current_dir(repo.path());
    // No rustup, so that what cargo brings of its own is what `before` says.
    bash.env("PATH", "/usr/bin:/bin").env("CARGO", env!("CARGO")).env_remove("CARGO_TARGET_DIR");
    let run = run(&mut bash, &line).exits(0);
    assert_eq!(run.stderr, "", "{line}");
    let mut offered: Vec<_> = run.stdout.lines().map(|line| line.trim_end().to_owned()).collect();
    offered.retain(|word| !word.is_empty());
    offered.sort();
    offered
}

#[test]
fn bash_completes_verbs_options_and_values_after_cargo_xtask() {
    let repo = Repo::empty();
    for (file, text) in [
        ("services/janitor/Cargo.toml", ""),
        ("services/releases/Cargo.toml", ""),
        ("services/no-package/notes", ""),
        ("pkg/a b.tar.gz", ""),
        ("pkg/folder/x", ""),
    ] {
        repo.write(file, text);
    }
    for (line, expected) in [
        ("cargo xtask di", "dist"),
        ("cargo xtask pr", "presign promote"),
        ("cargo xtask --v", "--version"),
        ("cargo +stable xtask st", "stamp"),
        ("cargo xtask help ven", "vendor"),
        ("cargo xtask ci --", "--all --help"),
        ("cargo xtask upload --s", "--signature --skip-without-credentials"),
        (
            "cargo xtask dist --platforms linux_",
            "linux_amd64 linux_amd64_musl linux_arm64 linux_arm64_musl",
        ),
        ("cargo xtask ship janitor --library ", "distribution rustup"),
        ("cargo xtask ship --library=r", "rustup"),
        ("cargo xtask ship --library=", "distribution rustup"),
        ("cargo xtask upload --signature v", "v2 v4"),
        ("cargo xtask dist ", "janitor releases"),
        ("cargo xtask dist janitor r", "releases"),
        ("cargo xtask promote j", "janitor"),
        ("cargo xtask upload --bucket ", ""),
        ("cargo xtask stamp pkg/", "pkg/a b.tar.gz,pkg/folder"),
        ("cargo xtask fetch janitor --into pkg/", "pkg/folder"),
        ("cargo xtask completions ", "bash fish zsh"),
        ("cargo xtask nosuch --", ""),
        // The hidden verb stays hidden.
        ("cargo xtask ref", ""),
    ] {
        let separator = if expected.contains(',') { "," } else { " " };
        let offered = offered(&repo, "", line).join(separator);
        assert_eq!(offered, expected, "`{line}`");
    }
}

#[test]
fn bash_completes_other_commands_as_cargo_does() {
    let repo = Repo::empty();
    // What rustup or a distribution brings has this form.
    let cargos = "_cargo() { COMPREPLY=(\"$1 of ${COMP_WORDS[1]}\" xtask-other); }\n\
                  complete -F _cargo -o default cargo";
    assert_eq!(offered(&repo, cargos, "cargo build --rel"), ["cargo of build", "xtask-other"]);
    assert_eq!(offered(&repo, cargos, "cargo xtask lis"), ["list"]);
    let first = offered(&repo, cargos, "cargo x");
    assert_eq!(first, ["cargo of x", "xtask", "xtask-other"], "the alias is offered too");
    // Loaded when it is first needed, as bash-completion does.
    let lazily =
        "_completion_loader() { _cargo() { COMPREPLY=(lazy); }; complete -F _cargo cargo; }";
    assert_eq!(offered(&repo, lazily, "cargo build --rel"), ["lazy"]);
    assert_eq!(offered(&repo, "", "cargo build --rel"), [""; 0], "none is no error");
    let minimal =
        "_completion_loader() { _minimal() { COMPREPLY=(x); }; complete -F _minimal cargo; }";
    assert_eq!(offered(&repo, minimal, "cargo build --rel"), [""; 0], "that is none of cargo's");
    // Sourced twice, it does not call itself.
    let twice = format!("{cargos}\nsource ./completions");
    assert_eq!(offered(&repo, &twice, "cargo test x"), ["cargo of test", "xtask-other"]);
}

#[test]
fn services_are_those_that_the_program_names_once_it_is_built() {
    let mut repo = Repo::new(&["alpha", "beta"]);
    repo.write("apps/web/Cargo.toml", "[package]\nname = \"web\"\nversion = \"0.1.0\"\n");
    repo.write("apps/web/src/main.rs", "fn main() {}\n");
    let toml = std::fs::read_to_string(repo.path().join("Cargo.toml")).unwrap();
    repo.write("Cargo.toml", &toml.replace("[\"services/*\"", "[\"apps/*\", \"services/*\""));
    repo.add_to_table("services = [\"web\", \"beta\"]");
    assert_eq!(offered(&repo, "", "cargo xtask dist "), ["alpha", "beta"], "not built yet");
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_xtask"));
    let link = |folder: &str, name: &str| {
        std::fs::create_dir_all(repo.path().join(folder)).unwrap();
        std::os::unix::fs::symlink(program, repo.path().join(folder).join(name)).unwrap();
    };
    // In the workspace's target folder, or in that of a package with a Cargo.lock of its own.
    link("xtask/target/debug", "xtask");
    assert_eq!(offered(&repo, "", "cargo xtask dist "), ["beta", "web"]);
    assert_eq!(offered(&repo, "cd apps/web", "cargo xtask dist w"), ["web"]);
    // A second program has an alias of its own.
    link("target/debug", "bowline");
    repo.set("CARGO_PKG_NAME", "bowline");
    assert_eq!(offered(&repo, "", "cargo bowline dist "), ["beta", "web"]);
    assert_eq!(
        offered(&repo, "", "cargo bowline adopt x --xtask-"),
        ["--xtask-git", "--xtask-path"]
    );
    assert_eq!(offered(&repo, "", "cargo xtask dist "), [""; 0]);
}
