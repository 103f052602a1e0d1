//! Objects go in and come out whole, with what is said about them.

use std::time::Duration;

use ftime::Epoch;
use s3::{Body, Put, PutOutcome, hex, sha256};

use super::bucket::{Bucket, key_of, put_of, store};

pub(super) fn metadata_and_content_type_come_back(bucket: &Bucket) {
    let client = bucket.client();
    let key = key_of("objects", "described");
    let metadata = [("commit", "0123abcd"), ("two-words", "a b")];
    let content_type = "application/x-tar; charset=binary";
    let put = Put { content_type, metadata: &metadata, ..put_of(Body::Bytes(b"described")) };
    let outcome = client.put(&key, &put).unwrap();
    let PutOutcome::Stored(stored) = outcome else { panic!("{outcome:?}") };
    let head = client.head(&key).unwrap().expect("it was stored");
    assert_eq!(head.size_bytes, 9);
    assert_eq!(head.etag, stored.etag, "the same ETag at PUT and HEAD");
    assert!(head.last_modified.is_some());
    let digest = hex(&sha256(b"described"));
    for (name, value) in metadata.into_iter().chain([("sha256", digest.as_str())]) {
        assert_eq!(head.metadata.get(name).map(String::as_str), Some(value), "{name}");
    }
    let url = client.presign_get(&key, Epoch::now(), Duration::from_mins(1)).unwrap().url;
    let answer = bucket.get_url(&url);
    assert_eq!(answer.header("content-type"), content_type);
}

pub(super) fn bytes_come_back_from_memory_and_from_a_file(bucket: &Bucket) {
    let client = bucket.client();
    let folder = tempfile::tempdir().unwrap();
    // Below and above the size from which the server is asked first (`Expect: 100-continue`).
    for size in [0, 1, 4096, 3 * 1024 * 1024] {
        let bytes: Vec<u8> = (0..size).map(|at: u32| (at.wrapping_mul(31) >> 3) as u8).collect();
        let path = folder.path().join(size.to_string());
        std::fs::write(&path, &bytes).unwrap();
        let file = Body::File { path: &path, size_bytes: u64::from(size), sha256: sha256(&bytes) };
        for (from, body) in [("memory", Body::Bytes(&bytes)), ("file", file)] {
            let key = key_of("objects", &format!("{from}-{size}"));
            client.put(&key, &put_of(body)).unwrap();
            let object = client.get(&key, u64::from(size)).unwrap().expect("it was stored");
            assert!(object.bytes == bytes, "{key}");
        }
    }
}

pub(super) fn what_is_not_there_is_none_and_a_deletion_can_be_repeated(bucket: &Bucket) {
    let client = bucket.client();
    let key = key_of("objects", "gone");
    assert_eq!(client.head(&key).unwrap(), None);
    assert_eq!(client.get(&key, 10).unwrap(), None);
    store(&client, &key, "here");
    store(&client, &key, "replaced");
    assert_eq!(client.get(&key, 10).unwrap().expect("it was stored").bytes, b"replaced");
    for _ in 0..2 {
        client.delete(&key).unwrap();
        assert_eq!(client.head(&key).unwrap(), None);
    }
}

pub(super) fn more_than_was_asked_for_is_refused(bucket: &Bucket) {
    let client = bucket.client();
    let key = key_of("objects", "large");
    store(&client, &key, "eleven byte");
    let error = client.get(&key, 10).unwrap_err();
    assert!(error.to_string().contains("larger than 10 bytes"), "{error}");
}
