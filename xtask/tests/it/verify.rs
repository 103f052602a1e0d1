//! Runs `verify` on a real bucket: releases are built again from their commits by those commits' own `cargo xtask`.
//!
//! In the repositories here, that is a program that becomes the one under test.

use std::fs;
use std::path::Path;

use serde_json::Value;
use xtask::build::{archive, stamp};
use xtask::system::files;

use crate::circleci;
use crate::reuse::{dist, repository, say};
use crate::support::bucket::Bucket;
use crate::support::front::{Front, Verdict};
use crate::support::release::Release;
use crate::support::{Repo, host};

/// Adds the package that `cargo xtask` runs.
fn add_xtask(repo: &Repo, main: &str) {
    let toml = fs::read_to_string(repo.path().join("Cargo.toml")).unwrap();
    if !toml.contains("\"xtask\"") {
        let members = "members = [\"services/*\"";
        repo.write("Cargo.toml", &toml.replace(members, &format!("{members}, \"xtask\"")));
    }
    repo.write(
        "xtask/Cargo.toml",
        "[package]\nname = \"xtask\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
    );
    repo.write("xtask/src/main.rs", main);
    let alias = "[alias]\nxtask = \"run --quiet --locked --package xtask --\"\n";
    repo.write(".cargo/config.toml", alias);
    repo.lock();
}

/// Returns the text of a program that becomes the one under test. It gives the clean target folder the tools of the repository,
/// and what zig has compiled there, so that tests need no network and little time.
fn xtask_under_test(repo: &Repo) -> String {
    let tools = repo.path().join("target/dist/tools");
    format!(
        "use std::os::unix::{{fs::symlink, process::CommandExt as _}};\n\n\
         fn main() {{\n    \
             let dist = std::env::var(\"CARGO_TARGET_DIR\").expect(\"a target folder\") + \"/dist\";\n    \
             std::fs::create_dir_all(&dist).expect(\"its folder\");\n    \
             let _ = symlink({tools:?}, dist + \"/tools\");\n    \
             let mut xtask = std::process::Command::new({program:?});\n    \
             panic!(\"{{}}\", xtask.args(std::env::args_os().skip(1)).exec());\n\
         }}\n",
        tools = tools.display().to_string(),
        program = env!("CARGO_BIN_EXE_xtask"),
    )
}

/// Builds and publishes, and returns the version.
fn publish(repo: &Repo) -> String {
    dist(repo, "");
    repo.xtask("upload").exits(0);
    repo.manifest()["version"].as_str().unwrap().to_owned()
}

/// Makes a repository on a machine that has built nothing yet, with a folder for clean checkouts.
fn machine(services: &[&str], bucket: &Bucket, scratch: &Path) -> Repo {
    let mut repo = bucket.serve(repository(services));
    repo.own_caches();
    repo.set("TMPDIR", scratch.to_str().unwrap());
    repo.set("USER", "ann");
    repo
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    // Compilers and linkers have theirs there, too.
    names.retain(|name| name.contains("verify"));
    names
}

#[test]
fn a_release_is_built_again_and_one_that_was_replaced_is_found_out() {
    let (bucket, scratch) = (Bucket::new(), tempfile::tempdir().unwrap());
    let mut repo = machine(&["verified-one", "verified-two"], &bucket, scratch.path());
    say(&repo, "verified-one", "\"what it says\"");
    add_xtask(&repo, &xtask_under_test(&repo));
    repo.commit("an xtask of its own");
    publish(&repo);
    say(&repo, "verified-two", "\"second\"");
    repo.commit("one of two");
    let version = publish(&repo);
    let is_offered = repo.manifest()["artifacts"][0]["build_key"].is_string();
    // Not committed, and so no part of what is built again.
    say(&repo, "verified-one", "\"not committed\"");

    // Credentials that may not write receipts. What an earlier release had already is looked at first.
    let promote = format!("promote verified-one {version} --to stable --require-verified");
    let platform = host();
    let run = repo.xtask(&promote).exits(3);
    run.says(&format!("is not verified: no receipt names {platform} (sha256 "))
        .says(&format!("`cargo xtask verify {version} verified-one`"));
    let front = Front::start(&bucket.endpoint(), |line| {
        let is_receipt = line.starts_with("PUT ") && line.contains("/verified/");
        if is_receipt { Verdict::Refuse(403, "AccessDenied") } else { Verdict::Pass }
    });
    repo.set("AWS_ENDPOINT_URL_S3", &front.endpoint);
    let run = repo.xtask(&format!("verify {version} --sample 1")).exits(1);
    let run =
        run.says("may not write the receipt verified/").says("`--no-receipt`").prints("equal ");
    if is_offered {
        run.says("1 of 2 artifacts, 1 of them with a binary of an earlier release")
            .prints(&format!("equal    verified-one for {platform}: {version}, sha256 "));
    }
    repo.set("AWS_ENDPOINT_URL_S3", &bucket.endpoint());

    // As CI has it.
    let [line] = <[String; 1]>::try_from(circleci::lines("verify")).unwrap();
    let line = line.strip_prefix("cargo xtask ").unwrap();
    let head = repo.git(&["rev-parse", "HEAD"]);
    for (name, value) in [
        ("CIRCLE_SHA1", &*head),
        ("CIRCLE_NODE_INDEX", "0"),
        ("CIRCLE_NODE_TOTAL", "2"),
        ("RUSTC_WRAPPER", "/nowhere/sccache"),
    ] {
        repo.set(name, value);
    }
    let document = repo.xtask(&format!("{line} --json")).exits(0).json();
    let keys = ["verified-one", "verified-two"].map(|it| format!("verified/{it}/{version}"));
    assert_eq!(document["receipts"], serde_json::json!(keys));
    assert_eq!(document["kept"], Value::Null);
    let outcome = |at: usize| document["artifacts"][at]["outcome"].as_str().unwrap();
    assert_eq!((outcome(0), outcome(1)), ("equal", "equal"));
    let receipt = fs::read(bucket.object(&keys[0])).unwrap();
    let receipt: Value = serde_json::from_slice(&receipt).unwrap();
    let verified = &receipt["artifacts"][0];
    let published = &repo.manifest()["artifacts"][0];
    for field in ["platform", "sha256", "binary_sha256"] {
        assert_eq!(verified[field], published[field], "{field}");
    }
    assert_eq!(receipt["commit"], repo.manifest()["commit"]);
    assert_eq!(names(scratch.path()), [""; 0], "the folder is removed");
    repo.xtask(&promote).exits(0).prints(&format!("verified-one stable is {version}\n"));
    for name in ["CIRCLE_NODE_INDEX", "CIRCLE_NODE_TOTAL", "RUSTC_WRAPPER"] {
        repo.set(name, "");
    }

    // Another branch's code could write receipts.
    repo.git(&["checkout", "--quiet", "--detach", "HEAD~1"]);
    let run = repo.xtask(&format!("verify {version} verified-two")).exits(3);
    run.says("is of a commit that HEAD does not have in its history").says("`--no-receipt`");
    repo.git(&["checkout", "--quiet", "main"]);

    // By who can write releases: archive and manifest are replaced together.
    replace(&repo, &bucket, "verified-one");
    repo.xtask(&promote).exits(3).says("is not verified: no receipt names ");
    let run = repo.xtask(&format!("verify {version} verified-one")).exits(1);
    let place = format!("verified-one_{platform}/verified-one has other bytes, in section ");
    let run = run
        .says("1 of 1 artifacts are not what their commit gives")
        .prints(&format!("differs  verified-one for {platform}: {version}\n         {place}"))
        .prints(
            "likely cause: archive and manifest agree with each other, and not with the commit",
        );
    if cfg!(target_os = "linux") {
        run.prints("in section .rodata, from byte ");
    }
    let kept = names(scratch.path());
    assert_eq!(kept.len(), 1, "{kept:?}");
    let kept = scratch.path().join(&kept[0]);
    let file = format!("verified-one_{platform}");
    assert!(kept.join(format!("published_{file}_{version}.tar.gz")).is_file());
    let commit = receipt["commit"].as_str().unwrap();
    let built = format!("{commit}/{version}/built/snapshot/{file}.tar.gz");
    assert!(kept.join(built).is_file());
    let now = fs::read(bucket.object(&keys[0])).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&now).unwrap(), receipt, "no receipt of that");
}

/// Replaces the published archive and manifest object of a service by others that agree with each other.
fn replace(repo: &Repo, bucket: &Bucket, service: &str) {
    let elsewhere = bucket.serve(Repo::empty());
    fs::rename(repo.path().join("pkg"), elsewhere.path().join("pkg")).unwrap();
    let snapshot = elsewhere.path().join("pkg/snapshot");
    let mut manifest = elsewhere.manifest();
    let version = manifest["version"].as_str().unwrap().to_owned();
    let artifact = &mut manifest["artifacts"][0];
    assert_eq!(artifact["service"], service);
    let (top, path) =
        (format!("{service}_{}", host()), snapshot.join(artifact["file"].as_str().unwrap()));
    let (mut entries, time) = archive::read(&fs::read(&path).unwrap(), &top).unwrap();
    let image = &mut entries.iter_mut().find(|entry| entry.name == service).unwrap().bytes;
    let said = b"what it says";
    let at = image.windows(said.len()).position(|bytes| bytes == said).unwrap();
    image[at..at + said.len()].copy_from_slice(b"what we want");
    let record = stamp::read(image).unwrap().unwrap();
    stamp::remove(image).unwrap();
    artifact["unstamped_sha256"] = files::sha256(image).into();
    stamp::write(image, &record, service).unwrap();
    artifact["binary_sha256"] = files::sha256(image).into();
    let (size_bytes, sha256) = archive::pack(&path, &top, &entries, time).unwrap();
    artifact["size_bytes"] = size_bytes.into();
    artifact["sha256"] = sha256.into();
    let archive = artifact["object_key"].as_str().unwrap().to_owned();
    elsewhere.write("pkg/snapshot/manifest.json", &manifest.to_string());
    for key in [archive, format!("{service}/{service}_{version}.json")] {
        fs::remove_file(bucket.object(&key)).unwrap();
    }
    elsewhere.xtask(&format!("upload {service}")).exits(0);
}

#[test]
fn a_commit_whose_xtask_cannot_build_it_alone_is_an_error() {
    let (bucket, scratch) = (Bucket::new(), tempfile::tempdir().unwrap());
    let repo = machine(&["unverifiable"], &bucket, scratch.path());
    let without = publish(&repo);
    add_xtask(&repo, "fn main() {\n    println!(\"Usage: cargo xtask dist [--strict]\");\n}\n");
    let commit = repo.commit("an old xtask");
    let old = publish(&repo);
    let run = repo.xtask(&format!("verify {without}")).exits(101);
    run.says("the xtask of commit ").says("dist --help` failed:\n");
    let run = repo.xtask(&format!("verify {commit}")).exits(3);
    run.says(&format!("the xtask of commit {commit} does not know `dist --no-reuse`"));
    assert_eq!(names(scratch.path()), [""; 0]);

    // Not a commit of this clone.
    let other = bucket.serve(repository(&["unverifiable"]));
    other.xtask(&format!("verify {old}")).exits(3).says("this clone does not have commit ");
    other.xtask("verify HEAD").exits(3).says("is of HEAD or a commit before it");
}

#[test]
fn what_cannot_be_built_again_is_refused_before_anything_is_built() {
    let bucket = Bucket::new();
    let repo = bucket.serve(repository(&["alpha"]));
    let both = ["linux_amd64", "linux_arm64"];
    Release { platforms: &both, ..Release::of_alpha("aaaaaa") }.publish(&bucket);
    Release::of_alpha("bbbbbb").publish(&bucket);
    let edit = |version: &str, from: &str, to: &str| {
        let path = bucket.object(&format!("alpha/alpha_{version}.json"));
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(path, text.replacen(from, to, 1)).unwrap();
    };
    edit("bbbbbb", "\"platforms\"", "\"outside_sources\": [\"../proto\"], \"platforms\"");
    for (line, code, text) in [
        ("verify bbbbbb", 3, "from sources outside the repository too: ../proto"),
        ("verify aaaaaa", 3, "this clone does not have commit aaaaaa0"),
        ("verify aaaaaa beta", 3, "aaaaaa is no version, commit or channel of a release of beta"),
        ("verify stable", 3, "stable is no version, commit or channel of a release in builds/"),
        (
            "verify aaaaaa --platforms darwin",
            3,
            "none of these platforms: it has linux_amd64, linux_arm64",
        ),
        ("verify HEAD", 3, "no release in builds/ is of HEAD"),
        ("verify", 2, "no RELEASE named"),
    ] {
        repo.xtask(line).exits(code).says(text);
    }
    repo.xtask("promote alpha aaaaaa --to stable --by me").exits(0);
    repo.xtask("verify stable").exits(3).says("this clone does not have commit aaaaaa0");
    repo.xtask("verify stabel").exits(3).says("did you mean `stable`?");
    // An archive that is not what its manifest says is found out before the commit is looked for.
    fs::write(bucket.object("alpha/alpha_aaaaaa.tar.gz"), "x").unwrap();
    repo.xtask("verify aaaaaa").exits(3).says("it has 1 bytes, not ");
    bucket.serve(Repo::empty()).xtask("verify aaaaaa").exits(3).says("no workspace here");
}
