//! Tests the replacement of an object that a failed upload left. The request has a condition, which
//! does not cover everything, and which some servers do not know.

use crate::exactly_once::check_published;
use crate::support::bucket::Bucket;
use crate::support::front::{Front, Verdict};
use crate::support::snapshot::{manifest_object, snapshot};
use crate::support::{Repo, run};

const ARCHIVE: &str = ".tar.gz ";

/// Makes two snapshots of one version with different bytes, and a bucket with the archive of the
/// first but without its manifest object.
fn leftover() -> (Bucket, Repo, Repo) {
    let bucket = Bucket::new();
    let [ours, theirs] =
        [&b"ours"[..], b"theirs"].map(|bytes| bucket.serve(snapshot(&[("alpha", bytes)])));
    ours.xtask("upload").exits(0);
    std::fs::remove_file(bucket.object(&manifest_object("alpha"))).unwrap();
    (bucket, ours, theirs)
}

#[test]
fn replacing_a_published_archive_is_an_error_and_the_other_upload_restores_it() {
    let (bucket, ours, mut theirs) = leftover();
    let mut publish = ours.prepare(env!("CARGO_BIN_EXE_xtask"), &["upload"]);
    let mut puts = 0;
    let front = Front::start(&bucket.endpoint(), move |line| {
        puts += usize::from(line.starts_with("PUT ") && line.contains(ARCHIVE));
        if puts == 2 {
            // After the other upload has read the bucket, and before its bytes arrive.
            run(&mut publish, "upload").exits(0);
            puts += 1;
        }
        Verdict::Pass
    });
    theirs.set("AWS_ENDPOINT_URL_S3", &front.endpoint);
    let run = theirs.xtask("upload").exits(1);
    run.says("was replaced while another upload published it").says("--verify");
    ours.xtask("upload --verify").exits(0).prints("restored");
    check_published(&bucket, "put back");
}

#[test]
fn a_server_that_cannot_replace_under_a_condition_is_named() {
    // The first PUT may only create, the second may only replace.
    for (refused, text) in
        [(1, "501 NotImplemented"), (2, "cannot replace an object only if it is unchanged (501)")]
    {
        let (bucket, _, mut theirs) = leftover();
        let mut puts = 0;
        let front = Front::start(&bucket.endpoint(), move |line| {
            puts += usize::from(line.starts_with("PUT ") && line.contains(ARCHIVE));
            if puts == refused { Verdict::Refuse(501, "NotImplemented") } else { Verdict::Pass }
        });
        theirs.set("AWS_ENDPOINT_URL_S3", &front.endpoint);
        let run = theirs.xtask("upload").exits(1).says(text);
        assert_eq!(run.stderr.contains("is there already"), refused == 2, "{}", run.stderr);
        assert!(bucket.manifest_objects().is_empty());
    }
}
