//! Checks that `dist` uses what an earlier build on this machine made where nothing differs, and never where a build
//! would give something else.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::support::{Repo, host, root, run, target_dir};

/// Makes a repository that needs nothing outside of it, with services that print a line and their stamp.
pub(crate) fn repository(services: &[&str]) -> Repo {
    let repo = Repo::new(services);
    let stamp =
        "[package]\nname = \"bowline-stamp\"\nedition = \"2024\"\n\n[lib]\nname = \"stamp\"\n";
    repo.write("stamp/Cargo.toml", stamp);
    for file in ["lib.rs", "format.rs"] {
        let text = std::fs::read_to_string(root().join("foundation/stamp/src").join(file)).unwrap();
        repo.write(&format!("stamp/src/{file}"), &text);
    }
    for service in services {
        let toml = format!(
            "[package]\nname = \"{service}\"\nedition = \"2024\"\n\n[dependencies]\n\
             bowline-stamp = {{ path = \"../../stamp\" }}\n"
        );
        repo.write(&format!("services/{service}/Cargo.toml"), &toml);
        say(&repo, service, "\"first\"");
    }
    repo.lock();
    repo.commit("services");
    repo
}

/// Has a service print an expression.
pub(crate) fn say(repo: &Repo, service: &str, said: &str) {
    let main = format!(
        "fn main() {{\n    let _ = stamp::line(\"\");\n    println!(\"{{}}\", {said});\n}}\n"
    );
    repo.write(&format!("services/{service}/src/main.rs"), &main);
}

/// Runs `dist --why` and returns its decisions: `kept    a for linux_amd64: nothing differs` without the platform.
pub(crate) fn dist(repo: &Repo, more: &str) -> Vec<String> {
    let line = format!("dist --why --platforms {} {more}", host());
    let printed = repo.xtask(&line).exits(0).stdout;
    let platform = format!(" for {}", host());
    let lines = printed.lines().filter(|line| line.contains(&format!("{platform}: ")));
    lines.map(|line| line.replace(&platform, "")).collect()
}

#[track_caller]
pub(crate) fn is_said(repo: &Repo, service: &str, expected: &str) {
    let binary = binary(repo, service);
    assert_eq!(run(&mut Command::new(binary), service).exits(0).stdout.trim(), expected);
}

pub(crate) fn binary(repo: &Repo, service: &str) -> PathBuf {
    repo.path().join("pkg/snapshot").join(host().as_str()).join(service)
}

pub(crate) fn archive(repo: &Repo, service: &str) -> PathBuf {
    repo.path().join("pkg/snapshot").join(format!("{service}_{}.tar.gz", host()))
}

/// What tells a file that was left alone from one that was written again.
fn identity(path: &Path) -> (u64, i64, i64) {
    let found = path.metadata().unwrap();
    (found.ino(), found.mtime(), found.mtime_nsec())
}

/// Finds a file below the target folders of `dist`, whichever standard library there is.
fn in_target(path: &str) -> PathBuf {
    let folders = std::fs::read_dir(target_dir().join("dist")).unwrap();
    let found = folders.map(|folder| folder.unwrap().path().join(path)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("no {path}"))
}

#[test]
fn the_same_commit_is_kept_and_another_one_gets_a_new_stamp_alone() {
    let repo = repository(&["reused-one", "reused-two"]);
    repo.write("services/reused-one/README.md", "one\n");
    repo.commit("a file beside the binary");
    dist(&repo, "");
    let kept = ["kept    reused-one: nothing differs", "kept    reused-two: nothing differs"];
    let files = [archive(&repo, "reused-one"), binary(&repo, "reused-one")];
    let manifest = repo.path().join("pkg/snapshot/manifest.json");
    let before = (identity(&files[0]), identity(&files[1]), identity(&manifest));
    assert_eq!(dist(&repo, ""), kept);
    let after = (identity(&files[0]), identity(&files[1]), identity(&manifest));
    assert_eq!(before, after, "files that stay are not written");

    repo.commit("nothing");
    let again = dist(&repo, "");
    assert!(again[0].starts_with("reused  reused-one: version "), "{again:?}");
    let reused = [0, 1].map(|at| std::fs::read(&files[at]).unwrap());
    let manifest = repo.manifest();
    let built = dist(&repo, "--no-reuse");
    assert_eq!(built[0], "built   reused-one: --no-reuse");
    assert!(reused == [0, 1].map(|at| std::fs::read(&files[at]).unwrap()), "equal byte for byte");
    assert_eq!(repo.manifest(), manifest);

    say(&repo, "reused-one", "\"second\"");
    repo.write("services/reused-two/README.md", "new\n");
    let head = repo.commit("one service, and a file beside the other's binary");
    let decisions = dist(&repo, "");
    assert_eq!(decisions[0], "built   reused-one: services/reused-one/src/main.rs");
    // The file may be compiled in, for all that anybody knows.
    assert_eq!(decisions[1], "built   reused-two: services/reused-two/README.md (added)");
    is_said(&repo, "reused-one", "second");
    let stamp = repo.xtask(&format!("stamp {}", archive(&repo, "reused-two").display()));
    stamp.exits(0).prints(&head);
    std::fs::remove_file(archive(&repo, "reused-two")).unwrap();
    let decisions = dist(&repo, "");
    assert!(decisions[1].ends_with("tar.gz is not there"), "{decisions:?}");
    assert!(archive(&repo, "reused-two").is_file());
}

#[test]
fn what_is_damaged_or_of_another_checkout_is_never_used() {
    let repo = repository(&["damaged"]);
    dist(&repo, "");
    let record = format!("release/{}/damaged.json", host());
    let linked = format!("{}/release/damaged", host().triple());
    let truncate = |path: PathBuf| {
        let file = File::options().write(true).open(path).unwrap();
        file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    };
    truncate(in_target(&record));
    assert_eq!(dist(&repo, ""), ["built   damaged: no build of it is known here"]);

    let original = std::fs::read(binary(&repo, "damaged")).unwrap();
    std::fs::write(archive(&repo, "damaged"), "not an archive").unwrap();
    assert_eq!(
        dist(&repo, ""),
        ["reused  damaged: damaged_linux_amd64.tar.gz is not there"
            .replace("linux_amd64", host().as_str())]
    );
    std::fs::write(binary(&repo, "damaged"), "not a program").unwrap();
    dist(&repo, "");
    assert!(std::fs::read(binary(&repo, "damaged")).unwrap() == original, "written again");

    // Cargo would not notice: it looks at times, and these files are young.
    truncate(in_target(&linked));
    repo.commit("nothing");
    let said = repo.xtask(&format!("dist --why --platforms {}", host()));
    assert!(said.stdout.contains("is not what the last build made"), "{}", said.stdout);

    let other = Repo::clone_of(repo.path());
    say(&other, "damaged", "\"other\"");
    other.commit("another program");
    let decisions = dist(&other, "");
    assert!(decisions[0].starts_with("built   damaged: built last in "), "{decisions:?}");
    is_said(&other, "damaged", "other");
    let decisions = dist(&repo, "");
    assert!(decisions[0].starts_with("built   damaged: built last in "), "{decisions:?}");
    is_said(&repo, "damaged", "first");

    // Back to what was built before, with times that say nothing.
    say(&repo, "damaged", "\"later\"");
    dist(&repo, "");
    is_said(&repo, "damaged", "later");
    say(&repo, "damaged", "\"first\"");
    let main = repo.path().join("services/damaged/src/main.rs");
    let file = File::options().append(true).open(main).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_500_000_000)).unwrap();
    assert_eq!(dist(&repo, ""), ["built   damaged: services/damaged/src/main.rs"]);
    is_said(&repo, "damaged", "first");
}

#[test]
fn what_cargo_would_notice_is_noticed_without_cargo() {
    let service = "noticing";
    let mut repo = repository(&[service]);
    // In the sandbox, a build does not find what this one reads. Where another program runs rustc, there is none.
    repo.set("RUSTC_WRAPPER", "/usr/bin/env");
    repo.write(".gitignore", "/target\n/pkg\n*.ignored\n");
    let path = "services/noticing/a.ignored";
    let said = "format!(\"{} {} {}\", include_str!(\"../a.ignored\"), env!(\"SCRIPT\"), \
                option_env!(\"NOTICED\").unwrap_or(\"unset\"))";
    say(&repo, service, said);
    let script = |directive: &str| {
        format!(
            "fn main() {{\n    {directive}\n    let said = std::fs::read_to_string(\"b.ignored\").unwrap();\n    \
             println!(\"cargo::rustc-env=SCRIPT={{said}}\");\n}}\n"
        )
    };
    repo.write("services/noticing/build.rs", &script(""));
    repo.write(path, "a1");
    repo.write("services/noticing/b.ignored", "b1");
    repo.commit("reads what git ignores");
    dist(&repo, "");
    is_said(&repo, service, "a1 b1 unset");
    assert_eq!(dist(&repo, ""), ["kept    noticing: nothing differs"]);

    // A script that says nothing may read anything in its folder.
    repo.write("services/noticing/b.ignored", "b2");
    let decisions = dist(&repo, "");
    assert!(decisions[0].ends_with("services/noticing, which the build read"), "{decisions:?}");
    let named = "println!(\"cargo::rerun-if-changed=b.ignored\");";
    repo.write("services/noticing/build.rs", &script(named));
    repo.commit("names what it reads");
    dist(&repo, "");
    is_said(&repo, service, "a1 b2 unset");
    for (file, text, expected) in
        [("a.ignored", "a2", "a2 b2 unset"), ("b.ignored", "b3", "a2 b3 unset")]
    {
        repo.write(&format!("services/noticing/{file}"), text);
        let decisions = dist(&repo, "");
        assert!(decisions[0].ends_with(&format!("{file}, which the build read")), "{decisions:?}");
        is_said(&repo, service, expected);
    }
    repo.set("NOTICED", "set");
    assert_eq!(dist(&repo, ""), ["built   noticing: env NOTICED, which the build read"]);
    is_said(&repo, service, "a2 b3 set");
    repo.write("services/noticing/other.ignored", "nobody reads it");
    assert_eq!(dist(&repo, ""), ["kept    noticing: nothing differs"]);
    // It asks to be run each time.
    let always = format!("{named}\n    println!(\"cargo::rerun-if-changed=absent\");");
    repo.write("services/noticing/build.rs", &script(&always));
    repo.commit("names what is not there");
    for _ in 0..2 {
        assert!(dist(&repo, "")[0].starts_with("built   noticing: "));
    }
}
