//! Tests of requests that a client changes after an answer and sends again: once, and remembered.

use std::error::Error as _;
use std::net::TcpListener;
use std::time::Duration;

use ferror::Kind;
use ftime::Epoch;
use s3::{
    Attributes, Body, Client, ClientOptions, Credentials, Encryption, Fault, Location,
    Precondition, Put, PutOutcome, RetryPolicy, Signature,
};

use crate::outside::Outside;
use crate::server::{ONCE, Script, Seen, Server, answer, client_with, refusal};

const ETAG: &str = "etag: \"e1\"";

fn put(bytes: &[u8]) -> Put<'_> {
    Put { precondition: Precondition::Absent, ..Put::new(Body::Bytes(bytes), "text/plain") }
}

/// Returns a server that gives these answers in turn, and a client of it.
fn pair(signature: Signature, answers: &[String]) -> (Server, Client) {
    let server = Server::start(answers.iter().cloned().map(Script::Answer).collect());
    let client = client_with(&server.endpoint, signature, ONCE);
    (server, client)
}

fn stored() -> String {
    answer("200 OK", &[ETAG], "")
}

fn location(signature: Signature, endpoint: &str) -> Location {
    Location {
        bucket: "builds".to_owned(),
        region: s3::DEFAULT_REGION.to_owned(),
        endpoint: Some(endpoint.to_owned()),
        path_style: None,
        signature,
    }
}

fn scope(seen: &Seen) -> &str {
    seen.header("authorization").expect("a signature").split(['/', ',']).nth(2).expect("a region")
}

#[test]
fn a_named_region_is_signed_for_and_kept_and_a_named_host_is_not() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let host = format!("location: http://{}/", elsewhere.local_addr().unwrap());
    let named = "x-amz-bucket-region: eu-west-1";
    let in_body = |code: &str| {
        refusal(code).replace(
            "</Error>",
            "<Region>eu-west-1</Region><Endpoint>evil.example</Endpoint></Error>",
        )
    };
    for (status, headers, body) in [
        ("301 Moved Permanently", vec![host.as_str(), named], refusal("PermanentRedirect")),
        ("301 Moved Permanently", vec![host.as_str()], in_body("PermanentRedirect")),
        ("307 Temporary Redirect", vec![host.as_str(), named], refusal("TemporaryRedirect")),
        ("400 Bad Request", vec![], in_body("AuthorizationHeaderMalformed")),
        ("400 Bad Request", vec![named], String::new()),
    ] {
        let (server, client) = pair(Signature::V4, &[answer(status, &headers, &body), stored()]);
        let outcome = client.put("k", &put(b"x")).unwrap();
        assert!(matches!(outcome, PutOutcome::Stored(_)), "{status}: {outcome:?}");
        assert_eq!((scope(&server.seen()), scope(&server.seen())), ("us-east-1", "eu-west-1"));
        client.put("k", &put(b"x")).unwrap();
        assert_eq!(scope(&server.seen()), "eu-west-1", "{status}: what was learnt is kept");
        assert_eq!(client.region(), "eu-west-1");
    }
    let asked = elsewhere.accept().expect_err("the named host must see nothing");
    assert_eq!(asked.kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn a_region_is_mended_once_and_only_to_what_is_one() {
    for (signature, region, requests) in [
        (Signature::V4, "eu-west-1", 2),
        (Signature::V4, "us-east-1", 1),
        (Signature::V4, "evil.example/", 1),
        (Signature::V4, "-", 1),
        (Signature::V2, "eu-west-1", 1),
    ] {
        let header = format!("x-amz-bucket-region: {region}");
        let moved = answer("301 Moved", &[&header], &refusal("PermanentRedirect"));
        let (server, client) = pair(signature, &[moved]);
        let error = client.put("k", &put(b"x")).unwrap_err();
        assert_eq!(error.kind(), Kind::Refused, "{region}: {error:?}");
        assert_eq!(server.requests(), requests, "{signature} {region}");
    }
}

#[test]
fn a_clock_is_set_by_the_servers_and_kept() {
    for (signature, status, body) in [
        (Signature::V4, "403 Forbidden", refusal("RequestTimeTooSkewed")),
        (Signature::V2, "403 Forbidden", refusal("RequestTimeTooSkewed")),
        // A HEAD's refusal has no body.
        (Signature::V4, "403 Forbidden", String::new()),
    ] {
        let there = Epoch::now().saturating_add(Duration::from_secs(5 * 60 * 60));
        let date = format!("date: {}", there.to_rfc1123());
        let (server, client) = pair(signature, &[answer(status, &[&date], &body), stored()]);
        client.put("k", &put(b"x")).unwrap();
        client.put("k", &put(b"x")).unwrap();
        let signed_at = |seen: &Seen| {
            let date = seen.header("x-amz-date").unwrap();
            Epoch::parse_compact(date).or_else(|_| Epoch::parse_rfc1123(date)).unwrap()
        };
        let seen: Vec<_> = (0..3).map(|_| signed_at(&server.seen())).collect();
        let off = |epoch: Epoch| epoch.millis().abs_diff(there.millis()) / 60_000;
        assert!(off(seen[0]) >= 299, "{signature}: the first is signed by our own clock");
        assert!(off(seen[1]) <= 1 && off(seen[2]) <= 1, "{signature}: {seen:?}, not {there:?}");
        // A URL is dated by the server's clock too: by ours it would have expired already.
        let presigned = client.presign_get("k", Epoch::now(), Duration::from_mins(2)).unwrap();
        assert!(off(presigned.expires_at) <= 3, "{presigned:?}, not {there:?}");
        if signature == Signature::V4 {
            let date = presigned.url.split("X-Amz-Date=").nth(1).unwrap();
            assert!(off(Epoch::parse_compact(&date[..16]).unwrap()) <= 1, "{presigned:?}");
        }
    }
    // If the server names no time, or refuses again, the request fails with its answer.
    for (date, requests) in [("x-none: 1", 1), ("date: Tue, 27 Mar 2007 19:36:42 GMT", 2)] {
        let refused = answer("403 Forbidden", &[date], &refusal("RequestTimeTooSkewed"));
        let (server, client) = pair(Signature::V4, &[refused]);
        let error = client.put("k", &put(b"x")).unwrap_err();
        assert!(error.hint_text().is_some_and(|hint| hint.contains("clock")), "{error:?}");
        assert_eq!(server.requests(), requests, "{date}");
    }
}

#[test]
fn a_conflicting_conditional_request_is_made_again_as_often_as_any_other() {
    let retry_policy = RetryPolicy { attempts: 4, ..ONCE };
    let unmet = Ok(PutOutcome::PreconditionFailed);
    for (status, code, requests, expected) in [
        // As many attempts as are allowed, and a look whether one of them had done it after all.
        ("409 Conflict", "ConditionalRequestConflict", 5, unmet.clone()),
        ("409 Conflict", "ConcurrentModification", 5, unmet.clone()),
        ("409 Conflict", "", 5, unmet),
        ("409 Conflict", "OperationAborted", 4, Err(Kind::Unavailable)),
        ("409 Conflict", "InvalidBucketState", 1, Err(Kind::Conflict)),
    ] {
        let conflict = answer(status, &[], &refusal(code));
        let again = requests > 1;
        let answers = [conflict.clone(), conflict.clone(), stored()];
        let server = Server::start(answers.into_iter().map(Script::Answer).collect());
        let client = client_with(&server.endpoint, Signature::V4, retry_policy);
        let outcome = client.put("k", &put(b"x"));
        assert_eq!(matches!(outcome, Ok(PutOutcome::Stored(_))), again, "{code}: {outcome:?}");
        assert_eq!(server.requests(), if again { 3 } else { 1 }, "{code}");
        let server = Server::start(vec![Script::Answer(conflict)]);
        let client = client_with(&server.endpoint, Signature::V4, retry_policy);
        let outcome = client.put("k", &put(b"x")).map_err(|error| error.kind());
        assert_eq!((outcome, server.requests()), (expected, requests), "{code}");
    }
}

#[test]
fn a_bucket_that_asks_for_an_md5_gets_it_from_then_on_and_others_get_none() {
    let message = "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests";
    let asked = refusal("InvalidRequest").replace("Because.", message);
    let asked = answer("400 Bad Request", &[], &asked);
    let (server, client) = pair(Signature::V4, &[stored(), asked.clone(), stored()]);
    for bytes in [b"a", b"b", b"c"] {
        assert!(matches!(client.put("k", &put(bytes)).unwrap(), PutOutcome::Stored(_)));
    }
    let md5 = |text: &str| Some(text.to_owned());
    let seen: Vec<_> = (0..4).map(|_| server.seen()).collect();
    let sent: Vec<_> =
        seen.iter().map(|seen| seen.header("content-md5").map(str::to_owned)).collect();
    let (b, c) = ("kutf/uauL+w61xx3dTFXjw==", "SooI8J03tzeVZJA4QItfMw==");
    assert_eq!(sent, [None, None, md5(b), md5(c)]);
    let authorization = seen[3].header("authorization").unwrap();
    assert!(authorization.contains("content-md5;"), "it is not signed: {authorization}");
    // A server that refuses a request with the checksum too makes it fail.
    let (server, client) = pair(Signature::V4, &[asked]);
    assert_eq!(client.put("k", &put(b"x")).unwrap_err().kind(), Kind::Refused);
    assert_eq!(server.requests(), 2);
}

#[test]
fn a_condition_that_the_server_reads_without_quotes_is_made_without() {
    let unmet = answer("412 Precondition Failed", &[], &refusal("PreconditionFailed"));
    let head = |etag: &str| answer("200 OK", &["content-length: 1", etag], "");
    let matches = Put { precondition: Precondition::Matches("\"e1\""), ..put(b"x") };
    let (server, client) = pair(Signature::V4, &[unmet.clone(), head(ETAG), stored()]);
    assert!(matches!(client.put("k", &matches).unwrap(), PutOutcome::Stored(_)));
    let conditions: Vec<_> =
        (0..3).map(|_| server.seen().header("if-match").map(str::to_owned)).collect();
    assert_eq!(conditions, [Some("\"e1\"".to_owned()), None, Some("e1".to_owned())]);
    // Another ETag now: the condition does not hold.
    let (server, client) = pair(Signature::V4, &[unmet, head("etag: \"e2\""), stored()]);
    assert_eq!(client.put("k", &matches).unwrap(), PutOutcome::PreconditionFailed);
    assert_eq!(server.requests(), 2);
}

#[test]
fn an_expired_token_that_nobody_can_renew_is_a_refusal() {
    let expired = answer("400 Bad Request", &[], &refusal("ExpiredToken"));
    let (server, client) = pair(Signature::V4, &[expired]);
    let error = client.put("k", &put(b"x")).unwrap_err();
    let fault = error.source().and_then(|source| source.downcast_ref::<Fault>()).unwrap();
    assert_eq!((fault.code.as_str(), server.requests()), ("ExpiredToken", 1));
}

#[test]
fn an_expired_token_is_fetched_anew_and_the_new_one_kept() {
    for is_head in [false, true] {
        check_renewal(is_head);
    }
}

fn check_renewal(is_head: bool) {
    let document = |id: &str| {
        let text = format!(
            r#"{{"AccessKeyId":"{id}","SecretAccessKey":"hidden","Token":"hidden-{id}","Expiration":"2199-01-01T00:00:00Z"}}"#
        );
        answer("200 OK", &[], &text)
    };
    let agent = Server::start(["FIRST", "SECOND"].map(document).map(Script::Answer).to_vec());
    let mut outside = Outside::new(&["AWS_CONTAINER_AUTHORIZATION_TOKEN=hidden"]);
    outside.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", &agent.endpoint);
    let provider = outside.find().unwrap().provider.unwrap();

    // The answer to a HEAD has no body that could say why.
    let bare = answer("400 Bad Request", &[], "");
    let expired = answer("400 Bad Request", &[], &refusal("ExpiredToken"));
    let answers = if is_head { [bare, stored()] } else { [expired, stored()] };
    let server = Server::start(answers.map(Script::Answer).to_vec());
    let location = location(Signature::V4, &server.endpoint);
    let options = ClientOptions { retry_policy: ONCE, ..ClientOptions::default() };
    let client = Client::with_options(location, provider, options).unwrap();
    for _ in 0..2 {
        if is_head {
            assert!(client.head("k").unwrap().is_some());
        } else {
            client.put("k", &put(b"x")).unwrap();
        }
    }
    let tokens: Vec<_> =
        (0..3).map(|_| server.seen().header("x-amz-security-token").unwrap().to_owned()).collect();
    assert_eq!(tokens, ["hidden-FIRST", "hidden-SECOND", "hidden-SECOND"]);
    assert_eq!(agent.requests(), 2);
}

#[test]
fn plain_http_is_refused_but_where_it_is_allowed_and_a_token_always() {
    let credentials =
        |token: Option<&str>| Credentials::new("id", "hidden", token.map(str::to_owned)).unwrap();
    let client = |signature, allow_http, token| {
        let options = ClientOptions { allow_http, retry_policy: ONCE, ..ClientOptions::default() };
        Client::with_options(location(signature, "http://s3.invalid"), credentials(token), options)
    };
    for (signature, allow_http) in
        [(Signature::V4, false), (Signature::V2, false), (Signature::V2, true)]
    {
        let error = client(signature, allow_http, None).unwrap_err();
        assert_eq!(error.kind(), Kind::Config, "{signature} {allow_http}");
        assert!(error.to_string().contains("plain http to s3.invalid"), "{error}");
    }
    let error = client(Signature::V4, true, Some("t")).unwrap().put("k", &put(b"x")).unwrap_err();
    assert_eq!(error.kind(), Kind::Config, "{error:?}");
    assert!(error.to_string().contains("session token"), "{error}");
    let token = client(Signature::V4, true, Some("t")).unwrap();
    let url = token.presign_get("k", Epoch::ZERO, Duration::from_secs(60));
    assert_eq!(url.unwrap_err().kind(), Kind::Config, "nor in a URL");
    // Allowed: it gets as far as looking for the host, which does not exist.
    let error = client(Signature::V4, true, None).unwrap().put("k", &put(b"x")).unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable, "{error:?}");
}

#[test]
fn what_is_said_of_an_object_and_of_the_bucket_is_sent_and_signed() {
    let server = Server::start(vec![Script::Answer(stored())]);
    let options = ClientOptions {
        expected_bucket_owner: Some("123456789012".to_owned()),
        ..ClientOptions::default()
    };
    let credentials = Credentials::new("id", "hidden", None).unwrap();
    let location = location(Signature::V4, &server.endpoint);
    let client = Client::with_options(location, credentials, options).unwrap();
    let attributes = Attributes {
        cache_control: Some("max-age=60".to_owned()),
        acl: Some("bucket-owner-full-control".to_owned()),
        storage_class: Some("STANDARD_IA".to_owned()),
        encryption: Some(Encryption::Kms { key_id: Some("alias/k".to_owned()) }),
        tags: [("team".to_owned(), "a b".to_owned())].into(),
        metadata: [("pipeline".to_owned(), "7".to_owned())].into(),
    };
    client.put("k", &Put { attributes: Some(&attributes), ..put(b"x") }).unwrap();
    let seen = server.seen();
    let authorization = seen.header("authorization").unwrap().to_owned();
    for (name, value) in [
        ("cache-control", "max-age=60"),
        ("x-amz-acl", "bucket-owner-full-control"),
        ("x-amz-storage-class", "STANDARD_IA"),
        ("x-amz-server-side-encryption", "aws:kms"),
        ("x-amz-server-side-encryption-aws-kms-key-id", "alias/k"),
        ("x-amz-tagging", "team=a%20b"),
        ("x-amz-meta-pipeline", "7"),
        ("x-amz-expected-bucket-owner", "123456789012"),
    ] {
        assert_eq!(seen.header(name), Some(value));
        assert!(authorization.contains(name), "{name} is not signed: {authorization}");
    }
    // What the client says by itself cannot be said twice.
    let twice = Attributes {
        metadata: [("commit".to_owned(), "7".to_owned())].into(),
        ..Attributes::default()
    };
    let put = Put { metadata: &[("commit", "8")], attributes: Some(&twice), ..put(b"x") };
    let error = client.put("k", &put).unwrap_err();
    assert!(error.to_string().contains("commit"), "{error}");
}
