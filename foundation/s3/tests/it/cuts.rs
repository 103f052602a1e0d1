//! Exactly once: whatever goes wrong with whichever request of an upload, the object is there once
//! and whole, or the call fails and says so truly.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ferror::Kind;
use s3::{Body, Client, Precondition, Put, PutOutcome, RetryPolicy, Signature, sha256};

use crate::server::client_with;
use crate::store::{CUTS, Cut, Store};

/// As in the real thing, only faster.
const QUICK: RetryPolicy = RetryPolicy {
    attempts: 6,
    transient_wait: Duration::from_millis(2),
    throttle_wait: Duration::from_millis(4),
    longest_wait: Duration::from_millis(20),
    budget: Duration::from_secs(5),
    budget_renewed_every: None,
};

fn client(store: &Store) -> Client {
    client_with(&store.endpoint, Signature::V4, QUICK)
}

fn put(body: Body<'_>) -> Put<'_> {
    Put {
        metadata: &[("commit", "abc123")],
        precondition: Precondition::Absent,
        ..Put::new(body, "application/x-compressed-tar")
    }
}

/// Returns a file of `size` bytes in which no two parts are alike.
fn file(size: usize) -> (tempfile::NamedTempFile, Vec<u8>) {
    // In blocks, because a loop over bytes takes its time without optimisation.
    let blocks: Vec<_> = (0..=250).cycle().take(size.div_ceil(BLOCK)).map(|b| [b; BLOCK]).collect();
    let mut bytes = blocks.concat();
    bytes.truncate(size);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &bytes).unwrap();
    (file, bytes)
}

/// A multipart upload of this size is: a look, create, three parts, complete.
const LARGE: usize = 17 * 1024 * 1024;
const SMALL: usize = 70_000;
const BLOCK: usize = 4096;

/// Cuts request number `at` of an upload of `size` bytes by `cut`; how many requests there were.
fn check(size: usize, at: usize, cut: Cut) {
    let (file, bytes) = file(size);
    let store = Store::start(move |number, _| (number == at).then_some(cut));
    let body = Body::File { path: file.path(), size_bytes: size as u64, sha256: sha256(&bytes) };
    let outcome = client(&store).put("k", &put(body));
    let stored = store.object("k");
    let state = store.state.lock().unwrap();
    let case = format!("{size} bytes, request {at} cut {cut:?}: {outcome:?} {:?}", state.lines);
    match (&outcome, stored) {
        (Ok(PutOutcome::Stored(_)), Some(object)) => {
            assert!(object.bytes == bytes, "other bytes: {case}");
            assert_eq!(state.writes, 1, "stored more than once: {case}");
            assert_eq!(object.metadata["x-amz-meta-commit"], "abc123", "{case}");
        }
        _ => panic!("{case}"),
    }
    // An upload whose beginning was not heard of cannot be ended; S3's lifecycle rules do that.
    let heard =
        size == SMALL || at != 1 || !matches!(cut, Cut::Lost | Cut::HalfAnswer | Cut::FalseFailure);
    let unheard = usize::from(!heard);
    assert_eq!(state.uploads.len(), unheard, "parts stay behind: {case}");
}

#[test]
fn a_put_cut_anywhere_is_carried_out_once() {
    for cut in CUTS {
        check(SMALL, 0, cut);
    }
}

#[test]
fn a_multipart_upload_cut_anywhere_is_carried_out_once() {
    for at in 0..6 {
        for cut in CUTS {
            check(LARGE, at, cut);
        }
    }
}

/// Leaves requests from number `at` on without an answer, as if the process had died, and runs it again.
fn check_died(at: usize, cut: Cut) {
    let (file, bytes) = file(LARGE);
    let folder = tempfile::tempdir().unwrap();
    let journals = folder.path().join(".uploads");
    let is_down = Arc::new(AtomicBool::new(true));
    let down = Arc::clone(&is_down);
    let store = Store::start(move |number, _| {
        let is_cut = number >= at && down.load(Ordering::Relaxed);
        // What is under way may be carried out; what comes after it is not even sent.
        is_cut.then_some(if number == at { cut } else { Cut::Before })
    });
    let body = Body::File { path: file.path(), size_bytes: LARGE as u64, sha256: sha256(&bytes) };
    let case = format!("dead from request {at} on, {cut:?}");
    let once = client_with(&store.endpoint, Signature::V4, RetryPolicy { attempts: 1, ..QUICK });
    once.put_resumable("k", &put(body), &journals).expect_err(&case);
    is_down.store(false, Ordering::Relaxed);
    let again = client(&store);
    again.put_resumable("k", &put(body), &journals).unwrap_or_else(|e| panic!("{case}: {e}"));
    again.abort_uploads("k", Some(&journals)).unwrap_or_else(|e| panic!("{case}: {e}"));
    assert!(store.object("k").unwrap().bytes == bytes, "{case}: other bytes");
    let state = store.state.lock().unwrap();
    assert_eq!((state.writes, state.uploads.len()), (1, 0), "{case}: {:?}", state.lines);
    assert!(!journals.exists(), "{case}: the journal stays");
}

#[test]
fn a_run_that_dies_at_any_request_is_finished_by_the_next() {
    // Not the look at the beginning, which decides nothing.
    for at in 1..6 {
        for cut in [Cut::Before, Cut::Inside, Cut::Lost, Cut::HalfAnswer] {
            check_died(at, cut);
        }
    }
}

#[test]
fn an_object_that_was_there_before_is_never_taken_for_ones_own() {
    for size in [SMALL, LARGE] {
        let (file, bytes) = file(size);
        // The first PUT meets nothing wrong. The second one cannot look first, and the answer to
        // its decisive request is lost, once.
        let cut_short = AtomicBool::new(false);
        let store = Store::start(move |number, line| {
            let decisive = if size == SMALL {
                line.starts_with("PUT")
            } else {
                line.contains("uploadId") && line.starts_with("POST")
            };
            if line.starts_with("HEAD") && !cut_short.load(Ordering::Relaxed) {
                return Some(Cut::Before);
            }
            let now = number > 0 && decisive && !cut_short.swap(true, Ordering::Relaxed);
            now.then_some(Cut::Lost)
        });
        let other = put(Body::Bytes(b"other bytes"));
        client(&store).put("k", &other).unwrap();
        let body =
            Body::File { path: file.path(), size_bytes: size as u64, sha256: sha256(&bytes) };
        let outcome = client(&store).put("k", &put(body)).unwrap();
        assert_eq!(outcome, PutOutcome::PreconditionFailed, "{size}");
        assert_eq!(store.object("k").unwrap().bytes, b"other bytes");
        let state = store.state.lock().unwrap();
        assert_eq!(state.uploads.len(), 0, "{size}: parts stay behind");
        let decisive = if size == SMALL { "PUT" } else { "POST /builds/k?uploadId" };
        let times = state.lines.iter().filter(|line| line.starts_with(decisive)).count();
        assert_eq!(times, 2 + usize::from(size == SMALL), "{size}: {:?}", state.lines);
    }
}

#[test]
fn no_part_of_an_object_that_is_there_is_sent() {
    let (file, bytes) = file(LARGE);
    let store = Store::start(|_, _| None);
    let body = Body::File { path: file.path(), size_bytes: LARGE as u64, sha256: sha256(&bytes) };
    assert!(matches!(client(&store).put("k", &put(body)).unwrap(), PutOutcome::Stored(_)));
    let before = store.state.lock().unwrap().lines.len();
    assert_eq!(client(&store).put("k", &put(body)).unwrap(), PutOutcome::PreconditionFailed);
    let lines = store.state.lock().unwrap().lines.split_off(before);
    assert_eq!(lines, ["HEAD /builds/k HTTP/1.1"]);
}

#[test]
fn a_storm_ends_in_an_error_that_says_how_often_it_was_tried() {
    for (size, cut, kind) in [
        (SMALL, Cut::SlowDown, Kind::Throttled),
        (SMALL, Cut::Before, Kind::Unavailable),
        (SMALL, Cut::FalseFailure, Kind::Unavailable),
        (LARGE, Cut::SlowDown, Kind::Throttled),
        (LARGE, Cut::Inside, Kind::Unavailable),
    ] {
        let (file, bytes) = file(size);
        let store = Store::start(move |_, line| line.starts_with("PUT").then_some(cut));
        let body =
            Body::File { path: file.path(), size_bytes: size as u64, sha256: sha256(&bytes) };
        let error = client(&store).put("k", &put(body)).unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(error.to_string().contains("attempt 6"), "{error}");
        let state = store.state.lock().unwrap();
        assert_eq!(state.uploads.len(), 0, "{cut:?}: parts stay behind");
        let once = state.lines.iter().filter(|line| line.starts_with("PUT")).count();
        assert!(once >= 6, "{cut:?}: {:?}", state.lines);
    }
}

#[test]
fn waiting_has_a_budget_for_the_whole_run() {
    let store = Store::start(|_, _| Some(Cut::SlowDown));
    let budget = RetryPolicy { budget: Duration::ZERO, attempts: 1_000, ..QUICK };
    let client = client_with(&store.endpoint, Signature::V4, budget);
    let error = client.put("k", &put(Body::Bytes(b"x"))).unwrap_err();
    assert_eq!(error.kind(), Kind::Throttled);
    assert!(error.to_string().contains("time for waiting is used up"), "{error}");
    let tried = store.state.lock().unwrap().lines.len();
    assert!(tried < 20, "{tried} attempts without any time to wait");
}

#[test]
fn a_file_that_changed_is_not_stored() {
    for size in [SMALL, LARGE] {
        let (file, mut bytes) = file(size);
        let last = bytes.last_mut().unwrap();
        *last = last.wrapping_add(1);
        let store = Store::start(|_, _| None);
        let body =
            Body::File { path: file.path(), size_bytes: size as u64, sha256: sha256(&bytes) };
        let error = client(&store).put("k", &put(body)).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{error:?}");
        assert!(error.to_string().contains("sha256"), "{error}");
        let state = store.state.lock().unwrap();
        assert_eq!((state.writes, state.uploads.len()), (0, 0), "{size}: {:?}", state.lines);
    }
}

#[test]
fn a_file_that_shrinks_while_it_is_sent_is_an_error_and_leaves_nothing() {
    let (file, bytes) = file(64 * 1024 * 1024);
    let path = file.path().to_owned();
    // When the first part arrives, the pool has had no room for the last one yet.
    let store = Store::start(move |_, line| {
        if line.contains("partNumber=1&") {
            std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(10).unwrap();
        }
        None
    });
    let size_bytes = bytes.len() as u64;
    let body = Body::File { path: file.path(), size_bytes, sha256: sha256(&bytes) };
    let error = client(&store).put("k", &put(body)).unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid, "{error:?}");
    assert!(error.to_string().contains("shorter"), "{error}");
    let state = store.state.lock().unwrap();
    assert_eq!((state.writes, state.uploads.len()), (0, 0), "{:?}", state.lines);
}
