//! Large objects: stored in parts, read in ranges, copied by the bucket.

use std::path::Path;

use ferror::Kind;
use s3::{Body, Client, Precondition, Put, PutOutcome, Signature, body_count, hex, sha256};

use super::bucket::refusal;
use super::bucket::{Bucket, key_of, put_of, store};
use crate::servers::Answered;

/// Enough for three parts, the last of them short.
const LARGE_BYTES: usize = 20 * 1024 * 1024 + 7;

/// Bytes that do not repeat from part to part.
pub(super) fn large() -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..LARGE_BYTES).map(|_| next()).collect()
}

pub(super) fn put_file(
    client: &Client,
    key: &str,
    path: &Path,
    sha256: [u8; 32],
    precondition: Precondition<'_>,
) -> ferror::Result<PutOutcome> {
    let body = Body::File { path, size_bytes: LARGE_BYTES as u64, sha256 };
    client.put(key, &Put { precondition, ..put_of(body) })
}

pub(super) fn a_large_file_goes_in_parts_and_comes_back_in_ranges(bucket: &Bucket) {
    let client = bucket.client();
    let folder = tempfile::tempdir().unwrap();
    let (path, bytes) = (folder.path().join("large"), large());
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(body_count(LARGE_BYTES as u64), 3);
    let key = key_of("large", "parts and ~more+");
    let outcome = put_file(&client, &key, &path, sha256(&bytes), Precondition::None).unwrap();
    let PutOutcome::Stored(stored) = outcome else { panic!("{outcome:?}") };
    let head = client.head(&key).unwrap().expect("it was stored");
    assert_eq!((head.size_bytes, &head.etag), (LARGE_BYTES as u64, &stored.etag));
    assert_eq!(head.metadata.get("sha256"), Some(&hex(&sha256(&bytes))));
    let whole = client.get(&key, LARGE_BYTES as u64).unwrap().expect("it was stored");
    assert!(whole.bytes == bytes, "the bytes come back");
    let (part, end) = (8 * 1024 * 1024, LARGE_BYTES as u64);
    for range in [0..1, part - 5..part + 5, end - 3..end, end - 3..end + 100] {
        let found =
            client.get_range(&key, range.clone(), &head.etag).unwrap().expect("it is there");
        let last = range.end.min(end) as usize;
        assert!(found.bytes == bytes[range.start as usize..last], "{range:?}");
    }
    let other = store(&client, &key_of("large", "other"), "other");
    let error = client.get_range(&key, 0..10, &other).unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict, "another ETag: {error}");
    assert_eq!(bucket.unfinished("large/"), 0);
}

pub(super) fn a_large_file_that_is_not_the_announced_one_is_not_stored(bucket: &Bucket) {
    let client = bucket.client();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large");
    std::fs::write(&path, large()).unwrap();
    let key = key_of("aborted", "large");
    let error = put_file(&client, &key, &path, sha256(b"other"), Precondition::None).unwrap_err();
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    assert_eq!(client.head(&key).unwrap(), None);
    assert_eq!(bucket.unfinished("aborted/"), 0, "the upload was aborted");
}

pub(super) fn a_large_file_does_not_replace_what_is_there_where_the_server_asks_at_the_end(
    bucket: &Bucket,
) {
    let client = bucket.client();
    let folder = tempfile::tempdir().unwrap();
    let (path, bytes) = (folder.path().join("large"), large());
    std::fs::write(&path, &bytes).unwrap();
    let key = key_of("conditional", "large");
    store(&client, &key, "first");
    let outcome = put_file(&client, &key, &path, sha256(&bytes), Precondition::Absent);
    let found = match outcome {
        Ok(PutOutcome::Stored(_)) => "done".to_owned(),
        Ok(PutOutcome::PreconditionFailed) => "unmet".to_owned(),
        Err(error) => refusal(&error),
    };
    assert_eq!(found, bucket.expected.large_if_absent.to_string());
    let size = client.head(&key).unwrap().expect("one of both").size_bytes;
    assert_eq!(size, if found == "done" { LARGE_BYTES as u64 } else { 5 });
    assert_eq!(bucket.unfinished("conditional/"), 0);
}

pub(super) fn copies_are_made_by_the_server_whatever_the_object_key(bucket: &Bucket) {
    let client = bucket.client();
    if bucket.signature == Signature::V4 && bucket.expected.copy_v4 != Answered::Done {
        store(&client, "copy-from/refused", "x");
        let error = client.copy("copy-from/refused", "copy-to/refused", None).unwrap_err();
        assert_eq!(refusal(&error), bucket.expected.copy_v4.to_string());
        return;
    }
    for name in ["plain", "a b+c%2Fd~ü", "double//slash", "question?mark=1&versionId=x"] {
        let (from, to) = (key_of("copy-from", name), key_of("copy-to", name));
        let etag = store(&client, &from, name);
        let copied = client.copy(&from, &to, Some(&etag)).unwrap().expect("it is there");
        let copy = client.get(&to, 100).unwrap().expect("it was copied");
        assert_eq!(copy.bytes, name.as_bytes(), "{name}");
        // One of the two sends it here without its quotes.
        assert_eq!(copy.head.etag.trim_matches('"'), copied.etag.trim_matches('"'), "{name}");
        let digest = hex(&sha256(name.as_bytes()));
        assert_eq!(copy.head.metadata.get("sha256"), Some(&digest), "{name}: with its metadata");
    }
    assert_eq!(client.copy("copy-from/nothing", "copy-to/nothing", None).unwrap(), None);
    let other = store(&client, &key_of("copy-from", "other"), "other");
    let changed = match client.copy("copy-from/plain", "copy-to/changed", Some(&other)) {
        Ok(_) => Answered::Done.to_string(),
        Err(error) => refusal(&error),
    };
    assert_eq!(changed, bucket.expected.copy_if_match_wrong.to_string(), "another ETag");
    let is_there = client.head("copy-to/changed").unwrap().is_some();
    assert_eq!(is_there, changed == "done");
}
