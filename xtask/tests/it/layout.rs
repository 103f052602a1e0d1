//! What every file of the repository keeps to, whoever wrote it.
//!
//! Only what rustfmt and clippy cannot see stands here; who may use whom stands in `layering`.

use std::path::Path;

use xtask::system::env::VARIABLES;

use crate::source::{code, code_without_tests, files, is_test, links, paths, read, rust_files};

/// The longest file that is still read in one go.
const MAX_LINES: usize = 300;

#[test]
fn rust_files_are_short_and_say_why_they_exist() {
    let mut wrong = Vec::new();
    for (path, text) in rust_files("") {
        let lines = text.lines().count();
        if lines > MAX_LINES {
            wrong.push(format!("{path} has {lines} lines: split it by what its parts are for"));
        }
        if !text.starts_with("//! ") {
            wrong.push(format!("{path} does not begin with `//! ` and why it exists"));
        }
    }
    assert_none(&wrong);
}

#[test]
fn what_a_script_would_do_is_a_verb() {
    const ONLY: &str = ".ci/run";
    let endings =
        [".sh", ".bash", ".zsh", ".py", ".pl", ".rb", ".js", ".ps1", ".bat", ".cmd", ".mk"];
    let names = ["Makefile", "GNUmakefile", "makefile", "justfile", "Justfile"];
    let mut wrong = Vec::new();
    for path in files() {
        let bytes =
            std::fs::read(crate::support::root().join(&path)).expect("a file that git lists");
        let is_interpreted = bytes.starts_with(b"#!") && !bytes.starts_with(b"#![");
        let name = path.rsplit('/').next().unwrap_or_default();
        let is_named = names.contains(&name) || endings.iter().any(|ending| name.ends_with(ending));
        if path != ONLY && (is_interpreted || is_named) {
            wrong.push(format!("{path} is a script: make it a verb of xtask, or a test"));
        }
    }
    let lines: Vec<_> =
        lines_of(&read(ONLY)).filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
    if lines != ["set -euo pipefail", "exec cargo xtask ci --all"] {
        wrong.push(format!("{ONLY} does more than call `cargo xtask ci --all`"));
    }
    assert_none(&wrong);
}

#[test]
fn links_lead_to_what_the_repository_holds() {
    let root = crate::support::root();
    let (files, mut wrong) = (files(), Vec::new());
    for link in links() {
        let target = root.join(&link).canonicalize().unwrap_or_default();
        let inside = target.strip_prefix(root.canonicalize().expect("the root"));
        if !inside.is_ok_and(|inside| files.iter().any(|file| Path::new(file).starts_with(inside)))
        {
            wrong.push(format!("{link} leads to nothing that the repository holds"));
        }
    }
    assert_none(&wrong);
}

#[test]
fn main_is_three_lines() {
    let code = code(&read("xtask/src/main.rs"));
    let expected = ["fn main() -> std::process::ExitCode {", "xtask::main()", "}"];
    assert_eq!(
        lines_of(&code).collect::<Vec<_>>(),
        expected,
        "xtask/src/main.rs is what another repository writes: everything else is the library's"
    );
}

/// Words in the code of files below a folder, tests aside where it is said, and what to do instead.
const FORBIDDEN: [(&str, bool, &str, &str); 11] = [
    ("", true, "todo!", "finish it, or leave it out"),
    ("", true, "unimplemented!", "finish it, or leave it out"),
    ("", true, "dbg!", "a line for debugging was left behind"),
    ("", true, "#[ignore]", "give the reason: #[ignore = \"builds for every platform\"]"),
    ("xtask/src/", true, "set_current_dir", "folders are arguments: give the child its own"),
    ("xtask/src/", false, "process::exit", "return an error: main decides about exit codes"),
    ("xtask/src/", false, "process::abort", "return an error: main decides about exit codes"),
    ("xtask/src/", false, "static mut", "xtask is a library too: no globals"),
    ("xtask/src/", false, "OnceLock", "xtask is a library too: no globals"),
    ("xtask/src/", false, "LazyLock", "xtask is a library too: no globals"),
    ("xtask/src/", false, "thread_local!", "xtask is a library too: no globals"),
];

#[test]
fn words_that_must_not_stand_in_code() {
    let mut wrong = Vec::new();
    for (folder, tests_too, word, instead) in FORBIDDEN {
        for (path, text) in rust_files(folder) {
            if is_test(&path) && !tests_too {
                continue;
            }
            let code = if tests_too { code(&text) } else { code_without_tests(&text) };
            let lines = code.lines().enumerate().filter(|(_, line)| line.contains(word));
            wrong.extend(lines.map(|(at, _)| format!("{path}:{}: `{word}`: {instead}", at + 1)));
        }
    }
    // In a literal, which is no code: the folder that xtask was built in is not where it works.
    for (path, text) in rust_files("xtask/src/") {
        if text.contains("env!(\"CARGO_MANIFEST_DIR\")") {
            wrong.push(format!(
                "{path} asks where it was built: another repository's xtask lies elsewhere"
            ));
        }
    }
    assert_none(&wrong);
}

#[test]
fn every_variable_that_is_read_is_documented() {
    let mut wrong = Vec::new();
    let mut read_names = 0;
    for (path, text) in rust_files("xtask/src/") {
        if is_test(&path) {
            continue;
        }
        let end = code_without_tests(&text).len();
        for name in variables(&text[..end]) {
            read_names += 1;
            if !VARIABLES.iter().any(|(known, _)| *known == name) {
                wrong.push(format!(
                    "{path} reads {name}: add it to VARIABLES in xtask/src/system/env.rs"
                ));
            }
        }
        let direct = ["env::var", "env::var_os", "env::vars", "env::vars_os", "env::current_dir"];
        for used in paths(&code_without_tests(&text), "std") {
            if direct.contains(&used.as_str())
                && !path.ends_with("src/env.rs")
                && !is_for_tests(&path)
            {
                wrong.push(format!("{path}: `std::{used}`: ask the Env that came in at the door"));
            }
        }
    }
    assert!(
        read_names >= 10,
        "only {read_names} variables found: adapt this test to how Env is asked"
    );
    assert_none(&wrong);
}

/// The names in `env.get("NAME")`, `env.get_os("NAME")` and `env.first(&["NAME", ...])`.
fn variables(text: &str) -> Vec<&str> {
    let after = |begin: &str, end: char| -> Vec<&str> {
        let calls = text.split(begin).skip(1);
        calls.filter_map(|rest| rest.split_once(end).map(|(names, _)| names)).collect()
    };
    let mut names = Vec::new();
    for call in ["env.get(", "self.get(", ".get_os("] {
        names.extend(after(call, ')'));
    }
    names.extend(after(".first(&[", ']').into_iter().flat_map(|list| list.split(',')));
    names.retain(|name| name.trim().starts_with('"'));
    names.into_iter().map(|name| name.trim().trim_matches('"')).collect()
}

/// Helpers of unit tests that are files of their own.
fn is_for_tests(path: &str) -> bool {
    ["stamp/built.rs", "stamp/fixture.rs", "stamp/hostile.rs"]
        .iter()
        .any(|name| path.ends_with(name))
}

#[test]
fn every_dependency_of_xtask_has_its_reason() {
    const PATH: &str = "xtask/Cargo.toml";
    let text = read(PATH);
    let mut wrong = Vec::new();
    let (mut section, mut above) = ("", "");
    for line in text.lines() {
        if line.starts_with('[') {
            section = line;
        } else if section.contains("dependencies") && line.contains('=') && !above.starts_with("# ")
        {
            wrong.push(format!(
                "{PATH}: `{line}`: write above it what it is for, since everyone waits for it"
            ));
        }
        above = line;
    }
    assert_none(&wrong);
}

#[test]
fn every_crate_has_the_lints_of_the_workspace() {
    let manifests = files().into_iter().filter(|path| path.ends_with("/Cargo.toml"));
    let wrong: Vec<_> = manifests
        .filter(|path| !read(path).contains("[lints]\nworkspace = true\n"))
        .map(|path| format!("{path} lacks `[lints]` with `workspace = true`"))
        .collect();
    assert_none(&wrong);
}

#[test]
fn no_path_of_one_machine_is_in_the_tree() {
    let homes = ["home", "Users", "root"].map(|folder| format!("/{folder}/"));
    let mut wrong = Vec::new();
    for path in files() {
        let bytes =
            std::fs::read(crate::support::root().join(&path)).expect("a file that git lists");
        let text = String::from_utf8_lossy(&bytes);
        for (at, line) in text.lines().enumerate() {
            if homes.iter().any(|home| line.contains(home.as_str())) {
                wrong.push(format!("{path}:{}: a path of one machine: {}", at + 1, line.trim()));
            }
        }
    }
    assert_none(&wrong);
}

fn lines_of(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

#[track_caller]
fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
