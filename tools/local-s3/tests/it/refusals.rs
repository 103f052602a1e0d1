//! What is refused, with which code, and that a refused PUT leaves what was there.

use ftime::Epoch;
use s3::Signature;

use crate::wire::{Ask, BOTH, Wire};

/// MD5 of `hello`, and of nothing.
const MD5_HELLO: &str = "XUFAKrxLKna5cZ2REBfFkg==";
const MD5_EMPTY: &str = "1B2M2Y8AsgTpgAmY7PhCfg==";
/// CRC-32 of `hello`.
const CRC32_HELLO: &str = "NhCmhg==";

/// Runs `put` against an absent and a present object, and compares code and leftovers.
fn check(wire: &Wire, what: &str, expected: (u16, &str), put: impl Fn(&str) -> (u16, String)) {
    let kept = Ask::put("kept", b"kept").header("x-amz-meta-a", "1");
    assert_eq!(wire.ask(Signature::V4, &kept).status, 200);
    for object_key in ["kept", "absent"] {
        let (status, code) = put(object_key);
        assert_eq!((status, code.as_str()), expected, "{what}, onto {object_key}");
        assert_eq!(wire.files(), ["kept"], "{what}, onto {object_key}");
        let found = wire.ask(Signature::V4, &Ask::new("GET", "kept"));
        assert_eq!(found.body, b"kept", "{what}, onto {object_key}");
        assert_eq!(found.header("x-amz-meta-a"), Some("1"), "{what}, onto {object_key}");
        assert!(wire.staging_is_empty(), "{what}, onto {object_key}: something is left behind");
    }
}

#[test]
fn a_body_that_is_not_what_was_declared_is_not_stored() {
    let wire = Wire::start();
    for signature in BOTH {
        for (name, value, expected) in [
            ("content-md5", MD5_EMPTY, (400, "BadDigest")),
            ("content-md5", "not base64", (400, "InvalidDigest")),
            ("x-amz-checksum-crc32", "AAAAAA==", (400, "BadDigest")),
        ] {
            let put = |object_key: &str| {
                let answer =
                    wire.ask(signature, &Ask::put(object_key, b"hello").header(name, value));
                (answer.status, answer.outcome().1.to_owned())
            };
            check(&wire, &format!("{signature} {name}: {value}"), expected, put);
        }
        for (name, value) in [("content-md5", MD5_HELLO), ("x-amz-checksum-crc32", CRC32_HELLO)] {
            let answer = wire.ask(signature, &Ask::put("right", b"hello").header(name, value));
            assert_eq!(answer.outcome(), (200, ""), "{signature} {name}: {value}");
            wire.ask(signature, &Ask::new("DELETE", "right"));
        }
    }
}

#[test]
fn a_body_other_than_the_signed_one_is_not_stored() {
    let wire = Wire::start();
    let long = vec![7_u8; 500_000];
    for (what, sent) in [("another body", b"jello".to_vec()), ("a long body", long)] {
        check(&wire, what, (400, "XAmzContentSHA256Mismatch"), |object_key| {
            let put = Ask::put(object_key, b"hello");
            let request = wire.sign(Signature::V4, &put, &wire.credentials, Epoch::now());
            let answer = wire.send(&request, &sent);
            (answer.status, answer.outcome().1.to_owned())
        });
    }
}

#[test]
fn a_body_that_breaks_off_is_not_stored() {
    let wire = Wire::start();
    for signature in BOTH {
        // The client has hung up, so there is no answer to compare.
        check(&wire, &format!("{signature} broken off"), (0, ""), |object_key| {
            let put = Ask::put(object_key, b"hello, world");
            let request = wire.sign(signature, &put, &wire.credentials, Epoch::now());
            wire.send_truncated(&request, b"hello", put.body.len());
            (0, String::new())
        });
    }
}

#[test]
fn a_bucket_that_is_not_there_is_named_as_such() {
    let wire = Wire::start();
    for signature in BOTH {
        for ask in
            [Ask::put("k", b"x"), Ask::new("GET", "k"), Ask::new("DELETE", "k"), Ask::list(&[])]
        {
            let answer = wire.ask(signature, &ask.clone().bucket("nowhere"));
            let what = format!("{signature} {} {:?}", ask.method, ask.object_key);
            assert_eq!(answer.outcome(), (404, "NoSuchBucket"), "{what}");
        }
        let head = wire.ask(signature, &Ask::new("HEAD", "k").bucket("nowhere"));
        assert_eq!(head.status, 404, "{signature}");
    }
    assert!(!wire.server.root().join("nowhere").exists(), "a PUT made the bucket");
}

#[test]
fn what_is_no_object_is_no_such_key() {
    let wire = Wire::start();
    std::fs::write(wire.server.root().join("outside"), b"secret").unwrap();
    for signature in BOTH {
        wire.ask(signature, &Ask::put("a/b", b"x"));
        for object_key in ["absent", "a", "a/", "a/c", "a/b/c", "../outside", "a/../a/b", "/a/b"] {
            let get = wire.ask(signature, &Ask::new("GET", object_key));
            assert_eq!(get.outcome(), (404, "NoSuchKey"), "{signature} GET {object_key:?}");
            let head = wire.ask(signature, &Ask::new("HEAD", object_key));
            assert_eq!(head.status, 404, "{signature} HEAD {object_key:?}");
        }
    }
}
