//! Tests `vendor` with a real cargo, a crate of crates.io and a path dependency.

pub(crate) mod changes;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Repo, host, run};

const CONFIG: &str = "# Ours.\n[alias]\nhello = \"run\"\n";

/// Makes a repository with one service that uses `itoa` of crates.io, and the stamp by path.
pub(crate) fn repo(name: &str) -> Repo {
    let repo = Repo::new(&[name]);
    repo.write(".cargo/config.toml", CONFIG);
    repo.add_service(name, "[dependencies.itoa]\nversion = \"1\"");
    let main = format!(
        "fn main() {{\n    println!(\"{{}} {{}}\", stamp::line(\"{name}\"), itoa::Buffer::new().format(7));\n}}\n"
    );
    repo.write(&format!("services/{name}/src/main.rs"), &main);
    cargo(&repo, "generate-lockfile");
    cargo(&repo, "update --package itoa --precise 1.0.9");
    repo.commit("a dependency");
    repo
}

pub(crate) fn cargo(repo: &Repo, line: &str) {
    let arguments: Vec<_> = line.split(' ').collect();
    run(&mut repo.prepare(env!("CARGO"), &arguments), line).exits(0);
}

/// Returns every file below a folder, except git's own.
pub(crate) fn tree(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut files, mut open) = (BTreeMap::new(), vec![dir.to_owned()]);
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap().is_dir() {
                true if entry.file_name() == ".git" => {}
                true => open.push(entry.path()),
                false => drop(files.insert(entry.path(), std::fs::read(entry.path()).unwrap())),
            }
        }
    }
    files
}

#[test]
#[ignore = "asks crates.io"]
fn a_fresh_clone_with_nothing_downloaded_builds_what_was_vendored() {
    let repo = repo("vendored");
    let before = tree(repo.path());
    repo.xtask("vendor --check").exits(3).says("no vendored sources").says("cargo xtask vendor");
    let made = repo.xtask_in("services/vendored", "vendor").exits(0);
    made.prints("vendor/ holds the sources of").says("linux_arm64_musl with rustup's library");
    let text = std::fs::read_to_string(repo.path().join(".cargo/config.toml")).unwrap();
    assert!(text.starts_with(CONFIG) && text.contains("replace-with"), "{text}");
    let after = tree(repo.path());
    assert!(after.contains_key(&repo.path().join("vendor/itoa-1.0.9/src/lib.rs")));
    repo.xtask("vendor").exits(0);
    assert!(tree(repo.path()) == after, "again without a change differs");
    repo.xtask("vendor --check").exits(0).prints("vendor/ and Cargo.lock agree");
    repo.commit("vendored");

    let mut clone = Repo::clone_of(repo.path());
    let home = tempfile::tempdir().unwrap();
    clone.set("CARGO_HOME", home.path().to_str().unwrap());
    clone.set("CARGO_TARGET_DIR", crate::support::target_dir().to_str().unwrap());
    clone.xtask("vendor --check").exits(0);
    clone.xtask(&format!("dist --platforms {}", host())).exits(0);
    let binary = clone.path().join("pkg/snapshot").join(host().as_str()).join("vendored");
    let said = run(&mut Command::new(binary), "vendored").exits(0).stdout;
    assert!(said.starts_with("vendored ") && said.ends_with(" 7\n"), "{said}");
    assert!(!home.path().join("registry").exists(), "something was downloaded");

    repo.xtask("vendor --remove").exits(0).prints("removed vendor/");
    assert!(tree(repo.path()) == before, "--remove leaves something");
    repo.xtask("vendor --remove").exits(0).prints("no vendored sources");
}

#[test]
#[cfg(target_os = "linux")]
#[ignore = "takes the network away with unshare, which not every machine allows"]
fn a_vendored_repository_builds_without_a_network() {
    let repo = repo("offline");
    let tested =
        "\n#[test]\nfn seven() {\n    assert_eq!(itoa::Buffer::new().format(7), \"7\");\n}\n";
    let main = repo.path().join("services/offline/src/main.rs");
    let text = std::fs::read_to_string(&main).unwrap();
    std::fs::write(&main, text + tested).unwrap();
    repo.xtask("vendor").exits(0);
    repo.commit("vendored");
    let mut clone = Repo::clone_of(repo.path());
    let home = tempfile::tempdir().unwrap();
    clone.set("CARGO_HOME", home.path().to_str().unwrap());
    clone.xtask("setup").exits(0);

    // A namespace of its own has one interface, loopback, and that is down.
    let is_root = run(Command::new("id").arg("-u"), "id -u").exits(0).stdout.trim() == "0";
    let alone = if is_root { "unshare --net" } else { "unshare --map-root-user --net" };
    let offline = |program: &str, line: &str| {
        let line = format!("{alone} {program} {line}");
        let words: Vec<_> = line.split(' ').collect();
        run(&mut clone.prepare(words[0], &words[1..]), &line)
    };
    let reached = offline("cat", "/proc/net/dev").exits(0).stdout;
    assert_eq!(reached.lines().count(), 3, "two lines of titles, and loopback:\n{reached}");
    offline(env!("CARGO_BIN_EXE_xtask"), "dist").exits(0);
    offline(env!("CARGO"), "test --frozen").exits(0).prints("1 passed");
    assert!(!home.path().join("registry").exists(), "something was downloaded");
}

#[test]
#[ignore = "asks crates.io"]
fn check_lists_where_lock_file_folder_and_git_disagree() {
    let repo = repo("checked");
    repo.xtask("vendor").exits(0);
    repo.commit("vendored");
    let crate_dir = repo.path().join("vendor/itoa-1.0.9");
    let rows: [(&str, &dyn Fn(), &str); 6] = [
        (
            "changed",
            &|| repo.write("vendor/itoa-1.0.9/src/lib.rs", "//"),
            "vendor/itoa-1.0.9/src/lib.rs: changed",
        ),
        (
            "added",
            &|| repo.write("vendor/itoa-1.0.9/build.rs", "fn main() {}"),
            "vendor/itoa-1.0.9/build.rs: not of the package",
        ),
        (
            "file gone",
            &|| std::fs::remove_file(crate_dir.join("README.md")).unwrap(),
            "README.md: missing",
        ),
        ("gone", &|| std::fs::remove_dir_all(&crate_dir).unwrap(), "itoa 1.0.9: not in vendor/"),
        (
            "more",
            &|| repo.write("vendor/other-1.0.0/Cargo.toml", ""),
            "vendor/other-1.0.0: not in Cargo.lock",
        ),
        (
            "lock",
            &|| {
                let lock = std::fs::read_to_string(repo.path().join("Cargo.lock")).unwrap();
                repo.write("Cargo.lock", &lock.replace("1.0.9", "1.0.10"));
            },
            "itoa 1.0.10: not in vendor/",
        ),
    ];
    for (name, spoil, expected) in rows {
        spoil();
        let run = repo.xtask("vendor --check").exits(3).says(expected);
        assert_eq!(run.stdout, "", "{name}");
        if name != "lock" {
            repo.xtask("vendor").exits(0);
            assert_eq!(repo.git(&["status", "--porcelain"]), "", "{name} is not mended");
        }
        repo.git(&["checkout", "--quiet", "."]);
    }
    repo.write(".gitignore", "/target\n/pkg\n/vendor/it*/src\n");
    repo.git(&["rm", "--quiet", "-r", "--cached", "vendor"]);
    let ignored = "vendor/itoa-1.0.9/src/lib.rs: ignored by .gitignore:3: /vendor/it*/src";
    repo.xtask("vendor --check").exits(3).says(ignored).says("anchor the line");
    repo.xtask("vendor").exits(3).says(ignored);
}

#[test]
#[ignore = "asks crates.io"]
fn sources_that_vendor_did_not_write_are_refused_and_kept() {
    let repo = repo("refused");
    let rows = [
        (
            ".cargo/config.toml",
            "[source.crates-io]\nreplace-with = \"m\"\n",
            "sources are replaced by hand",
        ),
        ("vendor/mine.txt", "mine", "did not make it"),
        (".cargo/config", "", ".cargo/config hides .cargo/config.toml"),
    ];
    for (file, text, expected) in rows {
        repo.write(file, text);
        repo.xtask("vendor").exits(3).says(expected);
        assert_eq!(std::fs::read_to_string(repo.path().join(file)).unwrap(), text);
        std::fs::remove_file(repo.path().join(file)).unwrap();
        let _ = std::fs::remove_dir(repo.path().join("vendor"));
    }
    let plain = Repo::new(&["alone"]);
    plain.xtask("vendor").exits(0).prints("nothing to vendor");
    assert!(!plain.path().join("vendor").exists());
    plain.xtask("vendor --check --remove").exits(2).says("either --check or --remove");
}
