//! Uploads that nobody completed: taken up after a run that died, found by their object key, ended.

use std::fs;
use std::time::Duration;

use s3::{
    Body, Client, ClientOptions, Location, Precondition, Put, PutOutcome, RetryPolicy, sha256,
};

use super::bucket::{Bucket, Own, key_of, put_of, store};
use super::cut_off::CutOff;

const PART_BYTES: usize = 8 * 1024 * 1024;
const LARGE_BYTES: usize = 2 * PART_BYTES + 1024 * 1024;

/// Returns a client that sends one part at a time and tries each request once, so that it is known
/// after which part an upload was cut off.
fn client_at(bucket: &Bucket, endpoint: &str) -> Client {
    let retry_policy =
        RetryPolicy { attempts: 1, budget: Duration::ZERO, ..RetryPolicy::default() };
    let options = ClientOptions { retry_policy, bodies_at_once: 1, ..ClientOptions::default() };
    let location = Location { endpoint: Some(endpoint.to_owned()), ..bucket.location() };
    bucket.client_with(location, bucket.credentials(), options)
}

/// Begins an upload that nobody goes on with.
fn begin(bucket: &Bucket, object_key: &str) {
    let query = [("uploads", "")];
    let answer = bucket.send(&Own { method: "POST", object_key, query: &query, ..Own::default() });
    assert_eq!(answer.status, 200, "{}", answer.code());
}

pub(super) fn an_upload_that_died_is_taken_up(bucket: &Bucket) {
    let folder = tempfile::tempdir().unwrap();
    let (path, journals) = (folder.path().join("large"), folder.path().join(".uploads"));
    let bytes: Vec<u8> = (0..3).flat_map(|part| vec![part; PART_BYTES]).take(LARGE_BYTES).collect();
    fs::write(&path, &bytes).unwrap();
    let key = key_of("died", "large & ~more+");
    let body = Body::File { path: &path, size_bytes: LARGE_BYTES as u64, sha256: sha256(&bytes) };
    let put = Put { precondition: Precondition::Absent, ..put_of(body) };
    // Connections to the server break off in the middle of the second part, and for the abort too.
    let proxy = CutOff::after(&bucket.endpoint, (PART_BYTES + PART_BYTES / 2) as u64);
    client_at(bucket, &proxy.endpoint).put_resumable(&key, &put, &journals).unwrap_err();
    assert_eq!(fs::read_dir(&journals).unwrap().count(), 1);
    assert_eq!(bucket.unfinished("died/"), 1, "nobody could end it");

    proxy.restore();
    let client = client_at(bucket, &proxy.endpoint);
    let outcome = client.put_resumable(&key, &put, &journals).unwrap();
    let PutOutcome::Stored(stored) = outcome else { panic!("{outcome:?}") };
    assert_eq!(stored.resumed_bytes, PART_BYTES as u64, "the first part was there");
    assert_eq!(
        client.usage().sent_bytes / 1024 / 1024,
        (LARGE_BYTES - PART_BYTES) as u64 / 1024 / 1024
    );
    assert!(client.get(&key, LARGE_BYTES as u64).unwrap().unwrap().bytes == bytes);
    assert_eq!(bucket.unfinished("died/"), 0);
    assert!(!journals.exists());
}

pub(super) fn the_uploads_of_one_object_key_are_ended_and_no_others(bucket: &Bucket) {
    let client = bucket.client();
    let key = key_of("unfinished", "a b");
    store(&client, &key, "published");
    // More than a page of the servers that are told to have short ones.
    for _ in 0..7 {
        begin(bucket, &key);
    }
    for longer in ["unfinished/a b.tar", "unfinished/a b/c"] {
        begin(bucket, longer);
    }
    assert_eq!(bucket.unfinished("unfinished/"), 9);
    assert_eq!(client.abort_uploads(&key, None).unwrap(), 7);
    assert_eq!(bucket.unfinished("unfinished/"), 2, "those of other keys stay");
    assert_eq!(client.abort_uploads(&key, None).unwrap(), 0);
    assert_eq!(client.get(&key, 100).unwrap().unwrap().bytes, b"published");
    for longer in ["unfinished/a b.tar", "unfinished/a b/c"] {
        assert_eq!(client.abort_uploads(longer, None).unwrap(), 1, "{longer}");
    }
    assert_eq!(bucket.unfinished("unfinished/"), 0);
}
