//! Runs `plan` on a real bucket, and `dist` with what it downloaded: a published binary is used where a build would give
//! it again, and never in the place of another one.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::reuse::{archive, dist, is_said, repository, say};
use crate::support::bucket::Bucket;
use crate::support::{Repo, host, run};

/// Clones a repository onto a machine that has built nothing yet.
pub(crate) fn new_machine(repo: &Repo, bucket: &Bucket) -> Repo {
    let mut clone = bucket.serve(Repo::clone_of(repo.path()));
    clone.own_caches();
    clone
}

/// Makes a repository on a machine that has built nothing yet: what others built may be written to is not offered.
pub(crate) fn first_machine(services: &[&str], bucket: &Bucket) -> Repo {
    let mut repo = bucket.serve(repository(services));
    repo.own_caches();
    repo
}

/// Builds and publishes; whether the binaries are offered to others.
pub(crate) fn publish(repo: &Repo) -> bool {
    dist(repo, "");
    repo.xtask("upload").exits(0);
    repo.manifest()["artifacts"][0]["build_key"].is_string()
}

/// Runs `plan` and returns its lines without the platform.
fn plan(repo: &Repo) -> Vec<String> {
    let printed = repo.xtask(&format!("plan --platforms {}", host())).exits(0).stdout;
    let platform = format!(" for {}", host());
    printed.lines().map(|line| line.replace(&platform, "")).collect()
}

/// Returns the object keys of the index.
fn entries(bucket: &Bucket) -> Vec<String> {
    bucket.keys().into_iter().filter(|key| key.starts_with("keys/")).collect()
}

#[test]
fn another_machine_builds_what_changed_and_takes_the_rest_from_the_bucket() {
    let bucket = Bucket::new();
    let repo = first_machine(&["planned-one", "planned-two"], &bucket);
    let offered = publish(&repo);
    // zig compiles for the first link what every program needs, and not its library for sanitizers.
    let zig = repo.path().join("target/dist/tools/cache/zig");
    let compiled = run(Command::new("find").arg(zig).args(["-name", "lib*.a"]), "find").exits(0);
    assert!(compiled.stdout.contains("/libcompiler_rt.a"), "{}", compiled.stdout);
    assert!(!compiled.stdout.contains("/libubsan_rt.a"), "{}", compiled.stdout);
    let first = repo.manifest()["version"].as_str().unwrap().to_owned();
    if !offered {
        assert_eq!(
            entries(&bucket),
            [""; 0],
            "nothing is offered that was built without a sandbox"
        );
        return;
    }
    assert_eq!(entries(&bucket).len(), 2);

    say(&repo, "planned-two", "\"second\"");
    repo.commit("one of two");
    let other = new_machine(&repo, &bucket);
    let known = format!("reuse   planned-one: same program as {first}");
    assert_eq!(
        plan(&other),
        [&*known, "build   planned-two: no release has a binary of its inputs"]
    );
    let decisions = dist(&other, "");
    let reused = format!("reused  planned-one: same program as {first}");
    let built = "built   planned-two: no build of it is known here";
    assert_eq!(decisions, [&*reused, built]);
    is_said(&other, "planned-one", "first");
    is_said(&other, "planned-two", "second");

    // Byte for byte what a build gives, manifest and all.
    dist(&repo, "--no-reuse");
    for service in ["planned-one", "planned-two"] {
        let archives = [&repo, &other].map(|repo| fs::read(archive(repo, service)).unwrap());
        assert!(archives[0] == archives[1], "{service}");
    }
    assert_eq!(repo.manifest(), other.manifest());

    // A binary is still taken from the first release that had it: more commits descend from that one.
    other.xtask("upload").exits(0);
    let second = other.manifest()["version"].as_str().unwrap().to_owned();
    assert_eq!(entries(&bucket).len(), 3);
    let again = new_machine(&repo, &bucket);
    let known =
        |service: &str, version: &str| format!("reuse   {service}: same program as {version}");
    let expected = [known("planned-one", &first), known("planned-two", &second)];
    assert_eq!(plan(&again), expected);
    // Unless that one is gone.
    let manifest = format!("planned-one/planned-one_{first}.json");
    fs::remove_file(bucket.object(&manifest)).unwrap();
    assert!(plan(&again)[0].starts_with("build   planned-one: no release "), "{:?}", plan(&again));
    other.xtask("upload").exits(0);
    let expected = [known("planned-one", &second), known("planned-two", &second)];
    assert_eq!(plan(&again), expected);
    let document = again.xtask(&format!("plan --json --platforms {}", host())).exits(0).stdout;
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["builds"][0]["outcome"], "reuse");
    assert_eq!(document["builds"][0]["version"], *second);
    // What was handed over is no reason to call the work tree changed.
    assert!(
        !again.xtask(&format!("dist --dry-run --platforms {}", host())).stdout.contains("dirty")
    );
}

#[test]
fn what_nobody_merged_is_not_offered() {
    let bucket = Bucket::new();
    let repo = first_machine(&["unmerged"], &bucket);
    if !publish(&repo) {
        return;
    }
    let offered = entries(&bucket);
    repo.git(&["switch", "--quiet", "--create", "feature"]);
    say(&repo, "unmerged", "\"feature\"");
    repo.commit("a feature");
    dist(&repo, "");
    repo.xtask("upload").exits(0).says("branch feature is none of index-branches (main)");
    assert_eq!(entries(&bucket), offered);
    repo.add_to_table("index-branches = [\"main\", \"feature\"]");
    repo.commit("allowed");
    dist(&repo, "");
    repo.xtask("upload").exits(0).says("indexed");
    assert_eq!(entries(&bucket).len(), 2);

    // On a branch that does not have the commit.
    repo.git(&["switch", "--quiet", "main"]);
    say(&repo, "unmerged", "\"feature\"");
    repo.add_to_table("index-branches = [\"main\", \"feature\"]");
    repo.commit("the same sources");
    let lines = plan(&repo);
    assert!(lines[0].contains("which has it, is no ancestor of this commit"), "{lines:?}");
}

#[test]
fn an_index_or_archive_that_is_wrong_is_as_none() {
    let bucket = Bucket::new();
    let repo = first_machine(&["poisoned", "poison"], &bucket);
    say(&repo, "poison", "\"poison\"");
    repo.commit("another program");
    if !publish(&repo) {
        return;
    }
    let other = new_machine(&repo, &bucket);
    let document = other.xtask(&format!("plan --json --platforms {}", host())).exits(0).stdout;
    let document: Value = serde_json::from_str(&document).unwrap();
    let key_of = |service: &str| {
        let mut builds = document["builds"].as_array().unwrap().iter();
        let build = builds.find(|build| build["service"] == service).unwrap();
        build["key"].as_str().unwrap().to_owned()
    };
    let entry = |service: &str| {
        let folder = format!("keys/{}/", key_of(service));
        let key = entries(&bucket).into_iter().find(|key| key.starts_with(&folder)).unwrap();
        bucket.object(&key)
    };
    let (entry, poison) = (entry("poisoned"), entry("poison"));
    let digest = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    let original = fs::read(&entry).unwrap();
    let changed = |field: &str, value: Value| {
        let mut document: Value = serde_json::from_slice(&original).unwrap();
        document[field] = value;
        document.to_string().into_bytes()
    };
    let other_archive: Value = serde_json::from_slice(&fs::read(&poison).unwrap()).unwrap();
    for (what, bytes, says) in [
        ("no JSON", b"{".to_vec(), "is no index entry"),
        ("of another service", fs::read(&poison).unwrap(), "its index entry is of poison"),
        ("another archive", changed("sha256", other_archive["sha256"].clone()), "with the digests"),
        ("no release", changed("version", json!("000000")), "no release 000000"),
    ] {
        fs::write(&entry, bytes).unwrap();
        let lines = plan(&other);
        let line = lines.iter().find(|line| line.starts_with("build   poisoned: ")).expect(what);
        assert!(line.contains(says), "{what}: {line}");
    }
    fs::write(&entry, &original).unwrap();

    // An older release of the same service, with another program, by who can write the index alone.
    let known = entries(&bucket);
    say(&repo, "poisoned", "\"older\"");
    repo.commit("older");
    publish(&repo);
    let older = entries(&bucket).into_iter().find(|key| !known.contains(key)).unwrap();
    other.git(&["pull", "--quiet", "--ff-only"]);
    say(&other, "poisoned", "\"first\"");
    other.commit("back again");
    let forged = entry.with_file_name(digest(&bucket.object(&older)));
    fs::rename(&entry, bucket.object("aside")).unwrap();
    fs::copy(bucket.object(&older), &forged).unwrap();
    let lines = plan(&other);
    let expected = "does not say that it was built with this build key";
    assert!(lines.iter().any(|line| line.ends_with(expected)), "{lines:?}");
    fs::remove_file(&forged).unwrap();
    fs::rename(bucket.object("aside"), &entry).unwrap();

    // Two binaries of one key.
    let second = entry.with_file_name(digest(&poison));
    fs::write(&second, &original).unwrap();
    let said = other.xtask(&format!("plan --platforms {}", host())).exits(0);
    assert!(said.stderr.contains("has 2 binaries"), "{}", said.stderr);
    fs::remove_file(second).unwrap();

    // Handed over and then changed: `dist` looks again.
    assert!(plan(&other).iter().all(|line| line.starts_with("reuse ")));
    let plan_dir = other.path().join("pkg/plan");
    let handed = |service: &str, end: &str| plan_dir.join(format!("{}.{end}", key_of(service)));
    let archive_of = |service: &str| handed(service, "tar.gz");
    let manifest_of = |service: &str| handed(service, "json");
    let (archive, manifest) = (archive_of("poisoned"), manifest_of("poisoned"));
    let (archive_bytes, manifest_bytes) =
        (fs::read(&archive).unwrap(), fs::read(&manifest).unwrap());
    let decide = || {
        let line = format!("dist --dry-run --why --platforms {}", host());
        let printed = other.xtask(&line).exits(0).stdout;
        printed.lines().find(|line| line.contains(" poisoned for ")).unwrap().to_owned()
    };
    assert!(decide().starts_with("reused "));
    fs::write(&archive, &archive_bytes[..archive_bytes.len() / 2]).unwrap();
    assert!(decide().contains("it has another sha256"));
    fs::copy(archive_of("poison"), &archive).unwrap();
    assert!(decide().contains("it has another sha256"));
    fs::copy(manifest_of("poison"), &manifest).unwrap();
    assert!(decide().contains("it is of another service"));
    // Archive and manifest that agree with each other, and not with the binary before its stamp.
    fs::write(&archive, &archive_bytes).unwrap();
    let text = String::from_utf8(manifest_bytes).unwrap();
    fs::write(&manifest, text.replace(&digest(&entry), &digest(&poison))).unwrap();
    assert!(decide().contains("is not the one that its release says"));
    dist(&other, "");
    is_said(&other, "poisoned", "first");
}
