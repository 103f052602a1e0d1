//! Checks what ARCHITECTURE.md says of the structure and no compiler sees: which way dependencies
//! point, what a first `cargo xtask` compiles, and what no file may hold.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::tree::{files, read};
use crate::support::{root, run};

/// The folders of xtask/src, and those that each of them may use besides itself.
const FOLDERS: [(&str, &[&str]); 7] = [
    ("cli", &["verbs", "build", "bucket", "repository", "model", "system"]),
    ("verbs", &["build", "bucket", "repository", "model", "system"]),
    ("build", &["model", "system"]),
    ("bucket", &["model", "system"]),
    ("repository", &["model", "system"]),
    ("system", &["model"]),
    ("model", &[]),
];

#[test]
fn folders_of_xtask_use_what_lies_below_them() {
    let mut wrong = Vec::new();
    for (path, code) in sources(XTASK) {
        let Some((folder, _)) = path.split_once('/') else { continue };
        let (_, below) =
            FOLDERS.iter().find(|(name, _)| *name == folder).unwrap_or_else(|| panic!("{path}"));
        for used in uses(&path, &code) {
            let other = used.split("::").next().unwrap_or_default();
            if other != folder && !below.contains(&other) {
                wrong.push(format!("xtask/src/{path}: {folder} must not use crate::{used}"));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn modules_do_not_import_each_other_in_a_cycle() {
    let roots: BTreeSet<_> =
        files().iter().filter_map(|path| Some(path.split_once("/src/")?.0.to_owned())).collect();
    let roots: Vec<_> = roots.into_iter().filter(|root| !root.contains("/templates/")).collect();
    assert!(roots.len() > 10, "only {roots:?}: adapt this test");
    for root in &roots {
        let (tops, sources): (Vec<_>, Vec<_>) = sources(&format!("{root}/src/"))
            .into_iter()
            .partition(|(path, _)| ["lib.rs", "main.rs"].contains(&path.as_str()));
        let modules: BTreeSet<_> =
            sources.iter().map(|(path, _)| module(path).join("::")).collect();
        // `crate::Location` is `crate::location::Location` where lib.rs says so.
        let exported = tops.iter().flat_map(|(_, code)| code.split("pub use ").skip(1));
        let exported: BTreeMap<_, _> = exported
            .flat_map(|list| names("", list))
            .filter_map(|path| Some((path.rsplit_once("::")?.1.to_owned(), path)))
            .collect();
        // First the modules of the crate, then the parts of each of them, and theirs.
        for depth in [1, 2, 3] {
            let cut = |name: &str| name.split("::").take(depth).collect::<Vec<_>>().join("::");
            let mut edges = BTreeMap::<String, BTreeSet<String>>::new();
            for (path, code) in &sources {
                let module = cut(&module(path).join("::"));
                let mut used: BTreeSet<_> = uses(path, code)
                    .iter()
                    .map(|used| exported.get(used).unwrap_or(used))
                    .filter_map(|used| known(used, &modules))
                    .map(cut)
                    .collect();
                // A module and its own parts may use each other.
                used.retain(|used| !is_part(used, &module) && !is_part(&module, used));
                edges.entry(module).or_default().extend(used);
            }
            let circle = circle(edges);
            assert!(circle.is_empty(), "see ARCHITECTURE.md: {root}:\n{}", circle.join("\n"));
        }
    }
}

/// Returns the innermost module that a path in the code names.
fn known<'a>(path: &'a str, modules: &BTreeSet<String>) -> Option<&'a str> {
    let ends = path.match_indices("::").map(|(at, _)| at).chain([path.len()]);
    ends.map(|end| &path[..end]).filter(|name| modules.contains(*name)).last()
}

fn is_part(inner: &str, outer: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Returns the modules that use each other in a cycle: those that remain when every module is
/// removed again and again that uses, or is used by, nothing that is left.
fn circle(mut edges: BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    while let Some(end) = edges.iter().find_map(|(module, used)| {
        let is_used = edges.values().any(|used| used.contains(module));
        let uses_any = used.iter().any(|used| edges.contains_key(used));
        (!is_used || !uses_any).then(|| module.clone())
    }) {
        edges.remove(&end);
    }
    let left: BTreeSet<_> = edges.keys().cloned().collect();
    edges.iter().map(|(module, used)| format!("{module} uses {:?}", used & &left)).collect()
}

#[test]
fn imports_are_read_by_crate_and_by_super() {
    let rows = [
        ("verbs/dist.rs", "use crate::build::{archive};", "build::archive"),
        (
            "verbs/dist.rs",
            "use crate::build::archive::{self, Entry};",
            "build::archive::self build::archive::Entry",
        ),
        (
            "verbs/dist.rs",
            "use super::upload::{self, Options};",
            "verbs::upload::self verbs::upload::Options",
        ),
        ("verbs/dist.rs", "let _ = super::upload::run();", "verbs::upload::run"),
        ("build/stamp/mod.rs", "use super::archive;", "build::archive"),
        (
            "build/stamp/elf.rs",
            "use super::{\n    macho::{A, b},\n    signature,\n};",
            "build::stamp::macho::A build::stamp::macho::b build::stamp::signature",
        ),
        ("build/stamp/elf.rs", "pub(super) fn f() { $crate::x(); }", ""),
    ];
    for (path, code, expected) in rows {
        let expected = expected.split_whitespace().map(str::to_owned).collect::<BTreeSet<_>>();
        assert_eq!(uses(path, code), expected, "{path}: {code}");
    }
    let edges = [("a", ["b"]), ("b", ["c"]), ("c", ["b"])];
    let edges = edges.map(|(from, to)| (from.to_owned(), to.map(str::to_owned).into()));
    assert_eq!(circle(edges.into()), ["b uses {\"c\"}", "c uses {\"b\"}"]);
}

/// Paths below xtask/src, a word that the code there must not contain, and what to do instead.
/// Tests may contain it.
const FORBIDDEN: [(&str, &str, &str); 15] = [
    ("model/", "std::env", "take the value as an argument"),
    ("model/", "std::fs", "take the text as an argument"),
    ("model/", "std::net", "the network belongs in foundation/s3"),
    ("model/", "std::process", "processes belong in system/"),
    ("model/", "SystemTime", "take the time as an argument"),
    ("", "env::var", "ask the Env that main has read"),
    ("", "env::current_dir", "ask the Env that main has read"),
    ("", "env!(\"CARGO_MANIFEST_DIR\")", "another repository's xtask was built elsewhere"),
    ("", "super::super::", "write `crate::`, which these tests read"),
    ("", "set_current_dir", "folders are arguments: give the child its own"),
    ("", "process::exit", "return an error: main decides about exit codes"),
    ("", "static mut", "xtask is a library: no globals"),
    ("", "OnceLock", "xtask is a library: no globals"),
    ("", "LazyLock", "xtask is a library: no globals"),
    ("", "thread_local!", "xtask is a library: no globals"),
];

#[test]
fn xtask_is_a_library_whose_model_is_data() {
    let mut wrong = Vec::new();
    for (path, code) in sources(XTASK) {
        let is_door = path == "system/env.rs";
        for (folder, word, instead) in FORBIDDEN {
            let is_meant = path.starts_with(folder) && !(is_door && word.starts_with("env::"));
            if is_meant && code.contains(word) {
                wrong.push(format!("xtask/src/{path}: `{word}`: {instead}"));
            }
        }
    }
    assert_none(&wrong);
}

/// Returns the path below `root` and the code of each file, without tests and comments.
fn sources(root: &str) -> Vec<(String, String)> {
    let rust = files().into_iter().filter_map(|path| {
        let inner = path.strip_prefix(root)?;
        inner.strip_suffix(".rs").is_some().then(|| (inner.to_owned(), read(&path)))
    });
    let (mut sources, mut for_tests) = (rust.collect::<Vec<_>>(), BTreeSet::new());
    for (path, text) in &mut sources {
        let folder = Path::new(&path).parent().expect("a file lies in a folder");
        for line in text.split("#[cfg(test)]\n").skip(1).filter_map(|rest| rest.lines().next()) {
            let module = line.strip_suffix(';').and_then(|line| line.split_once("mod "));
            for_tests.extend(module.map(|(_, module)| folder.join(module).display().to_string()));
        }
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().lines();
        let code = code.filter(|line| !line.trim_start().starts_with("//"));
        *text = code.collect::<Vec<_>>().join("\n");
    }
    sources.retain(|(path, _)| !for_tests.contains(path.trim_end_matches(".rs")));
    sources
}

/// The sources of xtask.
const XTASK: &str = "xtask/src/";

/// Returns the module of a file of a crate, as its names from the outermost on.
fn module(path: &str) -> Vec<&str> {
    let mut names: Vec<_> = path.trim_end_matches(".rs").split('/').collect();
    names.pop_if(|name| *name == "mod");
    names
}

/// Returns what a file names by `crate::` and `super::`, as paths below the crate.
fn uses(path: &str, code: &str) -> BTreeSet<String> {
    let module = module(path);
    let parent = &module[..module.len() - 1];
    let mut used = BTreeSet::new();
    let parent: String = parent.iter().flat_map(|name| [*name, "::"]).collect();
    for (begin, base) in [("crate::", ""), ("super::", &parent)] {
        for (at, begin) in code.match_indices(begin) {
            if !code[..at].ends_with(|c: char| c.is_alphanumeric() || "_$:".contains(c)) {
                used.extend(names(base, &code[at + begin.len()..]));
            }
        }
    }
    used
}

/// Reads the paths at the beginning of the text of an import: `a::b`, or several of them in braces.
fn names(base: &str, text: &str) -> Vec<String> {
    let is_end = |c: char| !(c.is_alphanumeric() || c == '_' || c == ':');
    let end = text.find(is_end).unwrap_or(text.len());
    let name = format!("{base}{}", &text[..end]);
    let Some(list) =
        text[end..].strip_prefix('{').filter(|_| name.is_empty() || name.ends_with("::"))
    else {
        return vec![name];
    };
    let (mut depth, mut begin, mut found) = (0, 0, Vec::new());
    for (at, c) in list.char_indices() {
        if depth == 0 && ",}".contains(c) {
            let item = list[begin..at].trim();
            if !item.is_empty() {
                found.extend(names(&name, item));
            }
            begin = at + 1;
        }
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            _ => {}
        }
    }
    found
}

/// A folder of crates, the folders they may depend on, and those that their tests may use besides.
const CRATES: [(&str, &[&str], &[&str]); 4] = [
    ("foundation", &["foundation"], &[]),
    ("services", &["foundation"], &["tools"]),
    ("tools", &["foundation", "tools", "xtask"], &[]),
    ("xtask", &["foundation", "xtask"], &["tools"]),
];

#[test]
fn crates_of_the_workspace_depend_downwards() {
    let metadata = cargo("metadata --no-deps --format-version 1");
    let metadata: Value = serde_json::from_str(&metadata).expect("cargo metadata prints JSON");
    let folder = |path: &Value| {
        let path = Path::new(path.as_str().expect("a path")).strip_prefix(root()).expect("ours");
        path.components().next().expect("a folder").as_os_str().to_string_lossy().into_owned()
    };
    let mut wrong = Vec::new();
    for package in metadata["packages"].as_array().expect("packages") {
        let (name, from) = (&package["name"], folder(&package["manifest_path"]));
        let (_, normal, test) = CRATES.iter().find(|(known, ..)| *known == from).expect(&from);
        let dependencies = package["dependencies"].as_array().expect("dependencies");
        for dependency in dependencies.iter().filter(|one| one["path"].is_string()) {
            let to = folder(&dependency["path"]);
            let is_for_tests = dependency["kind"] == "dev" && test.contains(&to.as_str());
            if !normal.contains(&to.as_str()) && !is_for_tests {
                wrong.push(format!("{name} must not depend on {}, in {to}/", dependency["name"]));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn a_first_cargo_xtask_compiles_no_heavy_crate() {
    const HEAVY: [&str; 8] =
        ["aws-sdk-s3", "clap", "hyper", "local-s3", "openssl", "reqwest", "s3s", "tokio"];
    let line = "tree --locked --offline --package bowline-xtask --edges normal,build --prefix none";
    let tree = cargo(line);
    let names: BTreeSet<_> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains("ureq"), "cargo tree lists what xtask depends on:\n{tree}");
    let heavy: Vec<_> = HEAVY.iter().filter(|name| names.contains(**name)).collect();
    assert!(heavy.is_empty(), "see `cargo tree -p bowline-xtask -e normal -i NAME`: {heavy:?}");
}

fn cargo(line: &str) -> String {
    let mut cargo = Command::new(env!("CARGO"));
    run(cargo.args(line.split(' ')).current_dir(root()), line).exits(0).stdout
}

#[test]
fn files_of_the_repository_keep_to_its_rules() {
    let homes = ["home", "Users", "root"].map(|folder| format!("/{folder}/"));
    let scripts = ["sh", "bash", "py", "pl", "rb", "js", "ps1", "bat", "mk"];
    let mut wrong = Vec::new();
    for path in files() {
        let bytes = std::fs::read(root().join(&path)).expect("a file that git lists");
        let text = String::from_utf8_lossy(&bytes);
        let ending = Path::new(&path).extension().and_then(|it| it.to_str()).unwrap_or_default();
        let mut check = |is_wrong: bool, why: &str| {
            if is_wrong {
                wrong.push(format!("{path}: {why}"));
            }
        };
        check(homes.iter().any(|home| text.contains(home)), "holds a path of one machine");
        let is_script = scripts.contains(&ending)
            || path.to_lowercase().ends_with("makefile")
            || (text.starts_with("#!") && !text.starts_with("#![") && path != ".ci/run");
        check(is_script, "is a script: make it a verb of xtask, or a test");
        check(ending == "rs" && !text.starts_with("//! "), "does not begin with `//! ` and why");
        // A root of a workspace that is no package has no lints of its own.
        let is_manifest = path.ends_with("/Cargo.toml")
            && text.contains("[package]\n")
            && !path.contains("/tests/data/");
        let has_lints = text.contains("[lints]\nworkspace = true\n");
        check(is_manifest && !has_lints, "lacks `[lints]` with `workspace = true`");
    }
    let (mut section, mut above) = ("", "");
    let text = read("xtask/Cargo.toml");
    for line in text.lines() {
        if line.starts_with('[') {
            section = line;
        } else if section.contains("dependencies") && line.contains('=') && !above.starts_with('#')
        {
            wrong.push(format!("xtask/Cargo.toml: `{line}`: write above it what it is for"));
        }
        above = line;
    }
    assert_none(&wrong);
}

/// ureq changes what lies below `unversioned` with any minor release, so a requirement that takes releases which
/// nobody has tried breaks the builds of other repositories, whose lock files are their own.
#[test]
fn what_uses_interfaces_without_a_version_takes_no_untried_release() {
    let uses = files().into_iter().filter(|path| {
        Path::new(path).extension().is_some_and(|ending| ending == "rs")
            && !path.starts_with("xtask/tests/")
            && read(path).contains("ureq::unversioned")
    });
    let folders: BTreeSet<_> =
        uses.filter_map(|path| Some(path.split_once("/src/")?.0.to_owned())).collect();
    assert!(folders.contains("foundation/s3"), "{folders:?}");
    let metadata = cargo("metadata --no-deps --format-version 1");
    let metadata: Value = serde_json::from_str(&metadata).expect("cargo metadata prints JSON");
    for package in metadata["packages"].as_array().expect("packages") {
        let path = package["manifest_path"].as_str().expect("a path");
        if !folders.iter().any(|folder| path.ends_with(&format!("{folder}/Cargo.toml"))) {
            continue;
        }
        let dependencies = package["dependencies"].as_array().expect("dependencies");
        let ureq = dependencies.iter().find(|one| one["name"] == "ureq").expect("ureq");
        let requirement = ureq["req"].as_str().expect("a requirement");
        let newest = requirement.split('<').nth(1).map(str::trim);
        let minor = newest.and_then(|newest| newest.strip_prefix("3.")?.parse::<u32>().ok());
        assert!(minor.is_some(), "{path}: ureq {requirement} has no bound such as <3.6");
    }
}

#[track_caller]
fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "see ARCHITECTURE.md:\n{}", wrong.join("\n"));
}
