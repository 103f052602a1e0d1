//! Changes every input of a build key in turn and sees the key move, and what is none and sees it stay. Nothing is
//! compiled.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;

use crate::support::{Repo, host};

/// A file that the service includes, and of which git makes another one by attributes.
const SAID: &str = "services/keyed-billing/src/said.txt";

/// A change of the repository or of its surroundings.
type Change = fn(&mut Repo);

/// The keys by service.
fn keys(repo: &Repo) -> BTreeMap<String, String> {
    let line = format!("dist --dry-run --why --json --platforms {}", host());
    let plan = repo.xtask(&line).exits(0).json();
    let rows = plan["why"].as_array().expect("a decision for each service");
    let key = |row: &serde_json::Value| {
        let key = row["key"].as_str().unwrap_or_else(|| panic!("no key: {row}"));
        (row["service"].as_str().unwrap().to_owned(), key.to_owned())
    };
    rows.iter().map(key).collect()
}

/// Appends to a file.
fn append(repo: &Repo, path: &str, text: &str) {
    let before = std::fs::read_to_string(repo.path().join(path)).unwrap_or_default();
    repo.write(path, &(before + text));
}

/// Replaces a part of a file that is there.
#[track_caller]
fn replace(repo: &Repo, path: &str, from: &str, to: &str) {
    let before = std::fs::read_to_string(repo.path().join(path)).unwrap();
    assert!(before.contains(from), "{path} has no {from:?}: {before}");
    repo.write(path, &before.replace(from, to));
}

/// Writes a crate as a registry would serve it.
fn write_registry_crate(repo: &Repo, name: &str, version: &str) {
    let folder = format!("registry/{name}");
    let features = "[features]\nextra = []\n";
    let toml = format!("[package]\nname = \"{name}\"\nversion = \"{version}\"\n{features}");
    repo.write(&format!("{folder}/Cargo.toml"), &toml);
    repo.write(&format!("{folder}/src/lib.rs"), "");
    let digit = version.chars().last().unwrap().to_string();
    let checksum = format!("{{\"files\":{{}},\"package\":\"{}\"}}", digit.repeat(64));
    repo.write(&format!("{folder}/.cargo-checksum.json"), &checksum);
}

/// Gives the text files attributes, and lets git write the file anew that the service includes.
fn set_attribute(repo: &Repo, attribute: &str) {
    repo.write(".gitattributes", &format!("*.txt {attribute}\n"));
    repo.remove(SAID);
    repo.git(&["checkout", "--quiet", "--", SAID]);
}

/// Makes a repository whose service `keyed-billing` has an input of every kind, beside `keyed-other`.
fn repository() -> (Repo, Repo) {
    let library = Repo::empty();
    library.git(&["init", "--quiet", "--initial-branch", "main"]);
    library.write("Cargo.toml", "[package]\nname = \"inner\"\nedition = \"2024\"\n");
    library.write("src/lib.rs", "");
    library.commit("first");

    let repo = Repo::empty();
    repo.git(&["init", "--quiet", "--initial-branch", "main"]);
    repo.write(
        "Cargo.toml",
        "[workspace]\nresolver = \"3\"\nmembers = [\"services/*\", \"libs/*\"]\nexclude = [\"registry\"]\n\n\
         [workspace.metadata.xtask]\nbucket = \"builds\"\n\n\
         [workspace.dependencies]\nused = \"1\"\nunused = { path = \"libs/testing\", package = \"testing\" }\n\n\
         [profile.release]\nopt-level = 0\n\n[profile.dev]\ndebug = false\n",
    );
    repo.write(".gitignore", "/target\n/pkg\n*.ignored\n");
    let source = "[source.crates-io]\nreplace-with = \"folder\"\n[source.folder]\ndirectory = \"registry\"\n";
    repo.write(".cargo/config.toml", source);
    write_registry_crate(&repo, "used", "1.0.0");
    write_registry_crate(&repo, "testhelp", "1.0.0");
    repo.write(
        "services/keyed-billing/Cargo.toml",
        "[package]\nname = \"keyed-billing\"\nedition = \"2024\"\n\n\
         [package.metadata.xtask]\ninputs = [\"../../proto/**\"]\nignore = [\"README.md\", \"tests/**\"]\n\
         env = [\"SQLX_OFFLINE\"]\n\n\
         [dependencies]\nused.workspace = true\nshared = { path = \"../../libs/shared\" }\n\
         inner = { path = \"../../inner\" }\n\n\
         [dev-dependencies]\ntesthelp = \"1\"\ntesting = { path = \"../../libs/testing\" }\n",
    );
    let main = "fn main() {\n    println!(include_str!(\"said.txt\"));\n}\n";
    repo.write("services/keyed-billing/src/main.rs", main);
    repo.write(SAID, "said $Id$\n");
    repo.write("services/keyed-billing/build.rs", "fn main() {}\n");
    repo.write("services/keyed-billing/README.md", "read me\n");
    repo.write("services/keyed-billing/tests/it.rs", "");
    let linked = repo.path().join("services/keyed-billing/linked");
    std::os::unix::fs::symlink("../../linked", linked).unwrap();
    repo.write("linked/a.txt", "a\n");
    repo.write("proto/deep/a.proto", "message A {}\n");
    let other = "[package]\nname = \"keyed-other\"\nedition = \"2024\"\n";
    repo.write("services/keyed-other/Cargo.toml", other);
    repo.write("services/keyed-other/src/main.rs", "fn main() {}\n");
    for name in ["shared", "testing"] {
        let toml = format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n");
        let table = "\n[package.metadata.xtask]\ninputs = [\"../../schema\"]\nignore = [\"NOTES.md\"]\n\
                     env = [\"SHARED_MODE\"]\n";
        let table = if name == "shared" { table } else { "" };
        repo.write(&format!("libs/{name}/Cargo.toml"), &(toml + table));
        repo.write(&format!("libs/{name}/src/lib.rs"), "");
    }
    repo.write("libs/shared/NOTES.md", "notes\n");
    repo.write("schema/a.sql", "select 1;\n");
    let url = library.path().display().to_string();
    repo.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &url, "inner"]);
    repo.lock();
    repo.commit("first");
    (repo, library)
}

/// Changes that move the key of the service, and not that of the other one.
const MOVES_ONE: [(&str, Change); 26] = [
    ("a source file", |r| append(r, "services/keyed-billing/src/main.rs", "// more\n")),
    ("a file that is included", |r| append(r, SAID, "more")),
    ("a build script", |r| append(r, "services/keyed-billing/build.rs", "// more\n")),
    ("an untracked file", |r| r.write("services/keyed-billing/data.txt", "new")),
    ("a removed file", |r| r.remove("services/keyed-billing/build.rs")),
    ("an executable file", |r| {
        let path = r.path().join(SAID);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }),
    ("a file behind a link to a folder", |r| append(r, "linked/a.txt", "b")),
    ("where a link leads", |r| {
        r.remove("services/keyed-billing/linked");
        let link = r.path().join("services/keyed-billing/linked");
        std::os::unix::fs::symlink("../../proto", link).unwrap();
    }),
    ("a feature of a dependency", |r| {
        let with = "used = { workspace = true, features = [\"extra\"] }";
        replace(r, "services/keyed-billing/Cargo.toml", "used.workspace = true", with);
    }),
    ("a dependency of the workspace", |r| {
        let with = "used = { version = \"1\", features = [\"extra\"] }";
        replace(r, "Cargo.toml", "used = \"1\"\n", &format!("{with}\n"));
    }),
    ("a package that it uses", |r| append(r, "libs/shared/src/lib.rs", "// more\n")),
    ("a file in a submodule", |r| append(r, "inner/src/lib.rs", "// more\n")),
    ("another commit of a submodule", |r| {
        append(r, "inner/src/lib.rs", "// more\n");
        r.git(&["-C", "inner", "commit", "--quiet", "--all", "--message", "more"]);
    }),
    ("a file that `inputs` names", |r| append(r, "proto/deep/a.proto", "more")),
    ("a new file that `inputs` names", |r| r.write("proto/b.proto", "new")),
    ("a variable that `env` names", |r| r.set("SQLX_OFFLINE", "true")),
    ("a file that `inputs` of a library names", |r| append(r, "schema/a.sql", "-- more\n")),
    ("a variable that `env` of a library names", |r| r.set("SHARED_MODE", "fast")),
    ("a locked version", |r| {
        write_registry_crate(r, "used", "1.0.1");
        r.lock();
    }),
    ("a locked checksum", |r| {
        let checksum = "1".repeat(64);
        replace(r, "registry/used/.cargo-checksum.json", &"0".repeat(64), &checksum);
        let lock = std::fs::read_to_string(r.path().join("Cargo.lock")).unwrap();
        let at = lock.find("name = \"used\"").unwrap();
        let (before, used) = lock.split_at(at);
        let used = used.replacen(&"0".repeat(64), &checksum, 1);
        r.write("Cargo.lock", &format!("{before}{used}"));
    }),
    ("features that its table asks for", |r| {
        let table = "[package.metadata.xtask]\n";
        let with = format!("{table}features = [\"own\"]\n");
        replace(r, "services/keyed-billing/Cargo.toml", table, &with);
        append(r, "services/keyed-billing/Cargo.toml", "[features]\nown = []\n");
    }),
    ("the attribute eol", |r| set_attribute(r, "text eol=crlf")),
    ("the attribute ident", |r| set_attribute(r, "ident")),
    ("the attribute working-tree-encoding", |r| {
        set_attribute(r, "text working-tree-encoding=UTF-16LE-BOM");
    }),
    ("the attribute filter", |r| {
        r.git(&["config", "filter.loud.smudge", "sed s/said/SAID/"]);
        r.git(&["config", "filter.loud.clean", "sed s/SAID/said/"]);
        set_attribute(r, "filter=loud");
    }),
    ("a file that git is told not to look at", |r| {
        let path = "services/keyed-billing/src/main.rs";
        r.git(&["update-index", "--assume-unchanged", path]);
        append(r, path, "// more\n");
    }),
];

/// Changes that move the keys of all services.
const MOVES_ALL: [(&str, Change); 9] = [
    ("the profile", |r| replace(r, "Cargo.toml", "opt-level = 0", "opt-level = 1")),
    ("cargo's configuration", |r| {
        append(r, ".cargo/config.toml", "[build]\nrustflags = [\"-Cdebuginfo=1\"]\n");
    }),
    ("cargo's configuration, included", |r| {
        r.write("settings.toml", "[build]\nrustflags = [\"-Cdebuginfo=1\"]\n");
        let config = std::fs::read_to_string(r.path().join(".cargo/config.toml")).unwrap();
        r.write(".cargo/config.toml", &format!("include = [\"../settings.toml\"]\n{config}"));
    }),
    ("a flag of the machine", |r| r.set("RUSTFLAGS", "-Cdebuginfo=1")),
    ("a wrapper of rustc", |r| r.set("RUSTC_WRAPPER", "/usr/bin/env")),
    ("the floor of glibc", |r| r.add_to_table("glibc = \"2.28\"\nmacos = \"12.0\"")),
    ("a variable that all name", |r| {
        r.add_to_table("env = [\"ALL\"]");
        r.set("ALL", "1");
    }),
    ("a file that all name", |r| {
        r.add_to_table("inputs = [\"common\"]");
        r.write("common/a.txt", "new");
    }),
    ("the resolver", |r| replace(r, "Cargo.toml", "resolver = \"3\"", "resolver = \"2\"")),
];

/// Changes that move no key.
const STAYS: [(&str, Change); 14] = [
    ("a file that `ignore` names", |r| append(r, "services/keyed-billing/README.md", "more")),
    ("a file that `ignore` of a library names", |r| append(r, "libs/shared/NOTES.md", "more")),
    ("tests that `ignore` names", |r| append(r, "services/keyed-billing/tests/it.rs", "// more\n")),
    ("a file that git ignores", |r| r.write("services/keyed-billing/x.ignored", "new")),
    ("a dependency of tests", |r| append(r, "libs/testing/src/lib.rs", "// more\n")),
    ("a locked dependency of tests", |r| {
        write_registry_crate(r, "testhelp", "1.0.1");
        r.lock();
    }),
    ("a dependency of the workspace that is not used", |r| {
        replace(
            r,
            "Cargo.toml",
            "package = \"testing\" }",
            "package = \"testing\", optional = false }",
        );
    }),
    ("another profile", |r| replace(r, "Cargo.toml", "debug = false", "debug = true")),
    ("a variable that nobody names", |r| r.set("NOBODYS", "1")),
    ("a file of no package", |r| r.write("docs/page.md", "new")),
    ("where archives go", |r| replace(r, "Cargo.toml", "\"builds\"", "\"others\"")),
    ("a new commit", |r| drop(r.commit("nothing"))),
    ("another commit of a submodule, with the same files", |r| {
        r.git(&["-C", "inner", "commit", "--quiet", "--allow-empty", "--message", "nothing"]);
    }),
    ("times of files", |r| {
        let path = r.path().join("services/keyed-billing/src/main.rs");
        let file = std::fs::File::options().append(true).open(path).unwrap();
        let time = std::time::Duration::from_secs(1_500_000_000);
        file.set_modified(std::time::SystemTime::UNIX_EPOCH + time).unwrap();
    }),
];

#[test]
fn every_input_moves_the_key_and_nothing_else_does() {
    let (mut repo, _library) = repository();
    let before = keys(&repo);
    assert_eq!(before.keys().collect::<Vec<_>>(), ["keyed-billing", "keyed-other"]);
    let head = repo.git(&["rev-parse", "HEAD"]);
    let inner_head = repo.git(&["-C", "inner", "rev-parse", "HEAD"]);
    let (one, all, none) = (["keyed-billing"].as_slice(), ["keyed-billing", "keyed-other"], []);
    let rows = (MOVES_ONE.iter().map(|row| (row, one)))
        .chain(MOVES_ALL.iter().map(|row| (row, all.as_slice())))
        .chain(STAYS.iter().map(|row| (row, none.as_slice())));
    let mut wrong = Vec::new();
    for ((name, change), expected) in rows {
        change(&mut repo);
        let after = keys(&repo);
        let moved: Vec<_> = before
            .iter()
            .filter(|(service, key)| after[*service] != **key)
            .map(|(s, _)| s)
            .collect();
        if moved != expected {
            wrong.push(format!("{name}: moved {moved:?}, expected {expected:?}"));
        }
        repo.git(&["update-index", "--no-assume-unchanged", "services/keyed-billing/src/main.rs"]);
        repo.git(&["clean", "-ffdxq"]);
        // Git does not see that an attribute made it another one.
        repo.remove(SAID);
        repo.git(&["reset", "--quiet", "--hard", &head]);
        repo.git(&["-C", "inner", "reset", "--quiet", "--hard", &inner_head]);
        repo.unset_all();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(keys(&repo), before, "the changes are undone");
}

#[test]
fn what_lies_outside_the_repository_has_no_key_and_a_wrong_pattern_is_said() {
    let (repo, library) = repository();
    let because = |repo: &Repo| {
        let line = format!("dist --dry-run --why --platforms {} keyed-other", host());
        let printed = repo.xtask(&line).exits(0).stdout;
        printed.lines().last().unwrap().to_owned()
    };
    assert!(because(&repo).starts_with("built   keyed-other for "), "{}", because(&repo));
    let toml = "services/keyed-other/Cargo.toml";
    append(&repo, toml, "[package.metadata.xtask]\ninputs = [\"../../prot/**\"]\n");
    assert!(because(&repo).ends_with("inputs = \"../../prot/**\" names no file of the repository"));
    replace(&repo, toml, "../../prot/**", "../../proto");
    assert!(keys(&repo).contains_key("keyed-other"));
    library.write("Cargo.toml", "[package]\nname = \"outer\"\nedition = \"2024\"\n\n[workspace]\n");
    let dir = library.path().display();
    append(&repo, toml, &format!("[dependencies]\nouter = {{ path = \"{dir}\" }}\n"));
    repo.lock();
    let said = because(&repo);
    assert!(said.ends_with("is no part of the repository"), "{said}");
}
