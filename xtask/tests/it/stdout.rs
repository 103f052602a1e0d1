//! Checks results that cannot be written: a full disk is an error of every verb, a reader that has
//! gone away is not.

use std::fs::File;
use std::process::{Command, Stdio};

use catalog::Manifest;

use crate::support::bucket::Bucket;
use crate::support::release::Release;
use crate::support::{Repo, Run, root, run};

/// Returns command lines that print something, each with a repository in which it succeeds.
fn printing(bucket: &Bucket) -> Vec<(&'static str, Repo)> {
    let release = Release::of_alpha("aaaaaa");
    let manifest = release.publish(bucket).to_string();
    Release { service: "beta", ..Release::of_alpha("bbbbbb") }.publish(bucket);
    let nowhere = || bucket.serve(Repo::empty());
    let workspace = || bucket.serve(Repo::new(&["alpha"]));
    // This snapshot is uploaded already, so a second upload finds everything there.
    let uploaded = || {
        let repo = nowhere();
        repo.write("pkg/snapshot/manifest.json", &manifest);
        std::fs::copy(
            bucket.object("alpha/alpha_aaaaaa.tar.gz"),
            repo.path().join("pkg/snapshot/alpha_linux_amd64.tar.gz"),
        )
        .expect("the archive");
        repo
    };
    let without_credentials = || {
        let mut repo = uploaded();
        repo.set("S3_KEY", "");
        repo.set("S3_SECRET", "");
        repo.set("CIRCLE_PR_NUMBER", "7");
        repo
    };
    let clone = || Repo::clone_of(root());
    vec![
        ("--help", nowhere()),
        ("--version", nowhere()),
        ("help dist", nowhere()),
        ("upload --help", nowhere()),
        ("completions bash", nowhere()),
        ("completions zsh", nowhere()),
        ("completions fish", nowhere()),
        ("reference", nowhere()),
        ("list", nowhere()),
        ("list --json", nowhere()),
        ("presign alpha --version aaaaaa", nowhere()),
        ("presign alpha --version aaaaaa --json", nowhere()),
        ("fetch alpha --version aaaaaa", nowhere()),
        ("fetch alpha --version aaaaaa --json", nowhere()),
        ("promote alpha aaaaaa --to plain --by me", nowhere()),
        ("promote alpha aaaaaa --to document --by me --json", nowhere()),
        ("upload", uploaded()),
        ("upload --json", uploaded()),
        ("upload --dry-run", uploaded()),
        ("upload --dry-run --json", uploaded()),
        ("upload --skip-without-credentials", without_credentials()),
        ("upload --skip-without-credentials --json", without_credentials()),
        ("dist --dry-run", workspace()),
        ("dist --dry-run --json", workspace()),
        ("ship --dry-run", workspace()),
        ("ship --dry-run --json", workspace()),
        ("vendor --remove", workspace()),
        ("new reaper --dry-run", clone()),
    ]
}

/// Runs a line with `stdout`.
fn into(repo: &Repo, line: &str, stdout: Stdio) -> Run {
    let arguments: Vec<_> = line.split_whitespace().collect();
    let mut command = repo.prepare(env!("CARGO_BIN_EXE_xtask"), &arguments);
    let child = command.stdout(stdout).stderr(Stdio::piped()).spawn().expect("it starts");
    Run::of(&child.wait_with_output().expect("it ends"), line)
}

#[test]
#[cfg(target_os = "linux")]
fn a_result_that_cannot_be_written_is_an_error() {
    let bucket = Bucket::new();
    for (line, repo) in printing(&bucket) {
        let full = File::options().write(true).open("/dev/full").expect("/dev/full");
        let run = into(&repo, line, full.into()).exits(3);
        run.says("error: the result cannot be written to stdout: No space left on device");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn the_work_is_done_where_its_result_cannot_be_written() {
    let full = || File::options().write(true).open("/dev/full").expect("/dev/full").into();
    let bucket = Bucket::new();
    let repo = bucket.serve(Repo::new(&["alpha"]));
    let snapshot = repo.path().join("pkg/snapshot");
    into(&repo, "dist", full()).exits(3).says("cannot be written to stdout");
    let manifest = std::fs::read(snapshot.join("manifest.json")).expect("a manifest");
    let manifest = Manifest::read_strict(&manifest, "manifest.json").unwrap();
    assert!(snapshot.join(&manifest.artifacts[0].file).is_file());

    into(&repo, "upload --allow-dirty", full()).exits(3).says("cannot be written to stdout");
    let key = manifest.object_key("alpha").unwrap();
    let stored = std::fs::read(bucket.object(&key)).expect("the manifest object");
    let stored = Manifest::read_object_strict(&stored, "builds", &key).unwrap();
    assert_eq!(stored.artifacts, manifest.artifacts);

    let clone = Repo::clone_of(root());
    into(&clone, "new reaper", full()).exits(3).says("cannot be written to stdout");
    assert!(clone.path().join("services/reaper/Cargo.toml").is_file());
}

#[test]
fn a_reader_that_has_gone_away_is_no_failure() {
    let bucket = Bucket::new();
    for (line, repo) in printing(&bucket) {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let run = into(&repo, line, writer.into()).exits(0);
        assert!(!run.stderr.contains("stdout"), "{line}: {}", run.stderr);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn vendor_fails_where_its_result_cannot_be_written_though_nothing_has_to_change() {
    let repo = Repo::new(&["alpha"]);
    repo.write("services/alpha/Cargo.toml", PLAIN);
    repo.lock();
    let full = || File::options().write(true).open("/dev/full").expect("/dev/full").into();
    into(&repo, "vendor", full()).exits(3).says("cannot be written to stdout");
}

/// A package without dependencies, so that there is nothing to vendor.
const PLAIN: &str = "[package]\nname = \"alpha\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";

#[test]
#[cfg(target_os = "linux")]
fn messages_that_cannot_be_written_change_no_result() {
    let repo = Repo::new(&["alpha"]);
    let mut command = repo.prepare(env!("CARGO_BIN_EXE_xtask"), &["ship", "--dry-run", "--json"]);
    let full = File::options().write(true).open("/dev/full").expect("/dev/full");
    let shown = run(command.stderr(full), "ship --dry-run --json").exits(0);
    assert!(shown.stdout.starts_with('{'), "{}", shown.stdout);
    // The exit code of an error stays what it is.
    let full = File::options().write(true).open("/dev/full").expect("/dev/full");
    let mut command: Command = repo.prepare(env!("CARGO_BIN_EXE_xtask"), &["dits"]);
    run(command.stderr(full), "dits").exits(2);
}
