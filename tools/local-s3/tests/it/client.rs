//! The client of `foundation/s3` as everyone uses it, against this server, in both signature
//! versions: the two have to agree on more than either's own tests can show.

use std::time::Duration;

use ferror::Kind;
use ftime::Epoch;
use local_s3::REGION;
use s3::{Body, Client, Credentials, Fault, Location, Precondition, Put, PutOutcome, Signature};

use crate::wire::{BOTH, BUCKET, Wire};

fn client(wire: &Wire, signature: Signature, credentials: &Credentials, bucket: &str) -> Client {
    let location = Location {
        bucket: bucket.to_owned(),
        region: REGION.to_owned(),
        endpoint: Some(wire.server.endpoint()),
        path_style: None,
        signature,
    };
    Client::new(location, credentials.clone()).unwrap()
}

fn bytes<'a>(bytes: &'a [u8], precondition: Precondition<'a>) -> Put<'a> {
    let metadata = &[("note", "abc")];
    Put { metadata, precondition, ..Put::new(Body::Bytes(bytes), "application/json") }
}

#[test]
fn an_object_s_life() {
    let wire = Wire::start();
    for signature in BOTH {
        let client = client(&wire, signature, &wire.credentials, BUCKET);
        let object_key = "releases/a b+c_été.json";
        let absent = bytes(b"{}", Precondition::Absent);
        let PutOutcome::Stored(stored) = client.put(object_key, &absent).unwrap() else {
            panic!("{signature}: nothing is there yet");
        };
        assert_eq!((stored.status, stored.request_id.len()), (200, 16), "{signature}");
        assert_eq!(client.put(object_key, &absent).unwrap(), PutOutcome::PreconditionFailed);

        let head = client.head(object_key).unwrap().expect("it is stored");
        assert_eq!((head.size_bytes, &head.etag), (2, &stored.etag), "{signature}");
        assert_eq!(head.metadata.get("note").map(String::as_str), Some("abc"), "{signature}");
        assert!(head.last_modified.is_some(), "{signature}");

        let grown = bytes(b"[{}]", Precondition::Matches(&stored.etag));
        assert!(matches!(client.put(object_key, &grown).unwrap(), PutOutcome::Stored(_)));
        assert_eq!(client.put(object_key, &grown).unwrap(), PutOutcome::PreconditionFailed);
        let object = client.get(object_key, 100).unwrap().expect("it is stored");
        assert_eq!(object.bytes, b"[{}]", "{signature}");

        let listing = client.list("releases/", 10).unwrap();
        assert!(!listing.truncated, "{signature}");
        assert_eq!(listing.objects.len(), 1, "{signature}: {listing:?}");
        assert_eq!(listing.objects[0].object_key, object_key, "{signature}");
        assert_eq!(listing.objects[0].etag, object.head.etag, "{signature}");

        client.delete(object_key).unwrap();
        assert_eq!(client.head(object_key).unwrap(), None, "{signature}");
        assert_eq!(client.get(object_key, 100).unwrap(), None, "{signature}");
        client.delete(object_key).unwrap();
    }
    assert!(wire.files().is_empty(), "{:?}", wire.files());
}

#[test]
fn a_large_file_is_streamed_whole() {
    let wire = Wire::start();
    let file = tempfile::NamedTempFile::new().unwrap();
    let content: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
    std::fs::write(file.path(), &content).unwrap();
    let body = Body::File {
        path: file.path(),
        size_bytes: content.len() as u64,
        sha256: s3::sha256(&content),
    };
    for signature in BOTH {
        let client = client(&wire, signature, &wire.credentials, BUCKET);
        let put = Put { body, ..bytes(b"", Precondition::Absent) };
        let object_key = format!("{signature}/large");
        assert!(matches!(client.put(&object_key, &put).unwrap(), PutOutcome::Stored(_)));
        let stored = std::fs::read(wire.file(&object_key)).unwrap();
        assert!(stored == content, "{signature}: other bytes are stored");
    }
}

#[test]
fn a_larger_file_goes_in_parts_and_comes_back_in_pieces() {
    let wire = Wire::start();
    let file = tempfile::NamedTempFile::new().unwrap();
    let content: Vec<u8> = (0..5_000_000_u32).flat_map(u32::to_le_bytes).collect();
    std::fs::write(file.path(), &content).unwrap();
    let (size_bytes, sha256) = (content.len() as u64, s3::sha256(&content));
    let body = Body::File { path: file.path(), size_bytes, sha256 };
    assert!(s3::body_count(size_bytes) > 1, "this is to be a multipart upload");
    for signature in BOTH {
        let client = client(&wire, signature, &wire.credentials, BUCKET);
        let put = Put { body, ..bytes(b"", Precondition::Absent) };
        let object_key = format!("{signature}/parts");
        assert!(matches!(client.put(&object_key, &put).unwrap(), PutOutcome::Stored(_)));
        assert_eq!(client.put(&object_key, &put).unwrap(), PutOutcome::PreconditionFailed);

        let copied = format!("{signature}/a copy");
        let head = client.head(&object_key).unwrap().unwrap();
        assert_eq!(head.metadata["note"], "abc", "{signature}");
        assert!(client.copy(&object_key, &copied, Some(&head.etag)).unwrap().is_some());
        assert_eq!(client.copy("nothing", &copied, None).unwrap(), None);
        for object_key in [&object_key, &copied] {
            let head = client.head(object_key).unwrap().unwrap();
            assert_eq!(head.metadata["sha256"], s3::hex(&sha256), "{object_key}");
            let mut back = Vec::new();
            while (back.len() as u64) < head.size_bytes {
                let start = back.len() as u64;
                let piece = client.get_range(object_key, start..start + 6_000_001, &head.etag);
                back.extend(piece.unwrap().unwrap().bytes);
            }
            assert!(back == content, "{object_key}: other bytes come back");
        }
        let changed = client.get_range(&object_key, 0..1, "\"another\"").unwrap_err();
        assert_eq!(changed.kind(), Kind::Conflict, "{changed}");
    }
}

#[test]
fn a_listing_goes_on_over_its_pages() {
    let wire = Wire::start();
    for number in 0..1500 {
        std::fs::write(wire.file(&format!("{number:04}")), b"x").unwrap();
    }
    for signature in BOTH {
        let client = client(&wire, signature, &wire.credentials, BUCKET);
        let all = client.list("", 2000).unwrap();
        assert_eq!((all.objects.len(), all.truncated), (1500, false), "{signature}");
        let some = client.list("", 1200).unwrap();
        assert_eq!((some.objects.len(), some.truncated), (1200, true), "{signature}");
    }
}

#[test]
fn refusals_arrive_as_faults_with_s3_s_codes() {
    let wire = Wire::start();
    let pair = wire.server.credentials();
    let wrong = Credentials::new(&pair.access_key_id, "wrong", None).unwrap();
    let unknown = Credentials::new("AKIAUNKNOWN", "wrong", None).unwrap();
    let large = vec![0; 4 * 1024 * 1024];
    for signature in BOTH {
        for (credentials, bucket, kind, code) in [
            (&wrong, BUCKET, Kind::Denied, "SignatureDoesNotMatch"),
            (&unknown, BUCKET, Kind::Denied, "InvalidAccessKeyId"),
            (&wire.credentials, "nowhere", Kind::NotFound, "NoSuchBucket"),
        ] {
            let client = client(&wire, signature, credentials, bucket);
            for error in [
                client.put("k", &bytes(b"x", Precondition::None)).unwrap_err(),
                client.put("k", &bytes(&large, Precondition::Absent)).unwrap_err(),
                client.get("k", 10).unwrap_err(),
                client.list("", 10).unwrap_err(),
            ] {
                assert_eq!(error.kind(), kind, "{signature}: {error}");
                let source = std::error::Error::source(&error).expect("a fault");
                let fault = source.downcast_ref::<Fault>().expect("a fault");
                assert_eq!(fault.code, code, "{signature}: {error}");
                assert!(!fault.request_id.is_empty(), "{signature}: {error}");
            }
        }
    }
    assert!(wire.files().is_empty(), "{:?}", wire.files());
}

#[test]
fn its_presigned_urls_name_this_server_and_open_the_object() {
    let wire = Wire::start();
    for signature in BOTH {
        let client = client(&wire, signature, &wire.credentials, BUCKET);
        client.put("a/b c", &bytes(b"hello", Precondition::None)).unwrap();
        let url = client.presign_get("a/b c", Epoch::now(), Duration::from_mins(1)).unwrap().url;
        let path = url.strip_prefix(&wire.server.endpoint()).expect("a URL of this server");
        let answer = wire.get(path);
        assert_eq!((answer.status, answer.text()), (200, "hello"), "{signature}: {url}");
    }
}
