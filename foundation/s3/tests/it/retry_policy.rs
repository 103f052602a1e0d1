//! Tests of how long a client tries again, as a server sees it, and of a clock that is wrong.

use std::time::Duration;

use ferror::Kind;
use ftime::Epoch;
use s3::{Body, Client, ClientOptions, Credentials, Location, Put, RetryPolicy, Signature};

use crate::server::{SECRET, Script, Server, answer, client_with, refusal};

/// A client whose own waits are too short to be seen.
const QUICK: RetryPolicy = RetryPolicy {
    attempts: 6,
    transient_wait: Duration::from_millis(1),
    throttle_wait: Duration::from_millis(1),
    longest_wait: Duration::from_secs(20),
    budget: Duration::from_secs(60),
    budget_renewed_every: None,
};

fn put<'a>() -> Put<'a> {
    Put::new(Body::Bytes(b"x"), "text/plain")
}

fn stored() -> Script {
    Script::Answer(answer("200 OK", &["etag: \"e1\""], ""))
}

#[test]
fn a_client_tries_six_times_and_waits_a_minute_in_all() {
    let retry_policy = RetryPolicy::default();
    assert_eq!((retry_policy.attempts, retry_policy.budget), (6, Duration::from_secs(60)));
    assert_eq!(ClientOptions::default().retry_policy, retry_policy);

    let away = answer("503 Service Unavailable", &[], &refusal("ServiceUnavailable"));
    let server = Server::start(vec![Script::Answer(away)]);
    let short = RetryPolicy { attempts: retry_policy.attempts, ..QUICK };
    let client = client_with(&server.endpoint, Signature::V4, short);
    let error = client.put("k", &put()).unwrap_err();
    assert!(error.to_string().contains("attempt 6"), "{error}");
    assert_eq!(server.requests(), 6);
}

#[test]
fn a_server_that_says_when_is_asked_no_sooner() {
    // Each row: what the server says, what the waits are bounded by, and how long it was.
    let (second, long) = (Duration::from_secs(1), QUICK.longest_wait);
    let bounded = Duration::from_millis(200);
    let soon = Duration::from_millis(900);
    for (status, code, header, longest_wait, at_least, at_most) in [
        ("503 Slow Down", "SlowDown", "retry-after: 1", long, second, 3 * second),
        ("500 Oops", "InternalError", "retry-after: 1", long, second, 3 * second),
        ("503 Slow Down", "SlowDown", "retry-after: 1", bounded, bounded, second),
        ("503 Slow Down", "SlowDown", "retry-after: soon", long, Duration::ZERO, soon),
        ("503 Slow Down", "SlowDown", "x-none: 1", long, Duration::ZERO, soon),
    ] {
        let busy = answer(status, &[header], &refusal(code));
        let server = Server::start(vec![Script::Answer(busy), stored()]);
        let retry_policy = RetryPolicy { longest_wait, ..QUICK };
        let client = client_with(&server.endpoint, Signature::V4, retry_policy);
        client.put("k", &put()).unwrap();
        assert_eq!(server.requests(), 2, "{status} {header}");
        // What the client means to wait: a slow machine makes it more, by less than this allows.
        let waited = client.usage().waiting;
        assert!(waited >= at_least, "{status} {header}: {waited:?}");
        assert!(waited <= at_most, "{status} {header}: {waited:?}");
    }
}

#[test]
fn a_wait_beyond_the_budget_is_an_error_at_once() {
    let busy = answer("503 Slow Down", &["retry-after: 5"], &refusal("SlowDown"));
    let server = Server::start(vec![Script::Answer(busy), stored()]);
    let budget = RetryPolicy { budget: Duration::from_secs(4), ..QUICK };
    let client = client_with(&server.endpoint, Signature::V4, budget);
    let error = client.put("k", &put()).unwrap_err();
    assert_eq!(error.kind(), Kind::Throttled);
    assert!(error.to_string().contains("time for waiting is used up"), "{error}");
    assert_eq!((server.requests(), client.usage().waiting), (1, Duration::ZERO));
}

#[test]
fn a_servers_clock_is_trusted_only_where_nobody_can_have_changed_the_answer() {
    let there = Epoch::now().saturating_add(Duration::from_secs(5 * 60 * 60));
    let date = format!("date: {}", there.to_rfc1123());
    // An address that leads here and is none of loopback stands for a server over plain http.
    for (host, requests) in [("127.0.0.1", 2), ("localhost", 2), ("0.0.0.0", 1)] {
        let skewed = answer("403 Forbidden", &[&date], &refusal("RequestTimeTooSkewed"));
        let server = Server::start(vec![Script::Answer(skewed), stored()]);
        let location = Location {
            bucket: "builds".to_owned(),
            region: s3::DEFAULT_REGION.to_owned(),
            endpoint: Some(server.endpoint.replace("127.0.0.1", host)),
            path_style: Some(true),
            signature: Signature::V4,
        };
        let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", SECRET, None).unwrap();
        let options =
            ClientOptions { allow_http: true, retry_policy: QUICK, ..ClientOptions::default() };
        let client = Client::with_options(location, credentials, options).unwrap();
        let outcome = client.put("k", &put());
        assert_eq!(server.requests(), requests, "{host}: {outcome:?}");
        assert_eq!(outcome.is_ok(), requests == 2, "{host}: {outcome:?}");
        if let Err(error) = outcome {
            assert!(error.to_string().contains("RequestTimeTooSkewed"), "{host}: {error}");
        }
    }
}
