//! Who may use whom among the modules of xtask, and who may touch the outside.
//!
//! Work flows in one direction: verbs call down, nothing calls up, and what is pure stays pure. A
//! test, because a wrong `use` compiles as well as a right one.

use std::collections::BTreeSet;

use crate::source::{code_without_tests, is_test, paths, read, rust_files};

/// The layers of xtask, the lowest first. A module uses lower layers, and its own where
/// [`SAME_LAYER`] says so.
const LAYERS: [(&str, &[&str]); 5] = [
    ("words", &["help", "names", "nearest", "placeholders", "platform"]),
    ("pure", &["cargo_toml", "config", "lockfile", "plan", "templates"]),
    (
        "rim",
        &[
            "archive",
            "ask",
            "blueprint",
            "compile",
            "destination",
            "download",
            "env",
            "files",
            "git",
            "gzip",
            "keeper",
            "local",
            "nested",
            "origin",
            "parallel",
            "pins",
            "progress",
            "publish",
            "resources",
            "shelf",
            "stamp",
            "timings",
            "toolchain",
            "ui",
            "vendored",
            "unpack",
            "workspace",
        ],
    ),
    (
        "verbs",
        &[
            "ci",
            "dist",
            "fetch",
            "init",
            "interop",
            "list",
            "new",
            "presign",
            "promote",
            "setup",
            "ship",
            "show_stamp",
            "update",
            "upload",
            "vendor",
        ],
    ),
    ("door", &["cli", "lib", "main"]),
];

/// Modules of these layers use one another; a verb does not use a verb.
const SAME_LAYER: [&str; 4] = ["words", "pure", "rim", "door"];

/// The verbs that are made of others.
const MADE_OF: [(&str, &[&str]); 4] = [
    ("ship", &["dist", "upload"]),
    ("ci", &["interop"]),
    ("update", &["vendor"]),
    ("new", &["vendor"]),
];

/// Plain values that lower layers may hold: making them is a higher layer's work, looking at them
/// is anyone's.
const VALUES: [&str; 13] = [
    "cli::InitOptions",
    "cli::NewOptions",
    "cli::Options",
    "cli::ServiceKind",
    "cli::SetupOptions",
    "cli::ShelfOptions",
    "cli::UpdateOptions",
    "cli::VendorMode",
    "cli::XtaskSource",
    "git::Commit",
    "resources::Resource",
    "workspace::Service",
    "workspace::Workspace",
];

#[test]
fn modules_of_xtask_use_what_lies_below_them() {
    let mut wrong = Vec::new();
    let mut found = BTreeSet::new();
    for (path, text) in sources() {
        found.insert(module_of(&path));
        wrong.extend(module_problems(&path, &text));
    }
    for (_, modules) in LAYERS {
        let gone = modules.iter().filter(|module| !found.contains(**module));
        wrong.extend(gone.map(|module| format!("LAYERS names `{module}`, which is gone")));
    }
    assert!(wrong.is_empty(), "layers, see ARCHITECTURE.md:\n{}", wrong.join("\n"));
}

fn module_problems(path: &str, text: &str) -> Vec<String> {
    let module = module_of(path);
    let Some(layer) = layer_of(&module) else {
        return vec![format!("{path}: `{module}` is in no layer: add it to LAYERS in this test")];
    };
    let code = code_without_tests(text);
    let mut wrong = Vec::new();
    for used in paths(&code, "crate") {
        let name = used.split("::").next().unwrap_or_default();
        if layer != "door" && !VALUES.contains(&used.as_str()) && !may_use(&module, name) {
            let other = layer_of(name).unwrap_or("no layer");
            wrong.push(format!(
                "{path}: `crate::{used}`: {module} ({layer}) must not use {name} ({other})"
            ));
        }
    }
    // In xtask/src itself, `super` is the whole crate by another name.
    if path.matches('/').count() == 2 && code.contains("super::") {
        wrong.push(format!("{path}: write `crate::` for `super::`, which this test reads"));
    }
    wrong
}

#[test]
fn modules_that_use_what_lies_above_are_found() {
    let rows = [
        ("plan.rs", "use crate::git::{self, Commit};", "plan (pure) must not use git (rim)"),
        ("plan.rs", "use crate::git::Commit;", ""),
        ("stamp/elf.rs", "fn f() { crate::dist::run() }", "stamp (rim) must not use dist (verbs)"),
        ("stamp/elf.rs", "use super::Format;", ""),
        ("dist.rs", "use crate::upload;", "dist (verbs) must not use upload (verbs)"),
        ("ship.rs", "use crate::{dist, upload};", ""),
        ("git.rs", "use super::env::Env;", "write `crate::`"),
        ("novel.rs", "", "`novel` is in no layer"),
        ("git.rs", "#[cfg(test)]\nmod tests {\n    use crate::dist;\n}\n", ""),
    ];
    for (file, text, expected) in rows {
        let problems = module_problems(&format!("xtask/src/{file}"), text).join("\n");
        let as_expected = problems.contains(expected) && problems.is_empty() == expected.is_empty();
        assert!(as_expected, "{file}: {text}: expected `{expected}`, found `{problems}`");
    }
}

#[test]
fn the_rules_for_modules_are_these() {
    let rows = [
        ("plan", "platform", true),
        ("plan", "config", true),
        ("plan", "env", false),
        ("platform", "config", false),
        ("stamp", "config", true),
        ("archive", "files", true),
        ("archive", "dist", false),
        ("dist", "archive", true),
        ("dist", "upload", false),
        ("ship", "dist", true),
        ("ship", "ci", false),
        ("ci", "interop", true),
        ("interop", "ci", false),
        ("dist", "cli", false),
        ("dist", "unheard_of", false),
    ];
    for (module, used, expected) in rows {
        assert_eq!(may_use(module, used), expected, "{module} uses {used}");
    }
}

/// What touches the outside, as paths below `std`.
const OUTSIDE: [&str; 6] = ["env", "fs", "net", "process", "thread", "time::SystemTime"];

#[test]
fn words_and_what_is_pure_touch_nothing_outside() {
    let pure = |path: &str| {
        let in_xtask = path.starts_with("xtask/src/")
            && ["words", "pure"].map(Some).contains(&layer_of(&module_of(path)));
        let signing = ["attributes", "sigv2", "sigv4", "encode"]
            .map(|file| format!("foundation/s3/src/{file}.rs"));
        let foundation =
            ["foundation/ftime/src/", "foundation/ferror/src/", "foundation/catalog/src/"];
        in_xtask
            || foundation.iter().any(|folder| path.starts_with(folder))
            || signing.contains(&path.to_owned())
    };
    // The clock is read in one function, which the rim calls.
    let clock = "foundation/ftime/src/epoch.rs";
    let files = rust_files("");
    let files: Vec<_> = files.iter().filter(|(path, _)| pure(path) && !is_test(path)).collect();
    assert!(files.len() > 10, "only {} files looked at: adapt this test's paths", files.len());
    let mut wrong = Vec::new();
    for (path, text) in files {
        for used in uses_of_the_outside(text) {
            if path != clock || used != "time::SystemTime" {
                wrong.push(format!("{path}: `std::{used}`: take the value as an argument instead"));
            }
        }
    }
    let readings = code_without_tests(&read(clock)).matches("SystemTime::now()").count();
    assert_eq!(readings, 1, "{clock}: the clock is read in Epoch::now alone");
    assert!(
        wrong.is_empty(),
        "no files, processes, sockets, clock or environment here:\n{}",
        wrong.join("\n")
    );
}

fn uses_of_the_outside(text: &str) -> Vec<String> {
    let mut used = paths(&code_without_tests(text), "std");
    let is_outside = |used: &str| {
        OUTSIDE.iter().any(|outside| used == *outside || used.starts_with(&format!("{outside}::")))
    };
    used.retain(|used| is_outside(used));
    used
}

#[test]
fn uses_of_the_outside_are_found() {
    let text = "use std::{fs, io::Write};\nfn f() { std::env::var(\"A\"); std::fmt::Write; }";
    assert_eq!(uses_of_the_outside(text), ["fs", "env::var"]);
}

fn sources() -> Vec<(String, String)> {
    let mut sources = rust_files("xtask/src/");
    sources.retain(|(path, _)| !is_test(path));
    sources
}

/// `git` for `xtask/src/git.rs`, `stamp` for all below `xtask/src/stamp/`.
fn module_of(path: &str) -> String {
    let inner = path.trim_start_matches("xtask/src/");
    inner.split('/').next().unwrap_or_default().trim_end_matches(".rs").to_owned()
}

fn layer_of(module: &str) -> Option<&'static str> {
    LAYERS.iter().find(|(_, modules)| modules.contains(&module)).map(|(layer, _)| *layer)
}

fn may_use(module: &str, used: &str) -> bool {
    let height = |module: &str| LAYERS.iter().position(|(_, modules)| modules.contains(&module));
    let (Some(own), Some(other)) = (height(module), height(used)) else { return false };
    module == used
        || other < own
        || (other == own && SAME_LAYER.contains(&LAYERS[own].0))
        || MADE_OF.iter().any(|(verb, others)| *verb == module && others.contains(&used))
}
