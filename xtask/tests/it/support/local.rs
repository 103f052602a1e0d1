//! Makes repositories as a team would begin one by hand, and checks what a run with `--local`
//! leaves there.

use std::collections::BTreeSet;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use xtask::repository::templates;

use super::{Repo, Run, root, run};

/// Makes a repository as a team would begin one by hand: a service, and an xtask of three lines.
pub(crate) fn other_repository() -> Repo {
    let repo = Repo::empty();
    // With the profiles that `init` writes, so that what was compiled for one repository serves the
    // others.
    let config = templates::REPOSITORY.iter().find(|(path, _)| *path == ".cargo/config.toml");
    repo.write(".cargo/config.toml", config.expect("a template").1);
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
    // Takes the versions that are compiled here already: cargo keeps those that apply.
    std::fs::copy(root().join("Cargo.lock"), repo.path().join("Cargo.lock")).expect("Cargo.lock");
    let metadata = ["metadata", "--format-version", "1"];
    run(&mut repo.prepare(env!("CARGO"), &metadata), "cargo metadata").exits(0);
    repo.git(&["init", "--quiet", "--initial-branch", "main"]);
    repo.commit("first");
    repo
}

/// Checks that the run names the bucket's folder, and that the folder holds what the manifest lists
/// and nothing else.
#[track_caller]
pub(crate) fn assert_published(repo: &Repo, run: &Run, objects: &Path) {
    // The path is relative to the folder of the run if it lies below that.
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

/// Checks that the run showed no credentials, and that its server has ended.
#[track_caller]
pub(crate) fn assert_silent_and_gone(repo: &Repo, run: &Run) {
    let output = format!("{}{}", run.stdout, run.stderr);
    let commit = repo.manifest()["commit"].as_str().expect("commit").to_owned();
    // The server's access key ids begin with this; its secret access keys are 40 hex digits, as
    // commits are.
    assert!(!output.contains("LOCA"), "an access key id is shown:\n{output}");
    let words = output.split(|c: char| !c.is_ascii_hexdigit());
    let secret = words.filter(|word| word.len() == 40).find(|word| *word != commit);
    assert_eq!(secret, None, "a secret access key is shown:\n{output}");

    let address = output.split("http://").nth(1).and_then(|rest| rest.split_whitespace().next());
    let address = address.unwrap_or_else(|| panic!("no address of the server in\n{output}"));
    assert!(TcpStream::connect(address).is_err(), "the server at {address} still listens");
}

fn files_below(folder: &Path) -> BTreeSet<PathBuf> {
    let (mut files, mut folders) = (BTreeSet::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder of the bucket") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path);
            }
        }
    }
    files
}

/// Lets one of these tests run at a time, since all of them look at a folder that each run empties.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
