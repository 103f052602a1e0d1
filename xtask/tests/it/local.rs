//! `--local`: the whole way into a bucket without an account, here and from another repository.

use std::collections::BTreeSet;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::support::{Repo, Run, root, run, target_dir};

#[test]
#[ignore = "builds the local S3 server"]
fn upload_leaves_the_objects_as_files_and_nothing_else() {
    let _alone = alone();
    let mut repo = Repo::new(&["alpha", "beta"]);
    repo.write("untracked", "--local publishes what is not committed too");
    repo.xtask("dist").exits(0);
    // What names another server and its credentials does not matter.
    repo.set("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9");
    repo.set("S3_KEY", "AKIAELSEWHERE");
    let dest = repo.path().join("pkg").display().to_string();
    let upload = |bucket: &[&str]| {
        let arguments = [&["upload", "--local", "--dest", &dest], bucket].concat();
        let mut command = repo.prepare(env!("CARGO_BIN_EXE_xtask"), &arguments);
        run(command.current_dir(root()), "upload --local").exits(0)
    };

    let objects = target_dir().join("local-s3/local");
    let first = upload(&[]);
    assert_published(&repo, &first, &objects);
    assert_silent_and_gone(&repo, &first);

    std::fs::write(objects.join("stale"), "of an earlier run").expect("the bucket's folder");
    let second = upload(&[]);
    assert_published(&repo, &second, &objects);
    assert!(!objects.join("stale").exists(), "a run begins with an empty bucket");

    let third = upload(&["--bucket", "other"]);
    assert_published(&repo, &third, &target_dir().join("local-s3/other"));
    assert!(!objects.exists(), "a run begins without other buckets");
}

#[test]
#[ignore = "builds a service of this repository, and the local S3 server"]
fn ship_publishes_a_service_of_this_repository() {
    let _alone = alone();
    let scratch = Repo::empty();
    let dest = scratch.path().join("pkg").display().to_string();
    let line = "ship janitor --local --platforms linux,amd64 --dest";
    let arguments: Vec<_> = line.split(' ').chain([dest.as_str()]).collect();
    let mut command = scratch.prepare(env!("CARGO_BIN_EXE_xtask"), &arguments);
    let ship = run(command.current_dir(root()), line).exits(0);
    assert_published(&scratch, &ship, &target_dir().join("local-s3/local"));
    assert_silent_and_gone(&scratch, &ship);
}

#[test]
#[ignore = "builds xtask and the local S3 server for another repository"]
fn another_repository_ships_with_three_lines() {
    let _alone = alone();
    let repo = other_repository();
    // Its own target folder, which is kept between runs.
    let kept = target_dir();
    std::fs::create_dir_all(&kept).expect("our target folder");
    std::os::unix::fs::symlink(&kept, repo.path().join("target")).expect("a link to it");
    let objects = repo.path().join("target/local-s3/local");
    for folder in ["", "services/alpha/src"] {
        let line = "run --quiet --locked --package xtask -- ship --local";
        let mut cargo = repo.prepare(env!("CARGO"), &line.split(' ').collect::<Vec<_>>());
        let cargo = cargo.current_dir(repo.path().join(folder)).env_remove("CARGO_TARGET_DIR");
        let ship = run(cargo, line).exits(0);
        assert_published(&repo, &ship, &objects);
        assert_silent_and_gone(&repo, &ship);
        assert_eq!(repo.git(&["status", "--porcelain"]), "", "shipping leaves nothing behind");
    }
}

/// A repository as a team would begin one by hand: a service, and an xtask of three lines.
pub(crate) fn other_repository() -> Repo {
    let repo = Repo::empty();
    repo.share_vendored();
    let members = "members = [\"services/*\", \"xtask\"]";
    let table = "[workspace.metadata.xtask]\nplatforms = \"linux,amd64\"";
    repo.write("Cargo.toml", &format!("[workspace]\nresolver = \"3\"\n{members}\n\n{table}\n"));
    repo.write(".gitignore", "/target\n/pkg\n");
    repo.add_service("alpha", "");
    let xtask = format!(
        "[package]\nname = \"xtask\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
         [dependencies]\nbowline-xtask = {{ path = \"{}\" }}\n",
        root().join("xtask").display()
    );
    repo.write("xtask/Cargo.toml", &xtask);
    let main = "fn main() -> std::process::ExitCode {\n    xtask::main()\n}\n";
    repo.write("xtask/src/main.rs", main);
    // The versions that are built here already: cargo keeps what it needs of them.
    std::fs::copy(root().join("Cargo.lock"), repo.path().join("Cargo.lock")).expect("Cargo.lock");
    let metadata = ["metadata", "--format-version", "1"];
    run(&mut repo.prepare(env!("CARGO"), &metadata), "cargo metadata").exits(0);
    repo.git(&["init", "--quiet", "--initial-branch", "main"]);
    repo.commit("first");
    repo
}

/// The bucket's folder, which the run names, holds what the manifest lists and nothing else.
#[track_caller]
pub(crate) fn assert_published(repo: &Repo, run: &Run, objects: &Path) {
    // Relative to where it ran, where they lie below that.
    let said = run.stderr.lines().find_map(|line| Some(line.split_once("the objects in ")?.1));
    let right = said.is_some_and(|said| objects.ends_with(said));
    assert!(right, "it says that the objects are in {}:\n{}", objects.display(), run.stderr);
    let manifest = repo.manifest();
    let version = manifest["version"].as_str().expect("version");
    let mut expected = BTreeSet::new();
    for artifact in manifest["artifacts"].as_array().expect("artifacts") {
        let text = |name: &str| artifact[name].as_str().expect(name);
        let object = objects.join(text("object_key"));
        let archive = repo.path().join("pkg/snapshot").join(text("file"));
        let same = std::fs::read(&object).ok() == std::fs::read(&archive).ok();
        assert!(same, "{} is not {}", object.display(), archive.display());
        expected.insert(object);
        let service = text("service");
        expected.insert(objects.join(service).join(format!("{service}_{version}.json")));
    }
    assert_eq!(files_below(objects), expected);
}

/// Neither credentials nor a server are left.
#[track_caller]
pub(crate) fn assert_silent_and_gone(repo: &Repo, run: &Run) {
    let output = format!("{}{}", run.stdout, run.stderr);
    let commit = repo.manifest()["commit"].as_str().expect("commit").to_owned();
    // An access key id begins so; a secret access key is 40 hex digits, as a commit is.
    assert!(!output.contains("LOCA"), "an access key id is shown:\n{output}");
    let words = output.split(|c: char| !c.is_ascii_hexdigit());
    let secret = words.filter(|word| word.len() == 40).find(|word| *word != commit);
    assert_eq!(secret, None, "a secret access key is shown:\n{output}");

    let address = output.split("http://").nth(1).and_then(|rest| rest.split_whitespace().next());
    let address = address.unwrap_or_else(|| panic!("no address of the server in\n{output}"));
    assert!(TcpStream::connect(address).is_err(), "the server at {address} still listens");
}

fn files_below(folder: &Path) -> BTreeSet<PathBuf> {
    let mut find = Command::new("find");
    let listing = run(find.arg(folder).args(["-type", "f"]), "find").exits(0).stdout;
    listing.lines().map(PathBuf::from).collect()
}

/// One at a time: all of them look at the folder that every run empties.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
