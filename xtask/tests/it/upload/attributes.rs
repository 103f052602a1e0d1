//! Checks that objects and their bucket get the attributes that the configuration table asks for.

use crate::support::bucket::Bucket;
use crate::support::snapshot::{archive, configure, manifest_object, snapshot};

/// Larger than what is sent in one request.
const LARGE: usize = 17 * 1024 * 1024;

/// Each row: lines of the table, and what the server says of every object that was uploaded.
const ROWS: [(&str, &[&str]); 7] = [
    ("cache-control = \"max-age=60\"", &["cache-control: max-age=60"]),
    ("storage-class = \"STANDARD_IA\"", &["x-amz-storage-class: STANDARD_IA"]),
    ("encryption = \"AES256\"", &["x-amz-server-side-encryption: AES256"]),
    ("encryption = \"aws:kms\"", &["x-amz-server-side-encryption: aws:kms"]),
    (
        "encryption = \"aws:kms\"\nkms-key-id = \"alias/builds\"",
        &[
            "x-amz-server-side-encryption: aws:kms",
            "x-amz-server-side-encryption-aws-kms-key-id: alias/builds",
        ],
    ),
    (
        "tags = { team = \"a b\", stage = \"ci\" }",
        &[
            "x-amz-tagging-count: 2",
            "<Key>team</Key><Value>a b</Value>",
            "<Key>stage</Key><Value>ci</Value>",
        ],
    ),
    (
        "metadata = { pipeline = \"7\", team = \"web\" }",
        &["x-amz-meta-pipeline: 7", "x-amz-meta-team: web"],
    ),
];

/// Returns what the server says of an object: the head of its answer to a GET, and the object's
/// tags.
fn said(bucket: &Bucket, key: &str) -> String {
    let tags = bucket.get(key, &[("tagging", "")]);
    let object = bucket.get(key, &[]);
    let head = object.split("\r\n\r\n").next().unwrap_or_default();
    format!("{head}\r\n{tags}")
}

#[test]
fn objects_have_the_attributes_that_the_table_names() {
    let all: Vec<_> = ROWS.iter().filter(|(line, _)| !line.contains("AES256")).collect();
    // The first answer that names KMS alone would name it twice.
    let whole = all.iter().filter(|(line, _)| *line != "encryption = \"aws:kms\"");
    let whole: Vec<_> = whole.map(|(line, _)| *line).collect();
    let everything: Vec<_> = all.iter().flat_map(|(_, expected)| *expected).copied().collect();
    let whole = (whole.join("\n"), everything, LARGE);
    let single = ROWS.map(|(line, expected)| (line.to_owned(), expected.to_vec(), 100));
    for (table, expected, length) in single.into_iter().chain([whole]) {
        for signature in ["v4", "v2"] {
            let bucket = Bucket::new();
            let repo = bucket.serve(snapshot(&[("alpha", &vec![7; length])]));
            configure(&repo, &table);
            repo.xtask(&format!("upload --signature {signature}")).exits(0);
            let keys = [manifest_object("alpha"), archive("alpha")];
            assert_eq!(bucket.keys(), keys);
            for key in keys {
                let said = said(&bucket, &key);
                for expected in &expected {
                    assert!(
                        said.contains(expected),
                        "{signature} {key}: {expected} not in\n{said}"
                    );
                }
            }
        }
    }
}

#[test]
fn without_a_table_objects_have_no_attributes() {
    let bucket = Bucket::new();
    bucket.serve(snapshot(&[("alpha", b"x")])).xtask("upload").exits(0);
    for key in [manifest_object("alpha"), archive("alpha")] {
        let said = said(&bucket, &key);
        for unexpected in ROWS.iter().flat_map(|(_, expected)| *expected) {
            let name = unexpected.split(": ").next().unwrap();
            assert!(!said.contains(name), "{key}: {name} in\n{said}");
        }
    }
}

#[test]
fn nothing_is_stored_in_a_bucket_of_another_owner_than_the_table_names() {
    for (owner, code) in [(local_s3::OWNER, 0), ("210987654321", 1)] {
        for signature in ["v4", "v2"] {
            let bucket = Bucket::new();
            let repo = bucket.serve(snapshot(&[("alpha", b"x"), ("large", &vec![7; LARGE])]));
            configure(&repo, &format!("bucket-owner = \"{owner}\""));
            let run = repo.xtask(&format!("upload --signature {signature}")).exits(code);
            if code == 0 {
                assert_eq!(bucket.keys().len(), 4);
            } else {
                run.says("AccessDenied");
                assert_eq!(bucket.keys(), Vec::<String>::new());
            }
            assert_eq!(bucket.unfinished(), 0, "an upload of parts was begun");
        }
    }
}
