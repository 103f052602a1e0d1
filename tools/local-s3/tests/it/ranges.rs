//! Parts of an object, conditions on reading it, and HEAD, which says what GET would.

use crate::wire::{Ask, BOTH, Wire};

#[test]
fn a_range_is_those_bytes_and_head_says_the_same() {
    let wire = Wire::start();
    wire.ask(BOTH[0], &Ask::put("k", b"0123456789").header("x-amz-meta-a", "1"));
    wire.ask(BOTH[0], &Ask::put("empty", b""));
    for signature in BOTH {
        for (object_key, range, status, content_range, body) in [
            ("k", "bytes=0-0", 206, Some("bytes 0-0/10"), "0"),
            ("k", "bytes=2-4", 206, Some("bytes 2-4/10"), "234"),
            ("k", "bytes=7-", 206, Some("bytes 7-9/10"), "789"),
            ("k", "bytes=-3", 206, Some("bytes 7-9/10"), "789"),
            ("k", "bytes=8-99", 206, Some("bytes 8-9/10"), "89"),
            ("k", "bytes=-99", 206, Some("bytes 0-9/10"), "0123456789"),
            ("k", "bytes=10-", 416, None, ""),
            ("k", "bytes=-0", 416, None, ""),
            ("empty", "bytes=0-0", 416, None, ""),
            ("empty", "bytes=-5", 416, None, ""),
        ] {
            let get = wire.ask(signature, &Ask::new("GET", object_key).header("range", range));
            assert_eq!(get.status, status, "{signature} {object_key} {range}");
            assert_eq!(get.header("content-range"), content_range, "{signature} {range}");
            let head = wire.ask(signature, &Ask::new("HEAD", object_key).header("range", range));
            assert_eq!(head.status, status, "{signature} HEAD {object_key} {range}");
            if status == 416 {
                assert_eq!(get.outcome(), (416, "InvalidRange"), "{signature} {range}");
                continue;
            }
            assert_eq!(get.text(), body, "{signature} {range}");
            for name in ["content-range", "content-length", "etag", "x-amz-meta-a", "last-modified"]
            {
                assert_eq!(head.header(name), get.header(name), "{signature} {range}: {name}");
            }
        }
    }
}

#[test]
fn reading_has_conditions_too() {
    let wire = Wire::start();
    let etag = wire.ask(BOTH[0], &Ask::put("k", b"x")).header("etag").unwrap().to_owned();
    let other = "\"00000000000000000000000000000000\"";
    for signature in BOTH {
        for (name, value, status) in [
            ("if-match", &*etag, 200),
            ("if-match", "*", 200),
            ("if-match", other, 412),
            ("if-none-match", other, 200),
            ("if-none-match", &etag, 304),
            ("if-none-match", "*", 304),
        ] {
            for method in ["GET", "HEAD"] {
                let ask = Ask::new(method, "k").header(name, value);
                let answer = wire.ask(signature, &ask);
                assert_eq!(answer.status, status, "{signature} {method} {name}: {value}");
            }
        }
        let absent = Ask::new("GET", "absent").header("if-match", &etag);
        assert_eq!(wire.ask(signature, &absent).outcome(), (404, "NoSuchKey"), "{signature}");
    }
}

#[test]
fn what_was_set_with_an_object_comes_back_with_it() {
    let wire = Wire::start();
    for signature in BOTH {
        let set = [
            ("cache-control", "max-age=60"),
            ("content-disposition", "attachment"),
            ("content-type", "application/gzip"),
            ("x-amz-meta-a", "1"),
            ("x-amz-server-side-encryption", "aws:kms"),
            ("x-amz-server-side-encryption-aws-kms-key-id", "key/1"),
            ("x-amz-storage-class", "STANDARD_IA"),
        ];
        let put =
            set.iter().fold(Ask::put("k", b"x"), |ask, (name, value)| ask.header(name, value));
        let put = put.header("x-amz-tagging", "team=a%20b&empty=");
        assert_eq!(wire.ask(signature, &put).outcome(), (200, ""), "{signature}");
        for method in ["GET", "HEAD"] {
            let found = wire.ask(signature, &Ask::new(method, "k"));
            for (name, value) in set {
                assert_eq!(found.header(name), Some(value), "{signature} {method} {name}");
            }
            assert_eq!(found.header("x-amz-tagging-count"), Some("2"), "{signature} {method}");
        }
        let tags = wire.ask(signature, &Ask::new("GET", "k").query("tagging", ""));
        assert_eq!(tags.elements("Key"), ["team", "empty"], "{signature}: {tags:?}");
        assert_eq!(tags.elements("Value"), ["a b", ""], "{signature}");
        for (name, value, code) in [
            ("x-amz-storage-class", "COLD", "InvalidStorageClass"),
            ("x-amz-server-side-encryption", "rot13", "InvalidEncryptionAlgorithmError"),
            ("x-amz-meta-large", &"x".repeat(2048), "MetadataTooLarge"),
        ] {
            let refused = wire.ask(signature, &Ask::put("refused", b"x").header(name, value));
            assert_eq!(refused.outcome(), (400, code), "{signature} {name}");
        }
    }
    assert_eq!(wire.files(), ["k"]);
}
