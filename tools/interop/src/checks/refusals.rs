//! What a server refuses, and that the error says so: status, code, kind.

use ferror::Kind;
use s3::{Credentials, Location, Precondition, Signature};

use super::bucket::refusal;
use super::bucket::{Bucket, Own, key_of, put, store};
use crate::servers::Answered;

pub(super) fn wrong_credentials_are_denied(bucket: &Bucket) {
    let key = key_of("refusals", "denied");
    store(&bucket.client(), &key, "x");
    let unknown = Credentials::new("nobody:knows", "this", None).unwrap();
    let rows = [
        (bucket.with_another_secret(), "403 SignatureDoesNotMatch".to_owned()),
        (unknown, bucket.expected.unknown_access_key.to_string()),
    ];
    for (credentials, expected) in rows {
        let client = bucket.client_of(bucket.location(), credentials);
        let error = client.get(&key, 100).unwrap_err();
        assert_eq!(refusal(&error), expected);
        if expected.starts_with("404 ") {
            // The error names the server's code; a HEAD cannot, and finds nothing.
            assert_eq!(client.head(&key).unwrap(), None);
            assert_eq!(refusal(&client.list("", 1).unwrap_err()), expected);
            continue;
        }
        assert_eq!(error.kind(), Kind::Denied, "{error}");
        // The answer to a HEAD has no body: its status is all there is.
        let error = client.head(&key).unwrap_err();
        assert_eq!((refusal(&error), error.kind()), ("403 ".to_owned(), Kind::Denied));
        let error = client.delete(&key).unwrap_err();
        assert_eq!((refusal(&error), error.kind()), (expected, Kind::Denied));
    }
    assert!(bucket.client().head(&key).unwrap().is_some(), "it is still there");
}

pub(super) fn a_wrong_region_is_refused_by_those_who_look_and_mended(bucket: &Bucket) {
    const WRONG: &str = "eu-north-7";
    let key = key_of("refusals", "region");
    store(&bucket.client(), &key, "x");
    let own = Own { method: "GET", object_key: &key, region: Some(WRONG), ..Own::default() };
    let answer = bucket.send(&own);
    let looks = bucket.signature == Signature::V4 && bucket.expected.wrong_region != Answered::Done;
    let expected = if looks { bucket.expected.wrong_region.to_string() } else { "200 ".to_owned() };
    assert_eq!(answer.said(), expected);
    let location = Location { region: WRONG.to_owned(), ..bucket.location() };
    let client = bucket.client_of(location, bucket.credentials());
    assert_eq!(client.get(&key, 100).unwrap().expect("it was stored").bytes, b"x");
    assert_eq!(client.region(), if looks { bucket.region } else { WRONG });
}

pub(super) fn a_bucket_that_is_not_there_is_named(bucket: &Bucket) {
    let mut location = bucket.location();
    "no-such-bucket-here".clone_into(&mut location.bucket);
    let client = bucket.client_of(location, bucket.credentials());
    let stored = put(&client, "k", "x", Precondition::None);
    let errors =
        [client.get("k", 10).unwrap_err(), client.list("", 10).unwrap_err(), stored.unwrap_err()];
    for error in errors {
        assert_eq!(refusal(&error), "404 NoSuchBucket");
        assert_eq!(error.kind(), Kind::NotFound);
        assert!(error.to_string().contains("no-such-bucket-here"), "{error}");
    }
}

pub(super) fn bytes_that_are_not_the_announced_ones_are_not_stored(bucket: &Bucket) {
    let key = key_of("refusals", "digest");
    let own = Own { method: "PUT", object_key: &key, body: b"what is sent", ..Own::default() };
    if bucket.signature == Signature::V4 {
        let answer = bucket.send(&Own { signed_body: Some(b"what is signed"), ..own });
        assert_eq!(answer.said(), bucket.expected.wrong_sha256.to_string());
    }
    // The MD5 of no bytes, and no MD5.
    let rows = [
        ("1B2M2Y8AsgTpgAmY7PhCfg==", bucket.expected.wrong_md5.to_string()),
        ("not a digest", "400 InvalidDigest".to_owned()),
    ];
    for (md5, expected) in rows {
        let answer = bucket.send(&Own { headers: &[("content-md5", md5)], ..own });
        assert_eq!(answer.said(), expected, "Content-MD5: {md5}");
    }
    assert_eq!(bucket.client().head(&key).unwrap(), None, "nothing was stored");
}

pub(super) fn an_early_refusal_of_a_large_body_says_why(bucket: &Bucket) {
    let client = bucket.client_of(bucket.location(), bucket.with_another_secret());
    let text = "x".repeat(8 * 1024 * 1024);
    let key = key_of("refusals", "early");
    let error = put(&client, &key, &text, Precondition::None).unwrap_err();
    if !bucket.expected.early_refusal_arrives {
        assert!(error.is_retryable() || refusal(&error) == "403 SignatureDoesNotMatch", "{error}");
        return;
    }
    assert_eq!(refusal(&error), "403 SignatureDoesNotMatch");
}
