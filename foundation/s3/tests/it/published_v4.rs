//! `SigV4` against published values, each step by itself: the first test that fails names the wrong one.

use std::time::Duration;

use ftime::Epoch;
use s3::{Credentials, Request, encode, hex, sha256, sigv4};
use serde_json::Value;

fn published() -> Value {
    serde_json::from_str(include_str!("../data/sigv4.json")).expect("the data is JSON")
}

pub(crate) fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap_or_else(|| panic!("{name} is missing in {}", row["name"]))
}

/// Returns the rows of a table; never none, so that no test passes for lack of data.
pub(crate) fn rows<'a>(data: &'a Value, table: &str) -> &'a [Value] {
    let rows = data[table].as_array().map(Vec::as_slice).unwrap_or_default();
    assert!(!rows.is_empty(), "{table} has no rows");
    rows
}

pub(crate) fn pairs(row: &Value, name: &str) -> Vec<(String, String)> {
    serde_json::from_value(row[name].clone()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub(crate) fn method(row: &Value) -> &'static str {
    ["GET", "PUT", "DELETE"].into_iter().find(|m| row["method"] == *m).expect("a known method")
}

fn request(row: &Value) -> Request {
    Request {
        method: method(row),
        path: format!("/{}", encode::object_key(text(row, "object_key"))),
        query: if row["query"].is_null() { Vec::new() } else { pairs(row, "query") },
        headers: pairs(row, "headers"),
    }
}

struct Scope {
    now: Epoch,
    region: String,
    credentials: Credentials,
    secret_access_key: String,
}

fn scope(data: &Value) -> Scope {
    let (id, secret) = (text(data, "access_key_id"), text(data, "secret_access_key"));
    Scope {
        now: Epoch::parse_compact(text(data, "time")).unwrap(),
        region: text(data, "region").to_owned(),
        credentials: Credentials::new(id, secret, None).unwrap(),
        secret_access_key: secret.to_owned(),
    }
}

#[test]
fn step_1_canonical_requests() {
    let data = published();
    for row in rows(&data, "by_header") {
        let request = request(row);
        let payload_hash = request.header("x-amz-content-sha256").expect("a payload hash");
        let canonical = sigv4::canonical_request(&request, payload_hash);
        assert_eq!(canonical, text(row, "canonical_request"), "{}", row["name"]);
        let digest = hex(&sha256(canonical.as_bytes()));
        assert_eq!(digest, text(row, "canonical_request_sha256"), "{}", row["name"]);
    }
}

#[test]
fn step_2_strings_to_sign() {
    let data = published();
    let Scope { now, region, .. } = scope(&data);
    let scope = sigv4::credential_scope(now, &region, "s3");
    assert_eq!(scope, "20130524/us-east-1/s3/aws4_request");
    for row in rows(&data, "by_header") {
        let to_sign = sigv4::string_to_sign(now, &scope, text(row, "canonical_request"));
        assert_eq!(to_sign, text(row, "string_to_sign"), "{}", row["name"]);
    }
}

#[test]
fn step_3_signing_keys() {
    for row in rows(&published(), "signing_keys") {
        let midnight = format!("{}T000000Z", text(row, "date_stamp"));
        let key = sigv4::signing_key(
            text(row, "secret_access_key"),
            Epoch::parse_compact(&midnight).unwrap(),
            text(row, "region"),
            text(row, "service"),
        );
        assert_eq!(hex(&key), text(row, "signing_key"), "of {midnight}");
    }
}

#[test]
fn step_4_signatures_and_authorization_headers() {
    let data = published();
    let Scope { now, region, credentials, secret_access_key } = scope(&data);
    let key = sigv4::signing_key(&secret_access_key, now, &region, "s3");
    let scope = sigv4::credential_scope(now, &region, "s3");
    for row in rows(&data, "by_header") {
        let signature = sigv4::signature(&key, text(row, "string_to_sign"));
        assert_eq!(signature, text(row, "signature"), "{}", row["name"]);
        let header = sigv4::authorization_header(
            credentials.access_key_id(),
            &scope,
            &sigv4::signed_headers(&request(row)),
            &signature,
        );
        assert_eq!(header, text(row, "authorization"), "{}", row["name"]);
    }
}

#[test]
fn all_steps_by_header() {
    let data = published();
    let Scope { now, region, credentials, .. } = scope(&data);
    let mut checked = 0;
    for row in rows(&data, "by_header") {
        let mut request = request(row);
        let payload_sha256 = sha256(text(row, "payload").as_bytes());
        if request.header("x-amz-content-sha256") != Some(hex(&payload_sha256).as_str()) {
            continue; // A chunked body, which this crate does not send.
        }
        request.headers.retain(|(n, _)| n != "x-amz-date" && n != "x-amz-content-sha256");
        sigv4::sign(&mut request, &credentials, &region, &payload_sha256, now);
        assert_eq!(
            request.header("authorization"),
            row["authorization"].as_str(),
            "{}",
            row["name"]
        );
        checked += 1;
    }
    assert_eq!(checked, 4, "four of the requests have a body that is signed whole");
}

#[test]
fn all_steps_by_query() {
    let data = published();
    for row in rows(&data, "presigned") {
        let Scope { now, region, .. } = scope(&data);
        let session_token = row["session_token"].as_str().map(str::to_owned);
        let (id, secret) = (text(&data, "access_key_id"), text(&data, "secret_access_key"));
        let credentials = Credentials::new(id, secret, session_token).unwrap();
        let expires_in = Duration::from_secs(row["expires_in_secs"].as_u64().expect("a number"));

        let mut request = request(row);
        sigv4::presign(&mut request, &credentials, &region, now, expires_in).unwrap();
        let (name, signature) = request.query.pop().expect("a signature");
        assert_eq!(name, "X-Amz-Signature");
        assert_eq!(signature, text(row, "signature"), "{}", row["name"]);
        if let Some(canonical) = row["canonical_request"].as_str() {
            let got = sigv4::canonical_request(&request, sigv4::UNSIGNED_PAYLOAD);
            assert_eq!(got, canonical, "{}", row["name"]);
        }
    }
}
