//! Uploads that nobody completed: taken up after a run that died, found by their object key, ended.

use std::fs;
use std::time::Duration;

use s3::{
    Body, Client, ClientOptions, Location, Precondition, Put, PutOutcome, RetryPolicy, sha256,
};

use crate::cut_off::CutOff;
use crate::server::{Own, key_of, put_of, server, store};

const PART_BYTES: usize = 8 * 1024 * 1024;
const LARGE_BYTES: usize = 2 * PART_BYTES + 1024 * 1024;

/// One part at a time, and no second attempt: then it is known where it dies.
fn client_at(endpoint: &str) -> Client {
    let retry_policy =
        RetryPolicy { attempts: 1, budget: Duration::ZERO, ..RetryPolicy::default() };
    let options = ClientOptions { retry_policy, bodies_at_once: 1, ..ClientOptions::default() };
    let location = Location { endpoint: Some(endpoint.to_owned()), ..server().location() };
    server().client_with(location, server().credentials(), options)
}

/// Begins an upload that nobody goes on with.
fn begin(object_key: &str) {
    let query = [("uploads", "")];
    let answer =
        server().send(&Own { method: "POST", object_key, query: &query, ..Own::default() });
    assert_eq!(answer.status, 200, "{}", answer.code());
}

/// The unfinished uploads of all keys that begin so, as the server lists them, over all pages.
fn unfinished(prefix: &str) -> usize {
    let (mut count, mut markers) = (0, (String::new(), String::new()));
    // More pages than any of these tests makes.
    for _ in 0..20 {
        let (key, id) = (markers.0.as_str(), markers.1.as_str());
        let query =
            [("key-marker", key), ("prefix", prefix), ("upload-id-marker", id), ("uploads", "")];
        let query: Vec<_> = query
            .into_iter()
            .filter(|(name, value)| *name == "uploads" || !value.is_empty())
            .collect();
        let answer = server().send(&Own { method: "GET", query: &query, ..Own::default() });
        assert_eq!(answer.said(), "200 ");
        let text = String::from_utf8(answer.body).unwrap();
        count += text.matches("<Upload>").count();
        let of = |name: &str| {
            let rest = text.split(&format!("<{name}>")).nth(1)?;
            rest.split('<').next().map(str::to_owned)
        };
        if of("IsTruncated").as_deref() != Some("true") {
            break;
        }
        markers = (of("NextKeyMarker").unwrap(), of("NextUploadIdMarker").unwrap_or_default());
    }
    count
}

#[test]
#[ignore = "needs a server: cargo xtask interop"]
fn an_upload_that_died_is_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let (path, journals) = (folder.path().join("large"), folder.path().join(".uploads"));
    let bytes: Vec<u8> = (0..3).flat_map(|part| vec![part; PART_BYTES]).take(LARGE_BYTES).collect();
    fs::write(&path, &bytes).unwrap();
    let key = key_of("died", "large & ~more+");
    let body = Body::File { path: &path, size_bytes: LARGE_BYTES as u64, sha256: sha256(&bytes) };
    let put = Put { precondition: Precondition::Absent, ..put_of(body) };
    // The way to the server ends in the middle of the second part, and for the abort too.
    let way = CutOff::after(&server().endpoint, (PART_BYTES + PART_BYTES / 2) as u64);
    client_at(&way.endpoint).put_resumable(&key, &put, &journals).unwrap_err();
    assert_eq!(fs::read_dir(&journals).unwrap().count(), 1);
    assert_eq!(unfinished("died/"), 1, "nobody could end it");

    way.restore();
    let client = client_at(&way.endpoint);
    let outcome = client.put_resumable(&key, &put, &journals).unwrap();
    let PutOutcome::Stored(stored) = outcome else { panic!("{outcome:?}") };
    assert_eq!(stored.resumed_bytes, PART_BYTES as u64, "the first part was there");
    assert_eq!(
        client.usage().sent_bytes / 1024 / 1024,
        (LARGE_BYTES - PART_BYTES) as u64 / 1024 / 1024
    );
    assert!(client.get(&key, LARGE_BYTES as u64).unwrap().unwrap().bytes == bytes);
    assert_eq!(unfinished("died/"), 0);
    assert!(!journals.exists());
}

#[test]
#[ignore = "needs a server: cargo xtask interop"]
fn the_uploads_of_one_object_key_are_ended_and_no_others() {
    let client = server().client();
    let key = key_of("unfinished", "a b");
    store(&client, &key, "published");
    // More than a page of the servers that are told to have short ones.
    for _ in 0..7 {
        begin(&key);
    }
    for longer in ["unfinished/a b.tar", "unfinished/a b/c"] {
        begin(longer);
    }
    assert_eq!(unfinished("unfinished/"), 9);
    assert_eq!(client.abort_uploads(&key, None).unwrap(), 7);
    assert_eq!(unfinished("unfinished/"), 2, "those of other keys stay");
    assert_eq!(client.abort_uploads(&key, None).unwrap(), 0);
    assert_eq!(client.get(&key, 100).unwrap().unwrap().bytes, b"published");
    for longer in ["unfinished/a b.tar", "unfinished/a b/c"] {
        assert_eq!(client.abort_uploads(longer, None).unwrap(), 1, "{longer}");
    }
    assert_eq!(unfinished("unfinished/"), 0);
}
