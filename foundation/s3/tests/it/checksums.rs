//! The CRC64NVME of objects and of their parts, before a store that compares each with the bytes.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use s3::{Body, Client, Precondition, Put, PutOutcome, Signature, sha256};
use tempfile::TempDir;

use crate::server::{TWICE, client_with, client_with_checksums};
use crate::store::{Cut, Store};

/// An upload of this size has three parts.
const LARGE: usize = 17 * 1024 * 1024;
/// Of as many bytes 7, as AWS's own implementation computes it (awscrt 0.38.1), and of `small`.
const OF_LARGE: &str = "APgB3lMLCzw=";
const OF_SMALL: &str = "oSWzL9WeJr4=";

/// A file of [`LARGE`] bytes, and a folder for journals.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        fs::write(files.large(), vec![7; LARGE]).unwrap();
        files
    }

    fn large(&self) -> PathBuf {
        self.0.path().join("large")
    }

    fn put_large(&self, client: &Client) -> ferror::Result<PutOutcome> {
        let (path, size_bytes) = (&self.large(), LARGE as u64);
        let body = Body::File { path, size_bytes, sha256: sha256(&vec![7; LARGE]) };
        let put = Put { precondition: Precondition::Absent, ..Put::new(body, "text/plain") };
        client.put_resumable("large", &put, &self.0.path().join("journals"))
    }
}

fn checksums(store: &Store) -> BTreeMap<String, String> {
    store.state.lock().unwrap().checksums.clone()
}

fn map<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(key, value)| (format!("/builds/{key}"), value.to_owned())).collect()
}

#[test]
fn every_object_has_its_checksum_where_it_is_asked_for_and_else_none() {
    let files = Files::new();
    for signature in [Signature::V4, Signature::V2] {
        let store = Store::start(|_, _| None);
        let put_all = |client: &Client| {
            let small = Put::new(Body::Bytes(b"small"), "text/plain");
            client.put("small", &small).unwrap();
            let outcome = files.put_large(client).unwrap();
            assert!(matches!(outcome, PutOutcome::Stored(_)), "{outcome:?}");
        };
        put_all(&client_with_checksums(&store.endpoint, signature));
        assert_eq!(checksums(&store), map([("small", OF_SMALL), ("large", OF_LARGE)]));
        let store = Store::start(|_, _| None);
        put_all(&client_with(&store.endpoint, signature, TWICE));
        assert_eq!(checksums(&store), map([]));
    }
}

/// Lets an upload die with part 2 unsent, takes it up, and returns how many bytes were there already.
fn taken_up(files: &Files, with: [bool; 2]) -> (Store, u64) {
    let is_down = Arc::new(AtomicBool::new(true));
    let down = Arc::clone(&is_down);
    let store = Store::start(move |_, line| {
        let is_cut = line.contains("partNumber=2&") || line.starts_with("DELETE");
        (down.load(Ordering::Relaxed) && is_cut).then_some(Cut::Inside)
    });
    let client = |with| {
        if with {
            client_with_checksums(&store.endpoint, Signature::V4)
        } else {
            client_with(&store.endpoint, Signature::V4, TWICE)
        }
    };
    let [before, after] = with.map(client);
    files.put_large(&before).unwrap_err();
    is_down.store(false, Ordering::Relaxed);
    let outcome = files.put_large(&after).unwrap();
    let PutOutcome::Stored(stored) = outcome else { panic!("{outcome:?}") };
    (store, stored.resumed_bytes)
}

#[test]
fn an_upload_that_is_taken_up_has_the_checksums_of_the_parts_that_were_there() {
    let files = Files::new();
    let (store, resumed_bytes) = taken_up(&files, [true, true]);
    assert!(resumed_bytes > 0, "parts 1 and 3 were sent before");
    assert_eq!(checksums(&store), map([("large", OF_LARGE)]));
    // What began otherwise is begun again: the server has no checksums of its parts, or asks for them.
    for (with, expected) in [([false, true], map([("large", OF_LARGE)])), ([true, false], map([]))]
    {
        let (store, resumed_bytes) = taken_up(&files, with);
        assert_eq!((resumed_bytes, checksums(&store)), (0, expected), "{with:?}");
        assert!(store.state.lock().unwrap().uploads.is_empty(), "{with:?}");
    }
}
