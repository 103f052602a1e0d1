//! Two uploads of the same object at once, one of them slow.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use s3::{Body, Precondition, Put, PutOutcome, Signature, sha256};

use crate::server::{TWICE, client_with};
use crate::store::{Cut, Store};

const PART: usize = 8 * 1024 * 1024;

/// Publishes the same bytes twice at once; the upload that is done first ends the other's parts.
#[test]
fn an_upload_that_another_publisher_ended_finds_the_object() {
    const COMPLETE: &str = "POST /builds/k?uploadId";
    let rows = [
        ("partNumber=3&", 7, None),
        (COMPLETE, 7, None),
        (COMPLETE, 7, Some(Cut::InvalidPart)),
        (COMPLETE, 7, Some(Cut::UnmetIn200)),
        ("partNumber=2&", 8, None),
    ];
    for (at, byte_of_other, cut) in rows {
        let folder = tempfile::tempdir().unwrap();
        let bytes = vec![7; 3 * PART];
        let path = folder.path().join("artifact");
        fs::write(&path, &bytes).unwrap();
        let bytes_of_other = vec![byte_of_other; 3 * PART];
        let path_of_other = folder.path().join("other");
        fs::write(&path_of_other, &bytes_of_other).unwrap();
        let expected = bytes_of_other.clone();
        let other = Arc::new(AtomicBool::new(false));
        let endpoint: Arc<OnceLock<String>> = Arc::default();
        let (begun, there) = (Arc::clone(&other), Arc::clone(&endpoint));
        let store = Store::start(move |_, line| {
            if line.contains(at) && !begun.swap(true, Ordering::Relaxed) {
                let client = client_with(there.get().unwrap(), Signature::V4, TWICE);
                let put = publication(&path_of_other, &bytes_of_other);
                assert!(matches!(client.put("k", &put).unwrap(), PutOutcome::Stored(_)));
                assert_eq!(client.abort_uploads("k", None).unwrap(), 1, "the slow one's");
                return cut;
            }
            None
        });
        endpoint.set(store.endpoint.clone()).unwrap();
        let client = client_with(&store.endpoint, Signature::V4, TWICE);
        let outcome =
            client.put_resumable("k", &publication(&path, &bytes), &folder.path().join("j"));
        // As when the object had been there before: the caller looks whether it is the same.
        assert_eq!(outcome.unwrap(), PutOutcome::PreconditionFailed, "{at}");
        assert!(store.object("k").unwrap().bytes == expected, "{at}");
        let state = store.state.lock().unwrap();
        assert_eq!((state.writes, state.uploads.len()), (1, 0), "{at}: {:?}", state.lines);
        assert!(!folder.path().join("j").exists(), "{at}");
    }
}

fn publication<'a>(path: &'a Path, bytes: &[u8]) -> Put<'a> {
    Put {
        precondition: Precondition::Absent,
        ..Put::new(
            Body::File { path, size_bytes: bytes.len() as u64, sha256: sha256(bytes) },
            "application/x-compressed-tar",
        )
    }
}
