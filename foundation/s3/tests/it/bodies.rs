//! Tests of requests as they are sent: with what was signed, and with their whole bodies.

use std::time::Duration;

use ferror::Kind;
use ftime::Epoch;
use s3::{
    Body, Client, Credentials, Location, Precondition, Put, PutOutcome, Request, Signature, hex,
    sha256, sigv2, sigv4,
};

use crate::server::{SECRET, Script, Seen, Server, TOKEN, answer, refusal};

fn put(body: Body<'_>) -> Put<'_> {
    Put::new(body, "text/plain")
}

fn credentials() -> Credentials {
    Credentials::new("AKIAIOSFODNN7EXAMPLE", SECRET, Some(TOKEN.to_owned())).unwrap()
}

/// Returns the request as a verifying server would rebuild it from the wire.
fn rebuilt(seen: &Seen, method: &'static str, keep: impl Fn(&str) -> bool) -> Request {
    let target = seen.line.split(' ').nth(1).expect("a request target");
    assert!(!target.contains('?'), "this test has no query: {target}");
    let headers = seen.headers.iter().filter(|(name, _)| keep(name)).cloned().collect();
    Request { method, path: target.to_owned(), query: Vec::new(), headers }
}

#[test]
fn v4_signs_what_is_sent() {
    let server = Server::answering("200 OK", &["etag: \"e1\"", "x-amz-request-id: R1"], "");
    let client = server.client(Signature::V4);
    let mut put = put(Body::Bytes(b"hello"));
    put.metadata = &[("commit", "0 1")];
    put.precondition = Precondition::Absent;
    let outcome = client.put("//evil.example/../a b+é", &put).unwrap();
    let PutOutcome::Stored(stored) = outcome else { panic!("{outcome:?}") };
    assert_eq!((stored.status, stored.etag.as_str()), (200, "\"e1\""));
    assert_eq!(stored.request_id, "R1");

    let seen = server.seen();
    assert_eq!(seen.line, "PUT /builds///evil.example/../a%20b%2B%C3%A9 HTTP/1.1");
    assert_eq!(seen.header("host"), server.endpoint.strip_prefix("http://"));
    assert_eq!(seen.headers.iter().filter(|(name, _)| name == "host").count(), 1);
    assert_eq!(seen.body, b"hello");
    assert_eq!(seen.header("content-length"), Some("5"));
    assert_eq!(seen.header("expect"), None, "a small body is sent at once");
    assert_eq!(seen.header("x-amz-content-sha256"), Some(hex(&sha256(b"hello")).as_str()));

    let authorization = seen.header("authorization").expect("a signature");
    let signed = "SignedHeaders=content-type;host;if-none-match;x-amz-content-sha256;x-amz-date;\
        x-amz-meta-commit;x-amz-meta-sha256;x-amz-security-token,";
    assert!(authorization.contains(signed), "{authorization}");
    let added = ["x-amz-date", "x-amz-content-sha256", "x-amz-security-token", "authorization"];
    let signed: Vec<_> =
        signed["SignedHeaders=".len()..].trim_end_matches(',').split(';').collect();
    let keep = |name: &str| signed.contains(&name) && !added.contains(&name);
    let mut again = rebuilt(&seen, "PUT", keep);
    let now = Epoch::parse_compact(seen.header("x-amz-date").unwrap()).unwrap();
    sigv4::sign(&mut again, &credentials(), "us-east-1", &sha256(b"hello"), now);
    assert_eq!(again.header("authorization"), Some(authorization));
}

#[test]
fn v2_signs_what_is_sent_and_always_the_digest_of_a_body() {
    let server = Server::answering("200 OK", &["etag: \"e1\""], "");
    let outcome = server.client(Signature::V2).put("a b", &put(Body::Bytes(b"hello"))).unwrap();
    assert!(matches!(outcome, PutOutcome::Stored(_)), "{outcome:?}");
    let seen = server.seen();
    assert_eq!(seen.header("content-md5"), Some("XUFAKrxLKna5cZ2REBfFkg=="));
    assert_eq!(seen.header("x-amz-security-token"), Some(TOKEN));
    let keep = |name: &str| name.starts_with("content-") || name.starts_with("x-amz-meta-");
    let mut again = rebuilt(&seen, "PUT", keep);
    let now = Epoch::parse_rfc1123(seen.header("x-amz-date").unwrap()).unwrap();
    sigv2::sign(&mut again, &credentials(), None, now);
    assert_eq!(again.header("authorization"), seen.header("authorization"));
}

#[test]
fn files_are_sent_whole_and_large_ones_ask_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("artifact");
    for (size, expect) in [(0, false), (70_000, false), (3_000_000, true)] {
        let bytes: Vec<u8> = (0..=250).cycle().take(size).collect();
        std::fs::write(&path, &bytes).unwrap();
        let file = Body::File { path: &path, size_bytes: size as u64, sha256: sha256(&bytes) };
        for signature in [Signature::V4, Signature::V2] {
            let server = Server::answering("200 OK", &["etag: \"e1\""], "");
            server.client(signature).put("k", &put(file)).unwrap();
            let seen = server.seen();
            assert!(seen.body == bytes, "{size} bytes arrive as they are, signature {signature}");
            assert_eq!(seen.header("content-length"), Some(size.to_string().as_str()));
            assert_eq!(seen.header("transfer-encoding"), None);
            assert_eq!(seen.header("expect").is_some(), expect, "{size} bytes");
        }
    }
}

#[test]
fn an_early_refusal_of_a_large_body_arrives_with_its_reason() {
    let refused = answer("403 Forbidden", &[], &refusal("AccessDenied"));
    let server = Server::start(vec![Script::Early(refused)]);
    let body = vec![b'x'; 8 * 1024 * 1024];
    let error = server.client(Signature::V4).put("k", &put(Body::Bytes(&body))).unwrap_err();
    assert_eq!(error.kind(), Kind::Denied, "{error:?}");
    assert!(error.to_string().contains("AccessDenied"), "{error}");
}

#[test]
fn a_file_that_is_not_as_it_was_said_to_be_is_not_sent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("artifact");
    let missing = folder.path().join("missing");
    std::fs::write(&path, b"hello").unwrap();
    for signature in [Signature::V4, Signature::V2] {
        for (path, size_bytes, kind) in
            [(&path, 4, Kind::Invalid), (&path, 6, Kind::Invalid), (&missing, 5, Kind::Config)]
        {
            // No script: a request would get no answer.
            let server = Server::start(Vec::new());
            let file = Body::File { path, size_bytes, sha256: sha256(b"hello") };
            let error = server.client(signature).put("k", &put(file)).unwrap_err();
            assert_eq!(error.kind(), kind, "{error:?}");
            assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        }
    }
}

/// Checks who finds a changed body: V4 signs the declared digest, and the server compares; with V2 the client does.
#[test]
fn v2_sends_no_file_whose_digest_is_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("artifact");
    std::fs::write(&path, b"hello").unwrap();
    let file = Body::File { path: &path, size_bytes: 5, sha256: sha256(b"other") };
    let error = Server::start(Vec::new()).client(Signature::V2).put("k", &put(file)).unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid, "{error:?}");
    for digest in [sha256(b"hello"), sha256(b"other")] {
        assert!(error.to_string().contains(&hex(&digest)), "{error}");
    }
}

#[test]
fn what_cannot_be_sent_is_refused_before_a_request() {
    let client = Server::start(Vec::new()).client(Signature::V4);
    let long = "k".repeat(1025);
    for key in ["", long.as_str(), "k\r\nx-evil: 1", "k\0", "k\u{85}"] {
        for result in [
            client.put(key, &put(Body::Bytes(b""))).map(drop),
            client.head(key).map(drop),
            client.get(key, 1).map(drop),
            client.delete(key),
            client.presign_get(key, Epoch::ZERO, Duration::from_secs(60)).map(drop),
        ] {
            assert_eq!(result.unwrap_err().kind(), Kind::Invalid, "{key:?}");
        }
    }
    for metadata in [
        ("Upper", "v"),
        ("", "v"),
        ("a b", "v"),
        ("a", "two  spaces"),
        ("a", " v"),
        ("a", "v\r\nx-evil: 1"),
        ("a", "é"),
        ("a", ""),
    ] {
        let put = Put { metadata: &[metadata], ..put(Body::Bytes(b"")) };
        let error = client.put("k", &put).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{metadata:?}: {error:?}");
    }
    let put = Put { content_type: "text/plain\r\nx-evil: 1", ..put(Body::Bytes(b"")) };
    assert_eq!(client.put("k", &put).unwrap_err().kind(), Kind::Config);
}

#[test]
fn presigned_urls_are_the_published_ones() {
    let credentials =
        Credentials::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", None);
    let credentials = credentials.unwrap();
    let url = |bucket: &str, endpoint: &str, signature, key, now, secs| {
        let location = Location {
            bucket: bucket.to_owned(),
            region: s3::DEFAULT_REGION.to_owned(),
            endpoint: Some(endpoint.to_owned()),
            path_style: Some(false),
            signature,
        };
        let client = Client::new(location, credentials.clone()).unwrap();
        client.presign_get(key, now, Duration::from_secs(secs)).unwrap().url
    };
    let now = Epoch::parse_compact("20130524T000000Z").unwrap();
    let v4 =
        url("examplebucket", "https://s3.amazonaws.com", Signature::V4, "test.txt", now, 86_400);
    assert_eq!(
        v4,
        "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
        &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400\
        &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404\
        &X-Amz-SignedHeaders=host"
    );
    let now = Epoch::from_secs(1_175_139_000);
    let v2 =
        url("johnsmith", "https://s3.amazonaws.com", Signature::V2, "photos/puppy.jpg", now, 620);
    assert_eq!(
        v2,
        "https://johnsmith.s3.amazonaws.com/photos/puppy.jpg?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE\
        &Expires=1175139620&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D"
    );
}
