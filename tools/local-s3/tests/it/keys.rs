//! Object keys: S3 takes any 1,024 bytes, so this server does, file or no file.

use crate::wire::{Ask, BOTH, Wire};

/// Returns object keys that exist side by side in S3, though no file system could hold them all as
/// paths.
fn odd_keys() -> Vec<String> {
    let mut keys =
        ["a/b", "a", "a/b/c", "a/", "a//b", "/a/b", "../outside", "a/../a/b", ".", "a/./b"]
            .map(str::to_owned)
            .to_vec();
    keys.push("k".repeat(300));
    keys.push(format!("{}/{}", "d".repeat(256), "f".repeat(767)));
    keys.push("k/".repeat(512));
    keys.push("é".repeat(512));
    keys
}

#[test]
fn any_key_of_1024_bytes_is_an_object_of_its_own() {
    let wire = Wire::start();
    let mut keys = odd_keys();
    for signature in BOTH {
        for (at, object_key) in keys.iter().enumerate() {
            let put = Ask::put(object_key, at.to_string().as_bytes())
                .header("if-none-match", "*")
                .header("x-amz-meta-at", &at.to_string());
            assert_eq!(
                wire.ask(signature, &put).outcome(),
                (200, ""),
                "{signature} {object_key:?}"
            );
            assert_eq!(wire.ask(signature, &put).status, 412, "{signature} {object_key:?} again");
        }
        for (at, object_key) in keys.iter().enumerate() {
            let found = wire.ask(signature, &Ask::new("GET", object_key));
            assert_eq!(found.text(), at.to_string(), "{signature} {object_key:?}");
            let head = wire.ask(signature, &Ask::new("HEAD", object_key));
            assert_eq!(head.header("x-amz-meta-at"), Some(&*at.to_string()), "{object_key:?}");
        }
        let listed = wire.ask(signature, &Ask::list(&[]));
        let mut sorted = keys.clone();
        sorted.sort();
        assert_eq!(listed.elements("Key"), sorted, "{signature}");
        for object_key in &keys {
            assert_eq!(wire.ask(signature, &Ask::new("DELETE", object_key)).status, 204);
            let gone = wire.ask(signature, &Ask::new("GET", object_key));
            assert_eq!(gone.outcome(), (404, "NoSuchKey"), "{signature} {object_key:?}");
        }
        assert!(wire.ask(signature, &Ask::list(&[])).elements("Key").is_empty(), "{signature}");
        keys.reverse();
    }
    assert!(wire.files().is_empty(), "{:?}", wire.files());
    let outside = wire.server.root().join("outside");
    assert!(!outside.exists() && wire.staging_is_empty(), "something is left behind");
}

#[test]
fn what_can_be_read_as_a_path_is_one() {
    let wire = Wire::start();
    let (long, deep) = ("k".repeat(255), "d/".repeat(100) + "f");
    for object_key in ["a", "b/c.tar.gz", "été 100%+c", &long, &deep] {
        assert_eq!(wire.ask(BOTH[0], &Ask::put(object_key, b"x")).status, 200, "{object_key:?}");
        assert!(wire.file(object_key).is_file(), "{object_key:?}");
    }
}

#[test]
fn an_object_that_someone_replaced_by_hand_is_served_as_it_is() {
    let wire = Wire::start();
    for signature in BOTH {
        let put = Ask::put("k", b"before").header("x-amz-meta-a", "1");
        let etag = wire.ask(signature, &put).header("etag").map(str::to_owned);
        std::fs::write(wire.file("k"), b"and after").unwrap();
        let found = wire.ask(signature, &Ask::new("GET", "k"));
        assert_eq!((found.status, found.text()), (200, "and after"), "{signature}");
        assert_eq!(found.header("x-amz-meta-a"), None, "{signature}: what was known of another");
        assert_ne!(found.header("etag"), etag.as_deref(), "{signature}");
    }
}

#[test]
fn a_key_over_1024_bytes_is_refused() {
    let wire = Wire::start();
    for signature in BOTH {
        for object_key in ["k".repeat(1025), "é".repeat(513)] {
            let answer = wire.ask(signature, &Ask::put(&object_key, b"x"));
            assert_eq!(answer.outcome(), (400, "KeyTooLongError"), "{signature}");
        }
    }
    assert!(wire.files().is_empty(), "{:?}", wire.files());
}
