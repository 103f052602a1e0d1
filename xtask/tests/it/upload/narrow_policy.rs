//! Tests `upload` under a policy that refuses some of its requests. What it may not read is never
//! guessed and decides nothing.

use serde_json::Value;

use crate::support::Run;
use crate::support::bucket::Bucket;
use crate::support::front::{Front, Verdict};
use crate::support::snapshot::{archive, manifest_object, snapshot};

const BYTES: &[u8] = b"what is published";

/// A method and the end of a path, or `*` for every path: such requests are refused.
type Refused = (&'static str, &'static str);

const GET_OF_MANIFEST_OBJECT: Refused = ("GET", ".json");
const EVERY_HEAD: Refused = ("HEAD", "*");
const EVERY_GET: Refused = ("GET", "*");
const PUT_OF_MANIFEST_OBJECT: Refused = ("PUT", ".json");

/// Uploads through a server that refuses these requests. Returns the run and the number of
/// refusals.
fn upload(bucket: &Bucket, refused: &'static [Refused], bytes: &[u8], line: &str) -> (Run, usize) {
    let front = Front::start(&bucket.endpoint(), move |line| {
        let mut words = line.split(' ');
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        let path = target.split('?').next().unwrap();
        let is_refused =
            |(verb, end): &Refused| *verb == method && (*end == "*" || path.ends_with(end));
        let is_refused = refused.iter().any(is_refused);
        if is_refused { Verdict::Refuse(403, "AccessDenied") } else { Verdict::Pass }
    });
    let mut repo = bucket.serve(snapshot(&[("alpha", bytes)]));
    repo.set("AWS_ENDPOINT_URL_S3", &front.endpoint);
    let run = repo.xtask(line);
    let is_refused = |verdict| matches!(verdict, Verdict::Refuse(..));
    (run, front.seen().iter().filter(|seen| is_refused(seen.verdict)).count())
}

fn outcomes(run: &Run) -> Vec<(String, String)> {
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    let text = |object: &Value, field| object[field].as_str().unwrap().to_owned();
    let objects = document["objects"].as_array().unwrap().iter();
    objects.map(|object| (text(object, "object_key"), text(object, "outcome"))).collect()
}

#[test]
fn a_release_is_published_though_reading_is_refused() {
    for refused in [
        &[GET_OF_MANIFEST_OBJECT][..],
        &[EVERY_HEAD],
        &[GET_OF_MANIFEST_OBJECT, EVERY_HEAD],
        &[EVERY_GET, EVERY_HEAD],
    ] {
        let bucket = Bucket::new();
        let (run, count) = upload(&bucket, refused, BYTES, "upload --json");
        let run = run.exits(0);
        assert!(count > 0, "{refused:?}: nothing was refused");
        let stored = |key: String| (key, "stored".to_owned());
        let expected = [stored(archive("alpha")), stored(manifest_object("alpha"))];
        assert_eq!(outcomes(&run), expected, "{refused:?}");
        assert_eq!(std::fs::read(bucket.object(&archive("alpha"))).unwrap(), BYTES);
        assert_eq!(bucket.manifest_objects(), [manifest_object("alpha")]);
    }
}

#[test]
fn a_published_object_that_may_not_be_read_is_an_error_and_keeps_its_bytes() {
    for (refused, bytes) in [
        (&[GET_OF_MANIFEST_OBJECT][..], &b"something else"[..]),
        (&[GET_OF_MANIFEST_OBJECT], BYTES),
        (&[EVERY_HEAD], b"something else"),
    ] {
        let bucket = Bucket::new();
        upload(&bucket, &[], BYTES, "upload").0.exits(0);
        let before = std::fs::read(bucket.object(&manifest_object("alpha"))).unwrap();
        let (run, _) = upload(&bucket, refused, bytes, "upload");
        let is_known = refused[0] == EVERY_HEAD;
        run.exits(1).says(if is_known { "is published already" } else { "may not be read" });
        assert_eq!(std::fs::read(bucket.object(&archive("alpha"))).unwrap(), BYTES);
        assert_eq!(std::fs::read(bucket.object(&manifest_object("alpha"))).unwrap(), before);
    }
}

#[test]
fn a_run_that_fails_prints_the_receipts_of_what_it_has_sent() {
    let bucket = Bucket::new();
    let (run, _) = upload(&bucket, &[PUT_OF_MANIFEST_OBJECT], BYTES, "upload --json");
    let run = run.exits(1).says("AccessDenied");
    assert_eq!(outcomes(&run), [(archive("alpha"), "stored".to_owned())]);
    assert_eq!(is_complete(&run), Some(false));
    let (run, _) = upload(&bucket, &[], BYTES, "upload --json");
    assert_eq!(is_complete(&run.exits(0)), Some(true));
}

fn is_complete(run: &Run) -> Option<bool> {
    serde_json::from_str::<Value>(&run.stdout).unwrap()["complete"].as_bool()
}
