//! Tests of what each operation makes of good, odd and hostile answers.

use std::error::Error as _;
use std::net::TcpListener;

use ferror::Kind;
use s3::{Body, Fault, Precondition, Put, PutOutcome, Signature};

use crate::server::{SECRET, Script, Server, TOKEN, answer, client_at, refusal};

const MIB: u64 = 1024 * 1024;

fn put(precondition: Precondition<'_>) -> Put<'_> {
    Put { precondition, ..Put::new(Body::Bytes(b"hello"), "text/plain") }
}

/// Checks that an error holds no secret.
fn check_error(error: &ferror::Error, kind: Kind, parts: &[&str]) {
    let all = format!("{error:?} {:?} {:?}", error.hint_text(), error.source());
    assert_eq!(error.kind(), kind, "{all}");
    for part in parts {
        assert!(all.contains(part), "{all} does not say {part:?}");
    }
    for secret in [SECRET, TOKEN, "Signature="] {
        assert!(!all.contains(secret), "{all} shows {secret:?}");
    }
    assert!(!error.to_string().chars().any(char::is_control), "{error} has control characters");
}

#[test]
fn a_refusal_has_its_kind_its_words_and_its_fault() {
    for (status, code, kind) in [
        ("403 Forbidden", "AccessDenied", Kind::Denied),
        ("403 Forbidden", "SignatureDoesNotMatch", Kind::Denied),
        ("404 Not Found", "NoSuchBucket", Kind::NotFound),
        ("400 Bad Request", "BadDigest", Kind::Refused),
        ("503 Slow Down", "SlowDown", Kind::Throttled),
        ("500 Internal Server Error", "InternalError", Kind::Unavailable),
        ("412 Precondition Failed", "PreconditionFailed", Kind::Conflict),
        ("409 Conflict", "ConditionalRequestConflict", Kind::Conflict),
    ] {
        let server = Server::answering(status, &[], &refusal(code));
        let error = server.client(Signature::V4).put("a/k", &put(Precondition::None)).unwrap_err();
        check_error(&error, kind, &["PUT builds/a/k", &status[..3], code, "Because.", "R1"]);
        let fault = error.source().and_then(|source| source.downcast_ref::<Fault>()).unwrap();
        assert_eq!((fault.code.as_str(), fault.request_id.as_str()), (code, "R1"));
        assert_eq!(fault.status.to_string(), status[..3]);
    }
}

#[test]
fn a_refusal_without_xml_keeps_its_status_and_request_id() {
    for (status, kind) in [("502 Bad Gateway", Kind::Unavailable), ("403 Forbidden", Kind::Denied)]
    {
        let server =
            Server::answering(status, &["x-amz-request-id: R2"], "<html>no\u{1b}[31m</html>");
        let error = server.client(Signature::V4).delete("k").unwrap_err();
        check_error(&error, kind, &["DELETE builds/k", &status[..3], "R2"]);
    }
}

#[test]
fn a_redirect_is_not_followed_wherever_it_leads() {
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary Redirect", "308 P"] {
        let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
        elsewhere.set_nonblocking(true).unwrap();
        let location = format!("location: http://{}/", elsewhere.local_addr().unwrap());
        let headers = [location.as_str(), "x-amz-bucket-region: eu-west-1"];
        let server = Server::answering(status, &headers, &refusal("PermanentRedirect"));
        let error = server.client(Signature::V4).put("k", &put(Precondition::None)).unwrap_err();
        check_error(&error, Kind::Refused, &["PermanentRedirect", "eu-west-1"]);
        assert_eq!(
            elsewhere.accept().expect_err("the other host must see nothing").kind(),
            std::io::ErrorKind::WouldBlock,
            "{status}"
        );
    }
}

#[test]
fn a_failed_precondition_is_an_outcome() {
    for (precondition, header, status, code) in [
        (
            Precondition::Absent,
            ("if-none-match", "*"),
            "412 Precondition Failed",
            "PreconditionFailed",
        ),
        (
            Precondition::Absent,
            ("if-none-match", "*"),
            "409 Conflict",
            "ConditionalRequestConflict",
        ),
        (Precondition::Matches("\"e1\""), ("if-match", "\"e1\""), "412 P", "PreconditionFailed"),
        (Precondition::Matches("\"e1\""), ("if-match", "\"e1\""), "404 N", "NoSuchKey"),
    ] {
        let server = Server::answering(status, &[], &refusal(code));
        let outcome = server.client(Signature::V4).put("k", &put(precondition)).unwrap();
        assert_eq!(outcome, PutOutcome::PreconditionFailed, "{status} {code}");
        assert_eq!(server.seen().header(header.0), Some(header.1));
    }
    let server = Server::answering("404 N", &[], &refusal("NoSuchBucket"));
    let error =
        server.client(Signature::V4).put("k", &put(Precondition::Matches("e"))).unwrap_err();
    check_error(&error, Kind::NotFound, &["NoSuchBucket"]);
}

#[test]
fn head_reads_size_etag_time_and_metadata() {
    let headers = [
        "content-length: 123456789012",
        "ETag: \"e1\"",
        "Last-Modified: Tue, 27 Mar 2007 19:36:42 GMT",
        "X-Amz-Meta-Sha256: abc",
        "x-amz-meta-commit: 0 1",
    ];
    let server = Server::answering("200 OK", &headers, "");
    let head = server.client(Signature::V4).head("k").unwrap().expect("an object");
    assert_eq!((head.size_bytes, head.etag.as_str()), (123_456_789_012, "\"e1\""));
    assert_eq!(head.last_modified.unwrap().to_string(), "2007-03-27T19:36:42Z");
    let metadata: Vec<_> = head.metadata.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(metadata, [("commit", "0 1"), ("sha256", "abc")]);
    assert_eq!(server.seen().line, "HEAD /builds/k HTTP/1.1");

    let server = Server::answering("404 Not Found", &[], "");
    assert_eq!(server.client(Signature::V4).head("k").unwrap(), None);
    let server = Server::answering("403 Forbidden", &[], "");
    check_error(&server.client(Signature::V4).head("k").unwrap_err(), Kind::Denied, &["403"]);
}

#[test]
fn get_reads_an_object_whole_or_not_at_all() {
    let get = |status: &str, headers: &[&str], body: &str| {
        Server::answering(status, headers, body).client(Signature::V4).get("k", 5)
    };
    let object = get("200 OK", &["etag: e1"], "hello").unwrap().expect("an object");
    assert_eq!((object.bytes.as_slice(), object.head.size_bytes), (&b"hello"[..], 5));
    assert_eq!(object.head.etag, "e1");
    assert_eq!(get("404 N", &[], &refusal("NoSuchKey")).unwrap(), None);
    for (result, kind, part) in [
        (get("404 N", &[], &refusal("NoSuchBucket")), Kind::NotFound, "NoSuchBucket"),
        (get("404 N", &[], "<html>"), Kind::NotFound, "404"),
        (get("200 OK", &[], "hello!"), Kind::Invalid, "larger than 5 bytes"),
        (get("200 OK", &["content-length: 5"], "hel"), Kind::Unavailable, "GET builds/k"),
    ] {
        check_error(&result.unwrap_err(), kind, &[part]);
    }
}

#[test]
fn a_range_is_that_range_or_an_error() {
    let get = |status: &str, range: std::ops::Range<u64>| {
        let server = Server::answering(status, &["etag: \"e1\""], "hello");
        let object = server.client(Signature::V4).get_range("k", range, "\"e1\"");
        let seen = server.seen();
        assert_eq!(seen.header("if-match"), Some("\"e1\""));
        (seen.header("range").unwrap().to_owned(), object)
    };
    let (asked, object) = get("206 Partial Content", 3..8);
    assert_eq!((asked.as_str(), object.unwrap().unwrap().bytes), ("bytes=3-7", b"hello".to_vec()));
    let (_, object) = get("200 OK", 0..100);
    assert_eq!(object.unwrap().unwrap().bytes, b"hello", "all of it is that range");
    let (_, object) = get("200 OK", 3..100);
    check_error(&object.unwrap_err(), Kind::Invalid, &["GET builds/k", "200 instead of a range"]);
    let (_, object) = get("206 Partial Content", 3..5);
    check_error(&object.unwrap_err(), Kind::Invalid, &["larger than 2 bytes"]);
}

#[test]
fn an_endless_answer_ends() {
    let long = "content-length: 99999999999";
    let head = |status: &str| Script::Endless(answer(status, &[long], ""));
    let client = |status: &str| Server::start(vec![head(status)]).client(Signature::V4);
    let error = client("200 OK").get("k", MIB).unwrap_err();
    check_error(&error, Kind::Invalid, &["larger than 1048576 bytes"]);
    check_error(&client("500 I").get("k", MIB).unwrap_err(), Kind::Unavailable, &["500"]);
    check_error(&client("200 OK").list("", 10).unwrap_err(), Kind::Invalid, &["larger than"]);
    let stored = Script::Endless(answer("200 OK", &[long, "etag: \"e1\""], ""));
    let client = Server::start(vec![stored]).client(Signature::V4);
    let outcome = client.put("k", &put(Precondition::None)).unwrap();
    assert!(matches!(outcome, PutOutcome::Stored(_)), "{outcome:?}");
}

#[test]
fn removing_what_is_not_there_is_no_error() {
    let delete = |status: &str, body: &str| {
        Server::answering(status, &[], body).client(Signature::V4).delete("k")
    };
    delete("204 No Content", "").unwrap();
    delete("404 Not Found", &refusal("NoSuchKey")).unwrap();
    let error = delete("404 Not Found", &refusal("NoSuchBucket")).unwrap_err();
    check_error(&error, Kind::NotFound, &["NoSuchBucket"]);
}

fn page(keys: &[&str], token: Option<&str>) -> Script {
    let object = |key: &&str| {
        format!(
            "<Contents><Key>{key}</Key><Size>1</Size><LastModified>2013-05-24T00:00:00.000Z</LastModified></Contents>"
        )
    };
    let objects: String = keys.iter().map(object).collect::<Vec<_>>().concat();
    let next = token.map_or("<IsTruncated>false</IsTruncated>".to_owned(), |token| {
        format!(
            "<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>"
        )
    });
    let body = format!("<ListBucketResult>{next}{objects}</ListBucketResult>");
    Script::Answer(answer("200 OK", &[], &body))
}

fn list(pages: Vec<Script>, max_objects: usize) -> (Server, ferror::Result<(String, bool)>) {
    let server = Server::start(pages);
    let listing = server.client(Signature::V4).list("p/ q", max_objects);
    let keys = |listing: &s3::Listing| {
        let keys: Vec<_> = listing.objects.iter().map(|o| o.object_key.as_str()).collect();
        keys.join(" ")
    };
    (server, listing.map(|listing| (keys(&listing), listing.truncated)))
}

#[test]
fn a_listing_takes_all_pages_up_to_the_bound() {
    let pages = || vec![page(&["a", "b"], Some("t+/1")), page(&[], Some("t2")), page(&["c"], None)];
    let (server, listing) = list(pages(), 10);
    assert_eq!(listing.unwrap(), ("a b c".to_owned(), false));
    let first = "GET /builds/?list-type=2&max-keys=10&prefix=p%2F%20q HTTP/1.1";
    assert_eq!(server.seen().line, first);
    let second =
        "GET /builds/?continuation-token=t%2B%2F1&list-type=2&max-keys=8&prefix=p%2F%20q HTTP/1.1";
    assert_eq!(server.seen().line, second);

    for (max_objects, expected) in [(3, ("a b c", false)), (2, ("a b", true)), (1, ("a", true))] {
        let (_, listing) = list(pages(), max_objects);
        assert_eq!(listing.unwrap(), (expected.0.to_owned(), expected.1), "up to {max_objects}");
    }
    let (_, listing) = list(vec![page(&["a", "b"], None)], 1);
    assert_eq!(listing.unwrap(), ("a".to_owned(), true), "a server that ignores max-keys");
}

#[test]
fn a_listing_without_end_ends() {
    let (_, listing) = list(vec![page(&["a"], Some("t")), page(&["b"], Some("t"))], 10);
    check_error(&listing.unwrap_err(), Kind::Invalid, &["again and again"]);
    let empty: Vec<_> = (0..9).map(|token| page(&[], Some(&token.to_string()))).collect();
    let (_, listing) = list(empty, 3);
    check_error(&listing.unwrap_err(), Kind::Invalid, &["without objects"]);
    let (_, listing) = list(vec![Script::Answer(answer("200 OK", &[], "<html/>"))], 3);
    check_error(&listing.unwrap_err(), Kind::Invalid, &["GET builds?prefix=p/ q", "<html>"]);
}

#[test]
fn a_server_that_is_not_there_or_speaks_nonsense() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = client_at(&format!("http://{free}"), Signature::V4);
    let request = format!("GET builds/k: request to {free}: the connection failed");
    let parts = [request.as_str(), "check the endpoint"];
    check_error(&nobody.get("k", 1).unwrap_err(), Kind::Unavailable, &parts);
    for (text, kind) in [
        ("", Kind::Unavailable),
        ("HTTP/1.1 200 OK\r\ncontent-le", Kind::Unavailable),
        ("SSH-2.0-OpenSSH_9.6\r\n\r\n", Kind::Invalid),
    ] {
        let server = Server::start(vec![Script::Answer(text.to_owned())]);
        let error = server.client(Signature::V4).get("k", 1).unwrap_err();
        let host = server.endpoint.trim_start_matches("http://");
        let request = format!("GET builds/k: request to {host}: ");
        check_error(&error, kind, &[&request, "check the endpoint"]);
    }
}

#[test]
fn debug_of_a_client_shows_no_secret() {
    let client = client_at("http://127.0.0.1:1", Signature::V2);
    let shown = format!("{client:?}");
    assert!(shown.contains("builds") && shown.contains("MPLE"), "{shown}");
    assert!(
        !shown.contains(SECRET) && !shown.contains(TOKEN) && !shown.contains("AKIA"),
        "{shown}"
    );
}
