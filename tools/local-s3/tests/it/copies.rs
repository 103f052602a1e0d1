//! `CopyObject`: bytes, metadata, conditions on both ends.

use crate::wire::{Ask, BOTH, Wire};

fn copy(from: &str, to: &str) -> Ask {
    let source = format!("/artifacts/{}", s3::encode::object_key(from));
    Ask::put(to, b"").header("x-amz-copy-source", &source)
}

#[test]
fn a_copy_has_the_bytes_and_the_metadata_of_its_source() {
    let wire = Wire::start();
    let body: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    for signature in BOTH {
        let put = Ask::put("from/a b+é", &body)
            .header("content-type", "application/gzip")
            .header("x-amz-meta-sha256", "abc")
            .header("x-amz-storage-class", "STANDARD_IA")
            .header("x-amz-tagging", "a=b");
        let etag = wire.ask(signature, &put).header("etag").unwrap().to_owned();
        let copied = wire.ask(signature, &copy("from/a b+é", "to/it"));
        assert_eq!(copied.outcome(), (200, ""), "{signature}: {}", copied.text());
        assert!(copied.text().contains("<CopyObjectResult"), "{}", copied.text());
        let found = wire.ask(signature, &Ask::new("GET", "to/it"));
        assert!(found.body == body, "{signature}: other bytes");
        for (name, value) in [
            ("content-type", Some("application/gzip")),
            ("x-amz-meta-sha256", Some("abc")),
            ("x-amz-tagging-count", Some("1")),
            // A copy does not take over how its source is stored.
            ("x-amz-storage-class", None),
            ("etag", Some(etag.as_str())),
        ] {
            assert_eq!(found.header(name), value, "{signature} {name}");
        }

        let replaced = copy("from/a b+é", "to/other")
            .header("x-amz-metadata-directive", "REPLACE")
            .header("x-amz-meta-b", "2");
        assert_eq!(wire.ask(signature, &replaced).status, 200, "{signature}");
        let head = wire.ask(signature, &Ask::new("HEAD", "to/other"));
        assert_eq!(head.header("x-amz-meta-sha256"), None, "{signature}");
        assert_eq!(head.header("x-amz-meta-b"), Some("2"), "{signature}");
        for object_key in ["from/a b+é", "to/it", "to/other"] {
            wire.ask(signature, &Ask::new("DELETE", object_key));
        }
    }
    assert!(wire.files().is_empty() && wire.staging_is_empty());
}

#[test]
fn a_refused_copy_changes_nothing() {
    let wire = Wire::start();
    let other = "\"00000000000000000000000000000000\"";
    for signature in BOTH {
        let from = wire.ask(signature, &Ask::put("from", b"from"));
        let kept = wire.ask(signature, &Ask::put("kept", b"kept"));
        let (from, kept) = (from.header("etag").unwrap(), kept.header("etag").unwrap());
        let source_match = "x-amz-copy-source-if-match";
        for (ask, expected) in [
            (copy("absent", "kept"), (404, "NoSuchKey")),
            (copy("kept", "kept"), (400, "InvalidRequest")),
            (copy("from", "kept").header("if-none-match", "*"), (412, "PreconditionFailed")),
            (copy("from", "kept").header("if-match", other), (412, "PreconditionFailed")),
            (copy("from", "kept").header(source_match, other), (412, "PreconditionFailed")),
            (copy("from", "new").header("if-match", other), (404, "NoSuchKey")),
            (
                copy("from", "kept").header("x-amz-copy-source-if-none-match", from),
                (412, "PreconditionFailed"),
            ),
            (
                Ask::put("kept", b"").header("x-amz-copy-source", "/nowhere/from"),
                (404, "NoSuchBucket"),
            ),
        ] {
            let answer = wire.ask(signature, &ask);
            assert_eq!(answer.outcome(), expected, "{signature} {:?}", ask.headers);
            assert_eq!(wire.files(), ["from", "kept"], "{signature} {:?}", ask.headers);
            let found = wire.ask(signature, &Ask::new("GET", "kept"));
            assert_eq!(found.text(), "kept", "{signature} {:?}", ask.headers);
        }
        let right = copy("from", "kept").header("if-match", kept).header(source_match, from);
        assert_eq!(wire.ask(signature, &right).outcome(), (200, ""), "{signature}");
        assert_eq!(wire.ask(signature, &Ask::new("GET", "kept")).text(), "from", "{signature}");
    }
    assert!(wire.staging_is_empty());
}
