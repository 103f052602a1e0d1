//! Tests `stamp`: it says from which commit a binary or an archive was built.

use serde_json::json;

use crate::support::{Repo, host};

#[test]
fn a_binary_and_its_archive_say_their_commit() {
    let repo = Repo::new(&["alpha"]);
    repo.xtask("dist").exits(0);
    let head = repo.git(&["rev-parse", "HEAD"]);
    let files = "linux_amd64/alpha alpha_linux_amd64.tar.gz";
    let run = repo.xtask_in("pkg/snapshot", &format!("stamp {files}")).exits(0);
    assert_eq!(run.stdout.matches(&head).count(), 2, "{}", run.stdout);
    let shown = repo.xtask_in("pkg/snapshot", &format!("stamp --json {files}")).exits(0).json();
    for (at, file) in ["linux_amd64/alpha", "alpha_linux_amd64.tar.gz: alpha_linux_amd64/alpha"]
        .into_iter()
        .enumerate()
    {
        assert_eq!(shown[at]["file"], file, "{shown}");
        assert_eq!(shown[at]["stamp"]["commit"], head.as_str(), "{shown}");
        assert_eq!(shown[at]["stamp"]["platform"], json!("linux_amd64"), "{shown}");
    }
}

#[test]
fn the_archives_of_a_manifest_are_compared_with_it_and_started() {
    let repo = Repo::new(&["alpha", "liar"]);
    let line = format!("dist alpha --platforms {}", host());
    repo.xtask(&line).exits(0);
    let started = format!("alpha_{}.tar.gz  stamped, started\n", host());
    assert_eq!(repo.xtask("stamp --check pkg/snapshot").exits(0).stdout, started);
    let run = repo.xtask("stamp --check --json pkg/snapshot").exits(0);
    assert_eq!(run.json()[0]["started"], true, "{}", run.stdout);

    // A program with a stamp that tells another version.
    let main =
        "fn main() {\n    assert!(stamp::commit().is_some());\n    println!(\"liar 1.0\");\n}\n";
    repo.write("services/liar/src/main.rs", main);
    repo.commit("a liar");
    repo.xtask(&format!("dist liar --platforms {}", host())).exits(0);
    let run = repo.xtask("stamp --check pkg/snapshot").exits(3);
    run.says("its program says \"liar 1.0\" for --version; expected ").says("do not deploy them");
    // Whatever is wrong with one folder, the others are looked at.
    repo.xtask(&format!("dist alpha --dest pkg/right --platforms {}", host())).exits(0);
    let run = repo.xtask("stamp --check pkg pkg/right/snapshot").exits(3);
    run.prints("stamped, started").says("folders with a manifest.json");
}

#[test]
fn a_file_that_is_neither_binary_nor_archive_is_named() {
    let repo = Repo::empty();
    repo.write("notes", "no binary");
    repo.xtask("stamp notes").exits(3).says("error: notes");
    let run = repo.xtask("stamp .").exits(3).says("expected a binary or a .tar.gz");
    assert_eq!(run.stdout, "");
}
