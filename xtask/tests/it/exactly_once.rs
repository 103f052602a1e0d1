//! Checks that an upload may die at any moment, run twice, or run beside another: what is published
//! is whole and published once, and only what is missing is sent again.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::SystemTime;

use catalog::Manifest;
use s3::{Attributes, Body, Precondition, Put};
use serde_json::Value;
use xtask::bucket::progress::Progress;
use xtask::bucket::publish::{self, Release};
use xtask::system::env::Env;
use xtask::system::ui::Ui;

use crate::support::bucket::Bucket;
use crate::support::front::{Front, Verdict, wait_until};
use crate::support::snapshot::{manifest_object, snapshot};
use crate::support::{Repo, run};

const SERVICES: [&str; 3] = ["alpha", "beta", "gamma"];

/// Returns the time at which each object was written.
fn written(bucket: &Bucket) -> BTreeMap<String, SystemTime> {
    let time = |key: &String| std::fs::metadata(bucket.object(key)).unwrap().modified().unwrap();
    bucket.keys().into_iter().map(|key| (key.clone(), time(&key))).collect()
}

/// Checks that each manifest object in the bucket names only objects that are there with the right
/// digest.
pub(crate) fn check_published(bucket: &Bucket, case: &str) {
    for key in bucket.manifest_objects() {
        let text = std::fs::read(bucket.object(&key)).unwrap();
        let manifest: Value = serde_json::from_slice(&text).unwrap();
        for artifact in manifest["artifacts"].as_array().unwrap() {
            let object = bucket.object(artifact["object_key"].as_str().unwrap());
            let bytes = std::fs::read(&object).unwrap_or_default();
            let sha256 = xtask::system::files::sha256(&bytes);
            assert_eq!(artifact["sha256"], sha256, "{case}: {}", object.display());
        }
    }
}

fn begin<'a>(client: &s3::Client, release: &'a Release<'a>) -> publish::Begun<'a> {
    publish::begin(client, release).unwrap().unwrap()
}

#[test]
fn an_upload_that_was_killed_is_finished_by_the_next_one() {
    let repo = Repo::new(&SERVICES);
    repo.xtask("dist").exits(0);
    let mut cut_short = 0;
    // The upload is killed at the object that follows this many.
    for objects in 0..2 * SERVICES.len() {
        let bucket = Bucket::new();
        let mut puts = 0;
        let front = Front::start(&bucket.endpoint(), move |line| {
            puts += usize::from(line.starts_with("PUT "));
            if puts > objects { Verdict::Hold } else { Verdict::Pass }
        });
        let mut upload = repo.prepare(env!("CARGO_BIN_EXE_xtask"), &["upload"]);
        bucket.name_in(&mut upload);
        upload.env("AWS_ENDPOINT_URL_S3", &front.endpoint);
        let mut child = upload.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait_until("an object that is not let through, and all before it", || {
            let is_held = front.seen().iter().any(|seen| seen.verdict == Verdict::Hold);
            is_held && bucket.keys().len() == objects
        });
        child.kill().unwrap();
        child.wait().unwrap();
        let case = format!("killed at {objects} objects");
        check_published(&bucket, &case);
        let before = written(&bucket);
        cut_short += usize::from((1..2 * SERVICES.len()).contains(&before.len()));

        let mut again = repo.prepare(env!("CARGO_BIN_EXE_xtask"), &["upload", "--json"]);
        bucket.name_in(&mut again);
        let again = run(&mut again, "upload --json").exits(0);
        let after = written(&bucket);
        assert_eq!(after.len(), 2 * SERVICES.len(), "{case}: {:?}", after.keys());
        check_published(&bucket, &case);
        let document: Value = serde_json::from_str(&again.stdout).unwrap();
        for object in document["objects"].as_array().unwrap() {
            let key = object["object_key"].as_str().unwrap();
            // Objects that were being sent when it was killed may have been stored.
            if let Some(before) = before.get(key) {
                assert_eq!(object["outcome"], "already_there", "{case}: {object}");
                assert_eq!(*before, after[key], "{case}: {key} was written again");
            }
        }
    }
    assert!(cut_short > 0, "no run was killed half way");
}

#[test]
fn two_uploads_at_once_publish_once() {
    let repo = Repo::new(&SERVICES);
    repo.xtask("dist").exits(0);
    for _ in 0..4 {
        let bucket = Bucket::new();
        let runs: Vec<_> = (0..2)
            .map(|_| {
                let mut upload = repo.prepare(env!("CARGO_BIN_EXE_xtask"), &["upload", "--json"]);
                bucket.name_in(&mut upload);
                upload.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
            })
            .collect();
        let mut stored: BTreeMap<String, usize> = BTreeMap::new();
        for run in runs {
            let output = run.wait_with_output().unwrap();
            let talk = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{talk}");
            let document: Value = serde_json::from_slice(&output.stdout).unwrap();
            for object in document["objects"].as_array().unwrap() {
                let key = object["object_key"].as_str().unwrap().to_owned();
                *stored.entry(key).or_default() += usize::from(object["outcome"] == "stored");
            }
        }
        check_published(&bucket, "two at once");
        assert_eq!(stored.len(), 2 * SERVICES.len());
        assert!(stored.values().all(|times| *times == 1), "stored so often: {stored:?}");
    }
}

#[test]
fn an_artifact_that_another_upload_replaced_is_not_published() {
    let repo = Repo::new(&["alpha"]);
    repo.xtask("dist").exits(0);
    let snapshot = repo.path().join("pkg/snapshot");
    let text = std::fs::read(snapshot.join("manifest.json")).unwrap();
    let manifest = Manifest::read_strict(&text, "manifest.json").unwrap();
    let release = Release {
        manifest: &manifest,
        service: "alpha",
        dir: &snapshot,
        content_type: "application/x-compressed-tar",
        attributes: &Attributes::default(),
        verify: false,
    };
    let bucket = Bucket::new();
    let client = bucket.client();
    let ui = Ui::new(&Env::for_test(&[]));
    let progress = Progress::start(&client, 0, false, &ui);
    let begun = begin(&client, &release);
    let artifact = &begun.artifacts()[0];
    publish::send(&client, &begun, artifact, &progress).unwrap();

    // Another upload replaces the archive, which no manifest object names yet.
    let there = client.head(&artifact.object_key).unwrap().unwrap();
    let put = Put {
        precondition: Precondition::Matches(&there.etag),
        ..Put::new(Body::Bytes(b"other bytes of the same version"), "application/x-compressed-tar")
    };
    client.put(&artifact.object_key, &put).unwrap();
    let error = publish::commit(&client, &begun, &progress).unwrap_err();
    assert!(error.to_string().contains("was changed by someone else"), "{error:#}");
    assert_eq!(bucket.manifest_objects(), Vec::<String>::new());

    // Without a replacement, the release is published.
    let other = Bucket::new();
    let client = other.client();
    let begun = begin(&client, &release);
    publish::send(&client, &begun, &begun.artifacts()[0], &progress).unwrap();
    publish::commit(&client, &begun, &progress).unwrap();
    assert_eq!(other.manifest_objects().len(), 1);
}

#[test]
fn receipts_say_what_was_done_and_verify_reads_it_back() {
    let bucket = Bucket::new();
    let repo = bucket.serve(Repo::new(&["alpha"]));
    repo.xtask("dist").exits(0);
    let run = repo.xtask("upload --json --verify --timings --explain").exits(0);
    let run = run.says("credentials S3_KEY: used").says("in all; ");
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    for object in document["objects"].as_array().unwrap() {
        assert_eq!(object["bucket"], "builds", "{object}");
        assert_eq!((&object["attempts"], &object["verified"]), (&1.into(), &true.into()));
        assert!(object["request_id"].as_str().is_some_and(|id| !id.is_empty()), "{object}");
    }
    assert!(document["timings"]["requests"].as_u64().is_some_and(|n| n >= 7), "{document}");

    let key = document["objects"][0]["object_key"].as_str().unwrap();
    let file = bucket.object(key);
    let published = std::fs::read(&file).unwrap();
    let mut changed = published.clone();
    changed[20] ^= 1;
    let restored = || {
        let run = repo.xtask("upload --verify --json").exits(0);
        let document: Value = serde_json::from_str(&run.stdout).unwrap();
        assert!(std::fs::read(&file).unwrap() == published, "other bytes");
        document["objects"][0].clone()
    };
    for damage in [Some(changed), None] {
        match damage {
            Some(bytes) => std::fs::write(&file, bytes).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        // Without `--verify`, the manifest object is trusted.
        repo.xtask("upload").exits(0);
        let object = restored();
        assert_eq!((&object["outcome"], &object["verified"]), (&"restored".into(), &true.into()));
    }
    assert_eq!(restored()["outcome"], "already_there");
}

#[test]
fn a_damaged_manifest_object_says_how_to_get_rid_of_it() {
    let bucket = Bucket::new();
    let repo = bucket.serve(snapshot(&[("alpha", b"bytes")]));
    repo.xtask("upload").exits(0);
    let key = manifest_object("alpha");
    std::fs::write(bucket.object(&key), "{\"x\":").unwrap();
    for line in ["upload", "upload --verify", "presign alpha --version aaaaaa"] {
        let run = repo.xtask(line).exits(3);
        run.says(&format!("object builds/{key} is not a manifest")).says("has to be deleted");
    }
    std::fs::remove_file(bucket.object(&key)).unwrap();
    repo.xtask("upload").exits(0).prints("already there");
    check_published(&bucket, "written anew");
}
